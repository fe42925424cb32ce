import type { StateTable } from '#firmware/core/state-table.ts';

export type SubscriptionLegState = 'active' | 'refreshing' | 'parting' | 'farewell' | 'terminated';
export type SubscriptionLegTimer = 'refresh' | 'expiry' | 'lastNotify';
export type SubscriptionLegInput =
  | `timer ${SubscriptionLegTimer}`
  | 'refresh'
  | 'refreshed'
  | 'unrefreshed'
  | 'gone'
  | 'prolonged'
  | 'part'
  | 'parted'
  | 'ended';
export type SubscriptionLegAction = 'sendRefresh' | 'sendUnsubscribe' | 'restartExpiry' | 'leave' | 'vanish' | 'close';

/**
 * RFC 6665 §4.1.2: one dialog of a subscription of ours. A refresh that fails leaves it standing until it expires, unless the answer says that
 * it is gone; NOTIFY may prolong or shorten it (§4.1.3). Whoever leaves waits for the last NOTIFY as long as Timer N.
 */
export const subscriptionLegTable: StateTable<SubscriptionLegState, SubscriptionLegInput, SubscriptionLegAction, SubscriptionLegTimer> = {
  active: {
    timers: ['refresh', 'expiry'],
    on: {
      'timer refresh': { to: 'refreshing', do: ['sendRefresh'] },
      refresh: { to: 'refreshing', do: ['sendRefresh'] },
      prolonged: { to: 'active', do: ['restartExpiry'] },
      'timer expiry': { to: 'terminated', do: ['vanish', 'close'] },
      part: { to: 'parting', do: ['sendUnsubscribe'] },
      ended: { to: 'terminated', do: ['close'] },
    },
  },
  refreshing: {
    timers: ['expiry'],
    on: {
      refreshed: { to: 'active', do: ['restartExpiry'] },
      unrefreshed: { to: 'active', do: [] },
      gone: { to: 'terminated', do: ['close'] },
      'timer expiry': { to: 'terminated', do: ['vanish', 'close'] },
      part: { to: 'parting', do: ['sendUnsubscribe'] },
      ended: { to: 'terminated', do: ['close'] },
    },
  },
  parting: {
    timers: [],
    on: { parted: { to: 'farewell', do: ['leave'] }, ended: { to: 'terminated', do: ['close'] } },
  },
  farewell: {
    timers: ['lastNotify'],
    on: { 'timer lastNotify': { to: 'terminated', do: ['close'] }, ended: { to: 'terminated', do: ['close'] } },
  },
  terminated: { timers: [], on: {} },
};
