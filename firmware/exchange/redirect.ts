import { UsageError } from '#firmware/core/errors.ts';
import { NameAddr } from '#firmware/sip/message/name-addr.ts';
import { parseUri, SipUri } from '#firmware/sip/message/uri.ts';

/** RFC 3261 §8.3: the Contact of the 302 a caller of this user gets. A bare name is a user of the same domain as `called`. */
export function forwardContact(forward: string, called: SipUri): NameAddr {
  const uri = parseUri(forward);
  return new NameAddr(uri?.kind === 'sip' ? uri : new SipUri({ user: forward, host: called.host, port: called.port }));
}

/** Checks a target for `user`: a SIP URI, or the name or number of a user or an extension here. Throws `forward-target`. */
export function checkForward(user: string, target: string): void {
  const uri = parseUri(target);
  const isUri = uri?.kind === 'sip' && (uri.scheme === 'sip' || uri.scheme === 'sips');
  if (!isUri && !isName(target)) throw new UsageError('forward-target', `${target} is neither a SIP URI nor a user or number here`);
  if (target === user) throw new UsageError('forward-target', `calls for ${user} can not be forwarded to ${user}`);
}

function isName(text: string): boolean {
  return text.length <= 32 && /^[A-Za-z0-9._*#+-]+$/.test(text);
}
