import type { LedPattern } from '#firmware/contract/hal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';

/** Times lit and dark in turn, beginning lit, ms. */
const cycles: Readonly<Record<Exclude<LedPattern, 'off' | 'on'>, readonly Milliseconds[]>> = {
  blink: [500, 500],
  fastBlink: [125, 125],
  doubleFlash: [100, 150, 100, 1650],
};

export interface LedLevel {
  readonly lit: boolean;
  /** When that changes; `undefined` = never. */
  readonly until: Milliseconds | undefined;
}

/** What a pattern shows now. Cycles are counted from the origin of the clock, so that all lamps of a board blink in step. */
export function ledLevel(pattern: LedPattern, now: Milliseconds): LedLevel {
  if (pattern === 'off' || pattern === 'on') return { lit: pattern === 'on', until: undefined };
  const cycle = cycles[pattern];
  const length = cycle.reduce((sum, part) => sum + part, 0);
  let edge = Math.floor(now / length) * length;
  for (const [index, part] of cycle.entries()) {
    edge += part;
    if (now < edge) return { lit: index % 2 === 0, until: edge };
  }
  return { lit: true, until: edge + (cycle[0] ?? 0) };
}
