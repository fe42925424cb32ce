import { InvariantError } from '#firmware/core/errors.ts';
import { type AuthValue, parseAuth } from './auth.ts';
import {
  type CSeq,
  type ParameterizedValue,
  parseCallId,
  parseCSeq,
  parseMaxForwards,
  parseParameterized,
  parseParameterizedList,
  parseRetryAfter,
  parseSeconds,
  splitList,
} from './header-values.ts';
import type { HeaderList, ValueReader } from './headers.ts';
import { type MediaType, parseMediaType } from './media-type.ts';
import { type Contacts, type NameAddr, parseContacts, parseNameAddr, parseNameAddrList } from './name-addr.ts';
import type { Uri } from './uri.ts';
import { parseViaList, type Via } from './via.ts';

export type Message = Request | Response;

/** Values that nearly everybody asks for, as they were read: by the parser, or on first use. */
export class ReadValues {
  from: NameAddr | undefined = undefined;
  to: NameAddr | undefined = undefined;
  callId: string | undefined = undefined;
  cSeq: CSeq | undefined = undefined;
  vias: readonly Via[] | undefined = undefined;
  contacts: Contacts | undefined = undefined;
  routes: readonly NameAddr[] | undefined = undefined;
  recordRoutes: readonly NameAddr[] | undefined = undefined;
}

/** What requests and responses have in common. Typed values are read on first use and kept by their field; messages are immutable. */
abstract class SipMessage {
  readonly headers: HeaderList;
  readonly body: Uint8Array;
  readonly #read: ReadValues;

  constructor(headers: HeaderList, body: Uint8Array, read: ReadValues) {
    this.headers = headers;
    this.body = body;
    this.#read = read;
  }

  /** The value of the first field of that name in any spelling. */
  header(name: string): string | undefined {
    return this.headers.get(name);
  }

  /** The elements of all fields of that name, comma lists taken apart. */
  headerValues(name: string): readonly string[] {
    return this.headers.values(name);
  }

  // Mandatory headers: the parser has checked them, so these are always there.

  get from(): NameAddr {
    this.#read.from ??= this.#mandatory('from', parseNameAddr);
    return this.#read.from;
  }
  get to(): NameAddr {
    this.#read.to ??= this.#mandatory('to', parseNameAddr);
    return this.#read.to;
  }
  get callId(): string {
    this.#read.callId ??= this.#mandatory('call-id', parseCallId);
    return this.#read.callId;
  }
  get cSeq(): CSeq {
    this.#read.cSeq ??= this.#mandatory('cseq', parseCSeq);
    return this.#read.cSeq;
  }
  get topVia(): Via {
    const via = this.vias[0];
    if (!via) throw new InvariantError('a message without Via got past the parser');
    return via;
  }
  get vias(): readonly Via[] {
    this.#read.vias ??= this.headers.listOf('via', parseViaList);
    return this.#read.vias;
  }

  // Lists: empty when the header is not there. The parser has checked Record-Route, and Contact and Route of requests; elsewhere what is
  // malformed is left out.

  get contacts(): Contacts {
    this.#read.contacts ??= this.#contacts();
    return this.#read.contacts;
  }
  get routes(): readonly NameAddr[] {
    this.#read.routes ??= this.headers.listOf('route', parseNameAddrList);
    return this.#read.routes;
  }
  get recordRoutes(): readonly NameAddr[] {
    this.#read.recordRoutes ??= this.headers.listOf('record-route', parseNameAddrList);
    return this.#read.recordRoutes;
  }
  /** Option tags, lower-cased. */
  get require(): readonly string[] {
    return this.headers.listOf('require', parseOptionTags);
  }
  get proxyRequire(): readonly string[] {
    return this.headers.listOf('proxy-require', parseOptionTags);
  }
  get supported(): readonly string[] {
    return this.headers.listOf('supported', parseOptionTags);
  }
  /** Methods, whose case matters. */
  get allow(): readonly string[] {
    return this.headers.listOf('allow', splitList);
  }
  get reasons(): readonly ParameterizedValue[] {
    return this.headers.listOf('reason', parseParameterizedList);
  }

  // Optional values: `undefined` when absent or malformed.

  /** Seconds; beyond 2^32-1 it counts as malformed (RFC 4475 §3.1.2.4). */
  get expires(): number | undefined {
    return this.#optional('expires', parseSeconds);
  }
  get minExpires(): number | undefined {
    return this.#optional('min-expires', parseSeconds);
  }
  /** Seconds, without comment and parameters. */
  get retryAfter(): number | undefined {
    return this.#optional('retry-after', parseRetryAfter);
  }
  get contentType(): MediaType | undefined {
    return this.#optional('content-type', parseMediaType);
  }
  get event(): ParameterizedValue | undefined {
    return this.#optional('event', parseParameterized);
  }
  get subscriptionState(): ParameterizedValue | undefined {
    return this.#optional('subscription-state', parseParameterized);
  }
  get referTo(): NameAddr | undefined {
    return this.#optional('refer-to', parseNameAddr);
  }

  // Challenges and credentials in order, malformed ones left out; `authenticate` is WWW-Authenticate.

  get authenticate(): readonly AuthValue[] {
    return this.headers.listOf('www-authenticate', parseAuthAsList);
  }
  get proxyAuthenticate(): readonly AuthValue[] {
    return this.headers.listOf('proxy-authenticate', parseAuthAsList);
  }
  get authorization(): readonly AuthValue[] {
    return this.headers.listOf('authorization', parseAuthAsList);
  }
  get proxyAuthorization(): readonly AuthValue[] {
    return this.headers.listOf('proxy-authorization', parseAuthAsList);
  }

  #contacts(): Contacts {
    let contacts: readonly NameAddr[] = none;
    for (const field of this.headers.fields) {
      const values = field.key === 'contact' ? field.as(parseContacts) : undefined;
      if (values === '*') return '*';
      if (values) contacts = contacts.length > 0 ? [...contacts, ...values] : values;
    }
    return contacts;
  }

  #mandatory<T>(key: string, reader: ValueReader<T>): T {
    const value = this.headers.firstOf(key)?.as(reader);
    if (value === undefined) throw new InvariantError(`a message without ${key} got past the parser`);
    return value;
  }

  #optional<T>(key: string, reader: ValueReader<T>): T | undefined {
    return this.headers.firstOf(key)?.as(reader);
  }
}

const none: readonly NameAddr[] = [];

/** RFC 3261 §7.1. */
export class Request extends SipMessage {
  readonly kind = 'request';
  readonly method: string;
  readonly requestUri: Uri;

  constructor(method: string, requestUri: Uri, headers: HeaderList, body: Uint8Array, read = new ReadValues()) {
    super(headers, body, read);
    this.method = method;
    this.requestUri = requestUri;
  }

  /** 0 to 255; `undefined` when absent (RFC 3261 §16.3: as if 70). */
  get maxForwards(): number | undefined {
    return this.headers.firstOf('max-forwards')?.as(parseMaxForwards);
  }

  with(change: { readonly requestUri?: Uri; readonly headers?: HeaderList; readonly body?: Uint8Array }): Request {
    const { requestUri = this.requestUri, headers = this.headers, body = this.body } = change;
    return new Request(this.method, requestUri, headers, body);
  }
}

/** RFC 3261 §7.2. */
export class Response extends SipMessage {
  readonly kind = 'response';
  /** 100 to 699. */
  readonly statusCode: number;
  readonly reasonPhrase: string;

  constructor(statusCode: number, reasonPhrase: string, headers: HeaderList, body: Uint8Array, read = new ReadValues()) {
    super(headers, body, read);
    this.statusCode = statusCode;
    this.reasonPhrase = reasonPhrase;
  }

  get isProvisional(): boolean {
    return this.statusCode < 200;
  }
  get isSuccess(): boolean {
    return this.statusCode >= 200 && this.statusCode < 300;
  }
  get isFinal(): boolean {
    return this.statusCode >= 200;
  }

  with(change: { readonly headers?: HeaderList; readonly body?: Uint8Array }): Response {
    const { headers = this.headers, body = this.body } = change;
    return new Response(this.statusCode, this.reasonPhrase, headers, body);
  }
}

// One reader per kind of value: a field keeps what the last reader read, so the parser's checks and the getters must use the same ones.

function parseOptionTags(text: string, start: number, end: number): readonly string[] {
  return splitList(text, start, end).map((tag) => tag.toLowerCase());
}

function parseAuthAsList(text: string, start: number, end: number, codes?: Uint8Array): readonly AuthValue[] | undefined {
  const value = parseAuth(text, start, end, codes);
  return value && [value];
}
