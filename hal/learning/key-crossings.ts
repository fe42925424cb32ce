import type { KeypadProfile } from '#firmware/contract/hal.ts';
import type { Closure } from './wire-scan.ts';

type Matrix = Extract<KeypadProfile, { driver: 'matrix' }>;

/**
 * The matrix that keys with two wires each make up: its wires fall into two sets, and every key joins one of each. The larger set are the rows,
 * since a scan takes a step for each column. `undefined` = they are no matrix: three wires are joined by keys in a ring.
 */
export function matrixOf(keys: ReadonlyMap<string, Closure>, debounceMs: number): Matrix | undefined {
  const sides = sidesOf([...keys.values()]);
  if (!sides) return undefined;
  const [rows, columns] = sides[0].length >= sides[1].length ? sides : [sides[1], sides[0]];
  const at = (row: number, column: number) =>
    [...keys].find(([, { a, b }]) => (a === row && b === column) || (a === column && b === row))?.[0] ?? '';
  return { driver: 'matrix', rows, columns, keys: rows.map((row) => columns.map((column) => at(row, column))), debounceMs };
}

/** Colours the wires with two colours so that no key joins two of one. Wires stand in the order of the keys. */
function sidesOf(closures: readonly Closure[]): [number[], number[]] | undefined {
  const side = new Map<number, 0 | 1>();
  for (let [first] = closures; first; first = closures.find(({ a }) => !side.has(a))) {
    // A part of the keypad that shares no wire with the rest begins anew.
    side.set(first.a, 0);
    for (let grown = true; grown; ) {
      grown = false;
      for (const { a, b } of closures) {
        if (b === null) return undefined;
        const [sideA, sideB] = [side.get(a), side.get(b)];
        if (sideA !== undefined && sideA === sideB) return undefined;
        if (sideA === undefined && sideB !== undefined) side.set(a, sideB === 0 ? 1 : 0);
        else if (sideB === undefined && sideA !== undefined) side.set(b, sideA === 0 ? 1 : 0);
        else continue;
        grown = true;
      }
    }
  }
  const inOrder = [...new Set(closures.flatMap(({ a, b }) => (b === null ? [a] : [a, b])))];
  return [inOrder.filter((pin) => side.get(pin) === 0), inOrder.filter((pin) => side.get(pin) === 1)];
}
