import t, { type Test } from 'tap';
import { type ScriptedPeer, SimulatedHouse } from '#test/support/simulated-house.ts';
import type { SimulatedPhone } from '#test/support/simulated-phone.ts';

/** What crosses on the wire, and what the user agent of a test cannot be made to send. */

function atHome(settings: Readonly<Record<string, string>> = {}) {
  const house = new SimulatedHouse();
  return { house, phone: house.barePhone({ settings }), peer: house.peer() };
}

function talking() {
  const home = atHome();
  home.phone.do((core, now) => core.call(now, home.peer.uri));
  home.house.run(100);
  home.peer.accept();
  home.house.run(100);
  return { ...home, session: home.peer.incoming };
}

/** Nothing of a call is left anywhere. */
function isAtRest(t: Test, phone: SimulatedPhone): void {
  t.strictSame(phone.callStates, []);
  t.strictSame(phone.media.sessions, []);
  t.strictSame([phone.ear, phone.bell], [undefined, undefined]);
  t.equal(phone.deadline, undefined, 'no timer runs');
}

t.test('§9.1 the far end accepts while our CANCEL is on its way', async (t) => {
  const { house, phone, peer } = atHome();
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(50);
  peer.ring();
  house.run(50);
  phone.do((core, now) => core.hangUp(now));
  peer.accept();
  house.run(60_000);
  t.match(peer.eventsOf('ended'), [{ by: 'remote' }], 'it got a BYE');
  t.equal(phone.callLog[0]?.outcome, 'cancelled');
  isAtRest(t, phone);
});

t.test('§9.1 hanging up before anything was answered still ends the call', async (t) => {
  const { house, phone, peer } = atHome();
  phone.do((core, now) => core.call(now, peer.uri));
  phone.do((core, now) => core.hangUp(now));
  house.run(60_000);
  t.equal(peer.eventsOf('cancelled').length, 1);
  isAtRest(t, phone);
});

t.test('§9.2 the caller gives up while we accept', async (t) => {
  const { house, phone, peer } = atHome();
  const session = peer.call('sip:phone@10.0.0.50');
  house.run(50);
  peer.end(session);
  phone.do((core, now) => core.accept(now));
  house.run(60_000);
  isAtRest(t, phone);
});

t.test('§15 both sides hang up at once', async (t) => {
  const { house, phone, peer, session } = talking();
  peer.end(session);
  phone.do((core, now) => core.hangUp(now));
  house.run(60_000);
  isAtRest(t, phone);
  t.equal(phone.callLog.length, 1);
});

t.test('§14.1 both sides hold at once', async (t) => {
  const { house, phone, peer, session } = talking();
  phone.do((core, now) => core.hold(now));
  peer.do((agent, now) => agent.reoffer(now, session, peer.sdp({ direction: 'sendonly' })));
  for (let step = 0; step < 100; step++) {
    house.run(100);
    if (peer.eventsOf('reoffered').length > 0) {
      peer.do((agent, now) => agent.answerReoffer(now, session, { body: peer.sdp({ direction: 'recvonly' }) }));
    }
  }
  const theirs = peer.eventsOf('reofferAnswered').find(({ statusCode }) => statusCode === 200);
  const ours = peer.eventsOf('reoffered').at(-1);
  const told = new TextDecoder().decode(ours?.body?.bytes ?? theirs?.body?.bytes);
  t.match(told, /a=(inactive|sendonly)/, 'in an offer of ours or the answer to theirs they learn that we hold');
  t.ok(ours ?? theirs, 'one of the two came through');
  t.strictSame(phone.callStates, ['held']);
});

t.test('a wish that changes while its offer is under way is offered next', async (t) => {
  const { house, phone, peer, session } = talking();
  const directions = () =>
    peer.eventsOf('reoffered').map(({ body }) => /a=(sendonly|sendrecv)/.exec(new TextDecoder().decode(body?.bytes))?.[1]);
  phone.do((core, now) => core.hold(now));
  house.run(50);
  phone.do((core, now) => core.resume(now));
  house.run(50);
  t.strictSame(directions(), ['sendonly'], 'one at a time');
  peer.do((agent, now) => agent.answerReoffer(now, session, { body: peer.sdp({ direction: 'recvonly' }) }));
  house.run(200);
  t.strictSame(directions(), ['sendonly', 'sendrecv']);
  peer.do((agent, now) => agent.answerReoffer(now, session, { body: peer.sdp() }));
  house.run(50);
  const update = phone.media.commands.findLast((command) => command.name === 'updateSession');
  t.match(update?.args, { parameters: { direction: 'sendrecv' } });
});

t.test('what was wished while the link to media was broken is told when it is back', async (t) => {
  const { house, phone, peer, session } = talking();
  phone.loseMediaLink();
  phone.do((core, now) => core.hold(now));
  house.run(100);
  peer.do((agent, now) => agent.answerReoffer(now, session, { body: peer.sdp({ direction: 'recvonly', port: 49_000 }) }));
  house.run(100);
  const before = phone.media.commands.length;
  phone.connectMedia();
  const told = phone.media.commands.slice(before);
  t.match(told.find(({ name }) => name === 'updateSession')?.args, { parameters: { direction: 'sendonly', remote: { rtpPort: 49_000 } } });
  t.match(told.find(({ name }) => name === 'connectSession')?.args, { device: null });
});

t.test('a report of silence that comes late, when the call is held, ends nothing', async (t) => {
  const { house, phone, peer, session } = talking();
  phone.do((core, now) => core.hold(now));
  house.run(100);
  peer.do((agent, now) => agent.answerReoffer(now, session, { body: peer.sdp({ direction: 'recvonly' }) }));
  house.run(100);
  const fields = { session: phone.calls[0]?.call ?? '', seconds: 30 };
  phone.do((core, now) => core.mediaEvent(now, { name: 'rtpSilence', fields }));
  t.strictSame(phone.callStates, ['held']);
});

t.test('§8.1.3.1 a far end that is gone in the middle of a call is noticed when it is asked something', async (t) => {
  const { house, phone, peer } = talking();
  peer.host.detach();
  phone.do((core, now) => core.hold(now));
  house.run(70_000);
  t.strictSame(phone.callStates, []);
  t.match(phone.factsOf('call.state').at(-1), { state: 'ended' });
  isAtRest(t, phone);
});

t.test('§15.1.1 a BYE nobody answers does not keep the call', async (t) => {
  const { house, phone, peer } = talking();
  peer.host.detach();
  phone.do((core, now) => core.hangUp(now));
  t.strictSame(phone.callStates, [], 'for the person it is over');
  house.run(45_000);
  isAtRest(t, phone);
});

t.test('§13.3.1.4 an accepted call that is never acknowledged is given up', async (t) => {
  const { house, phone, peer } = atHome();
  peer.call('sip:phone@10.0.0.50');
  house.run(50);
  house.network.intercept(({ text }) => (text.startsWith('ACK') ? 'drop' : undefined));
  phone.lift();
  house.run(30_000);
  t.strictSame(phone.callStates, ['accepting']);
  house.run(10_000);
  t.strictSame(phone.callStates, []);
  t.equal(phone.ear, 'congestion');
});

/** Sends a request of the far end's dialog as text. */
function sendInDialog(house: SimulatedHouse, peer: ScriptedPeer, method: string, sequence: number, body = ''): void {
  const invite = house.network.packets.find(({ text, to }) => to === `${peer.address}:5060` && text.startsWith('INVITE'))?.text ?? '';
  const ok = house.network.packets.find(({ text, from }) => from === `${peer.address}:5060` && text.startsWith('SIP/2.0 200'))?.text ?? '';
  const fieldOf = (text: string, name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
  const target = /<([^>]*)>/.exec(fieldOf(invite, 'Contact'))?.[1];
  const lines = [
    `${method} ${target} SIP/2.0`,
    `Via: SIP/2.0/UDP ${peer.address}:5060;branch=z9hG4bK${method}${sequence}`,
    'Max-Forwards: 70',
    `From: ${fieldOf(ok, 'To')}`,
    `To: ${fieldOf(ok, 'From')}`,
    `Call-ID: ${fieldOf(invite, 'Call-ID')}`,
    `CSeq: ${sequence} ${method}`,
    `Contact: <sip:peer@${peer.address}>`,
    ...(body === '' ? [] : ['Content-Type: application/sdp']),
    `Content-Length: ${body.length}`,
  ];
  peer.host.sendText({ address: '10.0.0.50', port: 5060 }, `${lines.join('\r\n')}\r\n\r\n${body}`);
  house.run(50);
}

t.test('§14.2 a re-INVITE without an offer gets ours, and its ACK carries the answer', async (t) => {
  const { house, phone, peer } = talking();
  sendInDialog(house, peer, 'INVITE', 100);
  const offer =
    house.network.packets.findLast(({ text, to }) => to === `${peer.address}:5060` && text.startsWith('SIP/2.0 200'))?.text ?? '';
  t.match(offer, /CSeq: 100 INVITE/);
  t.match(offer, /m=audio 16384 RTP\/AVP/);
  sendInDialog(house, peer, 'ACK', 100, new TextDecoder().decode(peer.sdp({ port: 48_000 }).bytes));
  const update = phone.media.commands.findLast((command) => command.name === 'updateSession');
  t.match(update?.args, { parameters: { remote: { rtpPort: 48_000 } } });
  t.strictSame(phone.callStates, ['active']);
  phone.do((core, now) => core.hold(now));
  house.run(100);
  t.equal(peer.eventsOf('reoffered').length, 1, 'and offers of ours still go out');
});

t.test('calls that come and go by the hundred leave nothing behind', async (t) => {
  const { house, phone, peer } = atHome();
  for (let round = 0; round < 150; round++) {
    const session = peer.call('sip:phone@10.0.0.50');
    house.run(30);
    if (round % 3 === 0) phone.do((core, now) => core.hangUp(now));
    else if (round % 3 === 1) peer.end(session);
    else {
      phone.do((core, now) => core.accept(now));
      house.run(30);
      peer.end(session);
    }
    house.run(30);
  }
  house.run(60_000);
  t.equal(phone.callLog.length, 150);
  isAtRest(t, phone);
  const described = JSON.stringify(phone.phone.describe(house.network.now));
  t.match(phone.phone.describe(house.network.now), { calls: { calls: 0, sessions: 0 }, timers: 0 });
  t.ok(described.length < 5_000, `what is left to describe has ${described.length} characters`);
});

t.test('RFC 4028 §10 a far end that vanishes in a call is noticed, although no sound is missed', async (t) => {
  const { house, phone, peer } = atHome({ 'rtp.silenceSeconds': '0' });
  phone.lift();
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(100);
  peer.accept();
  house.run(100);
  peer.host.detach();
  house.run(940_000);
  t.strictSame(phone.callStates, []);
  t.equal(phone.ear, 'congestion');
  t.match(phone.factsOf('call.state').at(-1), { state: 'ended', reason: 'no answer to a session refresh' });
  t.equal(phone.callLog[0]?.outcome, 'accepted');
});

t.test('RFC 4028 §7.4 the answer to a refresh by re-INVITE may name another port: our sound follows, our description stays', async (t) => {
  const { house, phone, peer } = atHome({ 'rtp.silenceSeconds': '0' });
  house.network.intercept(({ from, text }) => {
    if (from !== `${peer.address}:5060` || !text.includes(', UPDATE')) return undefined;
    peer.host.sendText(phone.host, text.replace(', UPDATE', ''));
    return 'drop';
  });
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(100);
  peer.accept();
  house.run(901_000);
  const offers = house.network.packets.filter(({ text }) => text.startsWith('INVITE')).map(({ text }) => text.slice(text.indexOf('v=0')));
  t.equal(offers.length, 2);
  t.equal(offers[1], offers[0]);
  peer.do((agent, now) => agent.answerReoffer(now, peer.incoming, { body: peer.sdp({ port: 44_000 }) }));
  house.run(100);
  const update = phone.media.commands.findLast((command) => command.name === 'updateSession');
  t.match(update?.args, { parameters: { remote: { rtpPort: 44_000 } } });
  phone.do((core, now) => core.hold(now));
  house.run(100);
  t.match(house.network.packets.findLast(({ text }) => text.startsWith('INVITE'))?.text, /a=sendonly/, 'and the next offer is as ever');
});
