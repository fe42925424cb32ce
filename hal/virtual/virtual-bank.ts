import type { WireBank } from '../ports.ts';

/** Wires that contacts join with each other and with ground, as electricity would: what conducts to a wire that is drawn low is low. */
export class VirtualWires {
  readonly #contacts = new Map<string, readonly [number | null, number]>();
  readonly #banks = new Set<VirtualBank>();

  /** Joins two pins, or one and ground (`null`), or parts them. */
  contact(pin: number, other: number | null, closed: boolean): void {
    const name = other === null ? `ground ${pin}` : `${Math.min(pin, other)} ${Math.max(pin, other)}`;
    if (closed) this.#contacts.set(name, [other, pin]);
    else this.#contacts.delete(name);
    for (const bank of this.#banks) bank.look();
  }

  /** `listening` first. */
  openBank(listening: readonly number[], drawn: readonly number[]): WireBank {
    const bank = new VirtualBank(
      [...listening, ...drawn],
      listening.length,
      (low) => this.lowPins(low),
      () => this.#banks.delete(bank),
    );
    this.#banks.add(bank);
    return bank;
  }

  /** Pins that are low while these are drawn. */
  lowPins(drawn: ReadonlySet<number>): Set<number> {
    const low = new Set(drawn);
    const contacts = [...this.#contacts.values()];
    for (const [other, pin] of contacts) if (other === null) low.add(pin);
    for (let grown = true; grown; ) {
      grown = false;
      for (const [a, b] of contacts) {
        if (a === null || low.has(a) === low.has(b)) continue;
        low.add(a).add(b);
        grown = true;
      }
    }
    return low;
  }
}

class VirtualBank implements WireBank {
  readonly #pins: readonly number[];
  readonly #listening: number;
  readonly #lowPins: (drawn: ReadonlySet<number>) => Set<number>;
  readonly #onClosed: () => void;
  #drawn: ReadonlySet<number> = new Set();
  #before = '';
  #moved: (() => void) | undefined;
  #open = true;

  constructor(pins: readonly number[], listening: number, lowPins: (drawn: ReadonlySet<number>) => Set<number>, onClosed: () => void) {
    this.#pins = pins;
    this.#listening = listening;
    this.#lowPins = lowPins;
    this.#onClosed = onClosed;
  }

  draw(wires: readonly number[]): void {
    if (!this.#open) return;
    this.#drawn = new Set(wires.filter((wire) => wire >= this.#listening).flatMap((wire) => this.#pins[wire] ?? []));
    this.look();
  }

  low(): readonly boolean[] {
    const low = this.#open ? this.#lowPins(this.#drawn) : new Set();
    return this.#pins.map((pin) => low.has(pin));
  }

  watch(moved: () => void): void {
    this.#before = this.#levels();
    this.#moved = moved;
  }

  /** Something changed somewhere: tells of an edge, if it is one. */
  look(): void {
    const levels = this.#levels();
    if (levels === this.#before || !this.#moved) return;
    this.#before = levels;
    this.#moved();
  }

  async close(): Promise<void> {
    this.draw([]);
    this.#open = false;
    this.#moved = undefined;
    this.#onClosed();
  }

  #levels(): string {
    return this.low().slice(0, this.#listening).join();
  }
}
