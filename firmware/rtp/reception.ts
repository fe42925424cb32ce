/**
 * What one synchronisation source delivered: sequence validation (RFC 3550 A.1), loss (A.3) and interarrival jitter (A.8).
 *
 * A source is on probation until two packets in a row arrive, so that stray packets start nothing. Later a jump beyond `maximumDropout`
 * is believed only when a second packet continues it: that is a sender that restarted.
 */

const sequenceModulus = 65_536;
const maximumDropout = 3000;
const maximumMisorder = 100;
const minimumSequential = 2;
/** Packets among which one that comes again is known: more than may be out of order; a power of two. */
const recentPackets = 128;
/** Larger than any sequence number, so that no packet matches it. */
const noSequence = sequenceModulus + 1;

/** `accepted` packets count; `restarted` ones count and what was buffered before them belongs to another time line. */
export type SequenceVerdict = 'accepted' | 'restarted' | 'probation' | 'implausible';

export class Reception {
  readonly ssrc: number;
  #probation = minimumSequential;
  #highest = 0;
  #cycles = 0;
  #first = 0;
  #received = 0;
  #badSequence = noSequence;
  #expectedAtReport = 0;
  #receivedAtReport = 0;
  #lostEarlier = 0;
  /** Sequence numbers seen lately, by their low bits, and how many came again. */
  readonly #recent = new Int32Array(recentPackets).fill(noSequence);
  #repeated = 0;
  #transit: number | undefined;
  /** Jitter in 1/16 tick, as A.8 keeps it. */
  #jitter = 0;

  constructor(ssrc: number) {
    this.ssrc = ssrc;
  }

  /** Packets that were accepted, duplicates and late ones too (that is how the RFC counts). */
  get received(): number {
    return this.#received;
  }

  /** The highest sequence number with its cycles: what a report block carries. */
  get extendedHighest(): number {
    return this.#cycles + this.#highest;
  }

  /** Packets that should have come by now. */
  get expected(): number {
    return this.#received === 0 ? 0 : this.extendedHighest - this.#first + 1;
  }

  /** Expected minus received; negative with duplicates. A sender that restarts starts a new count. */
  get lost(): number {
    return this.expected - this.#received;
  }

  /** What never came, over all restarts of the sender: packets that came twice make up for nothing here. */
  get missing(): number {
    return this.#lostEarlier + this.lost + this.#repeated;
  }

  /** Interarrival jitter in timestamp ticks, as a report block carries it. */
  get jitter(): number {
    return this.#jitter >>> 4;
  }

  /** RFC 3550 A.1 for each packet with this SSRC. */
  update(sequenceNumber: number): SequenceVerdict {
    if (this.#probation > 0) return this.#updateOnProbation(sequenceNumber);
    const delta = (sequenceNumber - this.#highest) & 0xffff;
    if (delta < maximumDropout) {
      if (sequenceNumber < this.#highest) this.#cycles += sequenceModulus;
      this.#highest = sequenceNumber;
    } else if (delta <= sequenceModulus - maximumMisorder) {
      if (sequenceNumber !== this.#badSequence) {
        this.#badSequence = (sequenceNumber + 1) & 0xffff;
        return 'implausible';
      }
      this.#lostEarlier += this.lost;
      this.#restart(sequenceNumber);
      this.#received = 1;
      return 'restarted';
    }
    this.#received++;
    if (this.#recent[sequenceNumber & (recentPackets - 1)] === sequenceNumber) this.#repeated++;
    this.#note(sequenceNumber);
    return 'accepted';
  }

  /** The sequence number with the cycles it belongs to, for packets that were accepted. */
  extend(sequenceNumber: number): number {
    const behind = (this.#highest - sequenceNumber) & 0xffff;
    return this.extendedHighest - (behind < sequenceModulus / 2 ? behind : behind - sequenceModulus);
  }

  /** RFC 3550 A.8; both in timestamp ticks, `arrival` on any origin. */
  updateJitter(arrival: number, timestamp: number): void {
    const transit = (arrival - timestamp) | 0;
    if (this.#transit !== undefined) {
      const deviation = Math.abs((transit - this.#transit) | 0);
      this.#jitter += deviation - ((this.#jitter + 8) >>> 4);
    }
    this.#transit = transit;
  }

  /** The timestamps run at another rate from now on: what was measured stays true (RFC 7160 §4.3). */
  changeClock(before: number, after: number): void {
    this.#jitter = Math.round((this.#jitter * after) / before);
    this.#transit = undefined;
  }

  /** RFC 3550 A.3: the fraction lost since the last report in 1/256; begins the next interval. */
  takeFractionLost(): number {
    const expected = this.expected - this.#expectedAtReport;
    const lost = expected - (this.#received - this.#receivedAtReport);
    this.#expectedAtReport = this.expected;
    this.#receivedAtReport = this.#received;
    return expected === 0 || lost <= 0 ? 0 : Math.min(255, Math.floor((lost * 256) / expected));
  }

  #updateOnProbation(sequenceNumber: number): SequenceVerdict {
    const inOrder = this.#probation < minimumSequential && sequenceNumber === ((this.#highest + 1) & 0xffff);
    const previous = this.#highest;
    this.#highest = sequenceNumber;
    this.#probation = inOrder ? this.#probation - 1 : minimumSequential - 1;
    if (this.#probation > 0) return 'probation';
    // The packet that passed first on probation is kept by the caller and played: it counts too.
    this.#restart(previous);
    this.#cycles = sequenceNumber < previous ? sequenceModulus : 0;
    this.#highest = sequenceNumber;
    this.#received = 2;
    this.#note(sequenceNumber);
    return 'accepted';
  }

  #note(sequenceNumber: number): void {
    this.#recent[sequenceNumber & (recentPackets - 1)] = sequenceNumber;
  }

  #restart(sequenceNumber: number): void {
    this.#first = sequenceNumber;
    this.#highest = sequenceNumber;
    this.#cycles = 0;
    this.#badSequence = noSequence;
    this.#expectedAtReport = 0;
    this.#receivedAtReport = 0;
    this.#transit = undefined;
    this.#recent.fill(noSequence);
    this.#note(sequenceNumber);
  }
}
