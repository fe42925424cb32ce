import t from 'tap';
import type { Logger } from '#firmware/core/logger.ts';
import { type ScriptedPeer, SimulatedHouse } from '#test/support/simulated-house.ts';
import type { SimulatedPhone } from '#test/support/simulated-phone.ts';

const setting = (name: string, people: readonly ScriptedPeer[], more: Readonly<Record<string, string>> = {}) => ({
  [`alert.${name}.people`]: people.map(({ uri }) => uri).join(', '),
  [`alert.${name}.file`]: '/alarm.wav',
  ...Object.fromEntries(Object.entries(more).map(([leaf, text]) => [`alert.${name}.${leaf}`, text])),
});

/** A phone with the alert `fire` and two people it calls. */
function atHome(more: Readonly<Record<string, string>> = {}) {
  const house = new SimulatedHouse();
  const people = [house.peer(), house.peer()] as const;
  const phone = house.barePhone({ settings: setting('fire', people, more) });
  return { house, phone, people };
}

const start = (phone: SimulatedPhone, name = 'fire', token?: string) => phone.do((core, now) => core.alert(now, name, token));
const stateOf = (phone: SimulatedPhone, name = 'fire') => phone.status.alerts.find(({ alert }) => alert === name);
const pressed = (person: ScriptedPeer, digit: string) => person.info(person.incoming, 'application/dtmf-relay', `Signal=${digit}`);
const called = (person: ScriptedPeer) => person.eventsOf('incoming').length;

t.test('an alert calls the first person, plays its message, and is over when somebody presses the digit', async (t) => {
  const { house, phone, people } = atHome();
  t.match(stateOf(phone), { state: 'idle' });
  t.equal(start(phone), 'queued');
  house.run(100);
  t.equal(called(people[0]), 1);
  t.equal(called(people[1]), 0, 'one after the other');
  t.match(stateOf(phone), { state: 'calling', person: people[0].uri, round: 1 });
  people[0].accept();
  house.run(100);
  t.strictSame([...phone.media.playing.values()], ['/alarm.wav']);
  t.match(phone.media.commands.findLast(({ name }) => name === 'startPlayback')?.args, { repeat: 0 });
  pressed(people[0], '7');
  house.run(100);
  t.match(stateOf(phone), { state: 'calling' }, 'not just any digit');
  pressed(people[0], '1');
  house.run(100);
  t.match(stateOf(phone), { state: 'acknowledged', acknowledgedBy: people[0].uri });
  t.strictSame([...phone.media.playing.values()], [], 'the message stops');
  house.run(5_000);
  t.equal(people[0].eventsOf('ended').length, 1, 'and the call ends');
  house.run(300_000);
  t.equal(called(people[1]), 0, 'nobody else is called');
  t.match(phone.callLog, [{ owner: 'alert', outcome: 'accepted' }]);
});

t.test('the digit may come by RFC 4733, and be another by setting', async (t) => {
  const { house, phone, people } = atHome({ acknowledgeDigit: '5' });
  start(phone);
  house.run(100);
  people[0].accept();
  house.run(100);
  const fields = { session: phone.calls[0]?.call ?? '', digit: '5' as const, durationMs: 100, way: 'event' as const };
  phone.do((core, now) => core.mediaEvent(now, { name: 'digit', fields }));
  t.match(stateOf(phone), { state: 'acknowledged' });
});

t.test('busy, declined, not answered: the next person is called', async (t) => {
  const { house, phone, people } = atHome({ ringSeconds: '15' });
  start(phone);
  house.run(100);
  people[0].reject(486);
  house.run(200);
  t.equal(called(people[1]), 1);
  t.match(stateOf(phone), { state: 'calling', person: people[1].uri });
  people[1].ring();
  house.run(15_500);
  t.equal(people[1].eventsOf('cancelled').length, 1);
  t.match(stateOf(phone), { state: 'pausing', person: null });
});

t.test('an answering machine accepts but presses nothing, so it does not count', async (t) => {
  const { house, phone, people } = atHome({ listenSeconds: '30' });
  start(phone);
  house.run(100);
  people[0].accept();
  house.run(29_000);
  t.equal(called(people[1]), 0);
  house.run(2_000);
  t.equal(people[0].eventsOf('ended').length, 1);
  t.equal(called(people[1]), 1);
  people[1].accept();
  house.run(1_000);
  people[1].end(people[1].incoming);
  house.run(200);
  t.match(stateOf(phone), { state: 'pausing' }, 'nor does somebody who hangs up');
});

t.test('rounds follow with pauses between, until none is left', async (t) => {
  const { house, phone, people } = atHome({ rounds: '2', pauseSeconds: '120' });
  const decline = () => {
    house.run(100);
    for (const person of people) {
      person.reject(603);
      house.run(200);
    }
  };
  start(phone);
  decline();
  t.match(stateOf(phone), { state: 'pausing', round: 1 });
  house.run(119_000);
  t.equal(called(people[0]), 1);
  house.run(1_500);
  t.match(stateOf(phone), { state: 'calling', round: 2 });
  decline();
  t.match(stateOf(phone), { state: 'exhausted', round: 2 });
  t.equal(phone.alertsOnDisk.get('fire')?.attempts, 4);
  house.run(600_000);
  t.equal(called(people[0]), 2, 'it is given up');
  start(phone);
  house.run(100);
  t.match(stateOf(phone), { state: 'calling', round: 1 }, 'and may be started anew');
  t.equal(phone.alertsOnDisk.get('fire')?.attempts, 1);
});

t.test('every change of an alert goes to disk', async (t) => {
  const { house, phone, people } = atHome({ rounds: '1' });
  start(phone);
  house.run(100);
  people[0].reject(486);
  house.run(200);
  people[1].accept();
  house.run(100);
  pressed(people[1], '1');
  house.run(100);
  t.match(phone.alertHistory, [
    { state: 'queued', attempts: 0 },
    { state: 'calling', person: 0, attempts: 1, round: 1 },
    { state: 'calling', person: 1, attempts: 2 },
    { state: 'acknowledged', acknowledgedBy: people[1].uri },
  ]);
});

t.test('an alert is taken up after a power cut with whom it was calling', async (t) => {
  const { house, phone, people } = atHome();
  start(phone);
  house.run(100);
  people[0].reject(486);
  house.run(200);
  t.equal(called(people[1]), 1);
  phone.powerCut();
  house.run(500);
  t.match(stateOf(phone), { state: 'calling', person: people[1].uri });
  t.equal(called(people[0]), 1);
  t.equal(called(people[1]), 2, 'whoever was being called is called again');
  t.equal(phone.alertsOnDisk.get('fire')?.attempts, 3);
  people[1].accept();
  house.run(100);
  pressed(people[1], '1');
  house.run(100);
  phone.powerCut();
  house.run(60_000);
  t.match(stateOf(phone), { state: 'acknowledged', acknowledgedBy: people[1].uri });
  t.equal(called(people[0]) + called(people[1]), 3, 'an acknowledged alert is never repeated');
});

t.test('an alert that was pausing is taken up with the round it was in', async (t) => {
  const { house, phone, people } = atHome({ rounds: '3' });
  start(phone);
  house.run(100);
  for (const person of people) {
    person.reject(486);
    house.run(200);
  }
  t.match(stateOf(phone), { state: 'pausing', round: 1 });
  phone.powerCut();
  house.run(500);
  t.equal(stateOf(phone)?.state, 'calling');
  t.equal(phone.alertsOnDisk.get('fire')?.attempts, 3);
});

t.test('after a power cut an alert waits for its line to be registered, but not for ever', async (t) => {
  const house = new SimulatedHouse();
  const person = house.phone('bert');
  const settings = { 'alert.fire.people': 'bert', 'alert.fire.file': '/alarm.wav' };
  const phone = house.phone('anna', { settings });
  house.exchangeHost.detach();
  start(phone);
  house.run(1_000);
  phone.powerCut();
  house.run(5_000);
  t.match(stateOf(phone), { state: 'queued' });
  t.equal(phone.status.lines[0]?.registration.state, 'registering');
  house.startExchange();
  house.run(10_000);
  t.equal(phone.status.lines[0]?.registration.state, 'registered');
  t.strictSame(person.callStates, ['ringing'], 'called as soon as that could be');
  house.exchangeHost.detach();
  phone.powerCut();
  house.run(31_000);
  t.match(stateOf(phone), { state: 'calling' }, 'a line that stays away is tried all the same');
});

t.test('several alerts call one after the other, the longest waiting first', async (t) => {
  const house = new SimulatedHouse();
  const person = house.peer();
  const settings = { ...setting('fire', [person], { rounds: '2' }), ...setting('flood', [person]), ...setting('burglar', [person]) };
  const phone = house.barePhone({ settings });
  start(phone, 'flood');
  start(phone, 'burglar');
  start(phone, 'fire');
  house.run(100);
  t.equal(called(person), 1, 'nobody is called by two alerts at once');
  t.strictSame(
    ['flood', 'burglar', 'fire'].map((name) => stateOf(phone, name)?.state),
    ['calling', 'queued', 'queued'],
  );
  person.accept();
  house.run(100);
  pressed(person, '1');
  house.run(100);
  t.equal(called(person), 1, 'the thanks are heard out');
  house.run(3_000);
  t.match(stateOf(phone, 'burglar'), { state: 'calling' });
  person.reject(486);
  house.run(200);
  t.match(stateOf(phone, 'burglar'), { state: 'pausing' });
  t.match(stateOf(phone, 'fire'), { state: 'calling' }, 'a pause of one is the turn of another');
});

t.test('an alert that runs is not started twice', async (t) => {
  const { house, phone, people } = atHome();
  start(phone);
  house.run(100);
  t.equal(start(phone), 'calling');
  house.run(100);
  t.equal(called(people[0]), 1);
  t.match(phone.factsOf('alert.repeated'), [{ alert: 'fire' }]);
});

t.test('an input of the board starts its alert', async (t) => {
  const { house, phone, people } = atHome({ input: 'pir' });
  phone.pushButton('contact');
  t.match(stateOf(phone), { state: 'idle' });
  phone.input('pir', true);
  house.run(100);
  t.equal(called(people[0]), 1);
});

t.test('the network has to show the token of the alert; the machine itself need not', async (t) => {
  const lines: string[] = [];
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: (event, fields) => lines.push(`${event} ${JSON.stringify(fields)}`),
    error: () => undefined,
  };
  const house = new SimulatedHouse();
  const person = house.peer();
  const settings = { ...setting('fire', [person], { token: 'opensesame' }), ...setting('flood', [person]) };
  const phone = house.barePhone({ settings, logger });
  for (const [name, token] of [
    ['fire', ''],
    ['fire', 'wrong'],
    ['fire', 'opensesam'],
    ['flood', ''],
    ['flood', 'opensesame'],
    ['nothing', 'opensesame'],
  ] as const) {
    t.throws(() => start(phone, name, token), { code: 'wrong-token' }, `${name} with “${token}”`);
  }
  t.equal(phone.status.counters['alert-token-refused'], 6);
  t.match(lines, [/alert-token-refused.*fire/], 'logged, and not once for each try');
  t.notMatch(lines.join(), /opensesam/, 'without what was tried');
  t.equal(start(phone, 'fire', 'opensesame'), 'queued');
  house.run(100);
  t.equal(called(person), 1);
  t.equal(start(phone, 'flood'), 'queued', 'the CLI brings no token');
});

t.test('an alert without people says so', async (t) => {
  const { phone } = atHome({ people: '' });
  t.throws(() => start(phone), { code: 'nobody-to-call' });
});

t.test('people who cannot be called are stepped over', async (t) => {
  const house = new SimulatedHouse();
  const person = house.peer();
  const phone = house.barePhone({ settings: { ...setting('fire', []), 'alert.fire.people': `600, ${person.uri}` } });
  start(phone);
  house.run(100);
  t.equal(called(person), 1);
  t.match(phone.factsOf('alert.personNotCalled'), [{ person: '600' }]);
});

t.test('a message that cannot be played is replaced by a bell', async (t) => {
  for (const file of ['/gone.wav', '']) {
    const { house, phone, people } = atHome({ file });
    start(phone);
    house.run(100);
    people[0].accept();
    house.run(100);
    t.equal(phone.media.tones.get(phone.calls[0]?.call ?? ''), 'ring', `“${file}”`);
    pressed(people[0], '1');
    house.run(100);
    t.match(stateOf(phone), { state: 'acknowledged' });
  }
});

t.test('an alert and the handset do not disturb each other', async (t) => {
  const { house, phone, people } = atHome();
  const friend = house.peer();
  phone.lift();
  phone.do((core, now) => core.call(now, friend.uri));
  house.run(100);
  friend.accept();
  house.run(100);
  start(phone);
  house.run(100);
  people[0].accept();
  house.run(100);
  t.strictSame(
    phone.calls.map(({ owner, state }) => `${owner} ${state}`),
    ['handset active', 'alert active'],
  );
  t.equal(phone.ear, undefined);
  phone.hangUp();
  house.run(100);
  t.strictSame(
    phone.calls.map(({ owner }) => owner),
    ['alert'],
  );
  const caller = house.peer();
  caller.call('sip:phone@10.0.0.50');
  house.run(100);
  t.equal(phone.bell, 'ring', 'the handset is free for callers');
  phone.lift();
  house.run(100);
  t.equal(caller.eventsOf('accepted').length, 1);
  pressed(people[0], '1');
  house.run(100);
  t.match(stateOf(phone), { state: 'acknowledged' });
});

t.test('a media daemon that restarts goes on playing the message', async (t) => {
  const { house, phone, people } = atHome();
  start(phone);
  house.run(100);
  people[0].accept();
  house.run(100);
  phone.crashMedia();
  t.strictSame([...phone.media.playing.values()], []);
  phone.connectMedia();
  t.strictSame([...phone.media.playing.values()], ['/alarm.wav']);
});

t.test('an alert that is taken away ends, and is forgotten on disk', async (t) => {
  const { house, phone, people } = atHome();
  start(phone);
  house.run(100);
  phone.changeSettings({}, ['alert.fire.people', 'alert.fire.file']);
  house.run(200);
  t.equal(people[0].eventsOf('cancelled').length, 1);
  t.strictSame(phone.status.alerts, []);
  t.equal(phone.alertsOnDisk.get('fire')?.state, 'idle');
});

t.test('a phone that is stopped leaves its alerts on disk as they were, to be taken up', async (t) => {
  const { house, phone, people } = atHome();
  start(phone);
  house.run(100);
  people[0].accept();
  house.run(100);
  phone.do((core, now) => core.stop(now));
  house.run(5_000);
  t.equal(people[0].eventsOf('ended').length, 1);
  t.equal(called(people[1]), 0, 'nobody else is called any more');
  t.match(phone.alertsOnDisk.get('fire'), { state: 'calling', person: 0 });
  t.throws(() => phone.do((core, now) => core.call(now, people[0].uri)), { code: 'stopping' });
  phone.powerCut();
  house.run(500);
  t.equal(called(people[0]), 2);
});
