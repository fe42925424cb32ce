import type { StateTable } from '#firmware/core/state-table.ts';

export type AwaitedAckState = 'idle' | 'waiting' | 'terminated';
export type AwaitedAckTimer = 'resend' | 'giveUp';
export type AwaitedAckInput = `timer ${AwaitedAckTimer}` | 'sent' | 'acknowledged' | 'stop';
export type AwaitedAckAction = 'resend' | 'reportGivenUp';

/** RFC 3261 §13.3.1.4: a 2xx is sent again, whatever the transport, until its ACK comes. */
export const awaitedAckTable: StateTable<AwaitedAckState, AwaitedAckInput, AwaitedAckAction, AwaitedAckTimer> = {
  idle: { timers: [], on: { sent: { to: 'waiting', do: [] }, stop: { to: 'terminated', do: [] } } },
  waiting: {
    timers: ['resend', 'giveUp'],
    on: {
      'timer resend': { to: 'waiting', do: ['resend'] },
      'timer giveUp': { to: 'idle', do: ['reportGivenUp'] },
      acknowledged: { to: 'idle', do: [] },
      stop: { to: 'terminated', do: [] },
    },
  },
  terminated: { timers: [], on: {} },
};
