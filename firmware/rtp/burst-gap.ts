import type { Milliseconds } from '../core/clock.ts';

/** Packets are lost or come too late in bursts: how dense and how long those are, and the gaps between them (RFC 3611 §4.7.2). */
export interface BurstsAndGaps {
  /** Share of packets missing within bursts and within gaps. */
  readonly burstDensity: number;
  readonly gapDensity: number;
  /** On average. */
  readonly burstMs: Milliseconds;
  readonly gapMs: Milliseconds;
}

/** A gap has at least so many packets in a row between two that are missing. */
const gapAtLeast = 16;
/** Packets may overtake each other by so many before one counts as lost. */
const patience = 32;
const ringSize = 64;
/** A jump this wide is another sender's count. */
const jump = 3000;
const unknown = 0;
const played = 1;

/**
 * Counts transitions as RFC 3611 A.2 does, over sequence numbers in their order:
 *
 *   1 in a gap, received    2 in a burst, received    3 in a burst, missing    4 in a gap, missing
 */
export class BurstGap {
  readonly #ring = new Uint8Array(ringSize);
  #newest: number | undefined;
  #judged = 0;
  /** Received since one was missing. */
  #run = 0;
  #missingInRow = 0;
  #c11 = 0;
  #c13 = 0;
  #c14 = 0;
  #c22 = 0;
  #c23 = 0;
  #c33 = 0;

  /** A packet by its extended sequence number; `late` = it is of no use. */
  arrived(sequence: number, late: boolean): void {
    if (this.#newest === undefined || Math.abs(sequence - this.#newest) > jump) {
      this.#ring.fill(unknown);
      this.#judged = sequence - 1;
      this.#newest = sequence - 1;
    }
    if (sequence <= this.#judged) return;
    while (this.#newest < sequence) {
      this.#newest++;
      this.#ring[this.#newest % ringSize] = unknown;
      while (this.#judged < this.#newest - patience) this.#judge(++this.#judged);
    }
    if (!late) this.#ring[sequence % ringSize] = played;
  }

  /** `packetMs`: sound in each packet. */
  measure(packetMs: Milliseconds): BurstsAndGaps {
    // What is under way counts as if it ended here.
    const inBurstNow = this.#missingInRow > 1;
    const aloneNow = this.#missingInRow === 1;
    const bursts = this.#c13 + (inBurstNow ? 1 : 0);
    const alone = this.#c14 + (aloneNow ? 1 : 0);
    const inGaps = this.#c11 + alone + (inBurstNow && this.#run < gapAtLeast ? 0 : this.#run);
    const missing = bursts + this.#c33 + this.#c23;
    const inBursts = missing + this.#c22 + this.#c23;
    return {
      burstDensity: bursts === 0 ? 0 : missing / inBursts,
      gapDensity: inGaps === 0 ? 0 : alone / inGaps,
      burstMs: bursts === 0 ? 0 : (inBursts * packetMs) / bursts,
      gapMs: (inGaps * packetMs) / Math.max(1, bursts),
    };
  }

  #judge(sequence: number): void {
    if (this.#ring[sequence % ringSize] === played) {
      this.#run++;
      return;
    }
    if (this.#run >= gapAtLeast || this.#missingInRow === 0) {
      // The one before stood alone in its gap, or ended a burst.
      if (this.#missingInRow === 1) this.#c14++;
      else if (this.#missingInRow > 1) this.#c13++;
      this.#missingInRow = 1;
      this.#c11 += this.#run;
    } else {
      this.#missingInRow++;
      if (this.#run === 0) this.#c33++;
      else {
        this.#c23++;
        this.#c22 += this.#run - 1;
      }
    }
    this.#run = 0;
  }
}
