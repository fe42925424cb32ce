import type { Milliseconds } from '../core/clock.ts';
import { timestampDifference } from './packet.ts';
import { TransitHistogram } from './transit-histogram.ts';

/** Bounds on the delay the buffer may add, ms. */
export interface JitterBufferLimits {
  readonly minimum: Milliseconds;
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
/** The delay must exceed its target by this much, for this many packets in a row, before it is cut: every cut can be heard. */
const excessTolerated: Milliseconds = 40;
const excessPackets = 100;

/**
 * Puts packets in order and holds them for as long as the network needs.
 *
 *   timestamps:   … played │ #next ────── buffered ────── newest │ … not here yet
 *                          └── slack of a packet at arrival: how long before its turn it came ──┘
 *
 * The playout clock is the caller's: each 10 ms it takes a packet or passes time. The target delay is the spread of transit times (network
 * and sender jitter) that nearly all packets stay within. When packets come late the clock is held back while nothing is playing anyway;
 * when the delay stays above target the caller is told the `excess` and may skip.
 */
export class JitterBuffer {
  readonly #ticksPerMs: number;
  readonly #minimum: Milliseconds;
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
  /** Packets in a row that found the delay too long. */
  #excessRun = 0;
  #late = 0;
  #duplicates = 0;
  #discarded = 0;

  constructor(clockRate: number, limits: JitterBufferLimits) {
    this.#ticksPerMs = clockRate / 1000;
    this.#minimum = Math.max(0, limits.minimum);
    this.#maximum = Math.max(this.#minimum, limits.maximum);
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
    return Math.min(this.#maximum, Math.max(this.#minimum, this.#transits.spread));
  }

  /** The delay the quickest packets get now, ms. */
  get depth(): Milliseconds {
    return this.#depth;
  }

  /** By how much the delay has been longer than it should be for a while, ms; 0 within tolerance. */
  get excess(): Milliseconds {
    return this.#excessRun >= excessPackets ? Math.max(0, this.#depth - this.target) : 0;
  }

  /** Milliseconds of sound from the next to be played to the end of the newest. */
  get buffered(): Milliseconds {
    const newest = this.#slots.at(-1);
    if (!newest || this.#next === undefined) return 0;
    return Math.max(0, timestampDifference(newest.timestamp + newest.ticks, this.#next) / this.#ticksPerMs);
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
    if (!this.#makeTimely(timestamp, ticks, this.#delayBehindQuickest(now, timestamp))) {
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

  /** Time goes by without a packet. While the delay is short of its target the playout clock waits, which makes the delay longer. */
  pass(ticks: number): void {
    if (this.#next === undefined) return;
    this.#starved += ticks / this.#ticksPerMs;
    const wait = this.#slots.length === 0 && this.target - this.#depth >= ticks / this.#ticksPerMs;
    if (wait) this.#depth += ticks / this.#ticksPerMs;
    else this.#next = (this.#next + ticks) >>> 0;
  }

  /** The caller dropped `ticks` of sound that it had taken, to be sooner. */
  skipped(ticks: number): void {
    this.#depth -= ticks / this.#ticksPerMs;
  }

  /** Forgets what is buffered; the next packet starts a new time line. */
  reset(): void {
    this.#recent.fill(-1);
    this.#forget();
  }

  describe() {
    const { late, duplicates, discarded, target, depth, buffered } = this;
    return { late, duplicates, discarded, targetMs: target, depthMs: Math.round(depth), bufferedMs: buffered };
  }

  /** A packet from another time line (the sender jumped, or stood still without its timestamps doing so) makes a new measure. */
  #delayBehindQuickest(now: Milliseconds, timestamp: number): Milliseconds {
    const transit = now - timestamp / this.#ticksPerMs;
    const wrap = 2 ** 32 / this.#ticksPerMs;
    if (Math.abs(this.#slackOf(timestamp)) > timelineJump) this.#forget();
    const behind = this.#transits.add(now, transit, wrap);
    if (this.#starved < starvedRestart) return behind;
    this.#next = undefined;
    if (behind < starvedRestart) return behind;
    this.#forget();
    return this.#transits.add(now, transit, wrap);
  }

  /** Sets or corrects the playout clock so that a packet with `timestamp` can be played; false when it is too late for that. */
  #makeTimely(timestamp: number, ticks: number, behind: Milliseconds): boolean {
    if (this.#next === undefined) {
      // The first waits for the target delay, less what it already lost on its way.
      this.#next = (timestamp - Math.max(0, this.target - behind) * this.#ticksPerMs) >>> 0;
      this.#depth = this.target;
      this.#starved = 0;
      return true;
    }
    const slack = this.#slackOf(timestamp);
    if (slack >= 0) {
      this.#depth += (slack + behind - this.#depth) / 16;
      this.#excessRun = this.#depth - this.target > excessTolerated ? this.#excessRun + 1 : 0;
      return true;
    }
    // Partly over: played whole, a little later than planned. Wholly over: too late.
    if (slack * this.#ticksPerMs + ticks <= 0 || this.#depth - slack > this.#maximum) return false;
    this.#next = timestamp;
    this.#depth -= slack;
    return true;
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
    this.#transits.reset();
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

  /** Never more delay than the maximum: what is oldest goes. */
  #bound(): void {
    const newest = this.#slots.at(-1);
    if (!newest || this.#next === undefined) return;
    const slack = this.#slackOf(newest.timestamp);
    if (slack <= this.#maximum + excessTolerated && this.#slots.length < slotsAtMost) return;
    this.#next = (newest.timestamp - this.target * this.#ticksPerMs) >>> 0;
    this.#depth = this.target;
    for (let first = this.#slots[0]; first && timestampDifference(first.timestamp, this.#next) < 0; first = this.#slots[0]) {
      this.#slots.shift();
      this.#free.push(first);
      this.#discarded++;
    }
  }
}
