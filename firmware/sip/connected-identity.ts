import type { AgentCore } from './agent-core.ts';
import { assertedIdentityOf } from './asserted-identity.ts';
import type { Dialog } from './dialog/dialog.ts';
import type { Identity } from './identity.ts';
import type { ServerTransaction } from './transaction/transaction-layer.ts';
import type { SessionId } from './user-agent-events.ts';

/** RFC 4916 §4: the From of a request within a dialog may be another one than before. */
export const fromChangeOption = 'from-change';

export interface IdentifiedParts {
  readonly core: AgentCore;
  readonly id: SessionId;
  readonly identity: Identity;
  readonly dialog: Dialog;
}

/** Tells with whom a call is now: a re-INVITE or UPDATE says so by its From, or the account's server asserts it (RFC 3325 §5). */
export function noteConnectedIdentity(
  { core, id: session, identity, dialog }: IdentifiedParts,
  { request, flow }: ServerTransaction,
): void {
  const isOther = dialog.learnRemote(request.from);
  const believed = identity.account && identity.isServer(flow.remote.address);
  const remote = (believed ? assertedIdentityOf(request, request.from) : undefined) ?? (isOther ? request.from : undefined);
  if (remote) core.emit({ type: 'identified', session, remote });
}
