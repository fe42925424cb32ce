import { readBodies } from './body-parts.ts';
import type { TypedBody } from './message/build.ts';
import { essenceOf } from './message/media-type.ts';
import type { Message } from './message/message.ts';
import type { Body } from './user-agent-events.ts';

/** The body of a message; `undefined` when there is none or nothing says what it is. */
export function bodyOf(message: Message): Body | undefined {
  const contentType = message.header('Content-Type');
  return message.body.length > 0 && contentType !== undefined ? { contentType, bytes: message.body } : undefined;
}

/** The session description that a message of a call carries, wherever among its bodies. */
export function descriptionOf(message: Message): Body | undefined {
  const reading = readBodies(message);
  return reading.kind === 'description' ? reading.body : undefined;
}

/** `{ body }` for events that have the property only when there is one. */
export function withDescriptionOf(message: Message): { body?: Body } {
  const body = descriptionOf(message);
  return body ? { body } : {};
}

export function typedBody(body: Body): TypedBody {
  return { type: body.contentType, content: body.bytes };
}

/** `application/sdp`; `undefined` for a message without a readable Content-Type. */
export function mediaTypeOf(message: Message): string | undefined {
  const { contentType } = message;
  return contentType && essenceOf(contentType);
}
