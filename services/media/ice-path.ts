import { randomBytes } from 'node:crypto';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import type { DatagramListener, RtpSocketPair, SocketErrorListener } from '#firmware/platform/rtp-socket.ts';
import type { TrafficMarker } from '#firmware/platform/traffic-class.ts';
import { IceComponent, type IceCredentials, type IcePeer, type IceServers } from './ice-component.ts';
import { loadWerift } from './werift.ts';

/** What the far end is told of us. */
export interface IceDescription extends IceCredentials {
  readonly candidates: string[];
  /** For those who know no ICE. */
  readonly address: string;
  readonly port: number;
  readonly rtcpPort: number;
}

/** What becomes of the search for a way. */
export interface IceListener {
  /** By which kind of candidates, ours and theirs: `host`, `srflx`, `prflx`, `relay`. */
  connected(local: string, remote: string): void;
  failed(reason: string): void;
  /** A server that does not help. */
  problem(reason: string): void;
}

/** A call waits no longer for servers that do not answer. */
const gatherMs = 1_500;

/** The way of one leg through the network as ICE finds it (RFC 8445): host, server-reflexive and relayed candidates, RTP and, for peers without rtcp-mux, RTCP. */
export class IcePath implements RtpSocketPair {
  readonly rtpPort: number;
  readonly rtcpPort: number;
  readonly description: IceDescription;
  readonly #rtp: IceComponent;
  readonly #rtcp: IceComponent;
  readonly #ports: IcePathPorts;
  /** What the session knows the far end by, whichever way its packets come. */
  readonly #remote: { address: string; port: number };
  #begun = false;
  #closed = false;

  private constructor(rtpPort: number, description: IceDescription, components: Components, ports: IcePathPorts) {
    this.rtpPort = rtpPort;
    this.rtcpPort = rtpPort + 1;
    this.description = description;
    this.#rtp = components.rtp;
    this.#rtcp = components.rtcp;
    this.#remote = components.remote;
    this.#ports = ports;
  }

  /** Binds `port` of `address` and the one above, and asks the servers how they look from outside. */
  static async open(address: string, port: number, servers: IceServers, ports: IcePathPorts): Promise<IcePath> {
    const werift = await loadWerift();
    const credentials = { ufrag: wordOf(6), password: wordOf(18) };
    const remote = { address: '', port: 0 };
    const { onDatagram, onError, listener, mark } = ports;
    const componentOf = (component: 1 | 2) =>
      new IceComponent(werift, { address, port: port + component - 1, component }, credentials, servers.stunServer, {
        onData: (data) => onDatagram(component === 2, data, remote.address, remote.port + component - 1),
        lost: () => listener.failed('the way to the far end is gone'),
        onError,
        mark,
      });
    const [rtp, rtcp] = [componentOf(1), componentOf(2)];
    await Promise.all([rtp.gather(servers, gatherMs), rtcp.gather(servers, gatherMs)]);
    const [{ texts, shown }, second] = [rtp.candidates, rtcp.candidates];
    if (!shown || !second.shown) {
      await Promise.all([rtp.close(), rtcp.close()]);
      throw new ResourceError(`cannot bind RTP to ${address} port ${port}`);
    }
    reportServers(servers, rtp, listener);
    const candidates = [...texts, ...second.texts];
    const description = { ...credentials, candidates, address: shown.host, port: shown.port, rtcpPort: second.shown.port };
    return new IcePath(port, description, { rtp, rtcp, remote }, ports);
  }

  /** Looks for a way to the far end; what was begun goes on when it is said again. */
  connect(peer: IcePeer, remote: { readonly address: string; readonly port: number }): void {
    Object.assign(this.#remote, remote);
    if (this.#begun) return;
    this.#begun = true;
    this.#search(peer).catch((thrown) => {
      if (!this.#closed) this.#ports.listener.failed(`no way to the far end was found: ${messageOf(thrown)}`);
    });
  }

  send(rtcp: boolean, bytes: Uint8Array, length: number): void {
    const component = rtcp ? this.#rtcp : this.#rtp;
    component.send(bytes.subarray(0, length));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([this.#rtp.close(), this.#rtcp.close()]);
  }

  async #search(peer: IcePeer): Promise<void> {
    // Peers with rtcp-mux have shown nothing for RTCP (RFC 8834 §4.5).
    const both = peer.candidates.some((candidate) => candidate.split(' ')[1] === '2');
    const second = both ? this.#rtcp.connect(peer) : this.#rtcp.close();
    const [[local, remote]] = await Promise.all([this.#rtp.connect(peer), second]);
    if (!this.#closed) this.#ports.listener.connected(local, remote);
  }
}

interface Components {
  readonly rtp: IceComponent;
  readonly rtcp: IceComponent;
  readonly remote: { address: string; port: number };
}

export interface IcePathPorts {
  readonly onDatagram: DatagramListener;
  readonly onError: SocketErrorListener;
  readonly listener: IceListener;
  readonly mark?: TrafficMarker | undefined;
}

function reportServers({ stunServer, turnServer }: IceServers, rtp: IceComponent, listener: IceListener): void {
  const has = (type: string) => rtp.candidates.texts.some((text) => text.includes(` typ ${type}`));
  if (stunServer && !has('srflx') && !has('relay')) listener.problem(`the STUN server ${stunServer} does not answer`);
  if (turnServer && !has('relay')) listener.problem(`the TURN server ${turnServer} gives no relay: ${rtp.relayProblem ?? ''}`);
}

/** RFC 8839 §5.4: letters, digits, + and /. */
function wordOf(bytes: number): string {
  return randomBytes(bytes).toString('base64');
}
