import type { Entropy } from '#firmware/core/entropy.ts';
import { messageOf } from '#firmware/core/errors.ts';
import {
  type DatagramListener,
  openRtpSocketPair,
  type PortRange,
  type RtpSocketPair,
  type SocketErrorListener,
} from '#firmware/platform/rtp-socket.ts';
import type { TrafficMarker } from '#firmware/platform/traffic-class.ts';
import { canonicalAddress } from '#firmware/rtp/ip-address.ts';
import type { IcePeer, IceServers } from './ice-component.ts';
import { type IceDescription, type IceListener, IcePath } from './ice-path.ts';

/** What a leg's path needs around it. */
export interface LegPathPorts {
  readonly entropy: Entropy;
  readonly onDatagram: DatagramListener;
  readonly onError: SocketErrorListener;
  readonly listener: IceListener;
  /** Of the class that packets of sound have. */
  readonly mark?: TrafficMarker | undefined;
}

/** How the datagrams of a leg travel: by a pair of sockets of its own, or by the way that ICE finds, until the peer turns out not to know it. */
export class LegPath implements RtpSocketPair {
  readonly rtpPort: number;
  readonly rtcpPort: number;
  readonly ice: IceDescription | null;
  readonly #address: string;
  readonly #ports: LegPathPorts;
  #current: RtpSocketPair | undefined;
  #closed = false;

  private constructor(current: RtpSocketPair, address: string, ports: LegPathPorts) {
    this.rtpPort = current.rtpPort;
    // The port above is free as well, for a peer that does not know ICE.
    this.rtcpPort = current.rtpPort + 1;
    this.ice = current instanceof IcePath ? current.description : null;
    this.#current = current;
    this.#address = address;
    this.#ports = ports;
  }

  static async open(address: string, range: PortRange, servers: IceServers | null, ports: LegPathPorts): Promise<LegPath> {
    const pair = await openRtpSocketPair(address, range, ports.entropy, ports.onDatagram, ports.onError, ports.mark);
    if (!servers) return new LegPath(pair, address, ports);
    await pair.close();
    return new LegPath(await IcePath.open(address, pair.rtpPort, servers, ports), address, ports);
  }

  /** What the peer says of ICE; without it packets go straight there. */
  follow(peer: IcePeer | null, remote: { readonly address: string; readonly port: number }): void {
    const current = this.#current;
    if (!(current instanceof IcePath)) return;
    if (peer) current.connect(peer, { address: canonicalAddress(remote.address), port: remote.port });
    else {
      this.#current = undefined;
      this.#leave(current).catch((thrown) => this.#ports.listener.failed(messageOf(thrown)));
    }
  }

  send(rtcp: boolean, bytes: Uint8Array, length: number, address: string, port: number): void {
    this.#current?.send(rtcp, bytes, length, address, port);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#current?.close();
  }

  async #leave(path: IcePath): Promise<void> {
    await path.close();
    if (this.#closed) return;
    const { entropy, onDatagram, onError, mark } = this.#ports;
    const pair = await openRtpSocketPair(this.#address, { from: this.rtpPort, to: this.rtpPort + 1 }, entropy, onDatagram, onError, mark);
    if (this.#closed) await pair.close();
    else this.#current = pair;
  }
}
