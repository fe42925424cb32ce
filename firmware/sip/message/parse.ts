import { charClass, code, isAt, isToken, readDecimal, trimEnd } from './grammar.ts';
import { type HeaderName, knownHeader, otherHeader } from './header-names.ts';
import { parseCallId, parseContentLength, parseCSeq, parseMaxForwards } from './header-values.ts';
import { HeaderField, HeaderList } from './headers.ts';
import { type Message, ReadValues, Request, Response } from './message.ts';
import { isKnownMethod, methodBetween } from './methods.ts';
import { parseContacts, parseNameAddr, parseNameAddrList } from './name-addr.ts';
import { classEnd, codesOf, spaceEnd, trimmedEnd } from './scan.ts';
import { decodeText } from './text.ts';
import { parseUri } from './uri.ts';
import { parseViaList } from './via.ts';

/*
 * Bytes become a message in two steps. `splitMessage` decodes them once and finds the lines, the header names and where each value stands:
 * nothing is cut out. `parseMessage` then reads the values without which nobody can go on, and refuses the message if one is malformed; the
 * fields keep what was read. All other values are read when somebody asks.
 *
 *   bytes → text → start line | fields: name, key, where the value stands | body → Request or Response, or why not
 */

/** How large a message may be; beyond it parsing fails with 513. */
export interface MessageLimits {
  /** Octets of the whole message. */
  readonly messageBytes: number;
  /** Characters of start line and headers; of ASCII these are octets. */
  readonly headerBytes: number;
  /** Header fields. */
  readonly headerFields: number;
}

export const defaultMessageLimits: MessageLimits = { messageBytes: 65_536, headerBytes: 32_768, headerFields: 1_024 };

/** What can be read of a request that can not be processed, enough to answer it (`buildErrorResponse`). */
export interface BrokenRequest {
  readonly method: string;
  /** The header fields that could be read, values unchecked; there is at least one Via. */
  readonly headers: HeaderList;
}

export type ParseResult = ParsedMessage | ParseFailure;

export interface ParsedMessage {
  readonly ok: true;
  readonly message: Message;
}

export interface ParseFailure {
  readonly ok: false;
  /** A short stable kebab-case phrase for counters and logs: `content-length-invalid`. */
  readonly reason: string;
  /** What to answer, when it is a request that may be answered; then `broken` is there too. */
  readonly statusCode?: number;
  readonly broken?: BrokenRequest;
}

/** A message taken apart, its values not yet looked at. */
export interface SplitMessage {
  readonly startLine: string;
  /** All that was decoded, the codes of it, and where in it the start line begins. */
  readonly text: string;
  readonly codes: Uint8Array;
  readonly start: number;
  readonly headers: HeaderList;
  /** Where the body begins in the bytes. */
  readonly bodyStart: number;
  /** What is wrong with it as far as can be seen without looking at values. */
  readonly fault: Fault | undefined;
}

interface Fault {
  readonly reason: string;
  readonly statusCode: number;
}

const noBody = new Uint8Array(0);

/**
 * One whole message: a datagram, or what the stream framer cut out. Never throws, whatever the bytes. They belong to the message from then on:
 * its body is a view of them.
 */
export function parseMessage(bytes: Uint8Array, limits: MessageLimits = defaultMessageLimits): ParseResult {
  const split = splitMessage(bytes, limits);
  if (!split) return { ok: false, reason: 'keep-alive' };
  return isStatusLine(split.startLine) ? parseResponse(split, bytes) : parseRequest(split, bytes);
}

function isStatusLine(startLine: string): boolean {
  return startLine.charCodeAt(3) === code.slash && (isAt(startLine, 0, 'SIP') || startLine.slice(0, 3).toUpperCase() === 'SIP');
}

function parseResponse(split: SplitMessage, bytes: Uint8Array): ParseResult {
  const { startLine, headers } = split;
  const isVersion2 = isAt(startLine, 0, 'SIP/2.0 ') || startLine.slice(0, 8).toUpperCase() === 'SIP/2.0 ';
  const statusCode = readDecimal(startLine, 8, 11, 699);
  const isEnd = startLine.length === 11 || startLine.charCodeAt(11) === code.space;
  if (!isVersion2 || statusCode < 100 || !isEnd) return { ok: false, reason: 'status-line-malformed' };
  const read = new ReadValues();
  const fault = split.fault ?? readJudged(headers, undefined, read);
  if (fault) return { ok: false, reason: fault.reason };
  const body = bodyOf(split, bytes);
  if (!body) return { ok: false, reason: 'body-short' };
  return { ok: true, message: new Response(statusCode, startLine.slice(12), headers, body, read) };
}

function parseRequest(split: SplitMessage, bytes: Uint8Array): ParseResult {
  const { text, codes, start, startLine, headers } = split;
  const methodEnd = startLine.indexOf(' ');
  const uriEnd = endOfUri(startLine);
  const method = methodBetween(text, codes, start, start + Math.max(methodEnd, 0));
  if (uriEnd <= methodEnd || !isToken(method)) return { ok: false, reason: 'request-line-malformed' };
  const fault = faultOfVersion(startLine, uriEnd + 1) ?? split.fault;
  if (fault) return refuse(split, method, fault);
  const requestUri = parseUri(text, start + methodEnd + 1, start + uriEnd, codes);
  if (!requestUri || (requestUri.kind === 'sip' && requestUri.headers.length > 0)) return refuse(split, method, bad('request-uri-invalid'));
  const read = new ReadValues();
  const headerFault = readJudged(headers, method, read);
  if (headerFault) return refuse(split, method, headerFault);
  const body = bodyOf(split, bytes);
  if (!body) return refuse(split, method, bad('body-short'));
  return { ok: true, message: new Request(method, requestUri, headers, body, read) };
}

/** Where the Request-URI ends: before the last word, which must be a version of SIP; -1 if it is none. */
function endOfUri(startLine: string): number {
  const usual = startLine.length - usualEnd.length;
  if (isAt(startLine, usual, usualEnd)) return usual;
  const versionEnd = trimEnd(startLine, 0, startLine.length);
  const uriEnd = startLine.lastIndexOf(' ', versionEnd - 1);
  return startLine.slice(uriEnd + 1, uriEnd + 5).toUpperCase() === 'SIP/' ? uriEnd : -1;
}

const usualEnd = ' SIP/2.0';

function refuse({ headers }: SplitMessage, method: string, { reason, statusCode }: Fault): ParseFailure {
  // An ACK is never answered, and without a Via nobody could tell what an answer belongs to.
  if (method === 'ACK' || headers.firstOf('via') === undefined) return { ok: false, reason };
  return { ok: false, reason, statusCode, broken: { method, headers } };
}

/** Why a message whose header is complete can not be cut out of its stream; an answer goes out before the stream is closed. */
export function refuseFraming(split: SplitMessage, reason: string, statusCode: number): ParseFailure {
  const { startLine } = split;
  const method = startLine.slice(0, Math.max(startLine.indexOf(' '), 0));
  const isRequest = isToken(method) && startLine.toUpperCase().endsWith(' SIP/2.0');
  return isRequest ? refuse(split, method, { reason, statusCode }) : { ok: false, reason };
}

function faultOfVersion(startLine: string, start: number): Fault | undefined {
  if (startLine.length - start === 7 && isAt(startLine, start, 'SIP/2.0')) return undefined;
  const version = startLine.slice(start);
  if (version.toUpperCase() === 'SIP/2.0') return undefined;
  return /^SIP\/\d{1,9}\.\d{1,9}$/i.test(version) ? { reason: 'version-unsupported', statusCode: 505 } : bad('request-line-malformed');
}

function bad(reason: string): Fault {
  return { reason, statusCode: 400 };
}

/** Reads the values without which nobody can go on; says what is wrong with them. `method` is that of a request. */
function readJudged(headers: HeaderList, method: string | undefined, read: ReadValues): Fault | undefined {
  let contacts = 0;
  for (const field of headers.fields) {
    if (!field.isJudged) continue;
    const reason = readField(field, method, read);
    if (reason !== undefined) return bad(reason);
    if (field.key === 'contact') contacts++;
    if (listedIn(read) > listedAtMost) return bad('too-many-values');
  }
  const { vias, from, to, callId, cSeq } = read;
  if (!vias || !from || !to || callId === undefined || !cSeq) return bad('header-missing');
  if (read.contacts === '*' && (contacts > 1 || method !== 'REGISTER')) return bad('contact-invalid');
  if (method === undefined || method === cSeq.method) return undefined;
  // RFC 4475 §3.1.2.18 prefers that an unknown method is called unknown.
  return { reason: 'cseq-method-mismatch', statusCode: isKnownMethod(method) ? 400 : 501 };
}

/** Vias, contacts and routes together. */
const listedAtMost = 512;

/** Reads one of the `judged` headers; what is wrong with it. Contacts and routes of responses wait until somebody asks. */
function readField(field: HeaderField, method: string | undefined, read: ReadValues): string | undefined {
  switch (field.key) {
    case 'via':
      read.vias = joined(read.vias, field.as(parseViaList));
      return read.vias ? undefined : 'via-invalid';
    case 'from':
      read.from = field.as(parseNameAddr);
      return read.from ? undefined : 'from-invalid';
    case 'to':
      read.to = field.as(parseNameAddr);
      return read.to ? undefined : 'to-invalid';
    case 'call-id':
      read.callId = field.as(parseCallId);
      return read.callId === undefined ? 'call-id-invalid' : undefined;
    case 'cseq':
      read.cSeq = field.as(parseCSeq);
      return read.cSeq ? undefined : 'cseq-invalid';
    case 'content-length':
      return field.as(parseContentLength) === undefined ? 'content-length-invalid' : undefined;
    case 'max-forwards':
      return method !== undefined && field.as(parseMaxForwards) === undefined ? 'max-forwards-invalid' : undefined;
    case 'contact':
      return method === undefined ? undefined : readContacts(field, read);
    case 'record-route':
      read.recordRoutes = joined(read.recordRoutes, field.as(parseNameAddrList));
      return read.recordRoutes ? undefined : 'record-route-invalid';
    case 'route':
      if (method === undefined) return undefined;
      read.routes = joined(read.routes, field.as(parseNameAddrList));
      return read.routes ? undefined : 'route-invalid';
    default:
      return undefined;
  }
}

function listedIn({ vias, contacts, routes, recordRoutes }: ReadValues): number {
  return (vias?.length ?? 0) + (contacts?.length ?? 0) + (routes?.length ?? 0) + (recordRoutes?.length ?? 0);
}

function readContacts(field: HeaderField, read: ReadValues): string | undefined {
  const contacts = field.as(parseContacts);
  if (contacts === undefined) return 'contact-invalid';
  if (contacts === '*' || read.contacts === '*') read.contacts = '*';
  else read.contacts = joined(read.contacts, contacts);
  return undefined;
}

/** `undefined` if there is nothing to add, because it is malformed. */
function joined<T>(before: readonly T[] | undefined, added: readonly T[] | undefined): readonly T[] | undefined {
  if (!before || !added) return added;
  const all = before.slice();
  for (const one of added) all.push(one);
  return all;
}

/** The body: what Content-Length says, else the rest (RFC 3261 §18.3); `undefined` if there is less. A view of the bytes: copying costs 1 µs. */
function bodyOf(split: SplitMessage, bytes: Uint8Array): Uint8Array | undefined {
  const rest = bytes.length - split.bodyStart;
  const length = split.headers.firstOf('content-length')?.as(parseContentLength) ?? rest;
  if (length > rest) return undefined;
  return length === 0 ? noBody : bytes.subarray(split.bodyStart, split.bodyStart + length);
}

/**
 * Finds lines, names and values. `undefined` if there is nothing but line ends, which keeps a flow alive (RFC 5626 §3.5.1). A line that is
 * no header is a fault, yet the others are read, so that the request can be answered.
 */
export function splitMessage(bytes: Uint8Array, limits: MessageLimits = defaultMessageLimits): SplitMessage | undefined {
  const tooLarge = bytes.length > limits.messageBytes;
  // Bodies are not text until somebody says so: of a large message only the header is decoded. In a small one looking for its end costs more.
  const headerEnd = bytes.length > decodedWholeAtMost ? endOfHeader(bytes, limits.headerBytes) : bytes.length;
  const text = decodeText(headerEnd < bytes.length ? bytes.subarray(0, headerEnd) : bytes);
  // RFC 3261 §7.5: line ends before the start line mean nothing.
  let start = 0;
  while (text.charCodeAt(start) === code.carriageReturn || text.charCodeAt(start) === code.lineFeed) start++;
  if (start === text.length) return undefined;
  const lines = new LineReader(text, start);
  const startLineEnd = lines.endOfLine();
  if (startLineEnd < 0) {
    const [startLine, headers, codes] = [text.slice(start), new HeaderList([]), codesOf(text)];
    return { startLine, text, codes, start, headers, bodyStart: 0, fault: bad('line-end-missing') };
  }
  const startLine = text.slice(start, startLineEnd);
  // As many characters as octets: each octet is the code of its character, or none of ASCII.
  const isPlain = text.length === headerEnd;
  const codes = isPlain ? bytes : codesOf(text);
  const { fields, fault } = readFields(lines, codes, Math.min(text.length, limits.headerBytes), limits.headerFields);
  const bodyStart = isPlain ? lines.at : headerLength(bytes, lines.at, text);
  const isCut = headerEnd < bytes.length && !text.endsWith('\r\n\r\n');
  return { startLine, text, codes, start, headers: new HeaderList(fields), bodyStart, fault: tooLarge || isCut ? largeFault : fault };
}

/** Most requests with a body are smaller. */
const decodedWholeAtMost = 2_048;

/** The position after the empty line that ends the header; `most` if it is not among so many octets. */
function endOfHeader(bytes: Uint8Array, most: number): number {
  let at = 0;
  while (bytes[at] === code.carriageReturn || bytes[at] === code.lineFeed) at++;
  for (at = bytes.indexOf(code.lineFeed, at); at >= 0 && at < most; at = bytes.indexOf(code.lineFeed, at + 1)) {
    if (bytes[at + 2] === code.lineFeed && bytes[at + 1] === code.carriageReturn && bytes[at - 1] === code.carriageReturn) return at + 3;
  }
  return Math.min(most, bytes.length);
}

const largeFault: Fault = { reason: 'message-too-large', statusCode: 513 };

/** The octets that the first `length` characters of the text take up, for a text in which some take several. */
function headerLength(bytes: Uint8Array, length: number, text: string): number {
  let octets = 0;
  for (let at = 0; at < length; at++) {
    const character = text.charCodeAt(at);
    const isPair = character >= 0xd800 && character <= 0xdbff;
    if (isPair) at++;
    const isStray = character >= 0xdc80 && character <= 0xdcff;
    octets += isPair ? 4 : character < 0x80 || isStray ? 1 : character < 0x800 ? 2 : 3;
  }
  return Math.min(octets, bytes.length);
}

/** Goes through a text by lines that end in CRLF and contain neither CR nor LF otherwise. */
class LineReader {
  readonly text: string;
  /** Where the next line begins. */
  at: number;

  constructor(text: string, at: number) {
    this.text = text;
    this.at = at;
  }

  /** Where the line at `at` ends; moves on to the next line. -1 if it does not end, or not in CRLF. */
  endOfLine(): number {
    const lineFeed = this.text.indexOf('\n', this.at);
    const end = lineFeed - 1;
    if (lineFeed < 0 || this.text.indexOf('\r', this.at) !== end) return -1;
    this.at = lineFeed + 1;
    return end;
  }

  get isFolded(): boolean {
    const character = this.text.charCodeAt(this.at);
    return character === code.space || character === code.tab;
  }
}

interface ReadFields {
  readonly fields: HeaderField[];
  readonly fault: Fault | undefined;
}

function readFields(lines: LineReader, codes: Uint8Array, headerEnd: number, fieldsAtMost: number): ReadFields {
  const { text } = lines;
  const fields: HeaderField[] = [];
  let fault: Fault | undefined;
  let seen = 0;
  let nextColon = -1;
  for (;;) {
    const start = lines.at;
    const end = lines.endOfLine();
    if (end < 0) return { fields, fault: fault ?? bad('line-end-missing') };
    if (end === start) return { fields, fault };
    if (end > headerEnd || fields.length === fieldsAtMost) return { fields, fault: largeFault };
    // Looked for once, however many lines have none.
    if (nextColon < start) nextColon = colonFrom(text, start);
    let colon = nextColon;
    let name = colon > end ? undefined : knownHeader(text, codes, start, colon);
    if (!name) {
      // A name that is not known, or white space before the colon.
      const nameEnd = classEnd(codes, start, end, charClass.token);
      colon = spaceEnd(codes, nameEnd, end);
      if (nameEnd === start || text.charCodeAt(colon) !== code.colon) {
        fault ??= bad('header-malformed');
        while (lines.isFolded && lines.endOfLine() >= 0);
        continue;
      }
      name = knownHeader(text, codes, start, nameEnd) ?? otherHeader(text.slice(start, nameEnd));
    }
    if ((seen & name.onceBit) !== 0) fault ??= bad('header-twice');
    seen |= name.onceBit;
    if (lines.isFolded) fields.push(foldedField(lines, name, colon + 1, end));
    else {
      const from = spaceEnd(codes, colon + 1, end);
      fields.push(new HeaderField(name, text, from, trimmedEnd(codes, from, end), codes));
    }
  }
}

function colonFrom(text: string, start: number): number {
  const at = text.indexOf(':', start);
  return at < 0 ? text.length : at;
}

/** RFC 3261 §7.3.1: a line that begins with white space goes on with the one before it; the break becomes one space. */
function foldedField(lines: LineReader, name: HeaderName, valueStart: number, firstEnd: number): HeaderField {
  const { text } = lines;
  const parts = [text.slice(valueStart, firstEnd).trim()];
  while (lines.isFolded) {
    const partStart = lines.at;
    const end = lines.endOfLine();
    if (end < 0) break;
    parts.push(text.slice(partStart, end).trim());
  }
  const value = parts.join(' ').trim();
  return new HeaderField(name, value, 0, value.length);
}
