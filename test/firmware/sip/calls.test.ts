import t from 'tap';
import type { UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import type { UserAgentSettings } from '#firmware/sip/user-agent-settings.ts';
import { type NetworkQuality, type Packet, SimulatedNetwork } from '#test/support/simulated-network.ts';
import { answer, directAgent, nameOf, offer, sdp, type TestAgent } from '#test/support/sip-agents.ts';

const seconds = 1_000;
const minutes = 60 * seconds;

/** Two agents that call each other without a proxy, and without extensions that add messages. */
function scene(quality: Partial<NetworkQuality> = {}, more: Partial<UserAgentSettings> = {}) {
  const settings = { reliableProvisional: 'off', ...more } as const;
  const network = new SimulatedNetwork(quality);
  const alice = directAgent(network, '192.0.2.1', 'alice', settings);
  const bob = directAgent(network, '192.0.2.2', 'bob', settings);
  const call = (): string => alice.userAgent.invite(network.now, { account: 'alice', target: bob.uri('bob'), body: offer });
  const methods = (): string[] => network.packets.map(({ text }) => startOf(text));
  return { network, alice, bob, call, methods };
}

/** `INVITE` or `180`. */
function startOf(text: string): string {
  return text.startsWith('SIP/2.0 ') ? text.slice(8, 11) : (text.split(' ')[0] ?? '');
}

/** An established call. */
function established(quality: Partial<NetworkQuality> = {}, settings: Partial<UserAgentSettings> = {}) {
  const all = scene(quality, settings);
  const { network, alice, bob, call } = all;
  const atAlice = call();
  network.run(300);
  const atBob = bob.last('incoming').session;
  bob.userAgent.accept(network.now, atBob, answer);
  network.runUntil(() => bob.all('confirmed').length > 0, 30 * seconds);
  network.packets.length = 0;
  alice.events.length = 0;
  bob.events.length = 0;
  return { ...all, atAlice, atBob };
}

function countOf(packets: readonly Packet[], start: string): number {
  return packets.filter(({ text }) => startOf(text) === start).length;
}

t.test('RFC 3261 §13 a call rings, is accepted, confirmed and ended by the caller', async (t) => {
  const { network, alice, bob, call, methods } = scene();
  const atAlice = call();
  network.run(50);
  const incoming = bob.last('incoming');
  t.equal(incoming.account, 'bob');
  t.equal(incoming.request.from.uri.toString(), 'sip:alice@192.0.2.1');
  t.equal(nameOf({ contentType: 'application/sdp', bytes: incoming.request.body }), 'offer');
  bob.userAgent.ring(network.now, incoming.session);
  network.run(50);
  t.match(alice.last('progress'), { session: atAlice, statusCode: 180, reasonPhrase: 'Ringing' });
  bob.userAgent.ring(network.now, incoming.session, 183, sdp('early'));
  network.run(50);
  t.equal(alice.last('progress').statusCode, 183);
  t.equal(nameOf(alice.last('progress').body), 'early');
  bob.userAgent.accept(network.now, incoming.session, answer);
  network.run(50);
  t.equal(nameOf(alice.last('accepted').body), 'answer');
  t.equal(alice.last('accepted').remote.uri.toString(), 'sip:bob@192.0.2.2');
  t.equal(bob.last('confirmed').session, incoming.session);
  t.equal(bob.last('confirmed').body, undefined);
  network.run(10 * minutes);
  alice.userAgent.end(network.now, atAlice);
  network.run(50);
  t.match(alice.last('ended'), { session: atAlice, by: 'local' });
  t.match(bob.last('ended'), { session: incoming.session, by: 'remote' });
  t.same(methods(), ['INVITE', '180', '183', '200', 'ACK', 'BYE', '200']);
  t.same(
    alice.types().filter((type) => type === 'ended' || type === 'failed'),
    ['ended'],
  );
  network.run(2 * minutes);
  t.ok(alice.userAgent.idle && bob.userAgent.idle);
  t.equal(alice.userAgent.deadline, undefined, 'nothing is left of the call');
  t.equal(bob.userAgent.deadline, undefined);
});

t.test('RFC 3261 §17.2.1 a callee that takes its time sends 100 within 200 ms', async (t) => {
  const { network, call, methods } = scene();
  call();
  network.run(1 * seconds);
  t.same(methods(), ['INVITE', '100']);
});

t.test('RFC 3261 §13.3.1.1 ringing is said again every minute', async (t) => {
  const { network, bob, call, methods } = scene();
  call();
  network.run(100);
  bob.userAgent.ring(network.now, bob.last('incoming').session);
  network.run(3 * minutes + 5 * seconds);
  t.same(methods(), ['INVITE', '180', '180', '180', '180']);
});

t.test('the callee hangs up', async (t) => {
  const { network, alice, bob, atBob } = established();
  bob.userAgent.end(network.now, atBob);
  network.run(100);
  t.match(bob.last('ended'), { by: 'local' });
  t.match(alice.last('ended'), { by: 'remote' });
});

t.test('both hang up at once: each call ends once', async (t) => {
  const { network, alice, bob, atAlice, atBob } = established();
  alice.userAgent.end(network.now, atAlice);
  bob.userAgent.end(network.now, atBob);
  network.run(40 * seconds);
  t.same(alice.types(), ['ended']);
  t.same(bob.types(), ['ended']);
  t.ok(alice.userAgent.idle && bob.userAgent.idle);
});

for (const [statusCode, phrase] of [
  [486, 'Busy Here'],
  [603, 'Decline'],
  [404, 'Not Found'],
  [480, 'Temporarily Unavailable'],
] as const) {
  t.test(`RFC 3261 §13.2.2.3 ${statusCode} is acknowledged and told`, async (t) => {
    const { network, alice, bob, call, methods } = scene();
    const atAlice = call();
    network.run(50);
    bob.userAgent.reject(network.now, bob.last('incoming').session, statusCode);
    network.run(1 * seconds);
    t.match(alice.last('failed'), { session: atAlice, statusCode, reasonPhrase: phrase, cause: 'response' });
    t.same(methods(), ['INVITE', String(statusCode), 'ACK']);
    t.same(bob.types(), ['incoming'], 'who refuses knows it');
  });
}

t.test('RFC 3261 §8.1.3.2 a provisional response and a refusal that nobody knows do as the known ones of their class', async (t) => {
  const { network, alice, bob, call } = scene();
  const atAlice = call();
  network.run(50);
  const unknown: Readonly<Record<string, string>> = { 180: '155', 486: '477' };
  network.intercept(({ text, bytes }) => {
    const other = text.startsWith('SIP/2.0 ') ? unknown[text.slice(8, 11)] : undefined;
    if (other) bytes.set(new TextEncoder().encode(other), 8);
    return undefined;
  });
  bob.userAgent.ring(network.now, bob.last('incoming').session);
  network.run(50);
  t.match(alice.last('progress'), { session: atAlice, statusCode: 155 });
  network.run(40 * seconds);
  t.equal(alice.all('failed').length, 0, 'as with 180 there is no hurry any more');
  bob.userAgent.reject(network.now, bob.last('incoming').session, 486);
  network.run(1 * seconds);
  t.match(alice.last('failed'), { session: atAlice, statusCode: 477, cause: 'response' });
  t.ok(network.packets.some(({ text }) => text.startsWith('ACK ')));
});

t.test('RFC 3261 §8.1.3.4 a redirection is told with its Contacts, the best first; Retry-After and Warning travel', async (t) => {
  const { network, alice, bob, call } = scene();
  call();
  network.run(50);
  const contacts = bob.last('incoming').request.to;
  bob.userAgent.reject(network.now, bob.last('incoming').session, 302, {
    contacts: [contacts.withoutParam('tag').withParam('q', '0.2'), contacts.withoutParam('tag').withParam('q', '0.9')],
    warning: 'gone "home"',
  });
  network.run(50);
  t.same(
    alice.last('failed').contacts?.map((contact) => contact.params.get('q')),
    ['0.9', '0.2'],
  );
  t.ok(network.packets.some(({ text }) => text.includes(`Warning: 399 phone "gone 'home'"`)));
});

t.test('RFC 3261 §9.1 a CANCEL while it rings ends in 487 on both sides', async (t) => {
  const { network, alice, bob, call, methods } = scene();
  const atAlice = call();
  network.run(50);
  bob.userAgent.ring(network.now, bob.last('incoming').session);
  network.run(50);
  alice.userAgent.end(network.now, atAlice);
  alice.userAgent.end(network.now, atAlice);
  network.run(1 * seconds);
  t.match(alice.last('failed'), { statusCode: 487, cause: 'response' });
  t.same(bob.types(), ['incoming', 'cancelled']);
  const seen = methods();
  t.same(seen.slice(0, 3), ['INVITE', '180', 'CANCEL']);
  t.same(seen.slice(3).sort(), ['200', '487', 'ACK']);
  network.run(1 * minutes);
  t.ok(alice.userAgent.idle && bob.userAgent.idle);
});

t.test('RFC 3261 §9.1 a CANCEL waits for the first provisional response', async (t) => {
  const { network, alice, bob, call, methods } = scene();
  const atAlice = call();
  alice.userAgent.end(network.now, atAlice);
  network.run(150);
  t.same(methods(), ['INVITE'], 'nothing yet');
  network.run(1 * seconds);
  t.match(alice.last('failed'), { statusCode: 487 });
  t.same(bob.types(), ['incoming', 'cancelled']);
  t.same(methods().slice(0, 3), ['INVITE', '100', 'CANCEL']);
});

t.test('RFC 3261 §13.2.2.4 a 200 that crosses the CANCEL is acknowledged and ended with BYE', async (t) => {
  const { network, alice, bob, call, methods } = scene({ latency: { least: 20, most: 20 } });
  const atAlice = call();
  network.run(100);
  bob.userAgent.ring(network.now, bob.last('incoming').session);
  network.run(100);
  bob.userAgent.accept(network.now, bob.last('incoming').session, answer);
  alice.userAgent.end(network.now, atAlice);
  network.run(5 * seconds);
  t.match(alice.last('failed'), { statusCode: 487 });
  t.equal(alice.all('accepted').length, 0);
  t.same(bob.types(), ['incoming', 'confirmed', 'ended']);
  t.match(bob.last('ended'), { by: 'remote' });
  t.ok(methods().includes('BYE'));
  t.ok(alice.userAgent.idle && bob.userAgent.idle);
});

t.test('a 200 without any provisional response that meets a wish to cancel: ACK and BYE', async (t) => {
  const { network, alice, bob, call } = scene({ latency: { least: 20, most: 20 } });
  bob.onEvent = (event: UserAgentEvent) => {
    if (event.type === 'incoming') bob.userAgent.accept(network.now, event.session, answer);
  };
  const atAlice = call();
  alice.userAgent.end(network.now, atAlice);
  network.run(5 * seconds);
  t.same(alice.types(), ['failed']);
  t.match(alice.last('failed'), { statusCode: 487 });
  t.same(bob.types(), ['incoming', 'confirmed', 'ended']);
});

t.test('RFC 3261 §17.1.1.2 nobody there: timer B, told as 408 after 32 s', async (t) => {
  const { network, alice, bob, call } = scene();
  bob.host.detach();
  call();
  network.run(31 * seconds);
  t.same(alice.types(), []);
  network.run(2 * seconds);
  t.match(alice.last('failed'), { statusCode: 408, cause: 'timeout' });
  t.equal(countOf(network.packets, 'INVITE'), 7);
  t.ok(alice.userAgent.idle);
});

t.test('a cancelled call to nobody ends after timer B as cancelled, without a CANCEL', async (t) => {
  const { network, alice, bob, call } = scene();
  bob.host.detach();
  alice.userAgent.end(network.now, call());
  network.run(33 * seconds);
  t.match(alice.last('failed'), { statusCode: 487 });
  t.equal(countOf(network.packets, 'CANCEL'), 0);
});

t.test('nobody lifts: after the setting noAnswer the call is cancelled and told as 408', async (t) => {
  const { network, alice, bob, call } = scene({}, { noAnswer: 20 * seconds });
  call();
  network.run(100);
  bob.userAgent.ring(network.now, bob.last('incoming').session);
  network.run(25 * seconds);
  t.match(alice.last('failed'), { statusCode: 408, cause: 'timeout' });
  t.same(bob.types(), ['incoming', 'cancelled']);
});

t.test('a callee that rings and then vanishes: the CANCEL gets no answer and the call ends all the same', async (t) => {
  const { network, alice, bob, call } = scene();
  const atAlice = call();
  network.run(100);
  bob.userAgent.ring(network.now, bob.last('incoming').session);
  network.run(100);
  bob.host.detach();
  alice.userAgent.end(network.now, atAlice);
  network.run(70 * seconds);
  t.match(alice.last('failed'), { statusCode: 487 });
  t.ok(alice.userAgent.idle);
});

t.test('RFC 3261 §13.3.1.4 a 2xx whose ACK never comes is repeated for 64·T1, then ended with BYE', async (t) => {
  const { network, bob, call } = scene();
  network.intercept(({ text }) => (text.startsWith('ACK') ? 'drop' : undefined));
  call();
  network.run(100);
  bob.userAgent.accept(network.now, bob.last('incoming').session, answer);
  network.run(31 * seconds);
  t.equal(bob.all('ended').length, 0);
  const sent = network.packets.filter(({ text }) => /^SIP\/2.0 200[\s\S]*CSeq: 1 INVITE/.test(text)).map(({ sentAt }) => sentAt - 1_100);
  t.same(
    sent.map((at) => Math.round(at / 100) / 10),
    [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5],
  );
  network.run(2 * seconds);
  t.match(bob.last('ended'), { by: 'timeout', reason: 'no ACK' });
  t.ok(network.packets.some(({ text }) => text.startsWith('BYE') && text.includes('Reason: SIP;cause=408')));
  network.run(40 * seconds);
  t.ok(bob.userAgent.idle);
});

t.test('RFC 3261 §15 who accepted hangs up before the ACK: the BYE waits for it', async (t) => {
  const { network, alice, bob, call, methods } = scene();
  let held = true;
  network.intercept(({ text }) => (held && text.startsWith('ACK') ? 'drop' : undefined));
  call();
  network.run(100);
  const { session } = bob.last('incoming');
  bob.userAgent.accept(network.now, session, answer);
  network.run(100);
  bob.userAgent.end(network.now, session);
  t.equal(bob.all('ended').length, 0);
  network.run(100);
  t.match(bob.last('ended'), { by: 'local' });
  t.notOk(methods().includes('BYE'));
  held = false;
  network.run(2 * seconds);
  t.ok(methods().includes('BYE'), 'after the repeated 2xx got its ACK');
  t.match(alice.last('ended'), { by: 'remote' });
});

t.test('RFC 3261 §13.2.2.4 a repeated 2xx gets its ACK again, also when the transaction is long over', async (t) => {
  const { network, alice, bob, call } = scene();
  let lost = 0;
  network.intercept(({ text }) => (text.startsWith('ACK') && lost++ < 3 ? 'drop' : undefined));
  const atAlice = call();
  network.run(100);
  bob.userAgent.accept(network.now, bob.last('incoming').session, answer);
  network.run(10 * seconds);
  t.equal(bob.all('confirmed').length, 1);
  t.equal(alice.all('accepted').length, 1);
  const success = network.packets.find(({ text }) => /^SIP\/2.0 200[\s\S]*CSeq: 1 INVITE/.test(text));
  network.run(2 * minutes);
  const before = countOf(network.packets, 'ACK');
  if (success) network.send(bob.host, { transport: 'udp', host: '192.0.2.1', port: 5060 }, success.bytes);
  network.run(100);
  t.equal(countOf(network.packets, 'ACK'), before + 1);
  alice.userAgent.end(network.now, atAlice);
  network.run(100);
  t.equal(bob.last('ended').by, 'remote');
});

t.test('RFC 3261 §13.2.2.4 a second 2xx from another branch of a fork: ACK and BYE, the call untouched', async (t) => {
  const { network, alice, bob, call } = scene({ latency: { least: 2, most: 2 } });
  call();
  network.run(50);
  bob.userAgent.accept(network.now, bob.last('incoming').session, answer);
  network.run(100);
  const success = network.packets.find(({ text }) => /^SIP\/2.0 200[\s\S]*CSeq: 1 INVITE/.test(text))?.text ?? '';
  const fork = network.host('192.0.2.3');
  const heard: string[] = [];
  fork.listen((text) => heard.push(text));
  const other = success.replace(/(\r\nTo: [^\r]*;tag=)[^\r;]*/, '$1another').replace(/(\r\nContact: )[^\r]*/, '$1<sip:carol@192.0.2.3>');
  fork.sendText(alice.host, other);
  network.run(100);
  fork.sendText(alice.host, other);
  network.run(100);
  t.same(heard.map(startOf), ['ACK', 'BYE', 'ACK'], 'acknowledged each time, ended once');
  t.ok(heard.every((text) => text.includes(';tag=another')));
  t.equal(alice.all('accepted').length, 1);
  t.equal(alice.all('ended').length, 0);
});

t.test('several early dialogs of a fork are all told; one of them wins', async (t) => {
  const { network, alice, bob, call } = scene();
  const atAlice = call();
  network.run(50);
  bob.userAgent.ring(network.now, bob.last('incoming').session);
  network.run(50);
  const ringing = network.packets.find(({ text }) => startOf(text) === '180')?.text ?? '';
  bob.host.sendText(alice.host, ringing.replace(/(\r\nTo: [^\r]*;tag=)[^\r;]*/, '$1other').replace('180 Ringing', '183 Session Progress'));
  network.run(50);
  t.same(
    alice.all('progress').map(({ statusCode }) => statusCode),
    [180, 183],
  );
  bob.userAgent.accept(network.now, bob.last('incoming').session, answer);
  network.run(50);
  t.equal(alice.last('accepted').session, atAlice);
});

t.test('RFC 3264 §5 an INVITE without an offer: ours in the 200, their answer in the ACK', async (t) => {
  const { network, alice, bob } = scene();
  alice.userAgent.invite(network.now, { account: 'alice', target: bob.uri('bob') });
  network.run(50);
  t.equal(bob.last('incoming').request.body.length, 0);
  bob.userAgent.accept(network.now, bob.last('incoming').session, sdp('late offer'));
  network.run(50);
  t.equal(nameOf(alice.last('accepted').body), 'late offer');
  t.equal(alice.last('accepted').wantsAnswer, true);
  t.equal(bob.all('confirmed').length, 0, 'no ACK before the answer');
  t.notOk(alice.userAgent.reoffer(network.now, alice.last('accepted').session, offer), 'nor another offer');
  network.run(2_500);
  t.equal(alice.all('accepted').length, 1, 'the 200 comes again and changes nothing');
  alice.userAgent.answerReoffer(network.now, alice.last('accepted').session, { body: sdp('late answer') });
  network.run(50);
  t.equal(nameOf(bob.last('confirmed').body), 'late answer');
  const acks = () => network.packets.filter(({ text }) => text.startsWith('ACK')).length;
  const sent = acks();
  network.run(40 * seconds);
  t.equal(acks(), sent, 'bob has stopped to ask');
  t.same([alice.all('ended').length, bob.all('ended').length], [0, 0]);
  t.match(
    network.packets.find(({ text }) => text.startsWith('INVITE'))?.text,
    /\r\nSupported: timer,/,
    'RFC 3262 §5 no reliable response may offer',
  );
});

t.test('RFC 3261 §13.2.2.4 an offer in the 200 that is of no use: ACK without an answer, then BYE', async (t) => {
  const { network, alice, bob } = scene();
  for (const end of ['refuse', 'hang up'] as const) {
    alice.userAgent.invite(network.now, { account: 'alice', target: bob.uri('bob') });
    network.run(50);
    bob.userAgent.accept(network.now, bob.last('incoming').session, sdp('late offer'));
    network.run(50);
    const { session } = alice.last('accepted');
    if (end === 'refuse') alice.userAgent.answerReoffer(network.now, session, { statusCode: 488 });
    else alice.userAgent.end(network.now, session);
    network.run(100);
    const sent = network.packets.filter(({ from, text }) => from === '192.0.2.1:5060' && /^(ACK|BYE)/.test(text));
    t.same(
      sent.slice(-2).map(({ text }) => text.slice(0, 3)),
      ['ACK', 'BYE'],
    );
    t.equal(bob.last('ended').by, 'remote');
    t.equal(alice.last('ended').by, 'local');
  }
});

t.test('§20.43, §20.33 what a refusal says beyond its status is told', async (t) => {
  const { network, alice, bob } = scene();
  const refused = (...headers: (readonly [string, string])[]) => {
    alice.userAgent.invite(network.now, { account: 'alice', target: bob.uri('bob'), body: offer });
    network.run(50);
    bob.userAgent.reject(network.now, bob.last('incoming').session, 488, { headers });
    network.run(50);
    return alice.last('failed');
  };
  t.match(refused(['Warning', '304 sip.example "no \\"codec\\""'], ['Warning', '399 x "\u0007bell"'], ['Retry-After', '90 (lunch)']), {
    warning: 'no "codec", bell',
    retryAfterSeconds: 90,
  });
  for (const bad of ['', '399', '399 x "', '"', '""', '399 x ""']) t.equal(refused(['Warning', bad]).warning, undefined, bad);
  t.equal(refused(['Warning', `399 x "${'long '.repeat(100)}"`]).warning?.length, 120);
});

t.test('Expires of an INVITE ends the ringing', async (t) => {
  const { network, alice, bob } = scene();
  alice.userAgent.invite(network.now, { account: 'alice', target: bob.uri('bob'), body: offer, headers: [['Expires', '10']] });
  network.run(50);
  bob.userAgent.ring(network.now, bob.last('incoming').session);
  network.run(11 * seconds);
  t.same(bob.types(), ['incoming', 'cancelled']);
  t.equal(alice.last('failed').statusCode, 487);
});

t.test('RFC 3261 §15.1 a BYE in an early dialog: 200, and 487 to the INVITE', async (t) => {
  const { network, alice, bob, call } = scene();
  call();
  network.run(50);
  bob.userAgent.ring(network.now, bob.last('incoming').session);
  network.run(50);
  const invite = network.packets.find(({ text }) => text.startsWith('INVITE'))?.text ?? '';
  const tag = /\r\nTo: [^\r]*;tag=([^\r;]*)/.exec(network.packets.find(({ text }) => startOf(text) === '180')?.text ?? '')?.[1];
  const bye = invite
    .replace(/^INVITE/, 'BYE')
    .replace('1 INVITE', '2 BYE')
    .replace(/(\r\nTo: [^\r]*)/, `$1;tag=${tag}`)
    .replace(/branch=[^;\r]*/, 'branch=z9hG4bKearly')
    .replace(/Content-Length: \d+\r\n\r\n[\s\S]*/, 'Content-Length: 0\r\n\r\n');
  alice.host.sendText(bob.host, bye.replace(/Content-Type[^\r]*\r\n/, ''));
  network.run(1 * seconds);
  t.same(bob.types(), ['incoming', 'cancelled']);
  t.equal(alice.last('failed').statusCode, 487);
});

t.test('stop ends every call: BYE, CANCEL and 480, and nothing new is taken', async (t) => {
  const { network, alice, bob, call, atAlice } = established();
  const second = call();
  network.run(50);
  bob.userAgent.ring(network.now, bob.last('incoming').session);
  network.run(50);
  alice.userAgent.stop(network.now);
  network.run(5 * seconds);
  t.ok(alice.userAgent.idle);
  t.match(
    alice.all('ended').map(({ session }) => session),
    [atAlice],
  );
  t.match(
    alice.all('failed').map(({ session }) => session),
    [second],
  );
  bob.userAgent.invite(network.now, { account: 'bob', target: alice.uri('alice'), body: offer });
  network.run(1 * seconds);
  t.equal(bob.last('failed').statusCode, 503);
  t.ok((bob.last('failed').retryAfterSeconds ?? 0) > 0);
});

t.test('past maximumSessions: 503 with Retry-After, and our own calls fail at once', async (t) => {
  const { network, alice, bob, call } = scene({}, { maximumSessions: 1 });
  call();
  network.run(50);
  const carol = directAgent(network, '192.0.2.3', 'carol');
  carol.userAgent.invite(network.now, { account: 'carol', target: bob.uri('bob'), body: offer });
  network.run(100);
  t.match(carol.last('failed'), { statusCode: 503, retryAfterSeconds: 5 });
  call();
  network.run(1);
  t.match(alice.last('failed'), { statusCode: 503, cause: 'transport' });
});

t.test('a command for a call that is gone changes nothing', async (t) => {
  const { network, alice, bob, atAlice, atBob } = established();
  alice.userAgent.end(network.now, atAlice);
  network.run(1 * seconds);
  const sent = network.packets.length;
  for (const [agent, session] of [
    [alice, atAlice],
    [bob, atBob],
  ] as const) {
    agent.userAgent.ring(network.now, session);
    agent.userAgent.accept(network.now, session, answer);
    agent.userAgent.reject(network.now, session, 486);
    agent.userAgent.end(network.now, session);
    agent.userAgent.info(network.now, session, offer);
    agent.userAgent.answerReoffer(network.now, session, { body: answer });
    t.notOk(agent.userAgent.reoffer(network.now, session, offer));
  }
  network.run(1 * seconds);
  t.equal(network.packets.length, sent);
});

/** Lets a network be as bad as it can and still get every call through. */
for (const seed of [11, 12, 13, 14, 15, 16, 17, 18]) {
  t.test(`calls come and go over 25 % loss, doubles and overtaking (seed ${seed})`, async (t) => {
    const { network, alice, bob, call } = scene({ seed, loss: 0.25, duplication: 0.25, reordering: 0.3, latency: { least: 5, most: 60 } });
    bob.onEvent = (event) => {
      if (event.type !== 'incoming') return;
      bob.userAgent.ring(network.now, event.session);
      bob.userAgent.accept(network.now, event.session, answer);
    };
    alice.onEvent = (event) => {
      if (event.type === 'accepted') alice.userAgent.end(network.now, event.session);
    };
    for (let calls = 0; calls < 10; calls++) {
      call();
      network.run(2 * seconds);
    }
    network.run(4 * minutes);
    const accepted = alice.all('accepted').length;
    t.equal(accepted + alice.all('failed').length, 10, 'each call has an outcome');
    t.ok(accepted >= 9, `${accepted} of 10 accepted`);
    t.equal(alice.all('ended').length, accepted, 'each accepted call ended once');
    t.equal(bob.all('ended').length + bob.all('cancelled').length, bob.all('incoming').length, 'at the other side too');
    t.ok(alice.userAgent.idle && bob.userAgent.idle);
    t.same([leftOf(alice), leftOf(bob)], [0, 0], 'nothing is left behind');
  });
}

function leftOf(agent: TestAgent): number {
  const { dialogs, clientTransactions, serverTransactions } = agent.userAgent.describe() as Record<string, number>;
  return (dialogs ?? 0) + (clientTransactions ?? 0) + (serverTransactions ?? 0);
}

t.test('a thousand calls leave nothing behind', async (t) => {
  const { network, alice, bob, call } = scene();
  bob.onEvent = (event) => {
    if (event.type === 'incoming') bob.userAgent.accept(network.now, event.session, answer);
  };
  alice.onEvent = (event) => {
    if (event.type === 'accepted') alice.userAgent.end(network.now, event.session);
  };
  for (let calls = 0; calls < 1_000; calls++) {
    call();
    network.run(50);
    network.packets.length = 0;
  }
  network.run(1 * minutes);
  t.equal(alice.all('ended').length, 1_000);
  t.same([leftOf(alice), leftOf(bob)], [0, 0]);
  t.equal(alice.userAgent.deadline, undefined);
});

t.test('RFC 3326 a CANCEL and a BYE say why', async (t) => {
  const texts = [
    ['SIP;cause=200;text="Call completed elsewhere"', true, 'Call completed elsewhere'],
    ['sip ; cause=200', true, 'sip 200'],
    ['Q.850;cause=16, SIP;cause=200', true, 'Q.850 16'],
    ['Q.850;cause=16;text="Terminated"', false, 'Terminated'],
    ['SIP;cause=600;text=" "', false, 'SIP 600'],
    [`SIP;cause=1;text="${'x'.repeat(200)}"`, false, 'x'.repeat(80)],
    ['SIP', false, 'SIP'],
    ['"', false, undefined],
  ] as const;
  for (const [reason, acceptedElsewhere, text] of texts) {
    const { network, alice, bob, call } = scene();
    const atAlice = call();
    network.run(50);
    bob.userAgent.ring(network.now, bob.last('incoming').session);
    network.run(50);
    alice.userAgent.end(network.now, atAlice, reason);
    network.run(100);
    t.equal(bob.last('cancelled').acceptedElsewhere, acceptedElsewhere, reason);
    t.equal(bob.last('cancelled').reason, text);
    t.ok(network.packets.some((packet) => packet.text.startsWith('CANCEL') && packet.text.includes(`Reason: ${reason}`)));
  }
  const { network, alice, bob, atAlice } = established();
  alice.userAgent.end(network.now, atAlice, 'Q.850;cause=31;text="enough"');
  network.run(50);
  t.match(bob.last('ended'), { by: 'remote', reason: 'enough' });
});
