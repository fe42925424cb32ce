import { parseParameterized } from './message/header-values.ts';
import type { HeaderList } from './message/headers.ts';
import { essenceOf, type MediaType, parseMediaType } from './message/media-type.ts';
import type { Message } from './message/message.ts';
import { parseMultipart } from './message/multipart.ts';
import type { Body } from './user-agent-events.ts';

/** What the bodies of a message come to: a session description, nothing of interest, or something that had to be understood. */
export type BodyReading =
  | { readonly kind: 'description'; readonly body: Body }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'unknownType' }
  | { readonly kind: 'unknownEncoding' };

/** What is read of bodies of INVITE and its kin. */
export const readTypes: readonly string[] = ['application/sdp', 'multipart/mixed', 'multipart/alternative', 'multipart/related'];

const sdpType = 'application/sdp';
const depthAtMost = 3;

/**
 * RFC 5621: finds the session description among the bodies of a message. What is not understood (ISUP, location, pictures) is passed over
 * if its handling is optional, and makes the whole message not understood otherwise (§8).
 */
export function readBodies(message: Message): BodyReading {
  return message.body.length === 0 ? { kind: 'nothing' } : readBody(message.headers, message.body, 0);
}

function readBody(headers: HeaderList, bytes: Uint8Array, depth: number): BodyReading {
  const reading = understand(headers, bytes, depth);
  const fails = reading.kind === 'unknownType' || reading.kind === 'unknownEncoding';
  return fails && isOptional(headers) ? { kind: 'nothing' } : reading;
}

function understand(headers: HeaderList, bytes: Uint8Array, depth: number): BodyReading {
  const contentType = headers.get('Content-Type');
  const type = contentType === undefined ? undefined : parseMediaType(contentType);
  if (headers.values('Content-Encoding').some((encoding) => encoding.toLowerCase() !== 'identity')) return { kind: 'unknownEncoding' };
  if (contentType === undefined || !type) return { kind: 'malformed' };
  if (type.type === 'multipart') return readParts(type, bytes, depth);
  // RFC 3261 §20.11: a description that is not of the session, such as early-session of RFC 3959, is another matter.
  const disposition = dispositionOf(headers)?.value.toLowerCase() ?? 'session';
  if (essenceOf(type) !== sdpType || disposition !== 'session') return { kind: 'unknownType' };
  return { kind: 'description', body: { contentType, bytes } };
}

/** RFC 2046 §5.1.4: of alternatives the last that is understood; of all others each has to be. */
function readParts(type: MediaType, bytes: Uint8Array, depth: number): BodyReading {
  const parts = depth < depthAtMost ? parseMultipart(bytes, type.params.get('boundary') ?? '') : undefined;
  if (!parts) return { kind: 'malformed' };
  const readings = parts.map(({ headers, content }) => readBody(headers, content, depth + 1));
  const found = type.subtype === 'alternative' ? readings.findLast(isDescription) : readings.find(isDescription);
  const fault = readings.find(({ kind }) => kind === 'malformed' || kind === 'unknownType' || kind === 'unknownEncoding');
  if (type.subtype === 'alternative') return found ?? fault ?? { kind: 'nothing' };
  return fault ?? found ?? { kind: 'nothing' };
}

function isDescription(reading: BodyReading): boolean {
  return reading.kind === 'description';
}

/** RFC 3261 §20.11: required unless it is said otherwise. */
function isOptional(headers: HeaderList): boolean {
  return dispositionOf(headers)?.params.get('handling')?.toLowerCase() === 'optional';
}

function dispositionOf(headers: HeaderList) {
  const text = headers.get('Content-Disposition');
  return text === undefined ? undefined : parseParameterized(text);
}
