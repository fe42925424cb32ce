import type { Milliseconds } from '#firmware/core/clock.ts';
import { type Entropy, randomToken } from '#firmware/core/entropy.ts';
import { digestHash } from '#firmware/sip/digest-hash.ts';

/** What became of a nonce: good for this count, too old (or of an earlier life of this process), or used before with this count. */
export type NonceVerdict = 'fresh' | 'stale' | 'replayed';

/** The highest count seen of a nonce and, as bits, which of the 31 below it. */
interface Uses {
  readonly issuedAt: number;
  highest: number;
  window: number;
}

const windowSize = 32;
const macLength = 32;

/**
 * RFC 7616 §3.3: nonces that need no memory until they are used. Each carries its time and a seal of ours, so a flood of requests without
 * credentials costs no space. Only a nonce with a right answer is remembered, to refuse the same count twice; counts may overtake each other.
 */
export class Nonces {
  readonly #secret: string;
  readonly #lifetime: Milliseconds;
  readonly #maximum: number;
  readonly #entropy: Entropy;
  readonly #used = new Map<string, Uses>();
  /** Nonces issued up to here are stale: those forgotten for want of space must not come to life again. */
  #forgottenUntil = -1;

  constructor(entropy: Entropy, lifetime: Milliseconds, maximum: number) {
    this.#entropy = entropy;
    this.#secret = randomToken(entropy, 52);
    this.#lifetime = lifetime;
    this.#maximum = maximum;
  }

  issue(now: Milliseconds): string {
    const open = `${Math.floor(now).toString(36)}.${randomToken(this.#entropy, 12)}`;
    return `${open}.${this.#seal(open)}`;
  }

  /** Judges a nonce whose answer was right, and remembers the count. An answer without qop has no count: it is good once. */
  use(now: Milliseconds, nonce: string, count: number): NonceVerdict {
    const issuedAt = this.#issuedAt(nonce);
    if (issuedAt === undefined || issuedAt <= this.#forgottenUntil || now - issuedAt > this.#lifetime) return 'stale';
    const uses = this.#used.get(nonce);
    if (uses) return advance(uses, count) ? 'fresh' : 'replayed';
    this.#makeRoom(now);
    this.#used.set(nonce, { issuedAt, highest: count, window: 1 });
    return 'fresh';
  }

  get remembered(): number {
    return this.#used.size;
  }

  #issuedAt(nonce: string): number | undefined {
    const seal = nonce.lastIndexOf('.');
    const open = nonce.slice(0, Math.max(0, seal));
    if (nonce.length > 100 || !sameText(nonce.slice(seal + 1), this.#seal(open))) return undefined;
    return Number.parseInt(open, 36);
  }

  /** In the order of first use: the oldest leave first, expired or not. */
  #makeRoom(now: Milliseconds): void {
    for (const [nonce, uses] of this.#used) {
      const expired = now - uses.issuedAt > this.#lifetime;
      if (!expired && this.#used.size < this.#maximum) return;
      if (!expired) this.#forgottenUntil = Math.max(this.#forgottenUntil, uses.issuedAt);
      this.#used.delete(nonce);
    }
  }

  /** Half of the hash: what is left out keeps it from being continued. */
  #seal(open: string): string {
    return digestHash('SHA-256', `${this.#secret} ${open} ${this.#secret}`).slice(0, macLength);
  }
}

function advance(uses: Uses, count: number): boolean {
  if (count > uses.highest) {
    const by = count - uses.highest;
    uses.window = by < windowSize ? ((uses.window << by) | 1) >>> 0 : 1;
    uses.highest = count;
    return true;
  }
  const below = uses.highest - count;
  if (below >= windowSize) return false;
  const bit = (1 << below) >>> 0;
  if ((uses.window & bit) !== 0) return false;
  uses.window = (uses.window | bit) >>> 0;
  return true;
}

/** Compares without saying by its duration where two texts differ. */
export function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length && i < b.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
