import { randomFillSync } from 'node:crypto';
import type { Entropy } from '../core/entropy.ts';

/** Fetched at once: a call to the kernel costs more than the bytes. */
const poolBytes = 1_024;

/** The kernel's random numbers. Whoever gets bytes owns them: they are taken out of the pool, which keeps no copy. */
class KernelEntropy implements Entropy {
  readonly #pool = new Uint8Array(poolBytes);
  #used = poolBytes;

  bytes(length: number): Uint8Array {
    if (length > poolBytes / 4) return randomFillSync(new Uint8Array(length));
    if (this.#used + length > poolBytes) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const taken = this.#pool.slice(this.#used, this.#used + length);
    this.#pool.fill(0, this.#used, this.#used + length);
    this.#used += length;
    return taken;
  }
}

export const nodeEntropy: Entropy = new KernelEntropy();
