import type { Ladder } from '#firmware/contract/ladder.ts';
import { table, when } from './status-view.ts';

const arrowWidth = 34;

/** All that are kept, newest first, with the numbers they are asked for by. */
export function ladderListLines(ladders: readonly Ladder[]): string[] {
  if (ladders.length === 0) return ['no messages yet'];
  return table(
    ladders.map(({ method, target, messages, callId }, index) => {
      const last = messages.at(-1);
      return [String(index + 1), last ? when(last.at) : '', method, target, last?.start ?? '', callId];
    }),
  );
}

/** The one of this number, counted from 1, or else that whose target or Call-ID has these words in it; without either the newest call. */
export function chosenLadder(ladders: readonly Ladder[], wish: string | undefined): Ladder | undefined {
  if (wish === undefined) return ladders.find(({ method }) => method === 'INVITE') ?? ladders[0];
  if (/^\d{1,2}$/.test(wish)) return ladders[Number(wish) - 1];
  return ladders.find(({ target, callId }) => target.includes(wish) || callId.includes(wish));
}

/** One message a line: how long after the first, which way, and who was at the other end. */
export function ladderLines({ method, target, callId, leftOut, messages }: Ladder): string[] {
  const start = messages[0]?.at ?? 0;
  const width = Math.max(0, ...messages.map(({ at }) => secondsText(at - start).length));
  return [
    `${method} ${target}`.trimEnd(),
    `Call-ID ${callId}, from ${when(start)}`,
    ...(leftOut > 0 ? [`(${leftOut} earlier messages are not kept)`] : []),
    ...messages.map(({ at, direction, peer, start: words, cSeq, octets }) => {
      const body = octets > 0 ? `, ${octets} octets` : '';
      return `${secondsText(at - start).padStart(width)}  phone ${arrow(words, direction)} ${peer}  ${cSeq}${body}`;
    }),
  ];
}

function arrow(words: string, direction: 'sent' | 'received'): string {
  const shown = words.length > arrowWidth - 6 ? `${words.slice(0, arrowWidth - 7)}…` : words;
  const rest = arrowWidth - shown.length - 3;
  const left = Math.floor(rest / 2);
  const shaft = `${'─'.repeat(left)} ${shown} ${'─'.repeat(rest - left)}`;
  return direction === 'sent' ? `${shaft}►` : `◄${shaft}`;
}

function secondsText(ms: number): string {
  return `+${(ms / 1000).toFixed(3)} s`;
}
