import type { Milliseconds } from '#firmware/core/clock.ts';
import { randomToken } from '#firmware/core/entropy.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { AgentCore } from './agent-core.ts';
import { messageType } from './capabilities.ts';
import { ClientRequest } from './client-request.ts';
import { composingDocumentType, composingOf, formatComposing } from './event/composing-document.ts';
import type { Identity } from './identity.ts';
import { buildRequest, type ResponseParts, type TypedBody } from './message/build.ts';
import { NameAddr } from './message/name-addr.ts';
import { decodeText, displayText, encodeText } from './message/text.ts';
import type { Uri } from './message/uri.ts';
import { mediaTypeOf } from './message-body.ts';
import type { ServerTransaction } from './transaction/transaction-layer.ts';
import type { Destination } from './transport/sip-core.ts';

/** RFC 3428 §8: the whole request stays below 1300 octets; this much of it is left to headers, credentials and routes among them. */
const headerOctets = 500;
const sentOctetsAtMost = 1_300 - headerOctets;
/** Others may keep to the limit less strictly than we do. */
const receivedOctetsAtMost = 1_300;

export interface OutgoingText {
  readonly target: Uri;
  readonly text: string;
  readonly destination: Destination;
}

/** RFC 3428 §4: sends a MESSAGE outside any dialog; gives the name under which its outcome is told. Throws UsageError for a text too long. */
export function sendText(core: AgentCore, now: Milliseconds, identity: Identity, { target, text, destination }: OutgoingText): string {
  const content = encodeText(text);
  if (content.length > sentOctetsAtMost) {
    throw new UsageError('text-too-long', `the text has ${content.length} octets, ${sentOctetsAtMost} are the most`);
  }
  const message = randomToken(core.entropy, 8);
  const report = (statusCode: number, reasonPhrase: string): void => core.emit({ type: 'textAnswered', message, statusCode, reasonPhrase });
  sendMessage(core, now, identity, { target, destination, body: { type: `${messageType};charset=UTF-8`, content }, report });
  return message;
}

/** RFC 3994 §3.2: a person writes, or has stopped to. Who does not understand it will not be told again by it, so the answer is of no use. */
export function sendComposing(
  core: AgentCore,
  now: Milliseconds,
  identity: Identity,
  { target, active, destination }: Omit<OutgoingText, 'text'> & { readonly active: boolean },
): void {
  const body = { type: composingDocumentType, content: formatComposing(active) };
  sendMessage(core, now, identity, { target, destination, body, report: () => undefined });
}

interface OutgoingMessage {
  readonly target: Uri;
  readonly destination: Destination;
  readonly body: TypedBody;
  readonly report: (statusCode: number, reasonPhrase: string) => void;
}

function sendMessage(core: AgentCore, now: Milliseconds, identity: Identity, { target, destination, body, report }: OutgoingMessage): void {
  const from = identity.from(destination).withParam('tag', randomToken(core.entropy, 10));
  const callId = randomToken(core.entropy, 22);
  const requestUri = target.kind === 'sip' ? target.with({ headers: [] }) : target;
  let sequence = 0;
  new ClientRequest(now, {
    core,
    identity,
    destination,
    inDialog: false,
    build: () => {
      sequence++;
      const { routes } = identity;
      return buildRequest({ method: 'MESSAGE', requestUri, from, to: new NameAddr(requestUri), callId, sequence, routes, body });
    },
    onResponse: (_at, { isFinal, statusCode, reasonPhrase }) => isFinal && report(statusCode, reasonPhrase),
    onFailure: (_at, cause) => (cause === 'timeout' ? report(408, 'Request Timeout') : report(503, 'Service Unavailable')),
  });
}

/** RFC 3428 §7: a MESSAGE of somebody who may send us one; no dialog comes of it. */
export function takeText(core: AgentCore, now: Milliseconds, transaction: ServerTransaction, identity?: Identity): void {
  const { request } = transaction;
  const { body, from } = request;
  const refuse = (statusCode: number, parts: ResponseParts = {}): void => {
    const { transport, remote } = transaction.flow;
    core.note(now, `request-refused-${statusCode}`, { method: 'MESSAGE', peer: `${transport}:${remote.address}:${remote.port}` });
    core.respond(now, transaction, statusCode, parts);
  };
  if (!core.settings.acceptMessages) refuse(403);
  else if (body.length === 0) refuse(400, { reasonPhrase: 'Missing Body' });
  else if (body.length > receivedOctetsAtMost) refuse(513);
  else if (mediaTypeOf(request) === composingDocumentType) {
    const document = core.readXml(body);
    const composing = document && composingOf(document);
    if (!composing) refuse(400, { reasonPhrase: 'Malformed Body' });
    else {
      core.respond(now, transaction, 200);
      const account = identity?.account?.id;
      core.emit({ type: 'composing', ...(account !== undefined && { account }), from, ...composing });
    }
  } else if (mediaTypeOf(request) !== messageType) refuse(415, { headers: [['Accept', `${messageType}, ${composingDocumentType}`]] });
  else {
    core.respond(now, transaction, 200);
    const account = identity?.account?.id;
    core.emit({ type: 'textReceived', ...(account !== undefined && { account }), from, text: displayText(decodeText(body)) });
  }
}
