import { accumulate, saturate } from '../audio/pcm.ts';
import { cadence, type Tone, ToneGenerator } from '../audio/tone.ts';
import { RateConverter } from './rate-converter.ts';
import { blockSamples } from './sound-format.ts';

/** Whether both sides hear that they are recorded: never, once at the start, or again and again. */
export type RecordingBeep = 'off' | 'start' | 'repeated';

/** Near end on the left, far end on the right. */
export const recordedChannels = 2;
/** Chunks that wait to be taken at most: whoever takes none for so long has given the recording up. */
const chunksAtMost = 10;

/** As long and as often as telephone networks have it: 1400 Hz for a fifth of a second, every 15 s. */
const beeps: Readonly<Record<'start' | 'repeated', Tone>> = {
  start: { once: [{ frequencies: [1400], ms: 200 }], repeat: [] },
  repeated: cadence([1400], 200, 14_800),
};

/**
 * Listens to one leg: what goes to its far end on the left, what comes from there on the right, in chunks of one second at a rate that stays
 * the same whatever the codec does. The beep is heard by both sides and is not in the recording.
 *
 *   pull ─► far ──┐
 *                 ├─► chunk of 1 s ─► drain
 *   push ─► near ─┘
 */
export class CallRecorder {
  readonly sampleRate: number;
  readonly #beepTone: Tone | undefined;
  readonly #far: Int16Array;
  readonly #silence: Int16Array;
  #chunk: Int16Array;
  #fill = 0;
  #chunks: Int16Array[] = [];
  #lost = 0;
  #converters: { readonly rate: number; readonly far: RateConverter; readonly near: RateConverter } | undefined;
  #beep: { readonly rate: number; readonly generator: ToneGenerator; readonly block: Int16Array; readonly sum: Int32Array } | undefined;
  #beeping = false;

  /** `sampleRate`: a mixing rate. */
  constructor(sampleRate: number, beep: RecordingBeep) {
    this.sampleRate = sampleRate;
    this.#beepTone = beep === 'off' ? undefined : beeps[beep];
    this.#far = new Int16Array(blockSamples(sampleRate));
    this.#silence = new Int16Array(blockSamples(sampleRate));
    this.#chunk = new Int16Array(recordedChannels * sampleRate);
  }

  /** Chunks that nobody took in time. */
  get lost(): number {
    return this.#lost;
  }

  /** A block of the far end, at the rate of the leg; `block` gets the beep. True when there is something to hear in it. */
  hearFar(block: Int16Array, rate: number, sounding: boolean): boolean {
    this.#far.set(this.#fitting('far', block, rate, sounding) ?? this.#silence);
    this.#nextBeep(rate, block.length);
    if (!this.#beeping) return sounding;
    if (!sounding) block.fill(0);
    this.#addBeep(block);
    return true;
  }

  /** The block of the same 10 ms that goes to the far end, at the rate of the leg; it gets the beep. */
  hearNear(block: Int16Array, rate: number): void {
    const near = this.#fitting('near', block, rate, true) ?? this.#silence;
    for (let index = 0; index < near.length; index++) {
      this.#chunk[this.#fill++] = near[index] ?? 0;
      this.#chunk[this.#fill++] = this.#far[index] ?? 0;
    }
    if (this.#fill >= this.#chunk.length) this.#endChunk();
    if (this.#beeping && this.#beep?.block.length === block.length) this.#addBeep(block);
  }

  /** The chunks that are full; with `rest` also the one that is not. */
  drain(rest = false): readonly Int16Array[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    if (rest && this.#fill > 0) {
      chunks.push(this.#chunk.slice(0, this.#fill));
      this.#fill = 0;
    }
    return chunks;
  }

  #endChunk(): void {
    if (this.#chunks.length < chunksAtMost) this.#chunks.push(this.#chunk);
    else this.#lost++;
    this.#chunk = new Int16Array(this.#chunk.length);
    this.#fill = 0;
  }

  #fitting(side: 'far' | 'near', block: Int16Array, rate: number, sounding: boolean): Int16Array | undefined {
    if (rate === this.sampleRate) return sounding ? block : undefined;
    if (this.#converters?.rate !== rate) {
      this.#converters = { rate, far: new RateConverter(rate, this.sampleRate), near: new RateConverter(rate, this.sampleRate) };
    }
    const converter = this.#converters[side];
    converter.next();
    return converter.convert(block, sounding);
  }

  #nextBeep(rate: number, samples: number): void {
    if (!this.#beepTone) return;
    if (this.#beep?.rate !== rate) {
      const generator = new ToneGenerator(this.#beepTone, rate);
      this.#beep = { rate, generator, block: new Int16Array(samples), sum: new Int32Array(samples) };
    }
    const { generator, block } = this.#beep;
    this.#beeping = generator.fill(block) && block.some((sample) => sample !== 0);
  }

  #addBeep(block: Int16Array): void {
    if (!this.#beep) return;
    this.#beep.sum.set(block);
    accumulate(this.#beep.sum, this.#beep.block);
    saturate(this.#beep.sum, block);
  }
}
