import t from 'tap';
import { silentLogger } from '#firmware/core/logger.ts';
import { parseUri } from '#firmware/sip/message/uri.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import type { UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { seededEntropy } from '#test/support/seeded-entropy.ts';
import { virtualProfile } from '#test/support/simulated-board.ts';
import { SimulatedHouse } from '#test/support/simulated-house.ts';
import { SimulatedNetwork } from '#test/support/simulated-network.ts';
import type { SimulatedPhone } from '#test/support/simulated-phone.ts';

/** The phone process is killed in the middle of things, and a new one takes its calls up. */

/** `anna` calls `bert`, who lifts. */
function connect(house: SimulatedHouse, from: SimulatedPhone, to: SimulatedPhone, name = 'bert'): void {
  from.lift();
  from.do((core, now) => core.call(now, name));
  house.run(300);
  to.lift();
  house.run(500);
}

/** Killed now, back after `awayMs`. */
function crash(house: SimulatedHouse, phone: SimulatedPhone, awayMs = 1_000): void {
  phone.crashPhone();
  house.run(awayMs);
  phone.restartPhone();
  house.run(500);
}

/** How long the longest silence was that this handset gave, ms, in blocks of 10 ms. */
function longestSilence(phone: SimulatedPhone): number {
  const { heard } = phone.media.device('handset');
  let silent = 0;
  let longest = 0;
  for (let at = 0; at + 80 <= heard.length; at += 80) {
    silent = heard.slice(at, at + 80).some((sample) => Math.abs(sample) > 200) ? 0 : silent + 10;
    longest = Math.max(longest, silent);
  }
  return longest;
}

for (const [title, killsCaller] of [
  ['the caller', true],
  ['the called', false],
] as const) {
  t.test(`the phone process of ${title} is killed in a call: sound goes on without a gap, and everything works as before`, async (t) => {
    const house = new SimulatedHouse();
    const anna = house.phone('anna');
    const bert = house.phone('bert');
    connect(house, anna, bert);
    const [killed, other] = killsCaller ? [anna, bert] : [bert, anna];
    for (const phone of [anna, bert]) phone.media.device('handset').speaks = 700;
    house.run(1_000);
    const call = killed.calls[0]?.call;
    const sent = killed.media.commands.length;
    for (const phone of [anna, bert]) phone.media.device('handset').heard = [];
    crash(house, killed, 2_000);
    t.strictSame(killed.callStates, ['active']);
    t.equal(killed.calls[0]?.call, call);
    t.equal(killed.calls[0]?.seconds, killsCaller ? 3 : 4);
    t.notOk(
      killed.media.commands.slice(sent).some(({ name }) => name === 'openSession' || name === 'closeSession'),
      'media kept the session',
    );
    t.equal(killed.led('call'), 'on');
    for (const phone of [anna, bert]) t.ok(longestSilence(phone) <= 20, `${longestSilence(phone)} ms of silence`);
    house.run(3_000);
    t.strictSame(other.callStates, ['active'], 'also after it has been asked whether it is still there');
    other.press('1');
    killed.press('2');
    house.run(1_000);
    t.equal(killed.calls[0]?.digitsReceived, '1');
    t.equal(other.calls[0]?.digitsReceived, '2');
    killed.do((phone, now) => phone.hold(now));
    house.run(500);
    t.equal(other.calls[0]?.heldByRemote, true);
    killed.do((phone, now) => phone.resume(now));
    house.run(500);
    t.equal(other.calls[0]?.heldByRemote, false);
    killed.hangUp();
    house.run(500);
    t.equal(other.ear, 'busy');
    other.hangUp();
    house.run(500);
    for (const phone of [anna, bert]) {
      t.strictSame(phone.callStates, []);
      t.match(phone.callLog, [{ outcome: 'accepted', direction: phone === anna ? 'outgoing' : 'incoming' }]);
      t.ok((phone.callLog[0]?.seconds ?? 0) >= 8, 'the time before the crash counts');
      t.strictSame(phone.media.sessions, []);
    }
    t.strictSame(killed.journal?.calls, []);
  });
}

t.test('who put the handset down while nobody was there has hung up', async (t) => {
  const house = new SimulatedHouse();
  // What a virtual hook does is known to the phone alone.
  const hook = { driver: 'gpio', pin: 17, activeLow: true, debounceMs: 20 } as const;
  const anna = house.phone('anna', { board: { ...virtualProfile, hook } });
  const bert = house.phone('bert');
  connect(house, anna, bert);
  anna.crashPhone();
  anna.hangUp();
  house.run(1_000);
  t.strictSame(bert.callStates, ['active']);
  anna.restartPhone();
  house.run(500);
  t.strictSame(anna.callStates, []);
  t.equal(bert.ear, 'busy');
  t.match(anna.callLog, [{ outcome: 'accepted' }]);
});

t.test('§12.2.2 what the far end sends meanwhile is answered when it comes again', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.phone('anna');
  const bert = house.phone('bert');
  connect(house, anna, bert);
  bert.crashPhone();
  anna.do((phone, now) => phone.hold(now));
  house.run(1_000);
  bert.restartPhone();
  house.run(2_500);
  t.equal(bert.calls[0]?.heldByRemote, true, 'a re-INVITE');
  t.strictSame(anna.callStates, ['held']);
  bert.crashPhone();
  anna.do((phone, now) => phone.hangUp(now));
  house.run(1_500);
  bert.restartPhone();
  house.run(3_000);
  t.strictSame(bert.callStates, [], 'a BYE');
  t.equal(bert.ear, 'busy');
  t.strictSame(anna.callStates, []);
});

t.test('§13.3.1.4 a caller who has not heard that his call was accepted hears it from the successor', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.barePhone({ settings: { 'rtp.silenceSeconds': '0' } });
  const peer = house.peer();
  peer.call(`sip:phone@${phone.host.address}`);
  house.run(200);
  const undo = house.network.intercept(({ text, from }) =>
    from.startsWith(phone.host.address) && text.startsWith('SIP/2.0 200') ? 'drop' : undefined,
  );
  phone.lift();
  house.run(100);
  phone.crashPhone();
  undo();
  house.run(200);
  phone.restartPhone();
  const ways = house.network.packets.length;
  // A caller who has heard a 180 sends nothing more by UDP, so its INVITE is sent for it.
  const invite = house.network.packets.find(({ text }) => text.startsWith('INVITE'));
  peer.host.sendText(phone.host, invite?.text ?? '');
  house.run(1_000);
  t.equal(peer.eventsOf('accepted').length, 1);
  t.strictSame(phone.callStates, ['active']);
  t.ok(house.network.packets.slice(ways).some(({ text }) => text.startsWith('ACK')));
  house.run(40_000);
  t.strictSame(phone.callStates, ['active'], 'and nothing is missing');
});

t.test('§13.2.2.4 a 2xx whose ACK was lost is acknowledged by the successor', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.barePhone({ settings: { 'rtp.silenceSeconds': '0' } });
  const peer = house.peer();
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(200);
  const undo = house.network.intercept(({ text }) => (text.startsWith('ACK') ? 'drop' : undefined));
  peer.accept();
  house.run(300);
  phone.crashPhone();
  undo();
  house.run(500);
  phone.restartPhone();
  house.run(40_000);
  t.equal(peer.eventsOf('confirmed').length, 1);
  t.equal(peer.eventsOf('ended').length, 0);
  t.strictSame(phone.callStates, ['active'], 'hands-free as before');
});

t.test('a digit that was taken just before the end is not taken twice', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.barePhone({ settings: { 'rtp.silenceSeconds': '0' } });
  const peer = house.peer();
  const session = peer.call(`sip:phone@${phone.host.address}`);
  house.run(200);
  phone.lift();
  house.run(200);
  const undo = house.network.intercept(({ text }) => (text.startsWith('SIP/2.0 200') ? 'drop' : undefined));
  peer.info(session, 'application/dtmf-relay', 'Signal=5\r\nDuration=160\r\n');
  house.run(100);
  t.equal(phone.calls[0]?.digitsReceived, '5');
  phone.crashPhone();
  undo();
  phone.restartPhone();
  house.run(2_000);
  t.equal(phone.calls[0]?.digitsReceived, '');
  t.match(peer.eventsOf('infoAnswered'), [{ statusCode: 200 }]);
});

t.test('after the grace of media there is nothing to go on with: the far end is told', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.phone('anna', { settings: { 'rtp.graceSeconds': '20' } });
  const bert = house.phone('bert');
  connect(house, anna, bert);
  crash(house, anna, 19_000);
  t.strictSame(anna.callStates, ['active']);
  crash(house, anna, 21_000);
  t.strictSame(anna.callStates, []);
  t.equal(bert.ear, 'busy');
  t.equal(anna.ear, 'dial', 'the handset is still lifted');
  t.strictSame(anna.media.sessions, []);
});

t.test('a far end that gave up meanwhile is found out', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.barePhone({ settings: { 'rtp.silenceSeconds': '0' } });
  const peer = house.peer();
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(200);
  peer.accept();
  house.run(300);
  phone.crashPhone();
  const undo = house.network.intercept(() => 'drop');
  peer.end(peer.incoming);
  house.run(20_000);
  phone.restartPhone();
  house.run(1_000);
  undo();
  t.strictSame(phone.callStates, ['active']);
  house.run(40_000);
  t.strictSame(phone.callStates, []);
});

t.test('phone and media are both killed: the call goes on by the same port', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.phone('anna');
  const bert = house.phone('bert');
  connect(house, anna, bert);
  bert.media.device('handset').speaks = 700;
  anna.media.crash();
  const reinvites = house.network.packets.filter(({ text }) => text.startsWith('INVITE')).length;
  crash(house, anna, 1_000);
  house.run(1_000);
  t.strictSame(anna.callStates, ['active']);
  t.ok(longestSilence(anna) < 500, 'it is heard again');
  t.equal(house.network.packets.filter(({ text }) => text.startsWith('INVITE')).length, reinvites);
});

t.test('two calls, one on hold: the person changes between them as before', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.phone('anna');
  const bert = house.phone('bert');
  const carl = house.phone('carl');
  connect(house, anna, bert);
  carl.lift();
  carl.do((core, now) => core.call(now, 'anna'));
  house.run(500);
  anna.flash();
  house.run(1_000);
  crash(house, anna);
  t.strictSame(anna.callStates, ['held', 'active']);
  anna.flash();
  house.run(1_000);
  t.strictSame(anna.callStates, ['active', 'held']);
  crash(house, anna);
  t.strictSame(anna.callStates, ['active', 'held'], 'and twice');
  t.equal(carl.calls[0]?.heldByRemote, true);
  anna.hangUp();
  house.run(500);
  t.strictSame(bert.callStates, []);
  t.equal(anna.bell, 'ring', 'the other one calls back');
});

t.test('RFC 4028 a call with a timer is refreshed by the successor, and ended by it when its far end is gone', async (t) => {
  const network = new SimulatedNetwork();
  const settings = { acceptDirectCalls: true, sessionExpires: 90 };
  const hosts = [network.host('10.0.0.1'), network.host('10.0.0.2')] as const;
  const events: UserAgentEvent[][] = [[], []];
  const start = (place: 0 | 1, seed: number) => {
    const agent = new UserAgent({ entropy: seededEntropy(seed), logger: silentLogger, addresses: hosts[place], settings });
    hosts[place].attach(agent, (event) => events[place]?.push(event));
    return agent;
  };
  const [caller, called] = [start(0, 1), start(1, 2)];
  const target = parseUri('sip:called@10.0.0.2');
  if (!target) throw new Error('no URI');
  const body = { contentType: 'application/sdp', bytes: new TextEncoder().encode('v=0') };
  const session = caller.invite(network.now, { target, body });
  network.run(100);
  const answering = events[1]?.flatMap((event) => (event.type === 'incoming' ? event.session : []))[0] ?? '';
  called.accept(network.now, answering, body);
  network.run(100);
  const updates = () => network.packets.filter(({ text }) => text.startsWith('UPDATE')).length;
  const left = [caller.record(session), called.record(answering)].map((record) => JSON.parse(JSON.stringify(record)));
  for (const place of [0, 1] as const) t.ok(start(place, 10 + place).adopt(network.now, left[place]));
  network.run(600_000);
  t.ok(updates() >= 13, `${updates()} refreshes in ten minutes`);
  t.strictSame(
    events.flat().filter(({ type }) => type === 'ended'),
    [],
  );
  hosts[1].detach();
  network.run(200_000);
  t.match(events[0]?.at(-1), { type: 'ended', by: 'timeout' });
});

t.test('the registrar knows the successor by the address of its predecessor', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.phone('anna');
  const contacts = () => {
    const registers = house.network.packets.filter(({ text }) => text.startsWith('REGISTER'));
    return new Set(registers.map(({ text }) => /^Contact: <([^>]*)>/m.exec(text)?.[1]));
  };
  crash(house, anna);
  house.run(2_000);
  t.equal(contacts().size, 1);
  t.equal(anna.status.lines[0]?.registration.state, 'registered');
});

t.test('a visitor goes on talking, and the code opens the door', async (t) => {
  const house = new SimulatedHouse();
  const door = house.phone('anna', {
    settings: { 'door.front.input': 'button', 'door.front.relay': 'door', 'door.front.people': 'bert' },
  });
  const bert = house.phone('bert');
  door.pushButton('button');
  house.run(500);
  bert.lift();
  house.run(500);
  crash(house, door);
  t.strictSame(door.callStates, ['active']);
  bert.media.device('handset').speaks = 700;
  bert.press('**9');
  house.run(1_000);
  t.equal(door.board.pulses.length, 1);
  t.match(door.doorLog.at(-1), { event: 'released' });
  bert.hangUp();
  house.run(500);
  t.strictSame(door.callStates, []);
  door.pushButton('button');
  house.run(500);
  t.equal(bert.bell, 'ring', 'the next visitor may ring');
});

t.test('who listens to an alert hears it from its beginning, acknowledges it, and nobody is called again', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.phone('anna', { settings: { 'alert.fire.people': 'bert, carl', 'alert.fire.file': '/alarm.wav' } });
  const bert = house.phone('bert');
  phone.do((core, now) => core.alert(now, 'fire'));
  house.run(500);
  bert.lift();
  house.run(1_000);
  const plays = () => phone.media.commands.filter(({ name }) => name === 'startPlayback');
  crash(house, phone);
  t.match(phone.status.alerts, [{ state: 'calling', person: 'bert' }]);
  t.equal(plays().length, 2);
  t.strictSame(new Set(plays().map(({ args }) => 'playback' in args && args.playback)).size, 1, 'in place of the first one');
  bert.press('1');
  house.run(3_000);
  t.match(phone.status.alerts, [{ state: 'acknowledged', acknowledgedBy: 'bert' }]);
  t.strictSame(phone.callStates, []);
  t.equal(phone.alertsOnDisk.get('fire')?.attempts, 1);
});

t.test('a journal that fits no longer is left alone: the line is gone, the address is none', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.phone('anna');
  const bert = house.phone('bert');
  connect(house, anna, bert);
  const [call] = anna.journal?.calls ?? [];
  if (!call || !anna.journal) throw new Error('nothing was written down');
  for (const broken of [
    { ...call, session: { ...call.session, account: 'other' } },
    { ...call, session: { ...call.session, dialog: { ...call.session.dialog, remote: '<' } } },
    { ...call, remote: { displayName: '', uri: 'no uri' } },
  ]) {
    anna.journal = { ...anna.journal, calls: [broken] };
    crash(house, anna);
    t.strictSame(anna.callStates, []);
    t.match(anna.factsOf('call.adopted').at(-1), { adopted: false });
    t.strictSame(anna.media.sessions, []);
  }
});
