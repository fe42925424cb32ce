import type { PhoneStatus } from '#firmware/contract/phone.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Alarm, Alarms } from './machine.ts';
import type { Outbox } from './outbox.ts';

/** At most ten snapshots a second. */
const intervalMs = 100;

/** Tells how things are some time after they may have changed, and only what has. */
export class StatusTeller {
  /** Its alarm: telling changes nothing, so whoever fires it need not look again. */
  readonly alarm: Alarm = { fire: (now) => this.#tell(now) };
  readonly #alarms: Alarms;
  readonly #outbox: Outbox;
  readonly #statusAt: (now: Milliseconds) => PhoneStatus;
  #told = '';

  constructor(alarms: Alarms, outbox: Outbox, statusAt: (now: Milliseconds) => PhoneStatus) {
    this.#alarms = alarms;
    this.#outbox = outbox;
    this.#statusAt = statusAt;
  }

  /** Something may have changed. */
  expect(now: Milliseconds): void {
    if (!this.#alarms.has(this.alarm)) this.#alarms.set(this.alarm, now + intervalMs);
  }

  #tell(now: Milliseconds): void {
    const status = this.#statusAt(now);
    // Time that passes is no news.
    const told = JSON.stringify(status, (key, value) => (key === 'nextInMs' ? undefined : value));
    if (told === this.#told) return;
    this.#told = told;
    this.#outbox.status(status);
  }
}
