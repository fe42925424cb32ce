import { charClass, code, isClass, isEscapedClass, lowerSlice, percentDecode, percentEncode, readDecimal, skipHost } from './grammar.ts';
import { listAtMost, noParams } from './params.ts';

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
  readonly params?: ReadonlyMap<string, string>;
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
  /** By lower-cased name; a parameter without a value has the value ''. */
  readonly params: ReadonlyMap<string, string>;
  readonly headers: UriHeaders;
  readonly #text: string | undefined;

  /** `text` is what the parts were parsed from, when they were. */
  constructor(parts: SipUriParts, text?: string) {
    this.scheme = parts.scheme ?? 'sip';
    this.user = parts.user;
    this.password = parts.password;
    this.host = parts.host;
    this.port = parts.port;
    this.params = parts.params ?? noParams;
    this.headers = parts.headers ?? noHeaders;
    this.#text = text;
  }

  /** A copy with other parts; `undefined` takes a part away. */
  with(change: { readonly [Part in keyof SipUriParts]?: SipUriParts[Part] | undefined }): SipUri {
    const { scheme, user, password, host, port, params, headers } = { ...this, ...change };
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
    return this.params.has('lr');
  }

  /** User and password as they go on the wire. */
  get userinfoText(): string {
    if (this.#text === undefined) return formatUserinfo(this);
    const at = this.#text.indexOf('@');
    return this.#text.slice(this.scheme.length + 1, Math.max(at, 0));
  }

  /** The value as it goes on the wire. */
  toString(): string {
    return this.#text ?? formatSipUri(this);
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
export function parseUri(text: string, start = 0, end: number = text.length): Uri | undefined {
  const colon = schemeEnd(text, start, end);
  if (colon < 0) return undefined;
  const length = colon - start;
  if ((length === 3 || length === 4) && (text.charCodeAt(start) | 32) === 115) {
    const scheme = lowerSlice(text, start, colon);
    if (scheme === 'sip' || scheme === 'sips') return parseSipUri(scheme, text, start, colon + 1, end);
  }
  for (let at = colon + 1; at < end; at++) if (!isClass(text.charCodeAt(at), charClass.uri)) return undefined;
  return colon + 1 < end ? new OtherUri(lowerSlice(text, start, colon), text.slice(start, end)) : undefined;
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

/** The position of the colon after a scheme name, -1 if there is none. */
function schemeEnd(text: string, start: number, end: number): number {
  for (let at = start; at < end; at++) {
    const character = text.charCodeAt(at);
    if (character === code.colon) return at > start ? at : -1;
    const letter = character | 32;
    const isLetter = letter >= 97 && letter <= 122;
    const isInner = (character >= 48 && character <= 57) || character === 43 || character === 45 || character === 46;
    if (!isLetter && !(isInner && at > start)) return -1;
  }
  return -1;
}

/** What follows `sip:` or `sips:`, from `body` on. */
function parseSipUri(scheme: 'sip' | 'sips', text: string, start: number, body: number, end: number): SipUri | undefined {
  let user: string | undefined;
  let password: string | undefined;
  let hostStart = body;
  const at = positionOf(text, code.at, body, end);
  if (at >= 0) {
    const colon = positionOf(text, code.colon, body, at);
    const userEnd = colon < 0 ? at : colon;
    if (userEnd === body || !isEscapedClass(text, body, userEnd, charClass.userinfo)) return undefined;
    user = percentDecode(text.slice(body, userEnd));
    if (colon >= 0) {
      if (!isEscapedClass(text, colon + 1, at, charClass.userinfo)) return undefined;
      password = percentDecode(text.slice(colon + 1, at));
    }
    hostStart = at + 1;
  }
  const hostEnd = skipHost(text, hostStart, end);
  if (hostEnd < 0) return undefined;
  const portEnd = skipPort(text, hostEnd, end);
  if (portEnd < 0) return undefined;
  const port = portEnd > hostEnd ? readDecimal(text, hostEnd + 1, portEnd, 65_535) : undefined;
  const question = positionOf(text, code.question, portEnd, end);
  const params = parseUriParams(text, portEnd, question < 0 ? end : question);
  const headers = question < 0 ? noHeaders : parseUriHeaders(text, question + 1, end);
  if (!params || !headers) return undefined;
  const host = lowerSlice(text, hostStart, hostEnd);
  return new SipUri({ scheme, user, password, host, port, params, headers }, text.slice(start, end));
}

function positionOf(text: string, character: number, start: number, end: number): number {
  for (let at = start; at < end; at++) if (text.charCodeAt(at) === character) return at;
  return -1;
}

/** The position after `:port`, `start` itself if there is no port, -1 if it is not one from 1 to 65535. */
function skipPort(text: string, start: number, end: number): number {
  if (start >= end || text.charCodeAt(start) !== code.colon) return start;
  let at = start + 1;
  while (at < end && text.charCodeAt(at) >= 48 && text.charCodeAt(at) <= 57) at++;
  return readDecimal(text, start + 1, at, 65_535) >= 1 ? at : -1;
}

/** `*( ";" name [ "=" value ] )` and nothing else. */
function parseUriParams(text: string, start: number, end: number): ReadonlyMap<string, string> | undefined {
  if (start === end) return noParams;
  const params = new Map<string, string>();
  let at = start;
  for (let count = 0; at < end; count++) {
    if (text.charCodeAt(at) !== code.semicolon || count === listAtMost) return undefined;
    let next = at + 1;
    let equals = -1;
    for (; next < end && text.charCodeAt(next) !== code.semicolon; next++) {
      if (equals < 0 && text.charCodeAt(next) === code.equals) equals = next;
    }
    const nameEnd = equals < 0 ? next : equals;
    if (nameEnd === at + 1 || !isEscapedClass(text, at + 1, nameEnd, charClass.uriParameter)) return undefined;
    if (equals >= 0 && !isEscapedClass(text, equals + 1, next, charClass.uriParameter)) return undefined;
    const name = percentDecode(text.slice(at + 1, nameEnd)).toLowerCase();
    if (!params.has(name)) params.set(name, equals < 0 ? '' : percentDecode(text.slice(equals + 1, next)));
    at = next;
  }
  return params;
}

/** `name=value *( "&" name=value )`. */
function parseUriHeaders(text: string, start: number, end: number): UriHeaders | undefined {
  const headers: [string, string][] = [];
  for (const pair of text.slice(start, end).split('&', listAtMost + 1)) {
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
