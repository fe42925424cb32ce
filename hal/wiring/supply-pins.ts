import { headerPins } from '../header.ts';

export type Supply = '3V3' | '5V' | 'GND';

/** Gives each part a pin of a supply of its own, as long as there are any, then the last one again. */
export class SupplyPins {
  /** Pins given so far, by their physical numbers. */
  readonly taken = new Set<number>();

  /** The pin nearest to row `row` that nobody has. */
  take(supply: Supply, row: number): { readonly number: number; readonly shared: boolean } {
    const all = headerPins.flatMap((pin, index) => (pin.kind === supply ? [index + 1] : []));
    const free = all.filter((number) => !this.taken.has(number));
    const distance = (number: number) => Math.abs(number / 2 - row);
    const nearest = (free.length > 0 ? free : all).toSorted((a, b) => distance(a) - distance(b))[0] ?? 0;
    this.taken.add(nearest);
    return { number: nearest, shared: free.length === 0 };
  }
}
