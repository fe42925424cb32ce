import { InvariantError } from '#firmware/core/errors.ts';

export type Uri = SipUri | OtherUri;

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
  /** The `?name=value` part, in order, names as written. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

/** RFC 3261 §19.1: an immutable SIP or SIPS URI. Keeps the text it was parsed from, so that forwarding it changes no byte. */
export class SipUri {
  readonly kind = 'sip';
  readonly scheme: 'sip' | 'sips';
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly host: string;
  readonly port: number | undefined;
  readonly params: ReadonlyMap<string, string>;
  readonly headers: readonly (readonly [name: string, value: string])[];

  constructor(parts: SipUriParts) {
    this.scheme = parts.scheme ?? 'sip';
    this.user = parts.user;
    this.password = parts.password;
    this.host = parts.host;
    this.port = parts.port;
    this.params = parts.params ?? new Map();
    this.headers = parts.headers ?? [];
  }

  /** A copy with other parts; `undefined` takes a part away. */
  with(change: { readonly [Part in keyof SipUriParts]?: SipUriParts[Part] | undefined }): SipUri {
    throw new InvariantError(`not built: ${change}`);
  }

  withParam(name: string, value: string): SipUri {
    throw new InvariantError(`not built: ${name} ${value}`);
  }

  withoutParam(name: string): SipUri {
    throw new InvariantError(`not built: ${name}`);
  }

  /** True for a loose router, RFC 3261 §19.1.1. */
  get isLooseRouter(): boolean {
    return this.params.has('lr');
  }

  /** The value as it goes on the wire. */
  toString(): string {
    return formatUri(this);
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

/** RFC 3261 §25.1 SIP-URI, SIPS-URI or absoluteURI; `undefined` if it is none. */
export function parseUri(text: string): Uri | undefined {
  throw new InvariantError(`not built: ${text}`);
}

export function formatUri(uri: Uri): string {
  throw new InvariantError(`not built: ${uri.kind}`);
}

/** RFC 3261 §19.1.4: true if both name the same resource. Other schemes compare as text, the scheme without case. */
export function sameUri(a: Uri, b: Uri): boolean {
  throw new InvariantError(`not built: ${a.kind} ${b.kind}`);
}
