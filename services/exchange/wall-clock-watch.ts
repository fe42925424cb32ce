import type { Clock } from '#firmware/core/clock.ts';

const intervalMs = 10_000;
/** What the kernel's slewing may do between two looks stays far below this. */
const stepMs = 2_000;

/** Notices when the wall clock is set: by the network after a boot without a clock, or by a person. */
export class WallClockWatch {
  readonly #clock: Clock;
  readonly #onStep: () => void;
  #offset = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock, onStep: () => void) {
    this.#clock = clock;
    this.#onStep = onStep;
  }

  start(): void {
    if (this.#timer) return;
    this.#offset = this.#clock.wallTime() - this.#clock.now();
    this.#timer = setInterval(() => this.look(), intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Compares the clocks now. */
  look(): void {
    const offset = this.#clock.wallTime() - this.#clock.now();
    if (Math.abs(offset - this.#offset) < stepMs) return;
    this.#offset = offset;
    this.#onStep();
  }
}
