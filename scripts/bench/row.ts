/** One measured figure. */
export interface BenchRow {
  /** What was measured: `sip message`, `calls`, `rtp pacing`, `memory`. */
  readonly area: string;
  readonly name: string;
  /** Not a number when it was not measured. */
  readonly value: number;
  /** With a row that was not measured: why. */
  readonly unit: string;
}

/** How thorough a run is. */
export interface BenchScope {
  /** Of each measurement that takes its time. */
  readonly seconds: number;
}

/** The row of what could not be measured here. */
export function skipped(area: string, name: string, reason: string): BenchRow {
  return { area, name, value: Number.NaN, unit: `not measured: ${reason}` };
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
