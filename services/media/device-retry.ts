import type { Milliseconds } from '#firmware/core/clock.ts';

/** A look at which cards there are costs next to nothing. */
const lookEveryMs: Milliseconds = 250;
const lookLaterMs: Milliseconds = 500;
/** A try starts a process. Whoever pulled a plug puts it back soon; after that a card that the kernel does not show is tried now and then. */
const soonMs: Milliseconds = 1_000;
const soonForMs: Milliseconds = 60_000;
const seldomMs: Milliseconds = 10_000;

/** When devices that are gone are tried again: at once when a card comes, else every second at first and every ten later on. */
export class DeviceRetry {
  readonly #cards: () => Promise<string>;
  readonly #tryAgain: () => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #seen = '';
  #sinceLoss = 0;
  #sinceTry = 0;

  /** `cards` changes whenever one comes or goes; `tryAgain` never rejects. */
  constructor(cards: () => Promise<string>, tryAgain: () => Promise<void>) {
    this.#cards = cards;
    this.#tryAgain = tryAgain;
  }

  /** Something is gone that has worked. */
  lost(): void {
    this.#sinceLoss = 0;
    this.#sinceTry = 0;
  }

  /** Something is missing. */
  start(): void {
    const pause = this.#isRecent ? lookEveryMs : lookLaterMs;
    this.#timer ??= setTimeout(() => void this.#look(pause), pause);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sinceLoss = 0;
    this.#sinceTry = 0;
  }

  get #isRecent(): boolean {
    return this.#sinceLoss < soonForMs;
  }

  async #look(pause: Milliseconds): Promise<void> {
    const timer = this.#timer;
    this.#sinceLoss += pause;
    this.#sinceTry += pause;
    const cards = await this.#cards();
    const changed = cards !== this.#seen;
    this.#seen = cards;
    const patience = this.#isRecent ? soonMs : seldomMs;
    if (this.#timer === timer && (changed || this.#sinceTry >= patience)) {
      this.#sinceTry = 0;
      await this.#tryAgain();
    }
    // Stopped, or begun anew, meanwhile.
    if (this.#timer !== timer) return;
    this.#timer = undefined;
    this.start();
  }
}
