import type { Milliseconds } from '#firmware/core/clock.ts';
import { type StateTable, stepOf } from '#firmware/core/state-table.ts';
import type { TimerTable } from '#firmware/core/timer-table.ts';

/** What a timer of the user agent does when it is due. */
export interface Wake {
  readonly fire: (now: Milliseconds) => void;
}

/** Who owns a machine: it says how long each timer runs, and what happens when one ends. */
export interface MachineOwner<Timer extends string> {
  durationOf(timer: Timer): Milliseconds;
  timedOut(now: Milliseconds, timer: Timer): void;
}

/** A state of a table with its running timers. The owner does the actions that a step gives. */
export class StateMachine<State extends string, Input extends string, Action extends string, Timer extends string> {
  readonly #table: StateTable<State, Input, Action, Timer>;
  readonly #timers: TimerTable<Wake>;
  readonly #owner: MachineOwner<Timer>;
  /** Most machines have no timer most of the time, and a phone has thousands of them. */
  #running: Map<Timer, Wake> | undefined;
  #state: State;

  constructor(table: StateTable<State, Input, Action, Timer>, initial: State, timers: TimerTable<Wake>, owner: MachineOwner<Timer>) {
    this.#table = table;
    this.#state = initial;
    this.#timers = timers;
    this.#owner = owner;
  }

  get state(): State {
    return this.#state;
  }

  accepts(input: Input): boolean {
    return this.#table[this.#state].on[input] !== undefined;
  }

  /** Goes where `input` leads and gives what to do there, in order; nothing when the state ignores the input. */
  step(now: Milliseconds, input: Input): readonly Action[] {
    const step = stepOf(this.#table, this.#state, input);
    if (!step) return [];
    this.#state = step.to;
    for (const timer of step.stop) this.#stop(timer);
    for (const timer of step.start) this.restart(now, timer);
    return step.do;
  }

  /** Starts a timer of the present state anew; one of infinite duration does not run. */
  restart(now: Milliseconds, timer: Timer): void {
    const duration = this.#owner.durationOf(timer);
    if (duration === Number.POSITIVE_INFINITY) return;
    this.#running ??= new Map();
    const wake = this.#running.get(timer) ?? { fire: (at) => this.#owner.timedOut(at, timer) };
    this.#running.set(timer, wake);
    this.#timers.set(wake, now + duration);
  }

  #stop(timer: Timer): void {
    const wake = this.#running?.get(timer);
    if (wake) this.#timers.clear(wake);
    this.#running?.delete(timer);
    if (this.#running?.size === 0) this.#running = undefined;
  }
}
