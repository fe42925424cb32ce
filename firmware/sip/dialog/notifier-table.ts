import type { StateTable } from '#firmware/core/state-table.ts';

export type NotifierState = 'fresh' | 'notifying' | 'quiet' | 'stale' | 'finishing' | 'terminated';
export type NotifierTimer = 'expiry';
export type NotifierInput = `timer ${NotifierTimer}` | 'start' | 'changed' | 'refreshed' | 'finish' | 'delivered' | 'gone';
export type NotifierAction = 'notify' | 'notifyEnd' | 'restartExpiry' | 'expire' | 'close';

/**
 * RFC 6665 §4.2: one subscription of a peer's. One NOTIFY at a time: what changes in between (`stale`) goes out together when the last one
 * has been answered, so that a slow subscriber is neither flooded nor told things out of order.
 */
export const notifierTable: StateTable<NotifierState, NotifierInput, NotifierAction, NotifierTimer> = {
  fresh: {
    timers: [],
    on: { start: { to: 'notifying', do: ['notify'] }, finish: { to: 'terminated', do: ['notifyEnd', 'close'] } },
  },
  notifying: {
    timers: ['expiry'],
    on: {
      delivered: { to: 'quiet', do: [] },
      changed: { to: 'stale', do: [] },
      refreshed: { to: 'stale', do: ['restartExpiry'] },
      finish: { to: 'finishing', do: [] },
      'timer expiry': { to: 'finishing', do: ['expire'] },
      gone: { to: 'terminated', do: ['close'] },
    },
  },
  quiet: {
    timers: ['expiry'],
    on: {
      changed: { to: 'notifying', do: ['notify'] },
      refreshed: { to: 'notifying', do: ['restartExpiry', 'notify'] },
      finish: { to: 'terminated', do: ['notifyEnd', 'close'] },
      'timer expiry': { to: 'terminated', do: ['expire', 'notifyEnd', 'close'] },
    },
  },
  stale: {
    timers: ['expiry'],
    on: {
      delivered: { to: 'notifying', do: ['notify'] },
      refreshed: { to: 'stale', do: ['restartExpiry'] },
      finish: { to: 'finishing', do: [] },
      'timer expiry': { to: 'finishing', do: ['expire'] },
      gone: { to: 'terminated', do: ['close'] },
    },
  },
  finishing: {
    timers: [],
    on: {
      delivered: { to: 'terminated', do: ['notifyEnd', 'close'] },
      gone: { to: 'terminated', do: ['close'] },
    },
  },
  terminated: { timers: [], on: {} },
};
