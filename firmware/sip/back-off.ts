import type { Milliseconds } from '#firmware/core/clock.ts';
import { type Entropy, randomFraction } from '#firmware/core/entropy.ts';

/**
 * RFC 5626 §4.5 in its form, with times of our own: after the n-th failure in a row a random wait between 50 % and 100 % of base·2ⁿ⁻¹, so
 * that a thousand phones don't come back in the same second.
 */
export class BackOff {
  readonly #entropy: Entropy;
  #failures = 0;

  constructor(entropy: Entropy) {
    this.#entropy = entropy;
  }

  next(base: Milliseconds, maximum: Milliseconds): Milliseconds {
    const bound = Math.min(maximum, base * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    return bound * (0.5 + 0.5 * randomFraction(this.#entropy));
  }

  reset(): void {
    this.#failures = 0;
  }
}
