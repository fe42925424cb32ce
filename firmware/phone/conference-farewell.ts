import type { Milliseconds } from '#firmware/core/clock.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { Call } from './call.ts';
import type { Alarm, Alarms } from './machine.ts';

export interface FarewellPorts {
  readonly alarms: Alarms;
  /** Connects the far ends of the focus and the one other call with each other. Throws UsageError when that cannot be. */
  connectOthers(now: Milliseconds): void;
}

/** Far ends that are to be connected with each other are given up after this long. */
const patienceMs = 30_000;

/** Two far ends of a conference that talk on without the person who has hung up: by a transfer, after which their calls here end. */
export class ConferenceFarewell {
  readonly #ports: FarewellPorts;
  readonly #leaving = new Set<Call>();
  readonly #alarm: Alarm = { fire: (now) => this.giveUp(now) };

  constructor(ports: FarewellPorts) {
    this.#ports = ports;
  }

  /** False when they cannot talk on: more than two of them, or a far end that cannot be asked. */
  connect(now: Milliseconds, calls: readonly Call[]): boolean {
    if (calls.length !== 2 || calls.some(({ onHold }) => onHold)) return false;
    try {
      this.#ports.connectOthers(now);
    } catch (thrown) {
      if (!(thrown instanceof UsageError)) throw thrown;
      return false;
    }
    for (const call of calls) this.#leaving.add(call);
    this.#ports.alarms.set(this.#alarm, now + patienceMs);
    return true;
  }

  /** The transfer has failed, or takes too long: those who are still there hear that it is over. */
  giveUp(now: Milliseconds): void {
    this.#ports.alarms.clear(this.#alarm);
    for (const call of this.#leaving) if (call.alive) call.hangUp(now);
    this.#leaving.clear();
  }
}
