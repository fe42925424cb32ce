import { SipUri } from '#firmware/sip/message/uri.ts';
import { type Flow, type Target, targetOf } from '#firmware/sip/transport/flow.ts';
import type { LocalAddresses } from '#firmware/sip/transport/sip-core.ts';

/** A number that is answered in this process: the Contact its requests go to, and the way there. */
export interface Extension {
  readonly contact: SipUri;
  readonly target: Target;
}

/** RFC 2606: no host on any network has this name, so nobody else is ever called by it, and nothing from outside can come from it. */
export const extensionHost = 'extensions.invalid';

const exchangeEnd = { address: 'exchange.invalid', port: 5060 };
const extensionEnd = { address: extensionHost, port: 5060 };

/** The wire between the exchange and its extensions, as the exchange sees it. */
export const flowToExtensions: Flow = { id: 'extensions', transport: 'tcp', reliable: true, local: exchangeEnd, remote: extensionEnd };

/** The same wire from the other end. */
export const flowToExchange: Flow = { id: 'exchange', transport: 'tcp', reliable: true, local: extensionEnd, remote: exchangeEnd };

/** For the user agent at the far end of the wire. */
export const extensionAddresses: LocalAddresses = { towards: () => extensionEnd };

export function extensionsFor(numbers: readonly string[]): ReadonlyMap<string, Extension> {
  const params = new Map([['transport', 'tcp']]);
  const target = targetOf(flowToExtensions);
  return new Map(
    numbers.map((user) => [user, { contact: new SipUri({ user, host: extensionHost, port: extensionEnd.port, params }), target }]),
  );
}
