import { UsageError } from '#firmware/core/errors.ts';
import { isToken } from './grammar.ts';
import type { CSeq } from './header-values.ts';
import { HeaderField, HeaderList, headerField, singleLine } from './headers.ts';
import { type Message, Request, Response } from './message.ts';
import { type NameAddr, parseNameAddr } from './name-addr.ts';
import type { BrokenRequest } from './parse.ts';
import { reasonPhraseOf } from './response-reasons.ts';
import { encodeText } from './text.ts';
import type { Uri } from './uri.ts';
import { parseFirstVia, parseViaList, type Via } from './via.ts';

/** A body and its Content-Type. */
export interface TypedBody {
  readonly type: string;
  readonly content: Uint8Array | string;
}

export interface RequestParts {
  readonly method: string;
  readonly requestUri: Uri;
  readonly from: NameAddr;
  readonly to: NameAddr;
  readonly callId: string;
  /** The number; the method is the request's. */
  readonly sequence: number;
  /** Left out, it must be added by `withTopVia` before the request is sent. */
  readonly via?: Via;
  /** 70 unless told. */
  readonly maxForwards?: number;
  readonly routes?: readonly NameAddr[];
  readonly contact?: NameAddr | '*';
  /** Further header fields in order. */
  readonly headers?: Iterable<readonly [name: string, value: string]>;
  readonly body?: TypedBody;
}

type Entry = readonly [name: string, value: string];

const noBody = new Uint8Array(0);

/** RFC 3261 §8.1.1. */
export function buildRequest(parts: RequestParts): Request {
  const { method, body } = parts;
  if (!isToken(method)) throw new UsageError('method', `not a method: ${method}`);
  const entries: Entry[] = [];
  if (parts.via) entries.push(['Via', parts.via.toString()]);
  for (const route of parts.routes ?? []) entries.push(['Route', route.toString()]);
  entries.push(['Max-Forwards', String(parts.maxForwards ?? 70)]);
  entries.push(['From', parts.from.toString()], ['To', parts.to.toString()]);
  entries.push(['Call-ID', parts.callId], ['CSeq', formatCSeq({ number: parts.sequence, method })]);
  if (parts.contact) entries.push(['Contact', parts.contact.toString()]);
  entries.push(...(parts.headers ?? []));
  if (body) entries.push(['Content-Type', body.type]);
  return new Request(method, parts.requestUri, HeaderList.of(entries), bytesOf(body));
}

export interface ResponseParts {
  /** The usual phrase of the status code unless told. */
  readonly reasonPhrase?: string;
  /** Added to To when the request has none there; responses other than 100 must have one (RFC 3261 §8.2.6.2). */
  readonly toTag?: string;
  readonly contact?: NameAddr;
  /** Further header fields in order. */
  readonly headers?: Iterable<readonly [name: string, value: string]>;
  readonly body?: TypedBody;
}

/** RFC 3261 §8.2.6: Via, From, To, Call-ID and CSeq copied; Record-Route in responses that make a dialog (101 to 299). */
export function buildResponse(request: Request, statusCode: number, parts: ResponseParts = {}): Response {
  const makesDialog = statusCode > 100 && statusCode < 300;
  const fields: HeaderField[] = [];
  for (const field of request.headers) {
    if (field.key === 'to') fields.push(withTag(field, parts.toTag));
    else if (copied.has(field.key) || (field.key === 'record-route' && makesDialog)) fields.push(field);
    // RFC 3261 §8.2.6.1: a 100 tells its sender how long the request had been on its way.
    else if (field.key === 'timestamp' && statusCode === 100) fields.push(field);
  }
  if (parts.contact) fields.push(headerField('Contact', parts.contact.toString()));
  for (const [name, value] of parts.headers ?? []) fields.push(headerField(name, value));
  if (parts.body) fields.push(headerField('Content-Type', parts.body.type));
  const reasonPhrase = singleLine(parts.reasonPhrase ?? reasonPhraseOf(statusCode));
  return new Response(statusCode, reasonPhrase, new HeaderList(fields), bytesOf(parts.body));
}

const copied: ReadonlySet<string> = new Set(['via', 'from', 'call-id', 'cseq']);

function withTag(to: HeaderField, tag: string | undefined): HeaderField {
  const value = tag === undefined ? undefined : to.as(parseNameAddr);
  if (tag === undefined || !value || value.tag !== undefined) return to;
  const tagged = value.withParam('tag', tag);
  return HeaderField.read(to, singleLine(tagged.toString()), parseNameAddr, tagged);
}

/**
 * The answer to a request that could not be parsed: what is readable of Via, From, To, Call-ID and CSeq is copied as it came, the To tag is
 * computed (RFC 3261 §8.2.7). `stampVia` gives the top Via its `received` and `rport`, when it is well formed.
 */
export function buildErrorResponse(broken: BrokenRequest, statusCode: number, stampVia: (via: Via) => Via = (via) => via): Uint8Array {
  const fields: HeaderField[] = [];
  const seen = new Set<string>();
  for (const field of broken.headers) {
    const isFirst = !seen.has(field.key);
    seen.add(field.key);
    if (field.key === 'via') fields.push(isFirst ? stampedVia(field, stampVia) : field);
    else if (isFirst && field.key === 'to') fields.push(withTag(field, tokenOf(broken.headers)));
    else if (isFirst && copied.has(field.key)) fields.push(field);
  }
  return serialize(`SIP/2.0 ${statusCode} ${reasonPhraseOf(statusCode)}`, new HeaderList(fields), noBody);
}

function stampedVia(field: HeaderField, stampVia: (via: Via) => Via): HeaderField {
  const via = field.as(parseFirstVia);
  if (!via) return field;
  const value = field.value;
  return headerField(field.name, stampVia(via).toString() + value.slice(via.toString().length));
}

/** A To tag for answers without state: the same for each retransmission of a request (RFC 3261 §8.2.7). */
export function statelessTag(request: Request): string {
  return tokenOf(request.headers);
}

/** FNV-1a, 64 bits in two halves, over what stays the same in retransmissions. No secret: the tag has to be equal, not unguessable. */
function tokenOf(headers: HeaderList): string {
  let a = 0x811c9dc5;
  let b = 0x01000193;
  for (const key of ['via', 'from', 'to', 'call-id', 'cseq']) {
    for (const byte of encodeText(headers.firstOf(key)?.value ?? '')) {
      a = Math.imul(a ^ byte, 0x01000193);
      b = Math.imul(b ^ byte, 0x85ebca6b) + 1;
    }
  }
  return `${(a >>> 0).toString(36)}${(b >>> 0).toString(36)}`;
}

/** RFC 3261 §17.1.1.3: the ACK of a final response from 300 on; goes where the INVITE went. */
export function buildAck(invite: Request, response: Response): Request {
  const to = response.headers.firstOf('to') ?? invite.headers.firstOf('to');
  return sameHop('ACK', invite, to);
}

/** RFC 3261 §9.1: the CANCEL of an INVITE that has had a provisional response; goes where the INVITE went. */
export function buildCancel(invite: Request): Request {
  return sameHop('CANCEL', invite, invite.headers.firstOf('to'));
}

/** A request that travels exactly as the INVITE did: same top Via, routes and CSeq number. */
function sameHop(method: 'ACK' | 'CANCEL', invite: Request, to: HeaderField | undefined): Request {
  const fields = [headerField('Via', invite.topVia.toString())];
  for (const field of invite.headers) {
    if (field.key === 'to' && to) fields.push(to);
    else if (field.key === 'cseq') fields.push(headerField(field.name, formatCSeq({ number: invite.cSeq.number, method })));
    else if (field.key === 'max-forwards') fields.push(headerField(field.name, '70'));
    else if (travelling.has(field.key) || (method === 'ACK' && credentials.has(field.key))) fields.push(field);
  }
  return new Request(method, invite.requestUri, new HeaderList(fields), noBody);
}

const travelling: ReadonlySet<string> = new Set(['from', 'call-id', 'route']);
/** RFC 3261 §22.1: an ACK can not be challenged, so it carries what its INVITE carried. */
const credentials: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization']);

/** The request with `via` above its Vias. */
export function withTopVia(request: Request, via: Via): Request {
  return request.with({ headers: request.headers.prepend('Via', via.toString()) });
}

/** The request with its top Via replaced, the others untouched. */
export function replaceTopVia(request: Request, via: Via): Request {
  const top = request.headers.firstOf('via');
  if (!top) return withTopVia(request, via);
  const [first, ...rest] = top.as(parseViaList) ?? [];
  const text = via.toString() + top.value.slice(first?.toString().length ?? top.value.length);
  const replaced = HeaderField.read(top, singleLine(text), parseViaList, [via, ...rest]);
  const fields = request.headers.fields.map((field) => (field === top ? replaced : field));
  return request.with({ headers: new HeaderList(fields) });
}

function formatCSeq(cSeq: CSeq): string {
  return `${cSeq.number} ${cSeq.method}`;
}

/** The bytes on the wire, Content-Length set to the length of the body. */
export function serializeMessage(message: Message): Uint8Array {
  const startLine =
    message.kind === 'request'
      ? `${message.method} ${singleLine(message.requestUri.toString())} SIP/2.0`
      : `SIP/2.0 ${message.statusCode} ${message.reasonPhrase}`;
  return serialize(startLine, message.headers, message.body);
}

function serialize(startLine: string, headers: HeaderList, body: Uint8Array): Uint8Array {
  let text = `${startLine}\r\n`;
  for (const field of headers.fields) if (field.key !== 'content-length') text += `${field.name}: ${field.value}\r\n`;
  return encodeText(`${text}Content-Length: ${body.length}\r\n\r\n`, body);
}

function bytesOf(body: TypedBody | undefined): Uint8Array {
  if (!body) return noBody;
  return typeof body.content === 'string' ? encodeText(body.content) : body.content;
}
