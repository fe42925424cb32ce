/** The methods of the SIP specifications; a request may have any other token as its method. */
const knownMethods: ReadonlySet<string> = new Set([
  'ACK',
  'BYE',
  'CANCEL',
  'INFO',
  'INVITE',
  'MESSAGE',
  'NOTIFY',
  'OPTIONS',
  'PRACK',
  'PUBLISH',
  'REFER',
  'REGISTER',
  'SUBSCRIBE',
  'UPDATE',
]);

export function isKnownMethod(method: string): boolean {
  return knownMethods.has(method);
}
