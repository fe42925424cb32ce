import t from 'tap';
import { SimulatedHouse } from '#test/support/simulated-house.ts';
import type { SimulatedPhone } from '#test/support/simulated-phone.ts';

const watchable = { acceptWatchers: true } as const;

t.test('RFC 4235, 6665 two phones behind the exchange: a lamp follows the calls of a watched line', async (t) => {
  const house = new SimulatedHouse();
  const bert = house.phone('bert', watchable);
  const anna = house.phone('anna', { settings: { 'line.1.watch': 'bert' } });
  const carl = house.phone('carl');
  const state = () => anna.status.watched[0]?.state;
  t.match(anna.status.watched, [{ line: '1', name: 'bert', kind: 'calls', state: 'idle', remote: null, reason: null }]);
  carl.do((phone, now) => phone.call(now, 'bert'));
  house.run(2_000);
  t.equal(state(), 'ringing');
  t.equal(anna.status.watched[0]?.remote, 'carl');
  bert.lift();
  house.run(2_000);
  t.equal(state(), 'busy');
  bert.hangUp();
  house.run(3_000);
  t.equal(state(), 'idle');
  t.same(
    anna.factsOf('watched').map((fact) => fact.state),
    ['idle', 'ringing', 'busy', 'idle'],
  );
  anna.changeSettings({ 'line.1.watch': '' });
  house.run(2_000);
  t.same(anna.status.watched, []);
  const describe = bert.phone.describe(house.network.now) as { userAgent: { watchers: object[] } };
  t.equal(describe.userAgent.watchers.length, 0, 'the subscription is given up');
});

t.test('RFC 5359 §2.16, 3891 a call that rings at a watched line is picked up; with a code the exchange does it', async (t) => {
  const house = new SimulatedHouse();
  const bert = house.phone('bert', watchable);
  const anna = house.phone('anna', { settings: { 'line.1.watch': 'bert' } });
  const carl = house.phone('carl');
  t.throws(() => anna.do((phone, now) => phone.act(now, ({ events }) => events.watches.pickUp(now))), { code: 'no-call' });
  carl.do((phone, now) => phone.call(now, 'bert'));
  house.run(2_000);
  anna.do((phone, now) => phone.act(now, ({ events }) => events.watches.pickUp(now, 'bert')));
  house.run(3_000);
  t.same(anna.callStates, ['active']);
  t.same(carl.callStates, ['active']);
  t.same(bert.callStates, [], 'it rings no more where it rang');
  t.equal(bert.missedOnDisk, 0, 'and is not missed');
  anna.do((phone, now) => phone.hangUp(now));
  house.run(2_000);
  anna.changeSettings({ 'phone.pickupCode': '*8' });
  carl.do((phone, now) => phone.call(now, 'bert'));
  house.run(2_000);
  anna.pressKey('watch1');
  house.run(500);
  t.match(anna.calls.at(-1)?.remote.uri ?? anna.callLog.at(-1)?.remote, /^sip:\*8bert@/);
});

const join = (phone: SimulatedPhone, name?: string) =>
  phone.do((core, now) => core.act(now, ({ events }) => events.watches.join(now, name)));
const hears = ({ calls }: SimulatedPhone) => Math.min(...calls.map(({ media }) => media?.packetsReceived ?? 0));

t.test('RFC 3911 §4 a third comes into the call of a watched line: all hear each other, and each may leave', async (t) => {
  const house = new SimulatedHouse();
  const bert = house.phone('bert', { ...watchable, settings: { 'line.1.acceptJoin': 'all' } });
  const anna = house.phone('anna', { settings: { 'line.1.watch': 'bert', 'phone.joinByKey': 'true' } });
  const carl = house.phone('carl');
  t.throws(() => join(anna), { code: 'no-call' });
  t.throws(() => join(anna, 'bert'), { code: 'no-call' });
  carl.do((phone, now) => phone.call(now, 'bert'));
  house.run(1_000);
  bert.lift();
  house.run(2_000);
  anna.pressKey('watch1');
  house.run(3_000);
  t.match(anna.calls, [{ state: 'active', remote: { uri: 'sip:bert@house.example' } }]);
  t.match(bert.calls, [
    { state: 'active', conference: true },
    { state: 'active', conference: true, remote: { uri: 'sip:anna@house.example' } },
  ]);
  t.equal(bert.bell, undefined, 'nothing rings');
  t.match(bert.factsOf('call.joined'), [{ remote: 'sip:anna@house.example' }]);
  house.run(3_000);
  for (const phone of [anna, bert, carl]) t.ok(hears(phone) > 50);
  carl.hangUp();
  house.run(1_000);
  t.match(bert.calls, [{ state: 'active', conference: false, remote: { uri: 'sip:anna@house.example' } }], 'the other two go on');
  bert.hangUp();
  house.run(1_000);
  t.same([anna.calls, bert.calls, carl.calls], [[], [], []]);
});

t.test('RFC 3911 §8 nobody comes in whom the line does not let: 403, 486 while it rings, is held or full', async (t) => {
  const house = new SimulatedHouse();
  const bert = house.phone('bert', { ...watchable, settings: { 'phone.conferenceLegs': '2' } });
  const anna = house.phone('anna', { settings: { 'line.1.watch': 'bert' } });
  const carl = house.phone('carl');
  const dora = house.phone('dora', { settings: { 'line.1.watch': 'bert' } });
  carl.do((phone, now) => phone.call(now, 'bert'));
  house.run(1_000);
  bert.lift();
  house.run(2_000);
  const outcome = (phone = anna) => {
    join(phone, 'bert');
    house.run(2_000);
    const [call] = phone.calls;
    if (call) return call.state;
    return phone.callLog.at(-1)?.statusCode;
  };
  t.equal(outcome(), 403, 'off');
  bert.changeSettings({ 'line.1.acceptJoin': 'own' });
  t.equal(outcome(), 403, 'not from an address of ours');
  bert.changeSettings({ 'line.1.acceptJoin': 'all' });
  house.run(1_000);
  bert.do((phone, now) => phone.hold(now));
  house.run(500);
  t.equal(outcome(), 486, 'nobody listens');
  bert.do((phone, now) => phone.resume(now));
  house.run(500);
  t.equal(outcome(), 'active');
  t.equal(outcome(dora), 486, 'full');
  t.match(bert.calls, [{ state: 'active' }, { state: 'active' }], 'who talks is not disturbed by any of it');
});

t.test('RFC 3911 §4 own: another phone of the same person comes in, by the same number', async (t) => {
  const house = new SimulatedHouse();
  const desk = house.phone('bert', { ...watchable, settings: { 'line.1.acceptJoin': 'own' } });
  const carl = house.phone('carl');
  carl.do((phone, now) => phone.call(now, 'bert'));
  house.run(1_000);
  desk.lift();
  house.run(2_000);
  const kitchen = house.phone('bert', { ...watchable, address: '10.0.0.30', settings: { 'line.1.watch': 'bert' } });
  house.run(1_000);
  join(kitchen);
  house.run(3_000);
  t.same(kitchen.callStates, ['active']);
  t.match(desk.calls, [{ conference: true }, { conference: true }]);
});

t.test('RFC 3856, 3863 presence is told from phone to phone: ready, on the phone, not to be disturbed', async (t) => {
  const house = new SimulatedHouse();
  const bert = house.phone('bert', watchable);
  const anna = house.phone('anna', { settings: { 'line.1.watchPresence': 'bert' } });
  const carl = house.phone('carl');
  const state = () => anna.status.watched[0]?.state;
  t.equal(state(), 'open');
  carl.do((phone, now) => phone.call(now, 'bert'));
  house.run(1_000);
  bert.lift();
  house.run(7_000);
  t.equal(state(), 'busy');
  bert.hangUp();
  bert.do((phone, now) => phone.setDoNotDisturb(now, true));
  house.run(7_000);
  t.equal(state(), 'away');
});

t.test('a line that may not be watched, or is not there, is unknown, with the reason', async (t) => {
  const house = new SimulatedHouse();
  house.phone('bert');
  const anna = house.phone('anna', { settings: { 'line.1.watch': 'bert, nobody' } });
  house.run(1_000);
  t.match(anna.status.watched, [
    { name: 'bert', state: 'unknown', reason: '489' },
    { name: 'nobody', state: 'unknown', reason: '404' },
  ]);
});

t.test('RFC 6910 who was busy calls back: asked for after the busy tone, the bell when they are free, lifted and connected', async (t) => {
  const house = new SimulatedHouse();
  const bert = house.phone('bert', { userAgentSettings: { offerCompletion: true }, settings: { 'phone.callWaiting': 'false' } });
  const anna = house.phone('anna');
  const carl = house.phone('carl');
  carl.do((phone, now) => phone.call(now, 'bert'));
  house.run(500);
  bert.lift();
  house.run(1_000);
  anna.lift();
  anna.do((phone, now) => phone.call(now, 'bert'));
  house.run(1_000);
  t.equal(anna.ear, 'busy');
  t.match(anna.status.completion, { remote: 'bert', state: 'offered' });
  anna.hangUp();
  t.match(anna.status.display, ['bert was busy', 'Call back when free?']);
  anna.do((phone, now) => phone.act(now, ({ events }) => events.completion.ask(now)));
  house.run(1_000);
  t.match(anna.status.completion, { state: 'waiting' });
  bert.hangUp();
  house.run(3_000);
  t.match(anna.status.completion, { state: 'ready' });
  t.equal(anna.bell, 'ring');
  anna.lift();
  house.run(2_000);
  t.equal(anna.status.completion, null);
  t.equal(bert.bell, 'ring', 'they are called');
  bert.lift();
  house.run(1_000);
  t.same(anna.callStates, ['active']);
  t.throws(() => anna.do((phone, now) => phone.act(now, ({ events }) => events.completion.ask(now))), { code: 'nothing-to-complete' });
});

t.test('RFC 6910 nobody lifts, or the person no longer wants to: the queue is left', async (t) => {
  const house = new SimulatedHouse();
  const bert = house.phone('bert', { userAgentSettings: { offerCompletion: true }, settings: { 'phone.callWaiting': 'false' } });
  const anna = house.phone('anna');
  const watchers = () => (bert.phone.describe(house.network.now) as { userAgent: { watchers: object[] } }).userAgent.watchers.length;
  bert.lift();
  anna.do((phone, now) => phone.call(now, 'bert'));
  house.run(1_000);
  anna.do((phone, now) => phone.act(now, ({ events }) => events.completion.ask(now)));
  house.run(1_000);
  t.equal(watchers(), 1);
  anna.do((phone, now) => phone.act(now, ({ events }) => events.completion.cancel(now)));
  house.run(1_000);
  t.equal(watchers(), 0);
  t.equal(anna.status.completion, null);
});

t.test('RFC 3428, 3994 messages outlive a restart, and who writes to whom we know is shown', async (t) => {
  const house = new SimulatedHouse();
  const bert = house.phone('bert');
  const anna = house.phone('anna');
  anna.do((phone, now) => phone.act(now, ({ texts }) => texts.send(now, { target: 'bert', text: 'hello' })));
  house.run(1_000);
  t.match([...anna.textsOnDisk.values()], [{ direction: 'outgoing', text: 'hello', statusCode: 200 }]);
  bert.do((phone, now) => phone.act(now, ({ texts }) => texts.composing(now, { target: 'anna' }, true)));
  house.run(500);
  t.same(anna.status.writing, ['sip:bert@house.example']);
  bert.do((phone, now) => phone.act(now, ({ texts }) => texts.send(now, { target: 'anna', text: 'hi' })));
  house.run(500);
  t.same(anna.status.writing, [], 'the message ends it');
  t.equal(anna.status.unreadTexts, 1);
  anna.powerCut();
  house.run(2_000);
  t.same(
    anna.phone.texts.all.map(({ text }) => text),
    ['hello', 'hi'],
  );
  t.equal(anna.status.unreadTexts, 1);
  const stranger = house.phone('carl');
  stranger.do((phone, now) => phone.act(now, ({ texts }) => texts.composing(now, { target: 'anna' }, true)));
  house.run(500);
  t.same(anna.status.writing, [], 'who has never written is not told, and not shown');
});

t.test('RFC 6665 §4.4.1 two phones of one person: the lamp shows what either does', async (t) => {
  const house = new SimulatedHouse();
  const desk = house.phone('bert', watchable);
  const kitchen = house.phone('bert', { ...watchable, address: '10.0.0.30' });
  const anna = house.phone('anna', { settings: { 'line.1.watch': 'bert' } });
  const carl = house.phone('carl');
  const state = () => anna.status.watched[0]?.state;
  t.equal(state(), 'idle');
  carl.do((phone, now) => phone.call(now, 'bert'));
  house.run(2_000);
  t.equal(state(), 'ringing');
  kitchen.lift();
  house.run(3_000);
  t.equal(state(), 'busy');
  desk.lift();
  desk.do((phone, now) => phone.call(now, 'dora'));
  house.run(3_000);
  kitchen.hangUp();
  house.run(3_000);
  desk.hangUp();
  house.run(3_000);
  t.equal(state(), 'idle');
  const [watch] = (anna.phone.describe(house.network.now) as { userAgent: { subscriptions: { legs: object[] }[] } }).userAgent
    .subscriptions;
  t.equal(watch?.legs.length, 2);
});

t.test('check-sync: settings are taken up at once, a restart waits until nobody talks', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.phone('anna', { userAgentSettings: { acceptCheckSync: 'server' } });
  let sent = 0;
  const command = (event: string) => {
    const lines = [
      'NOTIFY sip:anna@10.0.0.10 SIP/2.0',
      `Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKsync${++sent}`,
      'Max-Forwards: 70',
      'From: <sip:anna@house.example>;tag=x',
      'To: <sip:anna@house.example>',
      `Call-ID: sync${sent}`,
      'CSeq: 1 NOTIFY',
      `Event: ${event}`,
      'Subscription-State: terminated',
      'Content-Length: 0',
    ];
    house.exchangeHost.sendText(anna.host, `${lines.join('\r\n')}\r\n\r\n`);
    house.run(500);
  };
  command('check-sync;reboot=false');
  t.same(anna.maintained, ['reload']);
  const bert = house.phone('bert');
  anna.do((phone, now) => phone.call(now, 'bert'));
  house.run(500);
  bert.lift();
  house.run(500);
  command('check-sync;reboot=true');
  t.same(anna.maintained, ['reload'], 'not in a call');
  anna.do((phone, now) => phone.hangUp(now));
  house.run(1_000);
  t.same(anna.maintained, ['reload', 'restart']);
});

t.test('documents that are none, and floods of them, change nothing but a counter', async (t) => {
  const house = new SimulatedHouse();
  const peer = house.network.host('10.0.0.77');
  let subscribe = '';
  peer.listen((text) => {
    if (!text.startsWith('SUBSCRIBE')) return;
    subscribe = text;
    const copied = ['Via', 'From', 'Call-ID', 'CSeq'].map((name) => new RegExp(`^${name}: .*$`, 'm').exec(text)?.[0].trim());
    const more = ['To: <sip:bob@10.0.0.77>;tag=n', 'Contact: <sip:bob@10.0.0.77>', 'Expires: 600', 'Content-Length: 0'];
    peer.sendText({ address: '10.0.0.50', port: 5060 }, `SIP/2.0 200 OK\r\n${[...copied, ...more].join('\r\n')}\r\n\r\n`);
  });
  const settings = { 'line.1.aor': 'sip:anna@10.0.0.50', 'line.1.register': 'false', 'line.1.watch': 'sip:bob@10.0.0.77' };
  const phone = house.barePhone({ settings });
  house.run(500);
  const header = (name: string) => new RegExp(`^${name}: (.*?)\r?$`, 'm').exec(subscribe)?.[1] ?? '';
  const tell = (sequence: number, body: string) => {
    const lines = [
      'NOTIFY sip:anna@10.0.0.50 SIP/2.0',
      `Via: SIP/2.0/UDP 10.0.0.77;branch=z9hG4bKd${sequence}`,
      'Max-Forwards: 70',
      'From: <sip:bob@10.0.0.77>;tag=n',
      `To: ${header('From')}`,
      `Call-ID: ${header('Call-ID')}`,
      `CSeq: ${sequence} NOTIFY`,
      'Contact: <sip:bob@10.0.0.77>',
      'Event: dialog',
      'Subscription-State: active;expires=600',
      'Content-Type: application/dialog-info+xml',
      `Content-Length: ${body.length}`,
    ];
    peer.sendText(phone.host, `${lines.join('\r\n')}\r\n\r\n${body}`);
  };
  const dialogs = (count: number) =>
    `<dialog-info version="1" state="full">${Array.from({ length: count }, (_, id) => `<dialog id="${id}"><state>early</state></dialog>`).join('')}</dialog-info>`;
  const bad = [
    'junk',
    '<dialog-info',
    '<presence/>',
    '<a>'.repeat(100),
    '<!DOCTYPE a [<!ENTITY b "c">]><dialog-info>&b;</dialog-info>',
    dialogs(1_000),
  ];
  for (const [index, body] of bad.entries()) {
    tell(index + 1, body);
    house.run(20);
  }
  t.equal(phone.status.counters['event-document-unreadable'], bad.length);
  t.equal(phone.status.watched[0]?.state, 'unknown');
  for (let count = 0; count < 500; count++) tell(100 + count, dialogs(100).replace('version="1"', `version="${count + 1}"`));
  house.run(1_000);
  t.equal(phone.status.watched[0]?.state, 'ringing');
  tell(1_000, dialogs(0).replace('version="1"', 'version="7"'));
  house.run(100);
  t.equal(phone.status.watched[0]?.state, 'ringing', 'RFC 4235 §3.8 what is older is passed over');
});
