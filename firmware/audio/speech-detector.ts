import { levelOf } from './pcm.ts';

/** Tells speech from the room it is spoken in. */
export interface SpeechDetector {
  /** True while somebody speaks, and for a moment after. */
  hears(block: Int16Array): boolean;
}

/** Above the noise of the room by this much it is speech; never below this level, dB and dBFS. */
const aboveNoise = 9;
const faintest = -60;
/** The noise is followed down at once, and up by this much a second, dB. */
const risePerSecond = 3;
/** Words end softly and pause within: what counts as speech after the last loud block, s. */
const hangover = 0.25;

/** By level alone: speech is what stands out of the noise, and noise is what never falls below it. */
export class LevelSpeechDetector implements SpeechDetector {
  readonly #sampleRate: number;
  #noise = faintest;
  #left = 0;

  constructor(sampleRate: number) {
    this.#sampleRate = sampleRate;
  }

  hears(block: Int16Array): boolean {
    const seconds = block.length / this.#sampleRate;
    const level = levelOf(block);
    this.#noise = Math.min(level, this.#noise + risePerSecond * seconds);
    if (level > Math.max(faintest, this.#noise + aboveNoise)) this.#left = hangover;
    else this.#left = Math.max(0, this.#left - seconds);
    return this.#left > 0;
  }
}
