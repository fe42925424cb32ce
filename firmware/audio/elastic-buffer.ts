import { Concealment } from './concealment.ts';
import { crossFade, levelOf } from './pcm.ts';
import { drawOut, leaveOut, periodAtHead, stretchWindow } from './time-stretch.ts';

/** Taken at a time: all counting of time is in these. */
const blocksPerSecond = 100;
/** Kept in reserve at first, at least and at most, ms: the least is also the window in which a period is looked for. */
const reserveAtFirst = 40;
const reserveAtLeast = 20;
const reserveAtMost = 120;
/** The reserve grows with each time that it did not suffice, and shrinks when it has for so many blocks, ms. */
const reserveGrowth = 20;
const reserveDecay = 5;
const decayBlocks = 30 * blocksPerSecond;
/** Sound that may wait, ms; where more comes the oldest goes until the reserve and a little is left. */
const waitingAtMost = 400;
const leftAfterOverflow = 60;
/** Silent for longer, whoever sends has paused: what comes next is a new beginning. */
const pauseBlocks = blocksPerSecond / 2;
/** The least that was left within this window and the one before is what nobody ever needed. */
const windowBlocks = 3 * blocksPerSecond;
const excessTolerated = 20;
/** More than this is taken out wherever it can be heard least, ms. */
const intolerableExcess = 100;
/** Blocks between two corrections. */
const correctionPause = 5;
/** Quiet enough to leave out or repeat anything unnoticed, dBFS; elsewhere only a stretch that resembles its neighbour this much. */
const quiet = -45;
const unnoticed = 0.9;

/**
 * Joins two clocks that do not know each other: sound comes in pieces of any length at any time (a browser, a network), and goes out in
 * blocks of 10 ms on a beat. No clock is read: what is left after each block tells how early sound comes.
 *
 *   push ─► │ ─────── waiting ─────── │ ─► pull
 *                      └ least left in some seconds = the reserve: more is left out, less is drawn out, in silence or by whole periods
 */
export class ElasticBuffer {
  readonly #sampleRate: number;
  readonly #waiting: Int16Array;
  readonly #concealment: Concealment;
  readonly #spare: Int16Array;
  #count = 0;
  /** Waiting until the reserve has come: at the beginning, and after it ran out. */
  #filling = true;
  #reserve = reserveAtFirst;
  /** The least that was left, samples: in this window and in the one before. */
  #least = Number.POSITIVE_INFINITY;
  #leastBefore = Number.POSITIVE_INFINITY;
  #blocksInWindow = 0;
  #blocksSinceCorrection = 0;
  #blocksSinceUnderrun = 0;
  /** Blocks that had to be made up in a row. */
  #madeUp = pauseBlocks;
  #underruns = 0;
  #overflows = 0;
  #corrections = 0;

  constructor(sampleRate: number) {
    this.#sampleRate = sampleRate;
    // Drawing out adds a window at most.
    this.#waiting = new Int16Array(this.#samples(waitingAtMost) + stretchWindow(sampleRate));
    this.#concealment = new Concealment(sampleRate);
    this.#spare = new Int16Array(this.blockSamples);
  }

  /** What `pull` wants to fill: 10 ms. */
  get blockSamples(): number {
    return this.#sampleRate / blocksPerSecond;
  }

  push(samples: Int16Array): void {
    const most = this.#samples(waitingAtMost);
    let from = 0;
    if (this.#count + samples.length > most) {
      const kept = this.#samples(this.#reserve + leftAfterOverflow);
      this.#overflows++;
      from = Math.max(0, samples.length - kept);
      this.#dropOldest(Math.max(0, this.#count + samples.length - from - kept));
      this.#forgetLeast();
    }
    this.#waiting.set(from === 0 ? samples : samples.subarray(from), this.#count);
    this.#count += samples.length - from;
  }

  /** Fills `block`; false when there is nothing to hear and `block` is silent. */
  pull(block: Int16Array): boolean {
    if (this.#filling && this.#count >= block.length + this.#samples(this.#reserve)) this.#begin();
    if (this.#filling || this.#count < block.length) return this.#makeUp(block);
    this.#correct();
    block.set(this.#waiting.subarray(0, block.length));
    this.#dropOldest(block.length);
    this.#observe();
    this.#spare.set(block);
    if (this.#madeUp > 0) this.#fadeIn(block);
    this.#concealment.heard(this.#spare);
    return true;
  }

  /** Forgets what waits: the next to come is a new beginning. */
  clear(): void {
    this.#count = 0;
    this.#filling = true;
    this.#madeUp = pauseBlocks;
  }

  describe() {
    return {
      waitingMs: this.#milliseconds(this.#count),
      reserveMs: this.#reserve,
      underruns: this.#underruns,
      overflows: this.#overflows,
      corrections: this.#corrections,
    };
  }

  #begin(): void {
    this.#filling = false;
    this.#forgetLeast();
    if (this.#madeUp >= pauseBlocks) return;
    this.#underruns++;
    this.#reserve = Math.min(reserveAtMost, this.#reserve + reserveGrowth);
    this.#blocksSinceUnderrun = 0;
  }

  #makeUp(block: Int16Array): boolean {
    this.#filling = true;
    this.#madeUp++;
    const audible = this.#concealment.fill(block);
    if (!audible) block.fill(0);
    return audible;
  }

  /** After a gap the real sound takes over from what was made up. */
  #fadeIn(block: Int16Array): void {
    this.#madeUp = 0;
    if (!this.#concealment.fill(block)) block.fill(0);
    crossFade(block, this.#spare);
  }

  #observe(): void {
    this.#least = Math.min(this.#least, this.#count);
    if (++this.#blocksInWindow >= windowBlocks) {
      this.#blocksInWindow = 0;
      this.#leastBefore = this.#least;
      this.#least = Number.POSITIVE_INFINITY;
    }
    if (++this.#blocksSinceUnderrun >= decayBlocks) {
      this.#blocksSinceUnderrun = 0;
      this.#reserve = Math.max(reserveAtLeast, this.#reserve - reserveDecay);
    }
  }

  /** At most once in a while, by one period at a time. */
  #correct(): void {
    const window = stretchWindow(this.#sampleRate);
    if (++this.#blocksSinceCorrection < correctionPause || this.#count < window) return;
    const excess = this.#milliseconds(Math.min(this.#least, this.#leastBefore)) - this.#reserve;
    // Before a whole window has gone by nobody knows what is too much.
    const tooMuch = Number.isFinite(this.#leastBefore) && Number.isFinite(excess) && excess > excessTolerated;
    if (!tooMuch && excess > -this.#reserve / 2) return;
    const head = this.#waiting.subarray(0, window);
    const period = periodAtHead(head, this.#sampleRate, excess > intolerableExcess || levelOf(head) < quiet ? -1 : unnoticed);
    if (period === 0) return;
    this.#count = (tooMuch ? leaveOut : drawOut)(this.#waiting, this.#count, period);
    const change = tooMuch ? -period : period;
    this.#least += change;
    this.#leastBefore += change;
    this.#blocksSinceCorrection = 0;
    this.#corrections++;
  }

  #dropOldest(count: number): void {
    const gone = Math.min(count, this.#count);
    this.#waiting.copyWithin(0, gone, this.#count);
    this.#count -= gone;
  }

  #forgetLeast(): void {
    this.#least = Number.POSITIVE_INFINITY;
    this.#leastBefore = Number.POSITIVE_INFINITY;
    this.#blocksInWindow = 0;
  }

  #samples(milliseconds: number): number {
    return (milliseconds * this.#sampleRate) / 1000;
  }

  #milliseconds(samples: number): number {
    return (samples * 1000) / this.#sampleRate;
  }
}
