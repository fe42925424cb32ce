import { Resampler } from '../audio/resampler.ts';
import { blockSamples, narrowRate, wideRate } from './sound-format.ts';

/** Blocks of one mixing rate at the other, for those who hear at that. */
export class RateConverter {
  readonly block: Int16Array;
  readonly #resampler: Resampler;
  readonly #silence: Int16Array;
  /** The filter holds sound that has not come out yet. */
  #ringing = false;

  constructor(from: number) {
    const to = from === wideRate ? narrowRate : wideRate;
    this.block = new Int16Array(blockSamples(to));
    this.#resampler = new Resampler(from, to);
    this.#silence = new Int16Array(blockSamples(from));
  }

  /** Converts one block, which counts only if it is `sounding`; false when there is nothing to hear. */
  convert(block: Int16Array, sounding: boolean): boolean {
    if (!sounding && !this.#ringing) return false;
    this.#resampler.process(sounding ? block : this.#silence, this.#silence.length, this.block);
    this.#ringing = sounding;
    return true;
  }
}
