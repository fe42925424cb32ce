import type { Digit } from '#firmware/contract/media.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';

/** `open`: more digits may follow. */
export type CodeVerdict = 'open' | 'right' | 'wrong';

/** A pause this long ends an entry. */
const pauseMs = 5_000;

/**
 * The digits one far end has entered, against a door's code. The code may follow anything (`5**9` opens), for nobody knows what was pressed
 * before. Only a code that begins with `*` or `#` can be entered wrongly: other digits may be meant for somebody else.
 */
export class DoorCode {
  readonly #code: string;
  readonly #prefix: string;
  #entered = '';
  #lastAt: Milliseconds = Number.NEGATIVE_INFINITY;

  constructor(code: string) {
    this.#code = code;
    this.#prefix = leadingSigns(code);
  }

  press(now: Milliseconds, digit: Digit): CodeVerdict {
    if (digit === 'flash' || this.#code === '') return 'open';
    if (now - this.#lastAt > pauseMs) this.#entered = '';
    this.#lastAt = now;
    this.#entered = (this.#entered + digit).slice(-this.#code.length);
    if (this.#entered.length < this.#code.length) return 'open';
    const right = this.#entered === this.#code;
    const wrong = this.#prefix !== '' && this.#prefix.length < this.#code.length && this.#entered.startsWith(this.#prefix);
    if (!right && (!wrong || this.#isBeginning())) return 'open';
    this.#entered = '';
    return right ? 'right' : 'wrong';
  }

  /** `***` may still become `**9` when its first star was one too many. */
  #isBeginning(): boolean {
    return this.#code.startsWith(this.#entered.slice(1));
  }
}

function leadingSigns(code: string): string {
  let length = 0;
  while (code.charAt(length) === '*' || code.charAt(length) === '#') length++;
  return code.slice(0, length);
}
