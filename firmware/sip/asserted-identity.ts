import type { Message } from './message/message.ts';
import { NameAddr, parseNameAddrList } from './message/name-addr.ts';
import type { Uri } from './message/uri.ts';

/** RFC 3323 §4.2 and RFC 3325 §9.3: with these the caller wants to be nobody. */
const hidingWords: ReadonlySet<string> = new Set(['id', 'header', 'user']);

/**
 * RFC 3325 §9.1: who calls, as a server that is trusted says; `undefined` when it says nothing, or not to be told. A number without a name
 * keeps the name of `from` when that is of the same user: no other name is his.
 */
export function assertedIdentityOf(message: Message, from: NameAddr): NameAddr | undefined {
  const privacy = message.headerValues('Privacy').flatMap((value) => value.split(';'));
  if (privacy.some((word) => hidingWords.has(word.trim().toLowerCase()))) return undefined;
  const [asserted] = message.headers.listOf('p-asserted-identity', parseNameAddrList);
  if (!asserted || asserted.displayName !== undefined) return asserted;
  const user = userOf(asserted.uri);
  return user !== undefined && user === userOf(from.uri) ? new NameAddr(asserted.uri, from.displayName) : asserted;
}

function userOf(uri: Uri): string | undefined {
  return uri.kind === 'sip' ? uri.user : undefined;
}
