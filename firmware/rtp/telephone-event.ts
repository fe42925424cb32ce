import type { Milliseconds } from '../core/clock.ts';
import { byteAt, readUint16, timestampDifference, writeUint16 } from './packet.ts';

/** Digits as RTP events (RFC 4733). Sixteen DTMF digits and hook flash; what else exists is of no use to a phone. */
export type EventDigit = '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9' | '*' | '#' | 'A' | 'B' | 'C' | 'D' | 'flash';

/** The digits in the order of their event codes. */
const digitsByEvent: readonly EventDigit[] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D', 'flash'];

/** Bytes of one event block. */
export const eventBlockLength = 4;

const queueAtMost = 64;
const endPackets = 3;
/** Pause after a digit so that the peer's detector sees two presses, ms. */
const pauseBetween = 50;
const shortest = 40;
/** Nobody leans on a key for longer than this, ms. */
const longest = 30_000;
/** What the duration field holds; a longer press goes on as another segment (§2.5.1.3). */
const segmentAtMost = 0xffff;
/** −10 dBm0, the level of a real key. */
const volume = 10;

/** What the next event packet carries; `timestamp` is the start of the event for all its packets. */
export interface EventPacket {
  readonly marker: boolean;
  readonly timestamp: number;
  readonly event: number;
  readonly end: boolean;
  /** Ticks since the start. */
  readonly duration: number;
}

type SenderState = 'idle' | 'event' | 'ending' | 'pause';

/**
 * Sends digits one after the other (RFC 4733 §2.5). Asked once per packet interval:
 *
 *   idle ──press──► event ──duration over──► ending ──three packets──► pause ──► idle
 */
export class TelephoneEventSender {
  #clockRate: number;
  /** Of the timestamps: the audio's, which is the same but for peers that know digits at 8000 Hz only. */
  #timestampRate: number;
  #state: SenderState = 'idle';
  #queue: { event: number; duration: Milliseconds }[] = [];
  #event = 0;
  /** Timestamp of the segment. */
  #start = 0;
  /** Ticks of the whole event, those that are over, and those of the segments before. */
  #ticks = 0;
  #elapsed = 0;
  #before = 0;
  #endsSent = 0;

  constructor(clockRate: number) {
    this.#clockRate = clockRate;
    this.#timestampRate = clockRate;
  }

  /** Goes on with other clocks, in ticks a second. A digit under way is cut off: nobody could tell where it began. */
  retune(clockRate: number, timestampRate: number): void {
    if (clockRate === this.#clockRate && timestampRate === this.#timestampRate) return;
    this.#clockRate = clockRate;
    this.#timestampRate = timestampRate;
    this.#state = 'idle';
  }

  /** Queues a digit of `duration` ms; false when too many wait. */
  press(digit: EventDigit, duration: Milliseconds): boolean {
    if (this.#queue.length >= queueAtMost) return false;
    const bounded = Math.min(Math.max(duration, shortest), longest);
    this.#queue.push({ event: digitsByEvent.indexOf(digit), duration: bounded });
    return true;
  }

  /** The packet for the interval of `audioTicks` that begins at `timestamp`; `undefined` when audio may go out. */
  next(timestamp: number, audioTicks: number): EventPacket | undefined {
    const ticks = Math.round((audioTicks * this.#clockRate) / this.#timestampRate);
    if (this.#state === 'pause') {
      this.#elapsed += ticks;
      if (this.#elapsed * 1000 < pauseBetween * this.#clockRate) return undefined;
      this.#state = 'idle';
    }
    if (this.#state === 'idle') {
      const waiting = this.#queue.shift();
      if (!waiting) return undefined;
      this.#state = 'event';
      this.#event = waiting.event;
      this.#ticks = Math.round((waiting.duration * this.#clockRate) / 1000);
      this.#start = timestamp;
      this.#elapsed = 0;
      this.#before = 0;
      this.#endsSent = 0;
    }
    return this.#advance(ticks);
  }

  /** Forgets all digits: what would come out after a hold is no longer meant. */
  cancel(): void {
    this.#queue.length = 0;
    this.#state = 'idle';
  }

  #advance(ticks: number): EventPacket {
    const marker = this.#state === 'event' && this.#elapsed === 0;
    if (this.#state === 'event') {
      this.#elapsed = Math.min(this.#elapsed + ticks, this.#ticks);
      if (this.#elapsed - this.#before > segmentAtMost) return this.#endSegment();
      if (this.#elapsed >= this.#ticks) this.#state = 'ending';
    }
    const end = this.#state === 'ending';
    const packet = { marker, timestamp: this.#start, event: this.#event, end, duration: this.#elapsed - this.#before };
    if (end && ++this.#endsSent === endPackets) {
      this.#state = 'pause';
      this.#elapsed = 0;
    }
    return packet;
  }

  /** The segment is full: it ends without the E bit, and what is over of the press belongs to the next. */
  #endSegment(): EventPacket {
    const packet = { marker: false, timestamp: this.#start, event: this.#event, end: false, duration: segmentAtMost };
    this.#before += segmentAtMost;
    this.#start = (this.#start + Math.round((segmentAtMost * this.#timestampRate) / this.#clockRate)) >>> 0;
    return packet;
  }
}

/** Writes the event block of `packet` at `offset`. */
export function writeEventBlock(bytes: Uint8Array, offset: number, packet: EventPacket): void {
  bytes[offset] = packet.event;
  bytes[offset + 1] = (packet.end ? 0x80 : 0) | volume;
  writeUint16(bytes, offset + 2, packet.duration);
}

/** One key press as it came in. */
export interface ReceivedDigit {
  readonly digit: EventDigit;
  readonly duration: Milliseconds;
}

/** A digit whose end packets are all lost is over after this long without another packet, ms. */
const silenceEnds: Milliseconds = 120;
/** An event that began this much before one we know is an echo of the past; further back the sender began a new time line, s. */
const pastSeconds = 10;
/** A press longer than the duration field can say goes on as a new event where the last one ended (§2.5.1.3). */
const fullSegment = 0xf000;

interface ActiveEvent {
  readonly event: number;
  timestamp: number;
  /** Ticks of the segments before this one. */
  before: number;
  duration: number;
  heard: Milliseconds;
}

/**
 * Receives digits: exactly one per press, whatever is lost, doubled or reordered. The RTP timestamp names the event: all packets of a press
 * carry its start. A press is reported when its first end packet arrives, when the next press begins, or after `silenceEnds`.
 */
export class TelephoneEventReceiver {
  #clockRate: number;
  #active: ActiveEvent | undefined;
  /** Start of the event reported last; older starts are echoes of the past. */
  #reported: number | undefined;
  #digits: ReceivedDigit[] = [];

  constructor(clockRate: number) {
    this.#clockRate = clockRate;
  }

  /** When `handleTimeout` is due. */
  get deadline(): Milliseconds | undefined {
    return this.#active && this.#active.heard + silenceEnds;
  }

  /** The clock of the events that come from now on, in ticks a second. */
  retune(clockRate: number): void {
    if (clockRate === this.#clockRate) return;
    this.restart();
    this.#clockRate = clockRate;
  }

  /** The payload of an event packet; false when it means nothing. Of several blocks only the first is read: the others repeat the past. */
  receive(now: Milliseconds, timestamp: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start < eventBlockLength) return false;
    const event = byteAt(bytes, start);
    if (event >= digitsByEvent.length) return false;
    const isEnd = byteAt(bytes, start + 1) > 127;
    const duration = readUint16(bytes, start + 2);
    if (this.#isPast(timestamp)) return true;
    const active = this.#active;
    if (active && active.timestamp !== timestamp) {
      if (continues(active, event, timestamp)) {
        active.before += timestampDifference(timestamp, active.timestamp);
        active.timestamp = timestamp;
        active.duration = 0;
      } else this.#report();
    }
    const current = this.#active ?? { event, timestamp, before: 0, duration, heard: now };
    current.duration = Math.max(current.duration, duration);
    current.heard = now;
    this.#active = current;
    if (isEnd) this.#report();
    return true;
  }

  handleTimeout(now: Milliseconds): void {
    if (this.#active && now >= this.#active.heard + silenceEnds) this.#report();
  }

  /** The sender began a new time line (other SSRC, restart): timestamps seen before mean nothing any more. */
  restart(): void {
    this.#report();
    this.#reported = undefined;
  }

  /** The digits since the last call. */
  drain(): readonly ReceivedDigit[] {
    if (this.#digits.length === 0) return none;
    const digits = this.#digits;
    this.#digits = [];
    return digits;
  }

  /** True for what belongs to a press that was reported or that the one under way has replaced. */
  #isPast(timestamp: number): boolean {
    const behindReported = this.#reported === undefined ? -1 : timestampDifference(this.#reported, timestamp);
    if (behindReported >= 0 && behindReported < pastSeconds * this.#clockRate) return true;
    const behindActive = this.#active ? timestampDifference(this.#active.timestamp, timestamp) : 0;
    return behindActive > 0 && behindActive < pastSeconds * this.#clockRate;
  }

  #report(): void {
    if (!this.#active) return;
    const { event, timestamp, before, duration } = this.#active;
    const digit = digitsByEvent[event];
    if (digit !== undefined) this.#digits.push({ digit, duration: Math.round(((before + duration) * 1000) / this.#clockRate) });
    this.#reported = timestamp;
    this.#active = undefined;
  }
}

function continues(active: ActiveEvent, event: number, timestamp: number): boolean {
  // The packet that filled the segment may be lost.
  const later = timestampDifference(timestamp, active.timestamp);
  return event === active.event && active.duration >= fullSegment && later >= active.duration && later <= segmentAtMost;
}

const none: readonly ReceivedDigit[] = [];
