import type { Milliseconds } from '../core/clock.ts';
import { timestampDifference } from './packet.ts';

/** How the timestamps of one clock lie on the time line. */
interface Mapping {
  readonly clockRate: number;
  anchor: number;
  ticks: number;
}

/** Far from the anchor rounding and wrap-around would tell: it moves along. */
const anchorReach = 2 ** 24;
/** A pause longer than the packets that are missing explain: the sender said nothing for a while, ms. */
const pauseTold: Milliseconds = 60;

/**
 * The timestamps of a stream on one time line of `rate` ticks a second, whatever clock its codecs have (RFC 7160). Where the clock changes, no
 * timestamp tells how the two lie to each other: the order of the packets does, and after a pause the time of arrival.
 *
 *   clock 8000    … 160 ─ 320 ─ 480 ┐
 *   clock 48000                     └ 91234 ─ 92194 ─ …
 *   time line     … 960 ─ 1920 ─ 2880 ─ 3840 ─ 4800 …
 */
export class Timeline {
  readonly #rate: number;
  #now: Mapping | undefined;
  /** Of the clock before the last change, for packets that were overtaken. */
  #before: Mapping | undefined;
  #changedAtSequence = 0;
  #newest = { sequence: 0, start: 0, end: 0, arrival: 0 };

  constructor(rate: number) {
    this.#rate = rate;
  }

  /** Of the packets that come now; `undefined` before the first. */
  get clockRate(): number | undefined {
    return this.#now?.clockRate;
  }

  /** Where a packet with `ticks` of sound lies. `sequence` is extended and goes on where the SSRC changes. */
  place(now: Milliseconds, sequence: number, timestamp: number, ticks: number, clockRate: number): number {
    const mapping = this.#mappingFor(now, sequence, timestamp, ticks, clockRate);
    const distance = timestampDifference(timestamp, mapping.anchor);
    const start = (mapping.ticks + Math.round((distance * this.#rate) / clockRate)) >>> 0;
    if (Math.abs(distance) > anchorReach) {
      mapping.anchor = timestamp;
      mapping.ticks = start;
    }
    if (sequence >= this.#newest.sequence) this.#newest = { sequence, start, end: (start + ticks) >>> 0, arrival: now };
    return start;
  }

  /** What comes next belongs to another sender. */
  reset(): void {
    this.#now = undefined;
    this.#before = undefined;
    this.#newest = { sequence: 0, start: 0, end: 0, arrival: 0 };
  }

  #mappingFor(now: Milliseconds, sequence: number, timestamp: number, ticks: number, clockRate: number): Mapping {
    const mapping = this.#now;
    if (mapping?.clockRate === clockRate) return mapping;
    if (mapping && this.#before?.clockRate === clockRate && sequence < this.#changedAtSequence) return this.#before;
    const start = mapping ? this.#follow(now, sequence, ticks) : timestamp;
    this.#before = mapping;
    this.#changedAtSequence = sequence;
    this.#now = { clockRate, anchor: timestamp, ticks: start };
    return this.#now;
  }

  #follow(now: Milliseconds, sequence: number, ticks: number): number {
    const { start, end, arrival, sequence: newest } = this.#newest;
    const byOrder = end + Math.max(0, sequence - newest - 1) * ticks;
    const byTime = start + ((now - arrival) * this.#rate) / 1000;
    return Math.round((byTime - byOrder) * 1000 > pauseTold * this.#rate ? byTime : byOrder) >>> 0;
  }
}
