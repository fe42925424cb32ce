import { answerModeOption } from './answer-mode.ts';
import { readTypes } from './body-parts.ts';
import { fromChangeOption } from './connected-identity.ts';
import { messageSummaryPackage } from './dialog/event-package.ts';
import { type NotifiedPackage, notifiedCompletion, notifiedDialogs, notifiedPresence } from './dialog/notified-package.ts';
import { composingDocumentType } from './event/composing-document.ts';
import type { UserAgentSettings } from './user-agent-settings.ts';

/** RFC 3261 §20.5: what this user agent answers with something else than a refusal. */
export const allowedMethods: readonly string[] = [
  'INVITE',
  'ACK',
  'CANCEL',
  'BYE',
  'OPTIONS',
  'INFO',
  'PRACK',
  'UPDATE',
  'NOTIFY',
  'REFER',
  'MESSAGE',
  'SUBSCRIBE',
];

/** Media types of INFO bodies that carry a digit; whoever owns the call reads them. */
export const infoTypes: readonly string[] = ['application/dtmf-relay', 'application/dtmf', 'application/telephone-event'];

/** RFC 6086, 3GPP TS 24.229 annex P: the info package by which digits come and go; without one they do as ever since (RFC 2976). */
export const digitPackage = 'infoDtmf';

/** RFC 6086 §4.2.1: the info packages that may be sent to us. */
export const receiveInfoLine = ['Recv-Info', digitPackage] as const;

/** Media type of the instant messages we take (RFC 3428 §7). */
export const messageType = 'text/plain';

/** Option tags of extensions (RFC 3261 §19.2) that a peer may require of us. */
export const supportedOptions: readonly string[] = [
  '100rel',
  'timer',
  'replaces',
  'join',
  'norefersub',
  answerModeOption,
  fromChangeOption,
];

/** The event packages by which others may know how we stand. */
export function notifiedPackages({ acceptWatchers, offerCompletion }: UserAgentSettings): readonly NotifiedPackage[] {
  return [...(acceptWatchers ? [notifiedDialogs, notifiedPresence] : []), ...(offerCompletion ? [notifiedCompletion] : [])];
}

/** RFC 6665 §8.2.2: the event packages we know; `refer` within a call alone. */
export function allowEventsLine(settings: UserAgentSettings): readonly [name: string, value: string] {
  const checkSync = settings.acceptCheckSync === 'never' ? [] : ['check-sync'];
  const watched = notifiedPackages(settings).map(({ event }) => event);
  return ['Allow-Events', [messageSummaryPackage.event, 'refer', ...watched, ...checkSync].join(', ')];
}

export const allowLine = ['Allow', allowedMethods.join(', ')] as const;

/** What we can do, in requests and responses that make the dialog of a call or refresh it. */
export function dialogLines(settings: UserAgentSettings): readonly (readonly [name: string, value: string])[] {
  return [...usageLines(settings), receiveInfoLine];
}

/** What we can do, in other requests within a dialog. */
export function usageLines(settings: UserAgentSettings): readonly (readonly [name: string, value: string])[] {
  return [allowLine, supportedLine(settings)];
}

/** RFC 3261 §11.2: what an OPTIONS is told. */
export function capabilityLines(settings: UserAgentSettings): readonly (readonly [name: string, value: string])[] {
  return [
    allowLine,
    ['Accept', [...readTypes, ...infoTypes, ...messageSummaryPackage.accept, messageType, composingDocumentType].join(', ')],
    ['Accept-Encoding', 'identity'],
    ['Accept-Language', 'en'],
    supportedLine(settings),
    allowEventsLine(settings),
  ];
}

function supportedLine({ reliableProvisional }: UserAgentSettings): readonly [name: string, value: string] {
  const options = supportedOptions.filter((option) => option !== '100rel' || reliableProvisional !== 'off');
  return ['Supported', options.join(', ')];
}
