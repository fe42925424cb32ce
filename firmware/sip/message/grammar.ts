import { decodeText, encodeText } from './text.ts';

/**
 * RFC 3261 §25.1 as a table: for each ASCII character the classes it belongs to, one bit each. Readers take a text with a start and an end,
 * so nothing is cut out before it is needed, and answer with a position or -1.
 */
export const charClass = {
  token: 1,
  userinfo: 2,
  uriParameter: 4,
  uriHeader: 8,
  host: 16,
  callId: 32,
  /** What may stand in an unquoted display name; wider than the grammar, which phones in the field do not keep to. */
  displayName: 64,
  /** Visible characters a URI of any scheme may have. */
  uri: 128,
  /** What is read as the value of a header parameter without quotes; wider than the grammar (token, host), for tags seen in the field. */
  parameter: 256,
  /** What is written as the value of a header parameter without quotes: token characters and those of IPv6 addresses. */
  plainParameter: 512,
  visible: 1024,
  capital: 2048,
} as const;

const alphanumeric = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const unreserved = `${alphanumeric}-_.!~*'()`;

/** By character; one that is not ASCII can only be in a display name. */
export const classes = buildClasses();

function buildClasses(): Uint16Array {
  const table = new Uint16Array(256).fill(charClass.displayName, 128);
  const add = (bit: number, characters: string) => {
    for (const character of characters) table[character.charCodeAt(0)] = (table[character.charCodeAt(0)] ?? 0) | bit;
  };
  const visible = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).join('');
  const tokenCharacters = `${alphanumeric}-.!%*_+\`'~`;
  add(charClass.token, tokenCharacters);
  // '#' is not in the grammar but in the star codes people dial; it goes out escaped.
  add(charClass.userinfo, `${unreserved}&=+$,;?/#`);
  add(charClass.uriParameter, `${unreserved}[]/:&+$`);
  add(charClass.uriHeader, `${unreserved}[]/?:+$`);
  // '_' is not in the grammar but in the names of machines.
  add(charClass.host, `${alphanumeric}-._`);
  add(charClass.callId, `${tokenCharacters}()<>:\\"/[]?{}@`);
  add(charClass.displayName, visible.replaceAll(/["<>,;:\\]/g, ''));
  add(charClass.displayName, ' \t');
  add(charClass.visible, visible);
  add(charClass.capital, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ');
  add(charClass.parameter, visible.replaceAll(/["<>,;\\?]/g, ''));
  add(charClass.plainParameter, `${tokenCharacters}[]:`);
  add(charClass.uri, visible.replaceAll(/["<>\\^`{|}]/g, ''));
  return table;
}

/** Character codes the readers look for. */
export const code = {
  tab: 9,
  lineFeed: 10,
  carriageReturn: 13,
  space: 32,
  quote: 34,
  percent: 37,
  comma: 44,
  slash: 47,
  colon: 58,
  semicolon: 59,
  less: 60,
  equals: 61,
  greater: 62,
  question: 63,
  at: 64,
  openBracket: 91,
  backslash: 92,
  closeBracket: 93,
} as const;

function isClass(character: number, bit: number): boolean {
  return character < 128 && ((classes[character] ?? 0) & bit) !== 0;
}

/** The position of the first character at or after `start` that is not of the class. */
export function skipClass(text: string, start: number, end: number, bit: number): number {
  let at = start;
  while (at < end && isClass(text.charCodeAt(at), bit)) at++;
  return at;
}

/** True if there is at least one character and all are of the class. */
export function allOfClass(text: string, start: number, end: number, bit: number): boolean {
  return start < end && skipClass(text, start, end, bit) === end;
}

export function isToken(text: string): boolean {
  return allOfClass(text, 0, text.length, charClass.token);
}

/** SWS: values are unfolded before they get here, so white space is spaces and tabs. */
export function skipSpace(text: string, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const character = text.charCodeAt(at);
    if (character !== code.space && character !== code.tab) break;
    at++;
  }
  return at;
}

/** True if `word` stands at `start`. For short words: calling `startsWith` costs more than comparing them. */
export function isAt(text: string, start: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) if (text.charCodeAt(start + i) !== word.charCodeAt(i)) return false;
  return true;
}

/** The end of the text without the white space before it. */
export function trimEnd(text: string, start: number, end: number): number {
  let at = end;
  while (at > start) {
    const character = text.charCodeAt(at - 1);
    if (character !== code.space && character !== code.tab) break;
    at--;
  }
  return at;
}

/** A decimal number of at least one digit and nothing else, not above `most`; -1 otherwise. `Number()` accepts far too much. */
export function readDecimal(text: string, start: number, end: number, most: number): number {
  if (start >= end) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
    if (value > most) return -1;
  }
  return value;
}

/** The position after the closing quote of the quoted-string that opens at `start`; -1 if it never closes. */
export function skipQuoted(text: string, start: number, end: number): number {
  for (let at = start + 1; at < end; at++) {
    const character = text.charCodeAt(at);
    if (character === code.quote) return at + 1;
    if (character === code.backslash) {
      at++;
      if (text.charCodeAt(at) > 127) return -1;
    } else if (character < 32 && character !== code.tab) return -1;
  }
  return -1;
}

/** What the quoted-string from `start` to `end` (both quotes included) says. */
export function unquote(text: string, start: number, end: number): string {
  const inner = text.slice(start + 1, end - 1);
  return inner.includes('\\') ? inner.replaceAll(/\\(.)/gs, '$1') : inner;
}

/** As a quoted-string. Control characters are escaped too: read as quoted-pairs, they would not be let in without. */
export function quote(text: string): string {
  let quoted = '"';
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    const isControl = (character < 32 && character !== code.tab) || character === 127;
    if (!isControl && character !== code.quote && character !== code.backslash) continue;
    quoted += `${text.slice(start, at)}\\`;
    start = at;
  }
  return `${quoted}${text.slice(start)}"`;
}

/** The position of the first character at or after `start` that is neither of the class nor part of an escape of two hexadecimal digits. */
function skipEscapedClass(text: string, start: number, end: number, bit: number): number {
  let at = start;
  while (at < end) {
    const character = text.charCodeAt(at);
    if (isClass(character, bit)) at++;
    else if (character === code.percent && isEscape(text, at, end)) at += 3;
    else break;
  }
  return at;
}

/** True if two hexadecimal digits follow the `%` at `at`. */
function isEscape(text: string, at: number, end: number): boolean {
  return at + 2 < end && hexDigit(text.charCodeAt(at + 1)) >= 0 && hexDigit(text.charCodeAt(at + 2)) >= 0;
}

/** True if every `%` from `start` to `end` begins an escape of two hexadecimal digits and every other character is of the class. */
export function isEscapedClass(text: string, start: number, end: number, bit: number): boolean {
  return skipEscapedClass(text, start, end, bit) === end;
}

/** Undoes `%` escapes once; the text must have passed `isEscapedClass`. */
export function percentDecode(text: string): string {
  let percent = text.indexOf('%');
  if (percent < 0) return text;
  let decoded = '';
  let start = 0;
  // An escaped octet of ASCII is a character; with others, several may make one.
  for (; percent >= 0; percent = text.indexOf('%', start)) {
    const octet = hexDigit(text.charCodeAt(percent + 1)) * 16 + hexDigit(text.charCodeAt(percent + 2));
    if (octet > 127) return percentDecodeOctets(text);
    decoded += text.slice(start, percent) + String.fromCharCode(octet);
    start = percent + 3;
  }
  return decoded + text.slice(start);
}

function percentDecodeOctets(text: string): string {
  const bytes = encodeText(text);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === code.percent) {
      bytes[length++] = hexDigit(bytes[at + 1] ?? 0) * 16 + hexDigit(bytes[at + 2] ?? 0);
      at += 2;
    } else bytes[length++] = bytes[at] ?? 0;
  }
  return decodeText(bytes.subarray(0, length));
}

/** Escapes every character that is not of the class; for userinfo also those that only liberal readers understand. */
export function percentEncode(text: string, bit: number): string {
  if (allOfClass(text, 0, text.length, bit) && !text.includes('#')) return text;
  let escaped = '';
  for (const byte of encodeText(text)) {
    const plain = byte !== 35 && isClass(byte, bit);
    escaped += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return escaped;
}

/** The value of a hexadecimal digit, -1 if it is none. */
export function hexDigit(character: number): number {
  if (character >= 48 && character <= 57) return character - 48;
  const letter = character | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
