import type { StateTable } from '#firmware/core/state-table.ts';

export type InviteServerState = 'trying' | 'proceeding' | 'completed' | 'confirmed' | 'accepted' | 'terminated';
export type InviteServerTimer = 'trying' | 'G' | 'H' | 'I' | 'L';
export type InviteServerInput =
  | `timer ${InviteServerTimer}`
  | 'request'
  | 'ack'
  | 'withoutTrying'
  | 'tu 1xx'
  | 'tu 2xx'
  | 'tu 300-699'
  | 'transportError';
export type InviteServerAction =
  | 'sendTrying'
  | 'sendResponse'
  | 'resendResponse'
  | 'restartTimerG'
  | 'passAck'
  | 'reportTimeout'
  | 'reportTransportError';

/**
 * RFC 3261 §17.2.1 (figure 7) as RFC 6026 §7.1 redraws it. Proceeding is split: in `trying` nothing has been said yet, and the 100 goes out
 * when the TransactionUser has been silent for 200 ms. In Accepted the TransactionUser repeats its 2xx (§13.3.1.4), the machine only
 * swallows the INVITEs that still come.
 */
export const inviteServerTable: StateTable<InviteServerState, InviteServerInput, InviteServerAction, InviteServerTimer> = {
  trying: {
    timers: ['trying'],
    on: {
      'timer trying': { to: 'proceeding', do: ['sendTrying'] },
      withoutTrying: { to: 'proceeding', do: [] },
      'tu 1xx': { to: 'proceeding', do: ['sendResponse'] },
      'tu 2xx': { to: 'accepted', do: ['sendResponse'] },
      'tu 300-699': { to: 'completed', do: ['sendResponse'] },
    },
  },
  proceeding: {
    timers: [],
    on: {
      request: { to: 'proceeding', do: ['resendResponse'] },
      transportError: { to: 'proceeding', do: ['reportTransportError'] },
      'tu 1xx': { to: 'proceeding', do: ['sendResponse'] },
      'tu 2xx': { to: 'accepted', do: ['sendResponse'] },
      'tu 300-699': { to: 'completed', do: ['sendResponse'] },
    },
  },
  completed: {
    timers: ['G', 'H'],
    on: {
      'timer G': { to: 'completed', do: ['resendResponse', 'restartTimerG'] },
      'timer H': { to: 'terminated', do: ['reportTimeout'] },
      request: { to: 'completed', do: ['resendResponse'] },
      ack: { to: 'confirmed', do: [] },
      transportError: { to: 'completed', do: ['reportTransportError'] },
    },
  },
  confirmed: {
    timers: ['I'],
    on: { 'timer I': { to: 'terminated', do: [] } },
  },
  accepted: {
    timers: ['L'],
    on: {
      'timer L': { to: 'terminated', do: [] },
      ack: { to: 'accepted', do: ['passAck'] },
      'tu 2xx': { to: 'accepted', do: ['sendResponse'] },
    },
  },
  terminated: { timers: [], on: {} },
};
