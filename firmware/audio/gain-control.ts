import { clamp, levelOf } from './pcm.ts';

/** Speech is brought to this level, dBFS, within these limits, dB. */
const wanted = -22;
const mostGain = 18;
const leastGain = -12;
/** Up slowly, so that nobody notices; down before it hurts, dB a second. */
const rise = 6;
const fall = 30;
/** The level of speech follows loud blocks at once and forgets them by this much a second, dB. */
const forgetting = 12;
/** Nothing comes out louder than this, full scale = 32,768. */
const ceiling = 29_000;

/** Who speaks softly or far from the microphone becomes as loud as anybody else; what nobody says does not. */
export class GainControl {
  readonly #sampleRate: number;
  /** Of speech, dBFS; and what is done about it, dB. */
  #level = wanted;
  #gain = 0;
  #factor = 1;

  constructor(sampleRate: number) {
    this.#sampleRate = sampleRate;
  }

  /** What is added now, dB. */
  get gain(): number {
    return this.#gain;
  }

  /** Changes `block` in place; only while there is speech in it (`spoken`) anything is learnt. */
  process(block: Int16Array, spoken: boolean): void {
    if (spoken) this.#learn(levelOf(block), block.length / this.#sampleRate);
    const target = Math.min(10 ** (this.#gain / 20), ceiling / Math.max(1, peakOf(block)));
    const step = (target - this.#factor) / block.length;
    let factor = this.#factor;
    for (let index = 0; index < block.length; index++) {
      factor += step;
      block[index] = clamp(Math.round((block[index] ?? 0) * factor));
    }
    this.#factor = target;
  }

  #learn(level: number, seconds: number): void {
    this.#level = Math.max(level, this.#level - forgetting * seconds);
    const aim = Math.max(leastGain, Math.min(mostGain, wanted - this.#level));
    this.#gain = Math.max(this.#gain - fall * seconds, Math.min(this.#gain + rise * seconds, aim));
  }
}

function peakOf(block: Int16Array): number {
  let peak = 0;
  for (let index = 0; index < block.length; index++) peak = Math.max(peak, Math.abs(block[index] ?? 0));
  return peak;
}
