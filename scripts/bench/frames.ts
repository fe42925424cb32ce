import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { bundled } from './bundled.ts';
import { type BenchRow, median } from './row.ts';

const run = promisify(execFile);
const legs = [
  ['PCMU', 8000],
  ['PCMU', 48_000],
  ['G722', 48_000],
] as const;

interface Costs {
  readonly costs: readonly { readonly microseconds: number; readonly bytes: number }[];
}

/** What a frame of 20 ms of one leg costs in the media engine, there and back, and how much of it the garbage collector has to take away. */
export async function frameRows(): Promise<BenchRow[]> {
  const program = await bundled('frame-mover');
  const rows: BenchRow[] = [];
  for (const [codec, sampleRate] of legs) {
    const { stdout } = await run(process.execPath, ['--max-semi-space-size=128', program, codec, String(sampleRate)]);
    const { costs } = JSON.parse(stdout) as Costs;
    const row = (name: string, figures: readonly number[], unit: string): BenchRow => ({
      area: 'frames',
      name: `${codec}, device at ${sampleRate} Hz, ${name}`,
      value: median(figures),
      unit,
    });
    rows.push(
      row(
        'processor time a frame',
        costs.map(({ microseconds }) => microseconds),
        'µs',
      ),
      row(
        'allocated a frame',
        costs.map(({ bytes }) => bytes),
        'bytes',
      ),
    );
  }
  return rows;
}
