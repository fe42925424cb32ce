import type { AudioCodec, AudioDecoder } from '../audio/codec.ts';
import { crossFade, fade, levelOf } from '../audio/pcm.ts';
import { drawOut, leaveOut, periodAtHead, stretchWindow } from '../audio/time-stretch.ts';
import type { Milliseconds } from '../core/clock.ts';
import type { RtpSession } from '../rtp/rtp-session.ts';
import { type AudioSource, blockMs, blockSamples, sampleRate } from './sound-format.ts';

/** Longest packet that is decoded, ms: more than any ptime, less than what could stall the frame. */
const longestPacket = 200;
/** A gap is filled with the last block, ever fainter, for this many blocks; then it is silent. */
const concealedBlocks = 6;
/** Quiet enough to draw out or leave out any stretch unnoticed, dBFS. */
const quiet = -45;
/** In speech only a stretch that resembles its neighbour this much is repeated or left out. */
const unnoticed = 0.85;
/** Off the target by this much, the best stretch there is has to do, ms. */
const intolerableExcess: Milliseconds = 100;
const intolerableShortfall: Milliseconds = 15;
/** Blocks between two corrections of the delay. */
const correctionPause = 5;

/**
 * What arrives, made sound without a gap: decoded, drawn out or left out where the delay wants it, made up where packets are missing.
 *
 *   RtpSession (order, delay) ─► decoder ─► #decoded ─► correction of the delay ─► pull
 */
export class Playout implements AudioSource {
  readonly #rtp: RtpSession;
  readonly #codecOf: (payloadType: number) => AudioCodec | undefined;
  readonly #decoders = new Map<AudioCodec, AudioDecoder>();
  readonly #decoded = new Int16Array(((longestPacket + 3 * blockMs) * sampleRate) / 1000);
  readonly #last = new Int16Array(blockSamples);
  readonly #spare = new Int16Array(blockSamples);
  #decodedCount = 0;
  #blocksSinceCorrection = 0;
  /** Blocks since the last real one; more than `concealedBlocks` is silence. */
  #gapBlocks = concealedBlocks + 1;
  #concealed: Milliseconds = 0;

  constructor(rtp: RtpSession, codecOf: (payloadType: number) => AudioCodec | undefined) {
    this.#rtp = rtp;
    this.#codecOf = codecOf;
  }

  /** Sound made up in all, ms. */
  get concealedMs(): Milliseconds {
    return this.#concealed;
  }

  /** The far end's next block; gaps are filled with what was heard last, ever fainter. */
  pull(block: Int16Array): boolean {
    return this.#nextBlock(block) ? this.#playReal(block) : this.#conceal(block);
  }

  /** All blocks up to `now` are pulled. */
  played(now: Milliseconds): void {
    this.#rtp.holds(now, this.#decodedCount);
  }

  /** Ticks of sound in a payload; 0 when it cannot be played. */
  ticksOf(payloadType: number, length: number): number {
    const codec = this.#codecOf(payloadType);
    if (!codec) return 0;
    const samples = this.#decoderOf(codec).samplesIn(length);
    return samples * 1000 > longestPacket * codec.sampleRate ? 0 : (samples * codec.clockRate) / codec.sampleRate;
  }

  /** Takes one block of decoded sound; false when not enough has come in time. */
  #nextBlock(block: Int16Array): boolean {
    while (this.#decodedCount < blockSamples) {
      const packet = this.#rtp.take();
      const codec = packet && this.#codecOf(packet.payloadType);
      if (!packet || !codec) return false;
      this.#decodedCount += this.#decoderOf(codec).decode(packet.bytes, 0, packet.length, this.#decoded, this.#decodedCount);
    }
    this.#correctDelay();
    block.set(this.#decoded.subarray(0, blockSamples));
    this.#decoded.copyWithin(0, blockSamples, this.#decodedCount);
    this.#decodedCount -= blockSamples;
    return true;
  }

  /** At most once in a while, and only where enough is decoded: packets are never taken for it before their time. */
  #correctDelay(): void {
    if (++this.#blocksSinceCorrection < correctionPause || this.#decodedCount < stretchWindow(sampleRate)) return;
    const { excessDelay, delayShortfall } = this.#rtp;
    if (excessDelay === 0 && delayShortfall === 0) return;
    const urgent = excessDelay > intolerableExcess || delayShortfall > intolerableShortfall;
    const head = this.#decoded.subarray(0, stretchWindow(sampleRate));
    const period = periodAtHead(head, sampleRate, urgent || levelOf(head) < quiet ? -1 : unnoticed);
    if (period === 0) return;
    const before = this.#decodedCount;
    this.#decodedCount = (excessDelay > 0 ? leaveOut : drawOut)(this.#decoded, before, period);
    this.#rtp.delayAdjusted(this.#decodedCount - before);
    this.#blocksSinceCorrection = 0;
  }

  #playReal(block: Int16Array): true {
    if (this.#gapBlocks > 0) this.#fadeIn(block);
    this.#last.set(block);
    this.#gapBlocks = 0;
    return true;
  }

  /** After a gap the real sound takes over from what was made up for it. */
  #fadeIn(block: Int16Array): void {
    this.#spare.set(block);
    if (!this.#makeUp(block)) block.fill(0);
    crossFade(block, this.#spare);
  }

  #conceal(block: Int16Array): boolean {
    this.#rtp.pass(blockSamples);
    // While a digit is on the wire there is no voice to make up for.
    const audible = !this.#rtp.digitUnderWay && this.#makeUp(block);
    if (audible) this.#concealed += blockMs;
    this.#gapBlocks++;
    return audible;
  }

  #makeUp(block: Int16Array): boolean {
    if (this.#gapBlocks >= concealedBlocks) return false;
    block.set(this.#last);
    fade(block, 1 - this.#gapBlocks / concealedBlocks, 1 - (this.#gapBlocks + 1) / concealedBlocks);
    return true;
  }

  #decoderOf(codec: AudioCodec): AudioDecoder {
    let decoder = this.#decoders.get(codec);
    if (!decoder) {
      decoder = codec.createDecoder();
      this.#decoders.set(codec, decoder);
    }
    return decoder;
  }
}
