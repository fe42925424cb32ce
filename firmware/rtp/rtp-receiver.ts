import type { Milliseconds } from '../core/clock.ts';
import type { Counters } from '../core/counters.ts';
import { BurstGap } from './burst-gap.ts';
import { JitterBuffer, type JitterBufferLimits } from './jitter-buffer.ts';
import { emptyRtpPacketView, parseRtpPacket, type RtpPacketView } from './packet.ts';
import type { PacketTransform } from './packet-transform.ts';
import { Reception } from './reception.ts';
import { RemoteAddress } from './remote-address.ts';
import { type ReceivedDigit, TelephoneEventReceiver } from './telephone-event.ts';
import { Timeline } from './timeline.ts';

/** What may arrive on a stream. */
export interface ReceivablePayloads {
  /** Ticks of the time line in the bytes from `start` to `end` of an audio payload type; 0 when it is unknown or they are impossible. */
  ticksOf(payloadType: number, bytes: Uint8Array, start: number, end: number): number;
  /** Ticks a second of an audio payload type's timestamps. */
  clockRateOf(payloadType: number): number;
  /** Clocks of the payload types of digits: ours, and the peer's own, which some use both ways. */
  readonly telephoneEvents: ReadonlyMap<number, number>;
  /** Comfort noise (RFC 3389). */
  readonly noise: number | undefined;
}

/** Before anything was agreed on. */
export const nothingExpected: ReceivablePayloads = { ticksOf: () => 0, clockRateOf: () => 0, telephoneEvents: new Map(), noise: undefined };

/** A source that has not proved itself yet, with its last packet: once proved, that one is played too. */
interface Candidate {
  readonly reception: Reception;
  readonly address: string;
  readonly port: number;
  readonly kept: RtpPacketView;
  bytes: Uint8Array;
  keptAt: Milliseconds;
}

/** The receiving half of a stream: whom to believe, in which order, and what is a digit. */
export class RtpReceiver {
  readonly remote = new RemoteAddress();
  readonly buffer: JitterBuffer;
  readonly bursts = new BurstGap();
  /** What comes has to be opened first. */
  protection: PacketTransform | undefined;
  readonly #counters: Counters;
  readonly #timeline: Timeline;
  readonly #timelineRate: number;
  readonly #events: TelephoneEventReceiver;
  readonly #view = emptyRtpPacketView();
  #payloads: ReceivablePayloads;
  #current: Reception | undefined;
  #candidate: Candidate | undefined;
  #heardAt: Milliseconds | undefined;
  #receivedEarlier = 0;
  #lostEarlier = 0;
  #octets = 0;
  #noiseLevel: number | undefined;
  #refused = 0;
  #unauthentic = 0;
  /** Added to the sequence numbers of this source, so that they go on where those of the one before ended. */
  #sequenceOffset = 0;
  #newestSequence = 0;
  /** Of the packet of sound that came last. */
  #packetMs: Milliseconds = 20;

  /** `timelineRate`: ticks a second of what is buffered, whatever clocks the packets have. */
  constructor(timelineRate: number, limits: JitterBufferLimits, payloads: ReceivablePayloads, counters: Counters) {
    this.#counters = counters;
    this.#payloads = payloads;
    this.#timeline = new Timeline(timelineRate);
    this.#timelineRate = timelineRate;
    this.buffer = new JitterBuffer(timelineRate, limits);
    this.#events = new TelephoneEventReceiver(timelineRate);
  }

  /** The source that is heard now. */
  get reception(): Reception | undefined {
    return this.#current;
  }

  /** When the last packet of a proved source came. */
  get heardAt(): Milliseconds | undefined {
    return this.#heardAt;
  }

  /** Level of the noise in the peer's silence, −dBov; `undefined` since it last spoke. */
  get noiseLevel(): number | undefined {
    return this.#noiseLevel;
  }

  /** Interarrival jitter, ms. */
  get jitterMs(): Milliseconds {
    const { clockRate } = this.#timeline;
    return clockRate && this.#current ? (this.#current.jitter * 1000) / clockRate : 0;
  }

  /** Sound in each packet. */
  get packetMs(): Milliseconds {
    return this.#packetMs;
  }

  get deadline(): Milliseconds | undefined {
    return this.#events.deadline;
  }

  /** Totals over all sources of the session. */
  get totals() {
    const { received = 0, missing = 0 } = this.#current ?? {};
    return {
      packets: this.#receivedEarlier + received,
      lost: this.#lostEarlier + missing,
      octets: this.#octets,
      refused: this.#refused,
      unauthentic: this.#unauthentic,
    };
  }

  accept(payloads: ReceivablePayloads): void {
    this.#payloads = payloads;
  }

  /** A datagram on the RTP port. */
  receive(now: Milliseconds, bytes: Uint8Array, address: string, port: number): void {
    const refusal = this.#take(now, bytes, address, port);
    if (refusal !== undefined) this.#refuse(refusal);
  }

  handleTimeout(now: Milliseconds): void {
    this.#events.handleTimeout(now);
  }

  /** Digits since the last call. */
  drainDigits(): readonly ReceivedDigit[] {
    return this.#events.drain();
  }

  /** Why the datagram is of no use, or `undefined`. */
  #take(now: Milliseconds, datagram: Uint8Array, address: string, port: number): string | undefined {
    if (!this.remote.permits(address, port)) return 'rtp-foreign-source';
    const length = this.protection ? this.protection.unprotectRtp(datagram) : datagram.length;
    if (typeof length === 'string') {
      this.#unauthentic++;
      return length;
    }
    const bytes = length === datagram.length ? datagram : datagram.subarray(0, length);
    const view = this.#view;
    const fault = parseRtpPacket(bytes, view);
    if (fault) return fault;
    if (!this.#isExpected(view, bytes)) return 'rtp-unexpected-payload';
    const current = this.#current;
    if (current?.ssrc !== view.ssrc || !this.#isFromLocked(address, port)) {
      this.#tryCandidate(now, bytes, address, port);
      return undefined;
    }
    const verdict = current.update(view.sequenceNumber);
    if (verdict === 'implausible') return 'rtp-sequence-implausible';
    if (verdict === 'restarted') this.#startTimeline('rtp-sequence-restarted');
    this.#deliver(now, current, view, bytes);
    return undefined;
  }

  #isFromLocked(address: string, port: number): boolean {
    const locked = this.remote.locked;
    return locked?.address === address && locked.port === port;
  }

  #isExpected({ payloadType, payloadStart, payloadEnd }: RtpPacketView, bytes: Uint8Array): boolean {
    if (payloadEnd === payloadStart) return false;
    if (this.#payloads.telephoneEvents.has(payloadType) || payloadType === this.#payloads.noise) return true;
    return this.#payloads.ticksOf(payloadType, bytes, payloadStart, payloadEnd) > 0;
  }

  /** RFC 3550 A.1 for a source that is new: another SSRC, or the signalled peer where another was locked. */
  #tryCandidate(now: Milliseconds, bytes: Uint8Array, address: string, port: number): void {
    const view = this.#view;
    let candidate = this.#candidate;
    if (candidate?.reception.ssrc !== view.ssrc || candidate.address !== address || candidate.port !== port) {
      const reception = new Reception(view.ssrc);
      candidate = { reception, address, port, kept: emptyRtpPacketView(), bytes: new Uint8Array(0), keptAt: now };
      this.#candidate = candidate;
    }
    if (candidate.reception.update(view.sequenceNumber) !== 'accepted') {
      Object.assign(candidate.kept, view);
      candidate.bytes = bytes.slice();
      candidate.keptAt = now;
      return;
    }
    this.#candidate = undefined;
    this.#adopt(candidate);
    // The kept packet is late by its probation: the one that is here sets the playout clock.
    this.#deliver(now, candidate.reception, view, bytes);
    const noise = this.#noiseLevel;
    this.#deliver(candidate.keptAt, candidate.reception, candidate.kept, candidate.bytes);
    // Whether the peer is silent now is for the newer one to say.
    this.#noiseLevel = noise;
  }

  #adopt(candidate: Candidate): void {
    const before = this.#current;
    if (before) {
      this.#receivedEarlier += before.received;
      this.#lostEarlier += before.missing;
      // RFC 7160 §4.1: a sender whose codec has another clock goes on with another SSRC. What is buffered is still to be heard.
      if (this.#clockChangesWith(candidate)) this.#counters.add('rtp-clock-changed');
      else this.#startTimeline('rtp-source-changed');
      this.#sequenceOffset = this.#newestSequence + 1 - candidate.reception.extend(candidate.kept.sequenceNumber);
    }
    this.#current = candidate.reception;
    this.remote.confirm(candidate.address, candidate.port);
  }

  #clockChangesWith({ kept: { payloadType } }: Candidate): boolean {
    const { clockRate } = this.#timeline;
    const isSound = !this.#payloads.telephoneEvents.has(payloadType) && payloadType !== this.#payloads.noise;
    return isSound && clockRate !== undefined && this.#payloads.clockRateOf(payloadType) !== clockRate;
  }

  #startTimeline(counter: string): void {
    this.#noiseLevel = undefined;
    this.#counters.add(counter);
    this.buffer.reset();
    this.#timeline.reset();
    this.#events.restart();
  }

  #deliver(now: Milliseconds, reception: Reception, view: RtpPacketView, bytes: Uint8Array): void {
    const { payloadType, payloadStart, payloadEnd, timestamp } = view;
    const length = payloadEnd - payloadStart;
    this.#heardAt = now;
    this.#octets += length;
    const eventClock = this.#payloads.telephoneEvents.get(payloadType);
    if (eventClock !== undefined) {
      this.bursts.arrived(reception.extend(view.sequenceNumber) + this.#sequenceOffset, false);
      this.#events.retune(eventClock);
      if (!this.#events.receive(now, timestamp, bytes, payloadStart, payloadEnd)) this.#refuse('rtp-event-meaningless');
      return;
    }
    // §3: the first octet is the level, its top bit reserved.
    this.#noiseLevel = payloadType === this.#payloads.noise ? (bytes[payloadStart] ?? 0) & 0x7f : undefined;
    if (this.#noiseLevel === undefined) this.#deliverSound(now, reception, view, bytes);
    else this.bursts.arrived(reception.extend(view.sequenceNumber) + this.#sequenceOffset, false);
  }

  #deliverSound(now: Milliseconds, reception: Reception, view: RtpPacketView, bytes: Uint8Array): void {
    const { payloadType, payloadStart, payloadEnd, timestamp } = view;
    const clockRate = this.#payloads.clockRateOf(payloadType);
    const before = this.#timeline.clockRate;
    if (before !== undefined && before !== clockRate) reception.changeClock(before, clockRate);
    reception.updateJitter(Math.round((now * clockRate) / 1000), timestamp);
    const ticks = this.#payloads.ticksOf(payloadType, bytes, payloadStart, payloadEnd);
    const sequence = reception.extend(view.sequenceNumber) + this.#sequenceOffset;
    this.#newestSequence = Math.max(this.#newestSequence, sequence);
    const start = this.#timeline.place(now, sequence, timestamp, ticks, clockRate);
    const verdict = this.buffer.insert(now, sequence, start, ticks, payloadType, bytes, payloadStart, payloadEnd);
    if (verdict !== 'duplicate') this.bursts.arrived(sequence, verdict === 'late');
    this.#packetMs = (1000 * ticks) / this.#timelineRate;
  }

  #refuse(counter: string): void {
    this.#refused++;
    this.#counters.add(counter);
  }
}
