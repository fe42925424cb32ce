import type { Milliseconds } from '#firmware/core/clock.ts';

/** What a network does to packets. */
export interface Impairment {
  readonly delayMs: number;
  /** Added to each packet's delay, evenly from 0 to this: more than 20 reorders. */
  readonly jitterMs: number;
  /** Packets wait for those before them, as in a queue: jitter does not reorder. */
  readonly queued?: boolean;
  /** Shares, 0 to 1. */
  readonly loss: number;
  readonly duplication: number;
  /** Share of packets that two others overtake, at 20 ms each. */
  readonly reordering?: number;
  /** Packets lost in a row, on average; each for itself when absent (Gilbert's model otherwise). */
  readonly burst?: number;
}

/** So much longer takes a packet that is overtaken. */
const detourMs = 50;

/** One direction of a bad network. All of it follows from `random`; what it did is counted, to be held against what receivers say. */
export class ImpairedWay {
  readonly #random: () => number;
  #inBurst = false;
  #lastArrival: Milliseconds = 0;
  #lost = 0;
  #copied = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  get lost(): number {
    return this.#lost;
  }

  /** Packets of which a second copy arrived. */
  get copied(): number {
    return this.#copied;
  }

  /** When the copies of a packet arrive that leaves at `now`; none when it is lost. */
  carry(now: Milliseconds, network: Impairment): readonly Milliseconds[] {
    if (this.#loses(network)) {
      this.#lost++;
      return [];
    }
    const copies = this.#random() < network.duplication ? 2 : 1;
    this.#copied += copies - 1;
    return Array.from({ length: copies }, () => this.#arrival(now, network));
  }

  #loses({ loss, burst }: Impairment): boolean {
    if (burst === undefined) return this.#random() < loss;
    const likely = this.#inBurst ? 1 - 1 / burst : loss / (burst * (1 - loss));
    this.#inBurst = this.#random() < likely;
    return this.#inBurst;
  }

  #arrival(now: Milliseconds, { delayMs, jitterMs, queued, reordering }: Impairment): Milliseconds {
    const detour = reordering !== undefined && this.#random() < reordering ? detourMs : 0;
    const at = now + delayMs + this.#random() * jitterMs + detour;
    if (!queued) return at;
    this.#lastArrival = Math.max(this.#lastArrival, at);
    return this.#lastArrival;
  }
}
