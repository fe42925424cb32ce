import type { NameAddr } from '#firmware/sip/message/name-addr.ts';
import type { RemoteParty } from './call-plan.ts';

const displayNameAtMost = 64;

/** Somebody as From says; the name is for a small display, so what cannot be shown is left out. */
export function partyOf({ displayName = '', uri }: NameAddr): RemoteParty {
  const shown = [...displayName].filter((character) => character >= ' ' && character !== '\u007f').slice(0, displayNameAtMost);
  return { displayName: shown.join('').trim(), uri: uri.toString() };
}
