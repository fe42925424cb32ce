import type { Clock } from '../core/clock.ts';

/** The machine's clocks: CLOCK_MONOTONIC through performance.now, and the wall clock as it stands. */
export const nodeClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
};
