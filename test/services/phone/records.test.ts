import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { CallLogEntry, DoorLogEntry } from '#firmware/contract/phone.ts';
import type { Logger } from '#firmware/core/logger.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import type { PhoneSettings } from '#firmware/phone/phone-settings.ts';
import { DeviceKey } from '#firmware/platform/device-key.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { openStore, type SqliteStore } from '#firmware/platform/sqlite-store.ts';
import { loadBoardProfile } from '#services/phone/board-profiles.ts';
import { phoneMigrations } from '#services/phone/migrations.ts';
import { RecordKeeper } from '#services/phone/record-keeper.ts';
import { SettingsKeeper } from '#services/phone/settings-keeper.ts';
import { SettingsRepository } from '#services/phone/settings-repository.ts';

const folder = mkdtempSync(join(tmpdir(), 'hs-records-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
let databases = 0;

interface TestLife {
  teardown(step: () => Promise<void>): void;
}

async function openDatabase(t: TestLife, path = join(folder, `phone-${++databases}.db`)): Promise<SqliteStore> {
  const database = await openStore(path, phoneMigrations);
  t.teardown(() => database.close());
  return database;
}

const keeperOf = (database: SqliteStore, logger: Logger = silentLogger, limits = { callLog: 1000, doorLog: 1000, texts: 1000 }) =>
  new RecordKeeper(database, nodeClock, logger, () => limits);

const call = (remote: string, more: Partial<CallLogEntry> = {}): Omit<CallLogEntry, 'id'> => ({
  at: 1_893_456_000_000.25,
  direction: 'outgoing',
  owner: 'handset',
  line: '1',
  remote,
  displayName: 'Bert “B” O’Neill; DROP TABLE call_log',
  outcome: 'accepted',
  statusCode: null,
  seconds: 61,
  ...more,
});

const visit = (event: DoorLogEntry['event']): Omit<DoorLogEntry, 'id'> => ({
  at: 1_893_456_000_000,
  door: 'front',
  event,
  by: 'sip:bert@x.example',
  via: 'info',
  detail: 'relay door',
});

t.test('calls and visits are kept in order, the newest first', async (t) => {
  const keeper = keeperOf(await openDatabase(t));
  keeper.keep({ kind: 'call', entry: call('sip:a@x.example') });
  keeper.keep({ kind: 'call', entry: call('sip:b@x.example', { line: null, statusCode: 486, outcome: 'busy', direction: 'incoming' }) });
  keeper.keep({ kind: 'door', entry: visit('rung') });
  keeper.keep({ kind: 'door', entry: visit('released') });
  const entries = await keeper.callLog(10);
  t.strictSame(
    entries.map(({ remote }) => remote),
    ['sip:b@x.example', 'sip:a@x.example'],
  );
  t.match(entries[0], { line: null, statusCode: 486, outcome: 'busy', direction: 'incoming' });
  t.match(entries[1], { at: 1_893_456_000_000, seconds: 61, displayName: 'Bert “B” O’Neill; DROP TABLE call_log' });
  t.equal((await keeper.callLog(1)).length, 1);
  t.match(await keeper.doorLog(10), [{ event: 'released', via: 'info' }, { event: 'rung' }]);
});

t.test('logs never grow beyond their limit', async (t) => {
  const keeper = keeperOf(await openDatabase(t), silentLogger, { callLog: 10, doorLog: 12, texts: 12 });
  for (let index = 0; index < 40; index++) {
    keeper.keep({ kind: 'call', entry: call(`sip:${index}@x.example`) });
    keeper.keep({ kind: 'door', entry: visit('rung') });
  }
  const entries = await keeper.callLog(1000);
  t.equal(entries.length, 10);
  t.match(entries[0], { remote: 'sip:39@x.example', id: 40 });
  t.equal((await keeper.doorLog(1000)).length, 12);
});

t.test('what the phone has to remember is there after a restart', async (t) => {
  const path = join(folder, 'restart.db');
  const before = await openStore(path, phoneMigrations);
  const keeper = keeperOf(before);
  t.strictSame(await keeper.recall(['fire']), { alerts: [], digits: [], missedCalls: 0, texts: [], unreadTexts: 0, lastDialed: undefined });
  const alert = { alert: 'fire', startedAt: 1_893_456_000_000, round: 2, person: 1, attempts: 3, acknowledgedBy: null };
  keeper.keep({ kind: 'alert', entry: { ...alert, state: 'queued' } });
  keeper.keep({ kind: 'alert', entry: { ...alert, state: 'calling' } });
  keeper.keep({ kind: 'missedCalls', count: 4 });
  keeper.keep({ kind: 'missedCalls', count: 5 });
  const digits = { peer: 'sip:a@x.example', infoFormat: 'dtmf', infoAccepted: true, formsRefused: 1, heardBy: 'info' } as const;
  keeper.keep({ kind: 'digits', entry: digits });
  keeper.keep({ kind: 'digits', entry: { ...digits, heardBy: 'rfc4733' } });
  keeper.keep({ kind: 'call', entry: call('sip:last@x.example') });
  keeper.keep({ kind: 'call', entry: call('sip:visit@x.example', { owner: 'door' }) });
  keeper.keep({ kind: 'call', entry: call('sip:caller@x.example', { direction: 'incoming' }) });
  await before.close();
  const again = await keeperOf(await openDatabase(t, path)).recall(['fire', 'water']);
  t.strictSame(again.alerts, [{ ...alert, state: 'calling' }]);
  t.equal(again.missedCalls, 5);
  t.strictSame(again.digits, [{ ...digits, heardBy: 'rfc4733' }]);
  t.strictSame(again.lastDialed, { dialString: 'sip:last@x.example', line: '1' });
});

t.test('what no longer exists or is endless is not kept', async (t) => {
  const database = await openDatabase(t);
  const keeper = keeperOf(database);
  const alert = { startedAt: 1, round: 1, person: 0, attempts: 0, acknowledgedBy: null, state: 'queued' as const };
  for (const name of ['fire', 'renamed']) keeper.keep({ kind: 'alert', entry: { ...alert, alert: name } });
  t.match((await keeper.recall(['fire'])).alerts, [{ alert: 'fire' }]);
  t.equal((await database.all('SELECT * FROM alerts')).length, 1);
  t.strictSame((await keeper.recall([])).alerts, []);
  keeper.keep({ kind: 'call', entry: call(`sip:${'x'.repeat(60_000)}@x.example`, { displayName: 'y'.repeat(60_000) }) });
  keeper.keep({ kind: 'door', entry: { ...visit('refused'), by: 'z'.repeat(60_000) } });
  t.match([(await keeper.callLog(1))[0]?.remote.length, (await keeper.callLog(1))[0]?.displayName.length], [512, 512]);
  t.equal((await keeper.doorLog(1))[0]?.by.length, 512);
});

t.test('a disk that takes nothing more is counted and logged, and stops nobody', async (t) => {
  const database = await openDatabase(t);
  await database.all('PRAGMA max_page_count = 1');
  const lines: string[] = [];
  const note = (event: string, fields?: object) => lines.push(`${event} ${JSON.stringify(fields)}`);
  const keeper = keeperOf(database, { ...silentLogger, warn: note, info: note });
  for (let index = 0; index < 200; index++) keeper.keep({ kind: 'door', entry: { ...visit('rung'), detail: 'x'.repeat(400) } });
  const kept = (await keeper.doorLog(1000)).length;
  t.ok(kept < 200, `${kept} fitted`);
  const { counters } = keeper.describe() as { counters: Record<string, number> };
  t.equal((counters['records-lost'] ?? 0) + kept, 200);
  t.equal(lines.length, 1, 'one line, not one for each');
  t.match(lines[0], /record-not-kept.*full/);
  t.match(keeper.notices, [/cannot be written down: .*full/], 'whoever looks is told');
  await database.all('PRAGMA max_page_count = 100000');
  keeper.keep({ kind: 'call', entry: call('sip:after@x.example') });
  t.match((await keeper.callLog(1))[0], { remote: 'sip:after@x.example' }, 'and goes on when there is room');
  t.same(keeper.notices, []);
  t.match(lines, [/record-not-kept/, /records-kept-again/]);
});

t.test('a disk that becomes read-only is said once, and said again when it was well in between', async (t) => {
  const database = await openDatabase(t);
  const lines: string[] = [];
  const note = (event: string, fields?: object) => lines.push(`${event} ${JSON.stringify(fields)}`);
  let now = 0;
  const clock = { now: () => now, wallTime: () => now };
  const keeper = new RecordKeeper(database, clock, { ...silentLogger, warn: note, info: note }, () => ({
    callLog: 9,
    doorLog: 9,
    texts: 9,
  }));
  const keepAll = async () => {
    for (let index = 0; index < 20; index++) {
      keeper.keep({ kind: 'missedCalls', count: index });
      now += 60_000;
    }
    await keeper.callLog(1);
  };
  for (const round of [1, 2]) {
    await database.all('PRAGMA query_only = ON');
    await keepAll();
    t.equal(lines.filter((line) => line.startsWith('record-not-kept')).length, round, 'in twenty minutes');
    t.match(keeper.notices, [/readonly/]);
    await database.all('PRAGMA query_only = OFF');
    await keepAll();
    t.equal(lines.filter((line) => line.startsWith('records-kept-again')).length, round);
    t.same(keeper.notices, []);
  }
});

t.test('a flood of calls is not written call by call', async (t) => {
  let now = 0;
  const clock = { now: () => now, wallTime: () => now };
  const keeper = new RecordKeeper(await openDatabase(t), clock, silentLogger, () => ({ callLog: 1000, doorLog: 1000, texts: 1000 }));
  for (let index = 0; index < 500; index++) keeper.keep({ kind: 'call', entry: call(`sip:${index}@x.example`) });
  t.equal((await keeper.callLog(1000)).length, 60);
  t.match(keeper.describe(), { counters: { 'calls-not-recorded': 440 } });
  now += 5_000;
  for (let index = 0; index < 10; index++) keeper.keep({ kind: 'call', entry: call('sip:later@x.example') });
  t.equal((await keeper.callLog(1000)).length, 65);
});

async function keeperOfSettings(t: TestLife) {
  const repository = await SettingsRepository.load(await openDatabase(t), 'phone', DeviceKey.load(folder), silentLogger);
  const applied: PhoneSettings[] = [];
  const levels: string[] = [];
  const logger = { ...silentLogger, setLevel: (level: string) => void levels.push(level) };
  const settings = new SettingsKeeper(repository, logger, (next) => applied.push(next));
  return { settings, applied, levels };
}

t.test('a change of settings reaches the phone once it is on disk', async (t) => {
  const { settings, applied, levels } = await keeperOfSettings(t);
  await settings.start();
  t.equal(settings.phoneSettings.board.name, 'virtual');
  const outcome = await settings.change({ set: { 'line.1.aor': 'sip:a@x.example', 'sip.port': '5080', 'log.level': 'debug' } });
  t.strictSame(outcome, { changed: ['line.1.aor', 'log.level', 'sip.port'], restartNeeded: ['sip.port'] });
  t.equal(applied.length, 1);
  t.equal(applied[0]?.lines[0]?.aor.toString(), 'sip:a@x.example');
  t.equal(levels.at(-1), 'debug');
  await settings.change({ set: { 'sip.port': '5080' } });
  t.equal(applied.length, 1, 'what is as it was is no change');
  await t.rejects(settings.change({ set: { 'sip.port': 'x' } }), { code: 'invalid-setting' });
});

t.test('a board profile is read by its name or its path, and a wrong one is refused before it is stored', async (t) => {
  const { settings, applied } = await keeperOfSettings(t);
  await settings.start();
  const path = join(folder, 'own.json');
  const profile = { name: 'own', hook: null, keypad: null, leds: {}, relays: {}, inputs: { bell: { driver: 'gpio', pin: 4 } } };
  writeFileSync(path, JSON.stringify(profile));
  await settings.change({ set: { 'board.profile': path } });
  t.match(applied.at(-1)?.board, { name: 'own', inputs: { bell: { pin: 4, debounceMs: 10 } } });
  const wrong = join(folder, 'wrong.json');
  writeFileSync(wrong, '{"name": "wrong"}');
  await t.rejects(settings.change({ set: { 'board.profile': wrong } }), { code: 'invalid-board' });
  await t.rejects(settings.change({ set: { 'board.profile': join(folder, 'gone.json') } }), { code: 'invalid-board' });
  await t.rejects(settings.change({ set: { 'board.profile': 'nonsense' } }), { code: 'unknown-board', message: /virtual, bare-handset/ });
  t.equal(settings.current.get('board.profile'), path);
});

t.test('a board profile that is gone at the start leaves a phone without keys', async (t) => {
  const repository = await SettingsRepository.load(await openDatabase(t), 'phone', DeviceKey.load(folder), silentLogger);
  const errors: string[] = [];
  const logger = { ...silentLogger, error: (event: string) => void errors.push(event), setLevel: () => undefined };
  const path = join(folder, 'soon-gone.json');
  writeFileSync(path, JSON.stringify({ name: 'gone', hook: null, keypad: null, leds: {}, relays: {}, inputs: {} }));
  await repository.change({ set: { 'board.profile': path } });
  await rm(path);
  const settings = new SettingsKeeper(repository, logger, () => undefined);
  await settings.start();
  t.equal(settings.phoneSettings.board.name, 'none');
  t.strictSame(errors, ['board-profile-not-usable']);
});

t.test('the profiles that come with the firmware are valid', async (t) => {
  for (const name of ['virtual', 'bare-handset']) t.equal((await loadBoardProfile(name)).name, name);
});

t.test('text messages are kept, with what has become of them; the oldest go, and a flood of a stranger is not written', async (t) => {
  const path = join(folder, 'texts.db');
  const before = await openStore(path, phoneMigrations);
  const keeper = keeperOf(before);
  const remote = { displayName: 'Bob', uri: 'sip:bob@b.example' };
  const text = (id: string, direction: 'incoming' | 'outgoing' = 'outgoing') =>
    ({ id, at: 1_893_456_000_000, direction, line: '1', remote, text: `text ${id}`, statusCode: null }) as const;
  keeper.keep({ kind: 'text', entry: text('a') });
  keeper.keep({ kind: 'text', entry: text('b', 'incoming') });
  keeper.keep({ kind: 'text', entry: { ...text('a'), statusCode: 200 } });
  keeper.keep({ kind: 'unreadTexts', count: 1 });
  await before.close();
  const database = await openDatabase(t, path);
  const again = await keeperOf(database).recall([]);
  t.strictSame(again.texts, [{ ...text('a'), statusCode: 200 }, text('b', 'incoming')]);
  t.equal(again.unreadTexts, 1);
  const flooded = keeperOf(database);
  for (let count = 0; count < 200; count++) flooded.keep({ kind: 'text', entry: text(`f${count}`, 'incoming') });
  t.ok(((await flooded.recall([])).texts?.length ?? 0) < 80);
  t.match(flooded.describe(), { counters: { 'texts-not-recorded': 140 } });
});
