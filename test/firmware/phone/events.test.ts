import t from 'tap';
import { SimulatedHouse } from '#test/support/simulated-house.ts';

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
