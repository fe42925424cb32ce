import type { Milliseconds } from '../core/clock.ts';

/** A key heard in the sound. */
export interface HeardKey {
  readonly key: DtmfKey;
  readonly duration: Milliseconds;
}

export type DtmfKey = '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9' | '*' | '#' | 'A' | 'B' | 'C' | 'D';

const lowGroup = [697, 770, 852, 941];
const highGroup = [1209, 1336, 1477, 1633];
const keypad: readonly (readonly DtmfKey[])[] = [
  ['1', '2', '3', 'A'],
  ['4', '5', '6', 'B'],
  ['7', '8', '9', 'C'],
  ['*', '0', '#', 'D'],
];
const frequencies = [...lowGroup, ...highGroup];

/** Steps of 5 ms, each looking back 10 ms: the phase from step to step tells the frequency to ±100 Hz. */
const stepMs = 5;
/** Of full scale squared: −42 dBFS. */
const faintest = 6.3e-5;
/** Share of the two tones in all that is heard: speech has more beside them, noise of 15 dB below has not. */
const leastShare = 0.85;
/** The higher tone may be so many times stronger, or weaker, than the lower (Q.24: 4 dB and 8 dB, and a little). */
const twistAtMost = 3.2;
const twistAtLeast = 0.1;
/** Mean deviation of a frequency: 1.5 % has to be taken, 3.5 % must not be. In a single step it is measured less well. */
const deviationAtMost = 0.025;
const deviationInStep = 0.04;
/** 30 ms: between the 23 ms that are no key and the 40 ms that are one. */
const stepsAtLeast = 6;
/** A tone is over after so many steps without it: gaps up to 10 ms are passed over, 40 ms are a pause. */
const missesAtMost = 4;
/** What counts for the length: steps not much fainter than the strongest. */
const solidShare = 0.25;
/** Of a longer tone only so many steps are weighed. */
const weighedAtMost = 64;
const digitsAtMost = 32;

interface Candidate {
  readonly row: number;
  readonly column: number;
  steps: number;
  misses: number;
  lowDeviation: number;
  highDeviation: number;
  readonly powers: number[];
}

/**
 * Finds keys in sound (Q.23, Q.24): two tones of the keypad, alone, in balance, steady and long enough. A key is told once, at its end.
 *
 *   sound ─► eight correlations each 5 ms ─► the strongest of each group, its share, twist and frequency ─► steps in a row ─► key
 */
export class DtmfDetector {
  readonly #step: number;
  readonly #window: Float32Array;
  /** Window times cosine and sine, for each frequency. */
  readonly #cosines: readonly Float32Array[];
  readonly #sines: readonly Float32Array[];
  readonly #history: Float32Array;
  readonly #real = new Float64Array(frequencies.length);
  readonly #imaginary = new Float64Array(frequencies.length);
  readonly #realBefore = new Float64Array(frequencies.length);
  readonly #imaginaryBefore = new Float64Array(frequencies.length);
  readonly #scale: number;
  readonly #energyScale: number;
  #filled = 0;
  #candidate: Candidate | undefined;
  #heard: HeardKey[] = [];

  constructor(sampleRate: number) {
    this.#step = (sampleRate * stepMs) / 1000;
    const length = 2 * this.#step;
    this.#window = Float32Array.from({ length }, (_, index) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (index + 0.5)) / length));
    const wave = (frequency: number, of: (angle: number) => number) =>
      this.#window.map((weight, index) => weight * of((2 * Math.PI * frequency * index) / sampleRate));
    this.#cosines = frequencies.map((frequency) => wave(frequency, Math.cos));
    this.#sines = frequencies.map((frequency) => wave(frequency, Math.sin));
    this.#history = new Float32Array(length);
    const sum = this.#window.reduce((total, weight) => total + weight, 0);
    const squares = this.#window.reduce((total, weight) => total + weight * weight, 0);
    this.#scale = 2 / (sum * sum);
    this.#energyScale = 1 / squares;
  }

  /** Listens to the next samples. */
  process(samples: Int16Array): void {
    for (let index = 0; index < samples.length; index++) {
      this.#history[this.#step + this.#filled++] = (samples[index] ?? 0) / 32_768;
      if (this.#filled < this.#step) continue;
      this.#look();
      this.#history.copyWithin(0, this.#step);
      this.#filled = 0;
    }
  }

  /** Keys that ended since the last call. */
  drain(): readonly HeardKey[] {
    if (this.#heard.length === 0) return none;
    const heard = this.#heard;
    this.#heard = [];
    return heard;
  }

  #look(): void {
    const total = this.#energy() * this.#energyScale;
    // In silence there is nothing to correlate with.
    if (total < faintest) {
      this.#real.fill(0);
      this.#imaginary.fill(0);
      this.#miss();
      return;
    }
    this.#correlate();
    const row = this.#strongest(0);
    const column = this.#strongest(lowGroup.length);
    const [low, high] = [this.#powerOf(row), this.#powerOf(column)];
    const fits = low + high >= leastShare * total && high <= twistAtMost * low && high >= twistAtLeast * low;
    const [lowDeviation, highDeviation] = [this.#deviationOf(row), this.#deviationOf(column)];
    const steady = Math.abs(lowDeviation) <= deviationInStep && Math.abs(highDeviation) <= deviationInStep;
    if (fits && steady) this.#hit(row, column - lowGroup.length, low + high, lowDeviation, highDeviation);
    else this.#miss();
  }

  #energy(): number {
    let energy = 0;
    for (let index = 0; index < this.#history.length; index++) {
      const weighted = (this.#history[index] ?? 0) * (this.#window[index] ?? 0);
      energy += weighted * weighted;
    }
    return energy;
  }

  #correlate(): void {
    this.#realBefore.set(this.#real);
    this.#imaginaryBefore.set(this.#imaginary);
    for (let place = 0; place < frequencies.length; place++) {
      const [cosine, sine] = [this.#cosines[place] ?? this.#window, this.#sines[place] ?? this.#window];
      let real = 0;
      let imaginary = 0;
      for (let index = 0; index < this.#history.length; index++) {
        const sample = this.#history[index] ?? 0;
        real += sample * (cosine[index] ?? 0);
        imaginary -= sample * (sine[index] ?? 0);
      }
      this.#real[place] = real;
      this.#imaginary[place] = imaginary;
    }
  }

  /** The place of the strongest frequency in the group that begins at `first`. */
  #strongest(first: number): number {
    let best = first;
    for (let place = first + 1; place < first + lowGroup.length; place++) if (this.#powerOf(place) > this.#powerOf(best)) best = place;
    return best;
  }

  #powerOf(place: number): number {
    const [real, imaginary] = [this.#real[place] ?? 0, this.#imaginary[place] ?? 0];
    return this.#scale * (real * real + imaginary * imaginary);
  }

  /** How far the tone is off its frequency, as a share of it: the phase has gone on by more or less than a step of it. */
  #deviationOf(place: number): number {
    const frequency = frequencies[place] ?? 1;
    const [a, b] = [this.#real[place] ?? 0, this.#imaginary[place] ?? 0];
    const [c, d] = [this.#realBefore[place] ?? 0, this.#imaginaryBefore[place] ?? 0];
    if (c === 0 && d === 0) return 0;
    const cycles = Math.atan2(b * c - a * d, a * c + b * d) / (2 * Math.PI) - (frequency * stepMs) / 1000;
    return ((cycles - Math.round(cycles)) * 1000) / (stepMs * frequency);
  }

  #hit(row: number, column: number, power: number, lowDeviation: number, highDeviation: number): void {
    let candidate = this.#candidate;
    if (candidate && (candidate.row !== row || candidate.column !== column)) {
      this.#miss();
      candidate = this.#candidate;
      if (candidate) return;
    }
    if (!candidate) {
      candidate = { row, column, steps: 0, misses: 0, lowDeviation: 0, highDeviation: 0, powers: [] };
      this.#candidate = candidate;
    }
    candidate.steps += 1 + candidate.misses;
    candidate.misses = 0;
    if (candidate.powers.length >= weighedAtMost) return;
    candidate.powers.push(power);
    candidate.lowDeviation += lowDeviation;
    candidate.highDeviation += highDeviation;
  }

  #miss(): void {
    const candidate = this.#candidate;
    if (!candidate || ++candidate.misses <= missesAtMost) return;
    this.#candidate = undefined;
    const strongest = Math.max(...candidate.powers);
    const solid = candidate.powers.filter((power) => power >= solidShare * strongest).length;
    const weighed = candidate.powers.length;
    const inTune = [candidate.lowDeviation, candidate.highDeviation].every((sum) => Math.abs(sum) <= deviationAtMost * weighed);
    const key = keypad[candidate.row]?.[candidate.column];
    if (key === undefined || solid < stepsAtLeast || !inTune || this.#heard.length >= digitsAtMost) return;
    this.#heard.push({ key, duration: candidate.steps * stepMs });
  }
}

const none: readonly HeardKey[] = [];
