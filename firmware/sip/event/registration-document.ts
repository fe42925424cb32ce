import { childrenOf, elementAt, type XmlElement } from '#firmware/core/xml-element.ts';
import { parseUri } from '../message/uri.ts';

/** What a registrar says of one binding of ours. */
export interface BindingNews {
  /** The document names the binding; a full one that does not says that there is none. */
  readonly named: boolean;
  readonly full: boolean;
  readonly active: boolean;
  /** Why it is as it is (RFC 3680 §4.6), such as `deactivated`; empty when it is not said. */
  readonly event: string;
  readonly retryAfterSeconds: number;
}

/** RFC 3680 §5: what a document says of the binding whose Contact has this user part; `undefined` for a document of something else. */
export function bindingNewsOf(document: XmlElement, contactUser: string): BindingNews | undefined {
  if (document.name !== 'reginfo') return undefined;
  const contacts = childrenOf(document, 'registration').flatMap((registration) => childrenOf(registration, 'contact'));
  const ours = contacts.find((contact) => {
    const uri = parseUri(elementAt(contact, 'uri')?.text ?? '');
    return uri?.kind === 'sip' && uri.user === contactUser;
  });
  const retryAfter = Number(ours?.attributes.get('retry-after') ?? 0);
  return {
    named: ours !== undefined,
    full: document.attributes.get('state') !== 'partial',
    active: ours?.attributes.get('state') === 'active',
    event: ours?.attributes.get('event') ?? '',
    retryAfterSeconds: retryAfter > 0 ? Math.min(retryAfter, 3_600) : 0,
  };
}
