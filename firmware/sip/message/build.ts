import { InvariantError } from '#firmware/core/errors.ts';
import type { CSeq, Message, Request, Response } from './message.ts';
import type { NameAddr } from './name-addr.ts';
import type { BrokenRequest } from './parse.ts';
import type { Uri } from './uri.ts';
import type { Via } from './via.ts';

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

export function buildRequest(parts: RequestParts): Request {
  throw new InvariantError(`not built: ${parts.method} `);
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
  throw new InvariantError(`not built: ${request.method} ${statusCode} ${parts}`);
}

/** The answer to a request that could not be parsed: everything readable is copied, the To tag is computed (RFC 3261 §8.2.7). */
export function buildErrorResponse(broken: BrokenRequest, statusCode: number): Uint8Array {
  throw new InvariantError(`not built: ${broken.method} ${statusCode}`);
}

/** A To tag for answers without state: the same for each retransmission of a request (RFC 3261 §8.2.7). */
export function statelessTag(request: Request): string {
  throw new InvariantError(`not built: ${request.method}`);
}

/** RFC 3261 §17.1.1.3: the ACK of a final response from 300 on; goes where the INVITE went. */
export function buildAck(invite: Request, response: Response): Request {
  throw new InvariantError(`not built: ${invite.method} ${response.statusCode}`);
}

/** RFC 3261 §9.1: the CANCEL of an INVITE that has had a provisional response; goes where the INVITE went. */
export function buildCancel(invite: Request): Request {
  throw new InvariantError(`not built: ${invite.method}`);
}

/** The request with `via` above its Vias. */
export function withTopVia(request: Request, via: Via): Request {
  throw new InvariantError(`not built: ${request.method} ${via}`);
}

/** The message with another body, or without one. */
export function withBody<M extends Message>(message: M, body: TypedBody | undefined): M {
  throw new InvariantError(`not built: ${message.kind} ${body}`);
}

export function formatCSeq(cSeq: CSeq): string {
  return `${cSeq.number} ${cSeq.method}`;
}

/** The bytes on the wire, Content-Length set to the length of the body. */
export function serializeMessage(message: Message): Uint8Array {
  throw new InvariantError(`not built: ${message.kind}`);
}
