import type { Clock, Milliseconds } from '#firmware/core/clock.ts';
import type { Alarm } from '#hal/board.ts';

/** A clock that stands still until it is told, and the one wake-up of whoever lives on it. */
export class VirtualTime implements Clock, Alarm {
  #now: Milliseconds = 0;
  #deadline: Milliseconds | undefined;
  #wake: (() => void) | undefined;

  now(): Milliseconds {
    return this.#now;
  }

  wallTime(): Milliseconds {
    return this.#now;
  }

  arm(deadline: Milliseconds | undefined, wake: () => void): void {
    this.#deadline = deadline;
    this.#wake = wake;
  }

  /** Lets so much time pass, stopping at each wake-up on the way. Promises that became ready are run in between. */
  async pass(ms: Milliseconds): Promise<void> {
    const end = this.#now + ms;
    await settled();
    while (this.#deadline !== undefined && this.#deadline <= end) {
      this.#now = Math.max(this.#now, this.#deadline);
      this.#deadline = undefined;
      this.#wake?.();
      await settled();
    }
    this.#now = end;
  }

  /** The process stands still so long: deadlines on the way are noticed at its end only. */
  stall(ms: Milliseconds): void {
    this.#now += ms;
  }
}

/** Every promise that can settle without waiting has. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
