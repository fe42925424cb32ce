import { createSocket, type Socket } from 'node:dgram';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { messageOf, ResourceError } from '../core/errors.ts';
import type { TrafficMarker } from './traffic-class.ts';

/** Interfaces come and go, with a link or a lease: looked at so often. */
const lookEveryMs = 5_000;

export interface GroupListener {
  /** Why the group is joined nowhere; `undefined` when it is. */
  readonly obstacle: string | undefined;
  close(): Promise<void>;
}

/** Hears what comes to a multicast group, on the interface of that name or address (empty = on all that lead outside), also on those that come up later. */
export async function listenToGroup(
  group: { readonly address: string; readonly port: number; readonly interface: string },
  onDatagram: (bytes: Uint8Array, address: string, port: number) => void,
  onError: (error: Error) => void,
): Promise<GroupListener> {
  const ipv6 = group.address.includes(':');
  const socket = createSocket({ type: ipv6 ? 'udp6' : 'udp4', reuseAddr: true, ipv6Only: ipv6 });
  const joined = new Set<string>();
  let obstacle: string | undefined;
  const join = (): void => {
    obstacle = undefined;
    const wanted = interfacesOf(group.interface, ipv6);
    for (const one of joined) if (!wanted.includes(one)) joined.delete(one);
    for (const one of wanted) {
      if (joined.has(one)) continue;
      try {
        socket.addMembership(group.address, one);
        joined.add(one);
      } catch (thrown) {
        // One that went and came back is still joined.
        if ((thrown as NodeJS.ErrnoException).code === 'EADDRINUSE') joined.add(one);
        else obstacle = messageOf(thrown);
      }
    }
    if (joined.size > 0) obstacle = undefined;
    else obstacle ??= group.interface === '' ? 'no network is there' : `there is no interface ${group.interface}`;
  };
  // Bound to the group itself, so that what comes to others at the same port is not for us; of IPv6 groups in this network there are as many as interfaces.
  await bound(socket, ipv6 ? '::' : group.address, group.port);
  socket.on('message', (bytes, { address, port }) => onDatagram(bytes, address, port));
  socket.on('error', onError);
  join();
  const look = setInterval(join, lookEveryMs).unref();
  return {
    get obstacle() {
      return obstacle;
    },
    close: () => {
      clearInterval(look);
      return closed(socket);
    },
  };
}

export interface GroupSender {
  readonly port: number;
  send(bytes: Uint8Array, length: number): void;
  close(): Promise<void>;
}

/** Sends to a multicast group. Rejects with ResourceError when it cannot be. */
export async function openGroupSender(
  group: { readonly address: string; readonly port: number; readonly interface: string; readonly ttl: number },
  mark: TrafficMarker | undefined,
  onError: (error: Error) => void,
): Promise<GroupSender> {
  const ipv6 = group.address.includes(':');
  const socket = createSocket({
    type: ipv6 ? 'udp6' : 'udp4',
    lookup: (literal, _options, found) => found(null, literal, ipv6 ? 6 : 4),
  });
  await bound(socket, ipv6 ? '::' : '0.0.0.0', 0);
  try {
    // Left to the routes of the kernel unless somebody has chosen.
    const [chosen] = group.interface === '' ? [] : interfacesOf(group.interface, ipv6);
    if (group.interface !== '' && chosen === undefined) throw new Error(`there is no interface ${group.interface}`);
    if (chosen !== undefined) socket.setMulticastInterface(chosen);
    socket.setMulticastTTL(group.ttl);
    mark?.(socket, ipv6);
  } catch (thrown) {
    await closed(socket);
    throw new ResourceError(`nothing can be sent to ${group.address}: ${messageOf(thrown)}`);
  }
  socket.on('error', onError);
  let open = true;
  const sent = (error: Error | null): void => {
    if (error) onError(error);
  };
  return {
    port: socket.address().port,
    send: (bytes, length) => {
      if (open) socket.send(bytes, 0, length, group.port, group.address, sent);
    },
    close: () => {
      open = false;
      return closed(socket);
    },
  };
}

/** As Node names interfaces to multicast: an address, or `::%eth0`. */
function interfacesOf(wish: string, ipv6: boolean): string[] {
  const family = ipv6 ? 'IPv6' : 'IPv4';
  const nameOf = (name: string, { address }: NetworkInterfaceInfo) => (ipv6 ? `::%${name}` : address);
  const isMeant = (name: string, { address, internal }: NetworkInterfaceInfo) =>
    wish === '' ? !internal : wish === name || wish === address;
  const found = Object.entries(networkInterfaces()).flatMap(([name, list]) =>
    (list ?? []).filter((one) => one.family === family && isMeant(name, one)).map((one) => nameOf(name, one)),
  );
  return [...new Set(found)];
}

function bound(socket: Socket, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(new ResourceError(`cannot bind ${address}: ${error.message}`));
    });
    socket.bind({ address, port }, () => {
      socket.removeAllListeners('error');
      resolve();
    });
  });
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()));
}
