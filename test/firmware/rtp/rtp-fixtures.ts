import { rtpHeaderLength, writeRtpHeader } from '#firmware/rtp/packet.ts';

/** Fields of a packet as a test wants them; what is left out is usual. */
export interface PacketFields {
  readonly sequenceNumber: number;
  readonly timestamp?: number;
  readonly ssrc?: number;
  readonly payloadType?: number;
  readonly marker?: boolean;
  readonly payload?: Uint8Array;
}

/** One RTP datagram; the payload is 20 ms of µ-law silence, numbered by `sequenceNumber`, unless given. */
export function rtpPacket(fields: PacketFields): Uint8Array {
  const { sequenceNumber, timestamp = sequenceNumber * 160, ssrc = 0x1234, payloadType = 0, marker = false } = fields;
  const payload = fields.payload ?? new Uint8Array(160).fill(sequenceNumber & 0xff);
  const bytes = new Uint8Array(rtpHeaderLength + payload.length);
  writeRtpHeader(bytes, marker, payloadType, sequenceNumber & 0xffff, timestamp >>> 0, ssrc);
  bytes.set(payload, rtpHeaderLength);
  return bytes;
}

/** The bytes of hexadecimal digits. */
export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, index) => Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16));
}
