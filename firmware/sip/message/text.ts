/**
 * Text of SIP messages is UTF-8, but not every peer knows. An octet that is no UTF-8 becomes the lone surrogate U+DC00 + octet and turns back
 * into that octet on the way out, so a proxy hands on what it got, byte for byte, and no parser sees two different texts as one.
 */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

const escapeBase = 0xdc00;

export function decodeText(bytes: Uint8Array): string {
  const text = decoder.decode(bytes);
  // Searching a two-byte character in a one-byte string ends at once, so pure ASCII pays nothing here.
  return text.includes('\ufffd') ? decodeWithStrayOctets(bytes) : text;
}

/** The octets of `text`, followed by `tail`: one allocation for a whole message. */
export function encodeText(text: string, tail?: Uint8Array): Uint8Array {
  const tailLength = tail?.length ?? 0;
  const bytes = new Uint8Array(text.length + tailLength);
  const { read, written } = encoder.encodeInto(text, bytes);
  if (read === text.length && written === text.length) {
    if (tail) bytes.set(tail, written);
    return bytes;
  }
  return encodeWithStrayOctets(text, tail);
}

/** A person's view: what was not UTF-8 is most likely Latin-1. */
export function displayText(text: string): string {
  let shown = '';
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0xd800 && code <= 0xdbff) at++;
    else if (isEscape(code)) {
      shown += text.slice(start, at) + String.fromCharCode(code - escapeBase);
      start = at + 1;
    }
  }
  return start === 0 ? text : shown + text.slice(start);
}

function isEscape(code: number): boolean {
  return code >= 0xdc80 && code <= 0xdcff;
}

function encodeWithStrayOctets(text: string, tail: Uint8Array | undefined): Uint8Array {
  const room = new Uint8Array(text.length * 3);
  let length = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0xd800 && code <= 0xdbff) i++;
    else if (isEscape(code)) {
      if (i > start) length += encoder.encodeInto(text.slice(start, i), room.subarray(length)).written;
      room[length++] = code - escapeBase;
      start = i + 1;
    }
  }
  length += encoder.encodeInto(text.slice(start), room.subarray(length)).written;
  const bytes = new Uint8Array(length + (tail?.length ?? 0));
  bytes.set(room.subarray(0, length));
  if (tail) bytes.set(tail, length);
  return bytes;
}

/** How many code units are made a string at once: as arguments of one call, so not without bound. */
const unitsAtOnce = 4_096;

/** Octet by octet: the native decoder, asked for each sequence alone, takes 4 ms for 64 KiB of them. */
function decodeWithStrayOctets(bytes: Uint8Array): string {
  const units = new Uint16Array(bytes.length);
  let count = 0;
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] ?? 0;
    const length = first < 0x80 ? 1 : sequenceLength(bytes, at);
    if (length < 2) units[count++] = length === 0 ? escapeBase + first : first;
    else {
      let point = first & (0x7f >> length);
      for (let i = 1; i < length; i++) point = (point << 6) | ((bytes[at + i] ?? 0) & 0x3f);
      if (point > 0xffff) units[count++] = 0xd7c0 + (point >> 10);
      units[count++] = point > 0xffff ? 0xdc00 + (point & 0x3ff) : point;
    }
    at += Math.max(length, 1);
  }
  let text = '';
  for (let at = 0; at < count; at += unitsAtOnce) {
    text += Reflect.apply(String.fromCharCode, undefined, units.subarray(at, Math.min(at + unitsAtOnce, count)));
  }
  return text;
}

/** Length of the well-formed multi-byte sequence at `at` (Unicode table 3-7), 0 if there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const second = bytes[at + 1] ?? 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = 2; i < length; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}
