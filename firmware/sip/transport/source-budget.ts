import type { Milliseconds } from '#firmware/core/clock.ts';

/** Sources remembered; of those that were silent longest nothing is known any more, which is as if they were new. */
const sourcesAtMost = 512;
/** So many seconds' worth may come at once. */
const secondsAtOnce = 4;

interface Bucket {
  tokens: number;
  at: Milliseconds;
}

/** How many messages each address may send us: a bucket of tokens each. Above it nothing is read and nothing is answered. */
export class SourceBudget {
  readonly #perSecond: number;
  readonly #buckets = new Map<string, Bucket>();

  /** `perSecond` 0 = no limit. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** One message of `address`; false if it is one too many. */
  admits(now: Milliseconds, address: string): boolean {
    if (this.#perSecond === 0) return true;
    const most = secondsAtOnce * this.#perSecond;
    const { tokens, at } = this.#buckets.get(address) ?? { tokens: most, at: now };
    const filled = Math.min(most, tokens + ((now - at) * this.#perSecond) / 1_000);
    const admitted = filled >= 1;
    this.#remember(address, { tokens: admitted ? filled - 1 : filled, at: now });
    return admitted;
  }

  #remember(address: string, bucket: Bucket): void {
    this.#buckets.delete(address);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size >= sourcesAtMost && oldest !== undefined) this.#buckets.delete(oldest);
    this.#buckets.set(address, bucket);
  }
}
