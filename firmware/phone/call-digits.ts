import type { Digit } from '#firmware/contract/media.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Body } from '#firmware/sip/user-agent-events.ts';
import { type DigitCarrier, type DigitHabits, DigitSender } from './digit-sender.ts';
import { parseInfoDigit } from './info-digits.ts';
import type { CallSettings } from './phone-settings.ts';
import { type DigitWay, PressFilter } from './press-filter.ts';

const keptAtMost = 64;

/** The digits of one call, both ways. */
export class CallDigits {
  readonly #sender: DigitSender;
  readonly #filter = new PressFilter();
  readonly #report: (digit: Digit, way: DigitWay) => void;
  #sent = '';
  #received = '';

  /** `habits` are those of the far end; `report` hears each press of it once, by whichever way it came first. */
  constructor(
    carrier: DigitCarrier,
    settings: CallSettings,
    habits: DigitHabits,
    learnt: (habits: DigitHabits) => void,
    report: (digit: Digit, way: DigitWay) => void,
  ) {
    this.#sender = new DigitSender(carrier, settings, habits, learnt);
    this.#report = report;
  }

  /** How digits go to the far end, and what is known of how it takes them. */
  get way(): { readonly way: DigitWay; readonly evidence: string[] } {
    return { way: this.#sender.way, evidence: this.#sender.evidence };
  }

  /** The last ones sent; a flash is `!`. */
  get sent(): string {
    return this.#sent;
  }

  get received(): string {
    return this.#received;
  }

  /** Sends one; false when too many wait. */
  press(now: Milliseconds, digit: Digit): boolean {
    if (!this.#sender.press(now, digit)) return false;
    this.#sent = appended(this.#sent, digit);
    return true;
  }

  infoAnswered(now: Milliseconds, statusCode: number): void {
    this.#sender.infoAnswered(now, statusCode);
  }

  takeInfo(now: Milliseconds, body: Body): void {
    const press = parseInfoDigit(body);
    if (press) this.#take(now, press.digit, 'info');
  }

  takeFromMedia(now: Milliseconds, digit: Digit, way: 'event' | 'sound'): void {
    this.#take(now, digit, way === 'event' ? 'rfc4733' : way);
  }

  #take(now: Milliseconds, digit: Digit, way: DigitWay): void {
    if (!this.#filter.isNew(now, digit, way)) return;
    this.#sender.heard(way);
    this.#received = appended(this.#received, digit);
    this.#report(digit, way);
  }
}

function appended(digits: string, digit: Digit): string {
  return (digits + (digit === 'flash' ? '!' : digit)).slice(-keptAtMost);
}
