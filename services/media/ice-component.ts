import type { Socket } from 'node:dgram';
import { isIPv4, isIPv6 } from 'node:net';
import { messageOf } from '#firmware/core/errors.ts';
import type { TrafficMarker } from '#firmware/platform/traffic-class.ts';
import { isAuthentic, isStun } from './stun-integrity.ts';
import { TurnRelay } from './turn-relay.ts';
import type { Werift } from './werift.ts';

/** Servers that help to be found; empty = none. Each is a host with or without a port. */
export interface IceServers {
  readonly stunServer: string;
  readonly turnServer: string;
  readonly turnUsername: string;
  readonly turnPassword: string;
}

export interface IceCredentials {
  readonly ufrag: string;
  readonly password: string;
}

/** What the far end told us. */
export interface IcePeer extends IceCredentials {
  readonly candidates: readonly string[];
  readonly lite: boolean;
  readonly controlling: boolean;
}

/** Where a component listens. */
export interface ComponentPlace {
  readonly address: string;
  readonly port: number;
  /** 1 = RTP, 2 = RTCP (RFC 8839 §5.1). */
  readonly component: 1 | 2;
}

/** What a component needs around it. */
export interface ComponentPorts {
  onData(bytes: Uint8Array): void;
  /** It had a way, and has none any more (RFC 7675). */
  lost(): void;
  readonly onError: (error: Error) => void;
  readonly mark: TrafficMarker | undefined;
}

export type CandidateType = 'host' | 'srflx' | 'prflx' | 'relay';
type IceConnection = InstanceType<Werift['Connection']>;
type IceCandidate = IceConnection['localCandidates'][number];
type StunListener = { execute(message: StunRequest, address: readonly [string, number], data: Buffer): void };
type StunRequest = { readonly attributesKeys: readonly string[] };
/** One of the library's sockets; those of relays have no transport of their own. */
interface IceProtocol {
  readonly transport?: { readonly socket?: Socket; onData(data: Buffer, address: readonly [string, number]): void };
  readonly onRequestReceived: StunListener;
  localCandidate?: IceCandidate;
}
/** What is asked of the library beside its declared face. */
interface ConnectionInternals {
  readonly protocols: IceProtocol[];
  ensureProtocol(protocol: IceProtocol): void;
  appendLocalCandidate(candidate: IceCandidate): void;
}

const stunPort = 3478;
/** The library's word for a pair whose check was answered. */
const succeeded = 3;

/** One component of a stream, RTP or RTCP, on its way through the network (RFC 8445): werift looks for it, and what werift believes is checked. */
export class IceComponent {
  readonly #werift: Werift;
  readonly #connection: IceConnection;
  readonly #place: ComponentPlace;
  readonly #ports: ComponentPorts;
  #relay: TurnRelay | undefined;
  /** Why there is none. */
  #relayProblem: string | undefined;
  #begun = false;
  #closed = false;

  constructor(werift: Werift, place: ComponentPlace, { ufrag, password }: IceCredentials, stunServer: string, ports: ComponentPorts) {
    const { address, port } = place;
    this.#werift = werift;
    this.#place = place;
    this.#ports = ports;
    this.#connection = new werift.Connection(true, {
      useIpv4: false,
      useIpv6: false,
      additionalHostAddresses: [address],
      interfaceAddresses: { [isIPv4(address) ? 'udp4' : 'udp6']: address },
      portRange: [port, port],
    });
    // Unless it is told otherwise the library asks a public server; its own words to be known by are shorter than RFC 8445 §5.3 wants.
    Object.assign(this.#connection, {
      stunServer: addressOf(stunServer),
      localUsername: ufrag,
      localPassword: password,
      userHistory: { [ufrag]: password },
    });
    this.#connection.onData.subscribe((data) => ports.onData(data));
    this.#connection.stateChanged.subscribe((state) => {
      if (state === 'failed' && !this.#closed) ports.lost();
    });
  }

  /** Binds the port and asks the servers how it looks from outside. */
  async gather({ turnServer, turnUsername, turnPassword }: IceServers, patienceMs: number): Promise<void> {
    const server = addressOf(turnServer);
    const account = server && { server, username: turnUsername, password: turnPassword };
    const asked = [this.#connection.gatherCandidates(), ...(account ? [this.#gatherRelay(account)] : [])];
    await Promise.race([Promise.all(asked), new Promise((resolve) => setTimeout(resolve, patienceMs))]);
    if (account && !this.#has('relay')) {
      this.#relayProblem ??= 'it does not answer';
      await this.#relay?.close();
    }
    for (const protocol of this.#internals.protocols) this.#guard(protocol);
  }

  get relayProblem(): string | undefined {
    return this.#relayProblem;
  }

  /** As SDP lists them, and the best for those who know no ICE. */
  get candidates(): { readonly texts: string[]; readonly shown: IceCandidate | undefined } {
    const { localCandidates } = this.#connection;
    const texts = localCandidates.map(({ foundation, transport, priority, host, port, type, relatedAddress, relatedPort }) => {
      // The library counts for component 1; the last byte of a priority is 256 less the component (RFC 8445 §5.1.2.1).
      const own = `${foundation} ${this.#place.component} ${transport} ${priority + 1 - this.#place.component} ${host} ${port} typ ${type}`;
      return relatedAddress ? `${own} raddr ${relatedAddress} rport ${relatedPort}` : own;
    });
    return { texts, shown: localCandidates.find(({ type }) => type === 'srflx') ?? localCandidates[0] };
  }

  /** By which kinds of candidates, ours and theirs, it works; rejects when there is no way. */
  async connect({ ufrag, password, candidates, lite, controlling }: IcePeer): Promise<readonly [string, string]> {
    const connection = this.#connection;
    this.#begun = true;
    connection.iceControlling = controlling;
    connection.setRemoteParams({ iceLite: lite, usernameFragment: ufrag, password });
    for (const text of candidates) {
      const [foundation, component, ...rest] = text.split(' ');
      if (Number(component) !== this.#place.component) continue;
      const candidate = this.#werift.Candidate.fromSdp([foundation, '1', ...rest].join(' '));
      await connection.addRemoteCandidate(candidate);
      this.#relay?.permit(candidate.host, candidate.port);
    }
    await connection.addRemoteCandidate(undefined);
    await connection.connect();
    const { nominated } = connection;
    return [nominated?.localCandidate.type ?? '', nominated?.remoteCandidate.type ?? ''];
  }

  /** Without a way that is known to work packets are lost; a moment later there is one. */
  send(bytes: Uint8Array): void {
    // The bytes are used again, and the library may keep them until it has encoded them.
    if (!this.#closed && this.#connection.nominated) this.#connection.send(Buffer.from(bytes)).catch(this.#ports.onError);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([this.#connection.close(), this.#relay?.close()]);
  }

  get #internals(): ConnectionInternals {
    return this.#connection as unknown as ConnectionInternals;
  }

  #has(type: CandidateType): boolean {
    return this.#connection.localCandidates.some((candidate) => candidate.type === type);
  }

  async #gatherRelay(account: { server: readonly [string, number]; username: string; password: string }): Promise<void> {
    try {
      const { Candidate, StunOverTurnProtocol, candidateFoundation, candidatePriority } = this.#werift;
      this.#relay = await TurnRelay.open(this.#werift, this.#place.address, account, this.#ports);
      const turn = await this.#relay.allocate();
      const protocol = new StunOverTurnProtocol(turn);
      const [[host, port], [mappedHost, mappedPort]] = [turn.relayedAddress, turn.mappedAddress];
      const [foundation, priority] = [candidateFoundation('relay', 'udp', host), candidatePriority('relay')];
      const candidate = new Candidate(foundation, 1, 'udp', priority, host, port, 'relay', mappedHost, mappedPort);
      protocol.localCandidate = candidate;
      const internals = this.#internals;
      internals.ensureProtocol(protocol);
      internals.protocols.push(protocol);
      internals.appendLocalCandidate(candidate);
    } catch (thrown) {
      this.#relayProblem = messageOf(thrown);
    }
  }

  /** The library takes sound and checks from anybody: only what comes from where a check was answered, and whoever knows our password, is heard. */
  #guard({ transport, onRequestReceived }: IceProtocol): void {
    const answer = onRequestReceived.execute.bind(onRequestReceived);
    onRequestReceived.execute = (request, address, data) => {
      if (!isAuthentic(data, this.#connection.localPassword)) return;
      // A check that comes before what SIP says tells which of us chooses.
      if (!this.#begun) this.#connection.iceControlling = !request.attributesKeys.includes('ICE-CONTROLLING');
      answer(request, address, data);
    };
    if (!transport) return;
    const receive = transport.onData.bind(transport);
    transport.onData = (data, address) => {
      if (isStun(data) || this.#isChecked(address)) receive(data, address);
    };
    this.#mark(transport);
  }

  #mark({ socket }: NonNullable<IceProtocol['transport']>): void {
    try {
      if (socket) this.#ports.mark?.(socket, isIPv6(this.#place.address));
    } catch (thrown) {
      this.#ports.onError(thrown instanceof Error ? thrown : new Error(messageOf(thrown)));
    }
  }

  /** Either side may use any pair that has passed its check until one is nominated. */
  #isChecked([host, port]: readonly [string, number]): boolean {
    const { nominated, checkList } = this.#connection;
    const isFrom = ({ remoteAddr }: { remoteAddr: readonly [string, number] }) => remoteAddr[0] === host && remoteAddr[1] === port;
    return (nominated !== undefined && isFrom(nominated)) || checkList.some((pair) => pair.state === succeeded && isFrom(pair));
  }
}

function addressOf(server: string): [string, number] | undefined {
  if (server === '') return undefined;
  const end = server.endsWith(']') ? -1 : server.lastIndexOf(':');
  const host = (end < 0 ? server : server.slice(0, end)).replace(/^\[|\]$/g, '');
  return [host, end < 0 ? stunPort : Number(server.slice(end + 1))];
}
