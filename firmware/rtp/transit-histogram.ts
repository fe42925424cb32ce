import type { Milliseconds } from '../core/clock.ts';

const binWidth: Milliseconds = 5;
/** The quickest packet of this long sets the zero, so that clocks may drift against each other, ms. */
const windowLength: Milliseconds = 1000;
/** Packets closer together than this came out of one queue, ms. */
const lumpGap: Milliseconds = 3;
/** Packets after which what was seen counts half. */
const halveAfter = 200;
/** The share of packets that may be later than the spread; of a few packets as many as of this many. */
const lateShare = 0.01;
const countAtLeast = 100;

/** How far behind the quickest packets the others arrive: a histogram that slowly forgets. */
export class TransitHistogram {
  readonly #bins: Uint32Array;
  #count = 0;
  #sinceHalving = 0;
  #origin: number | undefined;
  /** Least transit of the window under way and of the one before. */
  #least = 0;
  #leastBefore = 0;
  #windowEnds: Milliseconds = 0;
  #spread = 0;
  /** Of the last packet. */
  #addedAt: Milliseconds = Number.NEGATIVE_INFINITY;
  #behindBefore = 0;

  constructor(maximum: Milliseconds) {
    this.#bins = new Uint32Array(Math.ceil(maximum / binWidth) + 2);
  }

  /** The delay behind the quickest that all but a few packets stay within, ms. */
  get spread(): Milliseconds {
    return this.#spread;
  }

  /** Adds a packet that took `transit` ms on any origin, modulo `wrap`; returns how far it is behind the quickest, ms. `harmless`: there was sound to play meanwhile. */
  add(now: Milliseconds, transit: number, wrap: number, harmless: boolean): Milliseconds {
    const turned = (transit - (this.#origin ?? transit)) % wrap;
    const relative = turned > wrap / 2 ? turned - wrap : turned < -wrap / 2 ? turned + wrap : turned;
    if (this.#origin === undefined) this.#startWindow(now, relative, relative);
    else if (now >= this.#windowEnds) this.#startWindow(now, relative, this.#least);
    this.#origin ??= transit;
    this.#least = Math.min(this.#least, relative);
    const behind = relative - Math.min(this.#least, this.#leastBefore);
    // What stood in one queue comes in one lump, each packet less late than the one before: one mishap, which counts once if nobody heard it.
    const sameLump = harmless && now - this.#addedAt < lumpGap && behind < this.#behindBefore;
    this.#addedAt = now;
    this.#behindBefore = behind;
    const bin = sameLump ? 0 : Math.min(this.#bins.length - 1, Math.floor(behind / binWidth));
    this.#bins[bin] = (this.#bins[bin] ?? 0) + 1;
    this.#count++;
    if (++this.#sinceHalving >= halveAfter) this.#halve();
    this.#spread = this.#quantile();
    return behind;
  }

  /** The next packet sets the zero anew; what is known of the spread is kept. */
  rebase(): void {
    this.#origin = undefined;
  }

  reset(): void {
    this.#bins.fill(0);
    this.#count = 0;
    this.#sinceHalving = 0;
    this.#origin = undefined;
    this.#spread = 0;
  }

  #startWindow(now: Milliseconds, least: number, leastBefore: number): void {
    this.#least = least;
    this.#leastBefore = leastBefore;
    this.#windowEnds = now + windowLength;
  }

  #halve(): void {
    this.#sinceHalving = 0;
    this.#count = 0;
    for (let bin = 0; bin < this.#bins.length; bin++) {
      const half = (this.#bins[bin] ?? 0) >>> 1;
      this.#bins[bin] = half;
      this.#count += half;
    }
  }

  #quantile(): Milliseconds {
    let later = Math.max(this.#count, countAtLeast) * lateShare;
    for (let bin = this.#bins.length - 1; bin > 0; bin--) {
      later -= this.#bins[bin] ?? 0;
      if (later < 0) return (bin + 1) * binWidth;
    }
    return 0;
  }
}
