import type { AudioCodec, AudioEncoder } from '../audio/codec.ts';
import { audioCodecs, type CodecName, staticCodecs } from '../audio/codecs.ts';
import { pcmuCodec } from '../audio/g711.ts';
import { LevelMeter } from '../audio/pcm.ts';
import type { Milliseconds } from '../core/clock.ts';
import type { Entropy } from '../core/entropy.ts';
import type { JitterBufferLimits } from '../rtp/jitter-buffer.ts';
import type { TransportAddress } from '../rtp/remote-address.ts';
import type { OutgoingPacket } from '../rtp/rtp-sender.ts';
import { RtpSession, type RtpStatistics } from '../rtp/rtp-session.ts';
import { concealedG711, SpeechQuality } from '../rtp/speech-quality.ts';
import type { EventDigit, ReceivedDigit } from '../rtp/telephone-event.ts';
import { changeRate, Playout } from './playout.ts';
import { type AudioSink, type AudioSource, blockMs, blockSamples } from './sound-format.ts';

/** A codec of a leg and its payload types, which each side chooses for what it receives (RFC 3264 §6.1). */
export interface LegCodec {
  readonly name: CodecName;
  readonly send: number;
  readonly receive: number;
}

/** What offer and answer agreed on for one leg. */
export interface LegParameters {
  readonly remote: TransportAddress;
  readonly remoteRtcp: TransportAddress;
  /** All that may arrive; the first is the one to send. */
  readonly codecs: readonly [LegCodec, ...LegCodec[]];
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
  /** How good the far end sounds, 1 to 4.5 (G.107); `null` before it was heard. */
  readonly opinionScore: number | null;
  /** From the far end and to it, since the last call, dBFS. */
  readonly levelIn: number;
  readonly levelOut: number;
  readonly digitsReceived: number;
}

/** RFC 3389 §4. */
const comfortNoise = 13;

/**
 * One leg of a call: sound in blocks on this side, RTP on the other. As a source it is the far end's voice, as a sink its ear.
 *
 *   datagrams ─► RtpSession (order, delay) ─► Playout ─► pull
 *   push ─► #collected (one ptime) ─► encoder ─► RtpSession ─► datagrams
 */
export class MediaSession implements AudioSource, AudioSink {
  readonly #rtp: RtpSession;
  readonly #playout: Playout;
  readonly #received = new Map<number, AudioCodec>(staticCodecs);
  readonly #quality = new SpeechQuality(concealedG711);
  readonly #meterIn = new LevelMeter();
  readonly #meterOut = new LevelMeter();
  #digits = 0;
  #codec: AudioCodec = pcmuCodec;
  #encoder: AudioEncoder = pcmuCodec.createEncoder();
  #collected = new Int16Array(blockSamples(pcmuCodec.sampleRate));
  #collectedCount = 0;
  #silenceReported = false;
  readonly #write = (bytes: Uint8Array, offset: number): number => this.#encoder.encode(this.#collected, bytes, offset);

  constructor(entropy: Entropy, cname: string, limits: JitterBufferLimits) {
    this.#rtp = new RtpSession(entropy, pcmuCodec.clockRate, cname, limits);
    this.#playout = new Playout(this.#rtp, (payloadType) => this.#received.get(payloadType), pcmuCodec.sampleRate);
  }

  /** Of the codec that is sent. */
  get sampleRate(): number {
    return this.#codec.sampleRate;
  }

  /** Starts the leg or changes it; nothing that stays the same is interrupted. */
  update(now: Milliseconds, parameters: LegParameters): void {
    const [sent] = parameters.codecs;
    this.#changeCodec(audioCodecs[sent.name], parameters.ptime);
    for (const codec of parameters.codecs) this.#expect(codec);
    const { direction, remote, remoteRtcp, symmetric, telephoneEvent } = parameters;
    this.#rtp.update(now, {
      remote,
      remoteRtcp,
      symmetric,
      sends: direction === 'sendrecv' || direction === 'sendonly',
      receives: direction === 'sendrecv' || direction === 'recvonly',
      payloadType: sent.send,
      eventPayloadType: telephoneEvent?.send,
      payloads: {
        ticksOf: (payloadType, length) => this.#playout.ticksOf(payloadType, length),
        telephoneEvents: this.#eventTypes(telephoneEvent),
        noise: comfortNoise,
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

  /** The far end's next block. */
  pull(block: Int16Array): boolean {
    const audible = this.#playout.pull(block);
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
      this.#rtp.send((this.#collected.length * this.#codec.clockRate) / this.#codec.sampleRate, this.#write);
    }
  }

  /** All blocks up to `now` are pulled and pushed. */
  moved(now: Milliseconds): void {
    this.#playout.played(now);
    const { deadline } = this.#rtp;
    if (deadline !== undefined && deadline <= now) this.#rtp.handleTimeout(now);
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
    const rtp = this.#rtp.statistics();
    return {
      ...rtp,
      opinionScore: this.#opinionScore(rtp),
      concealedMs: this.#playout.concealedMs,
      levelIn: this.#meterIn.take(),
      levelOut: this.#meterOut.take(),
      digitsReceived: this.#digits,
    };
  }

  /** The network's share of the delay is half the round trip; ours the buffer, and a packet on either side. */
  #opinionScore({ packetsReceived, packetsLost, packetsLate, roundTripMs, jitterBufferMs }: RtpStatistics): number | null {
    const delay = (roundTripMs ?? 0) / 2 + jitterBufferMs + 2 * this.#ptime;
    return this.#quality.look({ received: packetsReceived, missing: Math.max(0, packetsLost) + packetsLate, delay }) ?? null;
  }

  get #ptime(): Milliseconds {
    return (this.#collected.length * 1000) / this.sampleRate;
  }

  describe() {
    return { codec: this.#codec.name, ptime: this.#ptime, ...this.#rtp.describe() };
  }

  /** The sound that waits to be sent goes out with the codec that follows. */
  #changeCodec(codec: AudioCodec, ptime: Milliseconds): void {
    const before = this.#codec;
    if (codec !== before) this.#encoder = codec.createEncoder();
    this.#codec = codec;
    this.#playout.retune(codec.sampleRate);
    const samples = (ptime / blockMs) * blockSamples(codec.sampleRate);
    if (samples === this.#collected.length && codec.sampleRate === before.sampleRate) return;
    const waiting = this.#collected.subarray(0, this.#collectedCount);
    const collected = new Int16Array(Math.max(samples, 2 * waiting.length));
    collected.set(waiting);
    const count = changeRate(collected, waiting.length, before.sampleRate, codec.sampleRate);
    this.#collected = collected.slice(0, samples);
    this.#collectedCount = count < samples ? count : 0;
  }

  /** Payload types of before stay understood: packets may be under way. */
  #expect({ name, send, receive }: LegCodec): void {
    this.#received.set(receive, audioCodecs[name]);
    if (!this.#received.has(send)) this.#received.set(send, audioCodecs[name]);
  }

  /** RFC 3264 §6.1 has each side sent what it said; peers that use their own number both ways are understood where it is free. */
  #eventTypes(events: LegParameters['telephoneEvent']): number[] {
    if (!events) return [];
    return this.#received.has(events.send) ? [events.receive] : [events.receive, events.send];
  }
}
