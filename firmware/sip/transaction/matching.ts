import { replaceTopVia } from '../message/build.ts';
import type { Request, Response } from '../message/message.ts';
import type { Via } from '../message/via.ts';
import { type Flow, type Target, targetOf } from '../transport/flow.ts';

/*
 * Which transaction a message belongs to, as map keys: equal keys, same transaction. The parts are joined by spaces, which none of them can
 * contain (the topmost Via, the only one that can, comes last but for the method).
 */

/** RFC 3261 §17.2.3: branch, sent-by and method; an ACK belongs to its INVITE. */
export function serverKey(request: Request, method: string = request.method === 'ACK' ? 'INVITE' : request.method): string {
  const via = request.topVia;
  return via.hasUniqueBranch ? `${via.branch} ${via.sentBy} ${method}` : olderServerKey(request, via, method);
}

/** §17.2.3 for requests of RFC 2543 and those whose branch is nothing but the cookie. The To tag of an ACK is compared by the layer. */
function olderServerKey(request: Request, via: Via, method: string): string {
  const { requestUri, from, callId, cSeq } = request;
  return `2543 ${requestUri} ${from.tag ?? ''} ${callId} ${cSeq.number} ${via} ${method}`;
}

/** RFC 3261 §17.1.3: branch and the method of CSeq. */
export function clientKey(message: Request | Response): string {
  return `${message.topVia.branch ?? ''} ${message.cSeq.method}`;
}

/** RFC 3261 §8.2.2.2: what two copies of one request have in common that came by different paths. */
export function mergeKey(request: Request): string {
  return `${request.from.tag ?? ''} ${request.callId} ${request.cSeq.number} ${request.method}`;
}

/**
 * RFC 3261 §18.2.1 and RFC 3581 §4: notes in the top Via where the request really came from. What the sender wrote there himself is
 * overwritten: a response goes nowhere but to the source.
 */
export function stampVia(via: Via, flow: Flow): Via {
  const host = via.host.startsWith('[') ? via.host.slice(1, -1) : via.host;
  const { address, port } = flow.remote;
  if (via.rport !== undefined) {
    return via.withParams([
      ['received', address],
      ['rport', String(port)],
    ]);
  }
  return host !== address || via.received !== undefined ? via.withParam('received', address) : via;
}

export function stampRequest(request: Request, flow: Flow): Request {
  const via = stampVia(request.topVia, flow);
  return via === request.topVia ? request : replaceTopVia(request, via);
}

/**
 * Where a response goes: RFC 3261 §18.2.2 and RFC 3581, by the request's stamped top Via and the flow it came by. `maddr` is not followed:
 * it would let anybody point our answers at a stranger or a multicast group.
 */
export function responseTarget(request: Request, flow: Flow): Target {
  const via = request.topVia;
  const sentByPort = via.port ?? (flow.transport === 'tls' || flow.transport === 'wss' ? 5061 : 5060);
  const { address, port } = flow.remote;
  if (flow.reliable) return { transport: flow.transport, address, port: sentByPort, flow };
  if (via.rport !== undefined || port === sentByPort) return targetOf(flow);
  return { transport: flow.transport, address, port: sentByPort };
}
