import { clamp } from './pcm.ts';

/** Taps of the filter at the lower of the two rates: 3.4 kHz passes and 4 kHz is 60 dB down at 8 kHz, for 2.8 ms of delay. */
const tapsAtLowerRate = 44;
/** Kaiser's β: side lobes some 60 dB down. */
const beta = 5.65;
/** Middle of the transition, as a share of the lower rate's half. */
const cutoff = 0.925;
/** Rates without a common divisor would need a table for each sample. */
const phasesAtMost = 1024;

/**
 * Changes the sample rate by the ratio L/M in lowest terms: a windowed sinc in L phases. Sound goes through block by block; K samples in
 * give ⌈K·L/M⌉ out in all, so blocks of 10 ms stay blocks of 10 ms for every rate that is a multiple of 100.
 */
export class Resampler {
  readonly #phases: number;
  readonly #step: number;
  readonly #taps: number;
  readonly #filter: Float32Array;
  /** The last `taps` samples, twice over, so that they can be read in one run. */
  readonly #history: Float32Array;
  #head = 0;
  /** Position of the next output behind the newest input, in 1/L samples. */
  #phase = 0;

  constructor(inputRate: number, outputRate: number) {
    const divisor = greatestCommonDivisor(inputRate, outputRate);
    const phases = outputRate / divisor;
    if (phases > phasesAtMost) throw new RangeError(`no resampling from ${inputRate} to ${outputRate} Hz`);
    this.#phases = phases;
    this.#step = inputRate / divisor;
    // An even number, so that the delay is a whole number of samples, and of four, for four sums side by side.
    this.#taps = 4 * Math.ceil((tapsAtLowerRate / 4) * Math.max(1, inputRate / outputRate));
    this.#filter = designFilter(phases, this.#taps, cutoff * Math.min(1, outputRate / inputRate));
    this.#history = new Float32Array(2 * this.#taps);
  }

  /** Samples that have to go in for `outputs` to come out. */
  inputsFor(outputs: number): number {
    if (outputs === 0) return 0;
    return Math.floor((this.#phase + (outputs - 1) * this.#step) / this.#phases) + 1;
  }

  /** Takes the first `count` of `input` and writes to the start of `output`; returns how many. */
  process(input: Int16Array, count: number, output: Int16Array): number {
    let written = 0;
    for (let index = 0; index < count; index++) {
      this.#push(input[index] ?? 0);
      while (this.#phase < this.#phases) {
        output[written++] = clamp(Math.round(this.#convolve(this.#phase)));
        this.#phase += this.#step;
      }
      this.#phase -= this.#phases;
    }
    return written;
  }

  #push(sample: number): void {
    this.#head = this.#head === 0 ? this.#taps - 1 : this.#head - 1;
    this.#history[this.#head] = sample;
    this.#history[this.#head + this.#taps] = sample;
  }

  /** Four sums side by side: each addition would wait for the one before. */
  #convolve(phase: number): number {
    const filter = this.#filter;
    const history = this.#history;
    const end = this.#head + this.#taps;
    let [first, second, third, fourth] = [0, 0, 0, 0];
    for (let at = this.#head, row = phase * this.#taps; at < end; at += 4, row += 4) {
      first += (filter[row] ?? 0) * (history[at] ?? 0);
      second += (filter[row + 1] ?? 0) * (history[at + 1] ?? 0);
      third += (filter[row + 2] ?? 0) * (history[at + 2] ?? 0);
      fourth += (filter[row + 3] ?? 0) * (history[at + 3] ?? 0);
    }
    return first + second + (third + fourth);
  }
}

/** One row of taps per phase; each row passes a constant unchanged. */
function designFilter(phases: number, taps: number, bandwidth: number): Float32Array {
  const filter = new Float32Array(phases * taps);
  const centre = taps / 2;
  for (let phase = 0; phase < phases; phase++) {
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      const distance = tap + phase / phases - centre;
      const value = sinc(distance * bandwidth) * kaiser(distance / centre);
      filter[phase * taps + tap] = value;
      sum += value;
    }
    for (let tap = 0; tap < taps; tap++) filter[phase * taps + tap] = (filter[phase * taps + tap] ?? 0) / sum;
  }
  return filter;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function kaiser(x: number): number {
  return Math.abs(x) > 1 ? 0 : besselI0(beta * Math.sqrt(1 - x * x)) / besselI0(beta);
}

/** Modified Bessel function of the first kind, order zero, by its series. */
function besselI0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let index = 1; index < 50; index++) {
    term *= (x / (2 * index)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
