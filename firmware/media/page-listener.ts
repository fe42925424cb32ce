import type { Milliseconds } from '../core/clock.ts';
import { emptyRtpPacketView, parseRtpPacket } from '../rtp/packet.ts';
import type { TransportAddress } from '../rtp/remote-address.ts';

/** What becomes of a datagram that came to a group. */
export type PageVerdict =
  /** Of the announcement that is under way. */
  | 'heard'
  /** The first of another announcement. */
  | 'begun'
  /** Somebody speaks already: who came second waits until it is over. */
  | 'second'
  /** We said it ourselves. */
  | 'own'
  | 'malformed';

/** SSRCs of ours that may still come back. */
const ownAtMost = 8;

/**
 * Who speaks to a group now: nobody says that an announcement begins or ends but by sending and by sending no more. The first who sends has the
 * group until they have been silent for a while.
 */
export class PageListener {
  readonly #own: number[] = [];
  readonly #view = emptyRtpPacketView();
  #source: TransportAddress | undefined;
  #heardAt: Milliseconds = 0;

  /** Who speaks. */
  get source(): TransportAddress | undefined {
    return this.#source;
  }

  /** We send to the group under this SSRC, and multicast brings it back to us. */
  isOurs(ssrc: number): void {
    if (this.#own.includes(ssrc)) return;
    this.#own.push(ssrc);
    if (this.#own.length > ownAtMost) this.#own.shift();
  }

  receive(now: Milliseconds, bytes: Uint8Array, address: string, port: number): PageVerdict {
    if (parseRtpPacket(bytes, this.#view) !== undefined) return 'malformed';
    if (this.#own.includes(this.#view.ssrc)) return 'own';
    const known = this.#source;
    if (known && (known.address !== address || known.port !== port)) return 'second';
    this.#heardAt = now;
    this.#source = known ?? { address, port };
    return known ? 'heard' : 'begun';
  }

  /** True once, when who spoke has been silent for `limit`. */
  fellSilent(now: Milliseconds, limit: Milliseconds): boolean {
    if (!this.#source || now - this.#heardAt < limit) return false;
    this.#source = undefined;
    return true;
  }
}
