import type { Milliseconds } from '#firmware/core/clock.ts';
import { type StateTable, stepOf } from '#firmware/core/state-table.ts';
import type { TimerTable } from '#firmware/core/timer-table.ts';

/** One running timer of one machine. */
export interface Alarm {
  fire(now: Milliseconds): void;
}

/** All timers of the phone; the conductor fires what is due. */
export type Alarms = TimerTable<Alarm>;

/** What carries a machine's table out: how long its timers take, and what its actions do. */
export interface MachineBody<Action extends string, Timer extends string> {
  /** `undefined` = this timer never fires, by a setting. */
  delayOf(timer: Timer): Milliseconds | undefined;
  /** Run after the state has changed, so an action that causes another input must be the last of its list. */
  readonly actions: Readonly<Record<Action, (now: Milliseconds) => void>>;
}

/** A state table that runs: keeps the state and the timers that belong to it. */
export class Machine<State extends string, Input extends string, Action extends string, Timer extends string> {
  readonly #table: StateTable<State, Input | `timer ${Timer}`, Action, Timer>;
  readonly #alarms: Alarms;
  readonly #body: MachineBody<Action, Timer>;
  readonly #running = new Map<Timer, Alarm>();
  #state: State;

  constructor(
    table: StateTable<State, Input | `timer ${Timer}`, Action, Timer>,
    initial: State,
    alarms: Alarms,
    body: MachineBody<Action, Timer>,
  ) {
    this.#table = table;
    this.#state = initial;
    this.#alarms = alarms;
    this.#body = body;
  }

  get state(): State {
    return this.#state;
  }

  /** True if the table knows `input` in the present state. */
  takes(input: Input): boolean {
    return this.#table[this.#state].on[input] !== undefined;
  }

  /** Takes an input; false when the present state ignores it. */
  input(now: Milliseconds, input: Input | `timer ${Timer}`): boolean {
    const step = stepOf(this.#table, this.#state, input);
    if (!step) return false;
    this.#state = step.to;
    for (const timer of step.stop) this.#stop(timer);
    for (const timer of step.start) this.restart(now, timer);
    for (const action of step.do) this.#body.actions[action](now);
    return true;
  }

  /** Sets a timer of the present state anew. */
  restart(now: Milliseconds, timer: Timer): void {
    this.#stop(timer);
    const delay = this.#body.delayOf(timer);
    if (delay === undefined) return;
    const alarm: Alarm = {
      fire: (at) => {
        this.#running.delete(timer);
        this.input(at, `timer ${timer}`);
      },
    };
    this.#running.set(timer, alarm);
    this.#alarms.set(alarm, now + delay);
  }

  /** Stops every timer: the machine's owner is going away. */
  dispose(): void {
    for (const timer of [...this.#running.keys()]) this.#stop(timer);
  }

  #stop(timer: Timer): void {
    const alarm = this.#running.get(timer);
    if (!alarm) return;
    this.#running.delete(timer);
    this.#alarms.clear(alarm);
  }
}
