import type { Milliseconds } from '#firmware/core/clock.ts';

/** Ten pulses a second with a third either way; a contact is open for 60 % of each. */
const pulseAtLeastMs: Milliseconds = 15;
export const pulseAtMostMs: Milliseconds = 110;
/** Between digits a dial takes 250 ms and more to be drawn up anew; within one it is closed for 25 to 60 ms. */
const digitOverMs: Milliseconds = 180;
const pulsesAtMost = 10;

export type DialNumbering = 'usual' | 'swedish' | 'newZealand';

export interface DialedDigit {
  readonly digit: string;
  /** When its last pulse ended. */
  readonly at: Milliseconds;
}

/**
 * Counts the pulses of a rotary dial into digits. A contact that stays open longer than a pulse is something else (a hook switch that is laid,
 * a wire that is off) and spoils the digit. Times are those of the edges. Pure.
 */
export class PulseCounter {
  readonly #numbering: DialNumbering;
  #pulses = 0;
  #openedAt: Milliseconds | undefined;
  #lastAt: Milliseconds = 0;

  constructor(numbering: DialNumbering) {
    this.#numbering = numbering;
  }

  /** When the digit is sure. */
  get deadline(): Milliseconds | undefined {
    return this.#pulses > 0 && this.#openedAt === undefined ? this.#lastAt + digitOverMs : undefined;
  }

  /** The contact opened or closed. Returns the digit before, if this edge comes too late to belong to it. */
  contact(at: Milliseconds, closed: boolean): DialedDigit | undefined {
    const before = this.handleTimeout(at);
    if (!closed) this.#openedAt ??= at;
    else if (this.#openedAt !== undefined) {
      const length = at - this.#openedAt;
      this.#openedAt = undefined;
      if (length > pulseAtMostMs) this.spoil();
      else if (length >= pulseAtLeastMs) this.pulse(at);
    }
    return before;
  }

  /** One whole pulse that ended at `at`, measured by somebody else. */
  pulse(at: Milliseconds): void {
    this.#pulses++;
    this.#lastAt = at;
  }

  /** What was counted is no digit. */
  spoil(): void {
    this.#pulses = 0;
  }

  handleTimeout(now: Milliseconds): DialedDigit | undefined {
    const { deadline } = this;
    return deadline !== undefined && now >= deadline ? this.finish() : undefined;
  }

  /** The dial is back at its rest: what was counted is the digit; `undefined` when it is none. */
  finish(): DialedDigit | undefined {
    const pulses = this.#pulses;
    this.#pulses = 0;
    return pulses > 0 && pulses <= pulsesAtMost ? { digit: digitOf(pulses, this.#numbering), at: this.#lastAt } : undefined;
  }
}

function digitOf(pulses: number, numbering: DialNumbering): string {
  switch (numbering) {
    case 'usual':
      return String(pulses % 10);
    case 'swedish':
      return String(pulses - 1);
    case 'newZealand':
      return String(10 - pulses);
    default:
      return numbering satisfies never;
  }
}
