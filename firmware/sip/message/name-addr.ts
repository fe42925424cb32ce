import { InvariantError } from '#firmware/core/errors.ts';
import { formatUri, type Uri } from './uri.ts';

/** RFC 3261 §20.10 name-addr or addr-spec with its header parameters: From, To, Contact, Route, Refer-To and the like. Immutable. */
export class NameAddr {
  /** Without quotes and escapes; `undefined` when there is none. */
  readonly displayName: string | undefined;
  readonly uri: Uri;
  /** Header parameters by lower-cased name, quotes and escapes undone; a parameter without a value has the value ''. */
  readonly params: ReadonlyMap<string, string>;

  constructor(uri: Uri, displayName?: string, params: ReadonlyMap<string, string> = new Map()) {
    this.uri = uri;
    this.displayName = displayName;
    this.params = params;
  }

  get tag(): string | undefined {
    return this.params.get('tag');
  }

  /** A copy with the parameter set. */
  withParam(name: string, value: string): NameAddr {
    throw new InvariantError(`not built: ${name} ${value}`);
  }

  withoutParam(name: string): NameAddr {
    throw new InvariantError(`not built: ${name}`);
  }

  /** The value as it goes on the wire, always with angle brackets if it was not parsed from elsewhere. */
  toString(): string {
    return formatUri(this.uri);
  }
}

/** One value; `undefined` if malformed. */
export function parseNameAddr(text: string): NameAddr | undefined {
  throw new InvariantError(`not built: ${text}`);
}

/** A comma list of at least one; `undefined` if any is malformed. */
export function parseNameAddrList(text: string): readonly NameAddr[] | undefined {
  throw new InvariantError(`not built: ${text}`);
}

/** The Contact values of a message; `*` only in a REGISTER that removes all bindings (RFC 3261 §10.2.2). */
export type Contacts = '*' | readonly NameAddr[];
