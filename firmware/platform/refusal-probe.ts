import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { messageOf } from '../core/errors.ts';
import type { SocketAddress } from './udp-socket.ts';

/** What servers take for a keep-alive and do not answer. */
const emptyLines = new TextEncoder().encode('\r\n\r\n');
/** Long enough for a neighbour that is not there to be given up by the kernel. */
const listenMs = 5_000;
const probesAtMost = 32;

/**
 * Learns that nobody listens at an address. The kernel tells of ICMP errors only on a socket that is connected, and the one that SIP comes in
 * by can't be; so a request that had to be repeated is followed by an empty line from a socket of its own.
 */
export class RefusalProbe {
  readonly #probes = new Map<string, { readonly socket: Socket; readonly end: NodeJS.Timeout }>();

  /** `onRefused` is told at most once, within five seconds. Nothing happens while one for the same address is under way. */
  look(remote: SocketAddress, onRefused: (reason: string) => void): void {
    const key = `${remote.address} ${remote.port}`;
    if (this.#probes.has(key) || this.#probes.size >= probesAtMost) return;
    const socket = createSocket(isIPv6(remote.address) ? 'udp6' : 'udp4');
    const end = setTimeout(() => this.#end(key), listenMs).unref();
    this.#probes.set(key, { socket, end });
    socket.on('error', (error) => {
      if (this.#end(key)) onRefused(messageOf(error));
    });
    socket.connect(remote.port, remote.address, () => {
      if (this.#probes.get(key)?.socket === socket) socket.send(emptyLines);
    });
  }

  close(): void {
    for (const key of [...this.#probes.keys()]) this.#end(key);
  }

  #end(key: string): boolean {
    const probe = this.#probes.get(key);
    if (!probe) return false;
    this.#probes.delete(key);
    clearTimeout(probe.end);
    probe.socket.close();
    return true;
  }
}
