import type { Clock, Milliseconds } from '../core/clock.ts';
import { LimitedLog } from '../core/counters.ts';
import { messageOf } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';

/** Something that must hold for a process to be worth keeping: returns, or resolves, when it does; throws why not. */
export type HealthCheck = () => void | Promise<void>;

export interface HeartbeatParts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Between two looks, ms; a check has as long to answer. */
  readonly intervalMs: Milliseconds;
  /** All is well. */
  readonly onWell: () => void;
  /** Something is not, with the reason; `onWell` is not called this time. */
  readonly onIll: (reason: string) => void;
}

/** A look that comes later than this tells of an event loop that serves nobody in time, ms. */
const latenessAtMostMs: Milliseconds = 1_000;

/** Looks at regular times whether this process does its work, and only then lets the watchdog be fed. */
export class Heartbeat {
  readonly #parts: HeartbeatParts;
  readonly #log: LimitedLog;
  readonly #checks: { readonly title: string; readonly check: HealthCheck }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(parts: HeartbeatParts) {
    this.#parts = parts;
    this.#log = new LimitedLog(parts.logger);
  }

  add(title: string, check: HealthCheck): void {
    this.#checks.push({ title, check });
  }

  start(): void {
    if (this.#timer || this.#stopped) return;
    const due = this.#parts.clock.now() + this.#parts.intervalMs;
    this.#timer = setTimeout(() => void this.#beat(due), this.#parts.intervalMs);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #beat(due: Milliseconds): Promise<void> {
    const { clock, onWell, onIll } = this.#parts;
    const late = clock.now() - due;
    const problems = late > latenessAtMostMs ? [`the event loop is ${Math.round(late)} ms late`] : [];
    for (const outcome of await Promise.all(this.#checks.map((one) => this.#look(one.title, one.check)))) {
      if (outcome !== undefined) problems.push(outcome);
    }
    if (problems.length === 0) onWell();
    else {
      const reason = problems.join('; ');
      this.#log.warn(clock.now(), 'health-check-failed', { reason });
      onIll(reason);
    }
    this.#timer = undefined;
    this.start();
  }

  /** What is wrong, or nothing. */
  async #look(title: string, check: HealthCheck): Promise<string | undefined> {
    const { intervalMs } = this.#parts;
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(`${title}: no answer within ${Math.round(intervalMs)} ms`), intervalMs);
    });
    const answer = (async () => await check())().then(
      () => undefined,
      (thrown) => `${title}: ${messageOf(thrown)}`,
    );
    try {
      return await Promise.race([answer, tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }
}
