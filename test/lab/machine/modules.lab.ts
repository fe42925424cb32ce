/** The package on this processor: each compiled module loads and does a little. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { openStore } from '#firmware/platform/sqlite-store.ts';

const load = createRequire(import.meta.url);
t.comment(`Node ${process.version}, ${process.arch}`);

for (const name of ['epoll', 'onoff', 'naudiodon', 'node-hid', 'koffi', 'sqlite3']) {
  t.test(`${name} loads`, async (t) => {
    t.ok(load(name));
  });
}

t.test('sqlite3 keeps what it is given', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'hookswitch-modules-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const store = await openStore(join(folder, 'a.db'), [['CREATE TABLE a (n INTEGER)']]);
  await store.run('INSERT INTO a VALUES (?)', [42]);
  t.same(await store.all('SELECT n FROM a'), [{ n: 42 }]);
  const version = await store.get('SELECT sqlite_version() AS version');
  t.comment(`SQLite ${version?.version}`);
  await store.close();
});

t.test('koffi calls C', async (t) => {
  const libc = load('koffi').load('libc.so.6');
  t.equal(libc.func('int abs(int)')(-3), 3);
});

t.test('PortAudio and hidapi answer', async (t) => {
  t.ok(Array.isArray(load('naudiodon').getDevices()));
  t.ok(Array.isArray(load('node-hid').devices()));
});

t.test('hookswitch starts', async (t) => {
  if (process.arch === 'arm') return t.comment('not here: 32-bit programs are run one by one');
  t.match(execFileSync('hookswitch', ['--version'], { encoding: 'utf8' }), /^\d+\.\d+\.\d+/);
});
