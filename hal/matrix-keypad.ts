import type { Milliseconds } from '#firmware/core/clock.ts';
import { Debounce } from './debounce.ts';
import { type ElementSurroundings, earliest } from './elements.ts';
import type { Keypad, KeyReport, WireBank } from './ports.ts';

/** While a key is down. Half of the shortest press that a person makes is 25 ms. */
const scanEveryMs: Milliseconds = 8;

export interface KeyMatrix {
  readonly rows: number;
  readonly columns: number;
  /** Row by row; empty = no key there. */
  readonly keys: readonly (readonly string[])[];
  readonly debounceMs: Milliseconds;
}

/**
 * A keypad whose keys join rows and columns. At rest all columns are drawn low and nothing runs: any key then pulls its row down, which wakes
 * it. From there on one column after the other is drawn and the rows are read, until all keys are up again.
 *
 * Three keys at corners of a rectangle make the fourth look pressed. Where two rows share two columns nobody can tell which keys are down, so
 * none of these is believed anew; those that were down before stay so.
 */
export class MatrixKeypad implements Keypad {
  readonly #bank: WireBank;
  readonly #matrix: KeyMatrix;
  readonly #report: KeyReport;
  readonly #surroundings: ElementSurroundings;
  readonly #contacts: readonly (readonly Debounce[])[];
  readonly #down = new Set<string>();
  /** The next scan; `undefined` at rest. */
  #scanAt: Milliseconds | undefined;
  #open = true;

  /** The rows of the bank listen and come first, its columns are drawn. */
  constructor(bank: WireBank, matrix: KeyMatrix, surroundings: ElementSurroundings, report: KeyReport) {
    this.#bank = bank;
    this.#matrix = matrix;
    this.#surroundings = surroundings;
    this.#report = report;
    this.#contacts = Array.from({ length: matrix.rows }, () =>
      Array.from({ length: matrix.columns }, () => new Debounce(matrix.debounceMs, false)),
    );
    bank.watch(() => this.#woken());
    this.#rest();
    // A key that is held down from the start makes no edge.
    if (this.#anyRowLow()) this.#scanAt = surroundings.now();
  }

  get keysDown(): readonly string[] {
    return [...this.#down];
  }

  get deadline(): Milliseconds | undefined {
    return this.#open ? earliest([this.#scanAt]) : undefined;
  }

  handleTimeout(now: Milliseconds): void {
    if (!this.#open || this.#scanAt === undefined || now < this.#scanAt) return;
    const closed = this.#scan();
    const busy = this.#take(now, closed);
    if (busy) {
      this.#scanAt = now + scanEveryMs;
      return;
    }
    this.#scanAt = undefined;
    this.#rest();
    // Pressed between the last look and the rest.
    if (this.#anyRowLow()) this.#scanAt = now + scanEveryMs;
  }

  async close(): Promise<void> {
    this.#open = false;
    this.#down.clear();
    await this.#bank.close();
  }

  #woken(): void {
    if (!this.#open || this.#scanAt !== undefined || !this.#anyRowLow()) return;
    this.#scanAt = this.#surroundings.now();
    this.handleTimeout(this.#scanAt);
    this.#surroundings.moved();
  }

  /** All columns low: any key makes an edge. */
  #rest(): void {
    this.#bank.draw(Array.from({ length: this.#matrix.columns }, (_, column) => this.#matrix.rows + column));
  }

  #anyRowLow(): boolean {
    return this.#bank.low().slice(0, this.#matrix.rows).includes(true);
  }

  /** Which crossings conduct, by row and column. */
  #scan(): boolean[][] {
    const { rows, columns } = this.#matrix;
    const closed = Array.from({ length: rows }, () => new Array<boolean>(columns).fill(false));
    for (let column = 0; column < columns; column++) {
      this.#bank.draw([rows + column]);
      const low = this.#bank.low();
      for (const [row, crossings] of closed.entries()) crossings[column] = low[row] === true;
    }
    return closed;
  }

  /** Debounces each crossing and tells of keys; returns whether there is something to look at again. */
  #take(now: Milliseconds, closed: readonly (readonly boolean[])[]): boolean {
    let busy = false;
    for (const [row, contacts] of this.#contacts.entries()) {
      for (const [column, contact] of contacts.entries()) {
        const seen = closed[row]?.[column] === true;
        const change = contact.level(now, isAmbiguous(closed, row, column) ? contact.active : seen);
        if (change) this.#tell(this.#matrix.keys[row]?.[column] ?? '', change.active, change.at);
        busy ||= seen || contact.active || contact.deadline !== undefined;
      }
    }
    return busy;
  }

  #tell(key: string, pressed: boolean, at: Milliseconds): void {
    if (key === '' || pressed === this.#down.has(key)) return;
    if (pressed) this.#down.add(key);
    else this.#down.delete(key);
    this.#report(key, pressed, at);
  }
}

/** Whether a crossing that conducts may do so through three other keys. */
function isAmbiguous(closed: readonly (readonly boolean[])[], row: number, column: number): boolean {
  const own = closed[row];
  if (!own?.[column]) return false;
  return closed.some(
    (other, otherRow) =>
      otherRow !== row && other[column] === true && other.some((conducts, at) => at !== column && conducts && own[at] === true),
  );
}
