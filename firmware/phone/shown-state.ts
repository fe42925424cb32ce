import type { Milliseconds } from '#firmware/core/clock.ts';
import type { ShownDialog } from '#firmware/sip/event/dialog-document.ts';
import type { Presence } from '#firmware/sip/event/presence-document.ts';
import type { UserAgent } from '#firmware/sip/user-agent.ts';
import type { Call } from './call.ts';
import type { Line } from './line.ts';

/** Tells the user agent what those see who watch a line; true if that is news, which has to go out. */
export function showState(now: Milliseconds, userAgent: UserAgent, lines: readonly Line[], calls: readonly Call[]): boolean {
  const news = lines.map((line) => {
    const { name } = line.settings;
    const state = { dialogs: dialogsOf(calls, name), presence: presenceOf(line, calls), free: isFree(line, calls) };
    return userAgent.show(now, name, state);
  });
  return news.includes(true);
}

/** How the person of a line can be reached. */
export function presenceOf(line: Line, calls: readonly Call[]): Presence {
  if (line.doNotDisturb) return 'away';
  return calls.some((call) => call.plan.line?.name === line.settings.name && call.talking) ? 'busy' : 'open';
}

/** A call of somebody who waits for it would ring now, and find a person who does nothing else. */
function isFree(line: Line, calls: readonly Call[]): boolean {
  return !line.doNotDisturb && !calls.some((call) => call.alive && call.plan.owner.kind === 'handset');
}

function dialogsOf(calls: readonly Call[], line: string): readonly ShownDialog[] {
  return calls
    .filter((call) => call.plan.line?.name === line && call.alive)
    .map((call) => ({
      id: call.plan.id,
      session: call.session,
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
