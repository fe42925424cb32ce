import { Resampler } from '../audio/resampler.ts';
import { blockSamples } from './sound-format.ts';

/** Blocks of one mixing rate at another, for those who hear at that. */
export class RateConverter {
  readonly #block: Int16Array;
  readonly #resampler: Resampler;
  readonly #silence: Int16Array;
  /** The filter holds sound that has not come out yet. */
  #ringing = false;
  #state: 'not yet' | 'sounding' | 'silent' = 'not yet';

  constructor(from: number, to: number) {
    this.#block = new Int16Array(blockSamples(to));
    this.#resampler = new Resampler(from, to);
    this.#silence = new Int16Array(blockSamples(from));
  }

  /** A new block is there to be converted. */
  next(): void {
    this.#state = 'not yet';
  }

  /** The block of this turn, which counts only if it is `sounding`; `undefined` when there is nothing to hear. Converted once. */
  convert(block: Int16Array, sounding: boolean): Int16Array | undefined {
    if (this.#state === 'not yet') this.#state = this.#process(block, sounding) ? 'sounding' : 'silent';
    return this.#state === 'sounding' ? this.#block : undefined;
  }

  #process(block: Int16Array, sounding: boolean): boolean {
    if (!sounding && !this.#ringing) return false;
    this.#resampler.process(sounding ? block : this.#silence, this.#silence.length, this.#block);
    this.#ringing = sounding;
    return true;
  }
}
