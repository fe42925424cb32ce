import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { changeSettings, exportSettings } from '#firmware/config/changes.ts';
import { Settings } from '#firmware/config/settings.ts';
import type { LogFields } from '#firmware/core/logger.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { DeviceKey } from '#firmware/platform/device-key.ts';
import { openStore } from '#firmware/platform/sqlite-store.ts';
import { openSettings } from '#services/cli/offline-settings.ts';
import { findPlace, makePlace } from '#services/cli/place.ts';
import { exchangeMigrations } from '#services/exchange/migrations.ts';
import { phoneDatabaseName, phoneMigrations } from '#services/phone/migrations.ts';
import { SettingsRepository } from '#services/phone/settings-repository.ts';
import { bundle, bundleFolder } from '../support/bundle.ts';

const directory = mkdtempSync(join(tmpdir(), 'hs-run-'));
t.teardown(() => rmSync(directory, { recursive: true }));

t.test('hookswitch run, over fake daemons', async (t) => {
  const cli = bundle('services/cli/main.ts', join(bundleFolder, 'cli/main.mjs'));
  const fake = bundle('test/services/fake-main.ts');
  for (const name of ['hal', 'media', 'phone', 'web', 'exchange']) cpSync(fake, join(bundleFolder, name, 'main.mjs'));

  const start = (name: string, ...options: string[]) => {
    const journal = join(directory, `${name}.journal`);
    const child = spawn(process.execPath, [cli, 'run', '--data', join(directory, name), ...options], {
      env: { ...process.env, FAKE_JOURNAL: journal },
    });
    return { child, notes: () => readFileSync(journal, 'utf8').trimEnd().split('\n') };
  };

  t.test('starts leaves first, logs one JSON line per event, and ends in order at SIGINT', async (t) => {
    const { child, notes } = start('a');
    const lines = await linesUntil(child, 'supervisor-ready');
    t.same(notes(), ['hal started', 'media started', 'phone started', 'web started'], 'no exchange unless asked for');
    t.match(JSON.parse(lines.at(-1) ?? ''), { level: 'info', daemon: 'supervisor', daemons: ['hal', 'media', 'phone', 'web'] });
    const second = start('a');
    const [refused] = await once(second.child, 'close');
    t.equal(refused, 1, 'a second run on the same data is refused');
    child.kill('SIGINT');
    const [code] = await once(child, 'close');
    t.equal(code, 0);
    t.same(notes().slice(4, 6), ['phone stopped', 'web stopped']);
    t.same(notes().slice(6).sort(), ['hal stopped', 'media stopped']);
  });

  t.test('starts the exchange when told by option or setting, and stops it after the phone', async (t) => {
    const place = findPlace(join(directory, 'c'), {});
    makePlace(place);
    const { repository, close } = await openSettings(place, 'phone', silentLogger);
    await repository.change({ set: { 'run.exchange': 'on', 'log.level': 'warn' } });
    await close();
    const asked = start('b', '--exchange');
    await linesUntil(asked.child, 'supervisor-ready');
    const set = start('c', '--log-level', 'info');
    await linesUntil(set.child, 'supervisor-ready');
    for (const { child, notes } of [asked, set]) {
      t.same(notes(), ['hal started', 'media started', 'exchange started', 'phone started', 'web started']);
      child.kill('SIGTERM');
      t.same(await once(child, 'close'), [0, null]);
      t.same(notes().slice(5, 8), ['phone stopped', 'web stopped', 'exchange stopped']);
    }
  });

  t.test('--pretty is for people', async (t) => {
    const { child } = start('d', '--pretty');
    const lines = await linesUntil(child, 'supervisor-ready');
    t.match(lines[0], /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: \[hal\] daemon-started/);
    child.kill('SIGTERM');
    t.same(await once(child, 'close'), [0, null]);
  });
});

t.test('the databases of phone and exchange migrate from every version', async (t) => {
  for (const [name, migrations] of Object.entries({ phone: phoneMigrations, exchange: exchangeMigrations })) {
    for (let version = 0; version <= migrations.length; version++) {
      const path = join(directory, `${name}-${version}.db`);
      await (await openStore(path, migrations.slice(0, version))).close();
      const database = await openStore(path, migrations);
      t.same(await database.get('PRAGMA user_version'), { user_version: migrations.length }, `${name} from ${version}`);
      t.same(await database.all('SELECT * FROM settings'), []);
      await database.close();
    }
  }
});

t.test('the settings in the database', async (t) => {
  const path = join(directory, phoneDatabaseName);
  const database = await openStore(path, phoneMigrations);
  const warnings: LogFields[] = [];
  const logger = { ...silentLogger, warn: (_event: string, fields: LogFields = {}) => warnings.push(fields) };

  t.test('are there again when it is opened anew', async (t) => {
    const repository = await SettingsRepository.load(database, 'phone', DeviceKey.load(directory), logger);
    await Promise.all([
      repository.change({ set: { 'line.1.aor': 'sip:a@b', 'line.1.password': 'hunter2' } }),
      repository.change({ set: { 'phone.digitMode': 'both' } }),
    ]);
    const change = await repository.change({ set: { 'phone.interDigitMs': '3 s' }, unset: ['line.1.aor'] });
    t.same(change.changed, ['line.1.aor', 'phone.interDigitMs']);
    const again = await SettingsRepository.load(database, 'phone', DeviceKey.load(directory), logger);
    t.same(again.current.entries(), repository.current.entries());
    t.equal(again.current.get('phone.digitMode'), 'both');
    t.equal(again.current.get('phone.interDigitMs'), 3000);
    t.equal(again.current.get('line.*.password', '1'), 'hunter2');
    t.same(warnings, []);
  });

  t.test('stay as they were when a change is refused', async (t) => {
    const repository = await SettingsRepository.load(database, 'phone', DeviceKey.load(directory), logger);
    const before = repository.current.entries();
    await t.rejects(repository.change({ set: { 'sip.trace': 'on', 'sip.port': 'x' } }), { code: 'invalid-setting' });
    await t.rejects(repository.import('{}'), { code: 'invalid-document' });
    t.same(repository.current.entries(), before);
    t.same((await repository.change({ set: { 'sip.trace': 'on' } })).changed, ['sip.trace'], 'the next change works');
    const document = { format: 'hookswitch-settings', version: 1, settings: { 'sip.port': '5066' } };
    await repository.import(JSON.stringify(document));
    t.same(repository.current.entries(), changeSettings(new Settings(), { set: { 'sip.port': '5066' } }, 'phone').next.entries());
  });

  t.test('keep secrets sealed by the key of the device', async (t) => {
    const stored = async () => String((await database.get("SELECT value FROM settings WHERE key = 'line.1.password'"))?.value);
    const load = (folder = directory) => SettingsRepository.load(database, 'phone', DeviceKey.load(folder), logger);
    const repository = await load();
    await repository.change({ set: { 'line.1.password': 'hunter2-hunter2' } });
    t.match(await stored(), /^sealed:1:/);
    t.equal(statSync(join(directory, 'device.key')).mode & 0o777, 0o600);
    t.equal((await load()).current.get('line.*.password', '1'), 'hunter2-hunter2');
    t.match(exportSettings(repository.current, { reveal: true }), 'hunter2-hunter2');

    // As a firmware before this one left it.
    await database.run("UPDATE settings SET value = 'plain-old-secret' WHERE key = 'line.1.password'");
    t.equal((await load()).current.get('line.*.password', '1'), 'plain-old-secret');
    t.match(await stored(), /^sealed:1:/, 'sealed when it is first read');
    for (const file of [path, `${path}-wal`, `${path}.good`]) {
      if (existsSync(file)) t.notOk(readFileSync(file).includes('plain-old-secret'), `${file} has nothing of it`);
    }

    // Moved from one setting to another it opens nothing.
    await database.run('INSERT INTO settings VALUES (?, ?)', ['line.2.password', await stored()]);
    t.equal((await load()).current.get('line.*.password', '2'), '');
    await database.run("DELETE FROM settings WHERE key = 'line.2.password'");
    warnings.length = 0;

    const elsewhere = mkdtempSync(join(tmpdir(), 'hs-key-'));
    t.teardown(() => rmSync(elsewhere, { recursive: true }));
    const uuid = DeviceKey.load(directory).uuidFor('one');
    t.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    t.equal(DeviceKey.load(directory).uuidFor('one'), uuid, 'a device stays who it is');
    t.not(DeviceKey.load(directory).uuidFor('two'), uuid);
    t.not(DeviceKey.load(elsewhere).uuidFor('one'), uuid, 'and no other is it');
    const other = await load(elsewhere);
    t.equal(other.current.get('line.*.password', '1'), '');
    const advice = /another device key than .*device\.key: put that one back there and start again, or set it anew/;
    t.match(warnings, [{ setting: 'line.1.password', reason: advice }]);
    t.match(other.notices, [/^line\.1\.password cannot be read: /]);
    t.match(await stored(), /^sealed:1:/, 'it waits for its key');
    t.same((await load()).notices, []);
    await other.change({ set: { 'line.1.password': 'new' } });
    t.same(other.notices, []);
    t.same((await load(elsewhere)).current.get('line.*.password', '1'), 'new');
    await (await load(elsewhere)).change({ set: {}, unset: ['line.1.password'] });
    warnings.length = 0;

    writeFileSync(join(elsewhere, 'device.key'), 'no key');
    t.throws(() => DeviceKey.load(elsewhere), { name: 'ResourceError', message: /it is no key: put its backup there, or delete it/ });
    t.throws(() => DeviceKey.load(join(elsewhere, 'nowhere')), { name: 'ResourceError' });
  });

  t.test('that another firmware wrote are left alone and not used', async (t) => {
    const rows = [
      ['sip.colour', 'red'],
      ['phone.ringSeconds', 'soon'],
      ['exchange.port', '5080'],
    ];
    for (const row of rows) await database.run('INSERT INTO settings VALUES (?, ?)', row);
    const repository = await SettingsRepository.load(database, 'phone', DeviceKey.load(directory), logger);
    t.same(repository.current.get('phone.ringSeconds'), 60);
    t.same(warnings.map(({ setting }) => setting).sort(), ['exchange.port', 'phone.ringSeconds', 'sip.colour']);
    await repository.change({ set: { 'phone.country': 'de' } });
    t.equal((await database.all('SELECT key FROM settings')).length, 5, 'a newer firmware finds them again');
    await database.close();
  });
});

/** Lines of stdout up to the first that has `event`. */
async function linesUntil(child: ChildProcess, event: string): Promise<string[]> {
  const lines: string[] = [];
  if (!child.stdout) return lines;
  const reader = createInterface(child.stdout);
  for await (const line of reader) {
    lines.push(line);
    if (line.includes(event)) break;
  }
  // The rest is read too, or the pipe fills.
  child.stdout.resume();
  return lines;
}
