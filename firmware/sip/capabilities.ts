/** RFC 3261 §20.5: what this user agent answers with something else than a refusal. */
export const allowedMethods: readonly string[] = ['INVITE', 'ACK', 'CANCEL', 'BYE', 'OPTIONS', 'INFO', 'UPDATE', 'NOTIFY', 'REFER'];

/** Media types of INFO bodies that carry a digit; whoever owns the call reads them. */
export const infoTypes: readonly string[] = ['application/dtmf-relay', 'application/dtmf', 'application/telephone-event'];

/** RFC 3842: the one event package we subscribe to. */
export const messageSummary = { event: 'message-summary', contentType: 'application/simple-message-summary' } as const;

/** Option tags of extensions (RFC 3261 §19.2) that a peer may require of us. */
export const supportedOptions: readonly string[] = ['timer', 'replaces', 'norefersub'];

/** RFC 6665 §8.2.2: event packages whose NOTIFYs we take; those of `refer` within a call alone. */
export const eventPackages = `${messageSummary.event}, refer`;

export const allowLine = ['Allow', allowedMethods.join(', ')] as const;

/** What we can do, in requests and responses that make a dialog or refresh it. */
export const dialogLines: readonly (readonly [name: string, value: string])[] = [allowLine, ['Supported', supportedOptions.join(', ')]];

/** RFC 3261 §11.2: what an OPTIONS is told. */
export const capabilityLines: readonly (readonly [name: string, value: string])[] = [
  allowLine,
  ['Accept', ['application/sdp', ...infoTypes, messageSummary.contentType].join(', ')],
  ['Accept-Encoding', 'identity'],
  ['Accept-Language', 'en'],
  ['Supported', supportedOptions.join(', ')],
  ['Allow-Events', eventPackages],
];
