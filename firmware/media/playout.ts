import type { AudioCodec, AudioDecoder } from '../audio/codec.ts';
import { ComfortNoise } from '../audio/comfort-noise.ts';
import { Concealment } from '../audio/concealment.ts';
import { crossFade, levelOf } from '../audio/pcm.ts';
import { Resampler } from '../audio/resampler.ts';
import { drawOut, leaveOut, periodAtHead, stretchWindow } from '../audio/time-stretch.ts';
import type { Milliseconds } from '../core/clock.ts';
import type { BufferedPacket } from '../rtp/jitter-buffer.ts';
import type { RtpSession } from '../rtp/rtp-session.ts';
import { blockMs, blockSamples } from './sound-format.ts';

/** Longest packet that is decoded, ms: more than any ptime, less than what could stall the frame. */
const longestPacket = 200;
/** Beside a packet there is at most a block left of the one before, and what drawing out adds, ms. */
const decodedAtMost = longestPacket + 3 * blockMs;
/** A gap this long before a packet that is here is made up for in one go: it may carry a copy of the end of it, ms. */
const longestGap = 120;
/** So long a codec makes up sound for a far end that sends nothing: it may be silent, and says so twice a second at least, ms. */
const madeUpAtMost: Milliseconds = 1000;
/** Quiet enough to draw out or leave out any stretch unnoticed, dBFS. */
const quiet = -45;
/** In speech only a stretch that resembles its neighbour this much is repeated or left out. */
const unnoticed = 0.85;
/** So much too long, or so short that it may soon be over: then the best stretch there is has to do, ms. */
const intolerableExcess: Milliseconds = 100;
const intolerableDelay: Milliseconds = 8;
/** Blocks between two corrections of the delay. */
const correctionPause = 5;

/** A codec's decoder, and what makes its sound fit where it has another rate than the leg. */
interface Decoding {
  readonly sampleRate: number;
  readonly decoder: AudioDecoder;
  readonly resampler: Resampler | undefined;
  /** What is decoded, before it goes through the resampler. */
  readonly raw: Int16Array;
}

/**
 * What arrives, made sound without a gap: decoded, drawn out or left out where the delay wants it, made up where packets are missing.
 *
 *   RtpSession (order, delay) ─► decoder ─► resampler ─► #decoded ─► correction of the delay ─► pull
 *                                └ makes up what is missing where the codec knows how; else Concealment does
 */
export class Playout {
  readonly #rtp: RtpSession;
  readonly #codecOf: (payloadType: number) => AudioCodec | undefined;
  readonly #noise = new ComfortNoise();
  readonly #decodings = new Map<AudioCodec, Decoding>();
  #decoded: Int16Array;
  #sampleRate: number;
  #concealment: Concealment;
  #spare: Int16Array;
  #decodedCount = 0;
  #blocksSinceCorrection = 0;
  /** Blocks since the last real one. */
  #gapBlocks = Number.POSITIVE_INFINITY;
  #concealed: Milliseconds = 0;
  #underruns = 0;
  /** What the far end said of its silence, −dBov, until it speaks again. */
  #noiseLevel: number | undefined;
  /** The packet decoded last, and what its decoder has made up since, ms. */
  #last: { readonly codec: AudioCodec; readonly sequence: number } | undefined;
  #madeUp: Milliseconds = 0;

  constructor(rtp: RtpSession, codecOf: (payloadType: number) => AudioCodec | undefined, sampleRate: number) {
    this.#rtp = rtp;
    this.#codecOf = codecOf;
    this.#sampleRate = sampleRate;
    this.#decoded = new Int16Array((decodedAtMost * sampleRate) / 1000);
    this.#concealment = new Concealment(sampleRate);
    this.#spare = new Int16Array(blockSamples(sampleRate));
  }

  /** Sound made up in all, ms. */
  get concealedMs(): Milliseconds {
    return this.#concealed;
  }

  /** Times that there was nothing in time to play, in the middle of sound. */
  get underruns(): number {
    return this.#underruns;
  }

  /** Goes on at another rate; what is decoded is still played. */
  retune(sampleRate: number): void {
    if (sampleRate === this.#sampleRate) return;
    const waiting = this.#decoded.subarray(0, this.#decodedCount);
    this.#decoded = new Int16Array((decodedAtMost * sampleRate) / 1000);
    const fitting = new Int16Array((decodedAtMost * Math.max(sampleRate, this.#sampleRate)) / 1000);
    fitting.set(waiting);
    this.#decodedCount = Math.min(changeRate(fitting, waiting.length, this.#sampleRate, sampleRate), this.#decoded.length);
    this.#decoded.set(fitting.subarray(0, this.#decodedCount));
    this.#sampleRate = sampleRate;
    for (const [codec, { decoder }] of this.#decodings) this.#decodings.set(codec, this.#decodingWith(codec.sampleRate, decoder));
    this.#concealment = new Concealment(sampleRate);
    this.#spare = new Int16Array(blockSamples(sampleRate));
  }

  /** The far end's next block; gaps are filled with what may have been said. */
  pull(block: Int16Array): boolean {
    return this.#nextBlock(block) ? this.#playReal(block) : this.#fillGap(block);
  }

  /** All blocks up to `now` are pulled. */
  played(now: Milliseconds): void {
    this.#rtp.holds(now, this.#ticksIn(this.#decodedCount));
  }

  /** Ticks of sound in the payload from `start` to `end`; 0 when it cannot be played. */
  ticksOf(payloadType: number, bytes: Uint8Array, start: number, end: number): number {
    const codec = this.#codecOf(payloadType);
    if (!codec) return 0;
    const samples = this.#decodingOf(codec).decoder.samplesIn(bytes, start, end);
    return samples * 1000 > longestPacket * codec.sampleRate ? 0 : Math.round((samples * this.#rtp.timelineRate) / codec.sampleRate);
  }

  /** Takes one block of decoded sound; false when not enough has come in time. */
  #nextBlock(block: Int16Array): boolean {
    while (this.#decodedCount < block.length) {
      const packet = this.#rtp.take();
      const codec = packet && this.#codecOf(packet.payloadType);
      if (packet && codec) this.#decode(packet, codec);
      else if (!this.#makeUp(block.length)) return false;
    }
    this.#correctDelay();
    block.set(this.#decoded.subarray(0, block.length));
    this.#decoded.copyWithin(0, block.length, this.#decodedCount);
    this.#decodedCount -= block.length;
    return true;
  }

  #decode({ bytes, length, sequence }: BufferedPacket, codec: AudioCodec): void {
    const { decoder, resampler, raw } = this.#decodingOf(codec);
    // Where no number is missing, what was made up stood for silence.
    if (this.#last && sequence !== this.#last.sequence + 1) this.#concealed += this.#madeUp;
    this.#madeUp = 0;
    this.#last = { codec, sequence };
    if (!resampler) this.#decodedCount += decoder.decode(bytes, 0, length, this.#decoded, this.#decodedCount);
    else this.#resample(resampler, raw, decoder.decode(bytes, 0, length, raw, 0));
  }

  #resample(resampler: Resampler, raw: Int16Array, count: number): void {
    this.#decodedCount += resampler.process(raw, count, this.#decoded.subarray(this.#decodedCount));
  }

  /** Lets the codec that was heard last make up at least `samples`; false when it does not know how, or has done so for too long. */
  #makeUp(samples: number): boolean {
    const decoding = this.#last && this.#decodingOf(this.#last.codec);
    if (!decoding?.decoder.conceal || this.#madeUp >= madeUpAtMost || this.#rtp.digitUnderWay) return false;
    const { timelineRate, gap } = this.#rtp;
    const next = this.#rtp.afterGap;
    const isOurs = next !== undefined && this.#codecOf(next.payloadType)?.name === this.#last?.codec.name;
    const whole = isOurs && gap * 1000 <= longestGap * timelineRate;
    const ticks = whole ? gap : this.#ticksIn(samples);
    const count = Math.round((ticks * decoding.sampleRate) / timelineRate);
    const [copy, length] = whole ? [next.bytes, next.length] : [undefined, 0];
    const { decoder, resampler, raw } = decoding;
    if (!resampler) this.#decodedCount += decoder.conceal?.(count, this.#decoded, this.#decodedCount, copy, length) ?? 0;
    else this.#resample(resampler, raw, decoder.conceal?.(count, raw, 0, copy, length) ?? 0);
    this.#rtp.pass(ticks);
    this.#madeUp += (ticks * 1000) / timelineRate;
    return true;
  }

  /** At most once in a while, and only where enough is decoded: packets are never taken for it before their time. */
  #correctDelay(): void {
    const window = stretchWindow(this.#sampleRate);
    if (++this.#blocksSinceCorrection < correctionPause || this.#decodedCount < window) return;
    const { delay, excessDelay, delayShortfall } = this.#rtp;
    if (excessDelay === 0 && delayShortfall === 0) return;
    const urgent = excessDelay > intolerableExcess || (delayShortfall > 0 && delay < intolerableDelay);
    const head = this.#decoded.subarray(0, window);
    const period = periodAtHead(head, this.#sampleRate, urgent || levelOf(head) < quiet ? -1 : unnoticed);
    if (period === 0) return;
    const before = this.#decodedCount;
    this.#decodedCount = (excessDelay > 0 ? leaveOut : drawOut)(this.#decoded, before, period);
    this.#rtp.delayAdjusted(this.#ticksIn(this.#decodedCount - before));
    this.#blocksSinceCorrection = 0;
  }

  #playReal(block: Int16Array): true {
    this.#spare.set(block);
    if (this.#gapBlocks > 0) this.#fadeIn(block);
    this.#concealment.heard(this.#spare);
    this.#gapBlocks = 0;
    this.#noiseLevel = undefined;
    return true;
  }

  /** After a gap the real sound takes over from what was made up for it. */
  #fadeIn(block: Int16Array): void {
    if (this.#noiseLevel !== undefined) this.#noise.fill(block, this.#noiseLevel);
    else if (!this.#concealment.fill(block)) block.fill(0);
    crossFade(block, this.#spare);
  }

  #fillGap(block: Int16Array): boolean {
    this.#rtp.pass(this.#ticksIn(block.length));
    this.#noiseLevel = this.#rtp.comfortNoise ?? this.#noiseLevel;
    if (this.#noiseLevel !== undefined) return this.#fillWithNoise(block, this.#noiseLevel);
    // While a digit is on the wire there is no voice to make up for.
    const audible = !this.#rtp.digitUnderWay && this.#concealment.fill(block);
    if (audible) {
      this.#concealed += blockMs;
      if (this.#gapBlocks === 0) this.#underruns++;
    }
    this.#gapBlocks++;
    return audible;
  }

  #fillWithNoise(block: Int16Array, level: number): true {
    if (this.#gapBlocks === 0 && this.#concealment.fill(block)) {
      this.#noise.fill(this.#spare, level);
      crossFade(block, this.#spare);
    } else this.#noise.fill(block, level);
    this.#gapBlocks++;
    return true;
  }

  #ticksIn(samples: number): number {
    return (samples * this.#rtp.timelineRate) / this.#sampleRate;
  }

  #decodingWith(sampleRate: number, decoder: AudioDecoder): Decoding {
    if (sampleRate === this.#sampleRate) return { sampleRate, decoder, resampler: undefined, raw: nothing };
    const raw = new Int16Array((decodedAtMost * sampleRate) / 1000);
    return { sampleRate, decoder, resampler: new Resampler(sampleRate, this.#sampleRate), raw };
  }

  #decodingOf(codec: AudioCodec): Decoding {
    let decoding = this.#decodings.get(codec);
    if (!decoding) {
      decoding = this.#decodingWith(codec.sampleRate, codec.createDecoder());
      this.#decodings.set(codec, decoding);
    }
    return decoding;
  }
}

const nothing = new Int16Array(0);

/** The few samples that wait while the rate changes: a straight line between them is good enough. Works in place. */
export function changeRate(samples: Int16Array, count: number, from: number, to: number): number {
  const before = samples.slice(0, count);
  const after = Math.floor((count * to) / from);
  for (let index = 0; index < after; index++) {
    const position = (index * from) / to;
    const left = before[Math.floor(position)] ?? 0;
    const right = before[Math.min(count - 1, Math.floor(position) + 1)] ?? 0;
    samples[index] = Math.round(left + (right - left) * (position % 1));
  }
  return after;
}
