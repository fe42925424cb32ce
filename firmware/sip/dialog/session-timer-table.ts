import type { StateTable } from '#firmware/core/state-table.ts';

export type SessionTimerState = 'off' | 'refreshing' | 'watching' | 'terminated';
export type SessionTimerTimer = 'refresh' | 'expiry';
export type SessionTimerInput = `timer ${SessionTimerTimer}` | 'weRefresh' | 'theyRefresh' | 'none' | 'close';
export type SessionTimerAction = 'restartRefresh' | 'restartExpiry' | 'sendRefresh' | 'reportExpired';

/**
 * RFC 4028 §7.2, §9 and §10: each 2xx to INVITE or UPDATE says anew who refreshes. Who does begins at half the interval and tries again until
 * the call expires; who waits ends the call a while before its time.
 */
export const sessionTimerTable: StateTable<SessionTimerState, SessionTimerInput, SessionTimerAction, SessionTimerTimer> = {
  off: {
    timers: [],
    on: {
      weRefresh: { to: 'refreshing', do: [] },
      theyRefresh: { to: 'watching', do: [] },
      close: { to: 'terminated', do: [] },
    },
  },
  refreshing: {
    timers: ['refresh', 'expiry'],
    on: {
      weRefresh: { to: 'refreshing', do: ['restartRefresh', 'restartExpiry'] },
      theyRefresh: { to: 'watching', do: ['restartExpiry'] },
      none: { to: 'off', do: [] },
      'timer refresh': { to: 'refreshing', do: ['restartRefresh', 'sendRefresh'] },
      'timer expiry': { to: 'off', do: ['reportExpired'] },
      close: { to: 'terminated', do: [] },
    },
  },
  watching: {
    timers: ['expiry'],
    on: {
      weRefresh: { to: 'refreshing', do: ['restartExpiry'] },
      theyRefresh: { to: 'watching', do: ['restartExpiry'] },
      none: { to: 'off', do: [] },
      'timer expiry': { to: 'off', do: ['reportExpired'] },
      close: { to: 'terminated', do: [] },
    },
  },
  terminated: { timers: [], on: {} },
};
