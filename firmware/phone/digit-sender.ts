import type { Digit } from '#firmware/contract/media.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Body } from '#firmware/sip/user-agent-events.ts';
import { formatInfoDigit, type InfoFormat } from './info-digits.ts';
import type { CallSettings } from './phone-settings.ts';

/** What carries digits to the far end of one call. */
export interface DigitCarrier {
  sendInfo(now: Milliseconds, body: Body): void;
  sendEvent(digit: Digit, durationMs: number): void;
  /** True if the far end takes RFC 4733. */
  takesEvents(): boolean;
}

/** Long enough for every receiver (RFC 4733 §2.5.1.3 asks for 40 ms), short enough for fast fingers. */
const durationMs = 160;
const queuedAtMost = 32;

/**
 * Sends a person's digits in the configured mode. INFO requests go one at a time, for UDP would not keep their order. A far end that
 * refuses one form of INFO gets the other, and RFC 4733 when it takes neither.
 */
export class DigitSender {
  readonly #carrier: DigitCarrier;
  readonly #mode: CallSettings['digitMode'];
  readonly #queue: Digit[] = [];
  #format: InfoFormat;
  #formsRefused = 0;

  constructor(carrier: DigitCarrier, settings: Pick<CallSettings, 'digitMode' | 'infoFormat'>) {
    this.#carrier = carrier;
    this.#mode = settings.digitMode;
    this.#format = settings.infoFormat;
  }

  /** Returns false when the digit could not be taken: too many wait. */
  press(now: Milliseconds, digit: Digit): boolean {
    const noInfo = this.#formsRefused > 1;
    const events = this.#carrier.takesEvents() && (this.#mode !== 'info' || noInfo);
    if (events) this.#carrier.sendEvent(digit, durationMs);
    if (events && (this.#mode === 'rfc4733' || noInfo)) return true;
    if (this.#queue.length >= queuedAtMost) return false;
    this.#queue.push(digit);
    if (this.#queue.length === 1) this.#sendNext(now);
    return true;
  }

  infoAnswered(now: Milliseconds, statusCode: number): void {
    const unknownForm = statusCode === 415 || statusCode === 405 || statusCode === 501;
    if (unknownForm && this.#queue.length > 0) this.#formRefused(now);
    else {
      this.#queue.shift();
      this.#sendNext(now);
    }
  }

  #formRefused(now: Milliseconds): void {
    this.#formsRefused++;
    if (this.#formsRefused === 1) {
      this.#format = this.#format === 'dtmf' ? 'dtmf-relay' : 'dtmf';
      this.#sendNext(now);
      return;
    }
    const unsent = this.#queue.splice(0);
    if (this.#mode === 'info' && this.#carrier.takesEvents()) for (const digit of unsent) this.#carrier.sendEvent(digit, durationMs);
  }

  #sendNext(now: Milliseconds): void {
    const digit = this.#queue[0];
    if (digit !== undefined) this.#carrier.sendInfo(now, formatInfoDigit(this.#format, digit, durationMs));
  }
}
