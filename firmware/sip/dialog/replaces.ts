import type { AgentCore, Replaceable } from '../agent-core.ts';
import type { DialogNames } from '../event/dialog-document.ts';
import { parseParameterized } from '../message/header-values.ts';
import type { Request } from '../message/message.ts';
import type { Refused } from '../request-inspection.ts';
import { dialogKey } from './dialog.ts';

/** RFC 3891 §6.1: names a dialog of ours so that the far end of it knows which one is meant: its own tag is the To tag. */
export function formatReplaces({ callId, localTag, remoteTag }: DialogNames): string {
  return `${callId};to-tag=${remoteTag};from-tag=${localTag}`;
}

/** RFC 3891 §3: what the INVITE is to take the place of; `undefined` without the header. */
export function replacedBy(core: AgentCore, request: Request): Replaceable | Refused | undefined {
  const fields = request.headers.all('Replaces');
  const [field] = fields;
  if (!field) return undefined;
  const value = fields.length === 1 ? parseParameterized(field.value) : undefined;
  const toTag = value?.params.get('to-tag');
  const fromTag = value?.params.get('from-tag');
  if (!value || toTag === undefined || fromTag === undefined) return { statusCode: 400, reasonPhrase: 'Bad Replaces' };
  const found = dialogOf(core, value.value, toTag, fromTag);
  if (!found) return { statusCode: 481 };
  // An early dialog may only be replaced by who was called, never by another caller.
  if (found.stage === 'ringingHere') return { statusCode: 481 };
  return value.params.has('early-only') && found.stage === 'confirmed' ? { statusCode: 486 } : found;
}

/** RFC 3891 §3: a tag `0` also means none, as of peers of RFC 2543. */
function dialogOf(core: AgentCore, callId: string, toTag: string, fromTag: string): Replaceable | undefined {
  const usage = core.dialogs.get(dialogKey(callId, toTag, fromTag));
  const bare = usage ?? (fromTag === '0' ? core.dialogs.get(dialogKey(callId, toTag, undefined)) : undefined);
  return bare?.replaceable?.();
}
