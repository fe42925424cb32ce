import type { Milliseconds } from '../core/clock.ts';
import type { Counters } from '../core/counters.ts';
import { JitterBuffer, type JitterBufferLimits } from './jitter-buffer.ts';
import { emptyRtpPacketView, parseRtpPacket, type RtpPacketView } from './packet.ts';
import { Reception } from './reception.ts';
import { RemoteAddress } from './remote-address.ts';
import { type ReceivedDigit, TelephoneEventReceiver } from './telephone-event.ts';

/** What may arrive on a stream. */
export interface ReceivablePayloads {
  /** Ticks of sound in `length` bytes of an audio payload type; 0 when the type is unknown or the length impossible. */
  ticksOf(payloadType: number, length: number): number;
  /** Payload types of digits: ours, and the peer's own, which some use both ways. */
  readonly telephoneEvents: readonly number[];
  /** Comfort noise (RFC 3389). */
  readonly noise: number | undefined;
}

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
  readonly #clockRate: number;
  readonly #counters: Counters;
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

  constructor(clockRate: number, limits: JitterBufferLimits, payloads: ReceivablePayloads, counters: Counters) {
    this.#clockRate = clockRate;
    this.#counters = counters;
    this.#payloads = payloads;
    this.buffer = new JitterBuffer(clockRate, limits);
    this.#events = new TelephoneEventReceiver(clockRate);
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

  get deadline(): Milliseconds | undefined {
    return this.#events.deadline;
  }

  /** Totals over all sources of the session. */
  get totals() {
    const { received = 0, lostInAll = 0 } = this.#current ?? {};
    return {
      packets: this.#receivedEarlier + received,
      lost: this.#lostEarlier + lostInAll,
      octets: this.#octets,
      refused: this.#refused,
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
  #take(now: Milliseconds, bytes: Uint8Array, address: string, port: number): string | undefined {
    if (!this.remote.permits(address, port)) return 'rtp-foreign-source';
    const view = this.#view;
    const fault = parseRtpPacket(bytes, view);
    if (fault) return fault;
    if (!this.#isExpected(view)) return 'rtp-unexpected-payload';
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

  #isExpected({ payloadType, payloadStart, payloadEnd }: RtpPacketView): boolean {
    if (payloadEnd === payloadStart) return false;
    if (this.#payloads.telephoneEvents.includes(payloadType) || payloadType === this.#payloads.noise) return true;
    return this.#payloads.ticksOf(payloadType, payloadEnd - payloadStart) > 0;
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
    this.#deliver(candidate.keptAt, candidate.reception, candidate.kept, candidate.bytes);
  }

  #adopt(candidate: Candidate): void {
    const before = this.#current;
    if (before) {
      this.#receivedEarlier += before.received;
      this.#lostEarlier += before.lostInAll;
      this.#startTimeline('rtp-source-changed');
    }
    this.#current = candidate.reception;
    this.remote.confirm(candidate.address, candidate.port);
  }

  #startTimeline(counter: string): void {
    this.#noiseLevel = undefined;
    this.#counters.add(counter);
    this.buffer.reset();
    this.#events.restart();
  }

  #deliver(now: Milliseconds, reception: Reception, view: RtpPacketView, bytes: Uint8Array): void {
    const { payloadType, payloadStart, payloadEnd, timestamp } = view;
    const length = payloadEnd - payloadStart;
    this.#heardAt = now;
    this.#octets += length;
    if (this.#payloads.telephoneEvents.includes(payloadType)) {
      if (!this.#events.receive(now, timestamp, bytes, payloadStart, payloadEnd)) this.#refuse('rtp-event-meaningless');
      return;
    }
    reception.updateJitter(Math.round((now * this.#clockRate) / 1000), timestamp);
    // §3: the first octet is the level, its top bit reserved.
    this.#noiseLevel = payloadType === this.#payloads.noise ? (bytes[payloadStart] ?? 0) & 0x7f : undefined;
    if (this.#noiseLevel !== undefined) return;
    const ticks = this.#payloads.ticksOf(payloadType, length);
    const sequence = reception.extend(view.sequenceNumber);
    this.buffer.insert(now, sequence, timestamp, ticks, payloadType, bytes, payloadStart, payloadEnd);
  }

  #refuse(counter: string): void {
    this.#refused++;
    this.#counters.add(counter);
  }
}
