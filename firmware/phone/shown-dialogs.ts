import type { Milliseconds } from '#firmware/core/clock.ts';
import type { ShownDialog } from '#firmware/sip/dialog/dialog-document.ts';
import type { UserAgent } from '#firmware/sip/user-agent.ts';
import type { Call } from './call.ts';
import type { Line } from './line.ts';

/** Tells the user agent what those see who watch a line; true if that is news, which has to go out. */
export function showDialogs(now: Milliseconds, userAgent: UserAgent, lines: readonly Line[], calls: readonly Call[]): boolean {
  return lines.map(({ settings: { name } }) => userAgent.showDialogs(now, name, dialogsOf(calls, name))).includes(true);
}

function dialogsOf(calls: readonly Call[], line: string): readonly ShownDialog[] {
  return calls
    .filter((call) => call.plan.line?.name === line && call.alive)
    .map((call) => ({
      id: call.plan.id,
      direction: call.direction === 'outgoing' ? 'initiator' : 'recipient',
      state: stateOf(call),
      remote: call.remote,
    }));
}

/** RFC 4235 §3.7.1. */
function stateOf({ state, talking }: Call): ShownDialog['state'] {
  if (talking) return 'confirmed';
  return state === 'opening' || state === 'calling' ? 'trying' : 'early';
}
