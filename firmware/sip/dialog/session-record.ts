import type { Milliseconds } from '#firmware/core/clock.ts';
import { parseNameAddr } from '../message/name-addr.ts';
import { parseUri } from '../message/uri.ts';
import type { SessionId } from '../user-agent-events.ts';
import { Dialog } from './dialog.ts';
import type { SessionGrant } from './session-terms.ts';

/** A dialog (RFC 3261 §12) as plain JSON. */
export interface DialogRecord {
  readonly callId: string;
  readonly local: string;
  readonly remote: string;
  readonly routeSet: readonly string[];
  readonly remoteTarget: string;
  readonly localSequence: number;
  readonly remoteSequence: number | null;
}

/** An accepted call as plain JSON: what a user agent needs to take it up after the one that made it has died. */
export interface SessionRecord {
  readonly session: SessionId;
  /** `null` = a direct call, of no account. */
  readonly account: string | null;
  readonly dialog: DialogRecord;
  /** True for the caller. */
  readonly ownsCallId: boolean;
  /** CSeq number of the INVITE that made the call, theirs or ours. */
  readonly inviteSequence: number;
  /** RFC 4028: what was agreed on, and when the call was refreshed last. */
  readonly timer: { readonly grant: SessionGrant; readonly since: Milliseconds } | null;
  readonly theyTakeUpdate: boolean;
  /** What the far end knows of our media. */
  readonly described: { readonly contentType: string; readonly text: string } | null;
}

/** Numbers left out when a dialog is taken up: requests may have gone out that the record does not know of (§12.2.2 allows gaps). */
const sequenceGap = 8;

export function recordOfDialog(dialog: Dialog): DialogRecord {
  return {
    callId: dialog.callId,
    local: dialog.local.toString(),
    remote: dialog.remote.toString(),
    routeSet: dialog.routeSet.map(String),
    remoteTarget: dialog.remoteTarget.toString(),
    localSequence: dialog.localSequence,
    remoteSequence: dialog.remoteSequence ?? null,
  };
}

/** `undefined` for a record that is none. */
export function dialogOfRecord(record: DialogRecord): Dialog | undefined {
  const local = parseNameAddr(record.local);
  const remote = parseNameAddr(record.remote);
  const remoteTarget = parseUri(record.remoteTarget);
  const routeSet = record.routeSet.flatMap((text) => parseNameAddr(text) ?? []);
  if (!local || !remote || !remoteTarget || routeSet.length !== record.routeSet.length) return undefined;
  return new Dialog({
    callId: record.callId,
    local,
    remote,
    routeSet,
    remoteTarget,
    localSequence: record.localSequence + sequenceGap,
    remoteSequence: record.remoteSequence ?? undefined,
  });
}
