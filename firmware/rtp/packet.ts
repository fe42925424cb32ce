/**
 * RTP packets (RFC 3550 §5.1) read and written in place. The view is reused for every packet, so the media path allocates nothing.
 *
 *   0               1               2               3
 *  |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 *  |                           timestamp                           |
 *  |                             SSRC                              |
 *  |                     CSRC × CC, extension if X                 |
 *  |                     payload … padding if P                    |
 */

/** Bytes before the payload of the packets we send. */
export const rtpHeaderLength = 12;

/** The fields of one packet and where its payload lies in the datagram. Mutable: one view per stream, filled by each parse. */
export interface RtpPacketView {
  marker: boolean;
  payloadType: number;
  sequenceNumber: number;
  timestamp: number;
  ssrc: number;
  /** The payload is `bytes.subarray(payloadStart, payloadEnd)`. */
  payloadStart: number;
  payloadEnd: number;
}

/** Why a datagram is not an RTP packet. */
export type RtpFault = 'rtp-truncated' | 'rtp-version' | 'rtp-extension' | 'rtp-padding';

export function emptyRtpPacketView(): RtpPacketView {
  return { marker: false, payloadType: 0, sequenceNumber: 0, timestamp: 0, ssrc: 0, payloadStart: 0, payloadEnd: 0 };
}

/** Reads the datagram `bytes` into `view`; the fault when it is malformed, and then `view` holds nothing of use. */
export function parseRtpPacket(bytes: Uint8Array, view: RtpPacketView): RtpFault | undefined {
  const length = bytes.length;
  if (length < rtpHeaderLength) return 'rtp-truncated';
  const first = byteAt(bytes, 0);
  if (first >> 6 !== 2) return 'rtp-version';
  let start = rtpHeaderLength + 4 * (first & 0x0f);
  let end = length;
  if (first & 0x10) {
    if (start + 4 > length) return 'rtp-extension';
    start += 4 + 4 * readUint16(bytes, start + 2);
    if (start > length) return 'rtp-extension';
  }
  if (start > length) return 'rtp-truncated';
  if (first & 0x20) {
    const padding = byteAt(bytes, length - 1);
    if (padding === 0 || start + padding > length) return 'rtp-padding';
    end -= padding;
  }
  const second = byteAt(bytes, 1);
  view.marker = second > 127;
  view.payloadType = second & 0x7f;
  view.sequenceNumber = readUint16(bytes, 2);
  view.timestamp = readUint32(bytes, 4);
  view.ssrc = readUint32(bytes, 8);
  view.payloadStart = start;
  view.payloadEnd = end;
  return undefined;
}

/** Writes a header without CSRC, extension or padding at the start of `bytes`. */
export function writeRtpHeader(
  bytes: Uint8Array,
  marker: boolean,
  payloadType: number,
  sequenceNumber: number,
  timestamp: number,
  ssrc: number,
): void {
  bytes[0] = 0x80;
  bytes[1] = (marker ? 0x80 : 0) | payloadType;
  writeUint16(bytes, 2, sequenceNumber);
  writeUint32(bytes, 4, timestamp);
  writeUint32(bytes, 8, ssrc);
}

/** The byte at `offset`, 0 past the end: callers have checked the length, the types have not. */
export function byteAt(bytes: Uint8Array, offset: number): number {
  return bytes[offset] ?? 0;
}

export function readUint16(bytes: Uint8Array, offset: number): number {
  return (byteAt(bytes, offset) << 8) | byteAt(bytes, offset + 1);
}

export function readUint32(bytes: Uint8Array, offset: number): number {
  return readUint16(bytes, offset) * 65_536 + readUint16(bytes, offset + 2);
}

export function writeUint16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = (value >>> 8) & 0xff;
  bytes[offset + 1] = value & 0xff;
}

export function writeUint32(bytes: Uint8Array, offset: number, value: number): void {
  writeUint16(bytes, offset, (value >>> 16) & 0xffff);
  writeUint16(bytes, offset + 2, value & 0xffff);
}

/** How far timestamp (or SSRC-clock) `a` is ahead of `b`, across the wrap at 2^32; negative when behind. */
export function timestampDifference(a: number, b: number): number {
  return (a - b) | 0;
}
