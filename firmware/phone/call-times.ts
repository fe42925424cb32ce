import type { CallRecord } from '#firmware/contract/journal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
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

  /** What the user agent tells of the end. */
  noteEvent(event: Extract<UserAgentEvent, { type: 'failed' | 'cancelled' | 'ended' }>): void {
    if (event.type === 'failed') this.note('refused', event.statusCode, reasonOfFailure(event));
    else if (event.type === 'ended') {
      if (event.by === 'timeout') this.note('lost', null, event.reason ?? 'the far end is gone');
      else this.note('remoteHungUp', null, event.reason ?? 'the far end hung up');
    } else if (event.acceptedElsewhere) this.note('acceptedElsewhere', 487, 'accepted on another phone');
    else this.note('missed', 487, event.reason ?? 'the caller gave up');
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

/** In words for people, with what the far end says of it beyond its status. */
function reasonOfFailure(event: Extract<UserAgentEvent, { type: 'failed' }>): string {
  if (event.cause !== 'response') return event.cause === 'timeout' ? 'no answer' : 'not reachable';
  const { reasonPhrase, warning, retryAfterSeconds: seconds } = event;
  const again =
    seconds === undefined || seconds === 0
      ? undefined
      : `try again in ${seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`}`;
  const more = [warning, again].filter((text) => text !== undefined);
  return more.length > 0 ? `${reasonPhrase} (${more.join('; ')})` : reasonPhrase;
}
