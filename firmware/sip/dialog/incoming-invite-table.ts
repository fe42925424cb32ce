import type { StateTable } from '#firmware/core/state-table.ts';

export type IncomingInviteState = 'fresh' | 'unanswered' | 'accepting' | 'terminated';
export type IncomingInviteTimer = 'refresh' | 'expiry';
export type IncomingInviteInput =
  | `timer ${IncomingInviteTimer}`
  | 'arrived'
  | 'ring'
  | 'accept'
  | 'acceptLater'
  | 'acknowledged'
  | 'unacknowledged'
  | 'refuse'
  | 'withdrawn';
export type IncomingInviteAction =
  | 'report'
  | 'sendProvisional'
  | 'sendSuccess'
  | 'sendRefusal'
  | 'sendTerminated'
  | 'sendUnacknowledged'
  | 'reportCancelled'
  | 'close';

/**
 * RFC 3261 §13.3 and §9.2: an INVITE of a peer until our final response. In `accepting` the 2xx waits for the PRACK of a response that carried
 * an answer (RFC 3262 §5).
 */
export const incomingInviteTable: StateTable<IncomingInviteState, IncomingInviteInput, IncomingInviteAction, IncomingInviteTimer> = {
  fresh: { timers: [], on: { arrived: { to: 'unanswered', do: ['report'] } } },
  unanswered: {
    timers: ['refresh', 'expiry'],
    on: {
      ring: { to: 'unanswered', do: ['sendProvisional'] },
      'timer refresh': { to: 'unanswered', do: ['sendProvisional'] },
      accept: { to: 'terminated', do: ['close', 'sendSuccess'] },
      acceptLater: { to: 'accepting', do: [] },
      unacknowledged: { to: 'terminated', do: ['close', 'sendUnacknowledged', 'reportCancelled'] },
      refuse: { to: 'terminated', do: ['close', 'sendRefusal'] },
      withdrawn: { to: 'terminated', do: ['close', 'sendTerminated', 'reportCancelled'] },
      'timer expiry': { to: 'terminated', do: ['close', 'sendTerminated', 'reportCancelled'] },
    },
  },
  accepting: {
    timers: ['expiry'],
    on: {
      acknowledged: { to: 'terminated', do: ['close', 'sendSuccess'] },
      unacknowledged: { to: 'terminated', do: ['close', 'sendUnacknowledged', 'reportCancelled'] },
      refuse: { to: 'terminated', do: ['close', 'sendRefusal'] },
      withdrawn: { to: 'terminated', do: ['close', 'sendTerminated', 'reportCancelled'] },
      'timer expiry': { to: 'terminated', do: ['close', 'sendTerminated', 'reportCancelled'] },
    },
  },
  terminated: { timers: [], on: {} },
};
