import type { StateTable } from '#firmware/core/state-table.ts';

export type InviteClientState = 'calling' | 'proceeding' | 'cancelling' | 'completed' | 'accepted' | 'terminated';
export type InviteClientTimer = 'A' | 'B' | 'D' | 'M' | 'cancel';
export type InviteClientInput = `timer ${InviteClientTimer}` | 'cancel' | '1xx' | '2xx' | '300-699' | 'transportError';
export type InviteClientAction = 'sendRequest' | 'restartTimerA' | 'sendAck' | 'passResponse' | 'reportTimeout' | 'reportTransportError';

/**
 * RFC 3261 §17.1.1.2 (figure 5) with the Accepted state of RFC 6026 §7.2. One state is added, `cancelling`: the CANCEL is on its way, and
 * §9.1 says when to stop hoping for the 487. A 2xx may come again, from other branches too, so all of them go to the TransactionUser while
 * timer M runs; it sends their ACKs.
 */
export const inviteClientTable: StateTable<InviteClientState, InviteClientInput, InviteClientAction, InviteClientTimer> = {
  calling: {
    timers: ['A', 'B'],
    on: {
      'timer A': { to: 'calling', do: ['sendRequest', 'restartTimerA'] },
      'timer B': { to: 'terminated', do: ['reportTimeout'] },
      transportError: { to: 'terminated', do: ['reportTransportError'] },
      '1xx': { to: 'proceeding', do: ['passResponse'] },
      '2xx': { to: 'accepted', do: ['passResponse'] },
      '300-699': { to: 'completed', do: ['sendAck', 'passResponse'] },
    },
  },
  proceeding: {
    timers: [],
    on: {
      cancel: { to: 'cancelling', do: [] },
      '1xx': { to: 'proceeding', do: ['passResponse'] },
      '2xx': { to: 'accepted', do: ['passResponse'] },
      '300-699': { to: 'completed', do: ['sendAck', 'passResponse'] },
    },
  },
  cancelling: {
    timers: ['cancel'],
    on: {
      'timer cancel': { to: 'terminated', do: ['reportTimeout'] },
      '1xx': { to: 'cancelling', do: ['passResponse'] },
      '2xx': { to: 'accepted', do: ['passResponse'] },
      '300-699': { to: 'completed', do: ['sendAck', 'passResponse'] },
    },
  },
  completed: {
    timers: ['D'],
    on: {
      'timer D': { to: 'terminated', do: [] },
      transportError: { to: 'terminated', do: ['reportTransportError'] },
      '300-699': { to: 'completed', do: ['sendAck'] },
    },
  },
  accepted: {
    timers: ['M'],
    on: {
      'timer M': { to: 'terminated', do: [] },
      '2xx': { to: 'accepted', do: ['passResponse'] },
    },
  },
  terminated: { timers: [], on: {} },
};
