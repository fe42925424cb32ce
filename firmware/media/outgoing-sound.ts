import type { AudioCodec, AudioEncoder } from '../audio/codec.ts';
import { pcmuCodec } from '../audio/g711.ts';
import { LevelMeter } from '../audio/pcm.ts';
import { Resampler } from '../audio/resampler.ts';
import { LevelSpeechDetector, type SpeechDetector } from '../audio/speech-detector.ts';
import { ToneGenerator } from '../audio/tone.ts';
import { keyTone } from '../audio/tone-plans.ts';
import type { Milliseconds } from '../core/clock.ts';
import type { RtpSession } from '../rtp/rtp-session.ts';
import type { EventDigit } from '../rtp/telephone-event.ts';
import { changeRate } from './playout.ts';
import { blockMs, blockSamples, mixingRate } from './sound-format.ts';

/** Keys in the sound: as long as a detector wants at least (Q.24), and a pause behind each, ms. */
const shortestKey: Milliseconds = 70;
const pauseBehindKey: Milliseconds = 80;
const longestKey: Milliseconds = 5000;
const keysAtMost = 32;
/** The noise of this room is told anew when it has changed by this much, or after this long, dB and ms. */
const noiseChange = 3;
const noiseInterval: Milliseconds = 1000;
/** Only codecs of this clock have the static payload type of comfort noise. */
const noiseClock = 8000;
const quietest = 127;

/**
 * The sound of this side made packets: keys take its place, silence is left out, and what a codec wants at another rate is resampled.
 *
 *   push ─► keys? ─► #collected (one ptime) ─► silent? ─► resampler? ─► encoder ─► RtpSession
 */
export class OutgoingSound {
  readonly #rtp: RtpSession;
  readonly #meter = new LevelMeter();
  #codec: AudioCodec = pcmuCodec;
  #encoder: AudioEncoder = pcmuCodec.createEncoder();
  #sampleRate = pcmuCodec.sampleRate;
  #resampler: Resampler | undefined;
  #converted = new Int16Array(0);
  #collected = new Int16Array(blockSamples(pcmuCodec.sampleRate));
  #collectedCount = 0;
  readonly #keys: { readonly digit: EventDigit; readonly duration: Milliseconds }[] = [];
  #key: { readonly generator: ToneGenerator; pauseLeft: Milliseconds } | undefined;
  /** `undefined` = silence is sent like any sound. */
  #speech: SpeechDetector | undefined;
  #spoken = true;
  #noiseTold: { readonly level: number; since: Milliseconds } | undefined;
  readonly #write = (bytes: Uint8Array, offset: number): number => this.#encode(bytes, offset);

  constructor(rtp: RtpSession) {
    this.#rtp = rtp;
  }

  get codec(): AudioCodec {
    return this.#codec;
  }

  get sampleRate(): number {
    return this.#sampleRate;
  }

  get ptime(): Milliseconds {
    return (this.#collected.length * 1000) / this.#sampleRate;
  }

  /** Sends with this codec from now on; the sound that waits goes out with it, all of it and nothing twice. */
  configure(codec: AudioCodec, ptime: Milliseconds, leavesOutSilence: boolean): void {
    const rate = mixingRate(codec.sampleRate);
    const waiting = this.#waitingAt(rate);
    if (codec !== this.#codec) this.#encoder = codec.createEncoder();
    if (codec.sampleRate !== this.#codec.sampleRate) {
      this.#resampler = codec.sampleRate === rate ? undefined : new Resampler(rate, codec.sampleRate);
    }
    if (rate !== this.#sampleRate) this.#key = undefined;
    const leavesOut = leavesOutSilence && codec.clockRate === noiseClock;
    if (!leavesOut) this.#speech = undefined;
    else if (!this.#speech || rate !== this.#sampleRate) this.#speech = new LevelSpeechDetector(rate);
    this.#codec = codec;
    this.#sampleRate = rate;
    const packetTime = codec.packetTimes.find((time) => time <= ptime) ?? codec.packetTimes.at(-1) ?? ptime;
    this.#collected = new Int16Array((packetTime / blockMs) * blockSamples(rate));
    this.#converted = new Int16Array(this.#resampler ? (packetTime * codec.sampleRate) / 1000 : 0);
    this.#collectedCount = 0;
    this.#collect(waiting);
  }

  /** Plays a key in place of the sound; false when too many wait, or it is none that has a tone. */
  press(digit: EventDigit, duration: Milliseconds): boolean {
    if (digit === 'flash' || this.#keys.length >= keysAtMost) return false;
    this.#keys.push({ digit, duration: Math.min(longestKey, Math.max(shortestKey, duration)) });
    return true;
  }

  /** The next block, which is changed where a key sounds; each ptime a packet goes out. */
  push(block: Int16Array): void {
    this.#playKeys(block);
    if (this.#speech) this.#spoken = this.#speech.hears(block) || this.#key !== undefined || this.#spoken;
    this.#collect(block);
  }

  #waitingAt(rate: number): Int16Array {
    const count = this.#collectedCount;
    const waiting = new Int16Array(Math.ceil((count * Math.max(rate, this.#sampleRate)) / this.#sampleRate));
    waiting.set(this.#collected.subarray(0, count));
    return rate === this.#sampleRate ? waiting : waiting.subarray(0, changeRate(waiting, count, this.#sampleRate, rate));
  }

  #collect(samples: Int16Array): void {
    for (let index = 0; index < samples.length; index++) {
      this.#collected[this.#collectedCount++] = samples[index] ?? 0;
      if (this.#collectedCount < this.#collected.length) continue;
      this.#collectedCount = 0;
      this.#send();
    }
  }

  #send(): void {
    const ticks = (this.ptime * this.#codec.clockRate) / 1000;
    if (!this.#speech || this.#spoken) {
      this.#noiseTold = undefined;
      this.#rtp.send(ticks, this.#write);
    } else this.#sendSilence(ticks);
    this.#spoken = false;
  }

  /** RFC 3389 §3: how loud the silence is, when it begins, when it changes and now and then; else nothing. */
  #sendSilence(ticks: number): void {
    this.#meter.add(this.#collected);
    const level = Math.min(quietest, Math.round(-this.#meter.take()));
    const told = this.#noiseTold;
    if (told) told.since += this.ptime;
    const same = told !== undefined && Math.abs(told.level - level) < noiseChange && told.since < noiseInterval;
    if (!same) this.#noiseTold = { level, since: 0 };
    this.#rtp.sendSilence(ticks, same ? undefined : level);
  }

  #encode(bytes: Uint8Array, offset: number): number {
    if (!this.#resampler) return this.#encoder.encode(this.#collected, bytes, offset);
    this.#resampler.process(this.#collected, this.#collected.length, this.#converted);
    return this.#encoder.encode(this.#converted, bytes, offset);
  }

  #playKeys(block: Int16Array): void {
    if (!this.#key) {
      const next = this.#keys.shift();
      if (!next) return;
      this.#key = { generator: new ToneGenerator(keyTone(next.digit, next.duration), this.#sampleRate), pauseLeft: pauseBehindKey };
    }
    if (this.#key.generator.fill(block)) return;
    block.fill(0);
    this.#key.pauseLeft -= blockMs;
    if (this.#key.pauseLeft <= 0) this.#key = undefined;
  }
}
