import type { StateTable } from '#firmware/core/state-table.ts';

export type SubscriptionState = 'idle' | 'asking' | 'awaiting' | 'active' | 'waiting' | 'refused' | 'leaving' | 'terminated';
export type SubscriptionTimer = 'firstNotify' | 'retry';
export type SubscriptionInput =
  | `timer ${SubscriptionTimer}`
  | 'start'
  | 'accepted'
  | 'settled'
  | 'failed'
  | 'refusal'
  | 'fetched'
  | 'part'
  | 'emptied';
export type SubscriptionAction = 'subscribe' | 'refresh' | 'unsubscribe' | 'lapse' | 'report' | 'close';

/**
 * RFC 6665 §4.1: one subscription of ours, with as many dialogs as the forks of its SUBSCRIBE made. A NOTIFY makes a dialog, never the answer
 * (§4.4.1); it may overtake the answer (`settled`), and without one the subscription has failed after Timer N (`firstNotify`). Each dialog
 * refreshes itself; the last that ends says how it goes on: again later (`failed`), or not (`refusal`).
 */
export const subscriptionTable: StateTable<SubscriptionState, SubscriptionInput, SubscriptionAction, SubscriptionTimer> = {
  idle: { timers: [], on: { start: { to: 'asking', do: ['subscribe'] }, part: { to: 'terminated', do: ['close'] } } },
  asking: {
    timers: [],
    on: {
      accepted: { to: 'awaiting', do: [] },
      settled: { to: 'active', do: ['report'] },
      failed: { to: 'waiting', do: ['close', 'report'] },
      refusal: { to: 'refused', do: ['close', 'report'] },
      fetched: { to: 'terminated', do: ['close', 'report'] },
      part: { to: 'leaving', do: ['unsubscribe'] },
    },
  },
  awaiting: {
    timers: ['firstNotify'],
    on: {
      settled: { to: 'active', do: ['report'] },
      failed: { to: 'waiting', do: ['close', 'report'] },
      refusal: { to: 'refused', do: ['close', 'report'] },
      fetched: { to: 'terminated', do: ['close', 'report'] },
      part: { to: 'leaving', do: ['unsubscribe'] },
      'timer firstNotify': { to: 'waiting', do: ['lapse', 'close', 'report'] },
    },
  },
  active: {
    timers: [],
    on: {
      start: { to: 'active', do: ['refresh'] },
      failed: { to: 'waiting', do: ['close', 'report'] },
      refusal: { to: 'refused', do: ['close', 'report'] },
      fetched: { to: 'terminated', do: ['close', 'report'] },
      part: { to: 'leaving', do: ['unsubscribe'] },
    },
  },
  waiting: {
    timers: ['retry'],
    on: {
      'timer retry': { to: 'asking', do: ['subscribe'] },
      start: { to: 'asking', do: ['subscribe'] },
      part: { to: 'terminated', do: ['close'] },
    },
  },
  refused: {
    timers: [],
    on: { start: { to: 'asking', do: ['subscribe'] }, part: { to: 'terminated', do: ['close'] } },
  },
  leaving: { timers: [], on: { emptied: { to: 'terminated', do: ['close'] } } },
  terminated: { timers: [], on: {} },
};
