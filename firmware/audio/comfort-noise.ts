/** Full scale of a 16 bit sample. */
const fullScale = 32_768;
/** A uniform spread of ±1 has this mean power. */
const uniformPower = 1 / 3;
/** One pole low-pass: the rooms of callers hum more than they hiss. */
const smoothing = 0.6;
/** The filter takes this much of the power. */
const filterPower = (1 - smoothing) / (1 + smoothing);

/** Background noise in place of packets that a silent far end does not send (RFC 3389). */
export class ComfortNoise {
  #state = 0x2545_f491;
  #last = 0;

  /** Fills `block`; `level` is in −dBov, as the packet carries it. */
  fill(block: Int16Array, level: number): void {
    const amplitude = (fullScale * 10 ** (-level / 20)) / Math.sqrt(uniformPower * filterPower);
    for (let index = 0; index < block.length; index++) {
      this.#last = smoothing * this.#last + (1 - smoothing) * this.#next();
      block[index] = Math.max(-fullScale, Math.min(fullScale - 1, Math.round(this.#last * amplitude)));
    }
  }

  /** Even between −1 and 1. Nobody can gain from guessing it, so a shift register will do. */
  #next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return state / 2 ** 31;
  }
}
