import type { Socket } from 'node:dgram';
import { isIPv4, isIPv6 } from 'node:net';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import type { DatagramListener, RtpSocketPair, SocketErrorListener } from '#firmware/platform/rtp-socket.ts';
import type { TrafficMarker } from '#firmware/platform/traffic-class.ts';
import { loadWerift, type Werift } from './werift.ts';

/** Servers that help to be found; empty = none. Each is a host with or without a port. */
export interface IceServers {
  readonly stunServer: string;
  readonly turnServer: string;
  readonly turnUsername: string;
  readonly turnPassword: string;
}

/** What the far end is told of us. */
export interface IceDescription {
  readonly ufrag: string;
  readonly password: string;
  readonly candidates: string[];
  /** For those who know no ICE. */
  readonly address: string;
  readonly port: number;
}

/** What the far end told us. */
export interface IcePeer {
  readonly ufrag: string;
  readonly password: string;
  readonly candidates: readonly string[];
  readonly lite: boolean;
  readonly controlling: boolean;
}

/** What becomes of the search for a way. */
export interface IceListener {
  /** By which kind of candidates, ours and theirs: `host`, `srflx`, `prflx`, `relay`. */
  connected(local: string, remote: string): void;
  failed(reason: string): void;
  /** A server that does not help. */
  problem(reason: string): void;
}

type IceConnection = InstanceType<Werift['Connection']>;
/** A socket of the library; those of relays have none of their own. */
interface HostSocket {
  readonly transport?: { readonly socket?: Socket; onData(data: Buffer, address: readonly [string, number]): void };
}

const stunPort = 3478;
/** The library's word for a pair whose check was answered. */
const succeeded = 3;
/** A call waits no longer for servers that do not answer. */
const gatherMs = 1_500;

/** The way of one leg through the network as ICE finds it (RFC 8445): host, server-reflexive and relayed candidates, one port for RTP and RTCP. */
export class IcePath implements RtpSocketPair {
  readonly rtpPort: number;
  readonly rtcpPort: number;
  readonly #connection: IceConnection;
  readonly #listener: IceListener;
  readonly #onDatagram: DatagramListener;
  readonly #onError: SocketErrorListener;
  readonly #werift: Werift;
  /** What the session knows the far end by, whichever way its packets come. */
  #remote = { address: '', port: 0 };
  #begun = false;
  #closed = false;

  private constructor(werift: Werift, connection: IceConnection, port: number, ports: IcePathPorts) {
    this.#werift = werift;
    this.#connection = connection;
    this.#listener = ports.listener;
    this.#onDatagram = ports.onDatagram;
    this.#onError = ports.onError;
    this.rtpPort = port;
    this.rtcpPort = port;
    connection.onData.subscribe((data) => this.#onDatagram(false, data, this.#remote.address, this.#remote.port));
    connection.stateChanged.subscribe((state) => {
      if (state === 'failed' && !this.#closed) this.#listener.failed('the way to the far end is gone');
    });
  }

  /** Binds `port` of `address` and asks the servers how we look from outside. */
  static async open(address: string, port: number, servers: IceServers, ports: IcePathPorts): Promise<IcePath> {
    const werift = await loadWerift();
    const turn = addressOf(servers.turnServer);
    const connection = new werift.Connection(true, {
      useIpv4: false,
      useIpv6: false,
      additionalHostAddresses: [address],
      interfaceAddresses: { [isIPv4(address) ? 'udp4' : 'udp6']: address },
      portRange: [port, port],
      ...(turn && { turnServer: turn, turnUsername: servers.turnUsername, turnPassword: servers.turnPassword }),
    });
    // Unless it is told otherwise the library asks a public server.
    Object.assign(connection, { stunServer: addressOf(servers.stunServer) });
    const path = new IcePath(werift, connection, port, ports);
    await Promise.race([connection.gatherCandidates(), new Promise((resolve) => setTimeout(resolve, gatherMs))]);
    if (connection.localCandidates.length === 0) {
      await path.close();
      throw new ResourceError(`cannot bind RTP to ${address} port ${port}`);
    }
    path.#guard();
    path.#mark(address, ports.mark);
    path.#reportServers(servers);
    return path;
  }

  get description(): IceDescription {
    const { localUsername: ufrag, localPassword: password, localCandidates } = this.#connection;
    const shown = localCandidates.find(({ type }) => type === 'srflx') ?? localCandidates[0];
    const candidates = localCandidates.map((candidate) => candidate.toSdp());
    return { ufrag, password, candidates, address: shown?.host ?? '', port: shown?.port ?? 0 };
  }

  /** Looks for a way to the far end; what was begun goes on when it is said again. */
  connect(peer: IcePeer, remote: { readonly address: string; readonly port: number }): void {
    this.#remote = remote;
    if (this.#begun) return;
    this.#begun = true;
    this.#search(peer).catch((thrown) => {
      if (!this.#closed) this.#listener.failed(`no way to the far end was found: ${messageOf(thrown)}`);
    });
  }

  /** Without a way that is known to work packets are lost; a moment later there is one. */
  send(_rtcp: boolean, bytes: Uint8Array, length: number): void {
    if (this.#closed || !this.#connection.nominated) return;
    // The bytes are used again, and the library may keep them until it has encoded them.
    this.#connection.send(Buffer.from(bytes.subarray(0, length))).catch(this.#onError);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#connection.close();
  }

  async #search({ ufrag, password, candidates, lite, controlling }: IcePeer): Promise<void> {
    const connection = this.#connection;
    connection.iceControlling = controlling;
    connection.setRemoteParams({ iceLite: lite, usernameFragment: ufrag, password });
    for (const candidate of candidates) await connection.addRemoteCandidate(this.#werift.Candidate.fromSdp(candidate));
    await connection.addRemoteCandidate(undefined);
    await connection.connect();
    const { nominated } = connection;
    if (nominated && !this.#closed) this.#listener.connected(nominated.localCandidate.type, nominated.remoteCandidate.type);
  }

  /** The library takes sound from anybody: only what comes from where the checks found the far end is handed on. */
  #guard(): void {
    const { protocols } = this.#connection as unknown as { protocols: readonly HostSocket[] };
    for (const { transport } of protocols) {
      if (!transport) continue;
      const receive = transport.onData.bind(transport);
      transport.onData = (data, address) => {
        if (isStun(data) || this.#isChecked(address)) receive(data, address);
      };
    }
  }

  #mark(address: string, mark: TrafficMarker | undefined): void {
    const { protocols } = this.#connection as unknown as { protocols: readonly HostSocket[] };
    try {
      for (const { transport } of protocols) if (transport?.socket) mark?.(transport.socket, isIPv6(address));
    } catch (thrown) {
      this.#onError(thrown instanceof Error ? thrown : new Error(messageOf(thrown)));
    }
  }

  /** Either side may use any pair that has passed its check until one is nominated. */
  #isChecked([host, port]: readonly [string, number]): boolean {
    const { nominated, checkList } = this.#connection;
    const isFrom = ({ remoteAddr }: { remoteAddr: readonly [string, number] }) => remoteAddr[0] === host && remoteAddr[1] === port;
    return (nominated !== undefined && isFrom(nominated)) || checkList.some((pair) => pair.state === succeeded && isFrom(pair));
  }

  #reportServers({ stunServer, turnServer }: IceServers): void {
    const has = (type: string) => this.#connection.localCandidates.some((candidate) => candidate.type === type);
    if (stunServer && !has('srflx') && !has('relay')) this.#listener.problem(`the STUN server ${stunServer} does not answer`);
    if (turnServer === '' || has('relay')) return;
    // A wrong password is answered without a signature, which the library passes over: who tells us our address is there.
    const answers = stunServer === turnServer && has('srflx');
    const reason = answers ? 'user name or password are wrong' : 'it does not answer, or user name or password are wrong';
    this.#listener.problem(`the TURN server ${turnServer} gives no relay: ${reason}`);
  }
}

/** RFC 8489 §5: two zero bits, the length of the rest, and the magic cookie. */
function isStun(data: Buffer): boolean {
  return data.length >= 20 && data.readUInt8(0) <= 3 && data.readUInt16BE(2) === data.length - 20 && data.readUInt32BE(4) === 0x2112a442;
}

export interface IcePathPorts {
  readonly onDatagram: DatagramListener;
  readonly onError: SocketErrorListener;
  readonly listener: IceListener;
  readonly mark?: TrafficMarker | undefined;
}

function addressOf(server: string): [string, number] | undefined {
  if (server === '') return undefined;
  const end = server.endsWith(']') ? -1 : server.lastIndexOf(':');
  const host = (end < 0 ? server : server.slice(0, end)).replace(/^\[|\]$/g, '');
  return [host, end < 0 ? stunPort : Number(server.slice(end + 1))];
}
