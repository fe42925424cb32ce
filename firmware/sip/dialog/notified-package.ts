import type { Milliseconds } from '#firmware/core/clock.ts';
import { callCompletionDocumentType, formatCallCompletion } from '../event/call-completion-document.ts';
import { dialogDocumentType, formatDialogDocument, type ShownDialog } from '../event/dialog-document.ts';
import { formatPresenceDocument, type Presence, presenceDocumentType } from '../event/presence-document.ts';

/** How one account stands, as far as others may know. */
export interface ShownState {
  readonly dialogs: readonly ShownDialog[];
  readonly presence: Presence;
  /** A call would ring now. */
  readonly free: boolean;
}

/** Whom a document is for. */
export interface Told {
  /** The address of record of the account. */
  readonly entity: string;
  /** Documents told before. */
  readonly version: number;
  /** How many have waited longer for the same account and event. */
  readonly place: number;
}

/** RFC 6665 §5: what a notifier has to know of an event package. */
export interface NotifiedPackage {
  readonly event: string;
  readonly contentType: string;
  /** Granted unless less is asked for, s. */
  readonly usualSeconds: number;
  /** Not more than one NOTIFY in this time. */
  readonly pace: Milliseconds;
  /** Subscriptions for one account; a queue is bounded. */
  readonly watchersAtMost: number;
  format(told: Told, state: ShownState): string;
}

/** RFC 4235 §3. */
export const notifiedDialogs: NotifiedPackage = {
  event: 'dialog',
  contentType: dialogDocumentType,
  usualSeconds: 3_600,
  pace: 1_000,
  watchersAtMost: Number.POSITIVE_INFINITY,
  format: ({ entity, version }, { dialogs }) => formatDialogDocument(entity, version, dialogs),
};

/** RFC 3856 §6: a phone that is its own presence agent. */
export const notifiedPresence: NotifiedPackage = {
  event: 'presence',
  contentType: presenceDocumentType,
  usualSeconds: 3_600,
  pace: 5_000,
  watchersAtMost: Number.POSITIVE_INFINITY,
  format: ({ entity }, { presence }) => formatPresenceDocument(entity, presence, entity),
};

/** RFC 6910 §9: the one who has waited longest is told that the callee is free. */
export const notifiedCompletion: NotifiedPackage = {
  event: 'call-completion',
  contentType: callCompletionDocumentType,
  usualSeconds: 3_600,
  pace: 1_000,
  watchersAtMost: 5,
  format: ({ entity, place }, { free }) => formatCallCompletion(place === 0 && free ? 'ready' : 'queued', `${entity};m=BS`),
};
