import type { Milliseconds } from '../core/clock.ts';
import { type Entropy, randomFraction } from '../core/entropy.ts';

/** 5 % of the 64 kbit/s of G.711 (RFC 3550 §6.2), in octets per second. */
const rtcpBandwidth = 400;
const minimumInterval: Milliseconds = 5000;
/** e − 3/2 (§6.3.1): makes up for the reconsideration, which makes intervals longer. */
const compensation = Math.E - 1.5;

/** When to send RTCP (RFC 3550 §6.3, A.7) in a session of two. */
export class RtcpSchedule {
  readonly #entropy: Entropy;
  #previous: Milliseconds = 0;
  #next: Milliseconds | undefined;
  #members = 1;
  #averageSize = 128;
  #initial = true;

  constructor(entropy: Entropy) {
    this.#entropy = entropy;
  }

  get deadline(): Milliseconds | undefined {
    return this.#next;
  }

  start(now: Milliseconds): void {
    this.#previous = now;
    this.#next = now + this.#interval();
  }

  stop(): void {
    this.#next = undefined;
  }

  /** §6.3.3: somebody else was heard, with a packet of `size` octets (UDP and IP headers with it). */
  heard(size: number): void {
    this.#members = 2;
    this.#average(size);
  }

  /** §6.3.4: the other one left; its place in time is free at once. */
  left(now: Milliseconds): void {
    if (this.#members === 1 || this.#next === undefined) return;
    this.#members = 1;
    this.#next = now + (this.#next - now) / 2;
    this.#previous = now - (now - this.#previous) / 2;
  }

  /** §6.3.6, timer reconsideration: true if a report is to be sent now. Sets the next deadline either way. */
  expire(now: Milliseconds): boolean {
    if (this.#next === undefined || now < this.#next) return false;
    const reconsidered = this.#previous + this.#interval();
    if (reconsidered > now) {
      this.#next = reconsidered;
      return false;
    }
    return true;
  }

  /** A report of `size` octets went out. */
  sent(now: Milliseconds, size: number): void {
    this.#average(size);
    this.#initial = false;
    this.#previous = now;
    this.#next = now + this.#interval();
  }

  #interval(): Milliseconds {
    const least = this.#initial ? minimumInterval / 2 : minimumInterval;
    const fair = (1000 * this.#averageSize * this.#members) / rtcpBandwidth;
    return (Math.max(least, fair) * (randomFraction(this.#entropy) + 0.5)) / compensation;
  }

  #average(size: number): void {
    this.#averageSize += (size - this.#averageSize) / 16;
  }
}
