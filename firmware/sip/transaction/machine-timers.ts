import type { Milliseconds } from '#firmware/core/clock.ts';
import { TimerTable } from '#firmware/core/timer-table.ts';
import type { Machine } from './machine.ts';
import { durationOf, nextInterval, type TransactionTimer, type TransactionTimes } from './timers.ts';

/** A timer of one machine: the same object each time, for it is the key of the timer table. */
interface MachineTimer {
  readonly machine: Machine;
  readonly timer: TransactionTimer;
}

/** The timers of all machines. */
export class MachineTimers {
  readonly #times: TransactionTimes;
  readonly #table = new TimerTable<MachineTimer>();

  constructor(times: TransactionTimes) {
    this.#times = times;
  }

  /** Starts a timer as its state is entered; true if it is one that fires at once (RFC 3261 Table 4 for reliable transports). */
  start(now: Milliseconds, machine: Machine, timer: TransactionTimer): boolean {
    const duration = durationOf(timer, this.#times, machine.reliable);
    if (duration === undefined) return false;
    if (duration > 0) this.#set(now, machine, timer, duration);
    return duration === 0;
  }

  /** Starts a retransmission timer again that has just fired. */
  repeat(now: Milliseconds, machine: Machine, timer: 'A' | 'E' | 'G'): void {
    this.#set(now, machine, timer, nextInterval(timer, machine.interval, this.#times));
  }

  /** As `repeat`, with the longest interval. */
  repeatAtT2(now: Milliseconds, machine: Machine, timer: 'E'): void {
    this.#set(now, machine, timer, this.#times.t2);
  }

  stop(machine: Machine, timer: TransactionTimer): void {
    const key = machine.timers.find((one) => one.timer === timer);
    if (key) this.#table.clear(key);
  }

  takeDue(now: Milliseconds): MachineTimer | undefined {
    return this.#table.takeDue(now);
  }

  get deadline(): Milliseconds | undefined {
    return this.#table.deadline;
  }

  get size(): number {
    return this.#table.size;
  }

  #set(now: Milliseconds, machine: Machine, timer: TransactionTimer, duration: Milliseconds): void {
    if (timer === 'A' || timer === 'E' || timer === 'G') machine.interval = duration;
    let key = machine.timers.find((one) => one.timer === timer);
    if (!key) {
      key = { machine, timer };
      machine.timers.push(key);
    }
    this.#table.set(key, now + duration);
  }
}
