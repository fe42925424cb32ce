import type { Milliseconds } from '../core/clock.ts';
import { type Entropy, randomUint32 } from '../core/entropy.ts';
import { rtpHeaderLength, writeRtpHeader } from './packet.ts';
import { type EventDigit, eventBlockLength, TelephoneEventSender, writeEventBlock } from './telephone-event.ts';

/** Room for a payload: 60 ms of 16 bit sound at 8 kHz and anything smaller. */
export const payloadAtMost = 1200;

/** A datagram to be sent. Its bytes are reused a fixed number of packets later, so it is handed to the socket at once. */
export interface OutgoingPacket {
  readonly bytes: Uint8Array;
  length: number;
  rtcp: boolean;
  address: string;
  port: number;
}

/** Writes one payload at `offset` of `bytes` and returns its length. */
export type PayloadWriter = (bytes: Uint8Array, offset: number) => number;

/** The sending half of a stream: random start values, one time line for audio and events (RFC 3550 §5.1). */
export class RtpSender {
  readonly ssrc: number;
  readonly #events: TelephoneEventSender;
  #sequenceNumber: number;
  #timestamp: number;
  #talking = false;
  #packets = 0;
  #octets = 0;

  constructor(entropy: Entropy, clockRate: number) {
    this.ssrc = randomUint32(entropy);
    this.#sequenceNumber = randomUint32(entropy) & 0xffff;
    this.#timestamp = randomUint32(entropy);
    this.#events = new TelephoneEventSender(clockRate);
  }

  get packets(): number {
    return this.#packets;
  }

  /** Payload octets, as a sender report counts them. */
  get octets(): number {
    return this.#octets;
  }

  get timestamp(): number {
    return this.#timestamp;
  }

  /** Queues a digit; false when too many wait. */
  press(digit: EventDigit, duration: Milliseconds): boolean {
    return this.#events.press(digit, duration);
  }

  /** Drops the digits that wait and the one under way. */
  cancelDigits(): void {
    this.#events.cancel();
  }

  /** Fills `packet` with the next interval of `ticks`: an event while one is under way, else the payload of `write`. */
  fill(packet: OutgoingPacket, ticks: number, payloadType: number, eventPayloadType: number | undefined, write: PayloadWriter): void {
    const event = eventPayloadType === undefined ? undefined : this.#events.next(this.#timestamp, ticks);
    let length: number;
    if (event && eventPayloadType !== undefined) {
      this.#head(packet, event.marker, eventPayloadType, event.timestamp);
      writeEventBlock(packet.bytes, rtpHeaderLength, event);
      length = eventBlockLength;
      this.#talking = false;
    } else {
      this.#head(packet, !this.#talking, payloadType, this.#timestamp);
      length = write(packet.bytes, rtpHeaderLength);
      this.#talking = true;
    }
    packet.length = rtpHeaderLength + length;
    this.#packets++;
    this.#octets += length;
    this.#sequenceNumber = (this.#sequenceNumber + 1) & 0xffff;
    this.#timestamp = (this.#timestamp + ticks) >>> 0;
  }

  /** Time passes without a packet; the next one begins a talk spurt (marker). */
  pass(ticks: number): void {
    this.#timestamp = (this.#timestamp + ticks) >>> 0;
    this.#talking = false;
  }

  #head(packet: OutgoingPacket, marker: boolean, payloadType: number, timestamp: number): void {
    writeRtpHeader(packet.bytes, marker, payloadType, this.#sequenceNumber, timestamp, this.ssrc);
  }
}
