import { allOfClass, charClass, code, quote, unquote } from './grammar.ts';
import { type Cursor, classEnd, isLowerAt, lowerBetween, quotedEnd, spaceEnd } from './scan.ts';
import { UnreadParams } from './unread-params.ts';

/** No parameters: one for all, never written to. */
export const noParams: ReadonlyMap<string, string> = new Map();

/** How many elements one comma list may have: more than any honest message needs (a request makes at most 256 hops). */
export const listAtMost = 256;

/**
 * Well-formed parameters that stay in the text they came in until somebody asks, for most are never asked for: from `start`, a semicolon, to
 * `end`. The first of several with one name counts.
 */
class TextParams extends UnreadParams {
  readonly #text: string;
  readonly #codes: Uint8Array;
  readonly #start: number;
  readonly #end: number;

  constructor(text: string, codes: Uint8Array, start: number, end: number) {
    super();
    this.#text = text;
    this.#codes = codes;
    this.#start = start;
    this.#end = end;
  }

  get(name: string): string | undefined {
    const nameEnd = paramNameEnd(this.#codes, this.#start, this.#end, name);
    return nameEnd < 0 ? undefined : valueAfter(this.#text, this.#codes, nameEnd, this.#end);
  }

  has(name: string): boolean {
    return paramNameEnd(this.#codes, this.#start, this.#end, name) >= 0;
  }

  protected override all(): ReadonlyMap<string, string> {
    const params = new Map<string, string>();
    for (let at = this.#start; at < this.#end; at = semicolonFrom(this.#codes, at, this.#end)) {
      const start = spaceEnd(this.#codes, at + 1, this.#end);
      at = start;
      while (at < this.#end && !endsName(this.#codes[at] ?? 0)) at++;
      const name = lowerBetween(this.#text, this.#codes, start, at);
      if (!params.has(name)) params.set(name, valueAfter(this.#text, this.#codes, at, this.#end));
    }
    return params;
  }
}

/** The well-formed parameters that stand there; none without a text. */
export function paramsBetween(
  text: string | undefined,
  codes: Uint8Array | undefined,
  start: number,
  end: number,
): ReadonlyMap<string, string> {
  return text !== undefined && codes && end > start ? new TextParams(text, codes, start, end) : noParams;
}

/** Where the first name equal to `name`, which is in lower case, ends among well-formed parameters; -1 if there is none. */
export function paramNameEnd(codes: Uint8Array, start: number, end: number, name: string): number {
  const length = name.length;
  for (let at = start; at < end; at = semicolonFrom(codes, at, end)) {
    at = spaceEnd(codes, at + 1, end);
    const nameEnd = at + length;
    if (nameEnd > end) return -1;
    if (isLowerAt(codes, at, name) && (nameEnd === end || endsName(codes[nameEnd] ?? 0))) return nameEnd;
  }
  return -1;
}

function endsName(character: number): boolean {
  return character === code.equals || character === code.semicolon || character === code.space || character === code.tab;
}

/** The position of the next semicolon outside of quotes, or the end. */
function semicolonFrom(codes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && codes[at] !== code.semicolon) at = codes[at] === code.quote ? quotedEnd(codes, at, end) : at + 1;
  return at;
}

/** The value of the well-formed parameter whose name ends there. */
function valueAfter(text: string, codes: Uint8Array, nameEnd: number, end: number): string {
  const equals = spaceEnd(codes, nameEnd, end);
  if (equals >= end || codes[equals] !== code.equals) return '';
  const start = spaceEnd(codes, equals + 1, end);
  return start < end ? valueBetween(text, codes, start, paramValueEnd(codes, start, end)) : '';
}

/** What a value says: of a quoted-string what is between the quotes, escapes undone. */
export function valueBetween(text: string, codes: Uint8Array, start: number, end: number): string {
  if (start === end) return '';
  return codes[start] === code.quote ? unquote(text, start, end) : text.slice(start, end);
}

/**
 * RFC 3261 §25.1 `*( SEMI generic-param )` from the cursor on, which ends up on the first character that is none of it. A name that comes
 * twice keeps its first value: receivers in the field differ, and refusing the call helps nobody. `undefined` if malformed.
 */
export function readParams(cursor: Cursor): ReadonlyMap<string, string> | undefined {
  cursor.skipSpace();
  const start = cursor.at;
  while (readParam(cursor));
  if (cursor.isMalformed) return undefined;
  return cursor.at > start ? new TextParams(cursor.text, cursor.codes, start, cursor.at) : noParams;
}

/**
 * Reads one parameter with its semicolon and the white space around it; the cursor says where its name and its value stand. False if there is
 * none, or if it is malformed, which the cursor says too.
 */
export function readParam(cursor: Cursor): boolean {
  const { codes, end } = cursor;
  const start = cursor.at;
  if (start >= end || codes[start] !== code.semicolon) return false;
  const name = spaceEnd(codes, start + 1, end);
  const nameEnd = classEnd(codes, name, end, charClass.token);
  let at = spaceEnd(codes, nameEnd, end);
  let value = nameEnd;
  let valueEnd = nameEnd;
  let isWhole = nameEnd > name;
  if (at < end && codes[at] === code.equals) {
    value = spaceEnd(codes, at + 1, end);
    valueEnd = paramValueEnd(codes, value, end);
    isWhole &&= valueEnd > value;
    at = spaceEnd(codes, valueEnd, end);
  }
  cursor.at = at;
  cursor.isMalformed = !isWhole;
  cursor.name = name;
  cursor.nameEnd = nameEnd;
  cursor.value = value;
  cursor.valueEnd = valueEnd;
  return isWhole;
}

/** Where the token, host or quoted-string at `start` ends; not beyond `start` if there is none. */
export function paramValueEnd(codes: Uint8Array, start: number, end: number): number {
  const isQuoted = start < end && codes[start] === code.quote;
  return isQuoted ? quotedEnd(codes, start, end) : classEnd(codes, start, end, charClass.parameter);
}

export function formatParams(params: ReadonlyMap<string, string>): string {
  let text = '';
  for (const [name, value] of params) text += formatParam(name, value);
  return text;
}

export function formatParam(name: string, value: string): string {
  if (value === '') return `;${name}`;
  return `;${name}=${allOfClass(value, 0, value.length, charClass.plainParameter) ? value : quote(value)}`;
}
