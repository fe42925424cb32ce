import { createConnection, createServer, isIP, isIPv6, type Server, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { messageOf, ResourceError } from '../core/errors.ts';
import { defaultMessageLimits, type MessageLimits, parseMessage } from '../sip/message/parse.ts';
import { defaultPortOf, type Flow, isSecure, isWebSocket, type Transport } from '../sip/transport/flow.ts';
import type { Destination } from '../sip/transport/sip-core.ts';
import type { SipStream, SipStreamParts } from './sip-stream.ts';
import { StreamSocket } from './stream-socket.ts';
import type { TlsSecurity } from './tls-security.ts';
import type { SocketAddress } from './udp-socket.ts';
import { WebSocketDoor, WebSocketStream } from './web-socket-stream.ts';

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
  /** RFC 5626 §4.4.1: how often a connection we opened is pinged (at least every 120 s keeps NATs open), and how long a pong may take, ms. */
  readonly pingMs: number;
  readonly pongMs: number;
  /** How large a message may be, where that differs from the usual. */
  readonly message: Partial<MessageLimits>;
}

export const defaultStreamLimits: StreamLimits = {
  perSource: 8,
  total: 64,
  reserved: 8,
  messageMs: 10_000,
  connectMs: 10_000,
  pingMs: 100_000,
  pongMs: 10_000,
  message: {},
};

/** Names under which one connection is remembered, to say whose messages were lost with it. */
const namesAtMost = 32;
/** Addresses of which is remembered under which name they were proven. */
const provenAtMost = 64;

/** Transports that are streams of bytes. */
export type StreamTransport = Exclude<Transport, 'udp'>;

/** Between whom a connection is. */
interface Ends {
  readonly remote: SocketAddress;
  readonly local: SocketAddress;
  /** What a certificate has proved or has to prove; empty where none does. */
  readonly domain: string;
  /** What a server that we connect to calls itself. */
  readonly authority: string;
}

export interface StreamPoolParts {
  readonly limits: StreamLimits;
  readonly tls: TlsSecurity;
  /** What a WebSocket that we open asks its server for: `/`, `/ws` … */
  readonly webSocketPath: string;
  readonly onMessage: (flow: Flow, bytes: Uint8Array) => void;
  /** What was given for `destination` may not have arrived, or its flow is gone; without a reason, the far end has simply closed it. */
  readonly onFailure: (destination: Destination, reason: string | undefined) => void;
  /** A connection was turned away. */
  readonly onRefused: (remote: string, reason: string) => void;
  /** A socket has its connection. */
  readonly onOpened?: (socket: Socket, ipv6: boolean) => void;
}

/**
 * All TCP, TLS and WebSocket connections of an endpoint, those that came in and those it opened. A connection that we opened is used again
 * for the same address. With TLS it must also be for the same domain (RFC 5922 §7.4); a peer that its Record-Route or Contact names by its
 * address alone is the domain that was proven there last. One that came in is used for requests of ours when its far end asks for it and may
 * (RFC 5923).
 */
export class StreamPool {
  readonly #parts: StreamPoolParts;
  readonly #servers: Server[] = [];
  readonly #door: WebSocketDoor;
  readonly #byFlow = new Map<string, SipStream>();
  readonly #byRemote = new Map<string, SipStream>();
  /** Domains by address and port. */
  readonly #proven = new Map<string, string>();
  #flows = 0;

  constructor(parts: StreamPoolParts) {
    this.#parts = parts;
    this.#door = new WebSocketDoor({ ...defaultMessageLimits, ...parts.limits.message }.messageBytes);
  }

  /** Throws ResourceError when the address or port is not to be had. */
  async listen(transport: StreamTransport, address: string, port: number): Promise<SocketAddress> {
    const where = `${transport.toUpperCase()} ${address} port ${port}`;
    const server = createServer((socket) => this.#accept(transport, socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(new ResourceError(`${where}: ${messageOf(error)}`)));
      server.listen({ host: address, port, ipv6Only: isIPv6(address) }, resolve);
    });
    server.removeAllListeners('error');
    server.on('error', (error) => this.#parts.onRefused('', messageOf(error)));
    this.#servers.push(server);
    const bound = server.address();
    if (bound === null || typeof bound === 'string') throw new ResourceError(`${where}: not an internet address`);
    return bound;
  }

  /** Sends over the flow of the destination while that is open, else over a connection to `address`, opened if need be. */
  send(transport: StreamTransport, destination: Destination, address: string, bytes: Uint8Array): void {
    const domain = this.#domainOf(destination, address);
    const along = destination.flow && this.#byFlow.get(destination.flow.id);
    const open = along ?? this.#byRemote.get(streamKey(transport, domain, address, destination.port));
    const stream = open?.isOpen ? open : this.#open(transport, destination, address, domain);
    if (!stream) return;
    if (stream.names.size < namesAtMost) stream.names.add(remoteKey(destination.host, destination.port));
    stream.write(bytes);
  }

  get size(): number {
    return this.#byFlow.size;
  }

  /** Gives up what hangs on any other address of this machine. */
  keepOnly(addresses: readonly string[]): void {
    for (const stream of [...this.#byFlow.values()]) {
      const { address } = stream.flow.local;
      if (address !== '' && !addresses.includes(withoutMapping(address))) stream.destroy('the address of this machine is gone');
    }
  }

  async close(): Promise<void> {
    const servers = this.#servers.splice(0);
    const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const stream of [...this.#byFlow.values()]) stream.destroy('the endpoint closes');
    await Promise.all(closed);
  }

  #accept(transport: StreamTransport, socket: Socket): void {
    const address = socket.remoteAddress;
    const { limits, onRefused } = this.#parts;
    const fromSource = [...this.#byFlow.values()].filter((stream) => stream.flow.remote.address === address).length;
    const full = this.#byFlow.size >= limits.total - limits.reserved;
    const refuse = (reason: string): void => {
      onRefused(address ?? '', reason);
      socket.on('error', (error) => onRefused(address ?? '', error.message));
      socket.destroy();
    };
    if (address === undefined || full || fromSource >= limits.perSource) {
      refuse(full ? 'too many connections' : 'too many connections of this source');
      return;
    }
    this.#parts.onOpened?.(socket, isTrueIpv6(address));
    try {
      // A browser would ask its person for a certificate.
      const secured = isSecure(transport) ? this.#parts.tls.accept(socket, transport === 'tls') : undefined;
      const remote = { address, port: socket.remotePort ?? 0 };
      this.#adopt(
        transport,
        secured ?? socket,
        { remote, local: localOf(socket), domain: '', authority: '' },
        { ...(secured && { opening: 'secure' }), ...(transport === 'tls' && { secured }) },
      );
    } catch (thrown) {
      refuse(messageOf(thrown));
    }
  }

  #open(transport: StreamTransport, destination: Destination, address: string, domain: string): SipStream | undefined {
    const { limits, onFailure } = this.#parts;
    if (this.#byFlow.size >= limits.total) {
      onFailure(destination, 'too many connections');
      return undefined;
    }
    const remote = { address, port: destination.port };
    const local = { address: '', port: 0 };
    try {
      const secured = isSecure(transport) ? this.#parts.tls.connect(address, remote.port, domain) : undefined;
      const socket = secured ?? createConnection({ host: address, port: remote.port });
      socket.once('connect', () => {
        Object.assign(local, localOf(socket));
        this.#parts.onOpened?.(socket, isTrueIpv6(address));
      });
      const judged = secured && { opening: 'secureConnect' as const, judge: () => this.#judge(secured, domain, remote) };
      const authority = destination.domain ?? destination.host;
      return this.#adopt(transport, socket, { remote, local, domain, authority }, { opened: true, ...(judged ?? { opening: 'connect' }) });
    } catch (thrown) {
      onFailure(destination, messageOf(thrown));
      return undefined;
    }
  }

  #judge(socket: TLSSocket, domain: string, { address, port }: SocketAddress): string | undefined {
    const objection = this.#parts.tls.judge(socket, domain);
    if (objection === undefined && !isIP(domain)) {
      const [oldest] = this.#proven.keys();
      if (this.#proven.size >= provenAtMost && oldest !== undefined) this.#proven.delete(oldest);
      this.#proven.set(remoteKey(address, port), domain);
    }
    return objection;
  }

  #domainOf({ transport, host, port, domain = host }: Destination, address: string): string {
    if (!isSecure(transport)) return '';
    return isIP(domain) ? (this.#proven.get(remoteKey(address, port)) ?? domain) : domain.toLowerCase();
  }

  #adopt(
    transport: StreamTransport,
    socket: Socket,
    { remote, local, domain, authority }: Ends,
    {
      secured,
      ...opening
    }: Partial<Pick<SipStreamParts, 'opened' | 'opening' | 'judge'>> & { readonly secured?: TLSSocket | undefined } = {},
  ): SipStream {
    const { limits, onMessage, webSocketPath } = this.#parts;
    const flow: Flow = { id: `${transport}-${++this.#flows}`, transport, reliable: true, local, remote };
    const key = streamKey(transport, domain, remote.address, remote.port);
    const parts: SipStreamParts = {
      opened: false,
      ...opening,
      flow,
      socket,
      openingMs: limits.connectMs,
      messageMs: limits.messageMs,
      messageLimits: { ...defaultMessageLimits, ...limits.message },
      pingMs: limits.pingMs,
      pongMs: limits.pongMs,
      onMessage: secured ? this.#aliasing(secured, onMessage) : onMessage,
      onClosed: (closed, reason) => this.#forget(closed, reason),
    };
    const resource = `${hostOf(authority)}:${remote.port}${webSocketPath}`;
    const stream = isWebSocket(transport) ? new WebSocketStream({ ...parts, resource, door: this.#door }) : new StreamSocket(parts);
    this.#byFlow.set(flow.id, stream);
    this.#byRemote.set(key, stream);
    stream.start();
    return stream;
  }

  /**
   * RFC 5923 §5: who connected to us by TLS and says `alias` in the Via of its first request, with a certificate for the name that stands there,
   * is reached by that connection when a request is for that name.
   */
  #aliasing(socket: TLSSocket, onMessage: StreamPoolParts['onMessage']): StreamPoolParts['onMessage'] {
    let looked = false;
    return (flow, bytes) => {
      const parsed = looked ? undefined : parseMessage(bytes);
      looked = true;
      const stream = this.#byFlow.get(flow.id);
      if (stream && parsed?.ok && parsed.message.kind === 'request') {
        const { params, host, port = defaultPortOf(flow.transport) } = parsed.message.topVia;
        const domain = host.startsWith('[') ? host.slice(1, -1) : host;
        const key = streamKey('tls', domain, flow.remote.address, port);
        if (params.has('alias') && !this.#byRemote.has(key) && this.#parts.tls.proves(socket, domain)) this.#byRemote.set(key, stream);
      }
      onMessage(flow, bytes);
    };
  }

  #forget(stream: SipStream, reason: string | undefined): void {
    const { remote, transport } = stream.flow;
    this.#byFlow.delete(stream.flow.id);
    for (const [name, one] of this.#byRemote) if (one === stream) this.#byRemote.delete(name);
    stream.names.add(remoteKey(remote.address, remote.port));
    for (const name of stream.names) {
      const colon = name.lastIndexOf(':');
      const destination = { transport, host: name.slice(0, colon), port: Number(name.slice(colon + 1)), flow: stream.flow };
      this.#parts.onFailure(destination, reason);
    }
  }
}

function localOf(socket: Socket): SocketAddress {
  return { address: socket.localAddress ?? '', port: socket.localPort ?? 0 };
}

function streamKey(transport: StreamTransport, domain: string, address: string, port: number): string {
  return `${transport} ${domain} ${remoteKey(address, port)}`;
}

/** An IPv4 address as a socket of both families shows it. */
function withoutMapping(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

/** Not an IPv4 address as a socket of both families shows it. */
function isTrueIpv6(address: string): boolean {
  return isIPv6(address) && !address.startsWith('::ffff:');
}

/** As it stands in the address of a page. */
function hostOf(name: string): string {
  return isIPv6(name) ? `[${name}]` : name;
}

function remoteKey(host: string, port: number): string {
  return `${host}:${port}`;
}
