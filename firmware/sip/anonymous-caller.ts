import { NameAddr } from './message/name-addr.ts';
import { SipUri } from './message/uri.ts';

type Lines = readonly (readonly [name: string, value: string])[];

/** RFC 3325 §9.3: servers may know who calls, and are to tell nobody. */
export const anonymousLine = ['Privacy', 'id'] as const;

/** RFC 3323 §4.1.1.3: the From of who does not want to be known. */
const anonymousFrom = new NameAddr(new SipUri({ user: 'anonymous', host: 'anonymous.invalid' }), 'Anonymous');

/** Whether a request with these header fields is of somebody who does not want to be known. */
function hides(headers: Lines): boolean {
  return headers.some(([name, value]) => name === anonymousLine[0] && value === anonymousLine[1]);
}

/** Who a request with these header fields comes from, when it would otherwise come from `from`. */
export function fromOf(from: NameAddr, headers: Lines): NameAddr {
  return hides(headers) ? anonymousFrom : from;
}

/** RFC 3325 §9.2: what else it says, to the servers of the account alone. */
export function preferredIdentityLines(from: NameAddr, headers: Lines): Lines {
  return hides(headers) ? [['P-Preferred-Identity', from.toString()]] : [];
}

/** Whether a request or a dialog is of somebody who does not want to be known. */
export function isHidden({ uri }: NameAddr): boolean {
  return uri.kind === 'sip' && uri.host === 'anonymous.invalid';
}
