import type { StateTable } from '#firmware/core/state-table.ts';

export type NonInviteClientState = 'trying' | 'proceeding' | 'completed' | 'terminated';
export type NonInviteClientTimer = 'E' | 'F' | 'K';
export type NonInviteClientInput = `timer ${NonInviteClientTimer}` | '1xx' | '200-699' | 'transportError';
export type NonInviteClientAction =
  | 'sendRequest'
  | 'restartTimerE'
  | 'restartTimerEAtT2'
  | 'passResponse'
  | 'reportTimeout'
  | 'reportTransportError';

/** RFC 3261 §17.1.2.2 (figure 6). Once a provisional response has come, the request is sent again every T2 only. */
export const nonInviteClientTable: StateTable<NonInviteClientState, NonInviteClientInput, NonInviteClientAction, NonInviteClientTimer> = {
  trying: {
    timers: ['E', 'F'],
    on: {
      'timer E': { to: 'trying', do: ['sendRequest', 'restartTimerE'] },
      'timer F': { to: 'terminated', do: ['reportTimeout'] },
      transportError: { to: 'terminated', do: ['reportTransportError'] },
      '1xx': { to: 'proceeding', do: ['passResponse'] },
      '200-699': { to: 'completed', do: ['passResponse'] },
    },
  },
  proceeding: {
    timers: ['E', 'F'],
    on: {
      'timer E': { to: 'proceeding', do: ['sendRequest', 'restartTimerEAtT2'] },
      'timer F': { to: 'terminated', do: ['reportTimeout'] },
      transportError: { to: 'terminated', do: ['reportTransportError'] },
      '1xx': { to: 'proceeding', do: ['passResponse'] },
      '200-699': { to: 'completed', do: ['passResponse'] },
    },
  },
  completed: {
    timers: ['K'],
    on: { 'timer K': { to: 'terminated', do: [] } },
  },
  terminated: { timers: [], on: {} },
};
