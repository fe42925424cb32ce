import type { Milliseconds } from '../core/clock.ts';

/** How a codec suffers (G.113 appendix I): its own impairment, and how well it bears loss. */
export interface CodecImpairment {
  readonly equipment: number;
  readonly lossRobustness: number;
}

/** G.711 whose losses are concealed. Wider codecs are not worse at that, and the scale of G.107 ends at a telephone's best. */
export const concealedG711: CodecImpairment = { equipment: 0, lossRobustness: 25.1 };

/** R with all defaults of G.107 and neither delay nor loss. */
const bestRating = 93.2;
/** Delay that nobody notices in a conversation, ms. */
const unnoticedDelay: Milliseconds = 100;

/** The rating factor R of a call (G.107 §7 with default values, random loss): 0 unusable, 93.2 best. */
export function ratingOf(delay: Milliseconds, lossPercent: number, { equipment, lossRobustness }: CodecImpairment): number {
  const byLoss = equipment + ((95 - equipment) * lossPercent) / (lossPercent + lossRobustness);
  return Math.max(0, bestRating - delayImpairment(delay) - byLoss);
}

/** Mean opinion score of a conversation with rating factor R (G.107 annex B): 1 to 4.5. */
export function opinionScoreOf(rating: number): number {
  if (rating <= 0) return 1;
  return rating >= 100 ? 4.5 : 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6;
}

function delayImpairment(delay: Milliseconds): number {
  if (delay <= unnoticedDelay) return 0;
  const x = Math.log2(delay / unnoticedDelay);
  return 25 * ((1 + x ** 6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2);
}

/** What one look at a leg's counts shows. */
export interface QualitySample {
  /** Received in all, and known to be lost or too late to be played. */
  readonly received: number;
  readonly missing: number;
  /** Mouth to ear, as far as known, ms. */
  readonly delay: Milliseconds;
}

/** Share of the newest look in the loss that counts: what was seconds ago is forgotten as a listener forgets it. */
const newestShare = 0.25;

/** Rates what is heard of a far end, from look to look. */
export class SpeechQuality {
  readonly #codec: CodecImpairment;
  #received = 0;
  #missing = 0;
  #lossPercent: number | undefined;
  #score: number | undefined;

  constructor(codec: CodecImpairment) {
    this.#codec = codec;
  }

  /** The opinion score now, to a hundredth; `undefined` before anything was received. */
  look({ received, missing, delay }: QualitySample): number | undefined {
    const arrived = Math.max(0, received - this.#received);
    const missed = Math.max(0, missing - this.#missing);
    this.#received = received;
    this.#missing = missing;
    if (received === 0) return undefined;
    // In a pause of the far end (hold, silence) the last score stands.
    if (arrived + missed === 0) return this.#score;
    const percent = (100 * missed) / (arrived + missed);
    this.#lossPercent = this.#lossPercent === undefined ? percent : this.#lossPercent + newestShare * (percent - this.#lossPercent);
    this.#score = Math.round(100 * opinionScoreOf(ratingOf(delay, this.#lossPercent, this.#codec))) / 100;
    return this.#score;
  }
}
