import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CoverageFuzzer, examine, slowness } from './coverage-fuzzer.ts';

/** Seconds for each target with a seed that is always the same; `scripts/test` gives each a minute more with another one beside all tests. */
const secondsEach = 3;
const foundFolder = join(import.meta.dirname, '../vectors/found');

const seed = Number(process.env.HOOKSWITCH_FUZZ_SEED ?? 3261);
const fuzzer = new CoverageFuzzer(seed);
// Coverage counts what is compiled from now on.
fuzzer.startCoverage();
const { fuzzTargets, validMessages } = await import('./fuzz-targets.ts');

t.test('nothing that coverage-guided fuzzing makes up throws, breaks a promise or takes more than 5 ms of CPU', async (t) => {
  for (const target of fuzzTargets) {
    const { runs, interesting, blocks, finding } = fuzzer.run(target, secondsEach * 1_000);
    t.comment(`${target.name}: ${runs} runs, ${interesting} interesting inputs, ${blocks} blocks, seed ${seed}`);
    t.equal(finding && `${finding.reason}\n${Buffer.from(finding.bytes).toString('base64')}`, undefined, target.name);
    t.ok(interesting > 5, 'it finds its way further in');
  }
  const slow = fuzzer.stopCoverage().map(({ target, bytes, reason }) => `${target}: ${reason}\n${Buffer.from(bytes).toString('base64')}`);
  t.strictSame(slow, [], 'and nothing is slow');
});

t.test('what fuzzing once found stays mended', async (t) => {
  for (const file of readdirSync(foundFolder)) {
    const target = fuzzTargets.find(({ name }) => file.startsWith(`${name}-`));
    const bytes = readFileSync(join(foundFolder, file));
    t.equal(target && examine(target, bytes)?.reason, undefined, file);
    t.equal(target && slowness(target, bytes)?.reason, undefined, `${file} is quick`);
    t.ok(target, 'of a target that there is');
  }
});

t.test('every prefix, one-octet deletion and flipped octet of 20 valid messages is taken or refused without harm', async (t) => {
  t.ok(validMessages.length >= 20);
  const [parse] = fuzzTargets;
  if (parse?.name !== 'parse') throw new Error('the first target is the parser');
  let inputs = 0;
  const failures: string[] = [];
  const attempt = (bytes: Uint8Array): void => {
    inputs++;
    const finding = examine(parse, bytes);
    if (finding) failures.push(`${finding.reason}\n${Buffer.from(bytes).toString('latin1')}`);
  };
  for (const bytes of validMessages) {
    for (let at = 0; at < bytes.length; at++) {
      attempt(bytes.slice(0, at));
      const shorter = new Uint8Array(bytes.length - 1);
      shorter.set(bytes.subarray(0, at));
      shorter.set(bytes.subarray(at + 1), at);
      attempt(shorter);
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      attempt(flipped);
      flipped[at] = 255 - (bytes[at] ?? 0);
      attempt(flipped);
    }
  }
  t.comment(`${inputs} inputs`);
  t.strictSame(failures.slice(0, 3), []);
});

t.test('64 KiB of whatever is worst for a target take less than 5 ms of CPU', async (t) => {
  const size = 65_536;
  for (const target of fuzzTargets) {
    // Each word of its grammar over and over, alone and behind a valid beginning cut anywhere.
    const slow: string[] = [];
    for (const word of target.words) {
      for (const beginning of ['', ...target.seeds.slice(0, 2).map((bytes) => Buffer.from(bytes).toString('latin1', 0, 60))]) {
        for (const unit of [word, `${word}a`, `a=${word},`, `;a${word}`, `${word}: x\r\n`]) {
          const text = (beginning + unit.repeat(Math.ceil(size / unit.length))).slice(0, size);
          const finding = slowness(target, Buffer.from(text, 'latin1'));
          if (finding) slow.push(`${finding.reason}: ${JSON.stringify(text.slice(0, 90))}`);
        }
      }
    }
    t.strictSame(slow, [], target.name);
  }
});
