import type { AudioCodec } from '../audio/codec.ts';
import { audioCodecs, type PlainCodecName, staticCodecs } from '../audio/codecs.ts';
import { DtmfDetector } from '../audio/dtmf-detector.ts';
import { pcmuCodec } from '../audio/g711.ts';
import type { OpusEncoding, OpusMaker } from '../audio/opus.ts';
import { LevelMeter, scale } from '../audio/pcm.ts';
import type { Milliseconds } from '../core/clock.ts';
import type { Entropy } from '../core/entropy.ts';
import { UsageError } from '../core/errors.ts';
import type { JitterBufferLimits } from '../rtp/jitter-buffer.ts';
import type { PacketTransform } from '../rtp/packet-transform.ts';
import type { TransportAddress } from '../rtp/remote-address.ts';
import type { RtpStatistics, StreamQuality } from '../rtp/rtp-parameters.ts';
import type { OutgoingPacket } from '../rtp/rtp-sender.ts';
import { RtpSession } from '../rtp/rtp-session.ts';
import { concealedG711, SpeechQuality } from '../rtp/speech-quality.ts';
import type { EventDigit, ReceivedDigit } from '../rtp/telephone-event.ts';
import { CallRecorder, type RecordingBeep } from './call-recorder.ts';
import { OutgoingSound } from './outgoing-sound.ts';
import { Playout } from './playout.ts';
import type { AudioSink, AudioSource } from './sound-format.ts';

/** A codec of a leg and its payload types, which each side chooses for what it receives (RFC 3264 §6.1). */
export type LegCodec = { readonly send: number; readonly receive: number } & (
  | { readonly name: PlainCodecName }
  | { readonly name: 'opus'; readonly encoding: OpusEncoding }
);

/** What offer and answer agreed on for one leg. */
export interface LegParameters {
  readonly remote: TransportAddress;
  readonly remoteRtcp: TransportAddress;
  /** All that may arrive; the first is the one to send. */
  readonly codecs: readonly [LegCodec, ...LegCodec[]];
  /** Milliseconds of sound in a packet, a multiple of 10. */
  readonly ptime: Milliseconds;
  /** Payload types of RFC 4733 events we send and expect, and their clocks; the first is the one to send. */
  readonly telephoneEvents: readonly { readonly send: number; readonly receive: number; readonly clockRate: number }[];
  /** Digits are listened for in the sound. */
  readonly detectDigits: boolean;
  /** Silence is not sent but described (RFC 3389): the far end knows how to fill it. */
  readonly comfortNoise: boolean;
  readonly direction: 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';
  /** Follow the peer's real source address. */
  readonly symmetric: boolean;
  /** RTCP shares the port of RTP. */
  readonly rtcpMux: boolean;
  /** The far end wants to be told how well it is heard. */
  readonly extendedReports?: boolean | undefined;
}

/** How well a leg went, for those who watch over quality. */
export interface LegQuality extends StreamQuality {
  readonly codec: string;
  readonly sampleRate: number;
  readonly ptime: Milliseconds;
}

/** Counts and levels of one leg. */
export interface LegStatistics extends RtpStatistics {
  readonly concealedMs: number;
  /** Gaps in the sound that began. */
  readonly underruns: number;
  /** How good the far end sounds, 1 to 4.5 (G.107); `null` before it was heard. */
  readonly opinionScore: number | null;
  /** From the far end and to it, since the last call, dBFS. */
  readonly levelIn: number;
  readonly levelOut: number;
  readonly digitsReceived: number;
}

/** A digit of the far end: as a telephone event, or heard in its sound. */
export interface LegDigit extends ReceivedDigit {
  readonly way: 'event' | 'sound';
}

/** RFC 3389 §4. */
const comfortNoise = 13;
/** A multiple of all clocks that codecs have but one: ticks a second. */
const timelineRate = 48_000;

/**
 * One leg of a call: sound in blocks on this side, RTP on the other. As a source it is the far end's voice, as a sink its ear.
 *
 *   datagrams ─► RtpSession (order, delay) ─► Playout ─► pull
 *                                                                   └ DtmfDetector
 *   push ─► OutgoingSound ─► RtpSession ─► datagrams
 */
export class MediaSession implements AudioSource, AudioSink {
  readonly #rtp: RtpSession;
  readonly #playout: Playout;
  readonly #outgoing: OutgoingSound;
  readonly #opus: OpusMaker | undefined;
  readonly #received = new Map<number, AudioCodec>(staticCodecs);
  readonly #quality = new SpeechQuality(concealedG711);
  readonly #meterIn = new LevelMeter();
  readonly #meterOut = new LevelMeter();
  #gain = 1;
  #recorder: CallRecorder | undefined;
  #digits = 0;
  #silenceReported = false;
  /** Opus as it was agreed on, and what was made of that. */
  #opusSent: { readonly encoding: string; readonly codec: AudioCodec } | undefined;
  #opusHeard: AudioCodec | undefined;
  #detector: { readonly sampleRate: number; readonly dtmf: DtmfDetector } | undefined;

  /** Without `opus` there is none on this machine. */
  constructor(entropy: Entropy, cname: string, limits: JitterBufferLimits, opus?: OpusMaker) {
    this.#rtp = new RtpSession(entropy, timelineRate, cname, limits);
    this.#playout = new Playout(this.#rtp, (payloadType) => this.#received.get(payloadType), pcmuCodec.sampleRate);
    this.#outgoing = new OutgoingSound(this.#rtp);
    this.#opus = opus;
  }

  /** The mixing rate nearest to that of the codec that is sent. */
  get sampleRate(): number {
    return this.#outgoing.sampleRate;
  }

  /** How much louder than received the far end is heard, dB. */
  set level(decibels: number) {
    this.#gain = 10 ** (decibels / 20);
  }

  /** Starts the leg or changes it; nothing that stays the same is interrupted. */
  update(now: Milliseconds, parameters: LegParameters): void {
    const [sent] = parameters.codecs;
    const codec = this.#codecSent(sent);
    for (const agreed of parameters.codecs) this.#expect(agreed);
    const [events] = parameters.telephoneEvents;
    const { direction, remote, remoteRtcp, symmetric, rtcpMux, extendedReports, telephoneEvents } = parameters;
    this.#rtp.update(now, {
      remote,
      remoteRtcp,
      symmetric,
      rtcpMux,
      extendedReports,
      sends: direction === 'sendrecv' || direction === 'sendonly',
      receives: direction === 'sendrecv' || direction === 'recvonly',
      payloadType: sent.send,
      clockRate: codec.clockRate,
      events: events && { payloadType: events.send, clockRate: events.clockRate },
      payloads: {
        ticksOf: (payloadType, bytes, start, end) => this.#playout.ticksOf(payloadType, bytes, start, end),
        clockRateOf: (payloadType) => this.#received.get(payloadType)?.clockRate ?? timelineRate,
        telephoneEvents: this.#eventClocks(telephoneEvents),
        noise: comfortNoise,
      },
    });
    this.#outgoing.configure(codec, parameters.ptime, parameters.comfortNoise);
    this.#playout.retune(this.#outgoing.sampleRate);
    this.#listenForDigits(parameters.detectDigits);
  }

  /** A datagram that was not for this session counts among those refused. */
  count(counter: string): void {
    this.#rtp.counters.add(counter);
  }

  /** Protects all packets from now on; `awaited` = nothing is sent or heard until there are keys. */
  protect(protection: PacketTransform | 'awaited' | undefined): void {
    this.#rtp.protect(protection);
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

  /** Plays a digit into the sound for the far end; false when it cannot be. */
  playDigit(digit: EventDigit, duration: Milliseconds): boolean {
    return this.#outgoing.press(digit, duration);
  }

  /** Listens from now on to both sides, at the rate of the leg as it is now. Its chunks are for whoever asked. */
  record(beep: RecordingBeep): CallRecorder {
    this.#recorder = new CallRecorder(this.sampleRate, beep);
    return this.#recorder;
  }

  /** Of what is sent. */
  get ssrc(): number {
    return this.#rtp.ssrc;
  }

  stopRecording(): void {
    this.#recorder = undefined;
  }

  /** The far end's next block. */
  pull(block: Int16Array): boolean {
    const audible = this.#playout.pull(block);
    if (audible) {
      scale(block, this.#gain);
      this.#meterIn.add(block);
    } else if (this.#detector) block.fill(0);
    this.#detector?.dtmf.process(block);
    return this.#recorder?.hearFar(block, this.sampleRate, audible) ?? audible;
  }

  /** The next block for the far end; each ptime a packet goes out. */
  push(block: Int16Array): void {
    this.#recorder?.hearNear(block, this.sampleRate);
    this.#outgoing.push(block);
    this.#meterOut.add(block);
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

  drainDigits(): readonly LegDigit[] {
    const events = this.#rtp.drainDigits();
    const heard = this.#detector?.dtmf.drain() ?? [];
    if (events.length + heard.length === 0) return noDigits;
    this.#digits += events.length + heard.length;
    const told = events.map(({ digit, duration }): LegDigit => ({ digit, duration, way: 'event' }));
    return [...told, ...heard.map(({ key, duration }): LegDigit => ({ digit: key, duration, way: 'sound' }))];
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
      underruns: this.#playout.underruns,
      levelIn: this.#meterIn.take(),
      levelOut: this.#meterOut.take(),
      digitsReceived: this.#digits,
    };
  }

  /** `undefined` before the far end was heard. */
  quality(): LegQuality | undefined {
    const stream = this.#rtp.quality();
    const { codec, ptime } = this.#outgoing;
    return stream && { ...stream, codec: codec.name, sampleRate: codec.clockRate, ptime };
  }

  /** The network's share of the delay is half the round trip; ours the buffer, and a packet on either side. */
  #opinionScore({ packetsReceived, packetsLost, packetsLate, roundTripMs, jitterBufferMs }: RtpStatistics): number | null {
    const delay = (roundTripMs ?? 0) / 2 + jitterBufferMs + 2 * this.#outgoing.ptime;
    return this.#quality.look({ received: packetsReceived, missing: Math.max(0, packetsLost) + packetsLate, delay }) ?? null;
  }

  describe() {
    const { codec, ptime } = this.#outgoing;
    return { codec: codec.name, sampleRate: codec.sampleRate, ptime, ...this.#rtp.describe() };
  }

  /** Opus goes on with the memory it has when it is agreed on as before. */
  #codecSent(leg: LegCodec): AudioCodec {
    if (leg.name !== 'opus') return audioCodecs[leg.name];
    const encoding = JSON.stringify(leg.encoding);
    if (this.#opusSent?.encoding !== encoding) this.#opusSent = { encoding, codec: this.#makeOpus(leg.encoding) };
    return this.#opusSent.codec;
  }

  #codecHeard(leg: LegCodec): AudioCodec {
    if (leg.name !== 'opus') return audioCodecs[leg.name];
    if (this.#opusHeard?.sampleRate !== leg.encoding.sampleRate) this.#opusHeard = this.#makeOpus(leg.encoding);
    return this.#opusHeard;
  }

  #makeOpus(encoding: OpusEncoding): AudioCodec {
    if (!this.#opus) throw new UsageError('no-opus', 'this machine has no Opus');
    return this.#opus(encoding);
  }

  /** Payload types of before stay understood: packets may be under way. */
  #expect(leg: LegCodec): void {
    const codec = this.#codecHeard(leg);
    this.#received.set(leg.receive, codec);
    if (!this.#received.has(leg.send)) this.#received.set(leg.send, codec);
  }

  /** RFC 3264 §6.1 has each side sent what it said; peers that use their own number both ways are understood where it is free. */
  #eventClocks(events: LegParameters['telephoneEvents']): Map<number, number> {
    const clocks = new Map(events.map(({ receive, clockRate }) => [receive, clockRate]));
    for (const { send, clockRate } of events) if (!this.#received.has(send) && !clocks.has(send)) clocks.set(send, clockRate);
    return clocks;
  }

  #listenForDigits(wanted: boolean): void {
    const { sampleRate } = this.#outgoing;
    if (!wanted) this.#detector = undefined;
    else if (this.#detector?.sampleRate !== sampleRate) this.#detector = { sampleRate, dtmf: new DtmfDetector(sampleRate) };
  }
}

const noDigits: readonly LegDigit[] = [];
