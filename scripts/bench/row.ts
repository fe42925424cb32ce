/** One measured figure. */
export interface BenchRow {
  /** What was measured: `sip message`, `calls`, `rtp pacing`, `memory`. */
  readonly area: string;
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

/** The middle of some figures, so that one disturbed round does not count. */
export function median(figures: readonly number[]): number {
  return percentile(figures, 0.5);
}

/** The figure below which this share of them lies. */
export function percentile(figures: readonly number[], share: number): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
