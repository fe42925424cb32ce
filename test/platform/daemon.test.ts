import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { silentLogger } from '#firmware/core/logger.ts';
import { lastingState } from '#firmware/platform/lasting-state.ts';
import { createLogger, type LoggerOptions } from '#firmware/platform/pino-logger.ts';
import { bundle } from '../support/bundle.ts';
import { NotifySocket } from '../support/notify-socket.ts';

t.test('a log line', async (t) => {
  const logged = (options: Partial<LoggerOptions>, write: (logger: ReturnType<typeof createLogger>) => void): string[] => {
    const lines: string[] = [];
    write(
      createLogger({ daemon: 'phone', level: 'debug', journal: false, destination: { write: (line) => lines.push(line) }, ...options }),
    );
    return lines;
  };

  t.test('is one JSON object with level, time, daemon, event and fields', async (t) => {
    const [line = ''] = logged({}, (logger) => logger.warn('call-lost', { call: 'c1', seconds: 3, text: 'two\nlines' }));
    t.ok(line.endsWith('}\n') && line.indexOf('\n') === line.length - 1);
    t.match(JSON.parse(line), { level: 'warn', daemon: 'phone', event: 'call-lost', call: 'c1', seconds: 3, text: 'two\nlines' });
    t.match(JSON.parse(line).time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  t.test('never shows a field whose name says that it is secret', async (t) => {
    const fields = { password: 'hunter2', webToken: 'hunter2', 'Proxy-Authorization': 'hunter2', cookie: 'hunter2', shipping: 'by sea' };
    const [line = ''] = logged({}, (logger) => logger.error('x', fields));
    t.notMatch(line, 'hunter2');
    t.match(JSON.parse(line), { password: '***', webToken: '***', shipping: 'by sea' });
  });

  t.test('has a priority in front for the journal', async (t) => {
    const lines = logged({ journal: true }, (logger) => {
      logger.debug('a');
      logger.info('b');
      logger.warn('c');
      logger.error('d');
    });
    t.same(
      lines.map((line) => line.slice(0, 4)),
      ['<7>{', '<6>{', '<4>{', '<3>{'],
    );
  });

  t.test('below the level is not written, and the level moves', async (t) => {
    const lines = logged({ level: 'warn' }, (logger) => {
      logger.info('unseen');
      logger.setLevel('info');
      logger.info('seen');
    });
    t.equal(lines.length, 1);
    const pinned = logged({ level: 'warn', pinned: true }, (logger) => {
      logger.setLevel('debug');
      logger.info('unseen');
    });
    t.same(pinned, [], 'unless whoever started the process chose it');
  });
});

const fakeDaemon = bundle('test/platform/obedient-main.ts');
const directory = mkdtempSync(join(tmpdir(), 'hs-daemon-'));
t.teardown(() => rmSync(directory, { recursive: true }));

t.test('a daemon', async (t) => {
  t.test('makes its directories and stops in order at SIGTERM and SIGINT', async (t) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const daemon = new FakeDaemon(['normal']);
      t.match(await daemon.saw('daemon-started'), { level: 'info', daemon: 'fake', pid: daemon.process.pid });
      t.ok(statSync(join(directory, 'state')).isDirectory());
      daemon.process.kill(signal);
      t.match(await daemon.ended(), { code: 0, signal: null });
      t.same(daemon.events().slice(1), ['daemon-stopping', 'step-second', 'step-first', 'daemon-stopped'], 'last added, first run');
    }
  });

  t.test('says that it has started also when its log is quiet: the supervisor waits for that', async (t) => {
    const daemon = new FakeDaemon(['normal'], { HOOKSWITCH_LOG_LEVEL: 'error' });
    t.match(await daemon.saw('daemon-started'), { level: 'info' });
    daemon.process.kill('SIGTERM');
    t.match(await daemon.ended(), { code: 0 });
    t.same(daemon.events(), ['daemon-started']);
  });

  t.test('with a stop step that fails goes on stopping and exits 1', async (t) => {
    const daemon = new FakeDaemon(['failing-step']);
    await daemon.saw('daemon-started');
    daemon.process.kill('SIGTERM');
    t.match(await daemon.ended(), { code: 1 });
    t.same(daemon.events().slice(2), ['daemon-stop-step-failed', 'step-first', 'daemon-stopped']);
  });

  t.test('whose supervisor dies stops by itself', async (t) => {
    const daemon = new FakeDaemon(['normal'], { HOOKSWITCH_SUPERVISED: '1' });
    await daemon.saw('daemon-started');
    daemon.process.stdin?.end();
    t.match(await daemon.ended(), { code: 0 });
    t.match(await daemon.saw('daemon-stopping'), { reason: 'the supervisor is gone' });
  });

  t.test('that crashes writes one fatal line and exits 1', async (t) => {
    for (const how of ['throw-later', 'reject-later'] as const) {
      const daemon = new FakeDaemon([how]);
      t.match(await daemon.ended(), { code: 1 });
      t.match(await daemon.saw('daemon-crashed'), { level: 'error', reason: 'a bug', stack: /TypeError: a bug/ });
      t.equal(daemon.events().filter((event) => event === 'daemon-crashed').length, 1);
    }
  });

  t.test('that cannot start says why without a stack and exits 1', async (t) => {
    const daemon = new FakeDaemon(['no-start']);
    t.match(await daemon.ended(), { code: 1 });
    const line = await daemon.saw('daemon-not-started');
    t.match(line, { reason: 'port 5060 is taken' });
    t.notOk('stack' in line);
  });

  t.test('that is called wrongly says how and exits 2', async (t) => {
    const wrong: readonly (readonly [readonly string[], Record<string, string>, RegExp])[] = [
      [[], { HOOKSWITCH_RUNTIME_DIR: '' }, /hookswitch-fake: no runtime directory/],
      [['--log-level', 'loud'], {}, /log level loud is none of debug, info, warn, error/],
      [['--colour'], {}, /Unknown option '--colour'/],
    ];
    for (const [args, environment, message] of wrong) {
      const daemon = new FakeDaemon(['normal'], environment, args);
      t.match(await daemon.ended(), { code: 2 });
      t.match(daemon.errors, message);
      t.equal(daemon.errors.trim().split('\n').length, 1, 'one line');
    }
  });
});

t.test('a daemon under a service manager', async (t) => {
  const managed = (t: Test, how: string, watchdogMs: number, kind: 'path' | 'abstract' = 'path') => {
    const manager = new NotifySocket(kind);
    t.teardown(() => manager.close());
    const daemon = new FakeDaemon([how], { NOTIFY_SOCKET: manager.name, WATCHDOG_USEC: String(watchdogMs * 1000) });
    t.teardown(() => daemon.process.kill('SIGKILL'));
    return { manager, daemon };
  };
  const feedings = (manager: NotifySocket) => manager.messages.filter((message) => message.startsWith('WATCHDOG=1')).length;

  t.test('says when it has started and when it stops, and feeds the watchdog meanwhile', async (t) => {
    for (const kind of ['path', 'abstract'] as const) {
      const { manager, daemon } = managed(t, 'normal', 300, kind);
      t.equal(await manager.saw('READY=1'), 'READY=1\nWATCHDOG=1\nSTATUS=runs\n');
      while (feedings(manager) < 3) await new Promise((resolve) => setTimeout(resolve, 10));
      daemon.process.kill('SIGTERM');
      t.match(await manager.saw('STOPPING=1'), 'STATUS=stops: SIGTERM');
      t.match(await daemon.ended(), { code: 0 });
    }
  });

  t.test('does not feed it while a check fails or hangs or its event loop comes late', async (t) => {
    for (const [how, reason] of [
      ['ill', 'STATUS=ill: patient: fever'],
      ['hanging', 'STATUS=ill: patient: no answer within 100 ms'],
      ['busy', /STATUS=ill: the event loop is \d{4} ms late/],
    ] as const) {
      const { manager, daemon } = managed(t, how, 300);
      t.match(await manager.saw('STATUS=ill'), reason);
      t.match(await daemon.saw('health-check-failed'), { level: 'warn' });
      t.equal(feedings(manager), 0);
      daemon.process.kill('SIGKILL');
      await daemon.ended();
    }
  });

  t.test('that waits for another has started all the same', async (t) => {
    const { manager, daemon } = managed(t, 'waits-for-ever', 300);
    await manager.saw('READY=1');
    await manager.saw('WATCHDOG=1\nSTATUS=runs');
    t.same(daemon.events(), []);
    daemon.process.kill('SIGTERM');
    await daemon.ended();
  });

  t.test('that cannot start says why, and ends only after a while, so that it is tried for ever', async (t) => {
    const begun = performance.now();
    const { manager, daemon } = managed(t, 'no-start', 0);
    await manager.saw('STATUS=cannot start: port 5060 is taken');
    t.match(await daemon.ended(), { code: 1 });
    t.ok(performance.now() - begun > 4_000);
    t.notOk(manager.messages.some((message) => message.includes('READY')));
  });

  t.test('speaks for itself alone: its children do not see the socket', async (t) => {
    const { daemon } = managed(t, 'child', 0);
    t.match(await daemon.saw('child-sees'), { socket: 'nothing' });
    daemon.process.kill('SIGTERM');
    await daemon.ended();
  });

  t.test('whose socket is none runs without it', async (t) => {
    const daemon = new FakeDaemon(['normal'], { NOTIFY_SOCKET: 'relative/path' });
    t.match(await daemon.saw('service-manager-not-reached'), { level: 'error', reason: 'NOTIFY_SOCKET is no socket: relative/path' });
    await daemon.saw('daemon-started');
    daemon.process.kill('SIGTERM');
    t.match(await daemon.ended(), { code: 0 });
  });
});

interface Line extends Record<string, unknown> {
  readonly event: string;
}

/** A process that runs the fake daemon, and what it logs. */
class FakeDaemon {
  readonly process: ChildProcess;
  errors = '';
  readonly #lines: Line[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #exit: Promise<unknown[]>;

  constructor(words: readonly string[], environment: Record<string, string> = {}, args: readonly string[] = []) {
    const { JOURNAL_STREAM: _, ...inherited } = process.env;
    const places = { HOOKSWITCH_RUNTIME_DIR: join(directory, 'run'), HOOKSWITCH_STATE_DIR: join(directory, 'state') };
    this.process = spawn(process.execPath, [fakeDaemon, ...args], {
      env: { ...inherited, ...places, FAKE_DAEMON: words.join(' '), ...environment },
    });
    this.#exit = once(this.process, 'close');
    this.process.stderr?.on('data', (bytes) => {
      this.errors += String(bytes);
    });
    if (this.process.stdout) {
      createInterface(this.process.stdout).on('line', (text) => {
        this.#lines.push(JSON.parse(text));
        for (const watcher of this.#watchers) watcher();
      });
    }
  }

  events(): string[] {
    return this.#lines.map(({ event }) => event);
  }

  saw(event: string): Promise<Line> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.#lines.find((line) => line.event === event);
        if (!found) return;
        this.#watchers.delete(look);
        resolve(found);
      };
      this.#watchers.add(look);
      look();
    });
  }

  async ended(): Promise<{ code: unknown; signal: unknown }> {
    const [code, signal] = await this.#exit;
    return { code, signal };
  }
}

t.test('on a disk that may only be read a daemon works with a copy of its state', async (t) => {
  const folder = t.testdir({ state: { 'phone.db': 'settings', 'device.key': 'key', boards: {} }, run: {} });
  const place = { name: 'phone', stateDirectory: join(folder, 'state'), runtimeDirectory: join(folder, 'run'), logger: silentLogger };
  const copy = join(folder, 'run/phone.state');
  chmodSync(join(folder, 'state/device.key'), 0o600);

  t.same(
    lastingState(place, () => false),
    { directory: place.stateDirectory, notice: undefined },
    'else with its state itself',
  );
  const kept = lastingState(place, () => true);
  t.match(kept, { directory: copy, notice: /read-only/ });
  t.same(readdirSync(copy).sort(), ['device.key', 'phone.db']);
  t.equal(statSync(copy).mode & 0o777, 0o700);
  t.equal(statSync(join(copy, 'device.key')).mode & 0o077, 0, 'secrets stay secrets');

  writeFileSync(join(copy, 'phone.db'), 'changed');
  t.equal(readFileSync(join(lastingState(place, () => true).directory, 'phone.db'), 'utf8'), 'changed', 'changes last to the next start');
  t.equal(lastingState(place, () => false).directory, place.stateDirectory);
  t.same(readdirSync(place.runtimeDirectory), [], 'and are forgotten when the disk can be written again');

  mkdirSync(join(folder, 'elsewhere'));
  symlinkSync(join(folder, 'elsewhere'), copy);
  t.throws(() => lastingState(place, () => true), { name: 'ResourceError', message: /was not made by this daemon/ });
});
