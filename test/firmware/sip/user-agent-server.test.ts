import t from 'tap';
import { SipUri } from '#firmware/sip/message/uri.ts';
import type { UserAgentSettings } from '#firmware/sip/user-agent-settings.ts';
import { ScriptedRegistrar } from '#test/support/scripted-registrar.ts';
import { seededRandom } from '#test/support/seeded-entropy.ts';
import { SimulatedNetwork } from '#test/support/simulated-network.ts';
import { accountAt, answer, directAgent, offer, parsed, TestAgent, textOf } from '#test/support/sip-agents.ts';

const seconds = 1_000;

interface Changes {
  readonly uri?: string;
  readonly version?: string;
  /** Replaces header lines by name, adds those that are not there, takes away those that are empty. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly contentLength?: string;
}

let requests = 0;

/** A request of a stranger. */
function requestOf(
  method: string,
  { uri = 'sip:bob@192.0.2.2', version = 'SIP/2.0', headers = {}, body = '', contentLength }: Changes = {},
): string {
  requests++;
  const fields = new Map([
    ['Via', `SIP/2.0/UDP 192.0.2.66:5060;branch=z9hG4bKs${requests};rport`],
    ['Max-Forwards', '70'],
    ['From', `<sip:stranger@192.0.2.66>;tag=f${requests}`],
    ['To', '<sip:bob@192.0.2.2>'],
    ['Call-ID', `call-${requests}`],
    ['CSeq', `1 ${method}`],
    ['Contact', '<sip:stranger@192.0.2.66>'],
    ...(body === '' ? [] : ([['Content-Type', 'application/sdp']] as const)),
    ['Content-Length', contentLength ?? String(body.length)],
  ]);
  for (const [name, value] of Object.entries(headers)) fields.set(name, value);
  const lines = [...fields].filter(([, value]) => value !== '').map(([name, value]) => `${name}: ${value}`);
  return `${method} ${uri} ${version}\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** Bob in a call with alice, and a stranger who sends bytes. */
function scene(settings: Partial<UserAgentSettings> = {}) {
  const network = new SimulatedNetwork();
  const alice = directAgent(network, '192.0.2.1', 'alice');
  const bob = directAgent(network, '192.0.2.2', 'bob', settings);
  alice.userAgent.invite(network.now, { account: 'alice', target: bob.uri('bob'), body: offer });
  network.run(50);
  bob.userAgent.accept(network.now, bob.last('incoming').session, answer);
  network.run(1 * seconds);
  const stranger = network.host('192.0.2.66');
  let heard: string[] = [];
  stranger.listen((text) => heard.push(text));
  /** The answer that is not provisional; `silence` when there is none within a second. */
  const answerTo = (text: string): string => {
    heard = [];
    stranger.sendText(bob.host, text);
    network.run(1 * seconds);
    return heard.find((one) => !/^SIP\/2\.0 1/.test(one)) ?? 'silence';
  };
  const counted = (): number => {
    const { counters } = bob.userAgent.describe() as { counters: Record<string, number> };
    return Object.values(counters).reduce((sum, count) => sum + count, 0);
  };
  return { network, alice, bob, stranger, answerTo, counted };
}

const body = textOf(offer);

const refusals: readonly (readonly [title: string, request: () => string, answer: RegExp])[] = [
  [
    '§21.5.2 a method that nobody knows: 501, with Allow',
    () => requestOf('FROBNICATE'),
    /^SIP\/2\.0 501 .*\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS/s,
  ],
  ['§8.2.1 REGISTER to a phone: 405', () => requestOf('REGISTER'), /^SIP\/2\.0 405 /],
  ['RFC 3515 REFER outside a call: 403', () => requestOf('REFER', { headers: { 'Refer-To': '<sip:x@192.0.2.1>' } }), /^SIP\/2\.0 403 /],
  ['RFC 3428 §7 MESSAGE without a body: 400', () => requestOf('MESSAGE'), /^SIP\/2\.0 400 /],
  ['PUBLISH: 405', () => requestOf('PUBLISH', { headers: { Event: 'presence' } }), /^SIP\/2\.0 405 /],
  ['PRACK without a dialog: 481', () => requestOf('PRACK', { headers: { RAck: '1 1 INVITE' } }), /^SIP\/2\.0 481 /],
  ['SUBSCRIBE: 489', () => requestOf('SUBSCRIBE', { headers: { Event: 'dialog' } }), /^SIP\/2\.0 489 .*Allow-Events: message-summary/s],
  [
    'NOTIFY of an event nobody asked for: 489',
    () => requestOf('NOTIFY', { headers: { Event: 'check-sync;reboot=true' } }),
    /^SIP\/2\.0 489 /,
  ],
  ['NOTIFY message-summary from a stranger: 403', () => requestOf('NOTIFY', { headers: { Event: 'message-summary' } }), /^SIP\/2\.0 403 /],
  [
    'NOTIFY for an unknown subscription: 481',
    () => requestOf('NOTIFY', { headers: { Event: 'message-summary', To: '<sip:b@x>;tag=z' } }),
    /^SIP\/2\.0 481 /,
  ],
  ['§15.1.2 BYE outside a dialog: 481', () => requestOf('BYE', { headers: { To: '<sip:bob@192.0.2.2>;tag=nobody' } }), /^SIP\/2\.0 481 /],
  ['BYE without a tag: 481', () => requestOf('BYE'), /^SIP\/2\.0 481 /],
  ['INFO outside a dialog: 481', () => requestOf('INFO'), /^SIP\/2\.0 481 /],
  ['UPDATE outside a dialog: 481', () => requestOf('UPDATE'), /^SIP\/2\.0 481 /],
  [
    '§12.2.2 INVITE for an unknown dialog: 481',
    () => requestOf('INVITE', { headers: { To: '<sip:bob@192.0.2.2>;tag=gone' }, body }),
    /^SIP\/2\.0 481 /,
  ],
  [
    'PRACK for an unknown dialog: 481',
    () => requestOf('PRACK', { headers: { To: '<sip:b@x>;tag=z', RAck: '1 1 INVITE' } }),
    /^SIP\/2\.0 481 /,
  ],
  ['§9.2 CANCEL of nothing: 481', () => requestOf('CANCEL'), /^SIP\/2\.0 481 /],
  [
    '§8.2.2.3 an unsupported Require: 420 with Unsupported',
    () => requestOf('INVITE', { headers: { Require: '100rel, teleport, precondition' }, body }),
    /^SIP\/2\.0 420 .*\r\nUnsupported: teleport, precondition/s,
  ],
  [
    'Require in an OPTIONS: 420',
    () => requestOf('OPTIONS', { headers: { Require: 'nothingSupportsThis' } }),
    /^SIP\/2\.0 420 .*Unsupported: nothingsupportsthis/s,
  ],
  ['§8.2.2.1 a scheme of its own: 416', () => requestOf('INVITE', { uri: 'tel:+4930123', body }), /^SIP\/2\.0 416 /],
  ['sips over UDP: 416', () => requestOf('INVITE', { uri: 'sips:bob@192.0.2.2', body }), /^SIP\/2\.0 416 /],
  ['an unknown user: 404', () => requestOf('INVITE', { uri: 'sip:nobody@192.0.2.2', body }), /^SIP\/2\.0 404 /],
  ['OPTIONS for an unknown user: 404', () => requestOf('OPTIONS', { uri: 'sip:nobody@192.0.2.2' }), /^SIP\/2\.0 404 /],
  [
    '§16.3 not for us and no hops left: 483',
    () => requestOf('OPTIONS', { uri: 'sip:nobody@192.0.2.2', headers: { 'Max-Forwards': '0' } }),
    /^SIP\/2\.0 483 /,
  ],
  ['for us with no hops left: an answer', () => requestOf('OPTIONS', { headers: { 'Max-Forwards': '0' } }), /^SIP\/2\.0 200 /],
  [
    '§8.2.3 an unknown Content-Type: 415 with Accept',
    () => requestOf('INVITE', { headers: { 'Content-Type': 'text/plain' }, body }),
    /^SIP\/2\.0 415 .*Accept: application\/sdp/s,
  ],
  [
    '§8.2.3 an unknown Content-Encoding: 415 with Accept-Encoding',
    () => requestOf('INVITE', { headers: { 'Content-Encoding': 'gzip' }, body }),
    /^SIP\/2\.0 415 .*Accept-Encoding: identity/s,
  ],
  ['a body without Content-Type: 400', () => requestOf('INVITE', { headers: { 'Content-Type': '' }, body }), /^SIP\/2\.0 400 /],
  [
    '§8.1.1.8 an INVITE without Contact: 400',
    () => requestOf('INVITE', { headers: { Contact: '' }, body }),
    /^SIP\/2\.0 400 Missing Contact/,
  ],
  ['a version of the future: 505', () => requestOf('OPTIONS', { version: 'SIP/7.0' }), /^SIP\/2\.0 505 /],
  ['a CSeq that is no number: 400', () => requestOf('OPTIONS', { headers: { CSeq: 'abc OPTIONS' } }), /^SIP\/2\.0 400 /],
  ['a CSeq past 2^31: 400', () => requestOf('OPTIONS', { headers: { CSeq: '4294967296 OPTIONS' } }), /^SIP\/2\.0 400 /],
  ['a CSeq of another method: 400', () => requestOf('OPTIONS', { headers: { CSeq: '1 INVITE' } }), /^SIP\/2\.0 400 /],
  ['a negative Content-Length: 400', () => requestOf('OPTIONS', { contentLength: '-1' }), /^SIP\/2\.0 400 /],
  ['a body shorter than announced: 400', () => requestOf('INVITE', { body, contentLength: '5000' }), /^SIP\/2\.0 400 /],
  [
    'a 64 KB header: 413, 513, 400 or silence',
    () => requestOf('OPTIONS', { headers: { 'X-Long': 'x'.repeat(65_000) } }),
    /^(SIP\/2\.0 (400|413|513) |silence)/,
  ],
  ['a missing Call-ID: 400', () => requestOf('OPTIONS', { headers: { 'Call-ID': '' } }), /^SIP\/2\.0 400 /],
  ['half a message: 400 or silence', () => requestOf('OPTIONS').slice(0, 120), /^(SIP\/2\.0 400 |silence)/],
  ['garbage: silence', () => '\u0000\u0001\u0002 not SIP at all \u007f', /^silence$/],
  ['an HTTP request: silence', () => 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', /^(silence$|SIP\/2\.0 505)/],
  ['a stray ACK: silence', () => requestOf('ACK'), /^silence$/],
  [
    'a response to nothing: silence',
    () => requestOf('OPTIONS').replace('OPTIONS sip:bob@192.0.2.2 SIP/2.0', 'SIP/2.0 200 OK'),
    /^silence$/,
  ],
];

for (const [title, request, expected] of refusals) {
  t.test(title, async (t) => {
    const { network, alice, bob, answerTo, counted } = scene();
    const before = counted();
    t.match(answerTo(request()), expected);
    if (!/200/.test(expected.source)) t.ok(counted() > before, 'it is counted');
    t.same([alice.all('ended').length, bob.all('ended').length], [0, 0], 'the running call is untouched');
    t.equal(bob.all('incoming').length, 1);
    alice.userAgent.end(network.now, alice.last('accepted').session);
    network.run(100);
    t.equal(bob.last('ended').by, 'remote', 'and ends as it should');
  });
}

t.test('empty lines and zeros are keep-alive, not worth a count', async (t) => {
  const { answerTo, counted } = scene();
  const before = counted();
  for (const text of ['\r\n\r\n', '\r\n', '\u0000\u0000\u0000\u0000']) t.equal(answerTo(text), 'silence');
  t.equal(counted(), before);
});

t.test('§11.2 OPTIONS tells what we can do', async (t) => {
  const { answerTo } = scene();
  const response = parsed(answerTo(requestOf('OPTIONS')));
  t.equal(response.kind === 'response' && response.statusCode, 200);
  t.same(response.allow, [
    'INVITE',
    'ACK',
    'CANCEL',
    'BYE',
    'OPTIONS',
    'INFO',
    'PRACK',
    'UPDATE',
    'NOTIFY',
    'REFER',
    'MESSAGE',
    'SUBSCRIBE',
  ]);
  t.match(response.header('Accept'), /^application\/sdp, multipart\/mixed, .*application\/dtmf-relay/);
  t.same(response.supported, ['100rel', 'timer', 'replaces', 'join', 'norefersub', 'answermode', 'from-change']);
  t.equal(response.header('Server'), undefined, 'no product unless asked for');
  t.ok(response.to.tag);
});

t.test('RFC 2543 an INVITE without From tag, branch and Contact is a call, which we end at its From', async (t) => {
  const { network, bob, answerTo } = scene();
  const headers = { Via: 'SIP/2.0/UDP 192.0.2.66', From: '<sip:old@192.0.2.66>', Contact: '', 'Max-Forwards': '' };
  const invite = requestOf('INVITE', { headers, body });
  t.equal(answerTo(invite), 'silence', 'it rings');
  const { session } = bob.last('incoming');
  bob.userAgent.accept(network.now, session, answer);
  network.run(10);
  const success = parsed(network.packets.at(-1)?.text ?? '');
  answerTo(requestOf('ACK', { headers: { ...headers, To: success.to.toString(), 'Call-ID': success.callId } }));
  t.equal(bob.all('confirmed').length, 2);
  network.packets.length = 0;
  bob.userAgent.end(network.now, session);
  network.run(10);
  t.match(network.packets[0]?.text, /^BYE sip:old@192\.0\.2\.66 SIP\/2\.0/);
});

t.test('§8.1.3.3 a response with several Vias is not ours and is discarded', async (t) => {
  const { network, alice, stranger } = scene();
  let invite = '';
  stranger.listen((text) => {
    if (text.startsWith('INVITE')) invite = text;
  });
  alice.userAgent.invite(network.now, { account: 'alice', target: new SipUri({ user: 'x', host: '192.0.2.66' }), body: offer });
  network.run(100);
  const line = (name: string): string => new RegExp(`^${name}: .*$`, 'm').exec(invite)?.[0].trim() ?? '';
  const ringing = (vias: readonly string[]): string =>
    ['SIP/2.0 180 Ringing', ...vias, line('From'), `${line('To')};tag=x1`, line('Call-ID'), line('CSeq'), 'Content-Length: 0', '', ''].join(
      '\r\n',
    );
  const before = alice.events.length;
  stranger.sendText(alice.host, ringing([line('Via'), 'Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKother']));
  network.run(100);
  t.equal(alice.events.length, before, 'it rings for nobody');
  t.match(alice.userAgent.describe(), { counters: { 'responses-with-several-vias': 1 } });
  stranger.sendText(alice.host, ringing([line('Via')]));
  network.run(100);
  t.ok(alice.events.length > before, 'with one Via it does');
});

t.test('the setting product is told as Server and User-Agent', async (t) => {
  const { network, bob, answerTo } = scene({ product: 'hookswitch' });
  t.match(answerTo(requestOf('OPTIONS')), /\r\nServer: hookswitch\r\n/);
  bob.userAgent.invite(network.now, { account: 'bob', target: bob.uri('x'), body: offer });
  network.run(1);
  t.match(network.packets.at(-1)?.text, /\r\nUser-Agent: hookswitch\r\n/);
});

t.test('§8.2.2.2 the same request by two paths: the second is merged, 482', async (t) => {
  const { bob, answerTo } = scene();
  const invite = requestOf('INVITE', { body });
  t.equal(answerTo(invite), 'silence', 'it rings');
  t.match(answerTo(invite.replace('branch=z9hG4bK', 'branch=z9hG4bKother')), /^SIP\/2\.0 482 /);
  t.equal(bob.all('incoming').length, 2, 'one call from alice, one from the stranger');
});

t.test('§17.2.3 a repeated INVITE gets the same answer and makes no second call', async (t) => {
  const { network, bob, answerTo } = scene();
  const invite = requestOf('INVITE', { body });
  answerTo(invite);
  bob.userAgent.reject(network.now, bob.last('incoming').session, 486);
  t.match(answerTo(invite), /^SIP\/2\.0 486 /);
  t.equal(bob.all('incoming').length, 2);
});

t.test('RFC 3581 the answer goes where the request came from, with received and rport', async (t) => {
  const { answerTo } = scene();
  const response = answerTo(requestOf('OPTIONS', { headers: { Via: 'SIP/2.0/UDP 10.0.0.1:7777;branch=z9hG4bKnat;rport' } }));
  t.match(response, /\r\nVia: SIP\/2\.0\/UDP 10\.0\.0\.1:7777;branch=z9hG4bKnat;.*received=192\.0\.2\.66/);
  t.match(response, /rport=5060/);
});

t.test('malformed requests are answered at most ten times a second', async (t) => {
  const { network, bob, stranger } = scene();
  network.packets.length = 0;
  for (let i = 0; i < 1_000; i++) stranger.sendText(bob.host, requestOf('OPTIONS', { contentLength: '-1' }));
  network.run(1 * seconds);
  const answers = network.packets.filter(({ text }) => text.startsWith('SIP/2.0 400')).length;
  t.ok(answers >= 50 && answers <= 61, `${answers} answers`);
});

t.test('past maximumTransactions: 503 with Retry-After, and the call goes on', async (t) => {
  const { network, alice, bob, stranger } = scene({ maximumTransactions: 50 });
  network.packets.length = 0;
  for (let i = 0; i < 200; i++) stranger.sendText(bob.host, requestOf('OPTIONS'));
  network.run(100);
  const busy = network.packets.filter(({ text }) => text.startsWith('SIP/2.0 503'));
  t.ok(busy.length >= 150);
  t.match(busy[0]?.text, /\r\nRetry-After: \d+\r\n/);
  t.equal(bob.all('ended').length + alice.all('ended').length, 0);
  network.run(40 * seconds);
  network.packets.length = 0;
  stranger.sendText(bob.host, requestOf('OPTIONS'));
  network.run(100);
  t.ok(
    network.packets.some(({ text }) => text.startsWith('SIP/2.0 200')),
    'and later it is answered again',
  );
});

/** A phone that is registered and takes calls from its server alone. */
function registered() {
  const network = new SimulatedNetwork();
  const registrar = new ScriptedRegistrar(network);
  const phone = new TestAgent(network, '192.0.2.2');
  phone.userAgent.setAccount(network.now, accountAt(registrar.host, 'alice'));
  network.run(1 * seconds);
  const contact = registrar.registers.at(-1)?.contacts;
  const uri = contact && contact !== '*' ? (contact[0]?.uri.toString() ?? '') : '';
  const statusTo = (address: string, text: string): string => {
    const host = address === registrar.host.address ? registrar.host : network.host(address);
    network.packets.length = 0;
    host.sendText(phone.host, text);
    network.run(300);
    const answers = network.packets.filter(({ from, text: one }) => from === phone.host.name && one.startsWith('SIP/2.0'));
    return answers.at(-1)?.text ?? 'silence';
  };
  return { network, registrar, phone, uri, statusTo };
}

t.test('an INVITE is taken from the account’s server alone, whoever guesses the Contact', async (t) => {
  const { phone, uri, statusTo, registrar } = registered();
  t.match(statusTo('192.0.2.66', requestOf('INVITE', { uri, body })), /^SIP\/2\.0 403 /);
  t.match(statusTo('192.0.2.66', requestOf('INVITE', { uri: 'sip:100@192.0.2.2', body })), /^SIP\/2\.0 403 /, 'scanners learn no names');
  t.equal(phone.all('incoming').length, 0);
  t.match(statusTo(registrar.host.address, requestOf('INVITE', { uri, body })), /^SIP\/2\.0 100 /);
  t.equal(phone.last('incoming').account, 'alice');
  t.match(statusTo(registrar.host.address, requestOf('INVITE', { uri: 'sip:alice@example.org', body })), /^SIP\/2\.0 100 /);
  t.match(statusTo(registrar.host.address, requestOf('INVITE', { uri: 'sip:other@example.org', body })), /^SIP\/2\.0 404 /);
});

const summary = 'Messages-Waiting: yes\r\nMessage-Account: sip:alice@example.org\r\nVoice-Message: 2/8 (0/2)\r\n';
const notifyHeaders = { Event: 'message-summary', 'Content-Type': 'application/simple-message-summary', 'Subscription-State': 'active' };

t.test('RFC 3842 an unsolicited NOTIFY of the own server lights the lamp, one of a stranger does not', async (t) => {
  const { phone, uri, statusTo, registrar } = registered();
  t.match(statusTo('192.0.2.66', requestOf('NOTIFY', { uri, headers: notifyHeaders, body: summary })), /^SIP\/2\.0 403 /);
  t.equal(phone.all('messageWaiting').length, 0);
  t.match(statusTo(registrar.host.address, requestOf('NOTIFY', { uri, headers: notifyHeaders, body: summary })), /^SIP\/2\.0 200 /);
  t.match(phone.last('messageWaiting'), { account: 'alice', waiting: true, newMessages: 2, oldMessages: 8 });
  const odd = { ...notifyHeaders, 'Content-Type': 'text/plain' };
  t.match(statusTo(registrar.host.address, requestOf('NOTIFY', { uri, headers: odd, body: summary })), /^SIP\/2\.0 415 /);
});

t.test('RFC 3842 a subscription is challenged, granted, notified, refreshed and given up', async (t) => {
  const { network, registrar, phone } = registered();
  registrar.rule = (request) => {
    if (request.method !== 'SUBSCRIBE') return undefined;
    if (request.proxyAuthorization.length > 0)
      return registrar.refuse(request, 200, [
        ['Expires', '600'],
        ['Contact', '<sip:mwi@192.0.2.10>'],
      ]);
    return registrar.refuse(request, 407, [['Proxy-Authenticate', 'Digest realm="example.org", nonce="s", qop="auth"']]);
  };
  phone.userAgent.subscriptions.watchMailbox(network.now, 'alice');
  network.run(1 * seconds);
  const [, second] = registrar.requests('SUBSCRIBE');
  t.equal(second?.event?.value, 'message-summary');
  t.equal(second?.requestUri.toString(), 'sip:alice@example.org');
  const notify = (tag: string, sequence: number, state: string, subscribe = second): string => {
    const headers = {
      ...notifyHeaders,
      'Subscription-State': state,
      From: `<sip:alice@example.org>;tag=${tag}`,
      To: subscribe?.from.toString() ?? '',
      'Call-ID': subscribe?.callId ?? '',
      CSeq: `${sequence} NOTIFY`,
      Contact: '<sip:mwi@192.0.2.10>',
    };
    return requestOf('NOTIFY', { uri: 'sip:x@192.0.2.2', headers, body: summary });
  };
  registrar.host.sendText(phone.host, notify('registrar', 1, 'active;expires=600'));
  network.run(100);
  t.equal(registrar.responses(200).length, 1);
  t.match(phone.last('messageWaiting'), { newMessages: 2 });
  registrar.host.sendText(phone.host, notify('another', 1, 'active'));
  network.run(100);
  t.equal(registrar.responses(481).length, 1, 'a second branch is turned away');
  registrar.host.sendText(phone.host, notify('registrar', 1, 'active'));
  network.run(100);
  t.equal(registrar.responses(500).length, 1, 'an old CSeq is refused');
  network.run(600 * seconds);
  const subscribes = registrar.requests('SUBSCRIBE');
  t.ok(subscribes.length >= 3 && subscribes.at(-1)?.to.tag === 'registrar', 'refreshed within the dialog');
  registrar.host.sendText(phone.host, notify('registrar', 2, 'terminated;reason=timeout'));
  network.run(10 * seconds);
  const anew = registrar.requests('SUBSCRIBE').at(-1);
  t.equal(anew?.to.tag, undefined, 'a subscription that ran out begins anew');
  registrar.host.sendText(phone.host, notify('registrar', 1, 'active;expires=600', anew));
  network.run(1 * seconds);
  phone.userAgent.stop(network.now);
  network.run(2 * seconds);
  t.equal(registrar.requests('SUBSCRIBE').at(-1)?.expires, 0);
  t.ok(phone.userAgent.idle, 'nobody waits for the last NOTIFY');
  registrar.host.sendText(phone.host, notify('registrar', 2, 'terminated;reason=timeout', anew));
  network.run(1 * seconds);
  t.equal(registrar.responses(481).length, 1, 'which is taken all the same');
  t.match(phone.userAgent.describe(), { dialogs: 0 }, 'no dialog is left behind');
});

t.test('RFC 6665 §4.1.3 a NOTIFY that ends a subscription before its SUBSCRIBE is answered leaves nothing behind', async (t) => {
  const { network, registrar, phone } = registered();
  registrar.algorithms = [];
  network.intercept(({ text }) => (/^SIP\/2.0 200[\s\S]*SUBSCRIBE/.test(text) ? { delay: 200 } : undefined));
  phone.userAgent.subscriptions.watchMailbox(network.now, 'alice');
  network.run(20);
  const [subscribe] = registrar.requests('SUBSCRIBE');
  const headers = {
    ...notifyHeaders,
    'Subscription-State': 'terminated;reason=noresource',
    From: '<sip:alice@example.org>;tag=registrar',
    To: subscribe?.from.toString() ?? '',
    'Call-ID': subscribe?.callId ?? '',
  };
  registrar.host.sendText(phone.host, requestOf('NOTIFY', { headers, body: summary }));
  network.run(3600 * seconds);
  t.equal(registrar.requests('SUBSCRIBE').length, 1, 'and it is not tried again');
  t.match(phone.userAgent.describe(), { dialogs: 0 });
});

t.test('RFC 6665 §4.4.1 a NOTIFY that overtakes the answer to SUBSCRIBE makes the dialog; a refusal is not repeated', async (t) => {
  const { network, registrar, phone } = registered();
  const restore = network.intercept(({ text }) => (/^SIP\/2.0 200[\s\S]*SUBSCRIBE/.test(text) ? { delay: 200 } : undefined));
  registrar.algorithms = [];
  phone.userAgent.subscriptions.watchMailbox(network.now, 'alice');
  network.run(20);
  const [subscribe] = registrar.requests('SUBSCRIBE');
  const headers = {
    ...notifyHeaders,
    From: '<sip:alice@example.org>;tag=registrar',
    To: subscribe?.from.toString() ?? '',
    'Call-ID': subscribe?.callId ?? '',
  };
  registrar.host.sendText(phone.host, requestOf('NOTIFY', { headers, body: summary }));
  network.run(20);
  t.equal(registrar.responses(200).length, 1);
  t.equal(phone.all('messageWaiting').length, 1);
  network.run(1 * seconds);
  restore();
  const refused = registered();
  refused.registrar.rule = (request) => (request.method === 'SUBSCRIBE' ? refused.registrar.refuse(request, 489) : undefined);
  refused.phone.userAgent.subscriptions.watchMailbox(refused.network.now, 'alice');
  refused.network.run(3600 * seconds);
  t.equal(refused.registrar.requests('SUBSCRIBE').length, 1);
});

/** One to three bytes changed, taken out, doubled, or the tail cut off. */
function mutated(bytes: Uint8Array, random: () => number): Uint8Array {
  let list = [...bytes];
  for (let changes = 1 + Math.floor(3 * random()); changes > 0; changes--) {
    const at = Math.floor(list.length * random());
    const way = random();
    if (way < 0.4) list[at] = Math.floor(256 * random());
    else if (way < 0.6) list.splice(at, 1 + Math.floor(8 * random()));
    else if (way < 0.8) list.splice(at, 0, ...list.slice(at, at + 20));
    else if (way < 0.9) list = list.slice(0, at);
    else list.splice(at, 0, 13, 10);
  }
  return Uint8Array.from(list);
}

for (const seed of [21, 22, 23]) {
  t.test(`mutilated copies of its own messages, 3,000 in a row, neither throw nor pile up (seed ${seed})`, async (t) => {
    const random = seededRandom(seed);
    const network = new SimulatedNetwork({ seed });
    const alice = directAgent(network, '192.0.2.1', 'alice');
    const bob = directAgent(network, '192.0.2.2', 'bob', { maximumSessions: 20 });
    const call = (): string => alice.userAgent.invite(network.now, { account: 'alice', target: bob.uri('bob'), body: offer });
    const first = call();
    network.run(50);
    bob.userAgent.ring(network.now, bob.last('incoming').session, 183, answer);
    bob.userAgent.accept(network.now, bob.last('incoming').session, answer);
    network.run(100);
    alice.userAgent.reoffer(network.now, first, offer);
    alice.userAgent.info(network.now, first, { contentType: 'application/dtmf-relay', bytes: new TextEncoder().encode('Signal=1') });
    network.run(50);
    alice.userAgent.end(network.now, call());
    network.run(500);
    const originals = [...network.packets];
    for (let i = 0; i < 3_000; i++) {
      const original = originals[Math.floor(originals.length * random())];
      const [address = '', port] = original?.to.split(':') ?? [];
      if (original) network.send(alice.host, { transport: 'udp', host: address, port: Number(port) }, mutated(original.bytes, random));
      network.run(5);
      network.packets.length = 0;
    }
    const { dialogs = 0 } = bob.userAgent.describe() as Record<string, number>;
    t.ok(dialogs <= 20, `${dialogs} dialogs`);
    alice.userAgent.stop(network.now);
    bob.userAgent.stop(network.now);
    network.run(200 * seconds);
    t.same([alice.userAgent.idle, bob.userAgent.idle], [true, true], 'and all of it comes to an end');
    t.match([alice.userAgent.describe(), bob.userAgent.describe()], [{ dialogs: 0 }, { dialogs: 0 }]);
  });
}
