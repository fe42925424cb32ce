import { allOfClass, charClass, code, lowerSlice, quote, skipClass, skipQuoted, skipSpace, unquote } from './grammar.ts';

/** No parameters: one for all, never written to. */
export const noParams: ReadonlyMap<string, string> = new Map();

/** How many elements one comma list may have: more than any honest message needs (a request makes at most 256 hops). */
export const listAtMost = 256;

/** A place in a text that a reader moves forward. */
export class Cursor {
  readonly text: string;
  readonly end: number;
  at: number;

  constructor(text: string, at: number, end: number) {
    this.text = text;
    this.at = at;
    this.end = end;
  }

  /** The character here, -1 at the end. */
  peek(): number {
    return this.at < this.end ? this.text.charCodeAt(this.at) : -1;
  }

  skipSpace(): void {
    this.at = skipSpace(this.text, this.at, this.end);
  }

  /** Moves past white space and `character`; false, and not moved past the character, if another one stands there. */
  skip(character: number): boolean {
    this.skipSpace();
    if (this.peek() !== character) return false;
    this.at++;
    return true;
  }
}

/**
 * RFC 3261 §25.1 `*( SEMI generic-param )` from the cursor on, which ends up on the first character that is none of it. Names are
 * lower-cased. A name that comes twice keeps its first value: receivers in the field differ, and refusing the call helps nobody.
 * `undefined` if malformed.
 */
export function readParams(cursor: Cursor): ReadonlyMap<string, string> | undefined {
  let params: Map<string, string> | undefined;
  while (cursor.skip(code.semicolon)) {
    cursor.skipSpace();
    const nameEnd = skipClass(cursor.text, cursor.at, cursor.end, charClass.token);
    if (nameEnd === cursor.at) return undefined;
    const name = lowerSlice(cursor.text, cursor.at, nameEnd);
    cursor.at = nameEnd;
    const value = cursor.skip(code.equals) ? readParamValue(cursor) : '';
    if (value === undefined) return undefined;
    params ??= new Map();
    if (!params.has(name)) params.set(name, value);
  }
  return params ?? noParams;
}

/** A token, host or quoted-string; `undefined` if there is none. */
export function readParamValue(cursor: Cursor): string | undefined {
  cursor.skipSpace();
  const start = cursor.at;
  if (cursor.peek() === code.quote) {
    const end = skipQuoted(cursor.text, start, cursor.end);
    if (end < 0) return undefined;
    cursor.at = end;
    return unquote(cursor.text, start, end);
  }
  const end = skipClass(cursor.text, start, cursor.end, charClass.parameter);
  cursor.at = end;
  return end > start ? cursor.text.slice(start, end) : undefined;
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
