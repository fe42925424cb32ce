import type { Milliseconds } from '../core/clock.ts';
import { type Entropy, randomUint32 } from '../core/entropy.ts';
import { rtpHeaderLength, writeRtpHeader } from './packet.ts';
import { type EventDigit, eventBlockLength, TelephoneEventSender, writeEventBlock } from './telephone-event.ts';

/** Room for a payload: what fits into a datagram on any way there is. */
export const payloadAtMost = 1200;

/** A datagram to be sent. Its bytes are reused a fixed number of packets later, so it is handed to the socket at once. */
export interface OutgoingPacket {
  readonly bytes: Uint8Array;
  length: number;
  rtcp: boolean;
  address: string;
  port: number;
}

/** Writes one payload at `offset` of `bytes` and returns its length; 0 = nothing need be sent. */
export type PayloadWriter = (bytes: Uint8Array, offset: number) => number;

/** The sending half of a stream: random start values, one time line for audio and events (RFC 3550 §5.1). */
export class RtpSender {
  readonly #entropy: Entropy;
  readonly #events: TelephoneEventSender;
  #clockRate: number;
  #ssrc: number;
  #sequenceNumber: number;
  #timestamp: number;
  #talking = false;
  #packets = 0;
  #octets = 0;
  /** Sent with the SSRC before this one. */
  #earlier = { packets: 0, octets: 0 };

  constructor(entropy: Entropy, clockRate: number) {
    this.#entropy = entropy;
    this.#clockRate = clockRate;
    this.#ssrc = randomUint32(entropy);
    this.#sequenceNumber = randomUint32(entropy) & 0xffff;
    this.#timestamp = randomUint32(entropy);
    this.#events = new TelephoneEventSender(clockRate);
  }

  get ssrc(): number {
    return this.#ssrc;
  }

  /** Packets in all. */
  get packets(): number {
    return this.#packets;
  }

  /** What a sender report says of this SSRC; octets are those of payloads. */
  get sent(): { readonly packets: number; readonly octets: number } {
    return { packets: this.#packets - this.#earlier.packets, octets: this.#octets - this.#earlier.octets };
  }

  /** Payload octets in all. */
  get octets(): number {
    return this.#octets;
  }

  get timestamp(): number {
    return this.#timestamp;
  }

  /** The clocks from now on, in ticks a second. Another audio clock is another stream (RFC 7160 §4.1): SSRC and start values are new. */
  retune(clockRate: number, eventClockRate: number): void {
    this.#events.retune(eventClockRate, clockRate);
    if (clockRate === this.#clockRate) return;
    this.#clockRate = clockRate;
    if (this.#packets === 0) return;
    this.#ssrc = randomUint32(this.#entropy);
    this.#sequenceNumber = randomUint32(this.#entropy) & 0xffff;
    this.#timestamp = randomUint32(this.#entropy);
    this.#earlier = { packets: this.#packets, octets: this.#octets };
    this.#talking = false;
  }

  /** Queues a digit; false when too many wait. */
  press(digit: EventDigit, duration: Milliseconds): boolean {
    return this.#events.press(digit, duration);
  }

  /** Drops the digits that wait and the one under way. */
  cancelDigits(): void {
    this.#events.cancel();
  }

  /** Fills `packet` with the next interval of `ticks`: an event while one is under way, else the payload of `write`; false when that is none. */
  fill(packet: OutgoingPacket, ticks: number, payloadType: number, eventPayloadType: number | undefined, write: PayloadWriter): boolean {
    const event = eventPayloadType === undefined ? undefined : this.#events.next(this.#timestamp, ticks);
    let length: number;
    if (event && eventPayloadType !== undefined) {
      this.#head(packet, event.marker, eventPayloadType, event.timestamp);
      writeEventBlock(packet.bytes, rtpHeaderLength, event);
      length = eventBlockLength;
      this.#talking = false;
    } else {
      length = write(packet.bytes, rtpHeaderLength);
      if (length === 0) {
        this.pass(ticks);
        return false;
      }
      this.#head(packet, !this.#talking, payloadType, this.#timestamp);
      this.#talking = true;
    }
    packet.length = rtpHeaderLength + length;
    this.#packets++;
    this.#octets += length;
    this.#sequenceNumber = (this.#sequenceNumber + 1) & 0xffff;
    this.#timestamp = (this.#timestamp + ticks) >>> 0;
    return true;
  }

  /** Time passes without a packet; the next one begins a talk spurt (marker). */
  pass(ticks: number): void {
    this.#timestamp = (this.#timestamp + ticks) >>> 0;
    this.#talking = false;
  }

  #head(packet: OutgoingPacket, marker: boolean, payloadType: number, timestamp: number): void {
    writeRtpHeader(packet.bytes, marker, payloadType, this.#sequenceNumber, timestamp, this.#ssrc);
  }
}
