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

/** Calls `frame` on the beat of a pacer until stopped. */
export class PacedLoop {
  readonly #clock: Clock;
  readonly #frame: () => void;
  readonly #pacer: FramePacer;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(clock: Clock, frame: () => void) {
    this.#clock = clock;
    this.#frame = frame;
    this.#pacer = new FramePacer(clock.now());
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

  /** After a stall the sockets are read first, so that frames made up for find the packets that came meanwhile. */
  #arm(): void {
    const wait = Math.max(0, Math.ceil(this.#pacer.deadline - this.#clock.now()));
    this.#timer = setTimeout(() => setImmediate(() => this.#beat()), wait);
  }

  #beat(): void {
    for (let due = this.#pacer.take(this.#clock.now()); due > 0 && !this.#stopped; due--) this.#frame();
    if (!this.#stopped) this.#arm();
  }
}
