import { charClass, code, isEscapedClass, percentDecode, percentEncode } from './grammar.ts';
import { listAtMost, noParams, paramNameEnd, paramsBetween } from './params.ts';
import { Cursor, classEnd, codesOf, decimalBetween, escapedClassEnd, lowerBetween, readHost } from './scan.ts';

export type Uri = SipUri | OtherUri;

/** The `?name=value` part of a URI, in order, names as written, escapes undone. */
export type UriHeaders = readonly (readonly [name: string, value: string])[];

/** What a SIP or SIPS URI is made of; escapes are undone: `user` is `a b`, never `a%20b`. */
export interface SipUriParts {
  readonly scheme?: 'sip' | 'sips';
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Host name or IPv4 address in lower case, or an IPv6 reference with its brackets. */
  readonly host: string;
  readonly port?: number | undefined;
  /** By lower-cased name; a parameter without a value has the value ''. */
  readonly params?: ReadonlyMap<string, string> | undefined;
  readonly headers?: UriHeaders;
}

/** RFC 3261 §19.1: an immutable SIP or SIPS URI. Keeps the text it was parsed from, so that forwarding it changes no byte. */
export class SipUri {
  readonly kind = 'sip';
  readonly scheme: 'sip' | 'sips';
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Host name or IPv4 address in lower case, or an IPv6 reference with its brackets. */
  readonly host: string;
  readonly port: number | undefined;
  readonly headers: UriHeaders;
  #params: ReadonlyMap<string, string> | undefined;
  readonly #text: string | undefined;
  readonly #codes: Uint8Array | undefined;
  readonly #start: number;
  readonly #paramsStart: number;
  readonly #paramsEnd: number;
  readonly #end: number;

  /** From `start` to `end` in `text` stands what the parts were parsed from, when they were: without `params` they stay there until asked for. */
  constructor(parts: SipUriParts, text?: string, codes?: Uint8Array, start = 0, paramsStart = 0, paramsEnd = 0, end = 0) {
    this.scheme = parts.scheme ?? 'sip';
    this.user = parts.user;
    this.password = parts.password;
    this.host = parts.host;
    this.port = parts.port;
    this.headers = parts.headers ?? noHeaders;
    this.#params = parts.params;
    this.#text = text;
    this.#codes = codes;
    this.#start = start;
    this.#paramsStart = paramsStart;
    this.#paramsEnd = paramsEnd;
    this.#end = end;
  }

  /** By lower-cased name; a parameter without a value has the value ''. */
  get params(): ReadonlyMap<string, string> {
    this.#params ??= paramsBetween(this.#text, this.#codes, this.#paramsStart, this.#paramsEnd);
    return this.#params;
  }

  /** A copy with other parts; `undefined` takes a part away. */
  with(change: { readonly [Part in keyof SipUriParts]?: SipUriParts[Part] | undefined }): SipUri {
    const { scheme, user, password, host, port, params, headers } = { ...this, params: this.params, ...change };
    return new SipUri({
      scheme: scheme ?? 'sip',
      user,
      password,
      host: host ?? this.host,
      port,
      params: params ?? noParams,
      headers: headers ?? noHeaders,
    });
  }

  withParam(name: string, value: string): SipUri {
    return this.with({ params: new Map(this.params).set(name.toLowerCase(), value) });
  }

  withoutParam(name: string): SipUri {
    const params = new Map(this.params);
    return params.delete(name.toLowerCase()) ? this.with({ params }) : this;
  }

  /** True for a loose router, RFC 3261 §19.1.1. */
  get isLooseRouter(): boolean {
    if (this.#params || !this.#codes) return this.params.has('lr');
    return paramNameEnd(this.#codes, this.#paramsStart, this.#paramsEnd, 'lr') >= 0;
  }

  /** User and password as they go on the wire. */
  get userinfoText(): string {
    if (this.#text === undefined) return formatUserinfo(this);
    const text = this.toString();
    return text.slice(this.scheme.length + 1, Math.max(text.indexOf('@'), 0));
  }

  /** The value as it goes on the wire. */
  toString(): string {
    return this.#text === undefined ? formatSipUri(this) : this.#text.slice(this.#start, this.#end);
  }
}

/** A URI of a scheme this stack does not look into (`tel:`, `urn:`, unknown ones), kept verbatim. */
export class OtherUri {
  readonly kind = 'other';
  /** Lower-cased, without the colon. */
  readonly scheme: string;
  /** Everything, the scheme included, as written. */
  readonly text: string;

  constructor(scheme: string, text: string) {
    this.scheme = scheme;
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

const noHeaders: UriHeaders = [];

/** RFC 3261 §25.1 SIP-URI, SIPS-URI or absoluteURI from `start` to `end`; `undefined` if it is none. */
export function parseUri(text: string, start = 0, end: number = text.length, codes: Uint8Array = codesOf(text)): Uri | undefined {
  const cursor = new Cursor(text, codes, start, end);
  const uri = readUri(cursor);
  return cursor.at === end ? uri : undefined;
}

/** The same from the cursor on, which ends up on the first character that can not be part of it. */
export function readUri(cursor: Cursor): Uri | undefined {
  const { codes, at: start, end } = cursor;
  if (start + 4 <= end && letterAt(codes, start) === 115 && letterAt(codes, start + 1) === 105 && letterAt(codes, start + 2) === 112) {
    if (codes[start + 3] === code.colon) return readSipUri('sip', cursor, start, start + 4);
    const isSecure = start + 5 <= end && letterAt(codes, start + 3) === 115 && codes[start + 4] === code.colon;
    if (isSecure) return readSipUri('sips', cursor, start, start + 5);
  }
  const colon = schemeEnd(codes, start, end);
  if (colon < 0) return undefined;
  cursor.at = classEnd(codes, colon + 1, end, charClass.uri);
  if (cursor.at === colon + 1) return undefined;
  return new OtherUri(lowerBetween(cursor.text, codes, start, colon), cursor.text.slice(start, cursor.at));
}

export function formatUri(uri: Uri): string {
  return uri.toString();
}

/** RFC 3261 §19.1.4: true if both name the same resource. Other schemes compare as text, the scheme without case. */
export function sameUri(a: Uri, b: Uri): boolean {
  if (a.kind === 'sip' && b.kind === 'sip') {
    return (
      a.scheme === b.scheme &&
      a.user === b.user &&
      a.password === b.password &&
      a.host === b.host &&
      a.port === b.port &&
      sameEscapes(a, b) &&
      sameParams(a.params, b.params) &&
      sameHeaders(a.headers, b.headers)
    );
  }
  if (a.kind === 'sip' || b.kind === 'sip') return false;
  return a.scheme === b.scheme && a.text.slice(a.scheme.length) === b.text.slice(b.scheme.length);
}

/** These change where a URI leads, so one of two URIs having them makes the two differ (RFC 3261 §19.1.4 and its examples). */
const decisiveParams = ['user', 'ttl', 'method', 'maddr', 'transport'];

/** An escape equals its character unless that is reserved: `%61` is `a`, but `%3B` is not `;`. */
function sameEscapes(a: SipUri, b: SipUri): boolean {
  if (a.user === undefined) return true;
  const plain = (uri: SipUri) =>
    uri.userinfoText.replaceAll(/%[0-9a-f]{2}/gi, (hex) =>
      /[&+=$,;?/@:#]/.test(percentDecode(hex)) ? hex.toUpperCase() : percentDecode(hex),
    );
  const [first, second] = [a.userinfoText, b.userinfoText];
  return first === second || plain(a) === plain(b);
}

function sameParams(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  if (a.size === 0 && b.size === 0) return true;
  for (const name of decisiveParams) if (a.has(name) !== b.has(name)) return false;
  for (const [name, value] of a) {
    const other = b.get(name);
    if (other !== undefined && other.toLowerCase() !== value.toLowerCase()) return false;
  }
  return true;
}

function sameHeaders(a: UriHeaders, b: UriHeaders): boolean {
  if (a.length !== b.length) return false;
  if (a.length === 0) return true;
  const sorted = (headers: UriHeaders) => headers.map(([name, value]) => `${name.toLowerCase()}\n${value}`).sort();
  const others = sorted(b);
  return sorted(a).every((header, i) => header === others[i]);
}

/** The letter there in lower case. */
function letterAt(codes: Uint8Array, at: number): number {
  return (codes[at] ?? 0) | 32;
}

/** The position of the colon after a scheme name, -1 if there is none. */
function schemeEnd(codes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    const character = codes[at] ?? 0;
    if (character === code.colon) return at > start ? at : -1;
    const letter = character | 32;
    const isLetter = letter >= 97 && letter <= 122;
    const isInner = (character >= 48 && character <= 57) || character === 43 || character === 45 || character === 46;
    if (!isLetter && !(isInner && at > start)) return -1;
  }
  return -1;
}

/** What follows `sip:` or `sips:`, each character looked at once or, where there is no user, twice. */
function readSipUri(scheme: 'sip' | 'sips', cursor: Cursor, start: number, body: number): SipUri | undefined {
  const { text, codes, end } = cursor;
  let user: string | undefined;
  let password: string | undefined;
  let userEnd = classEnd(codes, body, end, charClass.userinfo);
  const isPlain = userEnd >= end || codes[userEnd] !== code.percent;
  if (!isPlain) userEnd = escapedClassEnd(codes, userEnd, end, charClass.userinfo);
  let at = userEnd;
  if (at < end && codes[at] === code.colon) at = escapedClassEnd(codes, at + 1, end, charClass.userinfo);
  cursor.at = body;
  if (at < end && codes[at] === code.at) {
    if (userEnd === body) return undefined;
    user = isPlain ? text.slice(body, userEnd) : percentDecode(text.slice(body, userEnd));
    if (userEnd < at) password = percentDecode(text.slice(userEnd + 1, at));
    cursor.at = at + 1;
  }
  const host = readHost(cursor);
  if (host === undefined) return undefined;
  const port = readPort(cursor);
  if (port !== undefined && port < 0) return undefined;
  const paramsStart = cursor.at;
  const params = readUriParams(cursor);
  if (params === undefined) return undefined;
  const paramsEnd = cursor.at;
  const headers = cursor.peek() === code.question ? readUriHeaders(cursor) : noHeaders;
  if (headers === undefined) return undefined;
  return new SipUri(
    { scheme, user, password, host, port, params: params === 'placed' ? undefined : params, headers },
    text,
    codes,
    start,
    paramsStart,
    paramsEnd,
    cursor.at,
  );
}

/** `:port`; `undefined` if there is none, -1 if it is not one from 1 to 65535. */
function readPort(cursor: Cursor): number | undefined {
  const { codes, at: colon, end } = cursor;
  if (colon >= end || codes[colon] !== code.colon) return undefined;
  let at = colon + 1;
  while (at < end && (codes[at] ?? 0) >= 48 && (codes[at] ?? 0) <= 57) at++;
  cursor.at = at;
  const port = decimalBetween(codes, colon + 1, at, 65_535);
  return port > 0 ? port : -1;
}

/**
 * `*( ";" name [ "=" value ] )`; `undefined` if malformed. They stay in the text until asked for, unless there is something to undo: an escape
 * may hide the name that is asked for.
 */
function readUriParams(cursor: Cursor): ReadonlyMap<string, string> | 'placed' | undefined {
  const { codes, at: start, end } = cursor;
  let at = start;
  let count = 0;
  let isEscaped = false;
  while (at < end && codes[at] === code.semicolon) {
    const name = at + 1;
    at = classEnd(codes, name, end, charClass.uriParameter);
    if (at < end && codes[at] === code.percent) {
      at = escapedClassEnd(codes, at, end, charClass.uriParameter);
      isEscaped = true;
    }
    if (at === name || count++ === listAtMost) return undefined;
    if (at >= end || codes[at] !== code.equals) continue;
    at = classEnd(codes, at + 1, end, charClass.uriParameter);
    if (at < end && codes[at] === code.percent) {
      at = escapedClassEnd(codes, at, end, charClass.uriParameter);
      isEscaped = true;
    }
  }
  cursor.at = at;
  if (count === 0) return noParams;
  return isEscaped ? decodedParams(paramsBetween(cursor.text, codes, start, at)) : 'placed';
}

function decodedParams(params: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const decoded = new Map<string, string>();
  for (const [name, value] of params) {
    const key = percentDecode(name).toLowerCase();
    if (!decoded.has(key)) decoded.set(key, percentDecode(value));
  }
  return decoded;
}

/** `"?" name=value *( "&" name=value )`, up to a closing bracket or the end. */
function readUriHeaders(cursor: Cursor): UriHeaders | undefined {
  const { text, at: start, end } = cursor;
  const close = text.indexOf('>', start);
  cursor.at = close < 0 || close > end ? end : close;
  const headers: [string, string][] = [];
  for (const pair of text.slice(start + 1, cursor.at).split('&', listAtMost + 1)) {
    const equals = pair.indexOf('=');
    if (equals < 1 || headers.length === listAtMost) return undefined;
    if (!isEscapedClass(pair, 0, equals, charClass.uriHeader)) return undefined;
    if (!isEscapedClass(pair, equals + 1, pair.length, charClass.uriHeader)) return undefined;
    headers.push([percentDecode(pair.slice(0, equals)), percentDecode(pair.slice(equals + 1))]);
  }
  return headers;
}

function formatSipUri(uri: SipUri): string {
  let text = `${uri.scheme}:`;
  if (uri.user !== undefined) text += `${formatUserinfo(uri)}@`;
  text += uri.host;
  if (uri.port !== undefined) text += `:${uri.port}`;
  for (const [name, value] of uri.params) {
    text += `;${percentEncode(name, charClass.uriParameter)}`;
    if (value !== '') text += `=${percentEncode(value, charClass.uriParameter)}`;
  }
  let separator = '?';
  for (const [name, value] of uri.headers) {
    text += `${separator}${percentEncode(name, charClass.uriHeader)}=${percentEncode(value, charClass.uriHeader)}`;
    separator = '&';
  }
  return text;
}

function formatUserinfo(uri: SipUri): string {
  if (uri.user === undefined) return '';
  const user = percentEncode(uri.user, charClass.userinfo);
  return uri.password === undefined ? user : `${user}:${percentEncode(uri.password, charClass.userinfo)}`;
}
