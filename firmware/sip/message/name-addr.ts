import { charClass, code, quote, unquote } from './grammar.ts';
import { formatParam, formatParams, listAtMost, paramsBetween, readParam, valueBetween } from './params.ts';
import { Cursor, classEnd, codesOf, isVerbatim, quotedEnd, spaceEnd, trimmedEnd } from './scan.ts';
import { displayText } from './text.ts';
import { parseUri, readUri, type Uri } from './uri.ts';

/** RFC 3261 §20.10 name-addr or addr-spec with its header parameters: From, To, Contact, Route, Refer-To and the like. Immutable. */
export class NameAddr {
  /** Without quotes and escapes, for people to read; `undefined` when there is none. */
  readonly displayName: string | undefined;
  readonly uri: Uri;
  readonly tag: string | undefined;
  #params: ReadonlyMap<string, string> | undefined;
  readonly #text: string | undefined;
  readonly #codes: Uint8Array | undefined;
  readonly #start: number;
  readonly #paramsStart: number;
  readonly #end: number;

  /** From `start` to `end` in `text` stands what the value was parsed from, when it was: without `params` they stay there until asked for. */
  constructor(
    uri: Uri,
    displayName?: string,
    params?: ReadonlyMap<string, string>,
    text?: string,
    tag?: string,
    codes?: Uint8Array,
    start = 0,
    paramsStart = 0,
    end: number = text?.length ?? 0,
  ) {
    this.uri = uri;
    this.displayName = displayName;
    this.tag = params ? params.get('tag') : tag;
    this.#params = params;
    this.#text = text;
    this.#codes = codes;
    this.#start = start;
    this.#paramsStart = paramsStart;
    this.#end = end;
  }

  /** Header parameters by lower-cased name, quotes and escapes undone; a parameter without a value has the value ''. */
  get params(): ReadonlyMap<string, string> {
    this.#params ??= paramsBetween(this.#text, this.#codes, this.#paramsStart, this.#end);
    return this.#params;
  }

  /** A copy with the parameter set. */
  withParam(name: string, value: string): NameAddr {
    const key = name.toLowerCase();
    const text = this.params.has(key) ? undefined : this.toString() + formatParam(name, value);
    return new NameAddr(this.uri, this.displayName, new Map(this.params).set(key, value), text);
  }

  withoutParam(name: string): NameAddr {
    const params = new Map(this.params);
    return params.delete(name.toLowerCase()) ? new NameAddr(this.uri, this.displayName, params) : this;
  }

  /** The value as it goes on the wire; as it came if it was parsed, else always with angle brackets. */
  toString(): string {
    if (this.#text !== undefined) return this.#text.slice(this.#start, this.#end);
    const name = this.displayName === undefined ? '' : `${quote(this.displayName)} `;
    return `${name}<${this.uri}>${formatParams(this.params)}`;
  }
}

/** The Contact values of a message; `*` only in a REGISTER that removes all bindings (RFC 3261 §10.2.2). */
export type Contacts = '*' | readonly NameAddr[];

/** One value; `undefined` if malformed. */
export function parseNameAddr(text: string, start = 0, end: number = text.length, codes: Uint8Array = codesOf(text)): NameAddr | undefined {
  const cursor = new Cursor(text, codes, start, end);
  const value = readNameAddr(cursor);
  return cursor.at === end ? value : undefined;
}

/** A comma list of at least one; `undefined` if any is malformed or there are too many. */
export function parseNameAddrList(
  text: string,
  start = 0,
  end: number = text.length,
  codes: Uint8Array = codesOf(text),
): readonly NameAddr[] | undefined {
  const cursor = new Cursor(text, codes, start, end);
  const values: NameAddr[] = [];
  do {
    const value = readNameAddr(cursor);
    if (!value || values.length === listAtMost) return undefined;
    values.push(value);
  } while (cursor.skip(code.comma));
  return cursor.at === end ? values : undefined;
}

export function parseContacts(text: string, start = 0, end: number = text.length, codes?: Uint8Array): Contacts | undefined {
  return end - start === 1 && text.charCodeAt(start) === 42 ? '*' : parseNameAddrList(text, start, end, codes);
}

/** Reads one value and leaves the cursor on the comma after it or at the end. */
function readNameAddr(cursor: Cursor): NameAddr | undefined {
  const { text, codes, end } = cursor;
  const start = spaceEnd(codes, cursor.at, end);
  let at = start;
  let displayName: string | undefined;
  if (at < end && codes[at] === code.quote) {
    const nameEnd = quotedEnd(codes, start, end);
    if (nameEnd < 0) return undefined;
    displayName = isVerbatim(codes, start, nameEnd) ? text.slice(start + 1, nameEnd - 1) : displayText(unquote(text, start, nameEnd));
    at = spaceEnd(codes, nameEnd, end);
    if (at >= end || codes[at] !== code.less) return undefined;
  } else {
    at = classEnd(codes, start, end, charClass.displayName);
    if (at < end && at > start && codes[at] === code.less) {
      const nameEnd = trimmedEnd(codes, start, at);
      if (nameEnd > start)
        displayName = isVerbatim(codes, start, nameEnd) ? text.slice(start, nameEnd) : displayText(text.slice(start, nameEnd));
    }
  }
  const isBracketed = at < end && codes[at] === code.less;
  cursor.at = isBracketed ? at + 1 : at;
  const uri = isBracketed ? readBracketed(cursor) : readAddrSpec(cursor, start);
  if (!uri) return undefined;
  cursor.skipSpace();
  const paramsStart = cursor.at;
  let tag: string | undefined;
  while (readParam(cursor)) if (cursor.isParam('tag')) tag ??= valueBetween(text, codes, cursor.value, cursor.valueEnd);
  if (cursor.isMalformed) return undefined;
  return new NameAddr(uri, displayName, undefined, text, tag, codes, start, paramsStart, trimmedEnd(codes, start, cursor.at));
}

/** The URI whose opening bracket was read. */
function readBracketed(cursor: Cursor): Uri | undefined {
  const uri = readUri(cursor);
  if (!uri || cursor.peek() !== code.greater) return undefined;
  cursor.at++;
  return uri;
}

/**
 * A URI without brackets: what follows a semicolon belongs to the header (RFC 3261 §20), and a question mark may not occur at all, so that
 * nobody can smuggle headers in (RFC 4475 §3.1.2.13).
 */
function readAddrSpec(cursor: Cursor, start: number): Uri | undefined {
  const { text, codes, end } = cursor;
  let at = start;
  for (; at < end; at++) {
    const character = codes[at];
    if (character === code.semicolon || character === code.comma || character === code.question) break;
  }
  cursor.at = at;
  return cursor.peek() === code.question ? undefined : parseUri(text, start, trimmedEnd(codes, start, at), codes);
}
