import { existsSync, lstatSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import * as v from 'valibot';
import { defineContract } from '#firmware/contract/contract.ts';
import { ResourceError, UsageError } from '#firmware/core/errors.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { type Caller, type ConnectOptions, connectContract, type Implementation, serveContract } from '#firmware/platform/unix-socket.ts';

const bell = defineContract({
  name: 'bell',
  version: 1,
  commands: {
    ring: { args: v.object({ times: v.number() }), result: v.object({ by: v.string() }) },
    wait: { args: v.object({}), result: v.object({}) },
  },
  events: { rang: v.object({ times: v.number(), text: v.string() }) },
});

const directory = mkdtempSync(join(tmpdir(), 'hs-'));
t.teardown(() => rmSync(directory, { recursive: true }));
let sockets = 0;
const freshPath = (): string => join(directory, `${++sockets}.sock`);

const serving = { role: 'hal', clock: nodeClock, logger: silentLogger };
const commanding: ConnectOptions = { role: 'phone', clock: nodeClock, entropy: nodeEntropy, logger: silentLogger };
const implementation: Implementation<typeof bell> = {
  ring: ({ times }, caller) => {
    if (times === 0) throw new UsageError('nothing-to-ring', 'ring at least once');
    if (times < 0) throw new TypeError('a bug');
    return { by: caller.role };
  },
  wait: () => new Promise(() => undefined),
};

t.test('several peers command and hear the same events', async (t) => {
  const path = freshPath();
  const lost: Caller[] = [];
  const allLost = deferred<void>();
  const served = await serveContract(path, bell, implementation, {
    ...serving,
    onPeerLost: (caller) => lost.push(caller) === 2 && allLost.resolve(),
  });
  const heard = [deferred<object>(), deferred<object>()];
  const links = heard.map((event, i) => connectContract(path, bell, { rang: event.resolve }, { ...commanding, role: `phone-${i}` }));
  await Promise.all(links.map((link) => link.whenUp()));
  t.same(await Promise.all(links.map((link) => link.command('ring', { times: 2 }))), [{ by: 'phone-0' }, { by: 'phone-1' }]);
  served.emit('rang', { times: 2, text: 'grüße' });
  t.same(await Promise.all(heard.map((event) => event.promise)), [
    { times: 2, text: 'grüße' },
    { times: 2, text: 'grüße' },
  ]);
  t.match(served.describe(), { path, contract: 'bell', peers: [{ role: 'phone-0', state: 'up' }, { role: 'phone-1' }] });
  for (const link of links) await link.stop();
  await allLost.promise;
  t.same(lost.map(({ role }) => role).sort(), ['phone-0', 'phone-1']);
  await served.stop();
  await served.stop();
  t.notOk(existsSync(path), 'the socket file is gone');
});

t.test('errors of the implementation arrive as what they are', async (t) => {
  const path = freshPath();
  const errors: string[] = [];
  const logger = { ...silentLogger, error: (event: string) => errors.push(event) };
  const served = await serveContract(path, bell, implementation, { ...serving, logger });
  const link = connectContract(path, bell, {}, commanding);
  await link.whenUp();
  await t.rejects(link.command('ring', { times: 0 }), { name: 'UsageError', code: 'nothing-to-ring', message: 'ring at least once' });
  await t.rejects(link.command('ring', { times: -1 }), { name: 'RemoteError', message: 'a bug' });
  t.same(errors, ['ipc-command-failed'], 'only the bug is logged');
  await t.rejects(link.command('wait', {}, 30), { name: 'ResourceError', message: /did not reply to wait in time/ });
  await link.stop();
  await served.stop();
});

t.test('a command fails when the peer goes, and the link comes back when it does', async (t) => {
  const path = freshPath();
  const downs: string[] = [];
  let ups = 0;
  const down = deferred<void>();
  const link = connectContract(
    path,
    bell,
    {},
    {
      ...commanding,
      onUp: () => ups++,
      onDown: (reason) => {
        downs.push(reason);
        down.resolve();
      },
    },
  );
  await t.rejects(link.command('ring', { times: 1 }), ResourceError, 'nobody is there yet');
  const first = await serveContract(path, bell, implementation, serving);
  await link.whenUp();
  const waiting = link.command('wait', {});
  const refused = t.rejects(waiting, { name: 'ResourceError', message: 'bell went away' });
  await first.stop();
  await refused;
  await down.promise;
  t.equal(link.up, false);
  const second = await serveContract(path, bell, implementation, serving);
  await link.whenUp();
  t.same(await link.command('ring', { times: 1 }), { by: 'phone' });
  t.equal(ups, 2);
  t.equal(downs.length, 1);
  await link.stop();
  await t.rejects(link.whenUp(), ResourceError);
  await second.stop();
});

t.test('a link that is meant to be made once says why it cannot be', async (t) => {
  const nobody = connectContract(freshPath(), bell, {}, { ...commanding, once: true });
  await t.rejects(nobody.whenUp(), { name: 'ResourceError', message: /bell is not reachable: .*ENOENT/ });
  await nobody.stop();

  const path = freshPath();
  const served = await serveContract(path, bell, implementation, serving);
  const newer = connectContract(path, { ...bell, version: 2 }, {}, { ...commanding, role: 'cli', once: true });
  await t.rejects(newer.whenUp(), { name: 'ResourceError', message: /version 2 of bell, hal speaks 1|version 1 of bell, cli speaks 2/ });
  await newer.stop();
  await served.stop();
});

t.test('the socket file', async (t) => {
  t.test('may be opened by owner and group only', async (t) => {
    const path = freshPath();
    const before = process.umask();
    const served = await serveContract(path, bell, implementation, serving);
    t.equal(lstatSync(path).mode & 0o777, 0o660);
    t.equal(process.umask(), before);
    await served.stop();
  });

  t.test('that is stale is replaced, one that is served is not', async (t) => {
    const path = freshPath();
    // What a killed process leaves behind: a socket file nobody listens on.
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(`${path}.dead`, resolve));
    renameSync(`${path}.dead`, path);
    await new Promise((resolve) => dead.close(resolve));
    t.ok(lstatSync(path).isSocket());
    const served = await serveContract(path, bell, implementation, serving);
    await t.rejects(serveContract(path, bell, implementation, serving), { name: 'ResourceError', message: /is in use/ });
    const link = connectContract(path, bell, {}, { ...commanding, once: true });
    await link.whenUp();
    t.ok(link.up, 'the first one still serves');
    await link.stop();
    await served.stop();

    writeFileSync(path, 'a letter');
    await t.rejects(serveContract(path, bell, implementation, serving), { message: /is no socket/ });
    t.equal(readFileSync(path, 'utf8'), 'a letter', 'what is no socket is left alone');
  });

  t.test('with a path the kernel cannot take is refused in plain words', async (t) => {
    const path = join(directory, 'x'.repeat(120));
    const refusal = { name: 'UsageError', code: 'path-too-long', message: /107: use a shorter directory/ };
    await t.rejects(serveContract(path, bell, implementation, serving), refusal);
    t.throws(() => connectContract(path, bell, {}, commanding), refusal);
  });
});

t.test('a peer that does not read is dropped, the others hear everything', async (t) => {
  const path = freshPath();
  const dropped = deferred<Caller>();
  const up = deferred<void>();
  const served = await serveContract(path, bell, implementation, {
    ...serving,
    queueBytes: 64 * 1024,
    onPeerUp: ({ role }) => role === 'sloth' && up.resolve(),
    onPeerLost: dropped.resolve,
  });
  const heard: number[] = [];
  const last = deferred<void>();
  const listeners = { rang: ({ times }: { times: number }) => heard.push(times) === 60 && last.resolve() };
  const link = connectContract(path, bell, listeners, commanding);
  await link.whenUp();
  const sloth = await stranger(path);
  sloth.write(`${JSON.stringify({ type: 'hello', contract: 'bell', version: 1, role: 'sloth' })}\n`);
  await up.promise;
  sloth.pause();
  // One at a time, so that whoever reads keeps up: 60 × 64 KiB is far more than a socket holds.
  for (let times = 1; times <= 60; times++) {
    served.emit('rang', { times, text: 'x'.repeat(64 * 1024) });
    await link.command('ring', { times });
  }
  t.match(await dropped.promise, { role: 'sloth' });
  await last.promise;
  t.same(
    heard,
    Array.from({ length: 60 }, (_, i) => i + 1),
  );
  sloth.destroy();
  await link.stop();
  await served.stop();
});

t.test('strangers', async (t) => {
  t.test('who speak no contract are told so and shut out', async (t) => {
    const path = freshPath();
    const served = await serveContract(path, bell, implementation, serving);
    const socket = await stranger(path);
    const said = collect(socket);
    socket.write('GET / HTTP/1.1\r\n');
    t.match(await said, /"type":"hello".*\n.*"type":"fault","code":"not-json"/s);
    await served.stop();
  });

  t.test('who are too many are turned away', async (t) => {
    const path = freshPath();
    const served = await serveContract(path, bell, implementation, { ...serving, maximumPeers: 1 });
    const link = connectContract(path, bell, {}, commanding);
    await link.whenUp();
    t.equal(await collect(await stranger(path)), '');
    t.same(await link.command('ring', { times: 1 }), { by: 'phone' });
    await link.stop();
    await served.stop();
  });
});

function stranger(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => resolve(socket));
    socket.once('error', reject);
  });
}

/** All that a socket says until it closes. */
function collect(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes.toString('utf8');
    });
    socket.on('close', () => resolve(text));
  });
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
