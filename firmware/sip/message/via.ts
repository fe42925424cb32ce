import { type Entropy, randomToken } from '#firmware/core/entropy.ts';
import { charClass, code, lowerSlice, readDecimal, skipClass, skipHost, trimEnd } from './grammar.ts';
import { Cursor, formatParams, listAtMost, noParams, readParams } from './params.ts';

/** RFC 3261 §8.1.1.7: what every branch of this specification begins with. */
export const magicCookie = 'z9hG4bK';

/** A branch no other request has. */
export function newBranch(entropy: Entropy): string {
  return magicCookie + randomToken(entropy, 16);
}

/** What a Via value is made of. */
export interface ViaParts {
  /** `UDP`, `TCP`, `TLS`, `WS`, `WSS` or whatever stood there, upper-cased. */
  readonly transport: string;
  /** Sent-by host in lower case, an IPv6 reference with its brackets. */
  readonly host: string;
  readonly port?: number | undefined;
  /** By lower-cased name; a parameter without a value (`rport`) has the value ''. */
  readonly params?: ReadonlyMap<string, string>;
  /** `SIP/2.0` unless told. */
  readonly protocol?: string;
}

/** RFC 3261 §20.42: one hop a request took. Immutable. */
export class Via {
  readonly protocol: string;
  readonly transport: string;
  readonly host: string;
  readonly port: number | undefined;
  readonly params: ReadonlyMap<string, string>;
  readonly #text: string | undefined;

  /** `text` is what the parts were parsed from, when they were. */
  constructor(parts: ViaParts, text?: string) {
    this.protocol = parts.protocol ?? 'SIP/2.0';
    this.transport = parts.transport;
    this.host = parts.host;
    this.port = parts.port;
    this.params = parts.params ?? noParams;
    this.#text = text;
  }

  get branch(): string | undefined {
    return this.params.get('branch');
  }

  /** True if the branch begins with the magic cookie and says more than that (RFC 3261 §8.1.1.7, RFC 4475 §3.2.1). */
  get hasUniqueBranch(): boolean {
    const branch = this.params.get('branch');
    return branch !== undefined && branch.length > magicCookie.length && hasCookie(branch);
  }

  /** The address the request came from, without brackets. */
  get received(): string | undefined {
    const received = this.params.get('received');
    return received?.startsWith('[') ? received.slice(1, -1) : received;
  }

  /** RFC 3581: the port the request came from; '' when the sender asks for it, `undefined` when it does not. */
  get rport(): number | '' | undefined {
    const rport = this.params.get('rport');
    if (rport === undefined || rport === '') return rport;
    const port = readDecimal(rport, 0, rport.length, 65_535);
    return port > 0 ? port : '';
  }

  get maddr(): string | undefined {
    return this.params.get('maddr');
  }

  /** `host` or `host:port` as sent. */
  get sentBy(): string {
    return this.port === undefined ? this.host : `${this.host}:${this.port}`;
  }

  /** A copy with the parameter set. */
  withParam(name: string, value: string): Via {
    return this.withParams([[name, value]]);
  }

  /** A copy with the parameters set. */
  withParams(entries: readonly (readonly [name: string, value: string])[]): Via {
    const params = new Map(this.params);
    for (const [name, value] of entries) params.set(name.toLowerCase(), value);
    const { protocol, transport, host, port } = this;
    return new Via({ protocol, transport, host, port, params });
  }

  /** The value as it goes on the wire; as it came if it was parsed. */
  toString(): string {
    return this.#text ?? `${this.protocol}/${this.transport} ${this.sentBy}${formatParams(this.params)}`;
  }
}

/** A comma list of at least one; `undefined` if any is malformed or there are too many. */
export function parseViaList(text: string, start = 0, end: number = text.length): readonly Via[] | undefined {
  const cursor = new Cursor(text, start, end);
  const vias: Via[] = [];
  do {
    const via = readVia(cursor);
    if (!via || vias.length === listAtMost) return undefined;
    vias.push(via);
  } while (cursor.skip(code.comma));
  return cursor.at === end ? vias : undefined;
}

/** The first element alone, whatever comes after it. */
export function parseFirstVia(text: string, start = 0, end: number = text.length): Via | undefined {
  return readVia(new Cursor(text, start, end));
}

/** RFC 3261 §8.1.1.7 has the cookie with this case; §7.3.1 makes parameter values case-insensitive, and so do peers. */
function hasCookie(branch: string): boolean {
  return branch.startsWith(magicCookie) || branch.slice(0, magicCookie.length).toLowerCase() === 'z9hg4bk';
}

function readVia(cursor: Cursor): Via | undefined {
  cursor.skipSpace();
  const { text, end } = cursor;
  const start = cursor.at;
  const protocol = readProtocol(cursor);
  const transport = protocol === undefined ? undefined : readToken(cursor);
  if (protocol === undefined || transport === undefined) return undefined;
  const space = cursor.at;
  cursor.skipSpace();
  if (cursor.at === space) return undefined;
  const hostEnd = skipHost(text, cursor.at, end);
  if (hostEnd < 0) return undefined;
  const host = lowerSlice(text, cursor.at, hostEnd);
  cursor.at = hostEnd;
  const port = cursor.skip(code.colon) ? readPort(cursor) : undefined;
  if (port !== undefined && port < 1) return undefined;
  const params = readParams(cursor);
  if (!params) return undefined;
  return new Via({ protocol, transport: transport.toUpperCase(), host, port, params }, text.slice(start, trimEnd(text, start, cursor.at)));
}

/** `SIP / 2.0 /`, given back without the white space. */
function readProtocol(cursor: Cursor): string | undefined {
  if (cursor.text.startsWith('SIP/2.0/', cursor.at)) {
    cursor.at += 8;
    return cursor.at <= cursor.end ? 'SIP/2.0' : undefined;
  }
  const name = readToken(cursor);
  if (name === undefined || !cursor.skip(code.slash)) return undefined;
  const version = readToken(cursor);
  return version !== undefined && cursor.skip(code.slash) ? `${name}/${version}` : undefined;
}

function readToken(cursor: Cursor): string | undefined {
  cursor.skipSpace();
  const start = cursor.at;
  cursor.at = skipClass(cursor.text, start, cursor.end, charClass.token);
  return cursor.at > start ? cursor.text.slice(start, cursor.at) : undefined;
}

function readPort(cursor: Cursor): number {
  cursor.skipSpace();
  const start = cursor.at;
  cursor.at = skipClass(cursor.text, start, cursor.end, charClass.token);
  return readDecimal(cursor.text, start, cursor.at, 65_535);
}
