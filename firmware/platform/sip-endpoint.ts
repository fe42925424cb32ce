import { isIP } from 'node:net';
import type { Clock, Milliseconds } from '../core/clock.ts';
import { Counters, LimitedLog } from '../core/counters.ts';
import { messageOf, ResourceError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Flow, Transport } from '../sip/transport/flow.ts';
import type { NameAnswer, NameQuestion, NameService } from '../sip/transport/name-records.ts';
import type { Destination, LocalAddresses, SipCore } from '../sip/transport/sip-core.ts';
import type { NameResolver } from './dns-resolver.ts';
import { LocalAddressFinder } from './local-addresses.ts';
import { type AddressSource, machineAddresses, NetworkWatch } from './network-watch.ts';
import { RefusalProbe } from './refusal-probe.ts';
import { defaultStreamLimits, type StreamLimits, StreamPool, type StreamTransport } from './stream-pool.ts';
import { defaultTlsOptions, type TlsOptions, TlsSecurity } from './tls-security.ts';
import { openTrafficMarker, type TrafficMarker } from './traffic-class.ts';
import { type SocketAddress, UdpSocket } from './udp-socket.ts';

export interface SipEndpointOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly resolver: NameResolver;
  /** Asks DNS for a core that locates servers itself. */
  readonly names?: { query(question: NameQuestion): Promise<NameAnswer> };
  /** The addresses of this machine: watched, so that the core hears when they change. */
  readonly machineAddresses?: AddressSource;
  /** Local addresses to listen on; `0.0.0.0` is all of IPv4, `::` all of both families, as far as this machine has them. */
  readonly addresses: readonly string[];
  /** The local port for UDP and TCP alike; 0 for any that is free for both. */
  readonly port: number;
  /** TLS connections can be opened in any case; with a certificate and a port they are also received, 0 for any that is free. */
  readonly tls?: Partial<TlsOptions> & { readonly port?: number };
  /** Ports on which WebSockets are received (RFC 7118), plain and, with a certificate, secured; absent, none are. */
  readonly webSockets?: { readonly port?: number | undefined; readonly securePort?: number | undefined };
  /** What a WebSocket that we open asks its server for; `/` unless told. */
  readonly webSocketPath?: string;
  readonly limits?: Partial<StreamLimits>;
  /** Class of all packets (RFC 2474); 0 = none. */
  readonly dscp?: number;
}

/** A core without its event type: what the endpoint drives once it is started. */
interface Drive {
  readonly core: SipCore<unknown>;
  readonly drain: () => boolean;
}

interface BoundSocket {
  readonly socket: UdpSocket;
  readonly bound: SocketAddress;
}

/** The kernel's receive queue for SIP, in bytes: a burst of some hundred datagrams may wait for a busy event loop. */
const receiveBufferBytes = 1 << 20;
const portTries = 20;
/** Names remembered for UDP peers. */
const flowsAtMost = 1_024;
const longestTimeoutMs = 2 ** 31 - 1;
/** How often the address of the default route is looked up again, ms. */
const addressRefreshMs = 10_000;
/** How often the addresses of this machine are looked at: its lines are to be back within five seconds. */
const watchMs = 1_500;
/** `SIP/`: how a response begins. */
const responseStart = [83, 73, 80, 47];
/** To a question about addresses that no socket of ours can reach; good for as long as it lives, s. */
const outOfReach: NameAnswer = { records: [], ttl: 86_400, failed: false };

/**
 * The one driver of a SIP core: sockets in, sockets out. After every input it drains all outputs and arms one wake-up.
 *
 *     UDP, streams ──bytes──► core.receive ─┐
 *     wake-up ──────────────► handleTimeout ├─► drain ─► transmit ─► UDP, streams
 *     drive(input) ─────────────────────────┘         └► event ─► onEvent
 */
export class SipEndpoint implements LocalAddresses, NameService {
  readonly #options: SipEndpointOptions;
  readonly #finder = new LocalAddressFinder();
  readonly #counters = new Counters();
  readonly #log: LimitedLog;
  readonly #tls: TlsSecurity;
  readonly #streams: StreamPool;
  readonly #udp: BoundSocket[] = [];
  readonly #udpFlows = new Map<string, Flow>();
  readonly #waiting = new Set<() => void>();
  readonly #watch: NetworkWatch;
  readonly #probe = new RefusalProbe();
  #mark: TrafficMarker | undefined;
  #unmarked: string | undefined;
  /** Requests that went out as datagrams, and whether they have been probed for: the same bytes again are a retransmission. */
  readonly #sent = new WeakMap<Uint8Array, 'sent' | 'probed'>();
  #port = 0;
  /** Where connections are received, by transport; of one that is not here, none are. */
  readonly #streamPorts = new Map<Transport, number>();
  #drive: Drive | undefined;
  #draining = false;
  #wakeUp: NodeJS.Timeout | undefined;
  #wakeAt: Milliseconds = Number.POSITIVE_INFINITY;
  #addressRefresh: NodeJS.Timeout | undefined;

  constructor(options: SipEndpointOptions) {
    this.#options = options;
    this.#log = new LimitedLog(options.logger);
    this.#tls = new TlsSecurity(options.clock, { ...defaultTlsOptions, ...options.tls });
    const addresses = options.machineAddresses ?? machineAddresses;
    this.#watch = new NetworkWatch({ addresses, intervalMs: watchMs, onChange: () => void this.#networkChanged(addresses()) });
    this.#streams = new StreamPool({
      tls: this.#tls,
      limits: { ...defaultStreamLimits, ...options.limits },
      webSocketPath: options.webSocketPath ?? '/',
      onMessage: (flow, bytes) => this.#receive(flow, bytes),
      onFailure: (destination, reason) => this.#fail(destination, reason),
      onRefused: (remote, reason) => this.#warn('sip-connection-refused', { remote, reason }),
      onOpened: (socket, ipv6) => this.#markSocket(socket, ipv6),
    });
  }

  /** Binds the sockets and drives `core` from now on. Throws ResourceError when an address or the port is not to be had. */
  async start<Event>(core: SipCore<Event>, onEvent: (event: Event) => void): Promise<void> {
    if (this.#drive) return;
    await this.#finder.refresh();
    await this.#openMarker();
    await this.#bind();
    this.#watch.start();
    this.#addressRefresh = setInterval(() => void this.#finder.refresh(), addressRefreshMs).unref();
    this.#drive = { core, drain: () => this.#drainInto(core, onEvent) };
    this.#settle();
  }

  /** What people should know and mend. */
  get notices(): string[] {
    return this.#unmarked === undefined ? [] : [`SIP goes without its class (sip.dscp): ${this.#unmarked}`];
  }

  /** The bound port; 0 before `start`. */
  get port(): number {
    return this.#port;
  }

  /** By which transports, and where, peers can reach us. */
  get listening(): readonly { readonly transport: Transport; readonly port: number }[] {
    return [{ transport: 'udp', port: this.#port }, ...[...this.#streamPorts].map(([transport, port]) => ({ transport, port }))];
  }

  /** The bound address, the first of several; `::` before `start`. */
  get address(): string {
    return this.#udp[0]?.bound.address ?? '::';
  }

  /** The answer comes as the input `named` of the core. */
  ask(question: NameQuestion): void {
    const family = question.type === 'A' ? 4 : question.type === 'AAAA' ? 6 : 0;
    const reachable = family === 0 || this.#udp.some(({ bound }) => isIP(bound.address) === family);
    const answer = reachable ? this.#options.names?.query(question) : undefined;
    void Promise.resolve(answer ?? outOfReach).then((known) => {
      this.#guarded('named', (core, now) => core.named?.(now, question, known));
      this.#settle();
    });
  }

  /** Gives the core an input from elsewhere, such as a person's wish, then does what it wants done, also when the input is refused. */
  drive<T>(input: (now: Milliseconds) => T): T {
    try {
      return input(this.#options.clock.now());
    } finally {
      this.#settle();
    }
  }

  /** Waits until `condition` holds after some input; false if that takes longer than `withinMs`. */
  async waitUntil(condition: () => boolean, withinMs: Milliseconds): Promise<boolean> {
    if (condition()) return true;
    return new Promise((resolve) => {
      const finish = (outcome: boolean): void => {
        this.#waiting.delete(look);
        clearTimeout(patience);
        resolve(outcome);
      };
      const look = (): void => {
        if (condition()) finish(true);
      };
      const patience = setTimeout(() => finish(false), withinMs);
      this.#waiting.add(look);
    });
  }

  /** Port 0: nobody can connect to us that way. */
  towards(host: string, transport: Transport): SocketAddress {
    const known = this.#options.resolver.peek(host)?.addresses ?? [];
    const remote = known.find((one) => this.#socketFor(one)) ?? known[0];
    const port = transport === 'udp' ? this.#port : (this.#streamPorts.get(transport) ?? 0);
    const bound = (remote === undefined ? this.#udp[0] : this.#socketFor(remote))?.bound.address;
    const specific = bound !== undefined && bound !== '0.0.0.0' && bound !== '::';
    return { address: specific ? bound : this.#finder.towards(remote ?? '', bound === '::' ? 6 : 4), port };
  }

  /** Closes every socket; the core is not told. */
  async stop(): Promise<void> {
    this.#drive = undefined;
    clearTimeout(this.#wakeUp);
    clearInterval(this.#addressRefresh);
    this.#watch.stop();
    this.#probe.close();
    await Promise.all([this.#streams.close(), ...this.#udp.splice(0).map(({ socket }) => socket.close())]);
  }

  describe(): object {
    return { port: this.#port, connections: this.#streams.size, counters: this.#counters.describe() };
  }

  /** Packets without a class are better than none. */
  async #openMarker(): Promise<void> {
    try {
      this.#mark = await openTrafficMarker(this.#options.dscp ?? 0);
    } catch (thrown) {
      this.#unmarked = messageOf(thrown);
    }
  }

  #markSocket(...socket: Parameters<TrafficMarker>): void {
    try {
      this.#mark?.(...socket);
    } catch (thrown) {
      this.#unmarked = messageOf(thrown);
    }
  }

  async #bind(): Promise<void> {
    for (let tries = 1; ; tries++) {
      this.#port = this.#options.port;
      this.#streamPorts.clear();
      try {
        for (const address of withBothFamilies(this.#options.addresses)) await this.#bindIfThere(address);
        return;
      } catch (thrown) {
        await Promise.all([this.#streams.close(), ...this.#udp.splice(0).map(({ socket }) => socket.close())]);
        const again = this.#options.port === 0 && thrown instanceof ResourceError && tries < portTries;
        if (!again) throw thrown;
      }
    }
  }

  /** A machine need not have IPv6, or IPv4, for all of it to be wanted. */
  async #bindIfThere(address: string): Promise<void> {
    try {
      await this.#bindOne(address);
    } catch (thrown) {
      const absent = /EAFNOSUPPORT|EADDRNOTAVAIL/.test(messageOf(thrown)) && address === '::' && this.#udp.length > 0;
      if (!absent) throw thrown;
      this.#warn('sip-family-missing', { reason: messageOf(thrown) });
    }
  }

  /** UDP first: it picks the port when any will do. */
  async #bindOne(address: string): Promise<void> {
    const socket = new UdpSocket({
      address,
      port: this.#port,
      receiveBufferBytes,
      mark: (...one) => this.#markSocket(...one),
      onDatagram: (bytes, remote) => this.#receive(this.#udpFlow(bound, remote), bytes),
      onFailure: (reason) => this.#warn('sip-socket-failed', { reason }),
    });
    const bound: SocketAddress = await socket.open();
    this.#udp.push({ socket, bound });
    this.#port = bound.port;
    await this.#listen('tcp', address, bound.port);
    const { tls, webSockets } = this.#options;
    await this.#listen('ws', address, webSockets?.port);
    if (this.#tls.canListen) {
      await this.#listen('tls', address, tls?.port);
      await this.#listen('wss', address, webSockets?.securePort);
    }
  }

  /** On the same port for every address of ours; not at all without one. */
  async #listen(transport: StreamTransport, address: string, port: number | undefined): Promise<void> {
    if (port === undefined) return;
    const bound = await this.#streams.listen(transport, address, this.#streamPorts.get(transport) ?? port);
    this.#streamPorts.set(transport, bound.port);
  }

  /** Connections from an address that is gone are dead, though nobody says so. */
  async #networkChanged(addresses: readonly string[]): Promise<void> {
    this.#warn('sip-network-changed', { addresses: addresses.join(' ') });
    await this.#finder.refresh();
    this.#streams.keepOnly(addresses);
    this.#guarded('networkChanged', (core, now) => core.networkChanged?.(now));
    this.#settle();
  }

  #udpFlow(local: SocketAddress, remote: SocketAddress): Flow {
    const id = `udp-${local.address}-${remote.address}:${remote.port}`;
    const known = this.#udpFlows.get(id);
    if (known) return known;
    const oldest = this.#udpFlows.keys().next();
    if (this.#udpFlows.size >= flowsAtMost && !oldest.done) this.#udpFlows.delete(oldest.value);
    const flow: Flow = {
      id,
      transport: 'udp',
      reliable: false,
      local,
      remote: { address: remote.address, port: remote.port },
    };
    this.#udpFlows.set(id, flow);
    return flow;
  }

  /** A fault of the core must not end the daemon when a stranger's bytes brought it about. */
  #receive(flow: Flow, bytes: Uint8Array): void {
    this.#guarded('receive', (core, now) => core.receive(now, flow, bytes));
    this.#settle();
  }

  #guarded(input: string, feed: (core: SipCore<unknown>, now: Milliseconds) => void): void {
    if (!this.#drive) return;
    try {
      feed(this.#drive.core, this.#options.clock.now());
    } catch (thrown) {
      this.#counters.add('core-faults');
      const stack = thrown instanceof Error ? thrown.stack : undefined;
      this.#options.logger.error('sip-core-fault', { input, reason: messageOf(thrown), stack });
    }
  }

  #fail(destination: Destination, reason: string | undefined): void {
    const peer = `${destination.transport}:${destination.host}:${destination.port}`;
    if (reason !== undefined) this.#warn('sip-transport-failed', { peer, reason });
    this.#guarded('transportFailed', (core, now) => core.transportFailed(now, destination, reason ?? 'closed by the far end'));
    this.#settle();
  }

  #settle(): void {
    if (!this.#drive || this.#draining) return;
    this.#draining = true;
    try {
      while (this.#drive?.drain());
    } finally {
      this.#draining = false;
      this.#arm();
    }
    for (const look of [...this.#waiting]) look();
  }

  #drainInto<Event>(core: SipCore<Event>, onEvent: (event: Event) => void): boolean {
    const outputs = core.drain();
    for (const output of outputs) {
      if (output.kind === 'transmit') this.#send(output.destination, output.bytes);
      else onEvent(output.event);
    }
    return outputs.length > 0;
  }

  /** One timer at a time; an armed one that is early enough stays, and a wake-up with nothing due only arms again. */
  #arm(): void {
    const deadline = this.#drive?.core.deadline;
    if (deadline === undefined || this.#wakeAt <= deadline) return;
    clearTimeout(this.#wakeUp);
    this.#wakeAt = deadline;
    const delay = Math.ceil(deadline - this.#options.clock.now());
    this.#wakeUp = setTimeout(() => this.#awake(), Math.min(Math.max(0, delay), longestTimeoutMs));
  }

  /** Node's timers may be a fraction of a millisecond early: then the core sleeps on. */
  #awake(): void {
    this.#wakeAt = Number.POSITIVE_INFINITY;
    this.#guarded('handleTimeout', (core, now) => {
      if (core.deadline !== undefined && core.deadline <= now) core.handleTimeout(now);
    });
    this.#settle();
  }

  #send(destination: Destination, bytes: Uint8Array): void {
    const known = this.#options.resolver.peek(destination.host);
    if (known) {
      this.#sendTo(destination, known.addresses, bytes, known.failure);
      return;
    }
    void this.#options.resolver
      .resolve(destination.host)
      .then((answer) => this.#sendTo(destination, answer.addresses, bytes, answer.failure));
  }

  #sendTo(destination: Destination, addresses: readonly string[], bytes: Uint8Array, failure: string | undefined): void {
    if (!this.#drive) return;
    const address = addresses.find((one) => this.#socketFor(one)) ?? addresses[0];
    if (address === undefined) this.#fail(destination, failure ?? 'no address');
    // A datagram may claim to come from port 0; Node throws on an answer to it.
    else if (destination.port < 1 || destination.port > 65_535) this.#fail(destination, 'no port');
    else if (destination.transport === 'udp') this.#sendDatagram(destination, address, bytes);
    else this.#streams.send(destination.transport, destination, address, bytes);
  }

  #sendDatagram(destination: Destination, address: string, bytes: Uint8Array): void {
    const socket = this.#socketFor(address, destination.flow?.local.address)?.socket;
    const remote = { address, port: destination.port };
    if (!socket) {
      this.#fail(destination, `no UDP socket for ${address}`);
      return;
    }
    socket.send(bytes, remote, (reason) => this.#fail(destination, reason));
    if (responseStart.every((byte, i) => bytes[i] === byte)) return;
    const before = this.#sent.get(bytes);
    if (before === 'sent') this.#probe.look(remote, (reason) => this.#fail(destination, reason));
    this.#sent.set(bytes, before ? 'probed' : 'sent');
  }

  /** Of several, the one that a datagram came in by, else the one whose address the way to the peer begins at. */
  #socketFor(address: string, local?: string): BoundSocket | undefined {
    const family = isIP(address);
    const fitting = this.#udp.filter(({ bound }) => isIP(bound.address) === family);
    if (fitting.length < 2) return fitting[0];
    const from = fitting.find(({ bound }) => bound.address === local);
    if (from) return from;
    const nearest = this.#finder.towards(address);
    return fitting.find(({ bound }) => bound.address === nearest) ?? fitting[0];
  }

  #warn(event: string, fields: Readonly<Record<string, string>>): void {
    this.#counters.add(event);
    this.#log.warn(this.#options.clock.now(), event, fields);
  }
}

/** `::` includes IPv4, in a socket of its own: one socket for both would show IPv4 peers under IPv6 names. */
function withBothFamilies(addresses: readonly string[]): readonly string[] {
  return [...new Set(addresses.flatMap((address) => (address === '::' ? ['0.0.0.0', '::'] : [address])))];
}
