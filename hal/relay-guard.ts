import type { Milliseconds } from '#firmware/core/clock.ts';

/**
 * How long a relay may stay closed. A pulse while it is closed moves the release to whichever is later, but never beyond the maximum since it
 * closed: nobody can hold a door open by asking again and again before it falls. Only monotonic time counts. Pure.
 */
export class RelayGuard {
  readonly #maximumMs: Milliseconds;
  #closing: { readonly since: Milliseconds; until: Milliseconds } | undefined;

  constructor(maximumMs: Milliseconds) {
    this.#maximumMs = maximumMs;
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** When the relay must be released. */
  get deadline(): Milliseconds | undefined {
    return this.#closing?.until;
  }

  /** Asks for `durationMs` from now; returns what is granted. */
  pulse(now: Milliseconds, durationMs: Milliseconds): Milliseconds {
    this.handleTimeout(now);
    this.#closing ??= { since: now, until: now };
    this.#closing.until = Math.min(Math.max(this.#closing.until, now + durationMs), this.#closing.since + this.#maximumMs);
    return this.#closing.until - now;
  }

  release(): void {
    this.#closing = undefined;
  }

  /** True when the time is over: the relay is to be released now. */
  handleTimeout(now: Milliseconds): boolean {
    if (!this.#closing || now < this.#closing.until) return false;
    this.#closing = undefined;
    return true;
  }
}
