import type { WireBank } from '../ports.ts';

/** Two wires that conduct: two pins, or one and ground. */
export interface Closure {
  readonly a: number;
  /** `null` = ground. */
  readonly b: number | null;
}

/** `GPIO 5`, or `GPIO 5–12`. */
export function closureName({ a, b }: Closure): string {
  return b === null ? `GPIO ${a}` : `GPIO ${a}–${b}`;
}

/**
 * What is connected with what, by name. Every wire is pulled up; one that is low by itself is connected to ground. Each of the others is drawn
 * low for a few microseconds to see whom it takes along: too short to harm anything, whatever is wired there.
 */
export function scanWires(bank: WireBank, pins: readonly number[]): Map<string, Closure> {
  bank.draw([]);
  const grounded = bank.low();
  const found = new Map<string, Closure>();
  const add = (closure: Closure) => found.set(closureName(closure), closure);
  for (const [wire, pin] of pins.entries()) {
    if (grounded[wire]) {
      add({ a: pin, b: null });
      continue;
    }
    bank.draw([wire]);
    const low = bank.low();
    for (let other = wire + 1; other < pins.length; other++) {
      const otherPin = pins[other];
      if (low[other] && !grounded[other] && otherPin !== undefined) add({ a: Math.min(pin, otherPin), b: Math.max(pin, otherPin) });
    }
  }
  bank.draw([]);
  return found;
}
