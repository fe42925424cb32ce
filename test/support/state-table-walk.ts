import type { StateTable } from '#firmware/core/state-table.ts';

/**
 * What is wrong with a state table, whatever it is for: a target that is no state, a timer that runs and does nothing when it fires, an input
 * for a timer that does not run, a state that can not be reached or never ends. The first state is where the machine begins.
 */
export function faultsOf(table: StateTable<string, string, string, string>, end: string): string[] {
  const states = Object.keys(table);
  const faults: string[] = [];
  for (const [state, { timers, on }] of Object.entries(table)) {
    for (const [input, transition] of Object.entries(on)) {
      if (transition && !states.includes(transition.to)) faults.push(`${state}: ${input} leads to ${transition.to}, which is no state`);
      if (input.startsWith('timer ') && !timers.includes(input.slice(6))) faults.push(`${state}: ${input} does not run`);
    }
    for (const timer of timers) if (!on[`timer ${timer}`]) faults.push(`${state}: nothing happens when timer ${timer} fires`);
    if (state !== end && !reachable(table, state).has(end)) faults.push(`${state}: no way to ${end}`);
  }
  const begin = states[0];
  const found = begin === undefined ? new Set<string>() : reachable(table, begin);
  for (const state of states) if (!found.has(state)) faults.push(`${state}: no way from ${begin}`);
  if (Object.keys(table[end]?.on ?? { none: 0 }).length > 0) faults.push(`${end}: is no end`);
  return faults;
}

function reachable(table: StateTable<string, string, string, string>, from: string): Set<string> {
  const found = new Set([from]);
  // A set that grows while it is walked through is walked to its new end.
  for (const state of found) for (const transition of Object.values(table[state]?.on ?? {})) if (transition) found.add(transition.to);
  return found;
}
