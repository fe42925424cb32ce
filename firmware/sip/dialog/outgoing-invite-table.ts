import type { StateTable } from '#firmware/core/state-table.ts';

export type OutgoingInviteState = 'calling' | 'proceeding' | 'withdrawn' | 'cancelling' | 'settled' | 'terminated';
export type OutgoingInviteTimer = 'noAnswer' | 'lateForks';
export type OutgoingInviteInput = `timer ${OutgoingInviteTimer}` | 'provisional' | 'retried' | 'accepted' | 'refused' | 'failed' | 'hangUp';
export type OutgoingInviteAction =
  | 'reportProgress'
  | 'sendCancel'
  | 'expire'
  | 'establish'
  | 'dismiss'
  | 'reportRefusal'
  | 'reportFailure'
  | 'reportWithdrawal'
  | 'close';

/**
 * RFC 3261 §13.2 and §9.1: an INVITE until its final response. A CANCEL waits for the first provisional response (`withdrawn`); a 2xx that
 * crosses it is acknowledged and ended with BYE. So is each further 2xx that a forking proxy sends while the transaction lives (`settled`).
 * The transaction says when a cancelled INVITE gets no answer at all.
 */
export const outgoingInviteTable: StateTable<OutgoingInviteState, OutgoingInviteInput, OutgoingInviteAction, OutgoingInviteTimer> = {
  calling: {
    timers: [],
    on: {
      provisional: { to: 'proceeding', do: ['reportProgress'] },
      retried: { to: 'calling', do: [] },
      accepted: { to: 'settled', do: ['establish', 'close'] },
      refused: { to: 'terminated', do: ['reportRefusal', 'close'] },
      failed: { to: 'terminated', do: ['reportFailure', 'close'] },
      hangUp: { to: 'withdrawn', do: [] },
    },
  },
  proceeding: {
    timers: ['noAnswer'],
    on: {
      provisional: { to: 'proceeding', do: ['reportProgress'] },
      retried: { to: 'calling', do: [] },
      accepted: { to: 'settled', do: ['establish', 'close'] },
      refused: { to: 'terminated', do: ['reportRefusal', 'close'] },
      failed: { to: 'terminated', do: ['reportFailure', 'close'] },
      hangUp: { to: 'cancelling', do: ['sendCancel'] },
      'timer noAnswer': { to: 'cancelling', do: ['expire', 'sendCancel'] },
    },
  },
  withdrawn: {
    timers: [],
    on: {
      provisional: { to: 'cancelling', do: ['sendCancel'] },
      accepted: { to: 'settled', do: ['dismiss', 'reportWithdrawal', 'close'] },
      refused: { to: 'terminated', do: ['reportWithdrawal', 'close'] },
      failed: { to: 'terminated', do: ['reportWithdrawal', 'close'] },
    },
  },
  cancelling: {
    timers: [],
    on: {
      accepted: { to: 'settled', do: ['dismiss', 'reportWithdrawal', 'close'] },
      refused: { to: 'terminated', do: ['reportWithdrawal', 'close'] },
      failed: { to: 'terminated', do: ['reportWithdrawal', 'close'] },
    },
  },
  settled: {
    timers: ['lateForks'],
    on: { accepted: { to: 'settled', do: ['dismiss'] }, 'timer lateForks': { to: 'terminated', do: [] } },
  },
  terminated: { timers: [], on: {} },
};
