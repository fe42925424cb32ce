import { existsSync, fstatSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Clock } from '../core/clock.ts';
import type { Entropy } from '../core/entropy.ts';
import { messageOf, ResourceError, UsageError } from '../core/errors.ts';
import { type HealthCheck, Heartbeat } from './heartbeat.ts';
import { findInitSystem, type InitSystem } from './init-system.ts';
import { nodeClock } from './node-clock.ts';
import { nodeEntropy } from './node-entropy.ts';
import { createLogger, type LeveledLogger, type LogLevel, logLevels } from './pino-logger.ts';

/** What every main gets: where it lives, what it logs to, and how it says what to undo at its end. */
export interface Daemon {
  readonly name: string;
  /** Sockets of all daemons; made anew at each boot. */
  readonly runtimeDirectory: string;
  /** What has to last: databases, greetings, recordings. */
  readonly stateDirectory: string;
  readonly logger: LeveledLogger;
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** Adds a step of the ordered stop. The last step added runs first, each once the one before has ended. */
  onStop(title: string, step: () => void | Promise<void>): void;
  /** The service manager's watchdog is fed only while no check fails. Without a watchdog nobody looks. */
  addHealthCheck(title: string, check: HealthCheck): void;
  /** Says that the daemon has started although `start` goes on: what it still waits for may take long, such as another daemon. */
  ready(): void;
  /** Stops as SIGTERM does, with this exit code. */
  stop(reason: string, exitCode?: number): void;
}

/** All stop steps together may take this long, ms; systemd and the supervisor wait longer before they kill. */
const stopDeadlineMs = 8_000;

const exitCodes = { failure: 1, usage: 2 } as const;

/** Looks at its health for each time the watchdog would bite: one that fails is followed by two more. */
const looksPerWatchdog = 3;
/** A daemon that cannot start under a service manager waits this long before it ends, ms: it is tried for ever, and not given up. */
const startAgainAfterMs = 5_000;

/** The socket of the daemon `name`. */
export function socketPathOf(runtimeDirectory: string, name: string): string {
  return join(runtimeDirectory, `${name}.sock`);
}

/**
 * The life of a daemon: reads its place from arguments and environment, calls `start`, and at SIGTERM, SIGINT or the end of its supervisor
 * runs the stop steps. An error nobody caught is one fatal line and exit code 1: systemd or the supervisor starts it anew.
 */
export async function runDaemon(name: string, start: (daemon: Daemon) => Promise<void>): Promise<void> {
  const place = placeOf(name, process.argv.slice(2), process.env);
  const logger = createLogger({ daemon: name, level: place.level, pinned: place.pinned, journal: writesToJournal() });
  const life = new DaemonLife(name, place, logger, await findInit(logger));
  life.watch();
  try {
    await start(life);
    logger.announce('daemon-started', { pid: process.pid, runtimeDirectory: place.runtimeDirectory });
    life.ready();
  } catch (thrown) {
    life.notStarted(thrown);
  }
}

/** A daemon runs without its service manager rather than not at all. */
async function findInit(logger: LeveledLogger): Promise<InitSystem | undefined> {
  try {
    return await findInitSystem(process.env);
  } catch (thrown) {
    logger.error('service-manager-not-reached', { reason: messageOf(thrown) });
    return undefined;
  }
}

/** Whether stdout is the journal's own stream; a variable that was only inherited names another file. */
function writesToJournal(): boolean {
  const { dev, ino } = fstatSync(1);
  return process.env.JOURNAL_STREAM === `${dev}:${ino}`;
}

interface Place {
  readonly runtimeDirectory: string;
  readonly stateDirectory: string;
  readonly level: LogLevel;
  /** The level is an argument: settings do not move it. */
  readonly pinned: boolean;
}

/** systemd gives a list when a unit has several directories: the first is the one meant. */
function firstOf(list: string | undefined): string | undefined {
  return list?.split(':')[0];
}

function placeOf(name: string, argv: readonly string[], environment: NodeJS.ProcessEnv): Place {
  try {
    const options = { 'runtime-dir': { type: 'string' }, 'state-dir': { type: 'string' }, 'log-level': { type: 'string' } } as const;
    const { values } = parseArgs({ args: [...argv], options, strict: true });
    const runtimeDirectory = values['runtime-dir'] ?? environment.HOOKSWITCH_RUNTIME_DIR ?? firstOf(environment.RUNTIME_DIRECTORY);
    const stateDirectory = values['state-dir'] ?? environment.HOOKSWITCH_STATE_DIR ?? firstOf(environment.STATE_DIRECTORY);
    if (!runtimeDirectory) throw new Error('no runtime directory: set HOOKSWITCH_RUNTIME_DIR or pass --runtime-dir');
    if (!stateDirectory) throw new Error('no state directory: set HOOKSWITCH_STATE_DIR or pass --state-dir');
    const level = levelOf(values['log-level'] ?? environment.HOOKSWITCH_LOG_LEVEL ?? 'info');
    for (const directory of [runtimeDirectory, stateDirectory]) {
      if (!existsSync(directory)) mkdirSync(directory, { recursive: true, mode: 0o750 });
    }
    return {
      runtimeDirectory: resolve(runtimeDirectory),
      stateDirectory: resolve(stateDirectory),
      level,
      pinned: values['log-level'] !== undefined,
    };
  } catch (thrown) {
    process.stderr.write(`hookswitch-${name}: ${messageOf(thrown)}\n`);
    process.exit(exitCodes.usage);
  }
}

function levelOf(text: string): LogLevel {
  const level = logLevels.find((known) => known === text);
  if (!level) throw new Error(`log level ${text} is none of ${logLevels.join(', ')}`);
  return level;
}

class DaemonLife implements Daemon {
  readonly name: string;
  readonly runtimeDirectory: string;
  readonly stateDirectory: string;
  readonly logger: LeveledLogger;
  readonly clock = nodeClock;
  readonly entropy = nodeEntropy;
  readonly #steps: { title: string; step: () => void | Promise<void> }[] = [];
  readonly #manager: InitSystem | undefined;
  readonly #heartbeat: Heartbeat | undefined;
  #stopping = false;

  constructor(name: string, place: Place, logger: LeveledLogger, manager: InitSystem | undefined) {
    this.name = name;
    this.runtimeDirectory = place.runtimeDirectory;
    this.stateDirectory = place.stateDirectory;
    this.logger = logger;
    this.#manager = manager;
    this.#heartbeat = manager && heartbeatOf(manager, this.clock, logger);
  }

  addHealthCheck(title: string, check: HealthCheck): void {
    this.#heartbeat?.add(title, check);
  }

  ready(): void {
    if (this.#stopping) return;
    this.#manager?.notify('READY=1', 'WATCHDOG=1', 'STATUS=runs');
    this.#heartbeat?.start();
  }

  onStop(title: string, step: () => void | Promise<void>): void {
    this.#steps.push({ title, step });
  }

  stop(reason: string, exitCode = 0): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#heartbeat?.stop();
    this.#manager?.notify('STOPPING=1', `STATUS=stops: ${reason}`);
    this.logger.info('daemon-stopping', { reason });
    const deadline = setTimeout(() => {
      this.logger.error('daemon-stop-too-slow', { deadlineMs: stopDeadlineMs });
      process.exit(exitCodes.failure);
    }, stopDeadlineMs);
    deadline.unref();
    void this.#runSteps().then((clean) => {
      this.logger.info('daemon-stopped', {});
      process.exit(clean ? exitCode : exitCodes.failure);
    });
  }

  notStarted(thrown: unknown): void {
    this.#complain('daemon-not-started', thrown);
    if (!this.#manager) process.exit(exitCodes.failure);
    this.#manager.notify(`STATUS=cannot start: ${messageOf(thrown)}`);
    setTimeout(() => process.exit(exitCodes.failure), startAgainAfterMs);
  }

  #fail(thrown: unknown): void {
    this.#complain('daemon-crashed', thrown);
    process.exit(exitCodes.failure);
  }

  #complain(event: string, thrown: unknown): void {
    const ours = thrown instanceof ResourceError || thrown instanceof UsageError;
    const stack = !ours && thrown instanceof Error ? thrown.stack : undefined;
    this.logger.error(event, { reason: messageOf(thrown), stack });
  }

  /** Signals, errors nobody caught, and the end of the supervisor, which is the end of the stdin that it holds open. */
  watch(): void {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.stop(signal));
    process.on('uncaughtException', (thrown) => this.#fail(thrown));
    process.on('unhandledRejection', (thrown) => this.#fail(thrown));
    if (process.env.HOOKSWITCH_SUPERVISED !== '1') return;
    process.stdin.on('error', () => this.stop('the supervisor is gone'));
    process.stdin.on('close', () => this.stop('the supervisor is gone'));
    process.stdin.on('end', () => this.stop('the supervisor is gone'));
    process.stdin.resume();
  }

  async #runSteps(): Promise<boolean> {
    let clean = true;
    for (const { title, step } of this.#steps.reverse()) {
      try {
        await step();
      } catch (thrown) {
        clean = false;
        this.logger.error('daemon-stop-step-failed', { step: title, reason: messageOf(thrown) });
      }
    }
    return clean;
  }
}

function heartbeatOf(manager: InitSystem, clock: Clock, logger: LeveledLogger): Heartbeat | undefined {
  const { watchdogMs } = manager;
  if (watchdogMs === undefined) return undefined;
  return new Heartbeat({
    clock,
    logger,
    intervalMs: watchdogMs / looksPerWatchdog,
    onWell: () => manager.notify('WATCHDOG=1', 'STATUS=runs'),
    onIll: (reason) => manager.notify(`STATUS=ill: ${reason}`),
  });
}
