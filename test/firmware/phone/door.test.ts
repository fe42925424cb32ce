import t from 'tap';
import { type ScriptedPeer, SimulatedHouse } from '#test/support/simulated-house.ts';

const setting = (peers: readonly ScriptedPeer[], more: Readonly<Record<string, string>> = {}) => ({
  'door.front.input': 'button',
  'door.front.relay': 'door',
  'door.front.people': peers.map(({ uri }) => uri).join(', '),
  ...more,
});

/** A door station and two people it calls. */
function atDoor(more: Readonly<Record<string, string>> = {}) {
  const house = new SimulatedHouse();
  const people = [house.peer(), house.peer()] as const;
  const phone = house.barePhone({ settings: setting(people, more) });
  return { house, phone, people };
}

/** The button was pressed and the first person accepted. */
function visiting(more: Readonly<Record<string, string>> = {}) {
  const door = atDoor(more);
  const [person] = door.people;
  door.phone.pushButton('button');
  person.accept();
  door.house.run(200);
  return { ...door, person, session: person.incoming };
}

const enter = (house: SimulatedHouse, person: ScriptedPeer, digits: string) => {
  for (const digit of digits) {
    person.info(person.incoming, 'application/dtmf-relay', `Signal=${digit}\r\nDuration=100`);
    house.run(300);
  }
};

t.test('the button calls everyone at once, and the visitor hears the ringback', async (t) => {
  const { phone, people } = atDoor();
  phone.pushButton('button');
  for (const person of people) t.equal(person.eventsOf('incoming').length, 1);
  t.strictSame(
    phone.calls.map(({ owner }) => owner),
    ['door', 'door'],
  );
  t.equal(phone.ear, 'ringback', 'on the device of the door');
  t.match(phone.doorLog, [{ door: 'front', event: 'rung', by: 'input button' }]);
  phone.pushButton('button');
  t.equal(people[0].eventsOf('incoming').length, 1, 'pressing again changes nothing');
  t.equal(phone.doorLog.length, 1);
});

t.test('the first who accepts gets the visitor, the others are let go', async (t) => {
  const { house, phone, people } = atDoor();
  phone.pushButton('button');
  people[1].accept();
  house.run(200);
  t.strictSame(phone.callStates, ['active']);
  t.match(people[0].eventsOf('cancelled'), [{ acceptedElsewhere: true }], 'RFC 3326 it has missed nothing');
  t.equal(phone.ear, undefined);
  t.match(phone.media.commands.filter(({ name }) => name === 'connectSession').at(-1)?.args, { device: 'handset' });
});

t.test('of two who accept in the same moment one gets the visitor, the other a BYE', async (t) => {
  const { house, phone, people } = atDoor();
  phone.pushButton('button');
  people[0].accept();
  people[1].accept();
  house.run(500);
  t.strictSame(phone.callStates, ['active']);
  t.equal(people.filter((person) => person.eventsOf('ended').length === 1).length, 1);
});

t.test('the other device may be the door’s', async (t) => {
  const { house, phone, people } = atDoor({ 'door.front.device': 'ringer' });
  phone.pushButton('button');
  t.equal(phone.bell, 'ringback');
  t.equal(phone.ear, undefined);
  people[0].accept();
  house.run(200);
  t.match(phone.media.commands.filter(({ name }) => name === 'connectSession').at(-1)?.args, { device: 'ringer' });
});

t.test('nobody accepts: the visitor hears congestion, then silence, and may ring again', async (t) => {
  const { house, phone, people } = atDoor({ 'door.front.ringSeconds': '20' });
  phone.pushButton('button');
  house.run(20_200);
  for (const person of people) t.equal(person.eventsOf('cancelled').length, 1);
  t.equal(phone.ear, 'congestion');
  house.run(5_000);
  t.equal(phone.ear, undefined);
  phone.pushButton('button');
  t.equal(people[0].eventsOf('incoming').length, 2);
});

t.test('everybody declines: the visitor need not wait', async (t) => {
  const { house, phone, people } = atDoor();
  phone.pushButton('button');
  for (const person of people) person.reject(603);
  house.run(200);
  t.equal(phone.ear, 'congestion');
});

t.test('a person whose address is none keeps nobody else from being called', async (t) => {
  const house = new SimulatedHouse();
  const person = house.peer();
  const phone = house.barePhone({ settings: setting([person], { 'door.front.people': `600, ${person.uri}` }) });
  phone.pushButton('button');
  t.equal(person.eventsOf('incoming').length, 1);
  t.match(phone.factsOf('door.personNotCalled'), [{ person: '600' }]);
  const nobody = house.barePhone({ address: '10.0.0.60', settings: setting([], { 'door.front.people': '' }) });
  nobody.pushButton('button');
  t.equal(nobody.ear, 'congestion', 'with nobody to call it says so');
});

t.test('a visit ends after the longest call, by the far end, or by whoever hangs up here', async (t) => {
  const limited = visiting({ 'door.front.maximumCallSeconds': '30' });
  limited.house.run(29_000);
  t.strictSame(limited.phone.callStates, ['active']);
  limited.house.run(1_500);
  t.strictSame(limited.phone.callStates, []);
  t.match(limited.person.eventsOf('ended'), [{ by: 'remote' }]);
  const left = visiting();
  left.person.end(left.session);
  left.house.run(200);
  t.strictSame(left.phone.callStates, []);
  t.equal(left.phone.ear, undefined);
  left.phone.pushButton('button');
  t.equal(left.person.eventsOf('incoming').length, 2, 'the next visitor rings again');
});

const codes: readonly (readonly [name: string, send: (person: ScriptedPeer, digit: string) => void])[] = [
  ['dtmf-relay', (person, digit) => person.info(person.incoming, 'application/dtmf-relay', `Signal=${digit}\r\nDuration=160`)],
  ['dtmf', (person, digit) => person.info(person.incoming, 'application/dtmf', digit)],
  ['dtmf by number', (person, digit) => person.info(person.incoming, 'application/dtmf', digit === '*' ? '10' : digit)],
];
for (const [name, send] of codes) {
  t.test(`the code opens by INFO in the form ${name}, once an entry`, async (t) => {
    const { house, phone, person } = visiting();
    for (const digit of '**9') {
      send(person, digit);
      house.run(300);
    }
    t.match(phone.board.pulses, [{ relay: 'door', durationMs: 3_000 }]);
    t.match(phone.doorLog, [{ event: 'rung' }, { door: 'front', event: 'released', by: person.uri, via: 'info', detail: 'relay door' }]);
    for (const digit of '**9') {
      send(person, digit);
      house.run(300);
    }
    t.equal(phone.board.pulses.length, 2);
    t.strictSame(phone.callStates, ['active'], 'the visit goes on');
  });
}

t.test('the code opens by RFC 4733', async (t) => {
  const { house, phone, person } = visiting();
  for (const digit of ['*', '*', '9'] as const) {
    const fields = { session: phone.calls[0]?.call ?? '', digit, durationMs: 120, way: 'event' as const };
    phone.do((core, now) => core.mediaEvent(now, { name: 'digit', fields }));
    house.run(300);
  }
  t.equal(phone.board.pulses.length, 1);
  t.match(phone.doorLog[1], { event: 'released', by: person.uri, via: 'rfc4733' });
});

t.test('a code whose every press comes both ways pulses the relay once', async (t) => {
  const { house, phone, person } = visiting();
  for (const digit of ['*', '*', '9'] as const) {
    person.info(person.incoming, 'application/dtmf-relay', `Signal=${digit}`);
    house.run(150);
    const fields = { session: phone.calls[0]?.call ?? '', digit, durationMs: 120, way: 'event' as const };
    phone.do((core, now) => core.mediaEvent(now, { name: 'digit', fields }));
    house.run(150);
  }
  t.equal(phone.board.pulses.length, 1);
  t.equal(phone.doorLog.filter(({ event }) => event === 'released').length, 1);
});

t.test('whoever opened hears a confirmation', async (t) => {
  const { house, phone, person } = visiting();
  enter(house, person, '**9');
  const call = phone.calls[0]?.call ?? '';
  t.equal(phone.media.tones.get(call), 'confirmation');
  house.run(1_500);
  t.equal(phone.media.tones.get(call), undefined);
});

t.test('code, relay and pulse are settings; hal has the last word on the length', async (t) => {
  const { house, phone, person } = visiting({ 'door.front.code': '4711', 'door.front.pulseMs': '30000' });
  enter(house, person, '**9');
  t.equal(phone.board.pulses.length, 0);
  enter(house, person, '4711');
  t.match(phone.board.pulses, [{ durationMs: 10_000 }]);
});

t.test('a wrong code and one who may not are refused and written down', async (t) => {
  const { house, phone, person } = visiting();
  enter(house, person, '**8');
  t.equal(phone.board.pulses.length, 0);
  t.match(phone.doorLog.at(-1), { event: 'refused', by: person.uri, via: 'info', detail: 'wrong code' });
  enter(house, person, '**9');
  t.equal(phone.board.pulses.length, 1, 'another try is allowed');
  const strict = visiting({ 'door.front.mayRelease': 'sip:somebody@else.example' });
  enter(strict.house, strict.person, '**9');
  t.equal(strict.phone.board.pulses.length, 0);
  t.match(strict.phone.doorLog.at(-1), { event: 'refused', detail: 'not allowed to open' });
});

t.test('a relay that does not move, and a hal that is away, are written down', async (t) => {
  const { house, phone, person } = visiting();
  phone.board.broken.set('door', 'line is busy');
  enter(house, person, '**9');
  t.match(phone.doorLog.at(-1), { event: 'refused', detail: 'line is busy' });
  phone.crashHal();
  enter(house, person, '**9');
  t.match(phone.doorLog.at(-1), { event: 'refused', detail: 'hal is away' });
  phone.board.broken.clear();
  phone.connectHal();
  enter(house, person, '**9');
  t.match(phone.doorLog.at(-1), { event: 'released' });
});

t.test('the code of a call that is no visit opens nothing', async (t) => {
  const { house, phone, people } = atDoor();
  const [person] = people;
  phone.do((core, now) => core.call(now, person.uri));
  house.run(100);
  person.accept();
  house.run(100);
  enter(house, person, '**9');
  t.equal(phone.board.pulses.length, 0);
});

t.test('a button that hangs at the start of hal rings nobody, one pressed while hal was away does', async (t) => {
  const house = new SimulatedHouse();
  const person = house.peer();
  const phone = house.barePhone({ settings: setting([person]) });
  phone.crashHal();
  phone.board.inputs.set('button', true);
  phone.connectHal();
  house.run(200);
  t.equal(person.eventsOf('incoming').length, 1, 'it was open before, so it was pressed meanwhile');
  phone.powerCut();
  house.run(2_000);
  t.equal(person.eventsOf('incoming').length, 1, 'nobody saw it open, so nobody pressed it');
});

t.test('a visit and the handset do not disturb each other', async (t) => {
  const { house, phone, people, person } = visiting({ 'door.front.device': 'ringer' });
  phone.lift();
  t.equal(phone.ear, 'dial');
  people[1].call('sip:phone@10.0.0.50');
  house.run(200);
  phone.flash();
  house.run(200);
  t.strictSame(phone.callStates, ['active', 'active']);
  phone.hangUp();
  house.run(200);
  t.strictSame(phone.callStates, ['active'], 'the visit goes on');
  enter(house, person, '**9');
  t.equal(phone.board.pulses.length, 1);
});

t.test('a door that is taken away ends its visit, a new one works at once', async (t) => {
  const { house, phone, people } = visiting();
  phone.changeSettings(setting(people, { 'door.back.input': 'contact', 'door.back.people': people[1].uri, 'door.back.relay': 'door' }), []);
  t.strictSame(phone.callStates, ['active'], 'a change elsewhere ends nothing');
  phone.changeSettings({}, ['door.front.input', 'door.front.people', 'door.front.relay']);
  house.run(200);
  t.strictSame(phone.callStates, []);
  phone.pushButton('contact');
  t.equal(people[1].eventsOf('incoming').length, 2);
});
