import t from 'tap';
import { SipUri } from '#firmware/sip/message/uri.ts';
import type { UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { ScriptedRegistrar } from '#test/support/scripted-registrar.ts';
import { type NetworkQuality, SimulatedNetwork } from '#test/support/simulated-network.ts';
import { accountAt, answer, directAgent, nameOf, offer, parsed, sdp, TestAgent, textOf } from '#test/support/sip-agents.ts';

const seconds = 1_000;

/** Two agents in a call: alice called bob. */
function established(quality: Partial<NetworkQuality> = {}) {
  const network = new SimulatedNetwork(quality);
  const alice = directAgent(network, '192.0.2.1', 'alice');
  const bob = directAgent(network, '192.0.2.2', 'bob');
  const atAlice = alice.userAgent.invite(network.now, { account: 'alice', target: bob.uri('bob'), body: offer });
  network.run(100);
  const atBob = bob.last('incoming').session;
  bob.userAgent.accept(network.now, atBob, answer);
  network.run(1 * seconds);
  network.packets.length = 0;
  alice.events.length = 0;
  bob.events.length = 0;
  const starts = (): string[] =>
    network.packets.map(({ text }) => (text.startsWith('SIP') ? text.slice(8, 11) : text.slice(0, text.indexOf(' '))));
  return { network, alice, bob, atAlice, atBob, starts };
}

/** Answers every offer at once. */
function agreeing(agent: TestAgent): void {
  agent.onEvent = (event: UserAgentEvent) => {
    if (event.type === 'reoffered') agent.userAgent.answerReoffer(agent.now, event.session, { body: sdp('agreed') });
  };
}

t.test('RFC 3261 §14 a re-INVITE offers, is answered and acknowledged, from either side', async (t) => {
  const { network, alice, bob, atAlice, atBob, starts } = established();
  agreeing(bob);
  agreeing(alice);
  t.ok(alice.userAgent.reoffer(network.now, atAlice, sdp('hold')));
  t.notOk(alice.userAgent.reoffer(network.now, atAlice, sdp('again')), 'one at a time');
  network.run(200);
  t.equal(nameOf(bob.last('reoffered').body), 'hold');
  t.match(alice.last('reofferAnswered'), { session: atAlice, statusCode: 200 });
  t.equal(nameOf(alice.last('reofferAnswered').body), 'agreed');
  t.same(starts(), ['INVITE', '200', 'ACK']);
  t.ok(bob.userAgent.reoffer(network.now, atBob, sdp('hold too')));
  network.run(200);
  t.equal(bob.last('reofferAnswered').statusCode, 200);
  t.ok(alice.userAgent.reoffer(network.now, atAlice, sdp('resume')), 'and the next one after that');
});

t.test('RFC 3261 §14.1 a refused re-INVITE leaves the call as it was', async (t) => {
  const { network, alice, bob, atAlice, atBob } = established();
  alice.userAgent.reoffer(network.now, atAlice, sdp('video'));
  network.run(50);
  bob.userAgent.answerReoffer(network.now, atBob, { statusCode: 488 });
  network.run(1 * seconds);
  t.equal(alice.last('reofferAnswered').statusCode, 488);
  t.equal(alice.all('ended').length, 0);
  t.ok(alice.userAgent.reoffer(network.now, atAlice, sdp('audio')));
});

t.test('RFC 3261 §14.1 glare: both get 491, the one with the Call-ID waits longer, both offers come through', async (t) => {
  const { network, alice, bob, atAlice, atBob, starts } = established({ latency: { least: 10, most: 10 } });
  agreeing(bob);
  agreeing(alice);
  alice.userAgent.reoffer(network.now, atAlice, sdp('from alice'));
  bob.userAgent.reoffer(network.now, atBob, sdp('from bob'));
  network.run(35);
  t.same(starts().sort(), ['491', '491', 'ACK', 'ACK', 'INVITE', 'INVITE']);
  t.same([alice.types(), bob.types()], [[], []], 'nobody is troubled with it');
  network.run(2 * seconds);
  t.equal(nameOf(alice.last('reoffered').body), 'from bob', 'within 2 s');
  t.equal(bob.last('reofferAnswered').statusCode, 200);
  t.equal(alice.last('reofferAnswered').statusCode, 491, 'the offer of alice is outdated by now: she hears of it');
  t.ok(alice.userAgent.reoffer(network.now, atAlice, sdp('from alice')));
  network.run(1 * seconds);
  t.equal(nameOf(bob.last('reoffered').body), 'from alice');
});

t.test('a glare without an offer in between is tried again between 2.1 and 4 s', async (t) => {
  const { network, alice, bob, atAlice, starts } = established();
  agreeing(bob);
  const restore = network.intercept(({ text }) => (text.startsWith('INVITE') ? 'drop' : undefined));
  alice.userAgent.reoffer(network.now, atAlice, sdp('hold'));
  network.run(10);
  restore();
  const invite = parsed(network.packets.at(-1)?.text ?? '');
  const refusal = invite.header('Via') ?? '';
  const toTag = invite.to.toString();
  bob.host.sendText(
    alice.host,
    `SIP/2.0 491 Request Pending\r\nVia: ${refusal}\r\nFrom: ${invite.from}\r\nTo: ${toTag}\r\nCall-ID: ${invite.callId}\r\nCSeq: 2 INVITE\r\nContent-Length: 0\r\n\r\n`,
  );
  network.run(2_000);
  t.equal(bob.all('reoffered').length, 0);
  network.run(2_100);
  t.equal(bob.all('reoffered').length, 1);
  t.equal(alice.last('reofferAnswered').statusCode, 200);
  t.equal(starts().filter((start) => start === 'INVITE').length, 2);
});

t.test('RFC 3261 §14.2 a second re-INVITE while one is unanswered gets 500 with Retry-After', async (t) => {
  const { network, alice, bob, atAlice, atBob } = established();
  alice.userAgent.reoffer(network.now, atAlice, sdp('first'));
  network.run(50);
  const first = network.packets.find(({ text }) => text.startsWith('INVITE'))?.text ?? '';
  alice.host.sendText(bob.host, first.replace('2 INVITE', '3 INVITE').replace(/branch=[^;\r]*/, 'branch=z9hG4bKsecond'));
  network.run(50);
  const refusal = network.packets.find(({ text }) => text.startsWith('SIP/2.0 500'))?.text ?? '';
  t.match(refusal, /\r\nRetry-After: \d+\r\n/);
  t.equal(bob.all('reoffered').length, 1);
  bob.userAgent.answerReoffer(network.now, atBob, { body: answer });
  network.run(100);
  t.equal(alice.last('reofferAnswered').statusCode, 200);
});

t.test('RFC 3261 §9 a re-INVITE can be cancelled; the call goes on', async (t) => {
  const { network, alice, bob, atAlice, atBob } = established();
  alice.userAgent.reoffer(network.now, atAlice, sdp('first'));
  network.run(300);
  const invite = network.packets.find(({ text }) => text.startsWith('INVITE'))?.text ?? '';
  const cancel = invite
    .replace(/^INVITE/, 'CANCEL')
    .replace('2 INVITE', '2 CANCEL')
    .replace(/Content-Type[\s\S]*/, 'Content-Length: 0\r\n\r\n');
  alice.host.sendText(bob.host, cancel);
  network.run(1 * seconds);
  t.equal(alice.last('reofferAnswered').statusCode, 487);
  bob.userAgent.answerReoffer(network.now, atBob, { body: answer });
  network.run(100);
  t.same([alice.all('ended').length, bob.all('ended').length], [0, 0]);
});

t.test('RFC 3261 §12.2.1.2 a re-INVITE that the far end knows nothing of ends the call', async (t) => {
  const { network, alice, bob, atAlice } = established();
  bob.host.detach();
  const stranger = directAgent(network, '192.0.2.2', 'bob');
  alice.userAgent.reoffer(network.now, atAlice, sdp('hello?'));
  network.run(1 * seconds);
  t.equal(alice.last('reofferAnswered').statusCode, 481);
  t.match(alice.last('ended'), { by: 'timeout' });
  t.equal(stranger.events.length, 0);
});

t.test('a re-INVITE without an answer ends the call after 32 s', async (t) => {
  const { network, alice, bob, atAlice } = established();
  bob.host.detach();
  alice.userAgent.reoffer(network.now, atAlice, sdp('hello?'));
  network.run(33 * seconds);
  t.equal(alice.last('reofferAnswered').statusCode, 408);
  t.match(alice.last('ended'), { by: 'timeout' });
  network.run(40 * seconds);
  t.ok(alice.userAgent.idle);
});

t.test('a re-INVITE without an offer: ours in the 200, the answer in the ACK', async (t) => {
  const { network, alice, bob, atAlice, atBob } = established();
  const restore = network.intercept(({ text }) => (text.startsWith('INVITE') ? 'drop' : undefined));
  alice.userAgent.reoffer(network.now, atAlice, sdp('x'));
  network.run(1);
  restore();
  const invite = network.packets.find(({ text }) => text.startsWith('INVITE'))?.text ?? '';
  const bare = invite.replace(/branch=[^;\r]*/, 'branch=z9hG4bKbare').replace('2 INVITE', '7 INVITE');
  alice.host.sendText(bob.host, bare.replace(/Content-Type[\s\S]*/, 'Content-Length: 0\r\n\r\n'));
  network.run(50);
  t.equal(bob.last('reoffered').session, atBob);
  t.equal(bob.last('reoffered').body, undefined);
  bob.userAgent.answerReoffer(network.now, atBob, { body: sdp('offer of bob') });
  network.run(50);
  t.ok(network.packets.some(({ text }) => text.startsWith('SIP/2.0 200') && text.includes('s=offer of bob')));
  const text = textOf(sdp('answer of alice'));
  const ack = bare
    .replace(/^INVITE/, 'ACK')
    .replace('7 INVITE', '7 ACK')
    .replace('z9hG4bKbare', 'z9hG4bKack')
    .replace(/Content-Type[\s\S]*/, `Content-Type: application/sdp\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
  alice.host.sendText(bob.host, ack);
  network.run(50);
  t.equal(nameOf(bob.last('confirmed').body), 'answer of alice');
});

t.test('RFC 3311 an UPDATE with an offer is answered like a re-INVITE, without ACK; without one it is 200', async (t) => {
  const { network, alice, bob, atAlice, atBob } = established();
  alice.userAgent.info(network.now, atAlice, { contentType: 'application/dtmf', bytes: new Uint8Array([49]) });
  network.run(50);
  const info = network.packets.find(({ text }) => text.startsWith('INFO'))?.text ?? '';
  const update = (sequence: number, body: string): string =>
    info
      .replace(/^INFO/, 'UPDATE')
      .replace(/CSeq: [^\r]*/, `CSeq: ${sequence} UPDATE`)
      .replace(/branch=[^;\r]*/, `branch=z9hG4bKu${sequence}`)
      .replace(/(?:Info-Package|Content-Disposition): [^\r]*\r\n/g, '')
      .replace(/Content-Type[\s\S]*/, body);
  alice.host.sendText(bob.host, update(10, 'Content-Length: 0\r\n\r\n'));
  network.run(50);
  t.ok(network.packets.some(({ text }) => text.startsWith('SIP/2.0 200') && text.includes('10 UPDATE')));
  t.equal(bob.all('reoffered').length, 0);
  const text = textOf(sdp('updated'));
  alice.host.sendText(bob.host, update(11, `Content-Type: application/sdp\r\nContent-Length: ${text.length}\r\n\r\n${text}`));
  network.run(50);
  t.equal(nameOf(bob.last('reoffered').body), 'updated');
  bob.userAgent.answerReoffer(network.now, atBob, { body: sdp('agreed') });
  network.run(50);
  const success = network.packets.find(({ text: one }) => one.startsWith('SIP/2.0 200') && one.includes('11 UPDATE'))?.text ?? '';
  t.match(success, /s=agreed/);
  t.ok(bob.userAgent.reoffer(network.now, atBob, sdp('next')), 'no ACK is waited for');
});

t.test('INFO carries digits both ways: 200; a type nobody knows 415 with Accept', async (t) => {
  const { network, alice, bob, atAlice, atBob } = established();
  const digit = { contentType: 'application/dtmf-relay', bytes: new TextEncoder().encode('Signal=5\r\nDuration=160\r\n') };
  alice.userAgent.info(network.now, atAlice, digit);
  network.run(50);
  t.equal(textOf(bob.last('info').body), 'Signal=5\r\nDuration=160\r\n');
  t.equal(bob.last('info').session, atBob);
  t.match(alice.last('infoAnswered'), { session: atAlice, statusCode: 200 });
  bob.userAgent.info(network.now, atBob, { contentType: 'application/x-unheard-of', bytes: new Uint8Array([1]) });
  network.run(50);
  t.equal(bob.last('infoAnswered').statusCode, 415);
  t.ok(network.packets.some(({ text }) => text.startsWith('SIP/2.0 415') && /\r\nAccept: application\/dtmf-relay/.test(text)));
  t.equal(alice.all('info').length, 0);
});

t.test('an INFO that is never answered does not end the call', async (t) => {
  const { network, alice, atAlice } = established();
  network.intercept(({ text }) => (text.startsWith('INFO') ? 'drop' : undefined));
  alice.userAgent.info(network.now, atAlice, { contentType: 'application/dtmf', bytes: new Uint8Array([49]) });
  network.run(40 * seconds);
  t.equal(alice.last('infoAnswered').statusCode, 408);
  t.equal(alice.all('ended').length, 0);
});

t.test('RFC 3261 §12.2.2 requests in a dialog: lower CSeq 500, unknown method 405, OPTIONS 200, NOTIFY 481, Require 420', async (t) => {
  const { network, alice, bob, atAlice } = established();
  alice.userAgent.info(network.now, atAlice, { contentType: 'application/dtmf', bytes: new Uint8Array([49]) });
  network.run(50);
  const info = network.packets.find(({ text }) => text.startsWith('INFO'))?.text ?? '';
  let count = 0;
  const statusOf = (method: string, sequence: number, more = ''): string => {
    network.packets.length = 0;
    const request = info
      .replace(/^INFO/, method)
      .replace(/CSeq: [^\r]*/, `CSeq: ${sequence} ${method}`)
      .replace(/branch=[^;\r]*/, `branch=z9hG4bKd${count++}`)
      .replace(/Content-Type[\s\S]*/, `${more}Content-Length: 0\r\n\r\n`);
    alice.host.sendText(bob.host, request);
    network.run(50);
    return network.packets.find(({ text }) => text.startsWith('SIP'))?.text.slice(8, 11) ?? 'silence';
  };
  t.equal(statusOf('INFO', 1), '500');
  t.equal(statusOf('FROBNICATE', 10), '405');
  t.equal(statusOf('REFER', 11), '400', 'without Refer-To');
  t.equal(statusOf('OPTIONS', 12), '200');
  t.equal(statusOf('NOTIFY', 13, 'Event: refer\r\n'), '481');
  t.equal(statusOf('INFO', 14, 'Require: teleport\r\n'), '420');
  t.equal(statusOf('INFO', 15), '200', 'an empty INFO asks whether we are there');
  t.equal(statusOf('BYE', 2), '500', 'a BYE from the past ends nothing');
  t.equal(bob.all('ended').length, 0);
  t.equal(statusOf('BYE', 16), '200');
  t.equal(bob.last('ended').by, 'remote');
  t.equal(statusOf('BYE', 17), '481');
});

t.test('BYE tells its Reason', async (t) => {
  const { network, alice, bob, atAlice } = established();
  network.intercept(({ text }) => (text.startsWith('BYE') && !text.includes('Reason') ? 'drop' : undefined));
  alice.userAgent.end(network.now, atAlice);
  network.run(1);
  const bye = network.packets.find(({ text }) => text.startsWith('BYE'))?.text ?? '';
  alice.host.sendText(bob.host, bye.replace('Content-Length', 'Reason: Q.850;cause=16;text="Normal"\r\nContent-Length'));
  network.run(50);
  t.equal(bob.last('ended').reason, 'Normal');
});

t.test('RFC 3261 §12.2.1.1 the Contact of a re-INVITE moves the target; routes stay', async (t) => {
  const { network, alice, bob, atAlice, atBob } = established();
  agreeing(bob);
  network.intercept(({ text }) => (text.startsWith('INVITE') && text.includes('192.0.2.1:5060>') ? 'drop' : undefined));
  alice.userAgent.reoffer(network.now, atAlice, sdp('moved'));
  network.run(1);
  const invite = network.packets.find(({ text }) => text.startsWith('INVITE'))?.text ?? '';
  alice.host.sendText(bob.host, invite.replace(/Contact: [^\r]*/, 'Contact: <sip:elsewhere@192.0.2.77:5090>'));
  network.run(100);
  network.packets.length = 0;
  bob.userAgent.end(network.now, atBob);
  network.run(10);
  const bye = network.packets.find(({ text }) => text.startsWith('BYE'));
  t.equal(bye?.to, '192.0.2.77:5090');
  t.match(bye?.text, /^BYE sip:elsewhere@192\.0\.2\.77:5090 SIP\/2\.0/);
});

/** An INVITE from a peer behind proxies that record routes, accepted; gives the BYE we send. */
function byeAlong(...recordRoutes: string[]): { to: string; text: string } {
  const network = new SimulatedNetwork();
  const bob = directAgent(network, '192.0.2.2', 'bob');
  const proxy = network.host('192.0.2.9');
  const body = textOf(offer);
  proxy.listen(() => undefined);
  const lines = [
    'INVITE sip:bob@192.0.2.2 SIP/2.0',
    'Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKproxied',
    'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKorigin',
    ...recordRoutes.map((route) => `Record-Route: ${route}`),
    'Max-Forwards: 69',
    'From: <sip:alice@example.org>;tag=a',
    'To: <sip:bob@example.org>',
    'Call-ID: routed',
    'CSeq: 1 INVITE',
    'Contact: <sip:alice@192.0.2.1>',
    'Content-Type: application/sdp',
    `Content-Length: ${body.length}`,
  ];
  proxy.sendText(bob.host, `${lines.join('\r\n')}\r\n\r\n${body}`);
  network.run(50);
  const { session } = bob.last('incoming');
  bob.userAgent.accept(network.now, session, answer);
  network.run(50);
  const success = parsed(network.packets.at(-1)?.text ?? '');
  const ack = [
    'ACK sip:bob@192.0.2.2 SIP/2.0',
    'Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKack',
    'Max-Forwards: 69',
    'From: <sip:alice@example.org>;tag=a',
    `To: ${success.to}`,
    'Call-ID: routed',
    'CSeq: 1 ACK',
    'Content-Length: 0',
  ];
  proxy.sendText(bob.host, `${ack.join('\r\n')}\r\n\r\n`);
  network.run(50);
  network.packets.length = 0;
  bob.userAgent.end(network.now, session);
  network.run(1);
  const bye = network.packets[0];
  if (!bye) throw new Error('no BYE');
  return bye;
}

t.test('RFC 3261 §12.2.1.1 loose routes: target in the request-URI, all routes in order', async (t) => {
  const bye = byeAlong('<sip:192.0.2.9;lr>', '<sip:192.0.2.8;lr>');
  t.equal(bye.to, '192.0.2.9:5060');
  t.match(bye.text, /^BYE sip:alice@192\.0\.2\.1 SIP\/2\.0/);
  t.match(bye.text, /Route: <sip:192\.0\.2\.9;lr>\r\nRoute: <sip:192\.0\.2\.8;lr>/);
});

t.test('RFC 3261 §12.2.1.1 a strict first route takes the request-URI, the target goes last', async (t) => {
  const bye = byeAlong('<sip:192.0.2.9:5070;method=BYE?Subject=x>', '<sip:192.0.2.8;lr>');
  t.equal(bye.to, '192.0.2.9:5070');
  t.match(bye.text, /^BYE sip:192\.0\.2\.9:5070 SIP\/2\.0/);
  t.match(bye.text, /Route: <sip:192\.0\.2\.8;lr>\r\nRoute: <sip:alice@192\.0\.2\.1>/);
});

t.test('a transport that is not spoken here leads nowhere: the call ends without a fault', async (t) => {
  const network = new SimulatedNetwork();
  const alice = directAgent(network, '192.0.2.1', 'alice');
  alice.userAgent.invite(network.now, {
    account: 'alice',
    target: new SipUri({ user: 'bob', host: '192.0.2.2', params: new Map([['transport', 'sctp']]) }),
  });
  network.run(1);
  t.match(alice.last('failed'), { statusCode: 503, cause: 'transport' });
});

t.test('RFC 3261 §22 a proxy of the account is answered in calls, a peer that asks for a password is not', async (t) => {
  const network = new SimulatedNetwork();
  const registrar = new ScriptedRegistrar(network);
  const agent = new TestAgent(network, '192.0.2.20');
  agent.userAgent.setAccount(network.now, accountAt(registrar.host, 'alice'));
  network.run(1 * seconds);
  const challenge = (realm: string): readonly [string, string] => ['Proxy-Authenticate', `Digest realm="${realm}", nonce="p1", qop="auth"`];
  registrar.rule = (request) => {
    if (request.method === 'REGISTER') return undefined;
    return request.proxyAuthorization.length > 0
      ? registrar.refuse(request, 486)
      : registrar.refuse(request, 407, [challenge('example.org')]);
  };
  agent.userAgent.invite(network.now, { account: 'alice', target: new SipUri({ user: 'bob', host: 'example.org' }), body: offer });
  network.run(1 * seconds);
  t.equal(agent.last('failed').statusCode, 486, 'the own realm was answered');
  const [first, second] = registrar.requests('INVITE');
  t.equal(second?.cSeq.number, (first?.cSeq.number ?? 0) + 1);
  t.equal(second?.callId, first?.callId);
  registrar.rule = (request) => (request.method === 'REGISTER' ? undefined : registrar.refuse(request, 407, [challenge('evil.example')]));
  agent.userAgent.invite(network.now, { account: 'alice', target: new SipUri({ user: 'eve', host: 'example.org' }), body: offer });
  network.run(1 * seconds);
  t.equal(agent.last('failed').statusCode, 407, 'a far end that asks through the proxy learns nothing');
  const toEve = registrar.requests('INVITE').slice(2);
  t.equal(toEve.length, 1);
});

t.test('a challenge in a call from the peer itself is no reason to show credentials', async (t) => {
  const network = new SimulatedNetwork();
  const registrar = new ScriptedRegistrar(network);
  const agent = new TestAgent(network, '192.0.2.20', { acceptDirectCalls: true });
  agent.userAgent.setAccount(network.now, accountAt(registrar.host, 'alice'));
  const bob = directAgent(network, '192.0.2.2', 'bob');
  network.run(1 * seconds);
  bob.userAgent.invite(network.now, { account: 'bob', target: new SipUri({ user: 'alice', host: '192.0.2.20' }), body: offer });
  network.run(50);
  agent.userAgent.accept(network.now, agent.last('incoming').session, answer);
  network.run(100);
  bob.host.listen((text, flow) => {
    const request = parsed(text);
    if (request.kind !== 'request') return;
    const lines = [
      'SIP/2.0 407 Show Me',
      `Via: ${request.header('Via')}`,
      `From: ${request.from}`,
      `To: ${request.to}`,
      `Call-ID: ${request.callId}`,
    ];
    lines.push(
      `CSeq: ${request.cSeq.number} ${request.method}`,
      'Proxy-Authenticate: Digest realm="example.org", nonce="n", qop="auth"',
      'Content-Length: 0',
    );
    bob.host.sendText(flow.remote, `${lines.join('\r\n')}\r\n\r\n`);
  });
  network.packets.length = 0;
  agent.userAgent.info(network.now, agent.last('incoming').session, { contentType: 'application/dtmf', bytes: new Uint8Array([49]) });
  network.run(1 * seconds);
  t.equal(agent.last('infoAnswered').statusCode, 407);
  t.notMatch(network.packets.map(({ text }) => text).join(), /Authorization:/i);
});
