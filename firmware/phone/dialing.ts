import type { Digit } from '#firmware/contract/media.ts';
import { DialPlan } from './dial-plan.ts';
import type { Failure } from './failure.ts';

const digitsAtMost = 64;

/** What was called last. */
export interface Dialed {
  readonly dialString: string;
  readonly line: string | undefined;
}

/** What a person dials, what they called last, and why the last attempt came to nothing. */
export class Dialing {
  #digits = '';
  /** What the tone after a call that failed is about. */
  failure: Failure = { tone: 'busy', reason: '' };
  last: Dialed | undefined;

  constructor(last: Dialed | undefined) {
    this.last = last;
  }

  get digits(): string {
    return this.#digits;
  }

  clear(): void {
    this.#digits = '';
  }

  /** True when the number is complete: `#` says so, which is no part of it then, or the dial plan. */
  add(digit: Digit, plan: readonly string[]): boolean {
    if (digit === '#' && this.#digits !== '') return true;
    if (this.#digits.length < digitsAtMost) this.#digits += digit;
    return new DialPlan(plan).judge(this.#digits) === 'complete';
  }

  /** A person at a keypad hears it; the number stays on the display. */
  refuse(reason: string): void {
    this.failure = { tone: 'congestion', reason };
  }
}
