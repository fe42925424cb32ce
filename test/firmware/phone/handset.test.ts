import t from 'tap';
import type { BoardProfile } from '#firmware/contract/hal.ts';
import { virtualProfile } from '#test/support/simulated-board.ts';
import { SimulatedHouse } from '#test/support/simulated-house.ts';
import type { SimulatedPhone } from '#test/support/simulated-phone.ts';

function atHome(settings: Readonly<Record<string, string>> = {}, board: BoardProfile = virtualProfile) {
  const house = new SimulatedHouse();
  return { house, phone: house.barePhone({ settings, board }), peer: house.peer(), other: house.peer() };
}

/** Lifted, and in a call that `peer` has accepted. */
function talking(settings: Readonly<Record<string, string>> = {}, board: BoardProfile = virtualProfile) {
  const home = atHome(settings, board);
  home.phone.lift();
  home.phone.do((core, now) => core.call(now, home.peer.uri));
  home.house.run(100);
  home.peer.accept();
  home.house.run(100);
  return { ...home, session: home.peer.incoming };
}

const keyed = (digits: string) => digits.replaceAll('.', '*');

t.test('lifting gives a dial tone, the first digit ends it', async (t) => {
  const { house, phone } = atHome();
  phone.lift();
  t.equal(phone.ear, 'dial');
  t.equal(phone.status.hook, 'offHook');
  t.equal(phone.led('call'), 'on');
  t.strictSame(phone.status.display, ['Dial a number']);
  phone.pressKey('6');
  t.equal(phone.ear, undefined);
  t.equal(phone.status.dialed, '6');
  t.strictSame(phone.status.display, ['Dial', '6']);
  phone.hangUp();
  house.run(10_000);
  t.strictSame(phone.callStates, [], 'and hanging up forgets it');
  t.equal(phone.status.dialed, '');
  t.equal(phone.led('call'), 'off');
});

t.test('a dial tone nobody uses becomes congestion, then gets loud, then silence, until the person hangs up', async (t) => {
  const { house, phone } = atHome();
  phone.lift();
  house.run(20_100);
  t.equal(phone.ear, 'congestion');
  house.run(30_100);
  t.equal(phone.ear, 'howler');
  house.run(30_100);
  t.equal(phone.ear, undefined);
  t.strictSame(phone.status.display, ['Hang up the handset']);
  t.throws(() => phone.digit('1'), { code: 'hang-up-first' });
  phone.hangUp();
  phone.lift();
  t.equal(phone.ear, 'dial');
});

t.test('the number goes out after the inter-digit time, counted from the last digit', async (t) => {
  const { house, phone, peer } = atHome({ 'phone.interDigitMs': '3000' });
  phone.lift();
  phone.press(keyed(peer.address).slice(0, 4));
  house.run(2_500);
  phone.press(keyed(peer.address).slice(4));
  house.run(2_800);
  t.strictSame(phone.callStates, []);
  house.run(200);
  t.strictSame(phone.callStates, ['calling']);
  t.equal(phone.status.dialed, '');
});

t.test('# sends at once', async (t) => {
  const { phone, peer } = atHome();
  phone.lift();
  phone.press(`${keyed(peer.address)}#`);
  t.strictSame(phone.callStates, ['calling']);
  t.equal(phone.calls[0]?.remote.uri, `sip:${peer.address}`);
});

t.test('a number of the dial plan sends at once', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.phone('anna', { settings: { 'phone.dialPlan': '112, 6xx, 60.' } });
  phone.lift();
  phone.press('61');
  t.strictSame(phone.callStates, []);
  phone.pressKey('2');
  t.strictSame(phone.callStates, ['calling']);
  t.equal(phone.calls[0]?.remote.uri, 'sip:612@house.example');
});

t.test('a number that cannot be called is heard as congestion and said on the display', async (t) => {
  const { phone } = atHome();
  phone.lift();
  phone.press('600#');
  t.equal(phone.ear, 'congestion');
  t.match(phone.status.display, ['Not connected', /a number needs a line/]);
});

t.test('lifting accepts a call that rings', async (t) => {
  const { house, phone, peer } = atHome();
  peer.call('sip:phone@10.0.0.50');
  house.run(100);
  t.equal(phone.bell, 'ring');
  t.equal(phone.led('call'), 'fastBlink');
  t.match(phone.status.display, ['Incoming call', /^[a-z2-7]{12}$/], 'somebody without a name');
  phone.lift();
  house.run(100);
  t.strictSame(phone.callStates, ['active']);
  t.equal(phone.bell, undefined);
  t.equal(phone.ear, undefined, 'no dial tone');
  t.equal(phone.led('call'), 'on');
});

t.test('a caller who gives up while the bell rings leaves a quiet phone', async (t) => {
  const { house, phone, peer } = atHome();
  const session = peer.call('sip:phone@10.0.0.50');
  house.run(100);
  peer.end(session);
  house.run(100);
  t.equal(phone.bell, undefined);
  phone.lift();
  t.equal(phone.ear, 'dial', 'too late');
});

t.test('a second caller is announced by a tone in the ear; flash changes to him and back', async (t) => {
  const { house, phone, peer, other, session } = talking();
  const second = other.call('sip:phone@10.0.0.50');
  house.run(100);
  t.strictSame(phone.callStates, ['active', 'waiting']);
  t.equal(phone.ear, 'callWaiting');
  t.equal(phone.bell, undefined, 'the bell stays silent');
  t.equal(phone.led('call'), 'fastBlink');
  t.match(other.eventsOf('progress'), [{ statusCode: 180 }]);
  phone.flash();
  house.run(100);
  t.strictSame(phone.callStates, ['held', 'active']);
  t.equal(phone.ear, undefined);
  t.equal(other.eventsOf('accepted').length, 1);
  peer.do((agent, now) => agent.answerReoffer(now, session, { body: peer.sdp({ direction: 'recvonly' }) }));
  house.run(100);
  phone.flash();
  house.run(100);
  t.strictSame(phone.callStates, ['active', 'held'], 'back again');
  other.do((agent, now) => agent.answerReoffer(now, second, { body: other.sdp({ direction: 'recvonly' }) }));
  peer.do((agent, now) => agent.answerReoffer(now, session, { body: peer.sdp() }));
  house.run(100);
  t.match(phone.status.display, [/peer/, 'Connected', /On hold: /]);
  phone.do((core, now) => core.resume(now));
  t.strictSame(phone.callStates, ['held', 'active'], 'resume changes too');
});

t.test('§21.4.24 a third caller hears busy, and a second one where call waiting is off', async (t) => {
  const { house, phone, other } = talking();
  other.call('sip:phone@10.0.0.50');
  house.run(100);
  const third = house.peer();
  third.call('sip:phone@10.0.0.50');
  house.run(100);
  t.match(third.eventsOf('failed'), [{ statusCode: 486 }]);
  t.equal(phone.status.missedCalls, 1, 'and is on the list of missed calls');
  const off = talking({ 'phone.callWaiting': 'false' });
  off.other.call('sip:phone@10.0.0.50');
  off.house.run(100);
  t.match(off.other.eventsOf('failed'), [{ statusCode: 486 }]);
});

t.test('a phone somebody is dialling on is busy without call waiting, and hears the tone with it', async (t) => {
  const off = atHome({ 'phone.callWaiting': 'false' });
  off.phone.lift();
  off.peer.call('sip:phone@10.0.0.50');
  off.house.run(100);
  t.match(off.peer.eventsOf('failed'), [{ statusCode: 486 }]);
  const on = atHome();
  on.phone.lift();
  on.peer.call('sip:phone@10.0.0.50');
  on.house.run(100);
  t.equal(on.phone.ear, 'callWaiting');
  on.phone.flash();
  on.house.run(100);
  t.strictSame(on.phone.callStates, ['active']);
});

t.test('two calls ring at once; lifting takes the first, hanging up lets the other ring on', async (t) => {
  const { house, phone, peer, other } = atHome();
  peer.call('sip:phone@10.0.0.50');
  house.run(500);
  other.call('sip:phone@10.0.0.50');
  house.run(100);
  t.strictSame(phone.callStates, ['ringing', 'ringing']);
  phone.lift();
  house.run(100);
  t.strictSame(phone.callStates, ['active', 'waiting']);
  phone.hangUp();
  house.run(100);
  t.strictSame(phone.callStates, ['ringing']);
  t.equal(phone.bell, 'ring');
  phone.lift();
  house.run(100);
  t.strictSame(phone.callStates, ['active']);
});

t.test('hanging up on one call while another is held for it lets the held one ring back', async (t) => {
  const { house, phone, other, peer, session } = talking();
  other.call('sip:phone@10.0.0.50');
  house.run(100);
  phone.flash();
  house.run(100);
  peer.do((agent, now) => agent.answerReoffer(now, session, { body: peer.sdp({ direction: 'recvonly' }) }));
  phone.hangUp();
  house.run(100);
  t.strictSame(phone.callStates, ['held']);
  t.equal(phone.bell, 'ring');
  phone.lift();
  house.run(100);
  t.equal(phone.bell, undefined);
  peer.do((agent, now) => agent.answerReoffer(now, session, { body: peer.sdp() }));
  house.run(100);
  t.strictSame(phone.callStates, ['active']);
  peer.end(session);
  house.run(100);
  phone.hangUp();
  t.equal(phone.bell, undefined, 'nothing is left to ring');
});

t.test('a held call that the far end ends does not ring back', async (t) => {
  const { house, phone, other, peer, session } = talking();
  other.call('sip:phone@10.0.0.50');
  house.run(100);
  phone.flash();
  house.run(100);
  peer.end(session);
  house.run(100);
  phone.hangUp();
  house.run(100);
  t.equal(phone.bell, undefined);
  t.strictSame(phone.callStates, []);
});

t.test('a call put on hold by name stays quiet when the person hangs up, and comes back on lifting', async (t) => {
  const { house, phone, peer, session } = talking();
  phone.do((core, now) => core.hold(now));
  house.run(100);
  peer.do((agent, now) => agent.answerReoffer(now, session, { body: peer.sdp({ direction: 'recvonly' }) }));
  house.run(100);
  phone.hangUp();
  house.run(100);
  t.strictSame(phone.callStates, ['held']);
  t.equal(phone.bell, undefined);
  t.equal(phone.led('call'), 'doubleFlash');
  phone.lift();
  house.run(100);
  peer.do((agent, now) => agent.answerReoffer(now, session, { body: peer.sdp() }));
  house.run(100);
  t.strictSame(phone.callStates, ['active']);
});

t.test('flash in a single call holds it and gives a dial tone for another; flash again takes it back', async (t) => {
  const { house, phone, peer, session } = talking();
  phone.flash();
  house.run(100);
  t.equal(phone.ear, 'dial');
  t.strictSame(phone.callStates, ['held']);
  peer.do((agent, now) => agent.answerReoffer(now, session, { body: peer.sdp({ direction: 'recvonly' }) }));
  house.run(100);
  phone.flash();
  house.run(100);
  t.equal(phone.ear, undefined);
  t.strictSame(phone.callStates, ['active']);
});

t.test('a second call from the same handset', async (t) => {
  const { house, phone, peer, other, session } = talking();
  phone.flash();
  house.run(100);
  peer.do((agent, now) => agent.answerReoffer(now, session, { body: peer.sdp({ direction: 'recvonly' }) }));
  phone.press(`${keyed(other.address)}#`);
  house.run(100);
  other.accept();
  house.run(100);
  t.strictSame(phone.callStates, ['held', 'active']);
  t.throws(() => phone.do((core, now) => core.call(now, 'sip:x@10.9.9.9')), { code: 'busy' });
  other.end(other.incoming);
  house.run(100);
  t.equal(phone.ear, 'busy');
  phone.flash();
  house.run(100);
  t.equal(phone.ear, undefined, 'flash leads back to who is held');
});

t.test('hands-free: a call by command needs no hook, and lifting takes it to the ear', async (t) => {
  const { house, phone, peer } = atHome();
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(100);
  peer.accept();
  house.run(100);
  t.strictSame(phone.callStates, ['active']);
  t.equal(phone.status.hook, 'onHook');
  phone.lift();
  t.strictSame(phone.callStates, ['active']);
  phone.hangUp();
  house.run(100);
  t.strictSame(phone.callStates, [], 'and then hanging up ends it');
});

t.test('a board without a hook dials by its keys alone', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.barePhone({ board: { ...virtualProfile, hook: null } });
  const peer = house.peer();
  t.equal(phone.status.hook, null);
  phone.press(`${keyed(peer.address)}#`);
  house.run(100);
  t.strictSame(phone.callStates, ['calling']);
  peer.accept();
  house.run(100);
  t.strictSame(phone.callStates, ['active']);
  phone.do((core, now) => core.hangUp(now));
  house.run(100);
  t.strictSame(phone.callStates, []);
  const session = peer.call('sip:phone@10.0.0.50');
  house.run(100);
  phone.do((core, now) => core.accept(now));
  house.run(100);
  t.strictSame(phone.callStates, ['active']);
  peer.end(session);
});

t.test('a board without a hook: hanging up before anything was called ends the dialling', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.barePhone({ board: { ...virtualProfile, hook: null } });
  phone.press('12');
  phone.do((core, now) => core.hangUp(now));
  t.equal(phone.status.dialed, '');
  t.throws(() => phone.do((core, now) => core.hangUp(now)), { code: 'no-call' });
});

t.test('hanging up by command with the handset lifted gives a dial tone again', async (t) => {
  const { house, phone } = talking();
  phone.do((core, now) => core.hangUp(now));
  house.run(100);
  t.equal(phone.ear, 'dial');
  t.strictSame(phone.callStates, []);
});

t.test('hanging up by command ends a tone and half a number too', async (t) => {
  const { phone } = atHome();
  phone.lift();
  phone.press('600#');
  t.equal(phone.ear, 'congestion');
  phone.do((core, now) => core.hangUp(now));
  t.equal(phone.ear, 'dial');
  phone.press('12');
  phone.do((core, now) => core.hangUp(now));
  t.equal(phone.ear, 'dial');
  t.equal(phone.status.dialed, '');
  t.throws(() => phone.do((core, now) => core.hangUp(now)), { code: 'no-call' });
});

t.test('redial calls who was called last, by key and by command', async (t) => {
  const { house, phone, peer } = talking();
  phone.hangUp();
  house.run(100);
  phone.pressKey('redial');
  house.run(100);
  t.equal(phone.calls[0]?.remote.uri, peer.uri);
  phone.do((core, now) => core.hangUp(now));
  house.run(100);
  t.match(
    phone.do((core, now) => core.redial(now)),
    /^[a-z2-7]{8}$/,
  );
  t.equal(phone.calls[0]?.remote.uri, peer.uri);
});

t.test('the keys hold and mute do what they say, and muting ends with the call', async (t) => {
  const { house, phone } = talking();
  phone.pressKey('mute');
  t.strictSame([...phone.media.muted], ['handset']);
  phone.pressKey('hold');
  house.run(100);
  t.strictSame(phone.callStates, ['held']);
  phone.pressKey('hold');
  t.strictSame(phone.callStates, ['active']);
  phone.hangUp();
  t.strictSame([...phone.media.muted], []);
  phone.pressKey('hold');
  phone.pressKey('nonsense');
  t.strictSame(
    phone.callStates.filter((state) => state !== 'ending'),
    [],
    'a key without a use is no harm',
  );
});

const wired: BoardProfile = { ...virtualProfile, hook: { driver: 'gpio', pin: 17, activeLow: true, debounceMs: 20 } };

t.test('a hook that moved while hal was away is made up for', async (t) => {
  const { house, phone, peer } = talking({}, wired);
  phone.crashHal();
  t.equal(phone.status.daemons.hal, false);
  t.strictSame(phone.callStates, ['active'], 'the call goes on');
  phone.hangUp();
  t.strictSame(phone.callStates, ['active'], 'nobody knows yet');
  phone.connectHal();
  house.run(100);
  t.strictSame(phone.callStates, []);
  t.equal(peer.eventsOf('ended').length, 1);
});

t.test('a virtual handset that was lifted is lifted again for a hal that restarted', async (t) => {
  const { house, phone } = talking();
  phone.crashHal();
  t.equal(phone.board.hook, 'onHook');
  phone.connectHal();
  house.run(100);
  t.equal(phone.board.hook, 'offHook');
  t.strictSame(phone.callStates, ['active']);
  phone.hangUp();
  house.run(100);
  t.strictSame(phone.callStates, []);
});

t.test('lamps are shown again to a hal that restarted', async (t) => {
  const { phone } = talking();
  t.equal(phone.led('call'), 'on');
  phone.crashHal();
  t.equal(phone.led('call'), undefined);
  phone.connectHal();
  t.equal(phone.led('call'), 'on');
});

t.test('tones are given again by a media daemon that restarted', async (t) => {
  const { phone } = atHome();
  phone.lift();
  phone.crashMedia();
  t.equal(phone.ear, undefined);
  phone.connectMedia();
  t.equal(phone.ear, 'dial');
});

t.test('a board with fewer lamps is sent no commands for those it has not', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.barePhone({ board: { ...virtualProfile, leds: { call: { driver: 'virtual', debounceMs: 0 } } } });
  phone.lift();
  t.equal(phone.led('call'), 'on');
  t.notOk(phone.phone.status(house.network.now).counters['hal-led-failed'], 'no command failed');
});

t.test('lamps show what is going on in the patterns that the settings give them, also when those change meanwhile', async (t) => {
  const patterns = { ringing: 'blink', inUse: 'doubleFlash', onHold: 'fastBlink' };
  const settings = Object.fromEntries(Object.entries(patterns).map(([name, pattern]) => [`lamp.${name}`, pattern]));
  const { house, phone, peer } = atHome(settings);
  const shown = () => ['call', 'message', 'registered'].map((name) => phone.led(name) ?? 'off').join(' ');
  t.equal(shown(), 'off off off');
  peer.call('sip:phone@10.0.0.50');
  house.run(500);
  t.equal(shown(), 'blink off off');
  phone.lift();
  house.run(500);
  t.equal(shown(), 'doubleFlash off off');
  phone.pressKey('hold');
  house.run(500);
  t.equal(shown(), 'fastBlink off off');
  phone.changeSettings({ 'lamp.onHold': 'on' });
  t.equal(shown(), 'on off off');
  phone.hangUp();
  house.run(1_000);
});

t.test('lamps of a USB handset follow the call: ringing, off hook, muted, on hold', async (t) => {
  const names = ['ring', 'off-hook', 'mute', 'hold'];
  const leds = Object.fromEntries(names.map((name) => [name, { driver: 'virtual', debounceMs: 0 } as const]));
  const { house, phone, peer } = atHome({}, { ...virtualProfile, leds });
  const shown = () => names.map((name) => phone.led(name) ?? 'off').join(' ');
  t.equal(shown(), 'off off off off');
  peer.call('sip:phone@10.0.0.50');
  house.run(500);
  t.equal(shown(), 'fastBlink off off off');
  phone.lift();
  house.run(500);
  t.equal(shown(), 'off on off off');
  phone.pressKey('mute');
  t.equal(shown(), 'off on on off');
  phone.pressKey('mute');
  phone.pressKey('hold');
  house.run(500);
  t.equal(shown(), 'off on off on');
  phone.pressKey('hold');
  house.run(500);
  phone.hangUp();
  house.run(1_000);
  t.equal(shown(), 'off off off off');
});

t.test('no howler where the setting wants none; a call that comes meanwhile is heard, and hanging up ends it', async (t) => {
  const { house, phone, peer } = atHome({ 'phone.howlerSeconds': '0' });
  phone.lift();
  house.run(50_300);
  t.equal(phone.ear, undefined);
  phone.changeSettings({ 'phone.howlerSeconds': '600' });
  phone.hangUp();
  phone.lift();
  house.run(50_300);
  t.equal(phone.ear, 'howler');
  peer.call(`sip:x@${phone.host.address}`);
  house.run(300);
  t.equal(phone.ear, 'callWaiting');
  phone.hangUp();
  house.run(300);
  t.equal(phone.bell, 'ring');
});

t.test('each line has a bell of its own; keys are heard by who presses them, or not', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.phone('anna', { settings: { 'line.1.ring': 'westminster' } });
  const bert = house.phone('bert', { settings: { 'phone.keyTones': 'false' } });
  bert.lift();
  bert.do((core, now) => core.call(now, 'anna'));
  house.run(300);
  t.equal(anna.bell, 'westminster');
  anna.changeSettings({ 'audio.ringer.volume': '30' });
  const volumes = anna.media.commands.flatMap((command) => (command.name === 'setVolume' ? [command.args] : []));
  t.match(volumes.at(-1), { device: 'ringer', volume: 30 }, 'at a volume of its own');
  anna.lift();
  house.run(300);
  t.equal(anna.bell, undefined);
  const keys = (phone: SimulatedPhone) =>
    phone.media.commands.flatMap((command) => (command.name === 'playKey' ? [command.args.digit] : []));
  anna.press('12');
  bert.press('3');
  anna.do((core, now) => core.digit(now, '4'));
  t.strictSame([keys(anna), keys(bert)], [['1', '2', '4'], []]);
  anna.hangUp();
  anna.lift();
  anna.press('56');
  t.strictSame(keys(anna), ['1', '2', '4', '5', '6'], 'also while dialling');
  t.throws(() => {
    anna.hangUp();
    anna.digit('7');
  });
  t.strictSame(keys(anna).length, 5, 'a key of no use makes no sound');
});

const silent = (phone: SimulatedPhone) => [phone.ear, phone.bell].filter((tone) => tone !== undefined);

t.test('whatever a person does with hook, keys and callers, hanging up leads back to silence', async (t) => {
  const random = (seed: number) => {
    let state = seed;
    return (below: number) => {
      state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
      return (state >> 8) % below;
    };
  };
  for (let seed = 1; seed <= 25; seed++) {
    const next = random(seed);
    const { house, phone, peer, other } = atHome({ 'phone.ringSeconds': '20', 'phone.noAnswerSeconds': '20' });
    const acts = [
      () => phone.lift(),
      () => phone.hangUp(),
      () => phone.flash(),
      () => phone.press('12'),
      () => phone.press(`${keyed(peer.address)}#`),
      () => phone.pressKey('hold'),
      () => phone.pressKey('redial'),
      () => phone.pressKey('mute'),
      () => peer.call('sip:phone@10.0.0.50'),
      () => other.call('sip:phone@10.0.0.50'),
      () => peer.eventsOf('incoming').length > 0 && peer.accept(),
      () => peer.eventsOf('incoming').length > 0 && peer.end(peer.incoming),
      () => phone.crashMedia(),
      () => phone.connectMedia(),
      () => phone.crashHal(),
      () => phone.connectHal(),
      () => house.run(3_000),
    ];
    for (let step = 0; step < 60; step++) {
      acts[next(acts.length)]?.();
      house.run(next(400));
    }
    phone.connectHal();
    phone.connectMedia();
    phone.hangUp();
    house.run(1_000);
    for (const call of phone.calls) phone.do((core, now) => (call.state === 'ending' ? undefined : core.hangUp(now, call.call)));
    house.run(60_000);
    t.strictSame(phone.callStates, [], `seed ${seed}: no call is left`);
    t.strictSame(silent(phone), [], `seed ${seed}: and no sound`);
    t.strictSame(phone.media.sessions, [], `seed ${seed}: no port`);
    t.equal(phone.led('call'), 'off', `seed ${seed}: the lamp is out`);
  }
});
