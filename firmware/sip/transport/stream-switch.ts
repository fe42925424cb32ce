import type { Milliseconds } from '#firmware/core/clock.ts';
import { serializeMessage } from '../message/build.ts';
import type { Request } from '../message/message.ts';
import type { Destination } from './sip-core.ts';

/** What the Via adds that a request gets last: two IPv6 addresses' worth. */
const viaOctets = 128;
/** How long a server that takes no TCP is not asked again, and how many are remembered. */
const remembered: Milliseconds = 600_000;
const refusalsAtMost = 64;

/** RFC 3261 §18.1.1: which requests are too long for a datagram, and which servers take nothing else. */
export class StreamSwitch {
  readonly #largestDatagram: number;
  /** When each server, as `host:port`, refused TCP. */
  readonly #refusals = new Map<string, Milliseconds>();

  constructor(largestDatagram: number) {
    this.#largestDatagram = largestDatagram;
  }

  /** Whether a request that was to go to `destination` by UDP, still without its Via, has to go by TCP. */
  suits(now: Milliseconds, request: Request, destination: Destination): boolean {
    if (destination.transport !== 'udp' || destination.flow) return false;
    if (serializeMessage(request).length + viaOctets <= this.#largestDatagram) return false;
    const refusedAt = this.#refusals.get(keyOf(destination));
    return refusedAt === undefined || now - refusedAt > remembered;
  }

  /** The server takes no TCP. */
  refused(now: Milliseconds, destination: Destination): void {
    const key = keyOf(destination);
    this.#refusals.delete(key);
    const [oldest] = this.#refusals.keys();
    if (this.#refusals.size >= refusalsAtMost && oldest !== undefined) this.#refusals.delete(oldest);
    this.#refusals.set(key, now);
  }
}

function keyOf({ host, port }: Destination): string {
  return `${host}:${port}`;
}
