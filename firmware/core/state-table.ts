/**
 * State machines as data: state → the timers that run in it, and input → next state and actions. Entering a state stops the timers it does
 * not list and starts those it lists, so a forgotten timer cannot be written. The table can be laid beside a specification's figure, walked
 * by a test and drawn by a script.
 */
export interface Transition<State extends string, Action extends string> {
  readonly to: State;
  readonly do: readonly Action[];
}

export interface StateRow<State extends string, Input extends string, Action extends string, Timer extends string> {
  /** Timers that run while the machine is in this state. */
  readonly timers: readonly Timer[];
  readonly on: Readonly<Partial<Record<Input, Transition<State, Action>>>>;
}

export type StateTable<State extends string, Input extends string, Action extends string, Timer extends string> = Readonly<
  Record<State, StateRow<State, Input, Action, Timer>>
>;

/** What a step of a machine means: where it goes, what to do in order, and which timers to stop and start. */
export interface Step<State extends string, Action extends string, Timer extends string> extends Transition<State, Action> {
  readonly stop: readonly Timer[];
  readonly start: readonly Timer[];
}

/** Steps already worked out, by row and input: a table is fixed, and there is a step for every message and every timer. */
const worked = new WeakMap<object, Map<string, Step<string, string, string>>>();

/**
 * The step that `input` causes in `state`, or `undefined` when the state ignores it. A transition to the same state keeps its timers as
 * they are: a timer that fires and must go on is set again by an action.
 */
export function stepOf<State extends string, Input extends string, Action extends string, Timer extends string>(
  table: StateTable<State, Input, Action, Timer>,
  state: State,
  input: Input,
): Step<State, Action, Timer> | undefined {
  const row = table[state];
  const transition = row.on[input];
  if (!transition) return undefined;
  let steps = worked.get(row);
  if (!steps) {
    steps = new Map();
    worked.set(row, steps);
  }
  const known = steps.get(input);
  // What the map of this row holds came from this row.
  if (known) return known as Step<State, Action, Timer>;
  const step = workedOut(row, transition, table[transition.to], transition.to === state);
  steps.set(input, step);
  return step;
}

function workedOut<State extends string, Input extends string, Action extends string, Timer extends string>(
  from: StateRow<State, Input, Action, Timer>,
  transition: Transition<State, Action>,
  into: StateRow<State, Input, Action, Timer>,
  stays: boolean,
): Step<State, Action, Timer> {
  if (stays) return { ...transition, stop: [], start: [] };
  return {
    ...transition,
    stop: from.timers.filter((timer) => !into.timers.includes(timer)),
    start: into.timers.filter((timer) => !from.timers.includes(timer)),
  };
}
