import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { createInterface } from 'node:readline';
import t from 'tap';
import { bundle } from '../support/bundle.ts';
import { environmentOf, fakeMain, freshJournal, SupervisedRun as Run, readLines } from './supervised-run.ts';

t.test('daemons start leaves first, each once the one before is ready, and stop in their own order', async (t) => {
  const run = new Run([
    { name: 'phone', startRank: 1, stopRank: 0 },
    { name: 'leaf', startRank: 0, stopRank: 1 },
  ]);
  await run.saw('supervisor-ready');
  t.same(run.journal(), ['leaf started', 'phone started']);
  t.same(
    run.lines.map(({ daemon, event }) => `${daemon} ${event}`),
    ['leaf daemon-started', 'phone daemon-started'],
  );
  run.supervisor.stop('test');
  t.equal(await run.ended, 0);
  t.same(run.journal().slice(2), ['phone stopped', 'leaf stopped']);
  t.same(run.seen('daemon-ended'), [
    { child: 'phone', code: 0, signal: null },
    { child: 'leaf', code: 0, signal: null },
  ]);
});

t.test('a daemon that is killed comes back, the others do not notice', async (t) => {
  const run = new Run([
    { name: 'leaf', startRank: 0 },
    { name: 'phone', startRank: 1 },
  ]);
  await run.saw('supervisor-ready');
  const pids = [run.pidOf('leaf')];
  for (let i = 1; i <= 3; i++) {
    process.kill(pids[i - 1] ?? 0, 'SIGKILL');
    await run.sawLines('leaf', 'daemon-started', i + 1);
    pids.push(run.pidOf('leaf'));
  }
  t.equal(new Set(pids).size, 4);
  t.match(run.seen('daemon-died'), [
    { child: 'leaf', signal: 'SIGKILL', restartInMs: 20 },
    { child: 'leaf', restartInMs: 40 },
    { child: 'leaf', restartInMs: 80 },
  ]);
  t.equal(run.journal().filter((line) => line === 'phone started').length, 1);
  run.supervisor.stop('test');
  t.equal(await run.ended, 0);
});

t.test('the pause starts small again for a daemon that lived long', async (t) => {
  const run = new Run([{ name: 'leaf', startRank: 0 }], {}, { healthyMs: 0 });
  await run.saw('supervisor-ready');
  for (let i = 1; i <= 2; i++) {
    process.kill(run.pidOf('leaf'), 'SIGKILL');
    await run.sawLines('leaf', 'daemon-started', i + 1);
  }
  t.match(run.seen('daemon-died'), [{ restartInMs: 20 }, { restartInMs: 20 }]);
  run.supervisor.stop('test');
  await run.ended;
});

t.test('a daemon that never lives is given up after its restarts; the rest runs on', async (t) => {
  const run = new Run(
    [
      { name: 'leaf', startRank: 0 },
      { name: 'phone', startRank: 1 },
    ],
    { FAKE_LEAF: 'fail-at-once' },
  );
  t.match(await run.saw('daemon-given-up'), { child: 'leaf', code: 1, restarts: 3 });
  t.equal(run.journal().filter((line) => line === 'leaf started').length, 4);
  t.same(
    run.seen('daemon-died').map(({ restartInMs }) => restartInMs),
    [20, 40, 80],
  );
  await run.sawLines('phone', 'daemon-started', 1);
  run.supervisor.stop('test');
  t.equal(await run.ended, 0);
});

t.test('everything ends when the essential one is given up', async (t) => {
  const run = new Run(
    [
      { name: 'leaf', startRank: 0, stopRank: 1 },
      { name: 'phone', startRank: 1, essential: true },
    ],
    { FAKE_PHONE: 'misconfigured' },
  );
  t.equal(await run.ended, 1);
  t.match(run.seen('daemon-given-up'), [{ child: 'phone', code: 2, restarts: 0 }]);
  t.same(run.journal(), ['leaf started', 'phone started', 'leaf stopped'], 'a wrong configuration is not tried again');
});

t.test('a daemon that does not stop is killed', async (t) => {
  const run = new Run([{ name: 'leaf', startRank: 0 }], { FAKE_LEAF: 'deaf' }, { stopMs: 2_000 });
  await run.saw('supervisor-ready');
  run.supervisor.stop('test');
  t.equal(await run.ended, 0);
  t.same(run.journal(), ['leaf started', 'leaf ignored']);
  t.match(run.seen('daemon-ended'), [{ child: 'leaf', signal: 'SIGKILL' }]);
});

t.test('asked twice to stop, it does not wait', async (t) => {
  const run = new Run([{ name: 'leaf', startRank: 0 }], { FAKE_LEAF: 'deaf' }, { stopMs: 60_000 });
  await run.saw('supervisor-ready');
  run.supervisor.stop('test');
  run.supervisor.stop('test');
  t.equal(await run.ended, 0);
});

t.test('a daemon that does not say that it has started holds nobody up, nor does one that cannot be spawned', async (t) => {
  const run = new Run(
    [
      { name: 'leaf', startRank: 0, args: ['-e', 'setInterval(() => undefined, 60000)'] },
      { name: 'ghost', startRank: 1, command: '/nonexistent/node' },
      { name: 'phone', startRank: 2 },
    ],
    {},
    { startMs: 200 },
  );
  await run.saw('supervisor-ready');
  t.match(run.seen('daemon-slow-start')[0], { child: 'leaf' });
  t.match(run.seen('daemon-not-spawned')[0], { child: 'ghost', reason: /ENOENT/ });
  run.supervisor.stop('test');
  t.equal(await run.ended, 0);
});

t.test('what is no log line becomes one', async (t) => {
  const run = new Run([{ name: 'leaf', startRank: 0 }], { FAKE_LEAF: 'noisy' });
  await run.saw('supervisor-ready');
  // They come by two pipes.
  while (run.seen('daemon-output').length < 2) await new Promise(setImmediate);
  const texts = run.seen('daemon-output').map(({ text }) => text);
  t.same([...texts].sort(), ['ALSA lib: no such card', 'terminate called']);
  run.supervisor.stop('test');
  await run.ended;
});

t.test('children of a supervisor that is killed stop by themselves, in good order', async (t) => {
  const journalFile = freshJournal();
  const driver = spawn(process.execPath, [bundle('test/services/supervising-main.ts'), fakeMain], {
    env: environmentOf(journalFile),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface(driver.stdout)) if (/"daemon":"root".*daemon-started/.test(line)) break;
  driver.kill('SIGKILL');
  await once(driver, 'exit');
  await grown(journalFile, (lines) => lines.filter((line) => line.endsWith(' stopped')).length === 2);
  t.same(readLines(journalFile).sort(), ['leaf started', 'leaf stopped', 'root started', 'root stopped']);
});

/** Resolves once the lines of a file satisfy `condition`. */
async function grown(path: string, condition: (lines: string[]) => boolean): Promise<void> {
  const watcher = watch(path);
  try {
    if (condition(readLines(path))) return;
    for await (const _ of iterate(watcher)) if (condition(readLines(path))) return;
  } finally {
    watcher.close();
  }
}

async function* iterate(watcher: ReturnType<typeof watch>): AsyncGenerator<void> {
  for (;;) {
    await once(watcher, 'change');
    yield;
  }
}
