import { InvariantError } from '#firmware/core/errors.ts';

/** What a Via value is made of. */
export interface ViaParts {
  /** `UDP`, `TCP`, `TLS`, `WS`, `WSS` or whatever stood there, upper-cased. */
  readonly transport: string;
  /** Sent-by host in lower case, an IPv6 reference with its brackets. */
  readonly host: string;
  readonly port?: number | undefined;
  /** By lower-cased name; a parameter without a value (`rport`) has the value ''. */
  readonly params?: ReadonlyMap<string, string>;
}

/** RFC 3261 §20.42: one hop a request took. Immutable. */
export class Via {
  readonly transport: string;
  readonly host: string;
  readonly port: number | undefined;
  readonly params: ReadonlyMap<string, string>;

  constructor(parts: ViaParts) {
    this.transport = parts.transport;
    this.host = parts.host;
    this.port = parts.port;
    this.params = parts.params ?? new Map();
  }

  get branch(): string | undefined {
    return this.params.get('branch');
  }

  /** True if the branch begins with the magic cookie and says more than that (RFC 3261 §8.1.1.7, RFC 4475 §3.2.1). */
  get hasUniqueBranch(): boolean {
    throw new InvariantError('not built');
  }

  /** The address the request came from, without brackets. */
  get received(): string | undefined {
    return this.params.get('received');
  }

  /** RFC 3581: the port the request came from; '' when the sender asks for it, `undefined` when it does not. */
  get rport(): number | '' | undefined {
    throw new InvariantError('not built');
  }

  get maddr(): string | undefined {
    return this.params.get('maddr');
  }

  /** `host` or `host:port` as sent. */
  get sentBy(): string {
    throw new InvariantError('not built');
  }

  withParam(name: string, value: string): Via {
    throw new InvariantError(`not built: ${name} ${value}`);
  }

  toString(): string {
    throw new InvariantError('not built');
  }
}

/** A comma list of at least one; `undefined` if any is malformed. */
export function parseViaList(text: string): readonly Via[] | undefined {
  throw new InvariantError(`not built: ${text}`);
}

/** RFC 3261 §8.1.1.7: what every branch of this specification begins with. */
export const magicCookie = 'z9hG4bK';
