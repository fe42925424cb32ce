const width = 128;
const wordBits = 32;

/** Which of the last 128 packet indices have come (RFC 3711 §3.3.2); an index is a count that never wraps. */
export class ReplayWindow {
  readonly #words = new Uint32Array(width / wordBits);
  #highest: number;

  /** `first` has just come. */
  constructor(first: number) {
    this.#highest = first;
    this.#mark(first);
  }

  /** The highest index that came. */
  get highest(): number {
    return this.#highest;
  }

  /** True for an index that has not come and is not too old to tell. */
  permits(index: number): boolean {
    if (index > this.#highest) return true;
    return index >= 0 && this.#highest - index < width && ((this.#words[wordOf(index)] ?? 0) & bitOf(index)) === 0;
  }

  /** A packet with a permitted index was authentic. */
  accept(index: number): void {
    if (index - this.#highest >= width) this.#words.fill(0);
    else for (let passed = this.#highest + 1; passed <= index; passed++) this.#clear(passed);
    this.#highest = Math.max(this.#highest, index);
    this.#mark(index);
  }

  #mark(index: number): void {
    const word = wordOf(index);
    this.#words[word] = (this.#words[word] ?? 0) | bitOf(index);
  }

  #clear(index: number): void {
    const word = wordOf(index);
    this.#words[word] = (this.#words[word] ?? 0) & ~bitOf(index);
  }
}

function wordOf(index: number): number {
  return Math.floor((index % width) / wordBits);
}

function bitOf(index: number): number {
  return 1 << (index % wordBits);
}
