import { scale } from '../audio/pcm.ts';
import { Resampler } from '../audio/resampler.ts';
import { type Tone, ToneGenerator } from '../audio/tone.ts';
import type { WavReader } from '../audio/wav.ts';
import { type AudioSource, blockSamples, mixingRate, narrowRate } from './sound-format.ts';

/** A source that may come to its end; the engine removes it then. */
export interface EndingSource extends AudioSource {
  readonly ended: boolean;
}

/** A tone as a source. */
export class TonePlayer implements EndingSource {
  readonly sampleRate = narrowRate;
  readonly #generator: ToneGenerator;
  readonly #gain: number;
  #ended = false;

  constructor(tone: Tone, gain = 1) {
    this.#generator = new ToneGenerator(tone, narrowRate);
    this.#gain = gain;
  }

  get ended(): boolean {
    return this.#ended;
  }

  pull(block: Int16Array): boolean {
    if (!this.#generator.fill(block)) this.#ended = true;
    else scale(block, this.#gain);
    return !this.#ended;
  }
}

/** A WAV file as a source: played `repeat` times (0 = for ever) with a pause between. */
export class WavPlayer implements EndingSource {
  readonly sampleRate: number;
  readonly #reader: WavReader;
  readonly #resampler: Resampler | undefined;
  readonly #input: Int16Array;
  readonly #gapBlocks: number;
  #turnsLeft: number;
  #pause = 0;
  #ended = false;

  /** Plays at `sampleRate`, by itself the mixing rate nearest to the file's. Throws RangeError for one that cannot be converted. */
  constructor(reader: WavReader, repeat: number, gapMs: number, sampleRate = mixingRate(reader.layout.sampleRate)) {
    this.#reader = reader;
    this.sampleRate = sampleRate;
    const rate = reader.layout.sampleRate;
    if (rate !== sampleRate) this.#resampler = new Resampler(rate, sampleRate);
    this.#input = new Int16Array(Math.ceil((rate / sampleRate) * blockSamples(sampleRate)) + 2);
    this.#gapBlocks = Math.round(Math.max(0, gapMs) / 10);
    this.#turnsLeft = repeat === 0 ? Number.POSITIVE_INFINITY : repeat;
  }

  get ended(): boolean {
    return this.#ended;
  }

  pull(block: Int16Array): boolean {
    if (this.#ended) return false;
    if (this.#pause > 0) {
      this.#pause--;
      return false;
    }
    if (this.#fill(block) < block.length) this.#endTurn();
    return true;
  }

  /** Fills the block, its rest with silence; returns how much of it was sound. */
  #fill(block: Int16Array): number {
    if (!this.#resampler) {
      const count = this.#reader.read(block);
      block.fill(0, count);
      return count;
    }
    const wanted = this.#resampler.inputsFor(block.length);
    const input = this.#input.subarray(0, wanted);
    const count = this.#reader.read(input);
    input.fill(0, count);
    this.#resampler.process(input, wanted, block);
    return count < wanted ? 0 : block.length;
  }

  #endTurn(): void {
    this.#turnsLeft--;
    if (this.#turnsLeft <= 0) this.#ended = true;
    this.#reader.rewind();
    this.#pause = this.#gapBlocks;
  }
}
