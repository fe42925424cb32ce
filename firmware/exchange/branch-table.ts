import type { StateTable } from '#firmware/core/state-table.ts';

/*
 * One branch of a forked request, RFC 3261 §16.6 to §16.10. A CANCEL may be sent only once the branch has had a provisional response (§9.1),
 * so a branch that must go while it is `calling` waits for one. After a CANCEL its transaction sees to it that there is an end. A 2xx is outside
 * this table: it completes a branch from any state, and each is passed on.
 */

export type BranchState = 'calling' | 'proceeding' | 'unwanted' | 'cancelled' | 'completed';
export type BranchInput = 'provisional' | 'final' | 'cancel' | 'timer C';
export type BranchAction = 'passProvisional' | 'restartTimerC' | 'sendCancel' | 'keepFinal';
export type BranchTimer = 'C';

export const branchTable: StateTable<BranchState, BranchInput, BranchAction, BranchTimer> = {
  calling: {
    timers: ['C'],
    on: {
      provisional: { to: 'proceeding', do: ['passProvisional', 'restartTimerC'] },
      final: { to: 'completed', do: ['keepFinal'] },
      cancel: { to: 'unwanted', do: [] },
      'timer C': { to: 'completed', do: ['keepFinal'] },
    },
  },
  proceeding: {
    timers: ['C'],
    on: {
      provisional: { to: 'proceeding', do: ['passProvisional', 'restartTimerC'] },
      final: { to: 'completed', do: ['keepFinal'] },
      cancel: { to: 'cancelled', do: ['sendCancel'] },
      'timer C': { to: 'cancelled', do: ['sendCancel'] },
    },
  },
  unwanted: {
    timers: [],
    on: {
      provisional: { to: 'cancelled', do: ['sendCancel'] },
      final: { to: 'completed', do: ['keepFinal'] },
    },
  },
  cancelled: {
    timers: [],
    on: { final: { to: 'completed', do: ['keepFinal'] } },
  },
  completed: { timers: [], on: {} },
};
