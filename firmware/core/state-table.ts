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

/**
 * The step that `input` causes in `state`, or `undefined` when the state ignores it. A transition to the same state keeps its timers as
 * they are: a timer that fires and must go on is set again by an action.
 */
export function stepOf<State extends string, Input extends string, Action extends string, Timer extends string>(
  table: StateTable<State, Input, Action, Timer>,
  state: State,
  input: Input,
): Step<State, Action, Timer> | undefined {
  const transition = table[state].on[input];
  if (!transition) return undefined;
  if (transition.to === state) return { ...transition, stop: [], start: [] };
  const from = table[state].timers;
  const into = table[transition.to].timers;
  return {
    ...transition,
    stop: from.filter((timer) => !into.includes(timer)),
    start: into.filter((timer) => !from.includes(timer)),
  };
}
