import type { Closure } from './wire-scan.ts';

interface Edge {
  readonly signal: string;
  readonly closed: boolean;
  readonly at: number;
}

/** What a dial did while it ran back once. */
export interface DialTrain {
  readonly pulse: Closure;
  readonly pulses: number;
  /** The pulse contact is closed between pulses. */
  readonly closedAtRest: boolean;
  /** A contact that changed once, around all pulses. */
  readonly offNormal: { readonly closure: Closure; readonly closedWhenTurned: boolean } | undefined;
}

/** Bounces of a contact. */
const bounceMs = 10;

/** Reads one turn of a dial from its edges; a text says why it is none. */
export function judgeDial(edges: readonly Edge[], known: ReadonlyMap<string, Closure>): DialTrain | string {
  const bySignal = new Map<string, Edge[]>();
  for (const edge of edges) {
    const own = bySignal.get(edge.signal) ?? [];
    const last = own.at(-1);
    // There and back within a bounce is nothing.
    if (last && edge.at - last.at < bounceMs) own.pop();
    else own.push(edge);
    bySignal.set(edge.signal, own);
  }
  const moved = [...bySignal].filter(([, own]) => own.length > 0);
  if (moved.some(([, own]) => own.length % 2 === 1)) return 'Something did not go back to where it was. Dial once more.';
  const ordered = moved.toSorted(([, one], [, other]) => startOf(one) - startOf(other));
  const around = ordered.length > 1 && ordered[0]?.[1].length === 2 ? ordered[0] : undefined;
  const pulsing = ordered.filter((one) => one !== around);
  const [pulse] = pulsing;
  if (!pulse) return 'Nothing pulsed. Dial once more.';
  if (pulsing.length > 1) return `Several contacts pulsed (${pulsing.map(([name]) => name).join(', ')}). Dial once more.`;
  const [name, own] = pulse;
  const closure = known.get(name);
  if (!closure || closure.b !== null) return `The dial joins ${name}: connect one of its wires to GND instead.`;
  const offNormal = around && known.get(around[0]);
  return {
    pulse: closure,
    pulses: own.length / 2,
    closedAtRest: own[0]?.closed === false,
    offNormal: offNormal && offNormal.b === null ? { closure: offNormal, closedWhenTurned: around?.[1][0]?.closed === true } : undefined,
  };
}

function startOf(edges: readonly Edge[]): number {
  return edges[0]?.at ?? 0;
}
