import type { Milliseconds } from '#firmware/core/clock.ts';
import { randomUint32 } from '#firmware/core/entropy.ts';
import type { AgentCore } from '../agent-core.ts';
import { allowEventsLine, allowLine, capabilityLines, digitPackage, infoTypes, receiveInfoLine } from '../capabilities.ts';
import { ClientRequest } from '../client-request.ts';
import type { Identity } from '../identity.ts';
import { takeText } from '../instant-message.ts';
import { bodyOf, mediaTypeOf } from '../message-body.ts';
import type { ServerTransaction } from '../transaction/transaction-layer.ts';
import type { SessionId } from '../user-agent-events.ts';
import type { Dialog } from './dialog.ts';

/** Answers the requests of a call's dialog that change nothing in it; INVITE, UPDATE and BYE are the caller's. */
export function answerAside(core: AgentCore, now: Milliseconds, session: SessionId, transaction: ServerTransaction): void {
  const { method } = transaction.request;
  if (method === 'OPTIONS') core.respond(now, transaction, 200, { headers: capabilityLines(core.settings) });
  else if (method === 'INFO') answerInfo(core, now, session, transaction);
  else if (method === 'NOTIFY') core.respond(now, transaction, 481);
  else if (method === 'SUBSCRIBE') core.respond(now, transaction, 489, { headers: [allowEventsLine(core.settings)] });
  else if (method === 'MESSAGE') takeText(core, now, transaction);
  // A call that nobody has accepted is not to be passed on.
  else if (method === 'REFER') core.respond(now, transaction, 403);
  else core.respond(now, transaction, 405, { headers: [allowLine] });
}

/**
 * Legacy INFO (RFC 2976) and the info package of digits (RFC 6086): `application/dtmf-relay` and its kin. An empty one only asks whether we
 * are there.
 */
function answerInfo(core: AgentCore, now: Milliseconds, session: SessionId, transaction: ServerTransaction): void {
  const { request } = transaction;
  const body = bodyOf(request);
  const type = mediaTypeOf(request);
  const infoPackage = request.header('Info-Package');
  if (infoPackage !== undefined && infoPackage.split(';', 1)[0]?.trim().toLowerCase() !== digitPackage.toLowerCase()) {
    core.counters.add('info-package-unknown');
    core.respond(now, transaction, 469, { headers: [receiveInfoLine] });
    return;
  }
  if (request.body.length > 0 && (!body || type === undefined || !infoTypes.includes(type))) {
    core.respond(now, transaction, 415, { headers: [['Accept', infoTypes.join(', ')]] });
    return;
  }
  core.respond(now, transaction, 200);
  if (body) core.emit({ type: 'info', session, body });
}

/** RFC 3261 §14.2 and §12.2.2: come again in a moment. */
export function respondBusyWithOffer(core: AgentCore, now: Milliseconds, transaction: ServerTransaction): void {
  core.respond(now, transaction, 500, { headers: [['Retry-After', String(randomUint32(core.entropy) % 11)]] });
}

/** Ends a dialog without waiting for what the far end says to it. `reason` is a Reason header (RFC 3326). */
export function sendBye(core: AgentCore, now: Milliseconds, identity: Identity, dialog: Dialog, reason?: string): void {
  const { destination } = dialog;
  if (!destination) return;
  const headers = reason === undefined ? [] : [['Reason', reason] as const];
  new ClientRequest(now, {
    core,
    identity,
    destination,
    inDialog: true,
    build: () => dialog.request('BYE', { headers }),
    onResponse: () => undefined,
    onFailure: () => undefined,
  });
}
