import { charClass, classes, code, hexDigit } from './grammar.ts';

/*
 * Readers look at every character, and a number in an array is read in half the time of a character in a string: they get the text, to cut
 * values out of, and its codes, to look at.
 */

/** The characters of a text as numbers at the same places; those that are not ASCII are all above 127. */
export function codesOf(text: string): Uint8Array {
  const codes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) codes[at] = Math.min(text.charCodeAt(at), 255);
  return codes;
}

/** A place in a text that readers move forward. */
export class Cursor {
  readonly text: string;
  readonly codes: Uint8Array;
  readonly end: number;
  at: number;
  /** Where the name and the value of the parameter that was read last stand; the value is empty when there is none. */
  name = 0;
  nameEnd = 0;
  value = 0;
  valueEnd = 0;
  /** True once a parameter was malformed. */
  isMalformed = false;

  constructor(text: string, codes: Uint8Array, at: number, end: number) {
    this.text = text;
    this.codes = codes;
    this.at = at;
    this.end = end;
  }

  /** True if the parameter that was read last has this name, given in lower case. */
  isParam(name: string): boolean {
    return this.nameEnd - this.name === name.length && isLowerAt(this.codes, this.name, name);
  }

  /** The character here, -1 at the end. */
  peek(): number {
    return this.at < this.end ? (this.codes[this.at] ?? -1) : -1;
  }

  skipSpace(): void {
    this.at = spaceEnd(this.codes, this.at, this.end);
  }

  /** Moves past white space and `character`; false, and not moved past the character, if another one stands there. */
  skip(character: number): boolean {
    this.at = spaceEnd(this.codes, this.at, this.end);
    if (this.peek() !== character) return false;
    this.at++;
    return true;
  }
}

/** The position of the first character at or after `start` that is not of the class. */
export function classEnd(codes: Uint8Array, start: number, end: number, bit: number): number {
  let at = start;
  while (at < end && ((classes[codes[at] ?? 0] ?? 0) & bit) !== 0) at++;
  return at;
}

/** SWS: values are unfolded before they get here, so white space is spaces and tabs. */
export function spaceEnd(codes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (codes[at] === code.space || codes[at] === code.tab)) at++;
  return at;
}

/** The end of the text without the white space before it. */
export function trimmedEnd(codes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && (codes[at - 1] === code.space || codes[at - 1] === code.tab)) at--;
  return at;
}

/** The position after the closing quote of the quoted-string that opens at `start`; -1 if it never closes. */
export function quotedEnd(codes: Uint8Array, start: number, end: number): number {
  for (let at = start + 1; at < end; at++) {
    const character = codes[at] ?? 0;
    if (character === code.quote) return at + 1;
    if (character === code.backslash) {
      at++;
      if (at < end && (codes[at] ?? 0) > 127) return -1;
    } else if (character < 32 && character !== code.tab) return -1;
  }
  return -1;
}

/** A decimal number of at least one digit and nothing else, not above `most`; -1 otherwise. */
export function decimalBetween(codes: Uint8Array, start: number, end: number, most: number): number {
  if (start >= end) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = (codes[at] ?? 0) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
    if (value > most) return -1;
  }
  return value;
}

/** The position of the first character at or after `start` that is neither of the class nor part of an escape of two hexadecimal digits. */
export function escapedClassEnd(codes: Uint8Array, start: number, end: number, bit: number): number {
  let at = start;
  while (at < end) {
    const character = codes[at] ?? 0;
    if (((classes[character] ?? 0) & bit) !== 0) at++;
    else if (character === code.percent && isEscapeAt(codes, at, end)) at += 3;
    else break;
  }
  return at;
}

/** True if two hexadecimal digits follow the `%` at `at`. */
function isEscapeAt(codes: Uint8Array, at: number, end: number): boolean {
  return at + 2 < end && hexDigit(codes[at + 1] ?? 0) >= 0 && hexDigit(codes[at + 2] ?? 0) >= 0;
}

/**
 * Reads a host in lower case: a name, an IPv4 address, or an IPv6 reference in brackets; `undefined` if there is none. The inside of the
 * brackets is checked for its characters and two colons only: RFC 5118 §4.10 wants the `:::` of RFC 3261's grammar accepted.
 */
export function readHost(cursor: Cursor): string | undefined {
  const { text, codes, at: start, end } = cursor;
  let at = start;
  let met = 0;
  for (; at < end; at++) {
    const bits = classes[codes[at] ?? 0] ?? 0;
    if ((bits & charClass.host) === 0) break;
    met |= bits;
  }
  if (at === start) at = referenceEnd(codes, start, end);
  if (at < 0) return undefined;
  cursor.at = at;
  const host = text.slice(start, at);
  return (met & charClass.capital) !== 0 || codes[start] === code.openBracket ? host.toLowerCase() : host;
}

function referenceEnd(codes: Uint8Array, start: number, end: number): number {
  if (start >= end || codes[start] !== code.openBracket) return -1;
  let colons = 0;
  for (let at = start + 1; at < end && at < start + 64; at++) {
    const character = codes[at] ?? 0;
    if (character === code.closeBracket) return colons >= 2 ? at + 1 : -1;
    if (character === code.colon) colons++;
    else if (hexDigit(character) < 0 && character !== 46) return -1;
  }
  return -1;
}

/** The character there, of A to Z the small letter. */
export function lowerCodeAt(codes: Uint8Array, at: number): number {
  const character = codes[at] ?? 0;
  return character >= 65 && character <= 90 ? character + 32 : character;
}

/** True if `word`, which is in lower case, stands there in any case. */
export function isLowerAt(codes: Uint8Array, start: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) if (lowerCodeAt(codes, start + i) !== word.charCodeAt(i)) return false;
  return true;
}

/** True if all there is ASCII and nothing is escaped. */
export function isVerbatim(codes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((codes[at] ?? 0) > 127 || codes[at] === code.backslash) return false;
  return true;
}

/** The text from `start` to `end` in lower case, without work when it already is. */
export function lowerBetween(text: string, codes: Uint8Array, start: number, end: number): string {
  const slice = text.slice(start, end);
  for (let at = start; at < end; at++) if (((classes[codes[at] ?? 0] ?? 0) & charClass.capital) !== 0) return slice.toLowerCase();
  return slice;
}
