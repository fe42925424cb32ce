import type { Ladder } from '#firmware/contract/ladder.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { UserAgent } from '#firmware/sip/user-agent.ts';
import type { Outbox } from './outbox.ts';

/** What went to and fro last, at times of the wall clock as it is now: it may have been set since. */
export function laddersOf(userAgent: UserAgent, outbox: Outbox, now: Milliseconds): Ladder[] {
  return userAgent.messageLog.map(({ messages, ...dialog }) => ({
    ...dialog,
    messages: messages.map((message) => ({ ...message, at: outbox.wallTimeAt(now, message.at) })),
  }));
}
