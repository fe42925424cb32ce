import type { Milliseconds } from '#firmware/core/clock.ts';

/** A change that has held. `at` is when its edge came. */
export interface LevelChange {
  readonly active: boolean;
  readonly at: Milliseconds;
}

/**
 * A level counts once it has held for `holdMs`. Each edge back starts anew, so a bouncing contact says nothing until it rests, and a pulse
 * shorter than that never happened. Pure.
 */
export class Debounce {
  readonly #holdMs: Milliseconds;
  #active: boolean;
  /** When the level that differs from the one that counts began. */
  #since: Milliseconds | undefined;

  constructor(holdMs: Milliseconds, active: boolean) {
    this.#holdMs = holdMs;
    this.#active = active;
  }

  /** The level that counts. */
  get active(): boolean {
    return this.#active;
  }

  get deadline(): Milliseconds | undefined {
    return this.#since === undefined ? undefined : this.#since + this.#holdMs;
  }

  /** The wire shows this level now. Returns the change when it counts at once. */
  level(now: Milliseconds, active: boolean): LevelChange | undefined {
    if (active === this.#active) this.#since = undefined;
    else this.#since ??= now;
    return this.handleTimeout(now);
  }

  /** Returns the change that has held long enough by now. */
  handleTimeout(now: Milliseconds): LevelChange | undefined {
    const { deadline } = this;
    if (this.#since === undefined || deadline === undefined || now < deadline) return undefined;
    const change = { active: !this.#active, at: this.#since };
    this.#active = change.active;
    this.#since = undefined;
    return change;
  }
}
