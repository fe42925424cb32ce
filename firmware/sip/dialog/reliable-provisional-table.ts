import type { StateTable } from '#firmware/core/state-table.ts';

export type ReliableProvisionalState = 'idle' | 'waiting' | 'terminated';
export type ReliableProvisionalTimer = 'resend' | 'giveUp';
export type ReliableProvisionalInput = `timer ${ReliableProvisionalTimer}` | 'sent' | 'acknowledged' | 'stop';
export type ReliableProvisionalAction = 'resend' | 'reportGivenUp';

/** RFC 3262 §3: a provisional response is sent again, whatever the transport, until its PRACK comes. */
export const reliableProvisionalTable: StateTable<
  ReliableProvisionalState,
  ReliableProvisionalInput,
  ReliableProvisionalAction,
  ReliableProvisionalTimer
> = {
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
