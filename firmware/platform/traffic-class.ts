import type { Socket as DatagramSocket } from 'node:dgram';
import type { Socket as StreamSocket } from 'node:net';
import { ResourceError } from '../core/errors.ts';
import { openNativeLibrary } from './native-library.ts';

/** Writes a class of traffic (RFC 2474) into all packets that the socket sends from now on. Throws ResourceError when the kernel does not. */
export type TrafficMarker = (socket: DatagramSocket | StreamSocket, ipv6: boolean) => void;

/** Linux: level and name of IP_TOS, and of IPV6_TCLASS. */
const ipv4Option = { level: 0, name: 1 };
const ipv6Option = { level: 41, name: 67 };
/** The class has six bits; two of congestion notification lie below it. */
const congestionBits = 2;

/**
 * A marker for code point `dscp`; `undefined` when that is 0, which is what packets have anyway. Node has no call for it, so the C library is
 * asked: throws what the loader says when that cannot be.
 */
export async function openTrafficMarker(dscp: number): Promise<TrafficMarker | undefined> {
  if (dscp === 0) return undefined;
  const library = await openNativeLibrary(null);
  const setOption = library.find('int setsockopt(int, int, int, const int32_t *, uint32_t)');
  const value = Int32Array.of(dscp << congestionBits);
  return (socket, ipv6) => {
    const descriptor = descriptorOf(socket);
    if (descriptor === undefined) throw new ResourceError('packets are not marked: the socket shows no descriptor');
    const { level, name } = ipv6 ? ipv6Option : ipv4Option;
    if (setOption(descriptor, level, name, value, value.byteLength) !== 0) {
      throw new ResourceError(`packets are not marked: ${library.failure()}`);
    }
  };
}

interface Handle {
  readonly fd?: number;
}

/** Node keeps the handle of a datagram socket under a symbol; that of a stream has a name. */
function descriptorOf(socket: object): number | undefined {
  const state = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol');
  const { handle } = state
    ? (Reflect.get(socket, state) as { handle?: Handle })
    : { handle: Reflect.get(socket, '_handle') as Handle | null };
  const descriptor = handle?.fd;
  return descriptor !== undefined && descriptor >= 0 ? descriptor : undefined;
}
