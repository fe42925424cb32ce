import t from 'tap';
import { type ScriptedPeer, SimulatedHouse } from '#test/support/simulated-house.ts';
import type { SimulatedPhone } from '#test/support/simulated-phone.ts';

/** A phone without a line and one far end that a test speaks for. */
function atHome(settings: Readonly<Record<string, string>> = {}): { house: SimulatedHouse; phone: SimulatedPhone; peer: ScriptedPeer } {
  const house = new SimulatedHouse();
  return { house, phone: house.barePhone({ settings }), peer: house.peer() };
}

/** A call from the phone that the far end has accepted. */
function talking(settings: Readonly<Record<string, string>> = {}) {
  const home = atHome(settings);
  const call = home.phone.do((phone, now) => phone.call(now, home.peer.uri));
  home.house.run(100);
  home.peer.accept();
  home.house.run(100);
  return { ...home, call, session: home.peer.incoming };
}

const textOf = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
const lastOffer = (peer: ScriptedPeer) => textOf(peer.eventsOf('reoffered').at(-1)?.body?.bytes);
const invitesTo = (house: SimulatedHouse, peer: ScriptedPeer) =>
  house.network.packets.filter(({ to, text }) => to === `${peer.address}:5060` && text.startsWith('INVITE'));

t.test('§13.2.1 an outgoing call offers a port that media has opened', async (t) => {
  const { house, phone, peer } = atHome();
  phone.do((core, now) => core.call(now, peer.uri));
  t.strictSame(phone.callStates, ['calling']);
  house.run(100);
  const sdp = textOf(peer.eventsOf('incoming')[0]?.request.body);
  t.match(sdp, /c=IN IP4 10\.0\.0\.50/);
  t.match(sdp, /m=audio 16384 RTP\/AVP 0 8 101/);
  t.match(sdp, /a=sendrecv/);
  peer.ring();
  house.run(100);
  t.strictSame(phone.callStates, ['ringback']);
  t.equal(phone.ear, 'ringback', 'nobody sends any, so it is ours');
  peer.accept();
  house.run(100);
  t.strictSame(phone.callStates, ['active']);
  t.equal(phone.ear, undefined);
  t.equal(phone.calls[0]?.acceptedInMs !== null, true);
});

const refusals: readonly (readonly [statusCode: number, tone: string, outcome: string])[] = [
  [486, 'busy', 'busy'],
  [600, 'busy', 'busy'],
  [603, 'busy', 'declined'],
  [404, 'congestion', 'failed'],
  [480, 'congestion', 'noAnswer'],
  [488, 'congestion', 'failed'],
  [500, 'congestion', 'failed'],
  [503, 'congestion', 'failed'],
];
for (const [statusCode, tone, outcome] of refusals) {
  t.test(`an answer of ${statusCode} is heard as ${tone}`, async (t) => {
    const { house, phone, peer } = atHome();
    phone.lift();
    phone.do((core, now) => core.call(now, peer.uri));
    house.run(100);
    peer.reject(statusCode);
    house.run(100);
    t.equal(phone.ear, tone);
    t.strictSame(phone.callStates, []);
    t.equal(phone.callLog[0]?.outcome, outcome);
    t.equal(phone.callLog[0]?.statusCode, statusCode);
    t.strictSame(phone.media.sessions, [], 'its port is free again');
    house.run(31_000);
    t.equal(phone.ear, 'howler', 'the tone ends, and the howler asks for the handset to be laid down');
    phone.hangUp();
    t.equal(phone.status.tone, null);
  });
}

t.test('§8.1.3.1 a far end that does not answer at all is heard as congestion after 32 s', async (t) => {
  const { house, phone } = atHome();
  phone.lift();
  phone.do((core, now) => core.call(now, 'sip:nobody@10.9.9.9'));
  house.run(31_900);
  t.strictSame(phone.callStates, ['calling']);
  house.run(1_000);
  t.strictSame(phone.callStates, []);
  t.equal(phone.ear, 'congestion');
  t.equal(phone.callLog[0]?.statusCode, 408);
});

t.test('early media replaces the ringback tone and is heard before the call is accepted', async (t) => {
  const { house, phone, peer } = atHome();
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(50);
  peer.ring(183, peer.sdp());
  house.run(50);
  t.equal(phone.ear, undefined, 'the far end gives its own');
  const connected = phone.media.commands.findLast(({ name }) => name === 'connectSession');
  t.match(connected?.args, { device: 'handset' });
  peer.accept();
  house.run(50);
  t.strictSame(phone.callStates, ['active']);
});

/** The 183 that a second branch of the fork sends, made from the `text` of the first. */
function ofOtherBranch(text: string): string {
  return text.replace(/(\r\nTo: [^\r]*;tag=)[^\r;]*/, '$1other').replace(/Require: 100rel\r\nRSeq: \d+\r\n/, '');
}

t.test('early media of another branch of a forked call is heard as soon as it comes', async (t) => {
  const { house, phone, peer } = atHome();
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(50);
  peer.ring(183, peer.sdp({ port: 41_000 }));
  house.run(50);
  const first = house.network.packets.findLast(({ text }) => text.startsWith('SIP/2.0 183'))?.text ?? '';
  peer.host.sendText(phone.host, ofOtherBranch(first).replaceAll('41000', '43000'));
  house.run(50);
  const heard = () => phone.media.commands.findLast((command) => command.name === 'updateSession')?.args;
  t.match(heard(), { parameters: { remote: { rtpPort: 43_000 } } });
  peer.accept();
  house.run(50);
  t.match(heard(), { parameters: { remote: { rtpPort: 41_000 } } }, 'the first branch accepted, and what it said before holds');
});

t.test('§13.2.2.4 the branch that accepts may have other sound than the one that gave early media', async (t) => {
  const { house, phone, peer } = atHome();
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(50);
  peer.ring();
  house.run(50);
  const ringing = house.network.packets.findLast(({ text }) => text.startsWith('SIP/2.0 180'))?.text ?? '';
  const body = textOf(peer.sdp({ port: 41_000 }).bytes);
  const length = `Content-Type: application/sdp\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  peer.host.sendText(
    phone.host,
    ofOtherBranch(ringing).replace('180 Ringing', '183 Progress').replace('Content-Length: 0\r\n\r\n', length),
  );
  house.run(50);
  t.equal(phone.ear, undefined);
  peer.accept(peer.incoming, peer.sdp({ port: 42_000, formats: '8' }));
  house.run(50);
  const update = phone.media.commands.findLast((command) => command.name === 'updateSession');
  t.match(update?.args, { parameters: { remote: { rtpPort: 42_000 }, codecs: [{ name: 'PCMA' }] } });
});

t.test('RFC 3311 §5.1 the far end moves its early media by UPDATE: our sound follows', async (t) => {
  const { house, phone, peer } = atHome();
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(50);
  peer.ring(183, peer.sdp({ port: 41_000 }));
  house.run(50);
  const prack = house.network.packets.findLast(({ text }) => text.startsWith('PRACK'))?.text ?? '';
  const from = /\r\nFrom: ([^\r]*)/.exec(prack)?.[1];
  const to = /\r\nTo: ([^\r]*)/.exec(prack)?.[1];
  const body = textOf(peer.sdp({ port: 45_000 }).bytes);
  const lines = ['UPDATE sip:phone@10.0.0.50 SIP/2.0', `Via: SIP/2.0/UDP ${peer.address};branch=z9hG4bKmoves`, 'Max-Forwards: 70'];
  lines.push(
    `From: ${to}`,
    `To: ${from}`,
    `Call-ID: ${/\r\nCall-ID: ([^\r]*)/.exec(prack)?.[1]}`,
    'CSeq: 1 UPDATE',
    `Contact: <${peer.uri}>`,
  );
  lines.push('Content-Type: application/sdp', `Content-Length: ${body.length}`);
  peer.host.sendText(phone.host, `${lines.join('\r\n')}\r\n\r\n${body}`);
  house.run(50);
  const answer = house.network.packets.findLast(({ text }) => text.startsWith('SIP/2.0 200') && text.includes('1 UPDATE'))?.text;
  t.match(answer, /a=sendrecv/);
  const update = phone.media.commands.findLast((command) => command.name === 'updateSession');
  t.match(update?.args, { parameters: { remote: { rtpPort: 45_000 } } });
});

t.test('§9.1 hanging up before the far end accepts cancels the call', async (t) => {
  const { house, phone, peer } = atHome();
  phone.lift();
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(50);
  peer.ring();
  house.run(50);
  phone.hangUp();
  t.strictSame(phone.callStates, ['ending']);
  house.run(100);
  t.equal(peer.eventsOf('cancelled').length, 1);
  t.strictSame(phone.callStates, []);
  t.equal(phone.callLog[0]?.outcome, 'cancelled');
});

t.test('an outgoing call that nobody accepts is given up', async (t) => {
  const { house, phone, peer } = atHome({ 'phone.noAnswerSeconds': '20' });
  phone.lift();
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(50);
  peer.ring();
  house.run(21_000);
  t.equal(peer.eventsOf('cancelled').length, 1);
  t.equal(phone.ear, 'congestion');
  t.equal(phone.callLog[0]?.outcome, 'noAnswer');
});

t.test('§15.1.1 hanging up ends an accepted call with BYE', async (t) => {
  const { house, phone, peer } = talking();
  phone.do((core, now) => core.hangUp(now));
  house.run(100);
  t.match(peer.eventsOf('ended'), [{ by: 'remote' }]);
  t.strictSame(phone.callStates, []);
  t.equal(phone.callLog[0]?.outcome, 'accepted');
  t.strictSame(phone.media.sessions, []);
});

t.test('a far end that hangs up is heard as busy, then silence; hands-free the phone comes to rest by itself', async (t) => {
  const { house, phone, peer, session } = talking();
  peer.end(session);
  house.run(100);
  t.equal(phone.ear, 'busy');
  house.run(5_000);
  t.equal(phone.ear, undefined);
  t.equal(phone.status.display[0], 'No line', 'at rest');
});

t.test('§8.1.3.4 a redirected call goes on where it is sent, with the same sound', async (t) => {
  const { house, phone, peer } = atHome();
  const other = house.peer();
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(50);
  peer.reject(302, [other.uri]);
  house.run(50);
  t.strictSame(phone.callStates, ['calling']);
  other.accept();
  house.run(50);
  t.strictSame(phone.callStates, ['active']);
  t.equal(phone.media.sessions.length, 1);
  phone.do((core, now) => core.hangUp(now));
  house.run(100);
  t.equal(other.eventsOf('ended').length, 1);
});

t.test('§8.1.3.4 two phones that forward to each other do not keep a call running', async (t) => {
  const { house, phone, peer } = atHome();
  const other = house.peer();
  phone.lift();
  phone.do((core, now) => core.call(now, peer.uri));
  for (let round = 0; round < 10; round++) {
    house.run(50);
    for (const [one, next] of [
      [peer, other],
      [other, peer],
    ] as const) {
      if (one.eventsOf('incoming').length > round) one.reject(302, [next.uri]);
      house.run(50);
    }
  }
  t.strictSame(phone.callStates, []);
  t.equal(phone.ear, 'congestion');
  t.equal(invitesTo(house, peer).length + invitesTo(house, other).length, 2, 'each was asked once');
});

t.test('a call that rings is accepted with an answer to its offer', async (t) => {
  const { house, phone, peer } = atHome();
  const session = peer.call('sip:phone@10.0.0.50', peer.sdp({ formats: '8 0 101' }));
  house.run(100);
  t.strictSame(phone.callStates, ['ringing']);
  t.match(peer.eventsOf('progress'), [{ statusCode: 180, session }]);
  t.equal(phone.bell, 'ring');
  phone.do((core, now) => core.accept(now));
  house.run(100);
  t.strictSame(phone.callStates, ['active']);
  t.equal(phone.bell, undefined);
  const answer = textOf(peer.eventsOf('accepted')[0]?.body?.bytes);
  t.match(answer, /m=audio 16384 RTP\/AVP 8 0 101/, 'in the order of the offer');
  const update = phone.media.commands.findLast((command) => command.name === 'updateSession');
  t.match(update?.args, {
    parameters: {
      codecs: [
        { name: 'PCMA', send: 8, receive: 8 },
        { name: 'PCMU', send: 0, receive: 0 },
      ],
      telephoneEvents: [{ send: 101, receive: 101, clockRate: 8000 }],
      ptime: 20,
    },
  });
});

t.test('§20.43, §20.33 why a call failed is shown with what the far end says of it', async (t) => {
  const { house, phone, peer } = atHome();
  const refused = (...headers: (readonly [string, string])[]) => {
    phone.do((core, now) => core.call(now, peer.uri));
    house.run(100);
    const session = peer.incoming;
    peer.do((agent, now) => agent.reject(now, session, 480, { headers }));
    house.run(500);
    return phone.factsOf('call.state').at(-1)?.reason;
  };
  t.equal(
    refused(['Warning', '399 x "closed for lunch"'], ['Retry-After', '600']),
    'Temporarily Unavailable (closed for lunch; try again in 10 min)',
  );
  t.equal(refused(['Retry-After', '30']), 'Temporarily Unavailable (try again in 30 s)');
  t.equal(refused(), 'Temporarily Unavailable');
});

t.test('§13.2.1 line.1.lateOffer: the far end offers in its 200, our answer goes out in the ACK, and both hear each other', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.phone('anna', { settings: { 'line.1.lateOffer': 'true', 'line.1.codecs': 'PCMU' } });
  const bert = house.phone('bert', { settings: { 'line.1.codecs': 'PCMA,PCMU' } });
  anna.do((phone, now) => phone.call(now, 'bert'));
  house.run(500);
  bert.lift();
  house.run(4_000);
  t.same([anna.callStates, bert.callStates], [['active'], ['active']]);
  for (const { calls } of [anna, bert]) t.ok((calls[0]?.media?.packetsReceived ?? 0) > 100);
  const sent = house.network.packets.filter(({ from }) => from === '10.0.0.10:5060').map(({ text }) => text);
  t.match(
    sent.find((text) => text.startsWith('INVITE')),
    /\r\nContent-Length: 0\r\n/,
  );
  t.match(
    sent.find((text) => text.startsWith('ACK') && text.includes('m=audio')),
    /m=audio \d+ RTP\/AVP 0 /,
  );
  anna.do((phone, now) => phone.hold(now));
  house.run(1_000);
  t.equal(bert.calls[0]?.heldByRemote, true, 'and hold works as ever');
  bert.hangUp();
  anna.changeSettings({ 'line.1.codecs': 'G722' });
  bert.changeSettings({ 'line.1.codecs': 'PCMA' });
  house.run(1_000);
  anna.do((phone, now) => phone.call(now, 'bert'));
  house.run(500);
  bert.lift();
  house.run(2_000);
  t.same([anna.calls, bert.calls], [[], []], 'an offer of no use ends the call');
  t.match(anna.callLog.at(-1), { outcome: 'failed', statusCode: 488 });
});

t.test('§13.3.1.4 an INVITE without an offer gets ours in the 200 and answers in its ACK', async (t) => {
  const { house, phone, peer } = atHome();
  const intercepted: string[] = [];
  house.network.intercept(({ text }) => {
    if (text.startsWith('SIP/2.0 200')) intercepted.push(text);
    return undefined;
  });
  const invite = [
    'INVITE sip:phone@10.0.0.50 SIP/2.0',
    `Via: SIP/2.0/UDP ${peer.address}:5060;branch=z9hG4bKlate`,
    'Max-Forwards: 70',
    `From: <${peer.uri}>;tag=late`,
    'To: <sip:phone@10.0.0.50>',
    'Call-ID: late@offer',
    'CSeq: 1 INVITE',
    `Contact: <${peer.uri}>`,
    'Content-Length: 0',
  ];
  peer.host.sendText({ address: '10.0.0.50', port: 5060 }, `${invite.join('\r\n')}\r\n\r\n`);
  house.run(100);
  t.strictSame(phone.callStates, ['ringing']);
  phone.do((core, now) => core.accept(now));
  house.run(50);
  t.strictSame(phone.callStates, ['accepting']);
  const ok = intercepted[0] ?? '';
  t.match(ok, /m=audio 16384 RTP\/AVP 0 8 101/);
  const to = /^To: .*$/m.exec(ok)?.[0]?.trim() ?? '';
  const answer = textOf(peer.sdp({ formats: '0' }).bytes);
  const ack = [
    'ACK sip:phone@10.0.0.50 SIP/2.0',
    `Via: SIP/2.0/UDP ${peer.address}:5060;branch=z9hG4bKlateack`,
    'Max-Forwards: 70',
    `From: <${peer.uri}>;tag=late`,
    to,
    'Call-ID: late@offer',
    'CSeq: 1 ACK',
    'Content-Type: application/sdp',
    `Content-Length: ${answer.length}`,
  ];
  peer.host.sendText({ address: '10.0.0.50', port: 5060 }, `${ack.join('\r\n')}\r\n\r\n${answer}`);
  house.run(50);
  t.strictSame(phone.callStates, ['active']);
  const update = phone.media.commands.findLast((command) => command.name === 'updateSession');
  t.match(update?.args, { parameters: { remote: { rtpPort: 40_000 }, telephoneEvents: [] } });
});

const unusable: readonly (readonly [string, Parameters<ScriptedPeer['sdp']>[0], number])[] = [
  ['no codec in common', { formats: '18' }, 488],
  ['no port', { port: 0 }, 488],
  ['a multicast address', { address: '224.1.1.1' }, 488],
];
for (const [name, sound, statusCode] of unusable) {
  t.test(`§13.3.1.3 an offer with ${name} is refused with ${statusCode} and never rings`, async (t) => {
    const { house, phone, peer } = atHome();
    peer.call('sip:phone@10.0.0.50', peer.sdp(sound));
    house.run(100);
    t.match(peer.eventsOf('failed'), [{ statusCode }]);
    t.strictSame(phone.callStates, []);
    t.strictSame(phone.media.sessions, []);
    t.equal(phone.callLog[0]?.outcome, 'failed');
  });
}

t.test('an answer that is of no use ends the call', async (t) => {
  const { house, phone, peer } = atHome();
  phone.lift();
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(50);
  peer.accept(peer.incoming, peer.sdp({ formats: '18' }));
  house.run(200);
  t.equal(phone.ear, 'congestion');
  t.match(peer.eventsOf('ended'), [{ by: 'remote' }], 'with a BYE');
  t.equal(phone.callLog[0]?.outcome, 'failed');
});

t.test('§21.6.2 declining answers 603', async (t) => {
  const { house, phone, peer } = atHome();
  peer.call('sip:phone@10.0.0.50');
  house.run(100);
  phone.do((core, now) => core.hangUp(now));
  house.run(100);
  t.match(peer.eventsOf('failed'), [{ statusCode: 603 }]);
  t.equal(phone.callLog[0]?.outcome, 'declined');
  t.equal(phone.status.missedCalls, 0);
});

t.test('a call nobody accepts is answered 480 after the ringing time and is missed', async (t) => {
  const { house, phone, peer } = atHome({ 'phone.ringSeconds': '30' });
  peer.call('sip:phone@10.0.0.50');
  house.run(29_900);
  t.strictSame(phone.callStates, ['ringing']);
  house.run(200);
  t.match(peer.eventsOf('failed'), [{ statusCode: 480 }]);
  t.equal(phone.bell, undefined);
  t.equal(phone.status.missedCalls, 1);
  t.equal(phone.missedOnDisk, 1);
  t.equal(phone.callLog[0]?.outcome, 'missed');
  t.equal(phone.led('message'), 'blink', 'the lamp tells');
  phone.do((core, now) => core.clearMissed(now));
  t.equal(phone.led('message'), 'off');
  t.equal(phone.missedOnDisk, 0);
});

t.test('§9.2 a caller who gives up is missed', async (t) => {
  const { house, phone, peer } = atHome();
  const session = peer.call('sip:phone@10.0.0.50');
  house.run(1_000);
  peer.end(session);
  house.run(100);
  t.strictSame(phone.callStates, []);
  t.equal(phone.bell, undefined);
  t.equal(phone.status.missedCalls, 1);
  t.equal(phone.callLog[0]?.outcome, 'missed');
});

t.test('RFC 3264 §8.4 hold is offered as sendonly, resume as sendrecv, each with the next version', async (t) => {
  const { house, phone, peer, session } = talking();
  const answer = (direction: string) => peer.do((agent, now) => agent.answerReoffer(now, session, { body: peer.sdp({ direction }) }));
  phone.do((core, now) => core.hold(now));
  t.strictSame(phone.callStates, ['held']);
  house.run(100);
  t.match(lastOffer(peer), /a=sendonly/);
  t.match(lastOffer(peer), /o=- \d+ 2 IN/);
  answer('recvonly');
  house.run(100);
  const held = phone.media.commands.findLast((command) => command.name === 'updateSession');
  t.match(held?.args, { parameters: { direction: 'sendonly' } });
  t.match(phone.media.commands.findLast(({ name }) => name === 'connectSession')?.args, { device: null });
  phone.do((core, now) => core.resume(now));
  house.run(100);
  t.match(lastOffer(peer), /a=sendrecv/);
  t.match(lastOffer(peer), /o=- \d+ 3 IN/);
  answer('sendrecv');
  house.run(100);
  t.strictSame(phone.callStates, ['active']);
  t.match(phone.media.commands.findLast(({ name }) => name === 'connectSession')?.args, { device: 'handset' });
});

t.test('a hold that is wished while another offer is under way is made good afterwards', async (t) => {
  const { house, phone, peer, session } = talking();
  phone.do((core, now) => core.hold(now));
  phone.do((core, now) => core.resume(now));
  phone.do((core, now) => core.hold(now));
  house.run(100);
  t.equal(peer.eventsOf('reoffered').length, 1, 'one offer at a time');
  peer.do((agent, now) => agent.answerReoffer(now, session, { body: peer.sdp({ direction: 'recvonly' }) }));
  house.run(100);
  t.equal(peer.eventsOf('reoffered').length, 1, 'what was agreed is what is wished, so nothing follows');
  phone.do((core, now) => core.resume(now));
  phone.do((core, now) => core.hold(now));
  phone.do((core, now) => core.resume(now));
  house.run(100);
  peer.do((agent, now) => agent.answerReoffer(now, session, { body: peer.sdp() }));
  house.run(100);
  t.strictSame(phone.callStates, ['active']);
  t.equal(peer.eventsOf('reoffered').length, 2);
});

t.test('§14.1 a hold that met an offer of the far end is tried again a while later', async (t) => {
  const { house, phone, peer, session } = talking();
  phone.do((core, now) => core.hold(now));
  house.run(50);
  peer.do((agent, now) => agent.answerReoffer(now, session, { statusCode: 491 }));
  house.run(300);
  t.equal(peer.eventsOf('reoffered').length, 1);
  house.run(4_000);
  t.equal(peer.eventsOf('reoffered').length, 2);
  t.match(lastOffer(peer), /a=sendonly/);
});

t.test('a far end that refuses to be held stays in the call and hears nothing', async (t) => {
  const { house, phone, peer, session } = talking();
  phone.do((core, now) => core.hold(now));
  house.run(50);
  peer.do((agent, now) => agent.answerReoffer(now, session, { statusCode: 488 }));
  house.run(20_000);
  t.strictSame(phone.callStates, ['held']);
  t.equal(peer.eventsOf('reoffered').length, 1, 'and is not asked again and again');
});

const holds: readonly (readonly [string, Parameters<ScriptedPeer['sdp']>[0]])[] = [
  ['sendonly', { direction: 'sendonly' }],
  ['inactive', { direction: 'inactive' }],
  ['the null address of RFC 2543', { address: '0.0.0.0' }],
];
for (const [name, sound] of holds) {
  t.test(`RFC 3264 §8.4 a far end that holds us by ${name} is recognised, and so is its coming back`, async (t) => {
    const { house, phone, peer, session } = talking();
    peer.do((agent, now) => agent.reoffer(now, session, peer.sdp(sound)));
    house.run(100);
    t.equal(phone.calls[0]?.heldByRemote, true);
    t.match(phone.status.display, ['peer', 'They hold the call']);
    t.match(peer.eventsOf('reofferAnswered'), [{ statusCode: 200 }]);
    t.strictSame(phone.callStates, ['active']);
    peer.do((agent, now) => agent.reoffer(now, session, peer.sdp()));
    house.run(100);
    t.equal(phone.calls[0]?.heldByRemote, false);
  });
}

t.test('§14.2 a re-INVITE that cannot be answered gets 488 and changes nothing', async (t) => {
  const { house, phone, peer, session } = talking();
  const before = phone.media.commands.length;
  peer.do((agent, now) => agent.reoffer(now, session, peer.sdp({ formats: '18' })));
  house.run(100);
  t.match(peer.eventsOf('reofferAnswered'), [{ statusCode: 488 }]);
  t.strictSame(phone.callStates, ['active']);
  t.equal(phone.media.commands.length, before);
});

t.test('the far end may move its sound in the middle of a call', async (t) => {
  const { house, phone, peer, session } = talking();
  peer.do((agent, now) => agent.reoffer(now, session, peer.sdp({ port: 45_000, formats: '8 101', lines: ['a=ptime:40'] })));
  house.run(100);
  const update = phone.media.commands.findLast((command) => command.name === 'updateSession');
  t.match(update?.args, { parameters: { remote: { rtpPort: 45_000 }, codecs: [{ name: 'PCMA' }], ptime: 40 } });
});

t.test('without a port there is no call: congestion for who calls, 503 for who is called', async (t) => {
  const { house, phone, peer } = atHome();
  phone.media.portsExhausted = true;
  phone.lift();
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(100);
  t.equal(phone.ear, 'congestion');
  t.equal(peer.eventsOf('incoming').length, 0, 'nobody was rung');
  t.equal(phone.callLog[0]?.statusCode, 503);
  phone.hangUp();
  peer.call('sip:phone@10.0.0.50');
  house.run(100);
  t.match(peer.eventsOf('failed'), [{ statusCode: 503 }]);
  t.strictSame(phone.callStates, []);
  phone.media.portsExhausted = false;
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(100);
  t.strictSame(phone.callStates, ['calling'], 'and when there are ports again, all is well');
});

t.test('a media daemon that does not come back lets no call hang', async (t) => {
  const { house, phone, peer } = atHome();
  phone.crashMedia();
  t.match(phone.status.display, ['No sound', 'the media daemon is away']);
  phone.do((core, now) => core.call(now, peer.uri));
  const session = peer.call('sip:phone@10.0.0.50');
  house.run(3_000);
  t.strictSame(phone.callStates, ['dialing', 'waiting'], 'it has a moment to come back');
  house.run(2_000);
  t.match(peer.eventsOf('failed'), [{ statusCode: 503, session }]);
  t.strictSame(phone.callStates, []);
});

t.test('a media daemon that comes back in time is all a waiting call needs', async (t) => {
  const { house, phone, peer } = atHome();
  phone.crashMedia();
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(2_000);
  phone.connectMedia();
  house.run(100);
  peer.accept();
  house.run(100);
  t.strictSame(phone.callStates, ['active']);
});

t.test('a media daemon that restarts in a call gets the call back on its port, and the far end need not know', async (t) => {
  const { house, phone, peer } = talking();
  phone.crashMedia();
  house.run(500);
  t.strictSame(phone.callStates, ['active'], 'the call itself goes on');
  phone.connectMedia();
  house.run(500);
  t.strictSame(house.rtp.has('10.0.0.50:16384'), true);
  t.equal(peer.eventsOf('reoffered').length, 0);
  t.equal(phone.media.sessions.length, 1);
});

t.test('a media daemon that restarts in a call and finds its port taken gets another, and the far end is told', async (t) => {
  const { house, phone, peer, session } = talking();
  phone.crashMedia();
  house.rtp.set('10.0.0.50:16384', () => undefined);
  house.run(500);
  t.strictSame(phone.callStates, ['active'], 'the call itself goes on');
  const before = phone.media.commands.length;
  phone.connectMedia();
  house.run(100);
  const names = phone.media.commands.slice(before).map(({ name }) => name);
  // What recordings want to know of media is no part of the call.
  const ofCalls = names.filter((name) => !name.toLowerCase().includes('recordings'));
  t.strictSame(ofCalls, ['configure', 'setVolume', 'setVolume', 'sessions', 'openSession', 'updateSession', 'connectSession']);
  t.match(lastOffer(peer), /m=audio 16386 /);
  peer.do((agent, now) => agent.answerReoffer(now, session, { body: peer.sdp() }));
  house.run(100);
  t.strictSame(phone.callStates, ['active']);
  t.equal(phone.media.sessions.length, 1);
});

t.test('a media daemon that ran on without us keeps its sessions and loses those of nobody', async (t) => {
  const { house, phone, peer } = talking();
  phone.media.command(house.network.now, { name: 'openSession', args: { session: 'stray', address: '10.0.0.50' } });
  phone.loseMediaLink();
  house.run(500);
  phone.connectMedia();
  house.run(100);
  t.equal(phone.media.sessions.length, 1, 'the stray one was closed');
  t.equal(peer.eventsOf('reoffered').length, 0, 'the port is the same, so the far end need not know');
  t.strictSame(phone.callStates, ['active']);
});

t.test('a port that was being opened when the link broke is opened anew', async (t) => {
  const { house, phone, peer } = atHome();
  phone.media.unanswered.add('openSession');
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(500);
  phone.media.unanswered.clear();
  phone.media.command(house.network.now, { name: 'openSession', args: { session: phone.calls[0]?.call ?? '', address: '10.0.0.50' } });
  phone.loseMediaLink();
  phone.connectMedia();
  house.run(100);
  t.strictSame(phone.callStates, ['calling']);
  t.equal(phone.media.sessions.length, 1);
});

t.test('a far end that falls silent without a BYE is let go, but not one on hold', async (t) => {
  const { house, phone } = talking({ 'rtp.silenceSeconds': '10' });
  house.run(9_000);
  t.strictSame(phone.callStates, ['active']);
  house.run(4_000);
  t.strictSame(phone.callStates, []);
  t.match(phone.factsOf('call.state').at(-1), { state: 'ended', reason: 'no sound came for 10 s' });
  const held = talking({ 'rtp.silenceSeconds': '10' });
  held.phone.do((core, now) => core.hold(now));
  held.house.run(100);
  held.peer.do((agent, now) => agent.answerReoffer(now, held.session, { body: held.peer.sdp({ direction: 'recvonly' }) }));
  held.house.run(60_000);
  t.strictSame(held.phone.callStates, ['held']);
});

t.test('digits of the far end count once, by INFO, by RFC 4733, or by both', async (t) => {
  const { house, phone, peer, session } = talking();
  const event = (digit: '1' | '2' | '3') => {
    const fields = { session: phone.calls[0]?.call ?? '', digit, durationMs: 100, way: 'event' as const };
    phone.do((core, now) => core.mediaEvent(now, { name: 'digit', fields }));
  };
  peer.info(session, 'application/dtmf-relay', 'Signal=1\r\nDuration=100');
  house.run(100);
  event('1');
  event('2');
  house.run(100);
  peer.info(session, 'application/dtmf', '2');
  house.run(2_000);
  peer.info(session, 'application/dtmf-relay', 'Signal=11');
  house.run(100);
  t.equal(phone.calls[0]?.digitsReceived, '12#');
});

t.test('digits of ours go out one INFO at a time and are shown', async (t) => {
  const { house, phone, peer } = talking();
  for (const digit of ['1', '2', '*', 'flash'] as const) phone.digit(digit);
  house.run(200);
  const texts = peer.eventsOf('info').map(({ body }) => textOf(body.bytes).split('\r\n')[0]);
  t.strictSame(texts, ['Signal=1', 'Signal=2', 'Signal=*', 'Signal=16']);
  t.equal(phone.calls[0]?.digitsSent, '12*!');
});

t.test('commands that cannot be say why', async (t) => {
  const { house, phone, peer } = atHome();
  const refused = (code: string, input: Parameters<SimulatedPhone['do']>[0]) => t.throws(() => phone.do(input), { code }, code);
  refused('no-call', (core, now) => core.accept(now));
  refused('no-call', (core, now) => core.hangUp(now));
  refused('no-call', (core, now) => core.hold(now));
  refused('no-call', (core, now) => core.resume(now));
  refused('nothing-to-redial', (core, now) => core.redial(now));
  refused('unknown-call', (core, now) => core.hangUp(now, 'nonsense'));
  refused('on-hook', (core, now) => core.digit(now, '1'));
  refused('not-a-target', (core, now) => core.call(now, 'a b c'));
  refused('no-line', (core, now) => core.call(now, '600'));
  refused('unknown-line', (core, now) => core.call(now, '600', 'x'));
  refused('unknown-line', (core, now) => core.setDoNotDisturb(now, true, 'x'));
  refused('unknown-alert', (core, now) => core.alert(now, 'x'));
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(50);
  refused('busy', (core, now) => core.call(now, peer.uri));
  refused('wrong-state', (core, now) => core.hold(now));
  refused('wrong-state', (core, now) => core.digit(now, '1'));
  refused('wrong-state', (core, now) => core.accept(now, phone.calls[0]?.call));
  refused('wrong-state', (core, now) => core.resume(now, phone.calls[0]?.call));
  t.strictSame(phone.callStates, ['calling'], 'and change nothing');
});

t.test('a phone that stops says goodbye to everybody', async (t) => {
  const { house, phone, peer } = talking();
  const second = house.peer();
  second.call('sip:phone@10.0.0.50');
  house.run(100);
  phone.do((core, now) => core.stop(now));
  t.equal(phone.phone.idle, false);
  house.run(200);
  t.equal(phone.phone.idle, true);
  t.equal(peer.eventsOf('ended').length, 1);
  t.equal(second.eventsOf('failed').length, 1);
  t.strictSame(phone.media.sessions, []);
});

t.test('a phone at rest wakes nobody', async (t) => {
  const { house, phone } = talking();
  phone.do((core, now) => core.hangUp(now));
  house.run(60_000);
  t.equal(phone.deadline, undefined);
});

t.test('RFC 3326 a call that another phone accepted is not missed', async (t) => {
  const { house, phone, peer } = atHome();
  for (const [reason, outcome, missed] of [
    ['SIP;cause=200;text="Call completed elsewhere"', 'acceptedElsewhere', 0],
    ['SIP;cause=487', 'missed', 1],
  ] as const) {
    const session = peer.call('sip:phone@10.0.0.50');
    house.run(50);
    t.equal(phone.bell !== undefined, true);
    peer.do((agent, now) => agent.end(now, session, reason));
    house.run(100);
    t.equal(phone.bell, undefined);
    t.equal(phone.callLog.at(-1)?.outcome, outcome);
    t.equal(phone.status.missedCalls, missed);
  }
});
