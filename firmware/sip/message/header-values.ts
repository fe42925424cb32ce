import { charClass, code, readDecimal, skipClass, skipQuoted, skipSpace, trimEnd } from './grammar.ts';
import { methodBetween } from './methods.ts';
import { readParams } from './params.ts';
import { Cursor, classEnd, codesOf, decimalBetween, spaceEnd } from './scan.ts';

/** RFC 3261 §20.16. */
export interface CSeq {
  /** 0 to 2^31-1 (§8.1.1.5). */
  readonly number: number;
  readonly method: string;
}

/** A header value with parameters: Event, Subscription-State, Reason, Content-Disposition. `value` as written. */
export interface ParameterizedValue {
  readonly value: string;
  readonly params: ReadonlyMap<string, string>;
}

export function parseCSeq(text: string, start = 0, end: number = text.length, codes: Uint8Array = codesOf(text)): CSeq | undefined {
  let numberEnd = start;
  while (numberEnd < end && (codes[numberEnd] ?? 0) >= 48 && (codes[numberEnd] ?? 0) <= 57) numberEnd++;
  const number = decimalBetween(codes, start, numberEnd, 2 ** 31 - 1);
  const methodStart = spaceEnd(codes, numberEnd, end);
  if (number < 0 || methodStart === numberEnd || methodStart === end) return undefined;
  if (classEnd(codes, methodStart, end, charClass.token) < end) return undefined;
  return { number, method: methodBetween(text, codes, methodStart, end) };
}

/** Visible characters without white space: wider than the grammar's word, for no peer keeps to it and nothing here depends on it. */
export function parseCallId(text: string, start = 0, end: number = text.length, codes: Uint8Array = codesOf(text)): string | undefined {
  for (let at = start; at < end; at++) {
    const character = codes[at] ?? 0;
    if (character <= 32 || character === 127) return undefined;
  }
  return start < end ? text.slice(start, end) : undefined;
}

/** RFC 3261 §20.22: 0 to 255. */
export function parseMaxForwards(text: string, start = 0, end: number = text.length): number | undefined {
  return found(readDecimal(text, start, end, 255));
}

/** Digits only, no sign, no list. */
export function parseContentLength(text: string, start = 0, end: number = text.length): number | undefined {
  return found(readDecimal(text, start, end, 2 ** 32 - 1));
}

/** RFC 3261 §20.19 delta-seconds. */
export function parseSeconds(text: string, start = 0, end: number = text.length): number | undefined {
  return found(readDecimal(text, start, end, 2 ** 32 - 1));
}

/** RFC 3261 §20.33: seconds, then perhaps a comment and parameters. */
export function parseRetryAfter(text: string, start = 0, end: number = text.length): number | undefined {
  return found(readDecimal(text, start, skipClass(text, start, end, charClass.token), 2 ** 32 - 1));
}

export function parseParameterized(
  text: string,
  start = 0,
  end: number = text.length,
  codes: Uint8Array = codesOf(text),
): ParameterizedValue | undefined {
  const cursor = new Cursor(text, codes, start, end);
  const value = readParameterized(cursor);
  return cursor.at === end ? value : undefined;
}

export function parseParameterizedList(
  text: string,
  start = 0,
  end: number = text.length,
  codes: Uint8Array = codesOf(text),
): readonly ParameterizedValue[] | undefined {
  const cursor = new Cursor(text, codes, start, end);
  const values: ParameterizedValue[] = [];
  do {
    const value = readParameterized(cursor);
    if (!value) return undefined;
    values.push(value);
  } while (cursor.skip(code.comma));
  return cursor.at === end ? values : undefined;
}

/** The elements of a comma list as text, empty ones left out. Commas in quoted strings and between angle brackets do not part. */
export function splitList(text: string, start = 0, end: number = text.length): readonly string[] {
  const elements: string[] = [];
  let elementStart = start;
  let inBrackets = false;
  const take = (elementEnd: number) => {
    const from = skipSpace(text, elementStart, elementEnd);
    const to = trimEnd(text, from, elementEnd);
    if (to > from) elements.push(text.slice(from, to));
    elementStart = elementEnd + 1;
  };
  for (let at = start; at < end; at++) {
    const character = text.charCodeAt(at);
    if (character === code.quote && !inBrackets) {
      const after = skipQuoted(text, at, end);
      if (after < 0) break;
      at = after - 1;
    } else if (character === code.less) inBrackets = true;
    else if (character === code.greater) inBrackets = false;
    else if (character === code.comma && !inBrackets) take(at);
  }
  take(end);
  return elements;
}

function readParameterized(cursor: Cursor): ParameterizedValue | undefined {
  cursor.skipSpace();
  const start = cursor.at;
  cursor.at = classEnd(cursor.codes, start, cursor.end, charClass.parameter);
  const end = cursor.at;
  const params = end > start ? readParams(cursor) : undefined;
  cursor.skipSpace();
  return params && { value: cursor.text.slice(start, end), params };
}

function found(number: number): number | undefined {
  return number < 0 ? undefined : number;
}
