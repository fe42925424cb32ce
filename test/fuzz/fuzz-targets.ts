import { silentLogger } from '#firmware/core/logger.ts';
import { pcma, pcmu, telephoneEvent } from '#firmware/sdp/audio-format.ts';
import { OfferAnswer, startOfferAnswer } from '#firmware/sdp/offer-answer.ts';
import { formatSessionDescription, parseSessionDescription } from '#firmware/sdp/session-description.ts';
import { answerableChallenges } from '#firmware/sip/digest.ts';
import { type AuthValue, formatAuth, parseAuth, parseAuthParams } from '#firmware/sip/message/auth.ts';
import { buildErrorResponse, serializeMessage } from '#firmware/sip/message/build.ts';
import type { Message } from '#firmware/sip/message/message.ts';
import { NameAddr, parseContacts } from '#firmware/sip/message/name-addr.ts';
import { parseMessage } from '#firmware/sip/message/parse.ts';
import { type Framed, StreamFramer } from '#firmware/sip/message/stream-framer.ts';
import { parseUri, sameUri } from '#firmware/sip/message/uri.ts';
import { parseViaList, Via } from '#firmware/sip/message/via.ts';
import type { Flow } from '#firmware/sip/transport/flow.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import { seededEntropy } from '#test/support/seeded-entropy.ts';
import { messageVectors, octets } from '#test/vectors/sip-messages.ts';
import { dialogTarget } from './dialog-target.ts';
import { documentTarget, subscriptionTarget } from './event-targets.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { multipartTarget } from './multipart-target.ts';

/** The messages that are valid, 20 and more. */
export const validMessages: readonly Uint8Array[] = messageVectors
  .filter(({ verdict }) => verdict === 'accept')
  .map(({ text }) => octets(text));

const words = [
  '\r\n',
  '\r\n ',
  ': ',
  ';',
  ',',
  '<',
  '>',
  '"',
  '\\',
  '@',
  '[',
  ']',
  '%00',
  '=',
  '?',
  '*',
  '\0',
  '\xff',
  '\xc3\xa9',
  '__proto__',
  '4294967296',
];
const sipWords = [
  'SIP/2.0',
  'SIP/2.0/UDP ',
  'Via: ',
  'v: ',
  'To: ',
  'Contact: ',
  'm: *',
  'Route: ',
  'CSeq: ',
  'Content-Length: ',
  'l: 0',
  'sip:',
  ';tag=',
  ';lr',
];

export const fuzzTargets: readonly FuzzTarget[] = [
  { name: 'parse', seeds: validMessages, words: [...words, ...sipWords], run: runParse, read: readMessage },
  {
    name: 'framer',
    seeds: validMessages,
    words: [...words, ...sipWords, '\r\n\r\n'],
    run: runFramer,
    read: (bytes) => new StreamFramer().receive(bytes),
  },
  {
    name: 'via',
    seeds: latin1s(
      'SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKlobby1;rport',
      'SIP / 2.0 / TCP [2001:db8::9]:5061 ;received=[::1], SIP/2.0/TLS h;a="b\\"c"',
    ),
    words: [...words, 'SIP/2.0/', ';rport', ';received=', ';maddr=', ';branch=z9hG4bK'],
    run: runVia,
    read: (bytes) => parseViaList(latin1(bytes)),
  },
  {
    name: 'uri',
    seeds: latin1s(
      'sip:a%20b:pw@h.example:5061;transport=tcp;lr?Subject=a&x=y',
      'sips:[2001:db8::1]:5070',
      'tel:+49-30-1234;phone-context=example.org',
      'urn:service:sos',
    ),
    words: [...words, 'sip:', 'sips:', 'tel:', ':5060', ';lr', '?a=b', '&', '%zz', '%41'],
    run: runUri,
    read: (bytes) => parseUri(latin1(bytes)),
  },
  {
    name: 'name-addr',
    seeds: latin1s('"Lobby \\"West\\"" <sip:lobby@house.example>;tag=w3st', 'sip:a@b;x=y, <sip:c@d;lr>;q=0.5, Bob <tel:1>', '*'),
    words: [...words, 'sip:', '<sip:', '>;tag=', ';q=0.5', ';+sip.instance="<urn:uuid:0c0f>"'],
    run: runNameAddr,
    read: (bytes) => parseContacts(latin1(bytes)),
  },
  {
    name: 'digest',
    seeds: latin1s(
      'Digest realm="house, \\"example\\"", nonce="n0nce", opaque="", algorithm=SHA-256, qop="auth,auth-int", stale=TRUE',
      'Digest username="lobby", realm="h", nonce="n", uri="sip:h", response="0123", qop=auth, nc=00000001, cnonce="c", algorithm=MD5-sess',
    ),
    words: [...words, 'Digest ', 'realm="', 'nonce=', 'qop="auth"', 'algorithm=MD5', 'stale=true', ', '],
    run: runDigest,
    read: readDigest,
  },
  {
    name: 'sdp',
    seeds: latin1s(
      'v=0\r\no=lift 1 1 IN IP4 192.0.2.11\r\ns=-\r\nc=IN IP4 192.0.2.11\r\nt=0 0\r\na=sendonly\r\nm=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=rtcp:40001\r\n',
      'v=0\r\no=- 1 2 IN IP6 2001:db8::1\r\ns= \r\nt=0 0\r\nm=video 0 RTP/AVP 31\r\nm=audio 5004/2 RTP/AVP 96 0\r\nc=IN IP6 2001:db8::2\r\nb=AS:64\r\na=rtpmap:96 G729/8000/1\r\na=inactive\r\n',
    ),
    words: [
      ...words,
      'v=0',
      'm=audio ',
      'RTP/AVP ',
      'a=rtpmap:',
      'a=fmtp:',
      'a=ptime:',
      'c=IN IP4 ',
      '65536',
      '/8000',
      'a=sendrecv\r\n',
      '\n',
    ],
    run: runSdp,
    read: readSdp,
  },
  multipartTarget,
  { name: 'agent', seeds: validMessages, words: [...words, ...sipWords], run: runAgent, read: readByAgent },
  dialogTarget,
  subscriptionTarget,
  documentTarget,
];

function latin1s(...texts: readonly string[]): Uint8Array[] {
  return texts.map(octets);
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

/** Every value, or the answer to what can not be read. */
function readMessage(bytes: Uint8Array): Message | undefined {
  const result = parseMessage(bytes);
  if (result.ok) readEverything(result.message);
  else if (result.broken) buildErrorResponse(result.broken, result.statusCode ?? 400, (via) => via.withParam('received', '192.0.2.1'));
  return result.ok ? result.message : undefined;
}

function runParse(bytes: Uint8Array): void {
  const message = readMessage(bytes);
  if (!message) return;
  const sent = serializeMessage(message);
  const again = parseMessage(sent, { messageBytes: 200_000, headerBytes: 200_000, headerFields: 2_000 });
  check(again.ok, 'what was accepted is refused when it is sent on');
  check(latin1(serializeMessage(again.message)) === latin1(sent), 'a message changes each time it is sent on');
}

/** Asks for every value there is. */
function readEverything(message: Message): void {
  const { from, to, callId, cSeq, topVia, vias, contacts, routes, recordRoutes } = message;
  const { require, proxyRequire, supported, allow, reasons, expires, minExpires, retryAfter, contentType } = message;
  const { event, subscriptionState, referTo, authenticate, proxyAuthenticate, authorization, proxyAuthorization } = message;
  String([from, to, callId, cSeq, topVia, vias, contacts, routes, recordRoutes, topVia.rport, topVia.received, topVia.hasUniqueBranch]);
  String([require, proxyRequire, supported, allow, reasons, expires, minExpires, retryAfter, contentType]);
  String([event, subscriptionState, referTo, authenticate, proxyAuthenticate, authorization, proxyAuthorization]);
  for (const { name } of message.headers) message.headerValues(name);
}

/** However a stream is cut, the same messages come out of it. */
function runFramer(bytes: Uint8Array): void {
  const whole = messagesOf(new StreamFramer().receive(bytes));
  const framer = new StreamFramer();
  const framed: Framed[] = [];
  const step = Math.max(1 + ((bytes[0] ?? 0) % 97) * 7, bytes.length >> 9);
  for (let at = 0; at < bytes.length; at += step) framed.push(...framer.receive(bytes.subarray(at, at + step)));
  check(messagesOf(framed).join('|') === whole.join('|'), 'a stream that is cut elsewhere gives other messages');
}

function messagesOf(framed: readonly Framed[]): string[] {
  return framed.flatMap((one) =>
    one.type === 'message' ? [latin1(one.bytes)] : one.type === 'fatal' ? [`fatal ${one.failure.reason}`] : [],
  );
}

function runVia(bytes: Uint8Array): void {
  const vias = parseViaList(latin1(bytes)) ?? [];
  for (const via of vias) {
    String([via.rport, via.received, via.hasUniqueBranch, via.maddr, via.sentBy]);
    const { protocol, transport, host, port, params } = via;
    const written = String(new Via({ protocol, transport, host, port, params }));
    const [again, ...more] = parseViaList(written) ?? [];
    check(again !== undefined && more.length === 0, `not read again: ${written}`);
    check(again.sentBy === via.sentBy && same(again.params, via.params), `read otherwise: ${written}`);
  }
}

function runUri(bytes: Uint8Array): void {
  const uri = parseUri(latin1(bytes));
  if (!uri) return;
  const again = parseUri(String(uri));
  check(again !== undefined && sameUri(uri, again), `not read again: ${uri}`);
  if (uri.kind !== 'sip') return;
  String([uri.isLooseRouter, uri.userinfoText]);
  const written = String(uri.with({}));
  const rewritten = parseUri(written);
  check(rewritten?.kind === 'sip', `not read again: ${written}`);
  check(rewritten.user === uri.user && rewritten.host === uri.host && rewritten.port === uri.port, `read otherwise: ${written}`);
  check(same(rewritten.params, uri.params) && String(rewritten.headers) === String(uri.headers), `read otherwise: ${written}`);
}

function runNameAddr(bytes: Uint8Array): void {
  const contacts = parseContacts(latin1(bytes)) ?? [];
  if (contacts === '*') return;
  for (const contact of contacts) {
    const written = String(new NameAddr(contact.uri, contact.displayName, contact.params));
    const again = parseContacts(written) ?? [];
    check(again !== '*' && again.length === 1, `not read again: ${written}`);
    check(
      String(again[0]?.uri) === String(contact.uri) && same(again[0]?.params ?? new Map(), contact.params),
      `read otherwise: ${written}`,
    );
    parseContacts(String(contact.withParam('tag', 'x')));
  }
}

function readDigest(bytes: Uint8Array): AuthValue | undefined {
  const text = latin1(bytes);
  parseAuthParams(text);
  const value = parseAuth(text);
  if (value) answerableChallenges([value]);
  return value;
}

function runDigest(bytes: Uint8Array): void {
  const value = readDigest(bytes);
  if (!value) return;
  for (const kind of ['challenge', 'credentials'] as const) {
    // Tokens are written as they are: whoever makes credentials puts tokens there.
    if (
      [...value.params].some(([name, text]) => !/^[\w-]+$/.test(text) && !name.match(/^(realm|nonce|opaque|username|uri|response|cnonce)$/))
    )
      continue;
    const written = formatAuth(value, kind);
    const again = parseAuth(written);
    check(again !== undefined && same(again.params, value.params), `read otherwise: ${written}`);
  }
}

const localAudio = {
  address: '192.0.2.1',
  port: 30_000,
  rtcpPort: 30_001,
  codecs: [pcmu, pcma],
  telephoneEvents: [telephoneEvent],
  comfortNoise: false,
  ptime: 20,
  maxPtime: 60,
  direction: 'sendrecv',
  security: {
    required: false,
    offers: 'sdes',
    cryptos: [{ tag: 1, suite: 'AES_CM_128_HMAC_SHA1_80', key: 'A'.repeat(40), mkiLength: 0 }],
    fingerprint: undefined,
  },
  ice: { ufrag: 'abcd', password: 'x'.repeat(22), candidates: [], address: '192.0.2.1', port: 30_000, rtcpPort: 30_001 },
  rtcpMux: false,
} as const;

/** The description, and what an offer and an answer with it come to. */
function readSdp(bytes: Uint8Array): void {
  const parsed = parseSessionDescription(bytes);
  if (parsed.outcome === 'malformed') return;
  const session = new OfferAnswer(startOfferAnswer('1'));
  session.answer(parsed.description, localAudio);
  session.offer(localAudio);
  session.applyAnswer(parsed.description);
}

const outOfBounds: ReadonlySet<string> = new Set(['too-long', 'too-many-lines', 'line-too-long']);

function runSdp(bytes: Uint8Array): void {
  readSdp(bytes);
  const parsed = parseSessionDescription(bytes);
  if (parsed.outcome === 'malformed') return;
  const written = formatSessionDescription(parsed.description);
  const again = parseSessionDescription(written);
  // CRLF for a bare LF, and the lines a peer left out, make text longer: only that may put it past a bound.
  if (again.outcome === 'malformed' && outOfBounds.has(again.reason)) return;
  check(again.outcome === 'parsed', 'what was formatted is malformed');
  check(formatSessionDescription(again.description) === written, 'a description changes each time it is formatted');
}

const flow: Flow = {
  id: 'fuzz',
  transport: 'udp',
  reliable: false,
  local: { address: '192.0.2.1', port: 5060 },
  remote: { address: '192.0.2.11', port: 5060 },
};

/** A user agent that has got the bytes and done what they ask for, a call accepted at once. */
function readByAgent(bytes: Uint8Array): UserAgent {
  const agent = new UserAgent({
    entropy: seededEntropy(bytes.length),
    logger: silentLogger,
    addresses: { towards: () => ({ address: '192.0.2.1', port: 5060 }) },
    settings: { acceptDirectCalls: true },
  });
  agent.receive(0, flow, bytes);
  settle(agent, 0);
  return agent;
}

/** That it bears a repetition, and comes to rest in the end. */
function runAgent(bytes: Uint8Array): void {
  const agent = readByAgent(bytes);
  agent.receive(1, flow, bytes);
  settle(agent, 1);
  for (let steps = 0; agent.deadline !== undefined && agent.deadline < 200_000; steps++) {
    check(steps < 1_000, 'the user agent never comes to rest');
    const now = agent.deadline;
    agent.handleTimeout(now);
    settle(agent, now);
  }
}

function settle(agent: UserAgent, now: number): void {
  for (let outputs = agent.drain(), rounds = 0; outputs.length > 0; outputs = agent.drain(), rounds++) {
    check(rounds < 100, 'the outputs never end');
    for (const output of outputs) {
      if (output.kind === 'event' && output.event.type === 'incoming') {
        agent.accept(now, output.event.session, { contentType: 'application/sdp', bytes: octets('v=0\r\n') });
      }
    }
  }
}

function same(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name) === value);
}
