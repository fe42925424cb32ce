import t from 'tap';
import { SimulatedHouse } from '#test/support/simulated-house.ts';
import type { SimulatedPhone } from '#test/support/simulated-phone.ts';

/** Loudness of a frequency in what a phone's handset gave during the last `ms`, 0 to 1 of full scale. */
function loudness(phone: SimulatedPhone, frequency: number, ms = 500): number {
  const samples = phone.media.device('handset').heard.slice(-8 * ms);
  let real = 0;
  let imaginary = 0;
  samples.forEach((sample, index) => {
    real += sample * Math.cos((2 * Math.PI * frequency * index) / 8000);
    imaginary += sample * Math.sin((2 * Math.PI * frequency * index) / 8000);
  });
  return (2 * Math.hypot(real, imaginary)) / Math.max(1, samples.length) / 32_768;
}

const hears = (phone: SimulatedPhone, frequency: number) => loudness(phone, frequency) > 0.1;

/** `anna` dials `bert`, who lifts. */
function connect(house: SimulatedHouse, from: SimulatedPhone, to: SimulatedPhone, name: string): void {
  from.lift();
  from.do((core, now) => core.call(now, name));
  house.run(300);
  to.lift();
  house.run(300);
}

t.test('lift, dial, talk, press digits, hang up: from hook to hook', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.phone('anna');
  const bert = house.phone('bert');
  anna.lift();
  t.equal(anna.ear, 'dial');
  anna.do((core, now) => core.call(now, 'bert'));
  t.equal(anna.ear, undefined);
  house.run(300);
  t.equal(anna.ear, 'ringback');
  t.equal(bert.bell, 'ring');
  t.equal(bert.led('call'), 'fastBlink');
  t.strictSame(bert.status.display, ['Incoming call', 'anna']);
  anna.media.device('handset').speaks = 500;
  bert.media.device('handset').speaks = 1300;
  bert.lift();
  house.run(2_000);
  t.ok(hears(bert, 500) && hears(anna, 1300), 'each hears the other');
  t.notOk(hears(bert, 1300) || hears(anna, 500), 'and nobody himself');
  anna.press('12*#');
  house.run(500);
  t.equal(bert.calls[0]?.digitsReceived, '12*#');
  t.equal(bert.calls[0]?.media?.packetsLost, 0);
  anna.hangUp();
  house.run(300);
  t.equal(bert.ear, 'busy');
  bert.hangUp();
  house.run(300);
  for (const phone of [anna, bert]) {
    t.strictSame(phone.callStates, []);
    t.match(phone.callLog, [{ outcome: 'accepted', seconds: 3 }]);
    t.equal(phone.led('call'), 'off');
  }
  t.match(anna.callLog[0], { direction: 'outgoing', remote: 'sip:bert@house.example', line: '1' });
  t.match(bert.callLog[0], { direction: 'incoming', remote: 'sip:anna@house.example', displayName: 'anna' });
});

for (const mode of ['info', 'rfc4733', 'both']) {
  t.test(`digits by ${mode} arrive once each, quick and double ones too`, async (t) => {
    const house = new SimulatedHouse();
    const anna = house.phone('anna', { settings: { 'phone.digitMode': mode } });
    const bert = house.phone('bert');
    connect(house, anna, bert, 'bert');
    for (const digit of '00112') {
      anna.pressKey(digit);
      house.run(350);
    }
    anna.press('**9##');
    house.run(4_000);
    t.equal(bert.calls[0]?.digitsReceived, '00112**9##');
    t.equal(bert.status.calls[0]?.media?.digitsReceived, mode === 'info' ? 0 : 10);
  });
}

t.test('two calls and one handset: hold, change, hang up, all three heard as they should be', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.phone('anna');
  const bert = house.phone('bert');
  const carl = house.phone('carl');
  anna.media.device('handset').speaks = 500;
  bert.media.device('handset').speaks = 900;
  carl.media.device('handset').speaks = 1300;
  connect(house, anna, bert, 'bert');
  carl.lift();
  carl.do((core, now) => core.call(now, 'anna'));
  house.run(500);
  t.equal(anna.ear, 'callWaiting');
  t.equal(carl.ear, 'ringback');
  anna.flash();
  house.run(2_000);
  t.strictSame(anna.callStates, ['held', 'active']);
  t.ok(hears(anna, 1300) && hears(carl, 500));
  t.notOk(hears(anna, 900) || hears(bert, 500), 'who is held hears nothing and is not heard');
  t.equal(bert.calls[0]?.heldByRemote, true);
  t.match(bert.status.display, [/anna/, 'They hold the call']);
  anna.flash();
  house.run(2_000);
  t.strictSame(anna.callStates, ['active', 'held']);
  t.ok(hears(anna, 900) && hears(bert, 500));
  t.notOk(hears(carl, 500));
  bert.hangUp();
  house.run(300);
  t.equal(anna.ear, 'busy');
  anna.hangUp();
  house.run(300);
  t.equal(anna.bell, 'ring', 'carl is still there');
  anna.lift();
  house.run(2_000);
  t.ok(hears(carl, 500) && hears(anna, 1300));
  carl.hangUp();
  anna.hangUp();
  house.run(500);
  for (const phone of [anna, bert, carl]) t.strictSame(phone.callStates, []);
});

t.test('each may hold the other at once, and both come back', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.phone('anna');
  const bert = house.phone('bert');
  connect(house, anna, bert, 'bert');
  anna.media.device('handset').speaks = 500;
  bert.media.device('handset').speaks = 900;
  for (const phone of [anna, bert]) phone.do((core, now) => core.hold(now));
  house.run(10_000);
  for (const phone of [anna, bert]) {
    t.strictSame(phone.callStates, ['held']);
    t.equal(phone.calls[0]?.heldByRemote, true);
  }
  anna.do((core, now) => core.resume(now));
  house.run(1_000);
  bert.do((core, now) => core.resume(now));
  house.run(10_000);
  for (const phone of [anna, bert]) {
    t.strictSame(phone.callStates, ['active']);
    t.equal(phone.calls[0]?.heldByRemote, false);
  }
  t.ok(hears(anna, 900) && hears(bert, 500));
});

t.test('the exchange says who cannot be reached: unknown, offline, busy, declined', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.phone('anna');
  const bert = house.phone('bert', { settings: { 'phone.callWaiting': 'false' } });
  const attempt = (name: string) => {
    anna.lift();
    anna.do((core, now) => core.call(now, name));
    house.run(500);
    const { ear } = anna;
    anna.hangUp();
    house.run(500);
    return `${ear} ${anna.callLog.at(-1)?.statusCode}`;
  };
  t.equal(attempt('nobody'), 'congestion 404');
  t.equal(attempt('carl'), 'congestion 480');
  bert.lift();
  t.equal(attempt('bert'), 'busy 486');
  bert.hangUp();
  anna.lift();
  anna.do((core, now) => core.call(now, 'bert'));
  house.run(300);
  bert.do((core, now) => core.hangUp(now));
  house.run(300);
  t.equal(anna.ear, 'busy');
  t.equal(anna.callLog.at(-1)?.outcome, 'declined');
});

t.test('a visitor rings two phones; one accepts and opens the door by a code that comes both ways', async (t) => {
  const house = new SimulatedHouse();
  const settings = {
    'door.front.input': 'button',
    'door.front.relay': 'door',
    'door.front.people': 'bert, carl',
  };
  const door = house.phone('anna', { settings });
  const bert = house.phone('bert');
  const carl = house.phone('carl', { settings: { 'phone.digitMode': 'both' } });
  door.media.device('handset').speaks = 500;
  carl.media.device('handset').speaks = 1300;
  door.pushButton('button');
  house.run(300);
  t.equal(bert.bell, 'ring');
  t.equal(carl.bell, 'ring');
  t.equal(door.ear, 'ringback');
  carl.lift();
  house.run(2_000);
  t.strictSame(bert.callStates, [], 'the other bell stops');
  t.ok(hears(door, 1300) && hears(carl, 500));
  for (const key of '**9') {
    carl.pressKey(key);
    house.run(400);
  }
  house.run(1_000);
  t.match(door.board.pulses, [{ relay: 'door', durationMs: 3_000 }]);
  t.match(door.doorLog, [{ event: 'rung' }, { event: 'released', by: 'sip:carl@house.example' }]);
  carl.hangUp();
  house.run(300);
  t.strictSame(door.callStates, []);
  t.equal(door.callLog.filter(({ owner }) => owner === 'door').length, 2);
});

t.test('an alert goes from one to the next until it is acknowledged, over a power cut', async (t) => {
  const house = new SimulatedHouse();
  const settings = { 'alert.fire.people': 'bert, carl', 'alert.fire.file': '/alarm.wav', 'alert.fire.ringSeconds': '15' };
  const anna = house.phone('anna', { settings });
  const bert = house.phone('bert');
  const carl = house.phone('carl');
  anna.do((core, now) => core.alert(now, 'fire'));
  house.run(300);
  t.equal(bert.bell, 'ring');
  house.run(15_500);
  t.equal(bert.bell, undefined);
  t.equal(carl.bell, 'ring');
  anna.powerCut();
  house.run(3_000);
  t.strictSame(carl.callStates, ['ringing', 'ringing'], 'called again; the first call does not know yet that nobody is there');
  carl.lift();
  house.run(500);
  t.strictSame(carl.callStates, ['accepting', 'waiting'], 'nobody is there to acknowledge the first');
  t.equal(carl.ear, 'callWaiting');
  carl.hangUp();
  house.run(300);
  t.equal(carl.bell, 'ring', 'the second is what counts');
  carl.lift();
  house.run(500);
  carl.press('1');
  house.run(3_000);
  t.match(anna.status.alerts, [{ state: 'acknowledged', acknowledgedBy: 'carl' }]);
  t.strictSame(carl.ear, 'busy', 'thanked and let go');
});

t.test('both media daemons crash in a call and come back: the call is heard again', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.phone('anna');
  const bert = house.phone('bert');
  connect(house, anna, bert, 'bert');
  const speak = () => {
    anna.media.device('handset').speaks = 500;
    bert.media.device('handset').speaks = 900;
  };
  speak();
  house.run(1_000);
  anna.crashMedia();
  bert.crashMedia();
  house.run(1_000);
  anna.connectMedia();
  house.run(200);
  bert.connectMedia();
  speak();
  house.run(8_000);
  t.strictSame([...anna.callStates, ...bert.callStates], ['active', 'active']);
  t.ok(hears(anna, 900) && hears(bert, 500));
});

t.test('a phone calls another by its address, without any registrar', async (t) => {
  const house = new SimulatedHouse();
  const door = house.barePhone({ address: '10.0.2.1' });
  const inside = house.barePhone({ address: '10.0.2.2' });
  door.lift();
  door.press('10*0*2*2#');
  house.run(300);
  t.equal(inside.bell, 'ring');
  inside.lift();
  door.media.device('handset').speaks = 500;
  house.run(2_000);
  t.ok(hears(inside, 500));
  inside.hangUp();
  house.run(300);
  t.strictSame(door.callStates, []);
});

t.test('calls come about and end cleanly over a bad network', async (t) => {
  for (let seed = 1; seed <= 12; seed++) {
    const quality = { seed, loss: 0.15, duplication: 0.1, reordering: 0.1, latency: { least: 5, most: 60 } };
    const house = new SimulatedHouse(quality);
    const anna = house.phone('anna');
    const bert = house.phone('bert');
    house.run(30_000);
    anna.lift();
    anna.do((core, now) => core.call(now, 'bert'));
    house.network.runUntil(() => bert.bell === 'ring', 30_000);
    bert.lift();
    house.network.runUntil(() => anna.callStates[0] === 'active' && bert.callStates[0] === 'active', 30_000);
    t.strictSame([...anna.callStates, ...bert.callStates], ['active', 'active'], `seed ${seed}: they talk`);
    anna.press('123');
    house.run(20_000);
    t.equal(bert.calls[0]?.digitsReceived, '123', `seed ${seed}: in order, each once`);
    bert.hangUp();
    house.run(40_000);
    t.equal(anna.ear, 'howler', 'nobody has put it back');
    anna.hangUp();
    house.run(40_000);
    t.strictSame([...anna.callStates, ...bert.callStates], [], `seed ${seed}: and nothing is left`);
    t.strictSame([...anna.media.sessions, ...bert.media.sessions], []);
  }
});

/** Anna's phone talks with bert, then with carl, bert on hold. */
function threeInTwoCalls(settings: Readonly<Record<string, string>> = {}) {
  const house = new SimulatedHouse();
  const anna = house.phone('anna', { settings });
  const bert = house.phone('bert');
  const carl = house.phone('carl');
  anna.media.device('handset').speaks = 500;
  bert.media.device('handset').speaks = 900;
  carl.media.device('handset').speaks = 1300;
  connect(house, anna, bert, 'bert');
  anna.flash();
  anna.do((core, now) => core.call(now, 'carl'));
  house.run(300);
  carl.lift();
  house.run(500);
  return { house, anna, bert, carl };
}

const allHear = (anna: SimulatedPhone, bert: SimulatedPhone, carl: SimulatedPhone) => [
  hears(anna, 900) && hears(anna, 1300) && !hears(anna, 500),
  hears(bert, 500) && hears(bert, 1300) && !hears(bert, 900),
  hears(carl, 500) && hears(carl, 900) && !hears(carl, 1300),
];

t.test('a conference of three by key, by flash and by command: all hear each other and nobody himself', async (t) => {
  for (const way of ['key', 'flash', 'command'] as const) {
    const { house, anna, bert, carl } = threeInTwoCalls(way === 'flash' ? { 'phone.flash': 'conference' } : {});
    t.notOk(hears(bert, 1300));
    if (way === 'key') anna.pressKey('conference');
    else if (way === 'flash') anna.flash();
    else anna.do((core, now) => core.act(now, ({ sounds }) => sounds.unite(now)));
    house.run(2_000);
    t.strictSame(anna.callStates, ['active', 'active'], way);
    t.strictSame(allHear(anna, bert, carl), [true, true, true]);
    t.strictSame(anna.status.display, ['Conference of 3', 'bert, carl']);
    t.strictSame(
      anna.calls.map(({ conference }) => conference),
      [true, true],
    );
    anna.press('7');
    house.run(1_000);
    t.strictSame([bert.calls[0]?.digitsReceived, carl.calls[0]?.digitsReceived], ['7', '7'], 'a key goes to all');
    anna.hangUp();
    house.run(500);
    for (const phone of [anna, bert, carl]) t.strictSame(phone.callStates, []);
    t.equal(bert.ear, 'busy');
  }
});

t.test('a fourth joins a conference that waits for them, one is dropped, another hangs up, a plain call is left', async (t) => {
  const { house, anna, bert, carl } = threeInTwoCalls();
  const dora = house.phone('dora');
  dora.media.device('handset').speaks = 1700;
  anna.pressKey('conference');
  house.run(1_000);
  t.throws(() => anna.do((core, now) => core.call(now, 'dora')), /hold it/);
  anna.flash();
  house.run(1_000);
  t.equal(anna.ear, 'dial');
  t.strictSame(anna.callStates, ['held', 'held']);
  t.notOk(hears(bert, 1300), 'while the conference is on hold nobody in it hears anybody');
  anna.do((core, now) => core.call(now, 'dora'));
  house.run(300);
  dora.lift();
  house.run(1_000);
  anna.flash();
  house.run(1_000);
  t.strictSame(anna.callStates, ['active', 'active', 'held'], 'a flash changes between the conference and the call');
  t.ok(hears(anna, 900) && hears(anna, 1300) && !hears(anna, 1700));
  anna.pressKey('conference');
  house.run(2_000);
  t.strictSame(allHear(anna, bert, carl), [true, true, true]);
  t.ok(hears(dora, 500) && hears(dora, 900) && hears(dora, 1300) && hears(bert, 1700) && hears(carl, 1700) && hears(anna, 1700));
  anna.do((core, now) => core.hangUp(now, anna.calls[1]?.call));
  house.run(1_000);
  t.equal(carl.ear, 'busy');
  t.ok(hears(dora, 900) && hears(bert, 1700) && hears(anna, 900) && hears(anna, 1700));
  bert.hangUp();
  house.run(1_000);
  t.strictSame(anna.callStates, ['active']);
  t.equal(anna.calls[0]?.conference, false);
  t.match(anna.status.display, ['dora', 'Connected']);
  t.ok(hears(dora, 500) && hears(anna, 1700));
  anna.hangUp();
  house.run(500);
  t.strictSame(dora.callStates, []);
});

t.test('a conference does not listen to who holds it; one can be put on hold alone, and turned down', async (t) => {
  const { house, anna, bert, carl } = threeInTwoCalls();
  anna.pressKey('conference');
  house.run(1_000);
  bert.do((core, now) => core.hold(now));
  house.run(1_500);
  t.ok(hears(anna, 1300) && hears(carl, 500) && !hears(carl, 900));
  const joins = anna.media.commands.flatMap((command) => (command.name === 'connectSession' ? [command.args] : []));
  t.match(joins.at(-1), { session: anna.calls[0]?.call, device: null }, 'who holds may play music');
  bert.do((core, now) => core.resume(now));
  house.run(1_500);
  t.strictSame(allHear(anna, bert, carl), [true, true, true]);
  const [first] = anna.calls;
  anna.do((core, now) => core.hold(now, first?.call));
  house.run(1_000);
  t.strictSame(anna.callStates, ['held', 'active'], 'one put on hold by name is out of the conference');
  t.strictSame(
    anna.calls.map(({ conference }) => conference),
    [false, false],
  );
  t.ok(hears(carl, 500) && !hears(bert, 500));
  anna.do((core, now) => core.act(now, ({ sounds }) => sounds.setLevel(-20, anna.calls[1]?.call)));
  house.run(1_000);
  t.notOk(hears(anna, 1300), 'turned down');
  t.equal(anna.calls[1]?.level, -20);
  anna.crashMedia();
  anna.connectMedia();
  house.run(1_500);
  t.notOk(hears(anna, 1300), 'also by a media daemon that came back');
  t.throws(() => anna.do((core, now) => core.act(now, ({ sounds }) => sounds.setLevel(3, 'nobody'))), /no call nobody/);
});

t.test('who is on hold hears music from a file, or nothing; announcements go into a call', async (t) => {
  const { house, anna } = threeInTwoCalls({ 'phone.holdMusic': 'music.wav', 'phone.soundDirectory': '/sounds' });
  const [first, second] = anna.calls.map(({ call }) => call);
  if (!first || !second) throw new Error('there are two calls');
  const started = () => anna.media.commands.flatMap((command) => (command.name === 'startPlayback' ? [command.args] : []));
  t.match(started().at(-1), { target: { session: first }, file: '/sounds/music.wav', repeat: 0 });
  anna.flash();
  house.run(300);
  t.match(started().at(-1), { target: { session: second }, file: '/sounds/music.wav' }, 'the other is on hold now');
  t.match(anna.media.commands.filter(({ name }) => name === 'stopPlayback').at(-1), { args: { playback: `playback-${first}` } });
  const count = started().length;
  anna.changeSettings({ 'phone.holdMusic': '' });
  t.equal(started().length, count);
  anna.do((core, now) => core.act(now, ({ sounds }) => sounds.play('hello.wav', 1)));
  t.match(started().at(-1), { target: { session: first }, file: '/sounds/hello.wav', repeat: 1 });
  for (const bad of ['../hello.wav', '/etc/passwd', 'x/y.wav', '.hidden.wav', 'a.mp3', '', `${'a'.repeat(120)}.wav`]) {
    t.throws(() => anna.do((core, now) => core.act(now, ({ sounds }) => sounds.play(bad, 1))), { code: 'unknown-file' }, bad);
  }
  anna.hangUp();
  house.run(100);
  t.throws(() => anna.do((core, now) => core.act(now, ({ sounds }) => sounds.play('hello.wav', 1))), { code: 'no-call' });
});

t.test('who hangs up a conference leaves the two others talking with each other, where the setting wants it', async (t) => {
  const { house, anna, bert, carl } = threeInTwoCalls({ 'phone.conferenceEnd': 'connect' });
  anna.pressKey('conference');
  house.run(1_000);
  anna.hangUp();
  house.run(3_000);
  t.strictSame(anna.callStates, []);
  t.strictSame([bert.callStates, carl.callStates], [['active'], ['active']]);
  t.ok(hears(bert, 1300) && hears(carl, 900));
  t.notOk(hears(bert, 500) || hears(carl, 500));
});

t.test('where they cannot be connected the conference ends for all', async (t) => {
  const { house, anna, bert, carl } = threeInTwoCalls({ 'phone.conferenceEnd': 'connect' });
  for (const phone of [bert, carl]) phone.changeSettings({ 'phone.acceptTransfers': 'never' });
  anna.pressKey('conference');
  house.run(1_000);
  anna.hangUp();
  house.run(3_000);
  for (const phone of [anna, bert, carl]) t.strictSame(phone.callStates, []);
});

t.test('a conference outlives the phone process, and has its limit', async (t) => {
  const { house, anna, bert, carl } = threeInTwoCalls({ 'phone.conferenceLegs': '2' });
  t.throws(() => bert.do((core, now) => core.act(now, ({ sounds }) => sounds.unite(now))), /two accepted calls/);
  anna.pressKey('conference');
  house.run(1_000);
  anna.crashPhone();
  house.run(1_000);
  anna.restartPhone();
  house.run(2_000);
  t.strictSame(allHear(anna, bert, carl), [true, true, true]);
  t.strictSame(
    anna.calls.map(({ conference }) => conference),
    [true, true],
  );
  const dora = house.phone('dora');
  anna.flash();
  anna.do((core, now) => core.call(now, 'dora'));
  house.run(300);
  dora.lift();
  house.run(500);
  t.throws(() => anna.do((core, now) => core.act(now, ({ sounds }) => sounds.unite(now))), /2 far ends at most/);
  t.strictSame(anna.callStates, ['held', 'held', 'active'], 'and all is as it was');
  anna.hangUp();
  house.run(500);
  t.equal(anna.bell, 'ring', 'the conference is still there');
  anna.lift();
  house.run(1_500);
  t.strictSame(allHear(anna, bert, carl), [true, true, true]);
});
