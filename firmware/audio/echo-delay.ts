import { transform } from './fourier.ts';
import { levelOf } from './pcm.ts';

/** Delays are looked for at this rate, in a stretch of the loudspeaker this long, against the newest piece of the microphone. */
const lookRate = 4000;
const farLength = 2048;
const nearLength = 512;
const lags = farLength - nearLength;
/** What was seen before counts for this much beside the newest look. */
const memory = 0.8;
/** A peak counts when it stands this far above the rest, and twice in a row at the same place. */
const distinct = 7;
const sameAgain = 8;
const looksWanted = 3;
/** Softer than this there is nothing to be found, dBFS. */
const faintest = -50;

/**
 * How long the sound takes from here through the loudspeaker and the room to the microphone, and what lies between: the peak of the
 * whitened cross-correlation (GCC-PHAT), smoothed over about a second of sound. Looks eight times a second and only while something plays.
 */
export class EchoDelay {
  readonly #step: number;
  readonly #far = new Float64Array(farLength);
  readonly #near = new Float64Array(nearLength);
  readonly #real = new Float64Array(farLength);
  readonly #imaginary = new Float64Array(farLength);
  readonly #crossReal = new Float64Array(farLength);
  readonly #crossImaginary = new Float64Array(farLength);
  #fill = 0;
  #loud = false;
  #candidate = 0;
  #seen = 0;
  #found: number | undefined;

  /** `sampleRate` is a multiple of 4000. */
  constructor(sampleRate: number) {
    this.#step = sampleRate / lookRate;
  }

  /** ms; `undefined` until it is known. */
  get delay(): number | undefined {
    return this.#found === undefined ? undefined : (this.#found * 1000) / lookRate;
  }

  /** A block of the microphone and the newest of the loudspeaker. */
  hear(near: Int16Array, far: Int16Array): void {
    if (levelOf(far) > faintest && levelOf(near) > faintest) this.#loud = true;
    const count = near.length / this.#step;
    this.#far.copyWithin(0, count);
    for (let index = 0; index < count; index++) {
      this.#far[farLength - count + index] = meanOf(far, index * this.#step, this.#step);
      this.#near[this.#fill + index] = meanOf(near, index * this.#step, this.#step);
    }
    this.#fill += count;
    if (this.#fill + count <= nearLength) return;
    if (this.#loud) this.#look();
    this.#near.fill(0);
    this.#fill = 0;
    this.#loud = false;
  }

  #look(): void {
    this.#gather();
    transform(this.#real, this.#imaginary, true);
    let [best, peak, sum] = [0, 0, 0];
    for (let lag = 0; lag < lags; lag++) {
      const value = this.#real[lag] ?? 0;
      sum += value * value;
      if (value <= peak) continue;
      best = lag;
      peak = value;
    }
    if (peak < distinct * Math.sqrt(sum / lags)) return;
    this.#seen = Math.abs(best - this.#candidate) <= sameAgain ? this.#seen + 1 : 1;
    this.#candidate = best;
    if (this.#seen >= looksWanted) this.#found = best;
  }

  /** Both spectra by one transform (one sound is its real part, the other its imaginary), their product, and of that the phase alone. */
  #gather(): void {
    this.#real.set(this.#far);
    this.#imaginary.fill(0);
    // Aligned so that a lag of 0 lays the newest samples of both over each other.
    for (let index = 0; index < this.#fill; index++) this.#imaginary[farLength - this.#fill + index] = this.#near[index] ?? 0;
    transform(this.#real, this.#imaginary, false);
    for (let bin = 0; bin < farLength; bin++) {
      const mirror = (farLength - bin) % farLength;
      const [re, im] = [this.#real[bin] ?? 0, this.#imaginary[bin] ?? 0];
      const [mirrorRe, mirrorIm] = [this.#real[mirror] ?? 0, this.#imaginary[mirror] ?? 0];
      const [farRe, farIm] = [re + mirrorRe, im - mirrorIm];
      const [nearRe, nearIm] = [im + mirrorIm, mirrorRe - re];
      const crossRe = nearRe * farRe + nearIm * farIm;
      const crossIm = nearIm * farRe - nearRe * farIm;
      const size = Math.sqrt(crossRe * crossRe + crossIm * crossIm) + 1e-9;
      this.#crossReal[bin] = memory * (this.#crossReal[bin] ?? 0) + crossRe / size;
      this.#crossImaginary[bin] = memory * (this.#crossImaginary[bin] ?? 0) + crossIm / size;
    }
    this.#real.set(this.#crossReal);
    this.#imaginary.set(this.#crossImaginary);
  }
}

function meanOf(samples: Int16Array, start: number, count: number): number {
  let sum = 0;
  for (let index = start; index < start + count; index++) sum += samples[index] ?? 0;
  return sum / count;
}
