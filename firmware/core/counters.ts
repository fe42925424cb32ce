import type { Milliseconds } from './clock.ts';
import type { LogFields, Logger } from './logger.ts';

const namesAtMost = 256;

/** Named totals of what went wrong or was refused, shown by `describe()`. Names are ours, never the network's, so they are few. */
export class Counters {
  #totals = new Map<string, number>();

  /** Adds one to `name` and returns the new total. */
  add(name: string): number {
    const known = this.#totals.get(name);
    if (known === undefined && this.#totals.size >= namesAtMost) return 0;
    const total = (known ?? 0) + 1;
    this.#totals.set(name, total);
    return total;
  }

  get(name: string): number {
    return this.#totals.get(name) ?? 0;
  }

  describe(): Record<string, number> {
    return Object.fromEntries([...this.#totals].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

/** Per event name at most one warning each `interval`; the next one says how many were held back. */
export class LimitedLog {
  readonly #logger: Logger;
  readonly #interval: Milliseconds;
  readonly #events = new Map<string, { quietUntil: Milliseconds; suppressed: number }>();

  constructor(logger: Logger, interval: Milliseconds = 10_000) {
    this.#logger = logger;
    this.#interval = interval;
  }

  warn(now: Milliseconds, event: string, fields: LogFields = {}): void {
    const seen = this.#events.get(event);
    if (seen && now < seen.quietUntil) {
      seen.suppressed++;
      return;
    }
    if (!seen && this.#events.size >= namesAtMost) return;
    this.#logger.warn(event, seen && seen.suppressed > 0 ? { ...fields, suppressed: seen.suppressed } : fields);
    this.#events.set(event, { quietUntil: now + this.#interval, suppressed: 0 });
  }
}
