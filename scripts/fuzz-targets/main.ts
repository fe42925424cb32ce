import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CoverageFuzzer } from '#test/fuzz/coverage-fuzzer.ts';

/** `scripts/fuzz [TARGET] [SECONDS]`: fuzzes one target or all; a finding goes to test/vectors/found, where the tests run it for ever. */

const folder = join(import.meta.dirname, '../../test/vectors/found');
const words = process.argv.slice(2);
const seconds = Number(words.find((word) => /^\d+$/.test(word)) ?? 60);
const name = words.find((word) => !/^\d+$/.test(word));
const seed = Number(process.env.HOOKSWITCH_FUZZ_SEED ?? Date.now()) >>> 0;

const fuzzer = new CoverageFuzzer(seed);
fuzzer.startCoverage();
const { fuzzTargets } = await import('#test/fuzz/fuzz-targets.ts');
const chosen = fuzzTargets.filter((target) => name === undefined || target.name === name);
if (chosen.length === 0) {
  console.error(`no such target: ${name}; there are ${fuzzTargets.map((target) => target.name).join(', ')}`);
  process.exit(2);
}
const found = chosen.flatMap((target) => {
  const { runs, interesting, blocks, finding } = fuzzer.run(target, seconds * 1_000);
  console.log(`${target.name}: ${runs} runs in ${seconds} s, ${interesting} interesting inputs, ${blocks} blocks, seed ${seed}`);
  return finding ?? [];
});
for (const { target, bytes, reason } of [...found, ...fuzzer.stopCoverage()]) {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${target}-${createHash('sha256').update(bytes).digest('hex').slice(0, 12)}.bin`);
  writeFileSync(file, bytes);
  console.error(`${target}: ${reason}\nkept in ${file}`);
  process.exitCode = 1;
}
