import { readBodies, readTypes } from './body-parts.ts';
import { allowedMethods, allowLine, supportedOptions } from './capabilities.ts';
import { knowsReliable, reliableOption } from './dialog/reliable-provisional.ts';
import { tooBriefFor } from './dialog/session-terms.ts';
import type { Request } from './message/message.ts';
import { isKnownMethod } from './message/methods.ts';
import { mediaTypeOf } from './message-body.ts';
import type { ServerTransaction } from './transaction/transaction-layer.ts';
import { isSecure } from './transport/flow.ts';
import type { UserAgentSettings } from './user-agent-settings.ts';

/** Why a request is refused before anybody looks at what it wants. */
export interface Refused {
  readonly statusCode: number;
  readonly reasonPhrase?: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

/** RFC 3261 §8.2.1: whether the method is one of ours at all; §21.5.2 has another answer where it is nobody's. */
export function inspectMethod({ method }: Request): Refused | undefined {
  if (allowedMethods.includes(method)) return undefined;
  return { statusCode: isKnownMethod(method) ? 405 : 501, headers: [allowLine] };
}

/** RFC 3261 §8.2.2: what the headers of a request demand of us. */
export function inspectHeaders({ request, flow }: ServerTransaction): Refused | undefined {
  const { requestUri } = request;
  // RFC 5630 §3.1.3: the last hop to a `sips:` address is no exception.
  if (requestUri.kind !== 'sip' || (requestUri.scheme === 'sips' && !isSecure(flow.transport))) return { statusCode: 416 };
  const unsupported = request.require.filter((option) => !supportedOptions.includes(option));
  return unsupported.length > 0 ? { statusCode: 420, headers: [['Unsupported', unsupported.join(', ')]] } : undefined;
}

/** What our settings have against a request: RFC 3262 §3 for an INVITE, RFC 4028 §9 for each that refreshes a call. */
export function inspectExtensions(request: Request, settings: UserAgentSettings): Refused | undefined {
  const { reliableProvisional } = settings;
  if (reliableProvisional === 'off' && request.require.includes(reliableOption)) {
    return { statusCode: 420, headers: [['Unsupported', reliableOption]] };
  }
  const isFirst = request.method === 'INVITE' && request.to.tag === undefined;
  if (isFirst && reliableProvisional === 'required' && !knowsReliable(request)) {
    return { statusCode: 421, headers: [['Require', reliableOption]] };
  }
  const isOffer = request.method === 'INVITE' || request.method === 'UPDATE';
  const minimum = isOffer ? tooBriefFor(request, settings) : undefined;
  return minimum === undefined ? undefined : { statusCode: 422, headers: [['Min-SE', String(minimum)]] };
}

/** Requests whose body may be an offer or an answer. */
const offerMethods: ReadonlySet<string> = new Set(['INVITE', 'UPDATE', 'PRACK']);

const unknownEncoding: Refused = { statusCode: 415, headers: [['Accept-Encoding', 'identity']] };

/** RFC 3261 §8.2.3: whether we can read the body. INFO and NOTIFY have types of their own. */
export function inspectBody(request: Request): Refused | undefined {
  if (request.body.length === 0) return undefined;
  if (!offerMethods.has(request.method)) {
    const encoded = request.headerValues('Content-Encoding').some((encoding) => encoding.toLowerCase() !== 'identity');
    return encoded ? unknownEncoding : undefined;
  }
  const { kind } = readBodies(request);
  if (kind === 'malformed') return { statusCode: 400, reasonPhrase: mediaTypeOf(request) ? 'Malformed Body' : 'Missing Content-Type' };
  if (kind === 'unknownEncoding') return unknownEncoding;
  return kind === 'unknownType' ? { statusCode: 415, headers: [['Accept', readTypes.join(', ')]] } : undefined;
}
