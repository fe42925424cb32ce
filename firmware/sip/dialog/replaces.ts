import type { AgentCore, Replaceable } from '../agent-core.ts';
import type { DialogNames } from '../event/dialog-document.ts';
import { parseParameterized } from '../message/header-values.ts';
import type { Request } from '../message/message.ts';
import type { Refused } from '../request-inspection.ts';
import { dialogKey } from './dialog.ts';

interface NamedCall {
  readonly call: Replaceable;
  readonly isEarlyOnly: boolean;
}

/** RFC 3891 §6.1: names a dialog of ours so that the far end of it knows which one is meant: its own tag is the To tag. */
export function formatReplaces({ callId, localTag, remoteTag }: DialogNames): string {
  return `${callId};to-tag=${remoteTag};from-tag=${localTag}`;
}

/** RFC 3891 §3: what the INVITE is to take the place of; `undefined` without the header. */
export function replacedBy(core: AgentCore, request: Request): Replaceable | Refused | undefined {
  const named = namedCall(core, request, 'Replaces');
  if (!named || 'statusCode' in named) return named;
  const { call, isEarlyOnly } = named;
  // An early dialog may only be replaced by who was called, never by another caller.
  if (call.stage === 'ringingHere') return { statusCode: 481 };
  return isEarlyOnly && call.stage === 'confirmed' ? { statusCode: 486 } : call;
}

/** RFC 3911 §7.1: names a dialog of the far end as that one knows it: its own tag is the To tag. `names` are from its side. */
export function formatJoin({ callId, localTag, remoteTag }: DialogNames): string {
  return `${callId};to-tag=${localTag};from-tag=${remoteTag}`;
}

/** RFC 3911 §4: the call whose talk the INVITE is to be joined with; `undefined` without the header. */
export function joinedBy(core: AgentCore, request: Request): Replaceable | Refused | undefined {
  const named = namedCall(core, request, 'Join');
  if (!named || 'statusCode' in named) return named;
  // One and the same call can't both go and stay.
  if (request.header('Replaces') !== undefined) return { statusCode: 400, reasonPhrase: 'Join And Replaces' };
  // Nobody talks yet.
  return named.call.stage === 'confirmed' ? named.call : { statusCode: 486 };
}

/** The dialog of ours that a header of this form names. */
function namedCall(core: AgentCore, request: Request, name: 'Replaces' | 'Join'): NamedCall | Refused | undefined {
  const fields = request.headers.all(name);
  const [field] = fields;
  if (!field) return undefined;
  const value = fields.length === 1 ? parseParameterized(field.value) : undefined;
  const toTag = value?.params.get('to-tag');
  const fromTag = value?.params.get('from-tag');
  if (!value || toTag === undefined || fromTag === undefined) return { statusCode: 400, reasonPhrase: `Bad ${name}` };
  const call = dialogOf(core, value.value, toTag, fromTag);
  return call ? { call, isEarlyOnly: value.params.has('early-only') } : { statusCode: 481 };
}

/** RFC 3891 §3, RFC 3911 §4: a tag `0` also means none, as of peers of RFC 2543. */
function dialogOf(core: AgentCore, callId: string, toTag: string, fromTag: string): Replaceable | undefined {
  const usage = core.dialogs.get(dialogKey(callId, toTag, fromTag));
  const bare = usage ?? (fromTag === '0' ? core.dialogs.get(dialogKey(callId, toTag, undefined)) : undefined);
  return bare?.replaceable?.();
}
