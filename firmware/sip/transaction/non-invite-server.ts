import type { StateTable } from '#firmware/core/state-table.ts';

export type NonInviteServerState = 'trying' | 'proceeding' | 'completed' | 'terminated';
export type NonInviteServerTimer = 'J';
export type NonInviteServerInput = `timer ${NonInviteServerTimer}` | 'request' | 'abandon' | 'tu 1xx' | 'tu 200-699' | 'transportError';
export type NonInviteServerAction = 'sendResponse' | 'resendResponse' | 'reportTransportError';

/** RFC 3261 §17.2.2 (figure 8). */
export const nonInviteServerTable: StateTable<NonInviteServerState, NonInviteServerInput, NonInviteServerAction, NonInviteServerTimer> = {
  trying: {
    timers: [],
    on: {
      abandon: { to: 'terminated', do: [] },
      'tu 1xx': { to: 'proceeding', do: ['sendResponse'] },
      'tu 200-699': { to: 'completed', do: ['sendResponse'] },
    },
  },
  proceeding: {
    timers: [],
    on: {
      abandon: { to: 'terminated', do: [] },
      request: { to: 'proceeding', do: ['resendResponse'] },
      transportError: { to: 'terminated', do: ['reportTransportError'] },
      'tu 1xx': { to: 'proceeding', do: ['sendResponse'] },
      'tu 200-699': { to: 'completed', do: ['sendResponse'] },
    },
  },
  completed: {
    timers: ['J'],
    on: {
      'timer J': { to: 'terminated', do: [] },
      request: { to: 'completed', do: ['resendResponse'] },
      transportError: { to: 'terminated', do: ['reportTransportError'] },
    },
  },
  terminated: { timers: [], on: {} },
};
