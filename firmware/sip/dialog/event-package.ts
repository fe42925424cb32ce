import type { Request } from '../message/message.ts';

/** RFC 6665 §5: what a subscriber has to know of an event package. */
export interface EventPackage {
  readonly event: string;
  /** Media types of its documents, the usual one first. */
  readonly accept: readonly string[];
  /** Whether a SUBSCRIBE that forks may make several subscriptions, whose states are merged (§5.4.9); else the first counts. */
  readonly mayFork: boolean;
}

/** RFC 3842 §3.9: each mailbox behind a fork may tell. */
export const messageSummaryPackage: EventPackage = {
  event: 'message-summary',
  accept: ['application/simple-message-summary'],
  mayFork: false,
};

/** RFC 4235 §3.9. */
export const dialogPackage: EventPackage = { event: 'dialog', accept: ['application/dialog-info+xml'], mayFork: true };

/** RFC 3856 §6.9: one presence agent speaks for a person. */
export const presencePackage: EventPackage = { event: 'presence', accept: ['application/pidf+xml'], mayFork: false };

/** RFC 3680 §4.9. */
export const registrationPackage: EventPackage = { event: 'reg', accept: ['application/reginfo+xml'], mayFork: false };

/** RFC 6910 §9.9: each phone of the callee has a queue of its own. */
export const callCompletionPackage: EventPackage = {
  event: 'call-completion',
  accept: ['application/call-completion'],
  mayFork: true,
};

/** RFC 6665 §7.2.1: an Event with an `id` is another one. */
export function isEvent({ event }: Request, name: string, id?: string): boolean {
  return event?.value.toLowerCase() === name && event.params.get('id') === id;
}
