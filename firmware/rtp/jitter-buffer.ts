import type { Milliseconds } from '../core/clock.ts';
import { timestampDifference } from './packet.ts';
import { TransitHistogram } from './transit-histogram.ts';

/** Bounds on the delay the buffer may add, ms. */
export interface JitterBufferLimits {
  readonly minimum: Milliseconds;
  /** Until the network is known. */
  readonly start: Milliseconds;
  readonly maximum: Milliseconds;
}

/** One packet on its way to the decoder. Its bytes belong to the buffer and hold until the next `insert`. */
export interface BufferedPacket {
  payloadType: number;
  timestamp: number;
  /** Ticks of sound in it. */
  ticks: number;
  sequence: number;
  bytes: Uint8Array;
  length: number;
}

export type InsertVerdict = 'stored' | 'late' | 'duplicate';

const slotsAtMost = 128;
const recentPackets = 256;
/** Starved for this long, what comes next is a new talk spurt or a sender that stood still: it sets the time anew, ms. */
const starvedRestart: Milliseconds = 100;
/** A packet this far from where it should be belongs to another time line, ms. */
const timelineJump: Milliseconds = 3000;
/** Packets after which the network counts as known: 10 s of them. */
const acquainted = 500;
/** The delay is cut where no packet of a while (one such window and the one before) found it nearer to its target than this, ms, or a quarter. */
const excessTolerated: Milliseconds = 15;
const excessWindow: Milliseconds = 200;
/** The delay is stretched once it has been short of its target by this much for so many packets. */
const shortfallOf = { begin: 8, packets: 3 } as const;
/** With nothing else to play a packet this late is still played, and the delay grows by as much, ms. */
const lateTolerated: Milliseconds = 45;
/** Callers take or pass sound in steps of this length, ms, and at most every `longestBeat`, unless they are late. */
const step: Milliseconds = 10;
const longestBeat: Milliseconds = 20;
/** Beyond the maximum the oldest goes, but not for a packet or two. */
const overflowTolerated: Milliseconds = 40;

/**
 * Puts packets in order and holds them for as long as the network needs.
 *
 *   timestamps:   … played │ #next ────── buffered ────── newest │ … not here yet
 *                          └── slack of a packet at arrival: how long before its turn it came ──┘
 *
 * The playout clock is the caller's: each 10 ms it takes a packet or passes time. The target delay is the spread of transit times (network
 * and sender jitter) that nearly all packets stay within; before anything is known of the network it is a cautious guess. When packets
 * come late the clock is held back while nothing is playing anyway. Where the delay stays off its target the caller is told the `excess`
 * or the `shortfall`, leaves out or draws out sound where that cannot be heard, and says so with `adjusted`.
 */
export class JitterBuffer {
  readonly #ticksPerMs: number;
  readonly #minimum: Milliseconds;
  readonly #start: Milliseconds;
  readonly #maximum: Milliseconds;
  readonly #transits: TransitHistogram;
  /** Extended sequence numbers seen lately, by their low bits. */
  readonly #recent = new Float64Array(recentPackets).fill(-1);
  /** In order of timestamp. */
  readonly #slots: BufferedPacket[] = [];
  readonly #free: BufferedPacket[] = [];
  /** Timestamp to be played next; `undefined` before the first packet. */
  #next: number | undefined;
  #starved = 0;
  /** Delay of the quickest packets, ms, smoothed. */
  #depth = 0;
  /** Sound that was taken but not played yet, ms, and when that was so. */
  #held = 0;
  #heldAt: Milliseconds | undefined;
  /** By how much the delay was too long at least, in the window under way and in the one before. */
  #excess = 0;
  #excessBefore = 0;
  #excessWindowEnds: Milliseconds = 0;
  /** Packets in a row that found it too short. */
  #shortRun = 0;
  /** Packets since `reset`. */
  #met = 0;
  #late = 0;
  #duplicates = 0;
  #discarded = 0;

  constructor(clockRate: number, limits: JitterBufferLimits) {
    this.#ticksPerMs = clockRate / 1000;
    this.#minimum = Math.max(0, limits.minimum);
    this.#maximum = Math.max(this.#minimum, limits.maximum);
    this.#start = limits.start;
    this.#transits = new TransitHistogram(this.#maximum);
  }

  get late(): number {
    return this.#late;
  }

  get duplicates(): number {
    return this.#duplicates;
  }

  /** Packets thrown away because the delay would have passed its maximum. */
  get discarded(): number {
    return this.#discarded;
  }

  /** The delay aimed at, ms. */
  get target(): Milliseconds {
    const least = this.#met < acquainted ? Math.max(this.#minimum, this.#start) : this.#minimum;
    return Math.min(this.#maximum, Math.max(least, this.#transits.spread));
  }

  /** The delay the quickest packets get now, ms. */
  get depth(): Milliseconds {
    return this.#depth;
  }

  /** By how much the delay has been longer than it should be for a while, ms; 0 within tolerance. */
  get excess(): Milliseconds {
    const least = Math.min(this.#excess, this.#excessBefore);
    return least > Math.max(excessTolerated, this.target / 4) ? least : 0;
  }

  /** By how much the delay has been shorter than it should be for a while, ms; 0 within tolerance. */
  get shortfall(): Milliseconds {
    const short = this.target - this.#depth;
    return this.#shortRun >= shortfallOf.packets && short > shortfallOf.begin ? short : 0;
  }

  /** Milliseconds of sound from the next to be played to the end of the newest. */
  get buffered(): Milliseconds {
    const newest = this.#slots.at(-1);
    if (!newest || this.#next === undefined) return 0;
    return Math.max(0, timestampDifference(newest.timestamp + newest.ticks, this.#next) / this.#ticksPerMs);
  }

  /** Packets whose turn has not come yet. */
  get waiting(): number {
    return this.#slots.length;
  }

  /** Stores a copy of a payload. `sequence` is the extended sequence number, `ticks` the length of its sound. */
  insert(
    now: Milliseconds,
    sequence: number,
    timestamp: number,
    ticks: number,
    payloadType: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): InsertVerdict {
    const place = sequence & (recentPackets - 1);
    if (this.#recent[place] === sequence) {
      this.#duplicates++;
      return 'duplicate';
    }
    this.#recent[place] = sequence;
    if (!this.#makeTimely(now, timestamp, ticks, this.#delayBehindQuickest(now, timestamp))) {
      this.#late++;
      return 'late';
    }
    this.#store(sequence, timestamp, ticks, payloadType, bytes, start, end);
    this.#bound();
    return 'stored';
  }

  /** The packet whose turn it is; `undefined` when it is not here (the caller conceals and calls `pass`). */
  take(): BufferedPacket | undefined {
    const first = this.#slots[0];
    if (!first || this.#next === undefined || timestampDifference(first.timestamp, this.#next) > 0) return undefined;
    this.#slots.shift();
    this.#free.push(first);
    this.#next = (first.timestamp + first.ticks) >>> 0;
    this.#starved = 0;
    return first;
  }

  /** The packet right behind a gap, which may carry what is missing; `undefined` when it is not here, or there is no gap. */
  get afterGap(): BufferedPacket | undefined {
    return this.gap > 0 ? this.#slots[0] : undefined;
  }

  /** Ticks of sound that are missing before the next packet that is here; 0 when none is here. */
  get gap(): number {
    const first = this.#slots[0];
    return first && this.#next !== undefined ? Math.max(0, timestampDifference(first.timestamp, this.#next)) : 0;
  }

  /** Time goes by without a packet. While the delay is short of its target the playout clock waits, which makes the delay longer. */
  pass(ticks: number): void {
    if (this.#next === undefined) return;
    // Waiting for the turn of a packet that is here is no want of packets.
    if (this.#slots.length === 0) this.#starved += ticks / this.#ticksPerMs;
    const wait = this.#slots.length === 0 && this.target - this.#depth >= ticks / this.#ticksPerMs;
    if (wait) this.#depth += ticks / this.#ticksPerMs;
    else this.#next = (this.#next + ticks) >>> 0;
  }

  /** At `now` the caller has taken `ticks` that it has not played yet. Between two calls the clock is thought to run evenly. */
  holds(now: Milliseconds, ticks: number): void {
    this.#held = ticks / this.#ticksPerMs;
    this.#heldAt = now;
  }

  /** The caller made the delay longer by `ticks` (drew out sound) or shorter (less than 0: left out sound it had taken). */
  adjusted(ticks: number): void {
    this.#depth += ticks / this.#ticksPerMs;
    this.#excess += ticks / this.#ticksPerMs;
    this.#excessBefore += ticks / this.#ticksPerMs;
    if (this.#depth >= this.target) this.#shortRun = 0;
  }

  /** Forgets what is buffered; the next packet starts a new time line. */
  reset(): void {
    this.#recent.fill(-1);
    this.#forget();
    this.#transits.reset();
    this.#met = 0;
  }

  describe() {
    const { late, duplicates, discarded, target, depth, buffered } = this;
    return { late, duplicates, discarded, targetMs: target, depthMs: Math.round(depth), bufferedMs: buffered };
  }

  /** A packet from another time line (the sender jumped, or stood still without its timestamps doing so) makes a new measure. */
  #delayBehindQuickest(now: Milliseconds, timestamp: number): Milliseconds {
    const transit = now - timestamp / this.#ticksPerMs;
    const wrap = 2 ** 32 / this.#ticksPerMs;
    if (Math.abs(this.#slackOf(timestamp)) > timelineJump) {
      this.#forget();
      this.#transits.rebase();
    }
    this.#met++;
    const behind = this.#transits.add(now, transit, wrap, this.#starved === 0);
    if (this.#starved < starvedRestart) return behind;
    this.#next = undefined;
    if (behind < starvedRestart) return behind;
    this.#forget();
    this.#transits.rebase();
    return this.#transits.add(now, transit, wrap, this.#starved === 0);
  }

  /** Sets or corrects the playout clock so that a packet with `timestamp` can be played; false when it is too late for that. */
  #makeTimely(now: Milliseconds, timestamp: number, ticks: number, behind: Milliseconds): boolean {
    if (this.#next === undefined) {
      // The first waits for the target delay, less what it already lost on its way, in whole steps of the caller: part of one would cost a whole.
      const sinceMove = Math.min(longestBeat, this.#sinceMove(now));
      const wait = Math.max(0, this.target - behind) + sinceMove;
      const steps = Math.round(wait / step) * step;
      this.#next = (timestamp - steps * this.#ticksPerMs) >>> 0;
      this.#depth = Math.max(0, this.target + steps - wait);
      this.#starved = 0;
      return true;
    }
    const slack = this.#slackOf(timestamp);
    if (slack >= 0) {
      const delay = slack + this.#held - this.#sinceMove(now) + behind;
      this.#depth += (delay - this.#depth) / 16;
      this.#weigh(now, Math.min(delay, this.#depth));
      return true;
    }
    // Partly over, or all that there is: played whole, a little later than planned.
    const tolerated = this.#slots.length === 0 ? Math.max(lateTolerated, ticks / this.#ticksPerMs) : ticks / this.#ticksPerMs;
    if (-slack >= tolerated) return false;
    this.#next = timestamp;
    this.#depth = Math.min(this.#maximum, this.#depth - slack);
    return true;
  }

  /** Milliseconds since the caller moved its playout clock. */
  #sinceMove(now: Milliseconds): Milliseconds {
    return this.#heldAt === undefined ? 0 : now - this.#heldAt;
  }

  /** A packet that came in time has found this delay. */
  #weigh(now: Milliseconds, delay: Milliseconds): void {
    const over = delay - this.target;
    this.#shortRun = over < -shortfallOf.begin ? this.#shortRun + 1 : 0;
    if (now < this.#excessWindowEnds) {
      this.#excess = Math.min(this.#excess, over);
      return;
    }
    this.#excessBefore = this.#excess;
    this.#excess = over;
    this.#excessWindowEnds = now + excessWindow;
  }

  /** How long before its turn a packet is here, ms. */
  #slackOf(timestamp: number): Milliseconds {
    return this.#next === undefined ? 0 : timestampDifference(timestamp, this.#next) / this.#ticksPerMs;
  }

  #forget(): void {
    this.#free.push(...this.#slots);
    this.#slots.length = 0;
    this.#next = undefined;
    this.#starved = 0;
    this.#excess = 0;
    this.#excessBefore = 0;
    this.#excessWindowEnds = 0;
    this.#shortRun = 0;
  }

  #store(sequence: number, timestamp: number, ticks: number, payloadType: number, bytes: Uint8Array, start: number, end: number): void {
    const slot = this.#free.pop() ?? { payloadType, timestamp, ticks, sequence, bytes: new Uint8Array(0), length: 0 };
    const length = end - start;
    if (slot.bytes.length < length) slot.bytes = new Uint8Array(Math.ceil(length / 256) * 256);
    for (let index = 0; index < length; index++) slot.bytes[index] = bytes[start + index] ?? 0;
    slot.payloadType = payloadType;
    slot.timestamp = timestamp;
    slot.ticks = ticks;
    slot.sequence = sequence;
    slot.length = length;
    let place = this.#slots.length;
    while (place > 0 && timestampDifference(timestamp, this.#slots[place - 1]?.timestamp ?? 0) < 0) place--;
    this.#slots.splice(place, 0, slot);
  }

  /** Never more delay than the maximum, nor more packets than there is room for: what is oldest goes. */
  #bound(): void {
    const newest = this.#slots.at(-1);
    if (!newest || this.#next === undefined) return;
    let tooOld = Math.max(0, this.#slots.length - slotsAtMost);
    if (this.#slackOf(newest.timestamp) > this.#maximum + overflowTolerated) {
      const oldest = newest.timestamp - (this.#maximum + overflowTolerated) * this.#ticksPerMs;
      while (timestampDifference(this.#slots[tooOld]?.timestamp ?? oldest, oldest) < 0) tooOld++;
      this.#next = this.#slots[tooOld]?.timestamp ?? newest.timestamp;
      this.#depth = Math.min(this.#depth, this.#maximum);
    }
    this.#discard(tooOld);
  }

  #discard(count: number): void {
    for (let left = count; left > 0; left--) {
      const first = this.#slots.shift();
      if (!first) return;
      this.#free.push(first);
      this.#discarded++;
    }
  }
}
