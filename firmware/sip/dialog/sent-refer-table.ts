import type { StateTable } from '#firmware/core/state-table.ts';

export type SentReferState = 'asking' | 'accepted' | 'following' | 'settled' | 'terminated';
export type SentReferTimer = 'firstNotify' | 'expiry';
export type SentReferInput = `timer ${SentReferTimer}` | 'accepted' | 'unfollowed' | 'refused' | 'progress' | 'settled' | 'concluded';
export type SentReferAction = 'restartExpiry' | 'reportAccepted' | 'reportProgress' | 'reportOutcome' | 'reportUnknown' | 'close';

/**
 * RFC 3515 §2.4.4 and RFC 6665 §4.1.2.4: a REFER of ours and the subscription it makes. A NOTIFY may overtake the answer; without one the
 * far end is taken to be gone after Timer N, and later after the time it has announced.
 */
export const sentReferTable: StateTable<SentReferState, SentReferInput, SentReferAction, SentReferTimer> = {
  asking: {
    timers: [],
    on: {
      accepted: { to: 'accepted', do: ['reportAccepted'] },
      unfollowed: { to: 'terminated', do: ['reportOutcome', 'close'] },
      refused: { to: 'terminated', do: ['reportOutcome', 'close'] },
      progress: { to: 'following', do: ['reportProgress'] },
      settled: { to: 'settled', do: ['reportOutcome'] },
      concluded: { to: 'terminated', do: ['reportOutcome', 'close'] },
    },
  },
  accepted: {
    timers: ['firstNotify'],
    on: {
      progress: { to: 'following', do: ['reportProgress'] },
      settled: { to: 'settled', do: ['reportOutcome'] },
      concluded: { to: 'terminated', do: ['reportOutcome', 'close'] },
      'timer firstNotify': { to: 'terminated', do: ['reportUnknown', 'close'] },
    },
  },
  following: {
    timers: ['expiry'],
    on: {
      progress: { to: 'following', do: ['restartExpiry', 'reportProgress'] },
      settled: { to: 'settled', do: ['reportOutcome'] },
      concluded: { to: 'terminated', do: ['reportOutcome', 'close'] },
      'timer expiry': { to: 'terminated', do: ['reportUnknown', 'close'] },
    },
  },
  /** The outcome is known; the far end has not ended the subscription yet. */
  settled: {
    timers: ['expiry'],
    on: {
      concluded: { to: 'terminated', do: ['close'] },
      'timer expiry': { to: 'terminated', do: ['close'] },
    },
  },
  terminated: { timers: [], on: {} },
};
