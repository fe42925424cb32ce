import type { LessonState } from '#firmware/contract/hal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { messageOf } from '#firmware/core/errors.ts';
import type { GpioDriver, OutputLine } from '../ports.ts';
import { Turns } from '../turns.ts';
import { type OutputSearch, outputLine, type Trial, trialMs } from './output-search.ts';

/** Switches the lines of a search, one at a time and for a moment; without a driver, for practice, it only asks. */
export class OutputTrials {
  readonly #search: OutputSearch;
  readonly #gpio: GpioDriver | undefined;
  readonly #now: () => Milliseconds;
  readonly #turns = new Turns();
  readonly refused: LessonState['refused'][number][] = [];
  #line: { readonly line: OutputLine; readonly pin: number } | undefined;
  #releaseAt: Milliseconds | undefined;

  constructor(search: OutputSearch, gpio: GpioDriver | undefined, now: () => Milliseconds) {
    this.#search = search;
    this.#gpio = gpio;
    this.#now = now;
  }

  /** When the line that is switched must be let go. */
  get deadline(): Milliseconds | undefined {
    return this.#releaseAt;
  }

  handleTimeout(now: Milliseconds): void {
    if (this.#releaseAt !== undefined && now >= this.#releaseAt) void this.release();
  }

  /** Takes the answer, and switches the next line. Rejects with UsageError. */
  answer(word: string): Promise<void> {
    return this.#turns.take(async () => {
      this.#search.answer(word);
      await this.#letGo();
      for (let { trial } = this.#search; trial; { trial } = this.#search) {
        if (await this.#begin(trial)) return;
      }
    });
  }

  /** Lets the line go at once. */
  release(): Promise<void> {
    this.#line?.line.set(false);
    this.#releaseAt = undefined;
    return this.#turns.take(() => this.#letGo());
  }

  async #begin(trial: Trial): Promise<boolean> {
    const { pin } = trial;
    try {
      if (this.#gpio) this.#line = { line: await this.#gpio.openOutput(outputLine(trial), () => this.#search.drop(pin)), pin };
    } catch (thrown) {
      this.refused.push({ pin, reason: messageOf(thrown) });
      this.#search.drop(pin);
      return false;
    }
    this.#line?.line.set(true);
    this.#releaseAt = this.#now() + trialMs;
    return true;
  }

  /** A chip leaves an output as it is when it is given back: as an input it drives nothing any more. */
  async #letGo(): Promise<void> {
    const before = this.#line;
    this.#line = undefined;
    this.#releaseAt = undefined;
    if (!before) return;
    before.line.set(false);
    try {
      await before.line.close();
      await (await this.#gpio?.openBank({ listening: [before.pin], drawn: [] }, () => {}))?.close();
    } catch (thrown) {
      this.refused.push({ pin: before.pin, reason: messageOf(thrown) });
    }
  }
}
