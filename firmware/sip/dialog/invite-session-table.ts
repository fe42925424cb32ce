import type { StateTable } from '#firmware/core/state-table.ts';

export type InviteSessionState = 'fresh' | 'unacknowledged' | 'leaving' | 'confirmed' | 'terminated';
export type InviteSessionInput =
  | 'weAccepted'
  | 'theyAccepted'
  | 'adopted'
  | 'acknowledged'
  | 'noAck'
  | 'hangUp'
  | 'bye'
  | 'lost'
  | 'expired';
export type InviteSessionAction =
  | 'awaitAck'
  | 'sendBye'
  | 'sendByeForNoAck'
  | 'sendByeForExpiry'
  | 'reportConfirmed'
  | 'reportLocal'
  | 'reportRemote'
  | 'reportTimeout'
  | 'close';

/**
 * RFC 3261 §13 and §15 from the 2xx on. Who sent the 2xx must not send BYE before its ACK: a hang-up in between waits in `leaving`.
 */
export const inviteSessionTable: StateTable<InviteSessionState, InviteSessionInput, InviteSessionAction, never> = {
  fresh: {
    timers: [],
    on: {
      weAccepted: { to: 'unacknowledged', do: ['awaitAck'] },
      theyAccepted: { to: 'confirmed', do: [] },
      /** A process that died has left us the call. */
      adopted: { to: 'confirmed', do: [] },
    },
  },
  unacknowledged: {
    timers: [],
    on: {
      acknowledged: { to: 'confirmed', do: ['reportConfirmed'] },
      noAck: { to: 'terminated', do: ['sendByeForNoAck', 'reportTimeout', 'close'] },
      hangUp: { to: 'leaving', do: ['reportLocal'] },
      bye: { to: 'terminated', do: ['reportRemote', 'close'] },
    },
  },
  leaving: {
    timers: [],
    on: {
      acknowledged: { to: 'terminated', do: ['sendBye', 'close'] },
      noAck: { to: 'terminated', do: ['sendBye', 'close'] },
      bye: { to: 'terminated', do: ['close'] },
    },
  },
  confirmed: {
    timers: [],
    on: {
      hangUp: { to: 'terminated', do: ['sendBye', 'reportLocal', 'close'] },
      bye: { to: 'terminated', do: ['reportRemote', 'close'] },
      lost: { to: 'terminated', do: ['sendBye', 'reportTimeout', 'close'] },
      expired: { to: 'terminated', do: ['sendByeForExpiry', 'reportTimeout', 'close'] },
    },
  },
  terminated: { timers: [], on: {} },
};
