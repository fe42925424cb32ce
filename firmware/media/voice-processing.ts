import { EchoDelay } from '../audio/echo-delay.ts';
import { GainControl } from '../audio/gain-control.ts';
import { HighPass } from '../audio/high-pass.ts';
import { accumulate, levelOf, saturate, scale } from '../audio/pcm.ts';
import { LevelSpeechDetector } from '../audio/speech-detector.ts';
import type { EnhancerMaker, SpeechEnhancer } from '../audio/speech-enhancer.ts';
import { VoiceSwitch } from '../audio/voice-switch.ts';
import { blockMs, blockSamples } from './sound-format.ts';

/** What is done to the sound of a device that has a microphone. */
export interface VoiceWishes {
  /** Of the loudspeaker in the microphone: left, taken out, or avoided by letting one side speak at a time. */
  readonly echo: 'off' | 'cancel' | 'halfDuplex';
  /** How long the room goes on sounding, ms. */
  readonly echoTailMs: number;
  readonly noiseSuppression: boolean;
  readonly gainControl: boolean;
  readonly highPass: boolean;
  /** How loud who speaks hears himself, a factor; 0 = not. */
  readonly sideTone: number;
}

/** What processing does at this moment, for people. */
export interface VoiceState {
  readonly echo: 'off' | 'cancelling' | 'halfDuplex';
  /** How much fainter the far end's voice leaves than it came in at the microphone (ERLE), dB; `null` before it was heard. */
  readonly echoReductionDb: number | null;
  /** From the loudspeaker to the microphone, ms, once known. */
  readonly echoDelayMs: number | null;
  readonly gainDb: number;
}

/** Above it speech is at mixing rates that no room and no loudspeaker of a telephone needs. */
export const voiceRate = 16_000;
const highPassCorner = 120;
/** The loudspeaker is kept for as long as its echo may take, ms. */
const historyMs = 500;
/** The direct sound is laid this far behind the start of what the canceller looks at; beyond twice that or before it, it is laid anew, ms. */
const headroomMs = 16;
/** The echo is measured while the far end is louder than this in the loudspeaker, dBFS. */
const farSpeaks = -45;
/** What was measured weighs less with time: half of it after a second. */
const memory = 0.993;
/** A canceller that has not reached this yet leaves the room to the switch; learnt in so many blocks of echo, dB. */
const good = 12;
const learning = 100;

/**
 * The microphone of a device on its way into calls, block by block, and its loudspeaker as far as that makes echo.
 *
 *   pull ─► high-pass ─► echo, noise (library) ─► one side at a time? ─► gain ─► into calls
 *                             ▲ shifted by the delay found                    └─► side tone
 *   push ─────────────────────┴─► loudspeaker
 */
export class VoiceProcessing {
  readonly #wishes: VoiceWishes;
  readonly #highPass: HighPass | undefined;
  readonly #enhancer: SpeechEnhancer | undefined;
  readonly #delay: EchoDelay | undefined;
  readonly #switch: VoiceSwitch | undefined;
  readonly #gain: GainControl | undefined;
  readonly #speech: LevelSpeechDetector;
  /** What was played, the newest last; the block of it that the microphone now hears, and the newest. */
  readonly #history: Int16Array;
  readonly #far: Int16Array;
  readonly #newest: Int16Array;
  readonly #side: Int16Array;
  readonly #sum: Int32Array;
  readonly #rate: number;
  #shift = 0;
  #before = 0;
  #after = 0;
  #echoBlocks = 0;
  /** The canceller is not trusted: one side at a time. */
  #guarded: boolean;
  #sidePending = false;
  #closed = false;

  /** Without `maker` the library is missing: echo is avoided, noise stays. `knownDelay` = of the device at least, ms. */
  constructor(sampleRate: number, wishes: VoiceWishes, maker: EnhancerMaker | undefined, knownDelay: number) {
    const block = blockSamples(sampleRate);
    const cancels = wishes.echo === 'cancel' && maker !== undefined;
    this.#wishes = wishes;
    this.#rate = sampleRate;
    if (wishes.highPass) this.#highPass = new HighPass(sampleRate, highPassCorner);
    if (maker && (cancels || wishes.noiseSuppression)) {
      const echoTail = cancels ? wishes.echoTailMs : 0;
      this.#enhancer = maker({ sampleRate, blockSamples: block, echoTail, suppressesNoise: wishes.noiseSuppression });
    }
    if (wishes.echo !== 'off') {
      this.#delay = new EchoDelay(sampleRate);
      this.#switch = new VoiceSwitch(sampleRate);
    }
    if (wishes.gainControl) this.#gain = new GainControl(sampleRate);
    this.#speech = new LevelSpeechDetector(sampleRate);
    this.#guarded = wishes.echo !== 'off';
    this.#history = new Int16Array((historyMs * sampleRate) / 1000);
    this.#far = new Int16Array(block);
    this.#newest = new Int16Array(block);
    this.#side = new Int16Array(block);
    this.#sum = new Int32Array(block);
    this.#shift = this.#samplesOf(knownDelay);
  }

  get state(): VoiceState {
    const echo = this.#wishes.echo === 'off' ? 'off' : this.#guarded ? 'halfDuplex' : 'cancelling';
    const known = this.#echoBlocks > 0 && this.#before > 0;
    const { delay } = this.#delay ?? {};
    return {
      echo,
      echoReductionDb: known ? Math.round(10 * this.#reduction) / 10 : null,
      echoDelayMs: delay ?? null,
      gainDb: Math.round(10 * (this.#gain?.gain ?? 0)) / 10,
    };
  }

  /** A block of the microphone, changed in place. */
  hear(near: Int16Array): void {
    if (this.#closed) return;
    this.#highPass?.process(near);
    const farLevel = this.#lookBack(near);
    const before = levelOf(near);
    this.#enhancer?.process(near, this.#far);
    if (this.#switch) this.#avoid(near, before, farLevel);
    this.#gain?.process(near, farLevel < farSpeaks && this.#speech.hears(near));
    if (this.#wishes.sideTone === 0) return;
    this.#side.set(near);
    scale(this.#side, this.#wishes.sideTone);
    this.#sidePending = true;
  }

  /** A block for the loudspeaker, changed in place where a side has to be fainter, and with the side tone. */
  play(block: Int16Array): void {
    if (this.#switch && this.#guarded) scale(block, this.#switch.gains.loudspeaker);
    this.#history.copyWithin(0, block.length);
    this.#history.set(block, this.#history.length - block.length);
    if (!this.#sidePending) return;
    this.#sidePending = false;
    this.#sum.fill(0);
    accumulate(this.#sum, block);
    accumulate(this.#sum, this.#side);
    saturate(this.#sum, block);
  }

  /** The device is gone. */
  close(): void {
    this.#closed = true;
    this.#enhancer?.close();
  }

  get #reduction(): number {
    return 10 * Math.log10((this.#before + 1e-9) / (this.#after + 1e-9));
  }

  /** Finds what the loudspeaker played of that which is heard now; its level, dBFS. */
  #lookBack(near: Int16Array): number {
    if (!this.#delay) return -Infinity;
    const end = this.#history.length;
    this.#newest.set(this.#history.subarray(end - near.length));
    this.#delay.hear(near, this.#newest);
    const { delay } = this.#delay;
    if (delay !== undefined && this.#isElsewhere(delay)) this.#align(delay);
    const start = end - near.length - this.#shift;
    for (let index = 0; index < near.length; index++) this.#far[index] = this.#history[start + index] ?? 0;
    return levelOf(this.#far);
  }

  #isElsewhere(delay: number): boolean {
    const lead = delay - (this.#shift * 1000) / this.#rate;
    return lead < headroomMs / 4 ? this.#shift > 0 : lead > 2 * headroomMs;
  }

  /** Half duplex until the canceller has learnt the way of the echo anew. */
  #align(delay: number): void {
    const shift = this.#samplesOf(delay - headroomMs);
    if (shift === this.#shift) return;
    this.#shift = shift;
    this.#enhancer?.relearn();
    this.#before = 0;
    this.#after = 0;
    this.#echoBlocks = 0;
    this.#guarded = true;
  }

  #avoid(near: Int16Array, before: number, farLevel: number): void {
    this.#switch?.hear(near, this.#far);
    const cancels = this.#enhancer !== undefined && this.#wishes.echo === 'cancel';
    if (cancels && farLevel > farSpeaks) this.#measure(before, levelOf(near));
    if (this.#guarded) scale(near, this.#switch?.gains.microphone ?? 1);
  }

  #measure(before: number, after: number): void {
    this.#before = memory * this.#before + 10 ** (before / 10);
    this.#after = memory * this.#after + 10 ** (after / 10);
    this.#echoBlocks++;
    if (this.#echoBlocks < learning) return;
    if (this.#reduction > good) this.#guarded = false;
  }

  #samplesOf(ms: number): number {
    const longest = historyMs - blockMs;
    return Math.round((Math.max(0, Math.min(longest, ms)) * this.#rate) / 1000);
  }
}
