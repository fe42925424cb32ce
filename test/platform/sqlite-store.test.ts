import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { InvariantError } from '#firmware/core/errors.ts';
import { type Logger, silentLogger } from '#firmware/core/logger.ts';
import { type Migrations, openStore } from '#firmware/platform/sqlite-store.ts';
import { hasWalResetBug, walResetRefusal } from '#firmware/platform/wal-reset.ts';

const directory = mkdtempSync(join(tmpdir(), 'hs-store-'));
t.teardown(() => rmSync(directory, { recursive: true }));
let files = 0;
const freshPath = (): string => join(directory, `${++files}.db`);

const migrations: Migrations = [
  ['CREATE TABLE people (name TEXT PRIMARY KEY) STRICT', "INSERT INTO people VALUES ('ada')"],
  ['ALTER TABLE people ADD COLUMN age INTEGER'],
  ['CREATE TABLE pets (owner TEXT NOT NULL REFERENCES people (name)) STRICT', 'UPDATE people SET age = 36'],
];

t.test('a new database is durable, checked and private', async (t) => {
  const path = freshPath();
  const store = await openStore(path, migrations);
  t.same(await store.get('PRAGMA journal_mode'), { journal_mode: 'wal' });
  t.same(await store.get('PRAGMA synchronous'), { synchronous: 2 });
  t.same(await store.get('PRAGMA foreign_keys'), { foreign_keys: 1 });
  t.same(await store.get('PRAGMA busy_timeout'), { timeout: 5000 });
  for (const file of [path, `${path}-wal`]) t.equal(statSync(file).mode & 0o077, 0, `${file} is closed to others`);
  await t.rejects(store.run('INSERT INTO pets VALUES (?)', ['nobody']), { name: 'ResourceError', message: /FOREIGN KEY/ });
  await store.close();
  await store.close();
  await t.rejects(store.get('SELECT 1'), InvariantError);
});

t.test('an SQLite with the WAL-reset bug is refused where more than one process could write', async (t) => {
  const bad = ['3.7.0', '3.44.5', '3.45.0', '3.50.6', '3.51.2', '3', '2.8.17', 'null'];
  const good = ['3.44.6', '3.44.9', '3.50.7', '3.51.3', '3.52.0', '3.100.0', '4.0.0'];
  for (const version of bad) t.equal(hasWalResetBug(version), true, version);
  for (const version of good) t.equal(hasWalResetBug(version), false, version);
  t.match(walResetRefusal('3.46.1', 'normal'), /SQLite 3\.46\.1 .*3\.51\.3 or later/);
  t.equal(walResetRefusal('3.46.1', 'exclusive'), undefined);
  t.equal(walResetRefusal('3.51.3', 'normal'), undefined);
  const store = await openStore(freshPath(), migrations);
  t.same(await store.get('PRAGMA locking_mode'), { locking_mode: 'exclusive' }, 'which is what the store asks about');
  await store.close();
});

t.test('migrations run from every version to the last, once', async (t) => {
  for (let version = 0; version <= migrations.length; version++) {
    const path = freshPath();
    const old = await openStore(path, migrations.slice(0, version));
    t.same(await old.get('PRAGMA user_version'), { user_version: version });
    await old.close();
    const store = await openStore(path, migrations);
    t.same(await store.get('PRAGMA user_version'), { user_version: 3 });
    t.same(await store.all('SELECT * FROM people'), [{ name: 'ada', age: 36 }], `from version ${version}`);
    await store.close();
  }
});

t.test('a migration that fails leaves the version before', async (t) => {
  const path = freshPath();
  const broken = openStore(path, [...migrations, ["INSERT INTO people VALUES ('bob', 1)", 'CREATE TABLE people (x)']]);
  await t.rejects(broken, { name: 'ResourceError', message: /people already exists/ });
  const store = await openStore(path, migrations);
  t.same(await store.all('SELECT name FROM people'), [{ name: 'ada' }]);
  await store.close();
});

t.test('what cannot be used is refused in plain words', async (t) => {
  const newer = freshPath();
  await (await openStore(newer, migrations)).close();
  await t.rejects(openStore(newer, migrations.slice(0, 2)), { name: 'ResourceError', message: /version 3, this firmware knows 2.*newer/ });

  const letter = freshPath();
  writeFileSync(letter, 'Dear Sir or Madam, '.repeat(100));
  await t.rejects(openStore(letter, migrations), { name: 'ResourceError', message: /is damaged/ });

  const torn = freshPath();
  const store = await openStore(torn, migrations);
  for (let i = 0; i < 200; i++) await store.run('INSERT INTO people (name) VALUES (?)', [`${i}`.repeat(100)]);
  await store.run('PRAGMA wal_checkpoint(TRUNCATE)');
  await store.close();
  overwrite(torn, 3 * 4096, 4096);
  rmSync(`${torn}.good`);
  await t.rejects(openStore(torn, migrations), { name: 'ResourceError', message: /is damaged/ });

  await t.rejects(openStore(join(directory, 'nowhere', 'x.db'), migrations), { name: 'ResourceError', message: /cannot open/ });
});

t.test('a second process that opens a database is refused: one writes each', async (t) => {
  const path = freshPath();
  const store = await openStore(path, migrations);
  await t.rejects(openStore(path, migrations), { name: 'ResourceError', message: /is in use by another process/ });
  t.same(await store.run("INSERT INTO people (name) VALUES ('bob')"), { changes: 1, lastId: 2 }, 'the first goes on');
  await store.close();
  await (await openStore(path, migrations)).close();
});

t.test('the last good copy', async (t) => {
  const names = async (store: Awaited<ReturnType<typeof openStore>>) =>
    (await store.all('SELECT name FROM people')).map(({ name }) => name);
  const filled = async (): Promise<string> => {
    const path = freshPath();
    const store = await openStore(path, migrations);
    for (let i = 0; i < 100; i++) await store.run('INSERT INTO people (name) VALUES (?)', [`${i}`.repeat(200)]);
    await store.close();
    return path;
  };
  const opened = async (path: string) => {
    const errors: unknown[] = [];
    const logger: Logger = { ...silentLogger, error: (event, fields) => errors.push({ event, ...fields }) };
    const store = await openStore(path, migrations, logger);
    return { store, errors };
  };

  t.test('takes the place of a database that is damaged, empty, no database, or gone, and says so', async (t) => {
    const damages: Readonly<Record<string, (path: string) => void>> = {
      'torn pages': (path) => overwrite(path, 3 * 4096, 8 * 4096),
      'a torn first page': (path) => overwrite(path, 20, 2000),
      'cut off': (path) => writeFileSync(path, readFileSync(path).subarray(0, 6000)),
      empty: (path) => writeFileSync(path, ''),
      'a letter': (path) => writeFileSync(path, 'Dear Sir or Madam, '.repeat(100)),
      gone: (path) => rmSync(path),
    };
    for (const [title, damage] of Object.entries(damages)) {
      const path = await filled();
      const good = readFileSync(`${path}.good`);
      damage(path);
      // What a process that was killed leaves.
      writeFileSync(`${path}-wal`, 'left over');
      const { store, errors } = await opened(path);
      t.equal((await names(store)).length, 101, title);
      t.match(errors, [{ event: 'database-restored', reason: path, copiedAt: /^\d{4}-/ }]);
      t.ok(store.restored);
      await store.run("INSERT INTO people (name) VALUES ('after')");
      await store.close();
      t.notSame(readFileSync(`${path}.good`), good, 'and is made anew');
      t.ok(title === 'gone' || existsSync(`${path}.damaged`), 'what was damaged is kept');
      const again = await opened(path);
      t.same(again.errors, []);
      t.equal(again.store.restored, undefined);
      t.ok((await names(again.store)).includes('after'));
      await again.store.close();
    }
  });

  t.test('is private, made after changes only, and never half of one', async (t) => {
    const path = await filled();
    t.equal(statSync(`${path}.good`).mode & 0o077, 0);
    const before = new Date(Date.now() + 60_000);
    utimesSync(`${path}.good`, before, before);
    await (await opened(path)).store.close();
    t.same(statSync(`${path}.good`).mtime, before, 'nothing changed: nothing written');
    // Cut off while the copy was being made, and while it was being put back.
    writeFileSync(`${path}.fresh`, 'half');
    rmSync(path);
    const { store } = await opened(path);
    t.equal((await names(store)).length, 101);
    await store.run("DELETE FROM people WHERE name = 'ada'");
    await store.close();
    t.notOk(existsSync(`${path}.fresh`));
  });

  t.test('that is damaged too does not hide it', async (t) => {
    const path = await filled();
    for (const file of [path, `${path}.good`]) overwrite(file, 3 * 4096, 8 * 4096);
    await t.rejects(openStore(path, migrations), { name: 'ResourceError', message: /is damaged/ });
  });

  t.test('that cannot be put in place is said, and the store lives on', async (t) => {
    const path = freshPath();
    const warnings: unknown[] = [];
    const store = await openStore(path, migrations, { ...silentLogger, warn: (event, fields) => warnings.push({ event, ...fields }) });
    mkdirSync(`${path}.good`);
    await store.compact();
    t.match(warnings, [{ event: 'database-copy-failed', database: path, reason: /EISDIR/ }]);
    t.notOk(existsSync(`${path}.fresh`));
    rmSync(`${path}.good`, { recursive: true });
    t.same(await names(store), ['ada']);
    await store.close();
    t.ok(existsSync(`${path}.good`), 'made as soon as it can be');
  });
});

t.test('what was deleted is not left in the file', async (t) => {
  const path = freshPath();
  const store = await openStore(path, migrations);
  await store.run("INSERT INTO people (name) VALUES ('hunter2-hunter2')");
  await store.run("UPDATE people SET name = 'sealed' WHERE name = 'hunter2-hunter2'");
  await store.compact();
  for (const file of [path, `${path}-wal`, `${path}.good`]) {
    if (existsSync(file)) t.notOk(readFileSync(file).includes('hunter2-hunter2'), file);
  }
  await store.close();
});

t.test('a transaction is all or nothing and nobody sees half of it', async (t) => {
  const path = freshPath();
  const store = await openStore(path, migrations);
  const insert = 'INSERT INTO people (name) VALUES (?)';
  const both = store.transaction(async (within) => {
    await within.run(insert, ['bob']);
    await within.run(insert, ['cleo']);
    return (await within.all('SELECT name FROM people ORDER BY name')).map(({ name }) => name);
  });
  // Asked while the transaction is under way, answered after it.
  const after = store.all('SELECT count(*) AS people FROM people');
  t.same(await both, ['ada', 'bob', 'cleo']);
  t.same(await after, [{ people: 3 }]);

  const failing = store.transaction(async (within) => {
    await within.run(insert, ['dora']);
    throw new TypeError('changed my mind');
  });
  await t.rejects(failing, { message: 'changed my mind' });
  t.same(await store.get('SELECT count(*) AS people FROM people'), { people: 3 }, 'rolled back');
  await t.rejects(
    store.transaction((within) => within.run(insert, ['ada'])),
    { message: /UNIQUE/ },
  );
  t.same(await store.run(insert, ['emil']), { changes: 1, lastId: 4 }, 'the store lives on');
  await store.close();
});

t.test('calls are carried out in their order and values keep their types', async (t) => {
  const store = await openStore(freshPath(), [['CREATE TABLE log (id INTEGER PRIMARY KEY, what ANY) STRICT']]);
  const values = ['text', 3, 2.5, null, 'ünï'];
  await Promise.all(values.map((value) => store.run('INSERT INTO log (what) VALUES (?)', [value])));
  const rows = await store.all('SELECT what FROM log ORDER BY id');
  t.same(
    rows.map(({ what }) => what),
    values,
  );
  await store.close();
});

t.test('more calls than the disk keeps up with are refused, not hoarded', async (t) => {
  const store = await openStore(freshPath(), migrations);
  const results = await Promise.allSettled(Array.from({ length: 2500 }, () => store.get('SELECT 1')));
  const refused = results.filter((result) => result.status === 'rejected');
  t.equal(refused.length, 500);
  t.match(refused[0], { reason: { name: 'ResourceError', message: /does not keep up/ } });
  t.same(await store.get('SELECT 2 AS two'), { two: 2 });
  await store.close();
});

function overwrite(path: string, position: number, length: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(length, 0x5a), 0, length, position);
  closeSync(file);
}
