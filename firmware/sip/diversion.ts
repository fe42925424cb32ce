import type { Request } from './message/message.ts';
import { NameAddr, parseNameAddrList } from './message/name-addr.ts';
import { SipUri } from './message/uri.ts';

type Lines = readonly (readonly [name: string, value: string])[];

const entriesAtMost = 10;

/**
 * What a redirection of `request` tells of who sends the call on: Diversion (RFC 5806 §3) before those that were there, and, to who knows
 * it, History-Info with the reason (RFC 7044 §9.3).
 */
export function diversionLines(request: Request, who: NameAddr): Lines {
  const diverted = request.headers.listOf('diversion', parseNameAddrList).slice(0, entriesAtMost);
  const ours = new NameAddr(
    who.uri,
    who.displayName,
    new Map([
      ['reason', 'unconditional'],
      ['counter', '1'],
    ]),
  );
  const lines = [['Diversion', ours.toString()] as const, ...diverted.map((entry) => ['Diversion', entry.toString()] as const)];
  const history = request.headers.listOf('history-info', parseNameAddrList).slice(0, entriesAtMost);
  if (!request.supported.includes('histinfo') && history.length === 0) return lines;
  return [...lines, ...historyLines(history, who)];
}

function historyLines(history: readonly NameAddr[], { uri }: NameAddr): Lines {
  const index = history.at(-1)?.params.get('index') ?? '1';
  const known = history.slice(0, -1).map((entry) => ['History-Info', entry.toString()] as const);
  const left = history.at(-1)?.uri ?? uri;
  const reason: readonly (readonly [string, string])[] = [['Reason', 'SIP;cause=302']];
  const last = left instanceof SipUri ? left.with({ headers: reason }) : left;
  return [...known, ['History-Info', new NameAddr(last).withParam('index', index).toString()]];
}
