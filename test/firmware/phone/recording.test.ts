import t from 'tap';
import { virtualProfile } from '#test/support/simulated-board.ts';
import { SimulatedHouse } from '#test/support/simulated-house.ts';

const board = { ...virtualProfile, leds: { ...virtualProfile.leds, record: { driver: 'virtual', debounceMs: 0 } } } as const;

/** A phone with a line and a far end; `call` makes an accepted call of the line. */
function atBert(settings: Readonly<Record<string, string>> = {}) {
  const house = new SimulatedHouse();
  const line = { 'line.1.aor': 'sip:bert@10.0.0.50', 'line.1.register': 'false' };
  const bert = house.barePhone({ settings: { ...line, ...settings }, board });
  const peer = house.peer();
  const call = (): string => {
    const id = bert.do((phone, now) => phone.call(now, peer.uri, '1'));
    house.run(100);
    peer.accept();
    house.run(200);
    return id;
  };
  const recorded = () => bert.calls.map(({ recording }) => recording);
  return { house, bert, peer, call, recorded };
}

const command = (bert: ReturnType<typeof atBert>['bert'], on: boolean, id?: string) =>
  bert.do((phone, now) => phone.act(now, ({ sounds }) => sounds.record(on, id)));

t.test('a person begins and ends the recording of a call: by command, by the key record, by digits', async (t) => {
  const { house, bert, call, recorded } = atBert({ 'recording.code': '*1', 'recording.beep': 'start' });
  t.throws(() => command(bert, true), { code: 'no-call' });
  const id = call();
  t.strictSame([recorded(), bert.led('record')], [[false], 'off'], 'nobody has asked for it');
  t.throws(() => command(bert, false), { code: 'wrong-state' });
  command(bert, true);
  t.match(bert.media.commands.at(-1), { name: 'startRecording', args: { session: id, beep: 'start' } });
  t.strictSame([recorded(), bert.led('record'), bert.media.recording.size], [[true], 'blink', 1]);
  t.throws(() => command(bert, true, id), { code: 'wrong-state' });
  command(bert, false);
  t.strictSame([recorded(), bert.led('record'), bert.media.recording.size], [[false], 'off', 0]);
  bert.pressKey('record');
  t.equal(bert.media.recording.size, 1);
  bert.press('1*1');
  t.equal(bert.media.recording.size, 0, 'the code ends it');
  bert.press('*1');
  t.equal(bert.media.recording.size, 1, 'and begins it');
  t.match(bert.factsOf('recording.began').length, 3);
  bert.do((phone, now) => phone.hangUp(now, id));
  house.run(500);
  t.strictSame([bert.callStates, bert.led('record')], [[], 'off']);
  bert.pressKey('record');
  t.strictSame(bert.media.recording.size, 0, 'without a call the key does nothing');
});

t.test('line.*.record: calls of the line by themselves, once accepted, and what a person has stopped stays so', async (t) => {
  const { house, bert, peer, recorded } = atBert({ 'line.1.record': 'outgoing' });
  const id = bert.do((phone, now) => phone.call(now, peer.uri, '1'));
  house.run(100);
  t.equal(bert.media.recording.size, 0, 'it is not accepted yet');
  peer.accept();
  house.run(200);
  t.strictSame([recorded(), bert.media.recording.size], [[true], 1]);
  command(bert, false, id);
  house.run(2000);
  t.strictSame([recorded(), bert.media.recording.size], [[false], 0]);
});

t.test('calls the other way, and calls of no line, are not', async (t) => {
  const { bert, call, recorded } = atBert({ 'line.1.record': 'incoming' });
  call();
  t.strictSame([recorded(), bert.media.recording.size], [[false], 0]);
});

t.test('a media daemon that comes back records on; a phone that comes back knows what is recorded', async (t) => {
  const { house, bert, call, recorded } = atBert();
  const id = call();
  command(bert, true);
  const [first] = bert.media.recording.values();
  bert.crashMedia();
  house.run(500);
  bert.connectMedia();
  house.run(500);
  const [second] = bert.media.recording.values();
  t.strictSame([bert.media.recording.size, recorded()], [1, [true]]);
  t.not(second, first, 'another file');
  bert.loseMediaLink();
  house.run(500);
  bert.connectMedia();
  house.run(500);
  t.strictSame([...bert.media.recording.values()], [second], 'media went on with the same');
  bert.crashPhone();
  house.run(1000);
  bert.restartPhone();
  house.run(500);
  t.strictSame([recorded(), [...bert.media.recording.values()]], [[true], [second]]);
  command(bert, false, id);
  t.strictSame([recorded(), bert.media.recording.size], [[false], 0]);
});

t.test('what cannot be recorded is said, and the call goes on', async (t) => {
  const { house, bert, call, recorded } = atBert();
  const id = call();
  bert.media.recordingObstacle = 'the recordings have 1 MB';
  command(bert, true);
  t.strictSame([recorded(), bert.callStates], [[false], ['active']]);
  t.match(bert.status.notices, ['a call was not recorded: the recordings have 1 MB']);
  bert.media.recordingObstacle = undefined;
  command(bert, true);
  t.strictSame(bert.status.notices, [], 'it is tried again');
  const [name = ''] = bert.media.recording.values();
  bert.media.recording.clear();
  const ended = { session: id, name, reason: 'failed', detail: 'ENOSPC: no space left on device' } as const;
  bert.do((phone, now) => phone.mediaEvent(now, { name: 'recordingEnded', fields: ended }));
  house.run(200);
  t.strictSame([recorded(), bert.callStates, bert.media.recording.size], [[false], ['active'], 0]);
  t.match(bert.status.notices[0], /ended: ENOSPC/);
  t.match(bert.factsOf('recording.ended'), [{ call: id, reason: 'failed' }]);
});

t.test('a leg that was opened anew is recorded on; news of a recording of before changes nothing', async (t) => {
  const { house, bert, call, recorded } = atBert();
  const id = call();
  command(bert, true);
  const [name = ''] = bert.media.recording.values();
  const tell = (which: string) =>
    bert.do((phone, now) => phone.mediaEvent(now, { name: 'recordingEnded', fields: { session: id, name: which, reason: 'stopped' } }));
  tell('another-1.wav');
  t.strictSame([...bert.media.recording.values()], [name]);
  bert.media.recording.clear();
  tell(name);
  house.run(100);
  t.strictSame([recorded(), bert.media.recording.size], [[true], 1]);
  t.not([...bert.media.recording.values()][0], name);
});

t.test('limits are told to media, and again when they change', async (t) => {
  const { bert } = atBert({ 'recording.maximumMinutes': '5' });
  const told = () => bert.media.commands.filter(({ name }) => name === 'configureRecordings').map(({ args }) => args);
  t.match(told(), [{ maximumMinutes: 5, maximumMegabytes: 500, keepFreeMegabytes: 100, whenFull: 'deleteOldest' }]);
  bert.changeSettings({ 'recording.whenFull': 'refuse' });
  t.match(told(), [{}, { whenFull: 'refuse' }]);
  t.equal(told().length, 2);
});
