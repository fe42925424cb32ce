import { isAt } from './grammar.ts';

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

/** The method that stands there; the usual ones are not cut out but one text each, which compares at once. */
export function methodBetween(text: string, codes: Uint8Array, start: number, end: number): string {
  const usual = usualMethods[((codes[start] ?? 0) * 4 + end - start) & 127];
  return usual !== undefined && usual.length === end - start && isAt(text, start, usual) ? usual : text.slice(start, end);
}

/** By first letter and length, which differ. */
const usualMethods: readonly (string | undefined)[] = buildUsualMethods();

function buildUsualMethods(): readonly (string | undefined)[] {
  const table: (string | undefined)[] = new Array(128).fill(undefined);
  for (const method of ['INVITE', 'ACK', 'BYE', 'CANCEL', 'OPTIONS', 'REGISTER', 'PRACK', 'INFO', 'UPDATE', 'NOTIFY', 'SUBSCRIBE']) {
    table[(method.charCodeAt(0) * 4 + method.length) & 127] = method;
  }
  return table;
}
