import type { CallRecord } from '#firmware/contract/journal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { CallEnding } from './call-plan.ts';

/** When a call began, was accepted and ended, and why it ended. */
export class CallTimes {
  readonly createdAt: Milliseconds;
  #acceptedAt: Milliseconds | undefined;
  #endedAt: Milliseconds | undefined;
  #ending: CallEnding | undefined;

  constructor(now: Milliseconds, record: CallRecord | undefined) {
    this.createdAt = record?.createdAt ?? now;
    this.#acceptedAt = record?.acceptedAt;
  }

  get acceptedAt(): Milliseconds | undefined {
    return this.#acceptedAt;
  }

  get ended(): boolean {
    return this.#endedAt !== undefined;
  }

  get ending(): CallEnding | undefined {
    return this.#ending;
  }

  accept(now: Milliseconds): void {
    this.#acceptedAt = now;
  }

  end(now: Milliseconds): void {
    this.#endedAt = now;
  }

  /** The first reason is the true one; what follows is its consequence. */
  note(cause: CallEnding['cause'], statusCode: number | null, reason: string): void {
    this.#ending ??= { cause, statusCode, reason };
  }

  /** Between being accepted and `now`, or the end. */
  talkedMs(now: Milliseconds): Milliseconds | undefined {
    return this.#acceptedAt === undefined ? undefined : (this.#endedAt ?? now) - this.#acceptedAt;
  }

  /** From its beginning to being accepted. */
  get acceptedInMs(): Milliseconds | undefined {
    return this.#acceptedAt === undefined ? undefined : this.#acceptedAt - this.createdAt;
  }
}
