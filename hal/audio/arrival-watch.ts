import type { Milliseconds } from '#firmware/core/clock.ts';

/** Lateness beyond this is a stall, not jitter. */
const stallMs: Milliseconds = 60;
/** A burst of what the device kept ends a stall within so many frames; if it does not, sound was lost. */
const framesToCatchUp = 10;
/** Slow enough not to follow jitter, fast enough for any crystal: 1/256 of the lateness a frame. */
const adaptation = 1 / 256;

/**
 * Counts the captured frames a device lost, which PortAudio only prints. Each frame is expected one length after the one before, on a time
 * line that slowly follows the device's crystal. Frames that stay late although a burst had its chance mean that the line lost sound.
 */
export class ArrivalWatch {
  readonly #frameMs: Milliseconds;
  #expected: Milliseconds | undefined;
  #lateInARow = 0;
  #lost = 0;

  constructor(frameMs: Milliseconds) {
    this.#frameMs = frameMs;
  }

  /** Frames lost so far. */
  get lost(): number {
    return this.#lost;
  }

  arrived(now: Milliseconds): void {
    const lateness = this.#expected === undefined ? 0 : now - this.#expected;
    this.#expected = (this.#expected ?? now) + this.#frameMs;
    if (lateness < 0) this.#expected += lateness;
    if (lateness < stallMs) {
      this.#lateInARow = 0;
      this.#expected += lateness * adaptation;
    } else if (++this.#lateInARow >= framesToCatchUp) {
      const frames = Math.floor(lateness / this.#frameMs);
      this.#lost += frames;
      this.#expected += frames * this.#frameMs;
      this.#lateInARow = 0;
    }
  }
}
