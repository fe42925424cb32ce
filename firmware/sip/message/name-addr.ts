import { charClass, code, quote, unquote } from './grammar.ts';
import { formatParam, formatParams, listAtMost, noParams, readParams } from './params.ts';
import { Cursor, classEnd, codesOf, quotedEnd, spaceEnd, trimmedEnd } from './scan.ts';
import { displayText } from './text.ts';
import { parseUri, type Uri } from './uri.ts';

/** RFC 3261 §20.10 name-addr or addr-spec with its header parameters: From, To, Contact, Route, Refer-To and the like. Immutable. */
export class NameAddr {
  /** Without quotes and escapes, for people to read; `undefined` when there is none. */
  readonly displayName: string | undefined;
  readonly uri: Uri;
  /** Header parameters by lower-cased name, quotes and escapes undone; a parameter without a value has the value ''. */
  readonly params: ReadonlyMap<string, string>;
  readonly #text: string | undefined;
  readonly #start: number;
  readonly #end: number;

  /** From `start` to `end` in `text` stands what the value was parsed from, when it was. */
  constructor(
    uri: Uri,
    displayName?: string,
    params: ReadonlyMap<string, string> = noParams,
    text?: string,
    start = 0,
    end: number = text?.length ?? 0,
  ) {
    this.uri = uri;
    this.displayName = displayName;
    this.params = params;
    this.#text = text;
    this.#start = start;
    this.#end = end;
  }

  get tag(): string | undefined {
    return this.params.get('tag');
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
    displayName = displayText(unquote(text, start, nameEnd));
    at = spaceEnd(codes, nameEnd, end);
    if (at >= end || codes[at] !== code.less) return undefined;
  } else {
    at = classEnd(codes, start, end, charClass.displayName);
    if (at < end && at > start && codes[at] === code.less) {
      const nameEnd = trimmedEnd(codes, start, at);
      if (nameEnd > start) displayName = displayText(text.slice(start, nameEnd));
    }
  }
  cursor.at = at;
  const uri = at < end && codes[at] === code.less ? readBracketed(cursor) : readAddrSpec(cursor, start);
  const params = uri && readParams(cursor);
  return params && new NameAddr(uri, displayName, params, text, start, trimmedEnd(codes, start, cursor.at));
}

function readBracketed(cursor: Cursor): Uri | undefined {
  const { text, codes, at, end } = cursor;
  const close = text.indexOf('>', at + 1);
  if (close < 0 || close >= end) return undefined;
  cursor.at = close + 1;
  return parseUri(text, at + 1, close, codes);
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
