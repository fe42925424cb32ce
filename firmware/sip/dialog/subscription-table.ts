import type { StateTable } from '#firmware/core/state-table.ts';

export type SubscriptionState = 'idle' | 'subscribing' | 'active' | 'waiting' | 'refused' | 'leaving' | 'removing' | 'terminated';
export type SubscriptionTimer = 'refresh' | 'retry';
export type SubscriptionInput = `timer ${SubscriptionTimer}` | 'start' | 'succeeded' | 'failed' | 'refusal' | 'stop';
export type SubscriptionAction = 'subscribe' | 'unsubscribe' | 'forgetDialog';

/** RFC 6665 §4.1: one subscription of ours. One SUBSCRIBE at a time; a stop that comes in between waits for its answer (`leaving`). */
export const subscriptionTable: StateTable<SubscriptionState, SubscriptionInput, SubscriptionAction, SubscriptionTimer> = {
  idle: { timers: [], on: { start: { to: 'subscribing', do: ['subscribe'] }, stop: { to: 'terminated', do: [] } } },
  subscribing: {
    timers: [],
    on: {
      succeeded: { to: 'active', do: [] },
      failed: { to: 'waiting', do: ['forgetDialog'] },
      refusal: { to: 'refused', do: ['forgetDialog'] },
      stop: { to: 'leaving', do: [] },
    },
  },
  active: {
    timers: ['refresh'],
    on: {
      'timer refresh': { to: 'subscribing', do: ['subscribe'] },
      start: { to: 'subscribing', do: ['subscribe'] },
      failed: { to: 'waiting', do: ['forgetDialog'] },
      refusal: { to: 'refused', do: ['forgetDialog'] },
      stop: { to: 'removing', do: ['unsubscribe'] },
    },
  },
  waiting: {
    timers: ['retry'],
    on: {
      'timer retry': { to: 'subscribing', do: ['subscribe'] },
      start: { to: 'subscribing', do: ['subscribe'] },
      stop: { to: 'terminated', do: ['forgetDialog'] },
    },
  },
  refused: {
    timers: [],
    on: { start: { to: 'subscribing', do: ['subscribe'] }, stop: { to: 'terminated', do: ['forgetDialog'] } },
  },
  leaving: {
    timers: [],
    on: {
      succeeded: { to: 'removing', do: ['unsubscribe'] },
      failed: { to: 'terminated', do: ['forgetDialog'] },
      refusal: { to: 'terminated', do: ['forgetDialog'] },
    },
  },
  removing: {
    timers: [],
    on: {
      succeeded: { to: 'terminated', do: ['forgetDialog'] },
      failed: { to: 'terminated', do: ['forgetDialog'] },
      refusal: { to: 'terminated', do: ['forgetDialog'] },
    },
  },
  terminated: { timers: [], on: {} },
};
