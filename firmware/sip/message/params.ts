import { allOfClass, charClass, code, lowerSlice, quote, unquote } from './grammar.ts';
import { type Cursor, classEnd, lowerCodeAt, quotedEnd, spaceEnd } from './scan.ts';

/** No parameters: one for all, never written to. */
export const noParams: ReadonlyMap<string, string> = new Map();

/** How many elements one comma list may have: more than any honest message needs (a request makes at most 256 hops). */
export const listAtMost = 256;

/**
 * Parameters that stay in the text they came in until somebody asks: most are never asked for. By their places there, four numbers each:
 * where the name begins and ends, where the value does; these two are the same where there is none. The first of several with one name counts.
 */
export class PlacedParams implements ReadonlyMap<string, string> {
  readonly #text: string;
  readonly #codes: Uint8Array;
  readonly #places: readonly number[];

  constructor(text: string, codes: Uint8Array, places: readonly number[]) {
    this.#text = text;
    this.#codes = codes;
    this.#places = places;
  }

  get(name: string): string | undefined {
    const at = this.#find(name);
    return at < 0 ? undefined : this.#valueAt(at);
  }

  has(name: string): boolean {
    return this.#find(name) >= 0;
  }

  get size(): number {
    return this.#all().size;
  }

  forEach(visit: (value: string, name: string, map: ReadonlyMap<string, string>) => void): void {
    for (const [name, value] of this.#all()) visit(value, name, this);
  }

  entries(): MapIterator<[string, string]> {
    return this.#all().entries();
  }

  keys(): MapIterator<string> {
    return this.#all().keys();
  }

  values(): MapIterator<string> {
    return this.#all().values();
  }

  [Symbol.iterator](): MapIterator<[string, string]> {
    return this.#all().entries();
  }

  #find(name: string): number {
    const places = this.#places;
    const codes = this.#codes;
    const length = name.length;
    for (let at = 0; at < places.length; at += 4) {
      const start = places[at] ?? 0;
      if ((places[at + 1] ?? 0) - start !== length) continue;
      let same = 0;
      while (same < length && lowerCodeAt(codes, start + same) === name.charCodeAt(same)) same++;
      if (same === length) return at;
    }
    return -1;
  }

  #valueAt(at: number): string {
    const start = this.#places[at + 2] ?? 0;
    const end = this.#places[at + 3] ?? 0;
    if (start === end) return '';
    return this.#codes[start] === code.quote ? unquote(this.#text, start, end) : this.#text.slice(start, end);
  }

  #all(): ReadonlyMap<string, string> {
    const params = new Map<string, string>();
    for (let at = 0; at < this.#places.length; at += 4) {
      const name = lowerSlice(this.#text, this.#places[at] ?? 0, this.#places[at + 1] ?? 0);
      if (!params.has(name)) params.set(name, this.#valueAt(at));
    }
    return params;
  }
}

/** True if the name from `start` to `end` is among those whose places these are, whatever its case. */
export function isPlaced(codes: Uint8Array, places: readonly number[], start: number, end: number): boolean {
  const length = end - start;
  for (let at = 0; at < places.length; at += 4) {
    const other = places[at] ?? 0;
    if ((places[at + 1] ?? 0) - other !== length) continue;
    let same = 0;
    while (same < length && lowerCodeAt(codes, other + same) === lowerCodeAt(codes, start + same)) same++;
    if (same === length) return true;
  }
  return false;
}

/**
 * RFC 3261 §25.1 `*( SEMI generic-param )` from the cursor on, which ends up on the first character that is none of it. A name that comes
 * twice keeps its first value: receivers in the field differ, and refusing the call helps nobody. `undefined` if malformed.
 */
export function readParams(cursor: Cursor): ReadonlyMap<string, string> | undefined {
  const { text, codes, end } = cursor;
  let places: number[] | undefined;
  let at = spaceEnd(codes, cursor.at, end);
  while (at < end && codes[at] === code.semicolon) {
    const name = spaceEnd(codes, at + 1, end);
    const nameEnd = classEnd(codes, name, end, charClass.token);
    if (nameEnd === name) return undefined;
    at = spaceEnd(codes, nameEnd, end);
    let value = nameEnd;
    let valueEnd = nameEnd;
    if (at < end && codes[at] === code.equals) {
      value = spaceEnd(codes, at + 1, end);
      valueEnd = paramValueEnd(codes, value, end);
      if (valueEnd <= value) return undefined;
      at = spaceEnd(codes, valueEnd, end);
    }
    if (places) places.push(name, nameEnd, value, valueEnd);
    else places = [name, nameEnd, value, valueEnd];
  }
  cursor.at = at;
  return places ? new PlacedParams(text, codes, places) : noParams;
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
