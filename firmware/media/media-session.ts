import type { AudioCodec, AudioDecoder, AudioEncoder } from '../audio/codec.ts';
import { pcmaCodec, pcmuCodec } from '../audio/g711.ts';
import { crossFade, fade, LevelMeter, levelOf } from '../audio/pcm.ts';
import type { Milliseconds } from '../core/clock.ts';
import type { Entropy } from '../core/entropy.ts';
import type { JitterBufferLimits } from '../rtp/jitter-buffer.ts';
import type { TransportAddress } from '../rtp/remote-address.ts';
import type { OutgoingPacket } from '../rtp/rtp-sender.ts';
import { RtpSession, type RtpStatistics } from '../rtp/rtp-session.ts';
import type { EventDigit, ReceivedDigit } from '../rtp/telephone-event.ts';
import { type AudioSink, type AudioSource, blockMs, blockSamples, sampleRate } from './sound-format.ts';

/** What offer and answer agreed on for one leg. */
export interface LegParameters {
  readonly remote: TransportAddress;
  readonly remoteRtcp: TransportAddress;
  readonly codec: { readonly name: 'PCMU' | 'PCMA'; readonly payloadType: number };
  /** Milliseconds of sound in a packet, a multiple of 10. */
  readonly ptime: Milliseconds;
  /** Payload types of RFC 4733 events we send and expect; `undefined` when there are none. */
  readonly telephoneEvent: { readonly send: number; readonly receive: number } | undefined;
  readonly direction: 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';
  /** Follow the peer's real source address. */
  readonly symmetric: boolean;
}

/** Counts and levels of one leg. */
export interface LegStatistics extends RtpStatistics {
  readonly concealedMs: number;
  /** From the far end and to it, since the last call, dBFS. */
  readonly levelIn: number;
  readonly levelOut: number;
  readonly digitsReceived: number;
}

const codecs: Readonly<Record<LegParameters['codec']['name'], AudioCodec>> = { PCMU: pcmuCodec, PCMA: pcmaCodec };

/** RFC 3551: what these say needs no agreement. */
const staticCodecs = new Map<number, AudioCodec>([
  [0, pcmuCodec],
  [8, pcmaCodec],
]);
const comfortNoise = 13;

/** Longest packet that is decoded, ms: more than any ptime, less than what could stall the frame. */
const longestPacket = 200;
/** A gap is filled with the last block, ever fainter, for this many blocks; then it is silent. */
const concealedBlocks = 6;
/** Quiet enough to leave out a block unnoticed, dBFS. */
const quiet = -45;
/** Delay beyond the target that is cut even in loud speech, ms. */
const intolerableExcess: Milliseconds = 100;

/**
 * One leg of a call: sound in blocks on this side, RTP on the other. As a source it is the far end's voice, as a sink its ear.
 *
 *   datagrams ─► RtpSession (order, delay) ─► decoder ─► #decoded ─► pull
 *   push ─► #collected (one ptime) ─► encoder ─► RtpSession ─► datagrams
 */
export class MediaSession implements AudioSource, AudioSink {
  readonly #rtp: RtpSession;
  readonly #decoders = new Map<AudioCodec, AudioDecoder>();
  readonly #received = new Map<number, AudioCodec>(staticCodecs);
  readonly #decoded = new Int16Array(((longestPacket + blockMs) * sampleRate) / 1000);
  readonly #last = new Int16Array(blockSamples);
  readonly #spare = new Int16Array(blockSamples);
  readonly #meterIn = new LevelMeter();
  readonly #meterOut = new LevelMeter();
  #decodedCount = 0;
  /** Blocks since the last real one; more than `concealedBlocks` is silence. */
  #gapBlocks = concealedBlocks + 1;
  #concealed: Milliseconds = 0;
  #digits = 0;
  #codec: AudioCodec = pcmuCodec;
  #encoder: AudioEncoder = pcmuCodec.createEncoder();
  #collected = new Int16Array((20 * sampleRate) / 1000);
  #collectedCount = 0;
  #silenceReported = false;
  readonly #write = (bytes: Uint8Array, offset: number): number => this.#encoder.encode(this.#collected, bytes, offset);

  constructor(entropy: Entropy, cname: string, limits: JitterBufferLimits) {
    this.#rtp = new RtpSession(entropy, pcmuCodec.clockRate, cname, limits);
  }

  get deadline(): Milliseconds | undefined {
    return this.#rtp.deadline;
  }

  /** Starts the leg or changes it; nothing that stays the same is interrupted. */
  update(now: Milliseconds, parameters: LegParameters): void {
    const codec = codecs[parameters.codec.name];
    if (codec !== this.#codec) this.#encoder = codec.createEncoder();
    this.#codec = codec;
    this.#received.set(parameters.codec.payloadType, codec);
    const samples = (parameters.ptime * sampleRate) / 1000;
    if (this.#collected.length !== samples) {
      this.#collected = new Int16Array(samples);
      this.#collectedCount = 0;
    }
    const { direction, remote, remoteRtcp, symmetric, telephoneEvent } = parameters;
    this.#rtp.update(now, {
      remote,
      remoteRtcp,
      symmetric,
      sends: direction === 'sendrecv' || direction === 'sendonly',
      receives: direction === 'sendrecv' || direction === 'recvonly',
      payloadType: parameters.codec.payloadType,
      eventPayloadType: telephoneEvent?.send,
      payloads: {
        ticksOf: (payloadType, length) => this.#ticksOf(payloadType, length),
        telephoneEvents: this.#eventTypes(telephoneEvent),
        silent: comfortNoise,
      },
    });
  }

  receiveRtp(now: Milliseconds, bytes: Uint8Array, address: string, port: number): void {
    this.#rtp.receiveRtp(now, bytes, address, port);
  }

  receiveRtcp(now: Milliseconds, bytes: Uint8Array, address: string, port: number): void {
    this.#rtp.receiveRtcp(now, bytes, address, port);
  }

  /** Queues an RFC 4733 digit; false when the far end takes none. */
  sendDigit(digit: EventDigit, duration: Milliseconds): boolean {
    return this.#rtp.sendDigit(digit, duration);
  }

  handleTimeout(now: Milliseconds): void {
    this.#rtp.handleTimeout(now);
  }

  /** The far end's next block; gaps are filled with what was heard last, ever fainter. */
  pull(block: Int16Array): boolean {
    const audible = this.#nextBlock(block) ? this.#playReal(block) : this.#conceal(block);
    if (audible) this.#meterIn.add(block);
    return audible;
  }

  /** The next block for the far end; each ptime a packet goes out. */
  push(block: Int16Array): void {
    this.#meterOut.add(block);
    for (let index = 0; index < block.length; index++) {
      this.#collected[this.#collectedCount++] = block[index] ?? 0;
      if (this.#collectedCount < this.#collected.length) continue;
      this.#collectedCount = 0;
      this.#rtp.send(this.#ticksIn(this.#collected.length), this.#write);
    }
  }

  /** Datagrams to send now, valid until the next call. */
  drain(): readonly OutgoingPacket[] {
    return this.#rtp.drain();
  }

  drainDigits(): readonly ReceivedDigit[] {
    const digits = this.#rtp.drainDigits();
    this.#digits += digits.length;
    return digits;
  }

  /** True once per silence, when nothing has come for `limit` ms although something should. */
  fellSilent(now: Milliseconds, limit: Milliseconds): boolean {
    const silent = this.#rtp.silentFor(now);
    if (silent === undefined || silent < limit) {
      this.#silenceReported = false;
      return false;
    }
    const first = !this.#silenceReported;
    this.#silenceReported = true;
    return first;
  }

  /** Says goodbye by RTCP; drain afterwards. */
  close(now: Milliseconds): void {
    this.#rtp.close(now);
  }

  statistics(): LegStatistics {
    return {
      ...this.#rtp.statistics(),
      concealedMs: this.#concealed,
      levelIn: this.#meterIn.take(),
      levelOut: this.#meterOut.take(),
      digitsReceived: this.#digits,
    };
  }

  describe() {
    return { codec: this.#codec.name, ptime: this.#collected.length / (sampleRate / 1000), ...this.#rtp.describe() };
  }

  /** Takes one block of decoded sound; false when not enough has come in time. */
  #nextBlock(block: Int16Array): boolean {
    while (this.#decodedCount < blockSamples) {
      const packet = this.#rtp.take();
      const codec = packet && this.#received.get(packet.payloadType);
      if (!packet || !codec) return false;
      this.#decodedCount += this.#decoderOf(codec).decode(packet.bytes, 0, packet.length, this.#decoded, this.#decodedCount);
    }
    block.set(this.#decoded.subarray(0, blockSamples));
    this.#decoded.copyWithin(0, blockSamples, this.#decodedCount);
    this.#decodedCount -= blockSamples;
    return true;
  }

  #playReal(block: Int16Array): true {
    const excess = this.#rtp.excessDelay;
    if (excess > 0 && (excess > intolerableExcess || levelOf(block) < quiet) && this.#nextBlock(this.#spare)) {
      crossFade(block, this.#spare);
      this.#rtp.skipped(this.#ticksIn(blockSamples));
    }
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
    this.#rtp.pass(this.#ticksIn(blockSamples));
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

  #ticksIn(samples: number): number {
    return (samples * this.#codec.clockRate) / this.#codec.sampleRate;
  }

  #ticksOf(payloadType: number, length: number): number {
    const codec = this.#received.get(payloadType);
    if (!codec) return 0;
    const samples = this.#decoderOf(codec).samplesIn(length);
    return samples * 1000 > longestPacket * codec.sampleRate ? 0 : (samples * codec.clockRate) / codec.sampleRate;
  }

  /** RFC 3264 §6.1 has each side sent what it said; peers that use their own number both ways are understood where it is free. */
  #eventTypes(events: LegParameters['telephoneEvent']): number[] {
    if (!events) return [];
    return this.#received.has(events.send) ? [events.receive] : [events.receive, events.send];
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
