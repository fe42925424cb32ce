import { InvariantError } from '#firmware/core/errors.ts';
import type { AuthValue } from './auth.ts';
import type { HeaderList } from './headers.ts';
import type { MediaType } from './media-type.ts';
import type { Contacts, NameAddr } from './name-addr.ts';
import type { Uri } from './uri.ts';
import type { Via } from './via.ts';

/** RFC 3261 §20.16. */
export interface CSeq {
  readonly number: number;
  readonly method: string;
}

/** A header value with parameters: Event, Subscription-State, Reason, Content-Disposition, Refer-Sub. `value` as written. */
export interface ParameterizedValue {
  readonly value: string;
  readonly params: ReadonlyMap<string, string>;
}

export type Message = Request | Response;

/** What requests and responses have in common. Typed values are read on first use and kept; messages are immutable. */
abstract class SipMessage {
  readonly headers: HeaderList;
  readonly body: Uint8Array;

  constructor(headers: HeaderList, body: Uint8Array) {
    this.headers = headers;
    this.body = body;
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
    throw new InvariantError('not built');
  }
  get to(): NameAddr {
    throw new InvariantError('not built');
  }
  get callId(): string {
    throw new InvariantError('not built');
  }
  get cSeq(): CSeq {
    throw new InvariantError('not built');
  }
  get vias(): readonly Via[] {
    throw new InvariantError('not built');
  }
  get topVia(): Via {
    throw new InvariantError('not built');
  }

  // Lists: empty when the header is not there. Contact, Route and Record-Route have been checked by the parser.

  get contacts(): Contacts {
    throw new InvariantError('not built');
  }
  get routes(): readonly NameAddr[] {
    throw new InvariantError('not built');
  }
  get recordRoutes(): readonly NameAddr[] {
    throw new InvariantError('not built');
  }
  /** Option tags, lower-cased. */
  get require(): readonly string[] {
    throw new InvariantError('not built');
  }
  get proxyRequire(): readonly string[] {
    throw new InvariantError('not built');
  }
  get supported(): readonly string[] {
    throw new InvariantError('not built');
  }
  get allow(): readonly string[] {
    throw new InvariantError('not built');
  }

  // Optional values: `undefined` when absent or malformed.

  /** Seconds; beyond 2^32-1 it counts as malformed (RFC 4475 §3.1.2.4). */
  get expires(): number | undefined {
    throw new InvariantError('not built');
  }
  get minExpires(): number | undefined {
    throw new InvariantError('not built');
  }
  /** Seconds, without comment and parameters. */
  get retryAfter(): number | undefined {
    throw new InvariantError('not built');
  }
  get contentType(): MediaType | undefined {
    throw new InvariantError('not built');
  }
  get event(): ParameterizedValue | undefined {
    throw new InvariantError('not built');
  }
  get subscriptionState(): ParameterizedValue | undefined {
    throw new InvariantError('not built');
  }
  get reasons(): readonly ParameterizedValue[] {
    throw new InvariantError('not built');
  }
  get referTo(): NameAddr | undefined {
    throw new InvariantError('not built');
  }
  /** WWW-Authenticate or Authorization, malformed ones left out. */
  get authenticate(): readonly AuthValue[] {
    throw new InvariantError('not built');
  }
  get proxyAuthenticate(): readonly AuthValue[] {
    throw new InvariantError('not built');
  }
  get authorization(): readonly AuthValue[] {
    throw new InvariantError('not built');
  }
  get proxyAuthorization(): readonly AuthValue[] {
    throw new InvariantError('not built');
  }
}

/** RFC 3261 §7.1. */
export class Request extends SipMessage {
  readonly kind = 'request';
  readonly method: string;
  readonly requestUri: Uri;

  constructor(method: string, requestUri: Uri, headers: HeaderList, body: Uint8Array) {
    super(headers, body);
    this.method = method;
    this.requestUri = requestUri;
  }

  /** 0 to 255; `undefined` when absent (RFC 3261 §16.3: as if 70). */
  get maxForwards(): number | undefined {
    throw new InvariantError('not built');
  }

  with(change: { readonly requestUri?: Uri; readonly headers?: HeaderList; readonly body?: Uint8Array }): Request {
    throw new InvariantError(`not built: ${change}`);
  }
}

/** RFC 3261 §7.2. */
export class Response extends SipMessage {
  readonly kind = 'response';
  /** 100 to 699. */
  readonly statusCode: number;
  readonly reasonPhrase: string;

  constructor(statusCode: number, reasonPhrase: string, headers: HeaderList, body: Uint8Array) {
    super(headers, body);
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
    throw new InvariantError(`not built: ${change}`);
  }
}
