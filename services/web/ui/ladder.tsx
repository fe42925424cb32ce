import { signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Ladder } from '#firmware/contract/ladder.ts';
import { timeText } from './texts.ts';

/** Whether the messages are looked at: they are a page of their own, `#ladder`. */
export const atLadder = signal(location.hash === '#ladder');
addEventListener('hashchange', () => {
  atLadder.value = location.hash === '#ladder';
});

const lookEveryMs = 2_000;
const columnGap = 300;
const margin = 130;
const rowHeight = 34;
const headHeight = 46;

/** What went to and fro on the wire, call by call, as a ladder. */
export function Ladders() {
  const ladders = useSignal<readonly Ladder[]>([]);
  const chosen = useSignal<string | undefined>(undefined);
  useEffect(() => {
    const look = async () => {
      const response = await fetch('/api/ladders');
      if (response.ok) ladders.value = ((await response.json()) as { ladders: Ladder[] }).ladders;
    };
    void look();
    const timer = setInterval(() => void look(), lookEveryMs);
    return () => clearInterval(timer);
  }, []);
  const shown =
    ladders.value.find(({ callId }) => callId === chosen.value) ??
    ladders.value.find(({ method }) => method === 'INVITE') ??
    ladders.value[0];
  return (
    <section class="ladders">
      <p>
        <a href="#telephone">← back to the telephone</a>
      </p>
      <div class="card">
        <h2>Messages on the wire</h2>
        {shown === undefined && <p class="quiet">none yet</p>}
        <div class="ladder-list">
          {ladders.value.map(({ callId, method, target, messages }) => (
            <button type="button" key={callId} aria-pressed={callId === shown?.callId} onClick={() => (chosen.value = callId)}>
              {timeText(messages[0]?.at ?? 0)} {method} {target}
            </button>
          ))}
        </div>
        {shown && <LadderDrawing ladder={shown} />}
      </div>
    </section>
  );
}

function LadderDrawing({ ladder: { callId, messages, leftOut } }: { ladder: Ladder }) {
  const peers = [...new Set(messages.map(({ peer }) => peer))];
  const width = 2 * margin + columnGap * peers.length;
  const height = headHeight + rowHeight * messages.length + 14;
  const start = messages[0]?.at ?? 0;
  const xOf = (peer: string) => margin + columnGap * (1 + peers.indexOf(peer));
  return (
    <>
      <p class="quiet">
        Call-ID {callId}
        {leftOut > 0 ? `; ${leftOut} earlier messages are not kept` : ''}
      </p>
      <svg class="ladder" viewBox={`0 0 ${width} ${height}`} style={{ maxWidth: `${width}px` }} role="img" aria-label="message ladder">
        <Post x={margin} name="this phone" height={height} />
        {peers.map((peer) => (
          <Post key={peer} x={xOf(peer)} name={peer} height={height} />
        ))}
        {messages.map((message, row) => {
          const y = headHeight + rowHeight * (row + 0.75);
          const [from, to] = message.direction === 'sent' ? [margin, xOf(message.peer)] : [xOf(message.peer), margin];
          return (
            <g key={`${message.at} ${row}`} class={kindOf(message)}>
              <title>{`${message.cSeq}${message.octets > 0 ? `, ${message.octets} octets of body` : ''}`}</title>
              <text class="at" x={8} y={y + 4}>
                {`+${((message.at - start) / 1000).toFixed(3)} s`}
              </text>
              <line x1={from} x2={to} y1={y} y2={y} />
              <path d={`M${to} ${y}l${from < to ? -10 : 10} -5v10z`} />
              <text x={(from + to) / 2} y={y - 6} text-anchor="middle">
                {message.start}
              </text>
            </g>
          );
        })}
      </svg>
    </>
  );
}

function Post({ x, name, height }: { x: number; name: string; height: number }) {
  return (
    <>
      <text x={x} y={20} text-anchor="middle">
        {name}
      </text>
      <line class="post" x1={x} x2={x} y1={30} y2={height} />
    </>
  );
}

function kindOf({ isResponse, start }: Ladder['messages'][number]): string {
  if (!isResponse) return 'request';
  return /^[3-6]/.test(start) ? 'failure' : 'response';
}
