/** Periods of voices: 70 to 400 Hz, in parts of a second. */
const longestPart = 70;
const shortestPart = 400;
/** Sound that is compared to find the period, s. */
const comparedPart = 100;
/** Longest stretch that is repeated: so many periods. */
const periodsAtMost = 3;
/** A made-up stretch is whole for this long and silent after that, ms. */
const wholeMs = 10;
const silentMs = 60;
/** Sound this little periodic is a hiss: repeated by short periods it would buzz. */
const leastPeriodic = 0.5;

/**
 * Makes up sound where packets are missing: the last period of the voice goes on, and as the gap grows the last two and three in turn, which
 * keeps it from buzzing; it fades, for nobody knows what is said meanwhile. The seam is bent so that the wave goes on where it broke off.
 *
 *   … heard │ period │ ← last sample heard
 *                    ├ period ┬ period ┬ two periods ──┬ … fading
 */
export class Concealment {
  readonly #sampleRate: number;
  /** The last samples heard, newest at the end. */
  readonly #history: Int16Array;
  readonly #longest: number;
  #period = 0;
  /** Samples made up since the last real one. */
  #made = 0;
  #audible = false;
  /** How far the wave would jump at the seam. */
  #step = 0;

  constructor(sampleRate: number) {
    this.#sampleRate = sampleRate;
    this.#longest = Math.ceil(sampleRate / longestPart);
    this.#history = new Int16Array((periodsAtMost + 1) * this.#longest);
  }

  /** Remembers real sound. */
  heard(block: Int16Array): void {
    this.#history.copyWithin(0, block.length);
    this.#history.set(block, this.#history.length - block.length);
    this.#made = 0;
    this.#audible = true;
  }

  /** Fills `block` with what may have been said; false when it is silent. */
  fill(block: Int16Array): boolean {
    const silentAfter = (silentMs * this.#sampleRate) / 1000;
    if (!this.#audible || this.#made >= silentAfter) return false;
    if (this.#made === 0) this.#begin();
    const wholeFor = (wholeMs * this.#sampleRate) / 1000;
    const bend = this.#period / 2;
    for (let index = 0; index < block.length; index++) {
      const position = this.#made + index;
      const gain = Math.max(0, Math.min(1, 1 - (position - wholeFor) / (silentAfter - wholeFor)));
      const bent = position < bend ? this.#step * (1 - position / bend) : 0;
      block[index] = Math.max(-32_768, Math.min(32_767, Math.round(gain * (this.#goOn(position) + bent))));
    }
    this.#made += block.length;
    return true;
  }

  #begin(): void {
    this.#period = this.#findPeriod();
    const end = this.#history.length;
    const [last = 0, before = 0] = [this.#history[end - 1], this.#history[end - 1 - this.#period]];
    this.#step = last - before;
  }

  /** The sample at `position` of the gap: a stretch of one period, later of two and three, over and over. */
  #goOn(position: number): number {
    const periods = Math.min(periodsAtMost, 1 + Math.floor(position / (2 * this.#period)));
    const stretch = periods * this.#period;
    const phase = position % stretch;
    const end = this.#history.length;
    const sample = this.#history[end - stretch + phase] ?? 0;
    // Towards its end the stretch glides into what came before its beginning, so that it can begin anew.
    const glide = this.#period / 4;
    const left = stretch - phase;
    if (left >= glide) return sample;
    const share = 1 - left / glide;
    return sample * (1 - share) + (this.#history[end - stretch + phase - stretch] ?? sample) * share;
  }

  #findPeriod(): number {
    const compared = this.#sampleRate / comparedPart;
    const start = this.#history.length - compared;
    let best = leastPeriodic;
    let period = this.#longest;
    for (let lag = Math.floor(this.#sampleRate / shortestPart); lag <= this.#longest; lag++) {
      const likeness = this.#likeness(start, lag, compared);
      // A multiple of the period resembles about as much; the shortest lag of those is meant.
      if (likeness > (lag < 1.5 * period || period === this.#longest ? best : best * 1.05)) {
        best = likeness;
        period = lag;
      }
    }
    return period;
  }

  #likeness(start: number, lag: number, length: number): number {
    let product = 0;
    let now = 1;
    let before = 1;
    for (let index = start; index < start + length; index++) {
      const a = this.#history[index] ?? 0;
      const b = this.#history[index - lag] ?? 0;
      product += a * b;
      now += a * a;
      before += b * b;
    }
    return product / Math.sqrt(now * before);
  }
}
