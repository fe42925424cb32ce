import { anonymousLine } from '#firmware/sip/anonymous-caller.ts';
import { autoAnswerLines } from '#firmware/sip/answer-mode.ts';
import type { CallRemarks } from '#firmware/sip/call-remarks.ts';
import type { NameAddr } from '#firmware/sip/message/name-addr.ts';
import type { CallHeader } from './call-plan.ts';
import type { DialPrefixes } from './line-features.ts';
import { partyOf } from './remote-party.ts';

const remarkAtMost = 64;

/** What a person wants of one call. */
export interface CallWishes {
  /** The far end is asked to accept it without a hand. */
  readonly intercom?: boolean | undefined;
  /** The far end does not learn who calls. */
  readonly hideNumber?: boolean | undefined;
}

/** Takes the prefixes off what was dialled, in any order. */
export function wishesOf(dialString: string, prefixes: DialPrefixes): { readonly rest: string; readonly wishes: CallWishes } {
  const wishes: { -readonly [K in keyof CallWishes]: CallWishes[K] } = {};
  let rest = dialString;
  for (let before = ''; before !== rest; ) {
    before = rest;
    for (const name of ['intercom', 'hideNumber'] as const) {
      const prefix = prefixes[name];
      if (prefix === '' || !rest.startsWith(prefix) || rest.length === prefix.length) continue;
      rest = rest.slice(prefix.length);
      wishes[name] = true;
    }
  }
  return { rest, wishes };
}

/** What the INVITE says of it. */
export function headersOf({ intercom, hideNumber }: CallWishes): readonly CallHeader[] {
  return [...(intercom ? autoAnswerLines : []), ...(hideNumber ? [anonymousLine] : [])];
}

/** What a call that came in says of itself, in words for people. */
export function remarkTexts({ subject, priority, forwardedBy, referredBy, organization }: CallRemarks): readonly string[] {
  const urgent = priority === 'urgent' || priority === 'emergency' ? [priority] : [];
  const from = forwardedBy.map((party) => `forwarded by ${shortNameOf(party)}`);
  const sender = referredBy ? [`sent by ${shortNameOf(referredBy)}`] : [];
  return [...urgent, ...from, ...sender, ...(subject ? [`subject: ${subject}`] : []), ...(organization ? [`of ${organization}`] : [])];
}

function shortNameOf(party: NameAddr): string {
  const { displayName, uri } = partyOf(party);
  const user = party.uri.kind === 'sip' ? (party.uri.user ?? party.uri.host) : uri;
  return displayName || user.slice(0, remarkAtMost);
}
