const acksAtMost = 4;

/** The ACKs of 2xx responses we have sent in a call, for the case that one was lost (RFC 3261 §13.2.2.4). */
export class SentAcks {
  readonly #again = new Map<number, () => void>();

  /** `again` sends the ACK with CSeq number `sequence` once more. */
  add(sequence: number, again: () => void): void {
    const [oldest] = this.#again.keys();
    if (this.#again.size >= acksAtMost && oldest !== undefined) this.#again.delete(oldest);
    this.#again.set(sequence, again);
  }

  /** False when there has been no such ACK. */
  repeat(sequence: number): boolean {
    const again = this.#again.get(sequence);
    again?.();
    return again !== undefined;
  }
}
