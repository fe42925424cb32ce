import { isToken } from './grammar.ts';
import { type HeaderField, HeaderList, headerField } from './headers.ts';
import { decodeText } from './text.ts';

/** One part of a multipart body (RFC 2046 §5.1). */
export interface BodyPart {
  readonly headers: HeaderList;
  readonly content: Uint8Array;
}

/** More than anybody sends, and few enough to look at each. */
const partsAtMost = 16;
const fieldsAtMost = 16;
const headerOctetsAtMost = 4_096;
/** RFC 2046 §5.1.1. */
const boundaryAtMost = 70;

const lineFeed = 10;
const carriageReturn = 13;
const dash = 45;

/** The parts in order, without preamble and epilogue; `undefined` when the body is not well formed or beyond the limits. */
export function parseMultipart(body: Uint8Array, boundary: string): readonly BodyPart[] | undefined {
  if (boundary === '' || boundary.length > boundaryAtMost) return undefined;
  const delimiter = Uint8Array.from(`--${boundary}`, (character) => character.charCodeAt(0));
  const parts: BodyPart[] = [];
  let partStart = -1;
  for (let at = 0; at < body.length; at = lineEnd(body, at) + 1) {
    if (!startsWith(body, at, delimiter)) continue;
    const after = at + delimiter.length;
    const closes = body[after] === dash && body[after + 1] === dash;
    if (!closes && !isBlank(body, after, lineEnd(body, at))) continue;
    if (partStart >= 0) {
      const part = parts.length < partsAtMost ? readPart(body.subarray(partStart, beforeLineBreak(body, at))) : undefined;
      if (!part) return undefined;
      parts.push(part);
    }
    if (closes) return parts.length > 0 ? parts : undefined;
    partStart = lineEnd(body, at) + 1;
  }
  return undefined;
}

/** Header fields, an empty line, the content. Without fields the part begins with the empty line. */
function readPart(bytes: Uint8Array): BodyPart | undefined {
  const fields: HeaderField[] = [];
  for (let at = 0; at < Math.min(bytes.length, headerOctetsAtMost); ) {
    const end = lineEnd(bytes, at);
    const line = decodeText(bytes.subarray(at, end)).trim();
    at = end + 1;
    if (line === '') return { headers: new HeaderList(fields), content: bytes.subarray(Math.min(at, bytes.length)) };
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).trim();
    if (!isToken(name) || fields.length === fieldsAtMost) return undefined;
    fields.push(headerField(name, line.slice(colon + 1)));
  }
  return undefined;
}

/** The position of the line feed that ends the line, or the end. */
function lineEnd(bytes: Uint8Array, start: number): number {
  const at = bytes.indexOf(lineFeed, start);
  return at < 0 ? bytes.length : at;
}

/** The line break before a delimiter belongs to it. */
function beforeLineBreak(bytes: Uint8Array, at: number): number {
  return at >= 2 && bytes[at - 2] === carriageReturn ? at - 2 : at - 1;
}

function startsWith(bytes: Uint8Array, at: number, prefix: Uint8Array): boolean {
  for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix[i]) return false;
  return true;
}

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const octet = bytes[at];
    if (octet !== carriageReturn && octet !== 32 && octet !== 9) return false;
  }
  return true;
}
