import type { SipUri } from '#firmware/sip/message/uri.ts';
import type { Flow, Target, Transport } from '#firmware/sip/transport/flow.ts';
import type { LocalAddresses } from '#firmware/sip/transport/sip-core.ts';

/** What the driver knows of this machine: which address a peer sees, and which hosts are this machine. */
export interface OwnAddresses extends LocalAddresses {
  /** `host` is an IP address without brackets or a host name, in lower case. */
  isOwn(host: string): boolean;
}

/** Host and port as they stand in a Via or a URI of ours: IPv6 in brackets. */
export interface SentBy {
  readonly host: string;
  readonly port: number;
}

const transports: readonly Transport[] = ['udp', 'tcp', 'tls', 'ws', 'wss'];

/** Which URIs mean this exchange, and by which name it speaks of itself. */
export class OwnDomain {
  readonly #addresses: OwnAddresses;
  readonly #domains: () => readonly string[];

  constructor(addresses: OwnAddresses, domains: () => readonly string[]) {
    this.#addresses = addresses;
    this.#domains = domains;
  }

  /**
   * True if the URI's domain is served here: a configured one, or this machine. A phone on the same machine has another port; a URI without a
   * port means us, since it has come to us.
   */
  isOwn(uri: SipUri, flow: Flow): boolean {
    const { host, port } = uri;
    const domains = this.#domains();
    if (domains.includes(host) || (port !== undefined && domains.includes(`${host}:${port}`))) return true;
    const isOurs = port === undefined || transports.some((one) => this.#addresses.towards(flow.remote.address, one).port === port);
    return isOurs && this.#addresses.isOwn(bare(host));
  }

  /** What a peer there has to know us by. */
  sentBy(target: Target): SentBy {
    const { address, port } = this.#addresses.towards(target.address, target.transport);
    return { host: bracketed(address), port };
  }
}

/** An address as it stands in a URI. */
function bracketed(address: string): string {
  return address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;
}

/** An address as sockets know it. */
export function bare(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}
