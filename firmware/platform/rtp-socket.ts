import { createSocket, type Socket } from 'node:dgram';
import { type Entropy, randomUint32 } from '../core/entropy.ts';
import { ResourceError } from '../core/errors.ts';
import type { TrafficMarker } from './traffic-class.ts';

/** The even ports RTP may use, both ends included; RTCP takes the odd port above each. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
  /** Tried before the others: where the far end still sends to. */
  readonly first?: number | undefined;
}

/** Takes a datagram; `bytes` is its own and may be kept. */
export type DatagramListener = (rtcp: boolean, bytes: Uint8Array, address: string, port: number) => void;

/** What a socket of the pair says when it breaks; the pair stays open, for the next datagram may go. */
export type SocketErrorListener = (error: Error) => void;

/** An even UDP port for RTP and the odd one above it for RTCP (RFC 3550 §11), bound on one address. */
export interface RtpSocketPair {
  readonly rtpPort: number;
  readonly rtcpPort: number;
  /** Hands the first `length` bytes to the kernel at once. Errors go to the error listener. */
  send(rtcp: boolean, bytes: Uint8Array, length: number, address: string, port: number): void;
  close(): Promise<void>;
}

/** Pairs tried before giving up: enough to find one in a range that is nearly full, few enough to fail within a second. */
const attempts = 64;

/**
 * Binds a free pair, beginning at the port wished for or else at a random place in the range so that ports cannot be guessed and a late packet of the last call does not
 * reach the next. Throws ResourceError when none is free or the address is not ours.
 */
export async function openRtpSocketPair(
  address: string,
  range: PortRange,
  entropy: Entropy,
  onDatagram: DatagramListener,
  onError: SocketErrorListener,
  mark?: TrafficMarker,
): Promise<RtpSocketPair> {
  const first = range.from + (range.from & 1);
  const pairs = Math.floor((Math.min(range.to, 65_534) - first) / 2) + 1;
  if (pairs < 1 || first === 0) throw new ResourceError(`the RTP port range ${range.from}–${range.to} holds no even port`);
  const wanted = range.first === undefined ? -1 : Math.floor((range.first - first) / 2);
  const start = wanted >= 0 && wanted < pairs ? wanted : randomUint32(entropy) % pairs;
  for (let attempt = 0; attempt < Math.min(attempts, pairs); attempt++) {
    const rtpPort = first + 2 * ((start + attempt) % pairs);
    const pair = await bindPair(address, rtpPort);
    if (pair) markBoth(pair, address.includes(':'), mark, onError);
    if (pair) return new BoundPair(rtpPort, pair.rtp, pair.rtcp, onDatagram, onError);
  }
  throw new ResourceError(`no free pair of RTP ports between ${range.from} and ${range.to}`);
}

class BoundPair implements RtpSocketPair {
  readonly rtpPort: number;
  readonly rtcpPort: number;
  readonly #rtp: Socket;
  readonly #rtcp: Socket;
  readonly #onSent: (error: Error | null) => void;
  #closed = false;

  constructor(rtpPort: number, rtp: Socket, rtcp: Socket, onDatagram: DatagramListener, onError: SocketErrorListener) {
    this.rtpPort = rtpPort;
    this.rtcpPort = rtpPort + 1;
    this.#rtp = rtp;
    this.#rtcp = rtcp;
    this.#onSent = (error) => {
      if (error) onError(error);
    };
    rtp.on('message', (bytes, { address, port }) => onDatagram(false, bytes, address, port));
    rtcp.on('message', (bytes, { address, port }) => onDatagram(true, bytes, address, port));
    rtp.on('error', onError);
    rtcp.on('error', onError);
  }

  send(rtcp: boolean, bytes: Uint8Array, length: number, address: string, port: number): void {
    if (!this.#closed) (rtcp ? this.#rtcp : this.#rtp).send(bytes, 0, length, port, address, this.#onSent);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([closed(this.#rtp), closed(this.#rtcp)]);
  }
}

/** Both sockets, or `undefined` when one of the ports is taken. */
async function bindPair(address: string, rtpPort: number): Promise<{ rtp: Socket; rtcp: Socket } | undefined> {
  const rtp = await bind(address, rtpPort);
  if (!rtp) return undefined;
  const rtcp = await bind(address, rtpPort + 1);
  if (rtcp) return { rtp, rtcp };
  await closed(rtp);
  return undefined;
}

/** Packets that are not marked are better than none. */
function markBoth(
  { rtp, rtcp }: { rtp: Socket; rtcp: Socket },
  ipv6: boolean,
  mark: TrafficMarker | undefined,
  onError: SocketErrorListener,
): void {
  try {
    for (const socket of [rtp, rtcp]) mark?.(socket, ipv6);
  } catch (thrown) {
    onError(thrown instanceof Error ? thrown : new Error(String(thrown)));
  }
}

function bind(address: string, port: number): Promise<Socket | undefined> {
  const ipv6 = address.includes(':');
  // Only literals are ever sent to, so nothing has to be looked up, and a datagram leaves in the turn in which it was made.
  const socket = createSocket({
    type: ipv6 ? 'udp6' : 'udp4',
    ipv6Only: ipv6,
    lookup: (literal, _options, found) => found(null, literal, ipv6 ? 6 : 4),
  });
  return new Promise((resolve, reject) => {
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(undefined);
      else reject(new ResourceError(`cannot bind RTP to ${address}: ${error.message}`));
    });
    socket.bind({ address, port, exclusive: true }, () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(resolve));
}
