import type { StateTable } from '#firmware/core/state-table.ts';

export type CallTableState = 'opening' | 'calling' | 'ringback' | 'offered' | 'ringing' | 'accepting' | 'active' | 'ending' | 'ended';

export type CallInput =
  /** Media has, or has not, an RTP port for the call. */
  | 'portReady'
  | 'portFailed'
  /** What the far end did. */
  | 'progress'
  | 'redirected'
  | 'answered'
  | 'failed'
  | 'cancelled'
  | 'confirmed'
  | 'ended'
  /** What the far end said about sound is of no use. */
  | 'unusable'
  /** What a person, or whoever owns the call, wants. */
  | 'accept'
  | 'decline'
  | 'hangUp';

export type CallAction =
  | 'sendInvite'
  | 'tellProgress'
  | 'begin'
  | 'ring'
  | 'sendAnswer'
  | 'tellAccepted'
  /** Ask SIP to end it: because the person hung up early, nobody came, a conversation is over, or it cannot be heard. */
  | 'cancel'
  | 'giveUp'
  | 'bye'
  | 'abort'
  /** Refuse an incoming call. */
  | 'refuseWithoutPort'
  | 'refuseUnanswered'
  | 'refuseDeclined'
  /** SIP has nothing left to do. */
  | 'concludeWithoutPort'
  | 'concludeCancelled'
  | 'conclude';

export type CallTimer = 'port' | 'noAnswer' | 'ring' | 'linger';

/**
 * One conversation from its first wish to its end. An RTP port comes before any SIP, so a call that cannot be heard is never made:
 *
 *   outgoing   opening ─ port ─► calling ─ 18x ─► ringback ─ 200 ─► active
 *   incoming   offered ─ port ─► ringing ─ accept ─► accepting ─ ACK ─► active
 *   any        ─ hang up ─► ending ─ the user agent says so ─► ended
 */
export const callTable: StateTable<CallTableState, CallInput | `timer ${CallTimer}`, CallAction, CallTimer> = {
  opening: {
    timers: ['port'],
    on: {
      portReady: { to: 'calling', do: ['sendInvite'] },
      portFailed: { to: 'ended', do: ['concludeWithoutPort'] },
      'timer port': { to: 'ended', do: ['concludeWithoutPort'] },
      hangUp: { to: 'ended', do: ['concludeCancelled'] },
    },
  },
  calling: {
    timers: ['noAnswer'],
    on: {
      progress: { to: 'ringback', do: ['tellProgress'] },
      redirected: { to: 'calling', do: ['sendInvite'] },
      answered: { to: 'active', do: ['begin'] },
      failed: { to: 'ended', do: ['conclude'] },
      unusable: { to: 'ending', do: ['abort'] },
      portFailed: { to: 'ending', do: ['abort'] },
      hangUp: { to: 'ending', do: ['cancel'] },
      'timer noAnswer': { to: 'ending', do: ['giveUp'] },
    },
  },
  ringback: {
    timers: ['noAnswer'],
    on: {
      progress: { to: 'ringback', do: ['tellProgress'] },
      redirected: { to: 'calling', do: ['sendInvite'] },
      answered: { to: 'active', do: ['begin'] },
      failed: { to: 'ended', do: ['conclude'] },
      unusable: { to: 'ending', do: ['abort'] },
      portFailed: { to: 'ending', do: ['abort'] },
      hangUp: { to: 'ending', do: ['cancel'] },
      'timer noAnswer': { to: 'ending', do: ['giveUp'] },
    },
  },
  offered: {
    timers: ['port'],
    on: {
      portReady: { to: 'ringing', do: ['ring'] },
      portFailed: { to: 'ended', do: ['refuseWithoutPort'] },
      'timer port': { to: 'ended', do: ['refuseWithoutPort'] },
      cancelled: { to: 'ended', do: ['conclude'] },
      decline: { to: 'ended', do: ['refuseDeclined'] },
    },
  },
  ringing: {
    timers: ['ring'],
    on: {
      accept: { to: 'accepting', do: ['sendAnswer'] },
      decline: { to: 'ended', do: ['refuseDeclined'] },
      cancelled: { to: 'ended', do: ['conclude'] },
      portFailed: { to: 'ended', do: ['refuseWithoutPort'] },
      'timer ring': { to: 'ended', do: ['refuseUnanswered'] },
    },
  },
  accepting: {
    timers: [],
    on: {
      confirmed: { to: 'active', do: ['tellAccepted'] },
      unusable: { to: 'ending', do: ['abort'] },
      portFailed: { to: 'ending', do: ['abort'] },
      hangUp: { to: 'ending', do: ['bye'] },
      cancelled: { to: 'ended', do: ['conclude'] },
      ended: { to: 'ended', do: ['conclude'] },
    },
  },
  active: {
    timers: [],
    on: {
      unusable: { to: 'ending', do: ['abort'] },
      portFailed: { to: 'ending', do: ['abort'] },
      hangUp: { to: 'ending', do: ['bye'] },
      ended: { to: 'ended', do: ['conclude'] },
    },
  },
  /** The person is done with it; SIP is not. The timer is a net below the user agent's own. */
  ending: {
    timers: ['linger'],
    on: {
      failed: { to: 'ended', do: ['conclude'] },
      ended: { to: 'ended', do: ['conclude'] },
      cancelled: { to: 'ended', do: ['conclude'] },
      'timer linger': { to: 'ended', do: ['conclude'] },
    },
  },
  ended: { timers: [], on: {} },
};
