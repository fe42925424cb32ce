import type { Clock, Milliseconds } from '#firmware/core/clock.ts';
import { frameMs } from './audio-port.ts';

/** Frames made up for after a stall; what is older is skipped. */
const burstAtMost = 10;

/**
 * Which frames are due on the monotonic clock. Deadlines are multiples from one origin, so lateness never adds up to drift. Pure: the
 * owner asks `deadline` and calls `take` with its own `now`.
 */
export class FramePacer {
  #origin: Milliseconds;
  #frames = 0;
  #skipped = 0;

  constructor(now: Milliseconds) {
    this.#origin = now;
  }

  /** When the next frame is due. */
  get deadline(): Milliseconds {
    return this.#origin + (this.#frames + 1) * frameMs;
  }

  /** Frames that a stall swallowed. */
  get skipped(): number {
    return this.#skipped;
  }

  /** How many frames to do now. */
  take(now: Milliseconds): number {
    const due = Math.floor((now - this.#origin) / frameMs) - this.#frames;
    if (due <= 0) return 0;
    const skip = Math.max(0, due - burstAtMost);
    this.#skipped += skip;
    this.#frames += due;
    return due - skip;
  }
}

/** How a loop keeps its beat: `exact` to some 20 µs at the price of one more wake-up, `roughly` to the millisecond of the event loop's timers. */
export type Beat = 'exact' | 'roughly';

/** The event loop's timers tell milliseconds and may be one late: what is left is slept through. */
const timerLeadMs: Milliseconds = 1;
/** Nobody ever writes here. */
const sleepCell = new Int32Array(new SharedArrayBuffer(4));

/**
 * Calls `frame` on the beat of a pacer until stopped.
 *
 *     frame │◄──────── event loop: datagrams, commands ────────►│◄─ sleep ─►│ frame
 *           │                                     timer, ≤ 2 ms before ──►│ │ deadline
 *
 * An exact loop sleeps through the last of the wait in the kernel, within the one thread of the process: what arrives meanwhile is read after
 * the frame. All exact loops of a process share their deadlines, so that none sleeps when another is due.
 */
export class PacedLoop {
  readonly #clock: Clock;
  readonly #frame: () => void;
  readonly #beat: Beat;
  readonly #pacer: FramePacer;
  readonly #wake = () => this.#lookAround();
  readonly #keep = () => this.#keepBeat();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(clock: Clock, beat: Beat, frame: () => void) {
    this.#clock = clock;
    this.#frame = frame;
    this.#beat = beat;
    const now = clock.now();
    this.#pacer = new FramePacer(beat === 'exact' ? Math.floor(now / frameMs) * frameMs : now);
  }

  get skipped(): number {
    return this.#pacer.skipped;
  }

  start(): void {
    if (!this.#timer) this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #arm(): void {
    const left = this.#pacer.deadline - this.#clock.now();
    this.#timer = setTimeout(this.#wake, Math.max(0, this.#beat === 'exact' ? Math.floor(left) - timerLeadMs : Math.ceil(left)));
  }

  /** After a stall the sockets are read first, so that frames made up for find the packets that came meanwhile. */
  #lookAround(): void {
    setImmediate(this.#keep);
  }

  #keepBeat(): void {
    if (this.#stopped) return;
    if (this.#beat === 'exact') this.#sleepUntilDue();
    for (let due = this.#pacer.take(this.#clock.now()); due > 0 && !this.#stopped; due--) this.#frame();
    if (!this.#stopped) this.#arm();
  }

  /** Never longer than a timer can be early, whatever the clock says. */
  #sleepUntilDue(): void {
    const left = this.#pacer.deadline - this.#clock.now();
    if (left > 0) Atomics.wait(sleepCell, 0, 0, Math.min(left, 2 * timerLeadMs));
  }
}
