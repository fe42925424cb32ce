import { charClass, code, isClass, quote, skipQuoted, trimEnd, unquote } from './grammar.ts';
import { Cursor, formatParam, formatParams, listAtMost, noParams, readParams } from './params.ts';
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

  /** `text` is what the value was parsed from, when it was. */
  constructor(uri: Uri, displayName?: string, params: ReadonlyMap<string, string> = noParams, text?: string) {
    this.uri = uri;
    this.displayName = displayName;
    this.params = params;
    this.#text = text;
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
    if (this.#text !== undefined) return this.#text;
    const name = this.displayName === undefined ? '' : `${quote(this.displayName)} `;
    return `${name}<${this.uri}>${formatParams(this.params)}`;
  }
}

/** The Contact values of a message; `*` only in a REGISTER that removes all bindings (RFC 3261 §10.2.2). */
export type Contacts = '*' | readonly NameAddr[];

/** One value; `undefined` if malformed. */
export function parseNameAddr(text: string, start = 0, end: number = text.length): NameAddr | undefined {
  const cursor = new Cursor(text, start, end);
  const value = readNameAddr(cursor);
  return cursor.at === end ? value : undefined;
}

/** A comma list of at least one; `undefined` if any is malformed or there are too many. */
export function parseNameAddrList(text: string, start = 0, end: number = text.length): readonly NameAddr[] | undefined {
  const cursor = new Cursor(text, start, end);
  const values: NameAddr[] = [];
  do {
    const value = readNameAddr(cursor);
    if (!value || values.length === listAtMost) return undefined;
    values.push(value);
  } while (cursor.skip(code.comma));
  return cursor.at === end ? values : undefined;
}

export function parseContacts(text: string, start = 0, end: number = text.length): Contacts | undefined {
  return end - start === 1 && text.charCodeAt(start) === 42 ? '*' : parseNameAddrList(text, start, end);
}

/** Reads one value and leaves the cursor on the comma after it or at the end. */
function readNameAddr(cursor: Cursor): NameAddr | undefined {
  cursor.skipSpace();
  const { text, end } = cursor;
  const start = cursor.at;
  let displayName: string | undefined;
  if (cursor.peek() === code.quote) {
    const nameEnd = skipQuoted(text, start, end);
    if (nameEnd < 0) return undefined;
    displayName = displayText(unquote(text, start, nameEnd));
    cursor.at = nameEnd;
    cursor.skipSpace();
    if (cursor.peek() !== code.less) return undefined;
  } else {
    cursor.at = skipDisplayName(text, start, end);
    if (cursor.peek() === code.less) {
      const nameEnd = trimEnd(text, start, cursor.at);
      if (nameEnd > start) displayName = displayText(text.slice(start, nameEnd));
    }
  }
  const uri = cursor.peek() === code.less ? readBracketed(cursor) : readAddrSpec(cursor, start);
  const params = uri && readParams(cursor);
  if (!params) return undefined;
  const valueEnd = trimEnd(text, start, cursor.at);
  return new NameAddr(uri, displayName, params, text.slice(start, valueEnd));
}

function skipDisplayName(text: string, start: number, end: number): number {
  let at = start;
  while (at < end && (isClass(text.charCodeAt(at), charClass.displayName) || text.charCodeAt(at) > 127)) at++;
  return at;
}

function readBracketed(cursor: Cursor): Uri | undefined {
  const start = cursor.at + 1;
  let at = start;
  while (at < cursor.end && cursor.text.charCodeAt(at) !== code.greater) at++;
  if (at === cursor.end) return undefined;
  cursor.at = at + 1;
  return parseUri(cursor.text, start, at);
}

/**
 * A URI without brackets: what follows a semicolon belongs to the header (RFC 3261 §20), and a question mark may not occur at all, so that
 * nobody can smuggle headers in (RFC 4475 §3.1.2.13).
 */
function readAddrSpec(cursor: Cursor, start: number): Uri | undefined {
  let at = start;
  for (; at < cursor.end; at++) {
    const character = cursor.text.charCodeAt(at);
    if (character === code.semicolon || character === code.comma || character === code.question) break;
  }
  cursor.at = at;
  return cursor.peek() === code.question ? undefined : parseUri(cursor.text, start, trimEnd(cursor.text, start, at));
}
