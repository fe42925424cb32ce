/**
 * SDP (RFC 8866) as immutable values. Strict where a wrong guess would send sound to the wrong place (addresses, ports, counts), tolerant
 * where real phones are sloppy (bare LF, missing s= and t=, odd attributes), bounded everywhere.
 */

export type AddressType = 'IP4' | 'IP6';

/** An address as o= and c= carry it; the network type is always IN. */
export interface SdpAddress {
  readonly addressType: AddressType;
  readonly address: string;
}

/** The o= line: who made the description and which version of it this is. */
export interface Origin extends SdpAddress {
  readonly username: string;
  /** Numeric text; may exceed 2^53, so it is never a number here. */
  readonly sessionId: string;
  readonly version: string;
}

/** One a= line; a property attribute has no value. */
export interface SdpAttribute {
  readonly name: string;
  readonly value: string | undefined;
}

/** One m= line with the lines that belong to it. */
export interface MediaSection {
  /** `audio`, `video`, `application` … */
  readonly media: string;
  /** 0 means the stream is refused or over (RFC 3264 §6). */
  readonly port: number;
  /** The transport, such as `RTP/AVP`. */
  readonly protocol: string;
  /** Payload types for RTP, as text. */
  readonly formats: readonly string[];
  /** Its own c= line; without one the session's holds. */
  readonly connection: SdpAddress | undefined;
  readonly attributes: readonly SdpAttribute[];
}

/** A whole description. */
export interface SessionDescription {
  readonly origin: Origin;
  readonly sessionName: string;
  readonly connection: SdpAddress | undefined;
  readonly attributes: readonly SdpAttribute[];
  readonly media: readonly MediaSection[];
}

export type SdpParseFailure =
  | 'too-long'
  | 'too-many-lines'
  | 'line-too-long'
  | 'too-many-media'
  | 'not-text'
  | 'malformed-line'
  | 'unknown-version'
  | 'malformed-origin'
  | 'missing-origin'
  | 'malformed-connection'
  | 'malformed-media';

export type SdpParseOutcome =
  | { readonly outcome: 'parsed'; readonly description: SessionDescription }
  | { readonly outcome: 'malformed'; readonly reason: SdpParseFailure; readonly line: number };

/** Bounds on what a peer may send; far above what any phone or browser does. */
const sdpLimits = { bytes: 65_536, lines: 2_000, lineBytes: 8_192, media: 64 } as const;

/** Reads the body of a SIP message. Never throws; `line` counts from 1. */
export function parseSessionDescription(body: Uint8Array | string): SdpParseOutcome {
  if (body.length > sdpLimits.bytes) return malformed('too-long', 0);
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body);
  if (text.includes('\0')) return malformed('not-text', 0);
  const reader = new DescriptionReader();
  let start = 0;
  let line = 0;
  while (start < text.length) {
    line++;
    const newline = text.indexOf('\n', start);
    const next = newline < 0 ? text.length : newline;
    if (line > sdpLimits.lines) return malformed('too-many-lines', line);
    if (next - start > sdpLimits.lineBytes) return malformed('line-too-long', line);
    const content = text.slice(start, next).trimEnd();
    // RFC 8866 §9: byte-string excludes CR. Kept, it would end the line for the next reader of what we send on.
    if (content.includes('\r')) return malformed('not-text', line);
    const failure = reader.read(content, line === 1);
    if (failure) return malformed(failure, line);
    start = next + 1;
  }
  return reader.finish(line);
}

/** The description as text with CRLF, in the order of RFC 8866 §9. */
export function formatSessionDescription(description: SessionDescription): string {
  const { origin, sessionName, connection, attributes, media } = description;
  let text = `v=0\r\no=${origin.username} ${origin.sessionId} ${origin.version} ${formatAddress(origin)}\r\ns=${sessionName}\r\n`;
  if (connection) text += `c=${formatAddress(connection)}\r\n`;
  text += 't=0 0\r\n';
  text += formatAttributes(attributes);
  for (const section of media) {
    text += `m=${section.media} ${section.port} ${section.protocol} ${section.formats.join(' ')}\r\n`;
    if (section.connection) text += `c=${formatAddress(section.connection)}\r\n`;
    text += formatAttributes(section.attributes);
  }
  return text;
}

/** The value of the first attribute `name`; `undefined` when it is absent or has none. */
export function attributeValue(attributes: readonly SdpAttribute[], name: string): string | undefined {
  for (const attribute of attributes) if (attribute.name === name) return attribute.value;
  return undefined;
}

/** True if the attribute `name` is there, with or without a value. */
export function hasAttribute(attributes: readonly SdpAttribute[], name: string): boolean {
  return attributes.some((attribute) => attribute.name === name);
}

/** An unsigned decimal integer not above `atMost`, digits only; `undefined` for anything else. */
export function parseDecimal(text: string, atMost: number): number | undefined {
  if (text.length === 0 || text.length > 10) return undefined;
  let value = 0;
  for (let index = 0; index < text.length; index++) {
    const digit = text.charCodeAt(index) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value <= atMost ? value : undefined;
}

/** The words of a line; runs of spaces and tabs count as one separator. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let start = -1;
  for (let index = 0; index <= text.length; index++) {
    const code = index < text.length ? text.charCodeAt(index) : 32;
    const space = code === 32 || code === 9;
    if (!space && start < 0) start = index;
    if (space && start >= 0) {
      words.push(text.slice(start, index));
      start = -1;
    }
  }
  return words;
}

interface OpenSection {
  media: string;
  port: number;
  protocol: string;
  formats: string[];
  connection: SdpAddress | undefined;
  attributes: SdpAttribute[];
}

/** Collects lines; m= opens a section and everything after it belongs there. */
class DescriptionReader {
  #origin: Origin | undefined;
  #sessionName = '-';
  #connection: SdpAddress | undefined;
  readonly #attributes: SdpAttribute[] = [];
  readonly #media: OpenSection[] = [];

  read(line: string, first: boolean): SdpParseFailure | undefined {
    if (first) return line === 'v=0' ? undefined : 'unknown-version';
    if (line === '') return undefined;
    if (line.charCodeAt(1) !== 61) return 'malformed-line';
    const value = line.slice(2);
    switch (line[0]) {
      case 'o':
        this.#origin ??= parseOrigin(value);
        return this.#origin ? undefined : 'malformed-origin';
      case 's':
        this.#sessionName = value === '' ? '-' : value;
        return undefined;
      case 'c':
        return this.#readConnection(value);
      case 'a':
        this.#readAttribute(value);
        return undefined;
      case 'm':
        return this.#readMedia(value);
      default:
        // i u e p b t r z k and what is not invented yet: nothing here depends on them (RFC 8866 §5: ignore unknown types).
        return undefined;
    }
  }

  finish(line: number): SdpParseOutcome {
    if (!this.#origin) return malformed('missing-origin', line);
    const description: SessionDescription = {
      origin: this.#origin,
      sessionName: this.#sessionName,
      connection: this.#connection,
      attributes: this.#attributes,
      media: this.#media,
    };
    return { outcome: 'parsed', description };
  }

  #readConnection(value: string): SdpParseFailure | undefined {
    const [network, addressType, address] = splitWords(value);
    if (network?.toUpperCase() !== 'IN' || address === undefined) return 'malformed-connection';
    const type = addressTypeOf(addressType);
    if (!type) return 'malformed-connection';
    const parsed = { addressType: type, address };
    const section = this.#media.at(-1);
    // A section may list several addresses for layered coding; the first is the one a phone uses.
    if (section) section.connection ??= parsed;
    else this.#connection ??= parsed;
    return undefined;
  }

  #readAttribute(value: string): void {
    const colon = value.indexOf(':');
    const name = colon < 0 ? value : value.slice(0, colon);
    if (name === '') return;
    const attribute = { name, value: colon < 0 ? undefined : value.slice(colon + 1) };
    (this.#media.at(-1)?.attributes ?? this.#attributes).push(attribute);
  }

  #readMedia(value: string): SdpParseFailure | undefined {
    if (this.#media.length >= sdpLimits.media) return 'too-many-media';
    const [media, portAndCount, protocol, ...formats] = splitWords(value);
    if (media === undefined || portAndCount === undefined || protocol === undefined) return 'malformed-media';
    const slash = portAndCount.indexOf('/');
    const port = parseDecimal(slash < 0 ? portAndCount : portAndCount.slice(0, slash), 65_535);
    if (port === undefined) return 'malformed-media';
    this.#media.push({ media, port, protocol, formats, connection: undefined, attributes: [] });
    return undefined;
  }
}

function parseOrigin(value: string): Origin | undefined {
  const [username, sessionId, version, network, addressType, address] = splitWords(value);
  if (username === undefined || sessionId === undefined || version === undefined || address === undefined) return undefined;
  const type = addressTypeOf(addressType);
  if (network?.toUpperCase() !== 'IN' || !type) return undefined;
  return { username, sessionId, version, addressType: type, address };
}

function addressTypeOf(text: string | undefined): AddressType | undefined {
  const upper = text?.toUpperCase();
  return upper === 'IP4' || upper === 'IP6' ? upper : undefined;
}

function formatAddress(address: SdpAddress): string {
  return `IN ${address.addressType} ${address.address}`;
}

function formatAttributes(attributes: readonly SdpAttribute[]): string {
  let text = '';
  for (const { name, value } of attributes) text += value === undefined ? `a=${name}\r\n` : `a=${name}:${value}\r\n`;
  return text;
}

function malformed(reason: SdpParseFailure, line: number): SdpParseOutcome {
  return { outcome: 'malformed', reason, line };
}
