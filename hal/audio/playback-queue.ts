/** So long each take has to find too much left over before a frame is thrown away, ms. */
const patienceMs = 500;
/** An under-run so soon after a frame was thrown away says that this frame was needed, ms. */
const regretMs = 10_000;

/**
 * Frames on their way to a loudspeaker: bounded, copied into buffers that are reused. It guards latency. A full queue refuses, and a queue
 * that has never been empty for half a second is late for good (a burst after a stall, or two crystals that drift), so it gives up one frame.
 * A device that takes on a beat of its own needs a frame in store now and then: once giving one up led to an under-run, one may stay.
 */
export class PlaybackQueue {
  readonly #ring: Int16Array[];
  /** The same in takes. */
  readonly #patience: number;
  readonly #regret: number;
  #head = 0;
  #size = 0;
  #takesWithLeftover = 0;
  #takesSinceDrop = Number.POSITIVE_INFINITY;
  /** Frames that may be left over for good. */
  #tolerated = 0;
  #taken = 0;
  #dropped = 0;
  #underruns = 0;

  /** `frameMs` is the length of a frame, `capacity` how many may wait. */
  constructor(frameSamples: number, frameMs: number, capacity: number) {
    this.#patience = patienceMs / frameMs;
    this.#regret = regretMs / frameMs;
    this.#ring = Array.from({ length: capacity }, () => new Int16Array(frameSamples));
  }

  get size(): number {
    return this.#size;
  }

  /** Real frames taken. */
  get taken(): number {
    return this.#taken;
  }

  get dropped(): number {
    return this.#dropped;
  }

  get underruns(): number {
    return this.#underruns;
  }

  /** Copies `frame` to the end; false when there is no room. A frame of another length is cut, or filled up with silence. */
  push(frame: Int16Array): boolean {
    const place = this.#ring[(this.#head + this.#size) % this.#ring.length];
    if (!place || this.#size === this.#ring.length) {
      this.#dropped++;
      return false;
    }
    if (frame.length === place.length) place.set(frame);
    else {
      place.fill(0);
      place.set(frame.subarray(0, place.length));
    }
    this.#size++;
    return true;
  }

  /** Copies the first frame to `into`, or silence when there is none, and takes it out. */
  take(into: Int16Array): void {
    const first = this.#ring[this.#head];
    this.#takesSinceDrop++;
    if (!first || this.#size === 0) {
      into.fill(0);
      this.#underruns++;
      this.#takesWithLeftover = 0;
      if (this.#takesSinceDrop < this.#regret) this.#tolerated = 1;
      return;
    }
    into.set(first);
    this.#taken++;
    this.#forward();
    this.#catchUp();
  }

  clear(): void {
    this.#head = 0;
    this.#size = 0;
    this.#takesWithLeftover = 0;
    this.#takesSinceDrop = Number.POSITIVE_INFINITY;
    this.#tolerated = 0;
  }

  #catchUp(): void {
    this.#takesWithLeftover = this.#size > this.#tolerated ? this.#takesWithLeftover + 1 : 0;
    if (this.#takesWithLeftover < this.#patience) return;
    this.#takesWithLeftover = 0;
    this.#takesSinceDrop = 0;
    this.#dropped++;
    this.#forward();
  }

  #forward(): void {
    this.#head = (this.#head + 1) % this.#ring.length;
    this.#size--;
  }
}
