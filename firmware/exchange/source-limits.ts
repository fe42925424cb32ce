import type { Milliseconds } from '#firmware/core/clock.ts';

interface Bucket {
  tokens: number;
  filledAt: Milliseconds;
}

/** Token buckets by source address: so many at once, so many a second. The table is bounded; who has been quiet longest is forgotten. */
export class SourceLimits {
  readonly #perSecond: number;
  readonly #atOnce: number;
  readonly #maximum: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(perSecond: number, atOnce: number, maximum: number) {
    this.#perSecond = perSecond;
    this.#atOnce = atOnce;
    this.#maximum = maximum;
  }

  /** Takes one token of `source`; false when there is none. */
  take(now: Milliseconds, source: string): boolean {
    const bucket = this.#bucketOf(now, source);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  /** Whether `take` would find none. */
  isSpent(now: Milliseconds, source: string): boolean {
    const bucket = this.#buckets.get(source);
    return bucket !== undefined && bucket.tokens + ((now - bucket.filledAt) * this.#perSecond) / 1000 < 1;
  }

  #bucketOf(now: Milliseconds, source: string): Bucket {
    const known = this.#buckets.get(source);
    if (known) {
      known.tokens = Math.min(this.#atOnce, known.tokens + ((now - known.filledAt) * this.#perSecond) / 1000);
      known.filledAt = now;
      // Last in order: the first of the map is the quietest.
      this.#buckets.delete(source);
      this.#buckets.set(source, known);
      return known;
    }
    const quietest = this.#buckets.keys().next();
    if (this.#buckets.size >= this.#maximum && !quietest.done) this.#buckets.delete(quietest.value);
    const bucket = { tokens: this.#atOnce, filledAt: now };
    this.#buckets.set(source, bucket);
    return bucket;
  }
}
