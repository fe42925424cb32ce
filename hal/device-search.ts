import type { Milliseconds } from '#firmware/core/clock.ts';
import type { ElementSurroundings } from './elements.ts';

const againAfterMs: Milliseconds = 2_000;

/** Looks for a device that can be plugged in and out, every two seconds and never twice at once, until it is there; and again once it is lost. */
export class DeviceSearch {
  readonly #surroundings: ElementSurroundings;
  readonly #look: () => Promise<void>;
  readonly #isThere: () => boolean;
  #running: Promise<void> | undefined;
  #nextAt: Milliseconds;
  #ended = false;

  /** `look` opens the device if it is there, and never rejects. */
  constructor(surroundings: ElementSurroundings, look: () => Promise<void>, isThere: () => boolean) {
    this.#surroundings = surroundings;
    this.#look = look;
    this.#isThere = isThere;
    this.#nextAt = surroundings.now();
  }

  get ended(): boolean {
    return this.#ended;
  }

  get deadline(): Milliseconds | undefined {
    return this.#ended || this.#running || this.#isThere() ? undefined : this.#nextAt;
  }

  handleTimeout(now: Milliseconds): void {
    const { deadline } = this;
    if (deadline === undefined || now < deadline) return;
    this.#running = this.#look().finally(() => {
      this.#running = undefined;
      this.#nextAt = this.#surroundings.now() + againAfterMs;
      this.#surroundings.moved();
    });
  }

  /** The device is gone and `closing`: that it does not close in good order is no news. */
  lost(closing: Promise<void>): void {
    this.#nextAt = this.#surroundings.now() + againAfterMs;
    this.#running = Promise.allSettled([closing]).then(() => {
      this.#running = undefined;
      this.#surroundings.moved();
    });
  }

  /** After this no look is begun; one that runs has ended. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#running;
  }
}
