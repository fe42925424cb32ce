import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock, Milliseconds } from '#firmware/core/clock.ts';
import type { Logger } from '#firmware/core/logger.ts';
import { DaemonOutput } from './daemon-output.ts';

/** One main to keep alive. */
export interface Program {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Daemons of lower rank start earlier. */
  readonly startRank: number;
  /** Daemons of lower rank stop earlier; those of one rank stop together. */
  readonly stopRank: number;
  /** Everything ends when this one cannot be kept alive. */
  readonly essential: boolean;
}

export interface SupervisorLimits {
  /** Pause before the first restart; doubles with each one. */
  readonly firstPauseMs: Milliseconds;
  readonly lastPauseMs: Milliseconds;
  /** A daemon that lived this long starts with the first pause again. */
  readonly healthyMs: Milliseconds;
  /** Restarts in a row before it is given up. */
  readonly restarts: number;
  /** How long a daemon may take to say that it has started. */
  readonly startMs: Milliseconds;
  /** How long it may take to stop before it is killed. */
  readonly stopMs: Milliseconds;
}

const supervisorLimits: SupervisorLimits = {
  firstPauseMs: 50,
  lastPauseMs: 15_000,
  healthyMs: 30_000,
  restarts: 12,
  startMs: 10_000,
  stopMs: 10_000,
};

export interface SupervisorParts {
  readonly programs: readonly Program[];
  readonly environment: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Takes each log line of a daemon, without its newline. */
  readonly onLine: (line: string) => void;
  readonly limits?: Partial<SupervisorLimits>;
}

/** A configuration error: starting again cannot mend it. */
const usageExitCode = 2;
/** How long output is waited for once a process has ended, ms. */
const lastOutputMs = 500;

/**
 * Keeps programs alive as systemd would: ordered start, restart with back-off, ordered stop. Each child holds the read end of a pipe as
 * its stdin; when this process dies in whatever way, the pipe ends and the children stop by themselves.
 */
export class Supervisor {
  readonly #parts: SupervisorParts;
  readonly #kept: readonly KeptProgram[];
  #stopping: Promise<void> | undefined;
  #finish: (exitCode: number) => void = () => undefined;
  readonly #finished = new Promise<number>((resolve) => {
    this.#finish = resolve;
  });

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    const limits = { ...supervisorLimits, ...parts.limits };
    this.#kept = parts.programs.map((program) => new KeptProgram(program, parts, limits, () => this.#givenUp(program)));
  }

  /** Starts everything in order and resolves with an exit code once all of it has ended. */
  async run(): Promise<number> {
    for (const kept of [...this.#kept].sort((a, b) => a.program.startRank - b.program.startRank)) {
      if (this.#stopping) break;
      await kept.start();
    }
    if (!this.#stopping) this.#parts.logger.info('supervisor-ready', { daemons: this.#kept.map(({ program }) => program.name) });
    return await this.#finished;
  }

  /** Stops everything in order; asked again while stopping, it kills what is left. */
  stop(reason: string, exitCode = 0): void {
    if (this.#stopping) {
      for (const kept of this.#kept) kept.kill();
      return;
    }
    this.#parts.logger.info('supervisor-stopping', { reason });
    this.#stopping = this.#stopAll();
    void this.#stopping.then(() => this.#finish(exitCode));
  }

  async #stopAll(): Promise<void> {
    const ranks = [...new Set(this.#kept.map(({ program }) => program.stopRank))].sort((a, b) => a - b);
    for (const rank of ranks) {
      await Promise.all(this.#kept.filter(({ program }) => program.stopRank === rank).map((kept) => kept.stop()));
    }
  }

  #givenUp(program: Program): void {
    if (program.essential) this.stop(`${program.name} cannot be kept alive`, 1);
  }
}

/** One program, its process if it has one, and its restarts. */
class KeptProgram {
  readonly program: Program;
  readonly #parts: SupervisorParts;
  readonly #limits: SupervisorLimits;
  readonly #onGivenUp: () => void;
  #child: ChildProcess | undefined;
  #stopping = false;
  #restarts = 0;
  #pause: NodeJS.Timeout | undefined;
  /** Told when the process says that it has started, or ends. */
  #onSettled: () => void = () => undefined;
  #onExit: () => void = () => undefined;

  constructor(program: Program, parts: SupervisorParts, limits: SupervisorLimits, onGivenUp: () => void) {
    this.program = program;
    this.#parts = parts;
    this.#limits = limits;
    this.#onGivenUp = onGivenUp;
  }

  /** Resolves once the process has started, has failed to, or has taken too long; the rest goes on without waiting for it. */
  async start(): Promise<void> {
    if (this.#stopping) return;
    const settled = new Promise<void>((resolve) => {
      this.#onSettled = resolve;
    });
    this.#spawn();
    const late = setTimeout(() => {
      this.#parts.logger.warn('daemon-slow-start', { child: this.program.name, startMs: this.#limits.startMs });
      this.#onSettled();
    }, this.#limits.startMs);
    await settled;
    clearTimeout(late);
  }

  /** SIGTERM, and SIGKILL when that takes too long. Resolves once the process is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#pause);
    this.#onSettled();
    const child = this.#child;
    if (!child) return;
    const gone = new Promise<void>((resolve) => {
      this.#onExit = resolve;
    });
    child.kill('SIGTERM');
    const late = setTimeout(() => {
      this.#parts.logger.warn('daemon-killed', { child: this.program.name, stopMs: this.#limits.stopMs });
      this.kill();
    }, this.#limits.stopMs);
    await gone;
    clearTimeout(late);
  }

  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  #spawn(): void {
    const { environment, clock, logger, onLine } = this.#parts;
    const { name, command, args } = this.program;
    const startedAt = clock.now();
    // Its own session: Ctrl-C in a terminal reaches the supervisor alone, which then stops the others in order.
    const child = spawn(command, [...args], {
      env: { ...environment, HOOKSWITCH_SUPERVISED: '1' },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.#child = child;
    const output = new DaemonOutput(name, logger, onLine, () => this.#onSettled());
    child.stdout.on('data', (bytes: Uint8Array) => output.receive(bytes));
    child.stderr.on('data', (bytes: Uint8Array) => output.receiveError(bytes));
    // A child that is gone reads no more; its exit is what counts.
    child.stdin.on('error', (error) => logger.debug('daemon-stdin-lost', { child: name, reason: error.message }));
    child.once('error', (error) => {
      logger.error('daemon-not-spawned', { child: name, reason: error.message });
      if (child.pid === undefined) this.#exited(child, startedAt);
    });
    // `close` follows `exit` and the last line of output, unless something the child started still holds its stdout.
    child.once('exit', () => setTimeout(() => this.#exited(child, startedAt), lastOutputMs).unref());
    child.once('close', () => this.#exited(child, startedAt));
  }

  #exited(child: ChildProcess, startedAt: Milliseconds): void {
    const { logger, clock } = this.#parts;
    const { name } = this.program;
    const { exitCode: code, signalCode: signal } = child;
    const livedMs = clock.now() - startedAt;
    if (this.#child !== child) return;
    this.#child = undefined;
    if (this.#stopping) {
      logger.info('daemon-ended', { child: name, code, signal });
      this.#onExit();
      return;
    }
    if (livedMs >= this.#limits.healthyMs) this.#restarts = 0;
    if (code === usageExitCode || this.#restarts >= this.#limits.restarts) {
      logger.error('daemon-given-up', { child: name, code, signal, restarts: this.#restarts });
      this.#onSettled();
      this.#onGivenUp();
      return;
    }
    const pauseMs = Math.min(this.#limits.lastPauseMs, this.#limits.firstPauseMs * 2 ** this.#restarts++);
    logger.warn('daemon-died', { child: name, code, signal, livedMs: Math.round(livedMs), restartInMs: pauseMs });
    this.#onSettled();
    this.#pause = setTimeout(() => this.#spawn(), pauseMs);
  }
}
