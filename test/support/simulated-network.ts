import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Flow, Transport } from '#firmware/sip/transport/flow.ts';
import type { Destination, LocalAddresses, SipCore } from '#firmware/sip/transport/sip-core.ts';
import { seededRandom } from './seeded-entropy.ts';

/** How bad the network is. Streams are delayed but lose nothing and keep their order. */
export interface NetworkQuality {
  readonly seed: number;
  readonly latency: { readonly least: Milliseconds; readonly most: Milliseconds };
  /** Probability that a datagram is lost. */
  readonly loss: number;
  /** Probability that a datagram arrives twice. */
  readonly duplication: number;
  /** Probability that a datagram takes ten times as long, so that others overtake it. */
  readonly reordering: number;
}

/** One message on its way. */
export interface Packet {
  readonly sentAt: Milliseconds;
  readonly transport: Transport;
  /** `address:port` of the sender and of where it goes. */
  readonly from: string;
  readonly to: string;
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** May drop a packet, or hold it back for some ms more than the network does. */
export type Interception = (packet: Packet) => 'drop' | { readonly delay: Milliseconds } | undefined;

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/**
 * Hosts that exchange SIP messages in virtual time. Everything that happens follows from the seed: latency, loss, duplication and
 * reordering. Time stands still unless `run` is called.
 */
export class SimulatedNetwork {
  readonly #quality: NetworkQuality;
  readonly #random: () => number;
  readonly #hosts = new Map<string, SimulatedHost>();
  readonly #names = new Map<string, string>();
  readonly #flows = new Map<string, Flow>();
  /** When the last message of each stream arrives: the next one can't overtake it. */
  readonly #streams = new Map<string, Milliseconds>();
  #pending: { at: Milliseconds; order: number; deliver: () => void }[] = [];
  #order = 0;
  #now: Milliseconds = 1_000;
  #interceptions: Interception[] = [];
  /** All messages that were sent, lost ones included. */
  readonly packets: Packet[] = [];

  constructor(quality: Partial<NetworkQuality> = {}) {
    this.#quality = { seed: 1, latency: { least: 1, most: 5 }, loss: 0, duplication: 0, reordering: 0, ...quality };
    this.#random = seededRandom(this.#quality.seed);
  }

  /** How far the wall clocks of all hosts have been set from where they were. */
  wallShift = 0;

  get now(): Milliseconds {
    return this.#now;
  }

  /** A host at `address:port`, UDP and TCP. Attach a core to it, or a function that is told of every message. */
  host(address: string, port = 5060): SimulatedHost {
    const host = new SimulatedHost(this, address, port);
    this.#hosts.set(`${address}:${port}`, host);
    return host;
  }

  /** From now on `name` leads to the hosts at `address`, as DNS would have it. */
  name(name: string, address: string): void {
    this.#names.set(name, address);
  }

  /** A stream between two hosts breaks: both are told. */
  breakStream(one: SimulatedHost, other: SimulatedHost, transport: Transport = 'tcp'): void {
    for (const [host, peer] of [
      [one, other],
      [other, one],
    ] as const) {
      const flow = this.#flow(transport, host.name, peer.name);
      host.refused({ transport, host: peer.address, port: peer.port, flow });
    }
  }

  /** Gives every packet from now on to `interception`; gives back how to stop that. */
  intercept(interception: Interception): () => void {
    this.#interceptions.push(interception);
    return () => {
      this.#interceptions = this.#interceptions.filter((one) => one !== interception);
    };
  }

  send(from: SimulatedHost, destination: Destination, bytes: Uint8Array): void {
    const { transport, port } = destination;
    const address = this.#names.get(destination.host) ?? destination.host;
    const packet: Packet = { sentAt: this.#now, transport, from: from.name, to: `${address}:${port}`, bytes, text: decoder.decode(bytes) };
    this.packets.push(packet);
    const verdicts = this.#interceptions.map((interception) => interception(packet)).filter((verdict) => verdict !== undefined);
    if (verdicts.includes('drop')) return;
    const held = verdicts.reduce((sum, verdict) => sum + (verdict === 'drop' ? 0 : verdict.delay), 0);
    if (transport === 'udp') this.#sendDatagram(from, packet, held);
    else this.#sendOnStream(from, destination, packet, held);
  }

  /** Lets `duration` ms pass: messages arrive, timers run, cores are drained. */
  run(duration: Milliseconds): void {
    const end = this.#now + duration;
    for (const host of this.#hosts.values()) host.settle();
    for (let next = this.#next(); next !== undefined && next <= end; next = this.#next()) {
      this.#now = Math.max(this.#now, next);
      this.#deliverDue();
      for (const host of this.#hosts.values()) host.wake();
    }
    this.#now = end;
  }

  /** Runs until `condition` holds; false if it does not within `patience` ms. */
  runUntil(condition: () => boolean, patience: Milliseconds): boolean {
    const end = this.#now + patience;
    for (const host of this.#hosts.values()) host.settle();
    while (!condition()) {
      const next = this.#next();
      if (next === undefined || next > end) return false;
      this.run(Math.max(0, next - this.#now));
    }
    return true;
  }

  /** Does something when `delay` ms have passed, before the hosts do what is due. */
  schedule(delay: Milliseconds, action: () => void): void {
    this.#later(delay, action);
  }

  #next(): Milliseconds | undefined {
    const instants = [...this.#hosts.values()].map((host) => host.deadline);
    const all = [...instants, ...this.#pending.map(({ at }) => at)].filter((at) => at !== undefined);
    return all.length > 0 ? Math.min(...all) : undefined;
  }

  #deliverDue(): void {
    const due = this.#pending.filter(({ at }) => at <= this.#now).sort((a, b) => a.at - b.at || a.order - b.order);
    this.#pending = this.#pending.filter(({ at }) => at > this.#now);
    for (const { deliver } of due) deliver();
  }

  #later(delay: Milliseconds, deliver: () => void): void {
    this.#pending.push({ at: this.#now + delay, order: this.#order++, deliver });
  }

  #sendDatagram(from: SimulatedHost, packet: Packet, held: Milliseconds): void {
    const copies = this.#random() < this.#quality.duplication ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.#random() < this.#quality.loss) continue;
      const late = this.#random() < this.#quality.reordering ? 10 : 1;
      const deliver = (): void => this.#hosts.get(packet.to)?.receive(this.#flow('udp', packet.to, from.name), packet.bytes);
      this.#later(held + late * this.#latency(), deliver);
    }
  }

  /** One stream each way between two hosts; one to a host that is not there is refused. */
  #sendOnStream(from: SimulatedHost, destination: Destination, packet: Packet, held: Milliseconds): void {
    const { transport } = packet;
    const key = `${packet.from} ${packet.to}`;
    const arrival = Math.max(this.#now + held + this.#latency(), this.#streams.get(key) ?? 0);
    this.#streams.set(key, arrival);
    const peer = this.#hosts.get(packet.to);
    this.#later(arrival - this.#now, () => {
      if (peer?.isAttached) peer.receive(this.#flow(transport, packet.to, from.name), packet.bytes);
      else from.refused(destination);
    });
  }

  #latency(): Milliseconds {
    const { least, most } = this.#quality.latency;
    return least + (most - least) * this.#random();
  }

  #flow(transport: Transport, local: string, remote: string): Flow {
    const id = `${transport} ${local} ${remote}`;
    const known = this.#flows.get(id);
    const flow = known ?? { id, transport, reliable: transport !== 'udp', local: endpointOf(local), remote: endpointOf(remote) };
    this.#flows.set(id, flow);
    return flow;
  }
}

/** A place in the network with whatever answers there; itself the driver of its core. */
export class SimulatedHost implements LocalAddresses {
  readonly #network: SimulatedNetwork;
  readonly address: string;
  readonly port: number;
  #receive: (flow: Flow, bytes: Uint8Array) => void = () => undefined;
  #refused: (destination: Destination) => void = () => undefined;
  #wake: () => void = () => undefined;
  #settle: () => void = () => undefined;
  #deadline: () => Milliseconds | undefined = () => undefined;
  #isAttached = false;

  constructor(network: SimulatedNetwork, address: string, port: number) {
    this.#network = network;
    this.address = address;
    this.port = port;
  }

  get name(): string {
    return `${this.address}:${this.port}`;
  }

  get isAttached(): boolean {
    return this.#isAttached;
  }

  get deadline(): Milliseconds | undefined {
    return this.#deadline();
  }

  towards(): { address: string; port: number } {
    return { address: this.address, port: this.port };
  }

  /** Runs `core` here. */
  attach<Event>(core: SipCore<Event>, onEvent: (event: Event) => void): void {
    const network = this.#network;
    this.#settle = (): void => {
      for (let outputs = core.drain(); outputs.length > 0; outputs = core.drain()) {
        for (const output of outputs) {
          if (output.kind === 'event') onEvent(output.event);
          else network.send(this, output.destination, output.bytes);
        }
      }
    };
    this.#receive = (flow, bytes) => core.receive(network.now, flow, bytes);
    this.#refused = (destination) => core.transportFailed(network.now, destination, 'connection refused');
    this.#wake = () => core.handleTimeout(network.now);
    this.#deadline = () => core.deadline;
    this.#isAttached = true;
  }

  /** Tells `listener` of every message that arrives; it answers by `sendText`. */
  listen(listener: (text: string, flow: Flow) => void): void {
    this.#receive = (flow, bytes) => listener(decoder.decode(bytes), flow);
    this.#isAttached = true;
  }

  /** Nothing answers here any more. */
  detach(): void {
    this.#receive = () => undefined;
    this.#refused = () => undefined;
    this.#wake = () => undefined;
    this.#settle = () => undefined;
    this.#deadline = () => undefined;
    this.#isAttached = false;
  }

  /** Sends text as it stands. */
  sendText(to: Pick<SimulatedHost, 'address' | 'port'>, text: string, transport: Transport = 'udp'): void {
    this.#network.send(this, { transport, host: to.address, port: to.port }, encoder.encode(text));
  }

  receive(flow: Flow, bytes: Uint8Array): void {
    this.#receive(flow, bytes);
    this.#settle();
  }

  refused(destination: Destination): void {
    this.#refused(destination);
    this.#settle();
  }

  /** Lets the core do what is due. */
  wake(): void {
    const { deadline } = this;
    if (deadline !== undefined && deadline <= this.#network.now) this.#wake();
    this.#settle();
  }

  settle(): void {
    this.#settle();
  }
}

function endpointOf(name: string): { address: string; port: number } {
  const colon = name.lastIndexOf(':');
  return { address: name.slice(0, colon), port: Number(name.slice(colon + 1)) };
}
