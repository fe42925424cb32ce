import type { Digit } from '#firmware/contract/media.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';

/** How a digit of the far end reached us. */
export type DigitWay = 'info' | 'rfc4733' | 'sound';

interface Press {
  readonly digit: Digit;
  readonly at: Milliseconds;
  readonly ways: Set<DigitWay>;
}

/** The second way may lag by the length of the press (RFC 4733 is told at its end) and a retransmission or two of the INFO. */
const windowMs = 1500;
const pressesAtMost = 16;

/**
 * Many phones send each press twice, by INFO and by RFC 4733, and gateways leave the tone in the sound. A digit is the same press when it comes by another way shortly after;
 * presses pair one to one, so `**` sent both ways is two presses, not one and not four.
 */
export class PressFilter {
  readonly #presses: Press[] = [];

  /** True if this is a press not heard of yet. */
  isNew(now: Milliseconds, digit: Digit, way: DigitWay): boolean {
    while (this.#presses[0] && (now - this.#presses[0].at > windowMs || this.#presses.length >= pressesAtMost)) this.#presses.shift();
    const same = this.#presses.find((press) => press.digit === digit && !press.ways.has(way));
    if (same) {
      same.ways.add(way);
      return false;
    }
    this.#presses.push({ digit, at: now, ways: new Set([way]) });
    return true;
  }
}
