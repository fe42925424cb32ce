import { createHmac, timingSafeEqual } from 'node:crypto';

const headerLength = 20;
const magicCookie = 0x2112a442;
/** RFC 8489 §14.5. */
const integrityType = 0x0008;
const integrityLength = 20;

/** RFC 8489 §5: two zero bits, the length of the rest, and the magic cookie. */
export function isStun(data: Buffer): boolean {
  return (
    data.length >= headerLength &&
    data.readUInt8(0) <= 3 &&
    data.readUInt16BE(2) === data.length - headerLength &&
    data.readUInt32BE(4) === magicCookie
  );
}

/** Whether its MESSAGE-INTEGRITY was made with that password (RFC 8489 §14.5): werift answers checks without looking at it. */
export function isAuthentic(data: Buffer, password: string): boolean {
  const at = isStun(data) ? integrityAt(data) : undefined;
  if (at === undefined) return false;
  const header = Buffer.from(data.subarray(0, headerLength));
  // The length as if the message ended with this attribute.
  header.writeUInt16BE(at + 4 + integrityLength - headerLength, 2);
  const wanted = createHmac('sha1', password).update(header).update(data.subarray(headerLength, at)).digest();
  return timingSafeEqual(wanted, data.subarray(at + 4, at + 4 + integrityLength));
}

function integrityAt(data: Buffer): number | undefined {
  for (let at = headerLength; at + 4 <= data.length; ) {
    const length = data.readUInt16BE(at + 2);
    if (data.readUInt16BE(at) === integrityType) return length === integrityLength && at + 4 + length <= data.length ? at : undefined;
    // Each begins at a multiple of four bytes.
    at += 4 + ((length + 3) & ~3);
  }
  return undefined;
}
