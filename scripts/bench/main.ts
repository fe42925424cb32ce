import { mkdtempSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { importBundled } from './bundled.ts';
import { callRows } from './calls.ts';
import { capacityRows } from './capacity.ts';
import { codecRows } from './codecs.ts';
import { cpuRows } from './cpu.ts';
import { deviceRows } from './device.ts';
import { frameRows } from './frames.ts';
import { latencyRows } from './latency.ts';
import { leakRows } from './leaks.ts';
import { liveStateRows } from './live-state.ts';
import type { BenchRow, BenchScope } from './row.ts';
import { rtpPacingRows } from './rtp-pacing.ts';
import type { sipMessageRows } from './sip-messages.ts';
import { srtpRows } from './srtp.ts';
import { voiceRows } from './voice.ts';

/**
 * `npm run bench [-- --json FILE] [--seconds 60] [AREA …]`: measures this machine and prints a table. Figures of shared machines are
 * proportions, and those of a busy one say little: the load average stands beside them.
 */

const areas: Readonly<Record<string, (scope: BenchScope) => Promise<readonly BenchRow[]> | readonly BenchRow[]>> = {
  messages: messageRows,
  srtp: srtpRows,
  state: liveStateRows,
  calls: callRows,
  device: deviceRows,
  codecs: codecRows,
  frames: frameRows,
  rtp: rtpPacingRows,
  cpu: cpuRows,
  capacity: capacityRows,
  latency: latencyRows,
  voice: voiceRows,
  leaks: leakRows,
};

const { values, positionals } = parseArgs({
  options: { json: { type: 'string' }, seconds: { type: 'string', default: '60' } },
  allowPositionals: true,
});
const unknown = positionals.filter((name) => !(name in areas));
if (unknown.length > 0) {
  console.error(`no such area: ${unknown.join(', ')}; there are ${Object.keys(areas).join(', ')}`);
  process.exit(2);
}

const scope: BenchScope = { seconds: Math.max(1, Number(values.seconds)) };
const rows: BenchRow[] = [];
for (const [name, measure] of Object.entries(areas)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  console.error(`measuring ${name} …`);
  const measured = await measure(scope);
  rows.push(...measured);
  print(measured);
  console.log(
    `  load average ${loadavg()
      .map((load) => load.toFixed(1))
      .join(', ')}`,
  );
}
const machine = { node: process.version, cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, at: new Date().toISOString() };
const file = values.json ?? join(mkdtempSync(join(tmpdir(), 'hookswitch-bench-')), 'bench.json');
writeFileSync(file, `${JSON.stringify({ machine, rows }, null, 2)}\n`);
console.log(`\n${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; as JSON in ${file}`);

/** In the form in which it runs on the device. */
async function messageRows(): Promise<readonly BenchRow[]> {
  const program = (await importBundled('sip-messages')) as { readonly sipMessageRows: typeof sipMessageRows };
  return await program.sipMessageRows();
}

function print(measured: readonly BenchRow[]): void {
  const width = Math.max(...measured.map(({ name }) => name.length));
  const texts = measured.map(({ value }) => (Number.isNaN(value) ? '–' : value.toLocaleString('en', { maximumSignificantDigits: 4 })));
  const valueWidth = Math.max(...texts.map(({ length }) => length));
  for (const [index, { name, unit }] of measured.entries()) {
    console.log(`  ${name.padEnd(width)}  ${texts[index]?.padStart(valueWidth)} ${unit}`);
  }
}
