import type { Request } from './message/message.ts';
import { type NameAddr, parseNameAddr, parseNameAddrList } from './message/name-addr.ts';
import { displayText } from './message/text.ts';

/** What an INVITE says beyond who calls whom. */
export interface CallRemarks {
  readonly subject: string | undefined;
  /** RFC 3261 §20.26, lower-cased. */
  readonly priority: string | undefined;
  /** Who sent the call on to us, the last one first (RFC 5806, RFC 7044). */
  readonly forwardedBy: readonly NameAddr[];
  /** Who asked the caller to call us (RFC 3892). */
  readonly referredBy: NameAddr | undefined;
  readonly organization: string | undefined;
}

const textAtMost = 80;
const forwardsAtMost = 4;

export function remarksOf(request: Request): CallRemarks {
  return {
    subject: textOf(request, 'Subject'),
    priority: textOf(request, 'Priority')?.toLowerCase(),
    forwardedBy: forwardersOf(request),
    referredBy: request.headers.firstOf('referred-by')?.as(parseNameAddr),
    organization: textOf(request, 'Organization'),
  };
}

/** RFC 3323 §4.2 and RFC 3261 §8.1.1.3: the caller does not want to be known. */
export function isAnonymous({ from }: Request): boolean {
  const { uri } = from;
  if (uri.kind !== 'sip') return false;
  return uri.host.toLowerCase() === 'anonymous.invalid' || uri.user?.toLowerCase() === 'anonymous';
}

/** Diversion names who forwarded; without it History-Info does: each entry with a reason in the next one's `Reason` was left behind. */
function forwardersOf(request: Request): readonly NameAddr[] {
  const diverted = request.headers.listOf('diversion', parseNameAddrList);
  if (diverted.length > 0) return diverted.slice(0, forwardsAtMost);
  const history = request.headers.listOf('history-info', parseNameAddrList);
  // RFC 7044 §10: an entry that was retargeted bears the Reason for it, or the entry that follows it the mark `mp` of another user.
  const left = history.filter((entry, i) => wasLeft(entry) || history[i + 1]?.params.has('mp'));
  return left.reverse().slice(0, forwardsAtMost);
}

function wasLeft({ uri }: NameAddr): boolean {
  return uri.kind === 'sip' && uri.headers.some(([name]) => name.toLowerCase() === 'reason');
}

function textOf(request: Request, name: string): string | undefined {
  const text = request.header(name);
  const shown = text === undefined ? '' : displayText(text).trim().slice(0, textAtMost);
  return shown === '' ? undefined : shown;
}
