import { readTypes } from './body-parts.ts';
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

/** Media type of the instant messages we take (RFC 3428 §7). */
export const messageType = 'text/plain';

/** RFC 3842: the one event package we subscribe to. */
export const messageSummary = { event: 'message-summary', contentType: 'application/simple-message-summary' } as const;

/** Option tags of extensions (RFC 3261 §19.2) that a peer may require of us. */
export const supportedOptions: readonly string[] = ['100rel', 'timer', 'replaces', 'norefersub'];

/** RFC 6665 §8.2.2: the event packages we know; `refer` within a call alone, `dialog` where others may watch us. */
export function allowEventsLine({ acceptWatchers }: UserAgentSettings): readonly [name: string, value: string] {
  return ['Allow-Events', [messageSummary.event, 'refer', ...(acceptWatchers ? ['dialog'] : [])].join(', ')];
}

export const allowLine = ['Allow', allowedMethods.join(', ')] as const;

/** What we can do, in requests and responses that make a dialog or refresh it. */
export function dialogLines(settings: UserAgentSettings): readonly (readonly [name: string, value: string])[] {
  return [allowLine, supportedLine(settings)];
}

/** RFC 3261 §11.2: what an OPTIONS is told. */
export function capabilityLines(settings: UserAgentSettings): readonly (readonly [name: string, value: string])[] {
  return [
    allowLine,
    ['Accept', [...readTypes, ...infoTypes, messageSummary.contentType, messageType].join(', ')],
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
