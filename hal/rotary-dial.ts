import type { Milliseconds } from '#firmware/core/clock.ts';
import { type ElementSurroundings, earliest, SettledLine } from './elements.ts';
import type { InputLine, Keypad, KeyReport } from './ports.ts';
import { type DialedDigit, type DialNumbering, PulseCounter } from './pulse-counter.ts';

export interface DialLines {
  /** `undefined` = the pulses come from the hook switch, by `pulse`. */
  readonly pulse: { readonly line: InputLine; readonly debounceMs: Milliseconds } | undefined;
  readonly offNormal: { readonly line: InputLine; readonly debounceMs: Milliseconds } | undefined;
}

/** A rotary dial. Each digit is a key that is pressed and released at once: nobody can hold it. */
export class RotaryDial implements Keypad {
  readonly keysDown = [];
  readonly #counter: PulseCounter;
  readonly #pulse: SettledLine | undefined;
  readonly #offNormal: SettledLine | undefined;
  readonly #report: KeyReport;
  #open = true;

  constructor({ pulse, offNormal }: DialLines, numbering: DialNumbering, surroundings: ElementSurroundings, report: KeyReport) {
    this.#counter = new PulseCounter(numbering);
    this.#report = report;
    this.#pulse =
      pulse && new SettledLine(pulse.line, pulse.debounceMs, surroundings, (closed, at) => this.#tell(this.#counter.contact(at, closed)));
    this.#offNormal = offNormal && new SettledLine(offNormal.line, offNormal.debounceMs, surroundings, (turned) => this.#turned(turned));
  }

  get deadline(): Milliseconds | undefined {
    // With an off-normal contact nothing has to be guessed from time.
    return earliest([this.#pulse?.deadline, this.#offNormal?.deadline, this.#offNormal?.active ? undefined : this.#counter.deadline]);
  }

  /** A pulse in the loop of the hook switch. */
  pulse(at: Milliseconds): void {
    this.#tell(this.#counter.handleTimeout(at));
    this.#counter.pulse(at);
  }

  /** The handset was laid down: what was dialled of a digit is forgotten. */
  spoil(): void {
    this.#counter.spoil();
  }

  handleTimeout(now: Milliseconds): void {
    this.#pulse?.handleTimeout(now);
    this.#offNormal?.handleTimeout(now);
    if (!this.#offNormal?.active) this.#tell(this.#counter.handleTimeout(now));
  }

  async close(): Promise<void> {
    this.#open = false;
    this.#counter.spoil();
    await this.#pulse?.close();
    await this.#offNormal?.close();
  }

  #turned(turned: boolean): void {
    if (turned) this.#counter.spoil();
    else this.#tell(this.#counter.finish());
  }

  #tell(dialed: DialedDigit | undefined): void {
    if (!dialed || !this.#open) return;
    this.#report(dialed.digit, true, dialed.at);
    this.#report(dialed.digit, false, dialed.at);
  }
}
