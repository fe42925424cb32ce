import type { CallStatus } from '#firmware/contract/phone.ts';

/** One second of a call as it was heard here. */
export interface QualitySample {
  /** When it was told, ms of the page's clock. */
  readonly at: number;
  /** Mean opinion score of the far end's sound (G.107), 1 to 4.5; `null` before it was heard. */
  readonly opinionScore: number | null;
  /** Milliseconds since the sample before for which sound had to be made up. */
  readonly concealedMs: number;
  /** Packets that did not come in time since the sample before, of those that should have come, 0 to 1. */
  readonly missing: number;
}

/** What is known of one call, the oldest sample first. */
export interface QualityHistory {
  readonly samples: readonly QualitySample[];
  readonly totals: Totals;
}

type Totals = Pick<
  NonNullable<CallStatus['media']>,
  'packetsSent' | 'packetsReceived' | 'packetsLost' | 'packetsLate' | 'concealedMs' | 'levelIn' | 'levelOut'
>;

/** Two minutes. */
export const samplesAtMost = 120;

/**
 * The histories of the calls that are under way, the newest statistics added. Snapshots come more often than statistics, which are told once a
 * second: the same ones again add nothing.
 */
export function withSamples(
  histories: ReadonlyMap<string, QualityHistory>,
  calls: readonly CallStatus[],
  now: number,
): ReadonlyMap<string, QualityHistory> {
  const next = new Map<string, QualityHistory>();
  for (const { call, media } of calls) {
    if (!media) continue;
    const known = histories.get(call);
    next.set(call, known && isSame(known.totals, media) ? known : { samples: withSample(known, media, now), totals: media });
  }
  return next;
}

function withSample(known: QualityHistory | undefined, media: NonNullable<CallStatus['media']>, now: number): readonly QualitySample[] {
  const before = known?.totals ?? media;
  const lost = Math.max(0, media.packetsLost - before.packetsLost) + Math.max(0, media.packetsLate - before.packetsLate);
  const received = Math.max(0, media.packetsReceived - before.packetsReceived);
  const sample = {
    at: now,
    opinionScore: media.opinionScore,
    concealedMs: Math.max(0, media.concealedMs - before.concealedMs),
    missing: lost === 0 ? 0 : Math.min(1, lost / (lost + received)),
  };
  return [...(known?.samples ?? []), sample].slice(-samplesAtMost);
}

function isSame(before: Totals, now: Totals): boolean {
  return (
    before.packetsSent === now.packetsSent &&
    before.packetsReceived === now.packetsReceived &&
    before.concealedMs === now.concealedMs &&
    before.levelIn === now.levelIn &&
    before.levelOut === now.levelOut
  );
}
