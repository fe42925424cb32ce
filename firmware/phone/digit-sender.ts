import type { Digit } from '#firmware/contract/media.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Body } from '#firmware/sip/user-agent-events.ts';
import { formatInfoDigit, type InfoFormat } from './info-digits.ts';
import type { CallSettings } from './phone-settings.ts';
import type { DigitWay } from './press-filter.ts';

/** What carries digits to the far end of one call. */
export interface DigitCarrier {
  sendInfo(now: Milliseconds, body: Body): void;
  sendEvent(digit: Digit, durationMs: number): void;
  /** Lets it sound. */
  playDigit(digit: Digit, durationMs: number): void;
  /** True if the far end takes RFC 4733. */
  takesEvents(): boolean;
}

const queuedAtMost = 32;
const formsAtAll = 2;

/** What is known of how a far end takes digits. */
export interface DigitHabits {
  /** The form of INFO that is tried first. */
  readonly infoFormat: InfoFormat;
  /** It has taken one. */
  readonly infoAccepted: boolean;
  /** Of the two forms, how many it has refused. */
  readonly formsRefused: number;
  /** How its own digits came last; `null` = none came yet. */
  readonly heardBy: DigitWay | null;
}

/** What is known of a far end that is new. */
export function freshHabits(infoFormat: InfoFormat): DigitHabits {
  return { infoFormat, infoAccepted: false, formsRefused: 0, heardBy: null };
}

/**
 * Sends a person's digits in the configured mode. INFO requests go one at a time, for UDP would not keep their order. A far end that refuses
 * one form of INFO gets the other; one that takes neither gets telephone events, and where it takes none of those, tones in the sound.
 */
export class DigitSender {
  readonly #carrier: DigitCarrier;
  readonly #settings: Pick<CallSettings, 'digitMode' | 'digitMs'>;
  readonly #learnt: (habits: DigitHabits) => void;
  readonly #queue: Digit[] = [];
  #habits: DigitHabits;

  /** `learnt` hears how the far end takes digits, whenever something is found out. */
  constructor(
    carrier: DigitCarrier,
    settings: Pick<CallSettings, 'digitMode' | 'digitMs'>,
    habits: DigitHabits,
    learnt: (habits: DigitHabits) => void,
  ) {
    this.#carrier = carrier;
    this.#settings = settings;
    this.#learnt = learnt;
    this.#habits = habits;
  }

  /** How the next digit goes out. */
  get way(): DigitWay {
    const { digitMode } = this.#settings;
    const { heardBy } = this.#habits;
    const [events, info] = [this.#carrier.takesEvents(), this.#takesInfo];
    if (digitMode === 'sound' || (digitMode === 'auto' && heardBy === 'sound' && !events)) return 'sound';
    const prefersInfo = digitMode === 'info' || (digitMode === 'auto' && heardBy === 'info');
    if (info && (prefersInfo || !events)) return 'info';
    return events ? 'rfc4733' : 'sound';
  }

  /** What is known of the far end, for people. */
  get evidence(): string[] {
    const { infoFormat, infoAccepted, formsRefused, heardBy } = this.#habits;
    return [
      ...(this.#carrier.takesEvents() ? ['takes telephone events'] : []),
      ...(infoAccepted ? [`took INFO application/${infoFormat}`] : []),
      ...(formsRefused > 0 ? [`refused ${formsRefused < formsAtAll ? `INFO application/${otherForm(infoFormat)}` : 'INFO'}`] : []),
      ...(heardBy ? [`sent digits by ${wayNames[heardBy]}`] : []),
    ];
  }

  /** A digit of the far end came. */
  heard(way: DigitWay): void {
    if (this.#habits.heardBy !== way) this.#learn({ heardBy: way });
  }

  /** Returns false when the digit could not be taken: too many wait. */
  press(now: Milliseconds, digit: Digit): boolean {
    const { way } = this;
    const both = this.#settings.digitMode === 'both' && this.#takesInfo;
    if (way === 'rfc4733') this.#carrier.sendEvent(digit, this.#settings.digitMs);
    if (way === 'sound') this.#carrier.playDigit(digit, this.#settings.digitMs);
    if (way !== 'info' && !(both && way === 'rfc4733')) return true;
    if (this.#queue.length >= queuedAtMost) return false;
    this.#queue.push(digit);
    if (this.#queue.length === 1) this.#sendNext(now);
    return true;
  }

  infoAnswered(now: Milliseconds, statusCode: number): void {
    const unknownForm = statusCode === 415 || statusCode === 405 || statusCode === 501;
    if (unknownForm && this.#queue.length > 0) this.#formRefused(now);
    else {
      if (statusCode < 300 && !this.#habits.infoAccepted) this.#learn({ infoAccepted: true });
      this.#queue.shift();
      this.#sendNext(now);
    }
  }

  #formRefused(now: Milliseconds): void {
    const formsRefused = this.#habits.formsRefused + 1;
    this.#learn({ formsRefused, infoAccepted: false, infoFormat: otherForm(this.#habits.infoFormat) });
    if (this.#takesInfo) {
      this.#sendNext(now);
      return;
    }
    const unsent = this.#queue.splice(0);
    // Of both ways one has brought it over already.
    if (this.#settings.digitMode === 'both' && this.#carrier.takesEvents()) return;
    for (const digit of unsent) this.press(now, digit);
  }

  get #takesInfo(): boolean {
    return this.#habits.formsRefused < formsAtAll;
  }

  #learn(change: Partial<DigitHabits>): void {
    this.#habits = { ...this.#habits, ...change };
    this.#learnt(this.#habits);
  }

  #sendNext(now: Milliseconds): void {
    const digit = this.#queue[0];
    if (digit !== undefined) this.#carrier.sendInfo(now, formatInfoDigit(this.#habits.infoFormat, digit, this.#settings.digitMs));
  }
}

const wayNames: Readonly<Record<DigitWay, string>> = { info: 'INFO', rfc4733: 'telephone events', sound: 'tones' };

function otherForm(format: InfoFormat): InfoFormat {
  return format === 'dtmf' ? 'dtmf-relay' : 'dtmf';
}
