import { type Entropy, randomToken } from '#firmware/core/entropy.ts';
import { charClass, code, readDecimal } from './grammar.ts';
import { formatParams, listAtMost, paramsBetween, readParam, valueBetween } from './params.ts';
import { Cursor, classEnd, codesOf, decimalBetween, readHost, trimmedEnd } from './scan.ts';

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
  /** Of the parameters, in place of `params`, what every reader wants, when they stay in a text. */
  readonly branch?: string | undefined;
  readonly received?: string | undefined;
  readonly rport?: string | undefined;
  /** `SIP/2.0` unless told. */
  readonly protocol?: string;
}

/** RFC 3261 §20.42: one hop a request took. Immutable. */
export class Via {
  readonly protocol: string;
  readonly transport: string;
  readonly host: string;
  readonly port: number | undefined;
  readonly branch: string | undefined;
  readonly #received: string | undefined;
  readonly #rport: string | undefined;
  #params: ReadonlyMap<string, string> | undefined;
  readonly #text: string | undefined;
  readonly #codes: Uint8Array | undefined;
  readonly #start: number;
  readonly #paramsStart: number;
  readonly #end: number;

  /** From `start` to `end` in `text` stands what the parts were parsed from, when they were: parameters stay there until asked for. */
  constructor(parts: ViaParts, text?: string, codes?: Uint8Array, start = 0, paramsStart = 0, end = 0) {
    this.protocol = parts.protocol ?? 'SIP/2.0';
    this.transport = parts.transport;
    this.host = parts.host;
    this.port = parts.port;
    this.#params = parts.params;
    this.branch = parts.params ? parts.params.get('branch') : parts.branch;
    this.#received = parts.params ? parts.params.get('received') : parts.received;
    this.#rport = parts.params ? parts.params.get('rport') : parts.rport;
    this.#text = text;
    this.#codes = codes;
    this.#start = start;
    this.#paramsStart = paramsStart;
    this.#end = end;
  }

  /** By lower-cased name; a parameter without a value (`rport`) has the value ''. */
  get params(): ReadonlyMap<string, string> {
    this.#params ??= paramsBetween(this.#text, this.#codes, this.#paramsStart, this.#end);
    return this.#params;
  }

  /** True if the branch begins with the magic cookie and says more than that (RFC 3261 §8.1.1.7, RFC 4475 §3.2.1). */
  get hasUniqueBranch(): boolean {
    const { branch } = this;
    return branch !== undefined && branch.length > magicCookie.length && hasCookie(branch);
  }

  /** The address the request came from, without brackets. */
  get received(): string | undefined {
    const received = this.#received;
    return received?.startsWith('[') ? received.slice(1, -1) : received;
  }

  /** RFC 3581: the port the request came from; '' when the sender asks for it, `undefined` when it does not. */
  get rport(): number | '' | undefined {
    const rport = this.#rport;
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
    if (this.#text !== undefined) return this.#text.slice(this.#start, this.#end);
    return `${this.protocol}/${this.transport} ${this.sentBy}${formatParams(this.params)}`;
  }
}

/** A comma list of at least one; `undefined` if any is malformed or there are too many. */
export function parseViaList(
  text: string,
  start = 0,
  end: number = text.length,
  codes: Uint8Array = codesOf(text),
): readonly Via[] | undefined {
  const cursor = new Cursor(text, codes, start, end);
  const vias: Via[] = [];
  do {
    const via = readVia(cursor);
    if (!via || vias.length === listAtMost) return undefined;
    vias.push(via);
  } while (cursor.skip(code.comma));
  return cursor.at === end ? vias : undefined;
}

/** The first element alone, whatever comes after it. */
export function parseFirstVia(text: string, start = 0, end: number = text.length, codes: Uint8Array = codesOf(text)): Via | undefined {
  return readVia(new Cursor(text, codes, start, end));
}

/** RFC 3261 §8.1.1.7 has the cookie with this case; §7.3.1 makes parameter values case-insensitive, and so do peers. */
function hasCookie(branch: string): boolean {
  return branch.startsWith(magicCookie) || branch.slice(0, magicCookie.length).toLowerCase() === 'z9hg4bk';
}

function readVia(cursor: Cursor): Via | undefined {
  cursor.skipSpace();
  const { text, codes, at: start, end } = cursor;
  const usual = usualTransport(codes, start, end);
  if (usual !== undefined) cursor.at = start + usualLength;
  const protocol = usual === undefined ? readProtocol(cursor) : 'SIP/2.0';
  const transport = usual ?? (protocol === undefined ? undefined : readTransport(cursor));
  if (protocol === undefined || transport === undefined) return undefined;
  if (usual === undefined && !isSpace(codes, cursor.at, end)) return undefined;
  cursor.skipSpace();
  const host = readHost(cursor);
  if (host === undefined) return undefined;
  const port = cursor.skip(code.colon) ? readPort(cursor) : undefined;
  if (port !== undefined && port < 1) return undefined;
  cursor.skipSpace();
  const paramsStart = cursor.at;
  let branch: string | undefined;
  let received: string | undefined;
  let rport: string | undefined;
  while (readParam(cursor)) {
    if (cursor.isParam('branch')) branch ??= valueBetween(text, codes, cursor.value, cursor.valueEnd);
    else if (cursor.isParam('rport')) rport ??= valueBetween(text, codes, cursor.value, cursor.valueEnd);
    else if (cursor.isParam('received')) received ??= valueBetween(text, codes, cursor.value, cursor.valueEnd);
  }
  if (cursor.isMalformed) return undefined;
  return new Via(
    { protocol, transport, host, port, branch, received, rport },
    text,
    codes,
    start,
    paramsStart,
    trimmedEnd(codes, start, cursor.at),
  );
}

function isSpace(codes: Uint8Array, at: number, end: number): boolean {
  return at < end && (codes[at] === code.space || codes[at] === code.tab);
}

const usualLength = 'SIP/2.0/UDP '.length;

/** Nearly every Via begins with one of these; they are not cut out but one text each. */
function usualTransport(codes: Uint8Array, at: number, end: number): 'UDP' | 'TCP' | 'TLS' | undefined {
  if (at + usualLength > end || codes[at + usualLength - 1] !== code.space || !isCodeAt(codes, at, usualProtocol)) return undefined;
  const [first, second, third] = [codes[at + 8], codes[at + 9], codes[at + 10]];
  if (first === 85 && second === 68 && third === 80) return 'UDP';
  if (first !== 84) return undefined;
  return second === 67 && third === 80 ? 'TCP' : second === 76 && third === 83 ? 'TLS' : undefined;
}

/** `SIP / 2.0 /`, given back without the white space. */
function readProtocol(cursor: Cursor): string | undefined {
  const name = readToken(cursor);
  if (name === undefined || !cursor.skip(code.slash)) return undefined;
  const version = readToken(cursor);
  return version !== undefined && cursor.skip(code.slash) ? `${name}/${version}` : undefined;
}

const usualProtocol = codesOf('SIP/2.0/');

function isCodeAt(codes: Uint8Array, start: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i++) if (codes[start + i] !== word[i]) return false;
  return true;
}

function readTransport(cursor: Cursor): string | undefined {
  return readToken(cursor)?.toUpperCase();
}

function readToken(cursor: Cursor): string | undefined {
  cursor.skipSpace();
  const start = cursor.at;
  cursor.at = classEnd(cursor.codes, start, cursor.end, charClass.token);
  return cursor.at > start ? cursor.text.slice(start, cursor.at) : undefined;
}

function readPort(cursor: Cursor): number {
  cursor.skipSpace();
  const start = cursor.at;
  cursor.at = classEnd(cursor.codes, start, cursor.end, charClass.token);
  return decimalBetween(cursor.codes, start, cursor.at, 65_535);
}
