import { createConnection, createServer, isIPv6, type Server, type Socket } from 'node:net';
import { messageOf, ResourceError } from '../core/errors.ts';
import type { Flow } from '../sip/transport/flow.ts';
import type { Destination } from '../sip/transport/sip-core.ts';
import { StreamSocket } from './stream-socket.ts';
import type { SocketAddress } from './udp-socket.ts';

export interface StreamLimits {
  /** Connections that one address may hold open to us. */
  readonly perSource: number;
  /** Connections in all, ours included. */
  readonly total: number;
  /** Of `total`, places that only connections we open may take, so that strangers can't shut us off. */
  readonly reserved: number;
  /** How long a message may take from its first byte to its last, ms. */
  readonly messageMs: number;
  /** How long opening a connection may take, ms. */
  readonly connectMs: number;
}

export const defaultStreamLimits: StreamLimits = { perSource: 8, total: 64, reserved: 8, messageMs: 10_000, connectMs: 10_000 };

/** Names under which one connection is remembered, to say whose messages were lost with it. */
const namesAtMost = 32;

export interface StreamPoolParts {
  readonly limits: StreamLimits;
  readonly onMessage: (flow: Flow, bytes: Uint8Array) => void;
  /** What was given for `destination` may not have arrived, or its flow is gone; without a reason, the far end has simply closed it. */
  readonly onFailure: (destination: Destination, reason: string | undefined) => void;
  /** A connection was turned away. */
  readonly onRefused: (remote: string, reason: string) => void;
}

/** All TCP connections of an endpoint, those that came in and those it opened. */
export class StreamPool {
  readonly #parts: StreamPoolParts;
  readonly #servers: Server[] = [];
  readonly #byFlow = new Map<string, StreamSocket>();
  readonly #byRemote = new Map<string, StreamSocket>();
  #flows = 0;

  constructor(parts: StreamPoolParts) {
    this.#parts = parts;
  }

  /** Throws ResourceError when the address or port is not to be had. */
  async listen(address: string, port: number): Promise<SocketAddress> {
    const server = createServer((socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(new ResourceError(`TCP ${address} port ${port}: ${messageOf(error)}`)));
      server.listen({ host: address, port, ipv6Only: isIPv6(address) }, resolve);
    });
    server.removeAllListeners('error');
    server.on('error', (error) => this.#parts.onRefused('', messageOf(error)));
    this.#servers.push(server);
    const bound = server.address();
    if (bound === null || typeof bound === 'string') throw new ResourceError(`TCP ${address} port ${port}: not an internet address`);
    return bound;
  }

  /** Sends over the flow of the destination while that is open, else over a connection to `address`, opened if need be. */
  send(destination: Destination, address: string, bytes: Uint8Array): void {
    const remote = remoteKey(address, destination.port);
    const open = (destination.flow && this.#byFlow.get(destination.flow.id)) ?? this.#byRemote.get(remote);
    const stream = open?.isOpen ? open : this.#open(destination, address);
    if (!stream) return;
    if (stream.names.size < namesAtMost) stream.names.add(remoteKey(destination.host, destination.port));
    stream.write(bytes);
  }

  get size(): number {
    return this.#byFlow.size;
  }

  async close(): Promise<void> {
    const servers = this.#servers.splice(0);
    const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const stream of [...this.#byFlow.values()]) stream.destroy('the endpoint closes');
    await Promise.all(closed);
  }

  #accept(socket: Socket): void {
    const address = socket.remoteAddress;
    const { limits, onRefused } = this.#parts;
    const fromSource = [...this.#byFlow.values()].filter((stream) => stream.flow.remote.address === address).length;
    const full = this.#byFlow.size >= limits.total - limits.reserved;
    if (address === undefined || full || fromSource >= limits.perSource) {
      onRefused(address ?? '', full ? 'too many connections' : 'too many connections of this source');
      socket.on('error', (error) => onRefused(address ?? '', error.message));
      socket.destroy();
      return;
    }
    this.#adopt(socket, { address, port: socket.remotePort ?? 0 }, localOf(socket), false);
  }

  #open(destination: Destination, address: string): StreamSocket | undefined {
    const { limits, onFailure } = this.#parts;
    if (this.#byFlow.size >= limits.total) {
      onFailure(destination, 'too many connections');
      return undefined;
    }
    const socket = createConnection({ host: address, port: destination.port });
    const local = { address: '', port: 0 };
    socket.once('connect', () => Object.assign(local, localOf(socket)));
    const stream = this.#adopt(socket, { address, port: destination.port }, local, true);
    const patience = setTimeout(() => stream.destroy('no connection in time'), limits.connectMs);
    socket.once('connect', () => clearTimeout(patience));
    socket.once('close', () => clearTimeout(patience));
    return stream;
  }

  #adopt(socket: Socket, remote: SocketAddress, local: SocketAddress, opened: boolean): StreamSocket {
    const flow: Flow = { id: `tcp-${++this.#flows}`, transport: 'tcp', reliable: true, local, remote };
    const stream = new StreamSocket({
      flow,
      socket,
      opened,
      messageMs: this.#parts.limits.messageMs,
      onMessage: this.#parts.onMessage,
      onClosed: (closed, reason) => this.#forget(closed, reason),
    });
    this.#byFlow.set(flow.id, stream);
    this.#byRemote.set(remoteKey(remote.address, remote.port), stream);
    stream.start();
    return stream;
  }

  #forget(stream: StreamSocket, reason: string | undefined): void {
    const { remote } = stream.flow;
    this.#byFlow.delete(stream.flow.id);
    const key = remoteKey(remote.address, remote.port);
    if (this.#byRemote.get(key) === stream) this.#byRemote.delete(key);
    stream.names.add(key);
    for (const name of stream.names) {
      const colon = name.lastIndexOf(':');
      const destination = { transport: 'tcp', host: name.slice(0, colon), port: Number(name.slice(colon + 1)), flow: stream.flow } as const;
      this.#parts.onFailure(destination, reason);
    }
  }
}

function localOf(socket: Socket): SocketAddress {
  return { address: socket.localAddress ?? '', port: socket.localPort ?? 0 };
}

function remoteKey(host: string, port: number): string {
  return `${host}:${port}`;
}
