import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { LookupOneOptions } from 'node:dns';
import { isIPv6 } from 'node:net';
import { messageOf, ResourceError } from '../core/errors.ts';
import type { TrafficMarker } from './traffic-class.ts';

/** An IP address (IPv6 without brackets) and a port. */
export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

export interface UdpSocketOptions {
  /** The local address; `0.0.0.0` or `::` for all of a family. */
  readonly address: string;
  /** The local port; 0 for any. */
  readonly port: number;
  /** One datagram; the bytes belong to the receiver. */
  readonly onDatagram: (bytes: Uint8Array, remote: SocketAddress) => void;
  /** The socket itself failed while it was open. */
  readonly onFailure: (reason: string) => void;
  /** Asked of the kernel for its receive queue, in bytes. */
  readonly receiveBufferBytes?: number;
  readonly mark?: TrafficMarker | undefined;
}

/** Only addresses get here: without this, each datagram takes the detour of a name and leaves a turn of the event queue later. */
const already = (address: string, _options: LookupOneOptions, found: Found): void => found(null, address, isIPv6(address) ? 6 : 4);

type Found = (error: NodeJS.ErrnoException | null, address: string, family: number) => void;

/** One bound UDP socket. */
export class UdpSocket {
  readonly #options: UdpSocketOptions;
  #socket: Socket | undefined;

  constructor(options: UdpSocketOptions) {
    this.#options = options;
  }

  /** Binds; throws ResourceError when the address or port is not to be had. */
  async open(): Promise<SocketAddress> {
    const { address, port, onDatagram, onFailure } = this.#options;
    const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', ipv6Only: isIPv6(address), lookup: already });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (error) => {
        socket.close();
        reject(new ResourceError(`UDP ${address} port ${port}: ${messageOf(error)}`));
      });
      socket.bind(port, address, resolve);
    });
    socket.removeAllListeners('error');
    socket.on('error', (error) => onFailure(messageOf(error)));
    socket.on('message', (bytes: Buffer, remote: RemoteInfo) => onDatagram(bytes, remote));
    if (this.#options.receiveBufferBytes) socket.setRecvBufferSize(this.#options.receiveBufferBytes);
    this.#options.mark?.(socket, isIPv6(address));
    this.#socket = socket;
    return socket.address();
  }

  /** Sends one datagram to an address of the socket's family; nothing happens once it is closed. */
  send(bytes: Uint8Array, remote: SocketAddress, onFailure: (reason: string) => void): void {
    this.#socket?.send(bytes, remote.port, remote.address, (error) => {
      if (error && this.#socket) onFailure(messageOf(error));
    });
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) await new Promise<void>((resolve) => socket.close(() => resolve()));
  }
}
