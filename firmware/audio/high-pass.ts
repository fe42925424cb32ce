import { clamp } from './pcm.ts';

/** Takes what rumbles below speech out of the sound: a Butterworth high-pass of second order (the bilinear transform of s²/(s²+√2·s+1)). */
export class HighPass {
  readonly #b: number;
  readonly #a1: number;
  readonly #a2: number;
  #first = 0;
  #second = 0;

  /** `corner` is where the sound is 3 dB down, Hz. */
  constructor(sampleRate: number, corner: number) {
    const slope = Math.tan((Math.PI * corner) / sampleRate);
    const norm = 1 / (1 + Math.SQRT2 * slope + slope * slope);
    this.#b = norm;
    this.#a1 = 2 * (slope * slope - 1) * norm;
    this.#a2 = (1 - Math.SQRT2 * slope + slope * slope) * norm;
  }

  process(block: Int16Array): void {
    for (let index = 0; index < block.length; index++) {
      const input = block[index] ?? 0;
      const output = this.#b * input + this.#first;
      this.#first = -2 * this.#b * input - this.#a1 * output + this.#second;
      this.#second = this.#b * input - this.#a2 * output;
      block[index] = clamp(Math.round(output));
    }
  }
}
