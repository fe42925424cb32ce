import { createSocket } from 'node:dgram';
import { BlockList, isIP, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

/** Documentation addresses (RFC 5737, RFC 3849) stand for "somewhere beyond the router"; nothing is sent to them. */
const elsewhere = { udp4: '192.0.2.1', udp6: '2001:db8::1' } as const;

/** Which address of this machine a peer sees: that of the interface in its subnet, else that of the default route. */
export class LocalAddressFinder {
  #defaults = new Map<4 | 6, string>();

  /** Asks the kernel for the source addresses of the default routes. */
  async refresh(): Promise<void> {
    const [four, six] = await Promise.all([sourceTowards('udp4'), sourceTowards('udp6')]);
    this.#defaults = new Map();
    if (four !== undefined) this.#defaults.set(4, four);
    if (six !== undefined) this.#defaults.set(6, six);
  }

  /** `remote` is an IP address; anything else means somewhere beyond the router, by the family that is `preferred`. */
  towards(remote: string, preferred: 4 | 6 = 4): string {
    const family = isIP(remote);
    const interfaces = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    const isNear = (cidr: string, internal: boolean): boolean => (internal ? loops(remote) : inSubnet(remote, cidr));
    const neighbour = interfaces.find(({ address, cidr, internal }) => cidr && isIP(address) === family && isNear(cidr, internal));
    if (neighbour) return neighbour.address;
    const wanted = (family || preferred) === 6 ? 6 : 4;
    const outward = interfaces.find((one) => !one.internal && (one.family === 'IPv6') === (wanted === 6) && !one.scopeid);
    return this.#defaults.get(wanted) ?? outward?.address ?? (wanted === 6 ? '::1' : '127.0.0.1');
  }
}

function loops(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

function inSubnet(address: string, cidr: string): boolean {
  const [network = '', bits = ''] = cidr.split('/');
  if (isIPv6(network) !== isIPv6(address)) return false;
  const list = new BlockList();
  const family = isIPv6(network) ? 'ipv6' : 'ipv4';
  list.addSubnet(network, Number(bits), family);
  return list.check(address, family);
}

/** `undefined` when there is no route. */
function sourceTowards(type: 'udp4' | 'udp6'): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(type);
    const finish = (address: string | undefined): void => {
      socket.close();
      resolve(address);
    };
    socket.once('error', () => finish(undefined));
    socket.connect(9, elsewhere[type], () => finish(socket.address().address));
  });
}
