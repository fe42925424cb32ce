import type { LessonState } from '#firmware/contract/hal.ts';

const spanMs = 8_000;
const width = 900;
const nameWidth = 110;
const rowHeight = 26;
const high = 7;
const low = 21;
const rowsAtMost = 12;

/** The last seconds of every wire that moved, as a logic analyser shows them: up = open, down = connected. */
export function Analyser({ state }: { state: LessonState }) {
  const lastEdge = new Map(state.edges.map(({ signal, at }) => [signal, at]));
  const signals = state.signals
    .toSorted((a, b) => (lastEdge.get(b.name) ?? 0) - (lastEdge.get(a.name) ?? 0))
    .slice(0, rowsAtMost)
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  const height = Math.max(1, signals.length) * rowHeight + 18;
  return (
    <svg class="analyser" viewBox={`0 0 ${width} ${height}`} role="img" aria-label="levels of the wires">
      {Array.from({ length: spanMs / 1000 + 1 }, (_, second) => (
        <line key={second} class="grid" x1={xOf(second * 1000)} x2={xOf(second * 1000)} y1={0} y2={height - 14} />
      ))}
      <text x={xOf(0)} y={height - 2}>
        {spanMs / 1000} s ago
      </text>
      <text x={width - 4} y={height - 2} text-anchor="end">
        now
      </text>
      {signals.length === 0 && (
        <text x={nameWidth + 8} y={17}>
          nothing has moved yet
        </text>
      )}
      {signals.map((signal, row) => (
        <g key={signal.name} data-signal={signal.name} transform={`translate(0 ${row * rowHeight})`}>
          <text x={0} y={18}>
            {signal.name}
          </text>
          <path class={signal.closed ? 'closed' : ''} d={traceOf(signal, state)} />
        </g>
      ))}
    </svg>
  );
}

/** From the oldest edge that is still kept to now. */
function traceOf({ name, closed }: { readonly name: string; readonly closed: boolean }, { edges, now }: LessonState): string {
  const own = edges.filter(({ signal, at }) => signal === name && at > now - spanMs);
  const levelOf = (isClosed: boolean) => (isClosed ? low : high);
  const first = own[0];
  let path = `M${xOf(0)} ${levelOf(first ? !first.closed : closed)}`;
  for (const edge of own) path += `H${xOf(spanMs - (now - edge.at))}V${levelOf(edge.closed)}`;
  return `${path}H${width}`;
}

function xOf(ms: number): number {
  return Math.round((nameWidth + ((width - nameWidth) * ms) / spanMs) * 10) / 10;
}
