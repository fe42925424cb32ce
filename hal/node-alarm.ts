import type { Clock, Milliseconds } from '#firmware/core/clock.ts';
import type { Alarm } from './board.ts';

/** Wakes by setTimeout, never early. */
export class NodeAlarm implements Alarm {
  readonly #clock: Clock;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  arm(deadline: Milliseconds | undefined, wake: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = deadline === undefined ? undefined : setTimeout(wake, Math.max(0, Math.ceil(deadline - this.#clock.now())));
  }
}
