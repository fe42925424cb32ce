import type { Endpoint } from './flow.ts';

/*
 * RFC 8489 as far as keep-alive needs it: Binding without authentication. The header is 20 octets, then attributes in four-octet steps:
 *
 *   00 | type 14 bits | length 16 | magic cookie 32 | transaction id 96 | (type 16 | length 16 | value, padded)*
 */

export interface StunMessage {
  readonly kind: 'request' | 'indication' | 'success' | 'error';
  /** 1 is Binding. */
  readonly method: number;
  /** Twelve octets in hexadecimal. */
  readonly transactionId: string;
  /** Of a success: from where the request came. */
  readonly mapped: Endpoint | undefined;
  /** Of an error: 300 to 699. */
  readonly errorCode: number | undefined;
  /** Attributes that must be understood, and are not. */
  readonly unknown: readonly number[];
}

const magicCookie = 0x2112_a442;
const headerOctets = 20;
const kinds = ['request', 'indication', 'success', 'error'] as const;
const bindingMethod = 1;
/** Enough for any answer to us. */
const attributesAtMost = 32;
const fingerprintMask = 0x5354_554e;

const attribute = { mapped: 0x0001, error: 0x0009, unknown: 0x000a, xorMapped: 0x0020, fingerprint: 0x8028 } as const;
/** Below 0x8000 an attribute must be understood; these are of authentication, which is not asked for. */
const passedOver: ReadonlySet<number> = new Set([0x0006, 0x0008, 0x0014, 0x0015, attribute.unknown]);

/** RFC 5626 §8: whether a datagram at a SIP port is STUN: no SIP message begins like it. */
export function isStun(bytes: Uint8Array): boolean {
  const first = bytes[0] ?? 255;
  return bytes.length >= headerOctets && first < 64 && viewOf(bytes).getUint32(4) === magicCookie;
}

/** `undefined` for what is no STUN, or is broken. */
export function parseStun(bytes: Uint8Array): StunMessage | undefined {
  if (!isStun(bytes)) return undefined;
  const view = viewOf(bytes);
  const type = view.getUint16(0);
  if (view.getUint16(2) !== bytes.length - headerOctets || bytes.length % 4 !== 0) return undefined;
  const kind = kinds[((type >> 4) & 1) | ((type >> 7) & 2)];
  const method = (type & 0x000f) | ((type >> 1) & 0x0070) | ((type >> 2) & 0x0f80);
  const read = readAttributes(bytes, view);
  return kind && read && { kind, method, transactionId: hex(bytes.subarray(8, headerOctets)), ...read };
}

/** A Binding request; `id` is 12 random octets. */
export function bindingRequest(id: Uint8Array): Uint8Array {
  return build(0x0001, id, []);
}

/** The answer to a request that came from `remote`; `undefined` for anything else, which gets none. */
export function answerToBinding(bytes: Uint8Array, remote: Endpoint): Uint8Array | undefined {
  const request = parseStun(bytes);
  if (request?.kind !== 'request' || request.method !== bindingMethod) return undefined;
  const id = bytes.subarray(8, headerOctets);
  if (request.unknown.length > 0) {
    const types = request.unknown.flatMap((one) => [one >> 8, one & 255]);
    return build(0x0111, id, [
      [attribute.error, [0, 0, 4, 20]],
      [attribute.unknown, types],
    ]);
  }
  const mapped = xorMapped(remote, id);
  return mapped && build(0x0101, id, [[attribute.xorMapped, mapped]]);
}

function readAttributes(bytes: Uint8Array, view: DataView): Pick<StunMessage, 'mapped' | 'errorCode' | 'unknown'> | undefined {
  const unknown: number[] = [];
  let mapped: Endpoint | undefined;
  let plain: Endpoint | undefined;
  let errorCode: number | undefined;
  let count = 0;
  for (let at = headerOctets; at < bytes.length; count++) {
    if (at + 4 > bytes.length || count === attributesAtMost) return undefined;
    const type = view.getUint16(at);
    const length = view.getUint16(at + 2);
    const value = bytes.subarray(at + 4, at + 4 + length);
    if (value.length !== length) return undefined;
    if (type === attribute.xorMapped) mapped = readAddress(value, bytes.subarray(4, headerOctets));
    else if (type === attribute.mapped) plain = readAddress(value, new Uint8Array(16));
    else if (type === attribute.error) errorCode = 100 * ((value[2] ?? 0) & 7) + (value[3] ?? 0);
    else if (type === attribute.fingerprint) {
      if (length !== 4 || at + 8 !== bytes.length || view.getUint32(at + 4) !== fingerprintOf(bytes.subarray(0, at))) return undefined;
    } else if (type < 0x8000 && !passedOver.has(type)) unknown.push(type);
    at += 4 + 4 * Math.ceil(length / 4);
    if (at > bytes.length) return undefined;
  }
  return { mapped: mapped ?? plain, errorCode, unknown };
}

/** `mask` is XORed over the address, and its first two octets over the port. */
function readAddress(value: Uint8Array, mask: Uint8Array): Endpoint | undefined {
  const octets = value[1] === 1 ? 4 : value[1] === 2 ? 16 : 0;
  if (octets === 0 || value.length !== 4 + octets) return undefined;
  const clear = value.subarray(2).map((octet, i) => octet ^ (mask[i < 2 ? i : i - 2] ?? 0));
  const port = ((clear[0] ?? 0) << 8) | (clear[1] ?? 0);
  return { address: octets === 4 ? clear.subarray(2).join('.') : formatSix(clear.subarray(2)), port };
}

function xorMapped({ address, port }: Endpoint, id: Uint8Array): readonly number[] | undefined {
  const octets = address.includes(':') ? octetsOfSix(address) : address.split('.').map(Number);
  if ((octets.length !== 4 && octets.length !== 16) || octets.some((octet) => !(octet >= 0 && octet <= 255))) return undefined;
  const mask = [0x21, 0x12, 0xa4, 0x42, ...id];
  const masked = octets.map((octet, i) => octet ^ (mask[i] ?? 0));
  return [0, octets.length === 4 ? 1 : 2, (port >> 8) ^ 0x21, (port & 255) ^ 0x12, ...masked];
}

/** As the sockets of Node.js write it: the longest run of zero groups left out. */
function formatSix(octets: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((octets[2 * i] ?? 0) << 8) | (octets[2 * i + 1] ?? 0));
  let best = { at: 0, length: 0 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === 0) length++;
    if (length > best.length) best = { at, length };
  }
  const text = (list: readonly number[]): string => list.map((group) => group.toString(16)).join(':');
  if (best.length < 2) return text(groups);
  return `${text(groups.slice(0, best.at))}::${text(groups.slice(best.at + best.length))}`;
}

function octetsOfSix(address: string): readonly number[] {
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  return [...left, ...gap, ...right].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
}

function build(type: number, id: Uint8Array, attributes: readonly (readonly [type: number, value: readonly number[]])[]): Uint8Array {
  const body = attributes.flatMap(([kind, value]) => {
    const padding = Array.from({ length: (4 - (value.length % 4)) % 4 }, () => 0);
    return [kind >> 8, kind & 255, value.length >> 8, value.length & 255, ...value, ...padding];
  });
  const bytes = new Uint8Array(headerOctets + body.length + 8);
  const view = viewOf(bytes);
  view.setUint16(0, type);
  view.setUint16(2, body.length + 8);
  view.setUint32(4, magicCookie);
  bytes.set(id, 8);
  bytes.set(body, headerOctets);
  const end = headerOctets + body.length;
  view.setUint16(end, attribute.fingerprint);
  view.setUint16(end + 2, 4);
  view.setUint32(end + 4, fingerprintOf(bytes.subarray(0, end)));
  return bytes;
}

/** RFC 8489 §14.7: the CRC-32 of all before it, masked. */
function fingerprintOf(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const octet of bytes) {
    crc ^= octet;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  }
  return (crc ^ 0xffff_ffff ^ fingerprintMask) >>> 0;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function hex(bytes: Uint8Array): string {
  let text = '';
  for (const octet of bytes) text += octet.toString(16).padStart(2, '0');
  return text;
}
