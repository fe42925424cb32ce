import type { Milliseconds } from '#firmware/core/clock.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { BoardElement, InputLine, Keypad, KeyReport, OutputLine } from '../ports.ts';

/** Keys a person can hold at once. */
const keysAtMost = 32;

/** A wire of the virtual board. An input is moved by `actuate`, an output can be looked at. */
export class VirtualLine implements InputLine, OutputLine, BoardElement {
  readonly settled = false;
  readonly exact = true;
  #active = false;
  #watcher: ((active: boolean) => void) | undefined;
  #backAt: Milliseconds | undefined;
  #open = true;

  get deadline(): Milliseconds | undefined {
    return this.#backAt;
  }

  isActive(): boolean {
    return this.#active;
  }

  watch(changed: (active: boolean) => void): void {
    this.#watcher = changed;
  }

  /** An edge, if it is one. */
  move(active: boolean): void {
    this.#backAt = undefined;
    if (!this.#open || active === this.#active) return;
    this.#active = active;
    this.#watcher?.(active);
  }

  /** Inactive for so long, then active again. */
  interrupt(now: Milliseconds, durationMs: Milliseconds): void {
    this.move(false);
    this.#backAt = now + durationMs;
  }

  handleTimeout(now: Milliseconds): void {
    if (this.#backAt !== undefined && now >= this.#backAt) this.move(true);
  }

  set(active: boolean): void {
    this.#active = this.#open && active;
  }

  async close(): Promise<void> {
    this.#open = false;
    this.#watcher = undefined;
    this.#active = false;
    this.#backAt = undefined;
  }
}

/** A keypad with every key there is. */
export class VirtualKeypad implements Keypad {
  readonly deadline = undefined;
  readonly #report: KeyReport;
  readonly #down = new Set<string>();

  constructor(report: KeyReport) {
    this.#report = report;
  }

  get keysDown(): readonly string[] {
    return [...this.#down];
  }

  /** A key goes down or up; nothing when it is there already. */
  press(now: Milliseconds, key: string, pressed: boolean): void {
    if (pressed === this.#down.has(key)) return;
    if (pressed && this.#down.size >= keysAtMost) throw new UsageError('too-many-keys', `${keysAtMost} keys are down already`);
    if (pressed) this.#down.add(key);
    else this.#down.delete(key);
    this.#report(key, pressed, now);
  }

  handleTimeout(): void {}

  async close(): Promise<void> {
    this.#down.clear();
  }
}
