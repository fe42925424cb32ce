/**
 * `run.ts DIRECTORY CUTS`: with what scripts/lab/arm has put into the directory, runs the tests of test/lab/machine and those of tests that need
 * nothing but a processor, and cuts the power. The last line is `N passed, N failed`.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { messageOf } from '#firmware/core/errors.ts';
import { bundleTests } from './bundle.ts';
import { LabMachine } from './machine.ts';
import { cutPowerOften } from './power-cuts.ts';
import { type Outcome, TapReader } from './tap-reader.ts';

/** Pure tests that the processor, its arithmetic and its compiler could make fail; those that would take minutes under emulation stay out. */
const anyProcessor = [
  'test/contract/board.test.ts',
  'test/firmware/audio/g711.test.ts',
  'test/firmware/audio/g722.test.ts',
  'test/firmware/audio/tone.test.ts',
  'test/firmware/audio/wav.test.ts',
  'test/firmware/rtp/packet.test.ts',
];
const inMachine = testsIn('test/lab/machine', '.lab.ts');

const [directory = '', cuts = '0'] = process.argv.slice(2);
const work = mkdtempSync(join(tmpdir(), 'hookswitch-arm-run.'));
let passed = 0;
let failed = 0;

try {
  await testInMachine();
  await testSmallPrograms();
  count('power cuts', await cutPowerOften({ directory, work, cuts: Number(cuts), print }));
} finally {
  rmSync(work, { recursive: true, force: true });
}
print(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function testInMachine(): Promise<void> {
  const archive = join(work, 'tests.tar');
  const names = await archiveTests([...inMachine, ...anyProcessor], archive);
  const begun = performance.now();
  const machine = await firstMachine(archive);
  try {
    print(`arm64 machine: booted in ${seconds(begun)} s`);
    await machine.run('mkdir /usr/lib/hookswitch/lab && tar -x -C /usr/lib/hookswitch/lab -f /dev/vdb', print);
    for (const name of names) {
      await countTest(`arm64 ${name}`, async (tap) => {
        const status = await machine.run(`cd /usr/lib/hookswitch/lab && TAP_TIMEOUT=300 node ${name}`, (line) => tap.read(line));
        return tap.outcome(status);
      });
    }
  } finally {
    await machine.cutPower();
  }
}

/** Where none can be started, nothing of this can be tried: ends with 69, as scripts/lab/arm says. */
async function firstMachine(archive: string): Promise<LabMachine> {
  try {
    return await LabMachine.start({ image: directory, deterministic: true, archive });
  } catch (thrown) {
    print(`error: the emulated machine does not boot: ${messageOf(thrown)}`);
    rmSync(work, { recursive: true, force: true });
    process.exit(69);
  }
}

async function testSmallPrograms(): Promise<void> {
  const root = join(directory, 'armhf');
  const lab = join(root, 'usr/lib/hookswitch/lab');
  mkdirSync(lab, { recursive: true });
  const names = await bundleTests(['test/lab/machine/modules.lab.ts', ...anyProcessor], lab);
  for (const name of names) {
    await countTest(`armhf ${name}`, (tap) => runSmallProgram(tap, root, join(lab, name)));
  }
}

async function runSmallProgram(tap: TapReader, root: string, path: string): Promise<Outcome> {
  const child = spawn('qemu-arm-static', ['-L', root, join(root, 'usr/lib/hookswitch/bin/node'), path], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TAP_TIMEOUT: '300' },
  });
  for await (const line of createInterface(child.stdout)) tap.read(line);
  const status = child.exitCode ?? (await new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 1))));
  return tap.outcome(status);
}

/** What keeps time may fail on a machine that stood still for a moment: a file that fails has a second chance, which is said. */
async function countTest(title: string, run: (tap: TapReader) => Promise<Outcome>): Promise<void> {
  const first = await run(new TapReader());
  if (first.failed === 0) return count(title, first);
  for (const line of first.said) print(`        ${line}`);
  print(`        once more: ${title}`);
  count(title, await run(new TapReader()));
}

function testsIn(folder: string, end: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(end))
    .map((name) => `${folder}/${name}`);
}

async function archiveTests(paths: readonly string[], archive: string): Promise<string[]> {
  const folder = join(work, 'tests');
  const names = await bundleTests(paths, folder);
  execFileSync('tar', ['-c', '-C', folder, '-f', archive, '.']);
  // A disk has whole sectors.
  execFileSync('truncate', ['-s', '%1M', archive]);
  return names;
}

function count(title: string, outcome: Outcome): void {
  passed += outcome.passed;
  failed += outcome.failed;
  for (const line of outcome.said) print(`        ${line}`);
  print(`${outcome.failed === 0 ? 'ok     ' : 'FAILED '} ${title}: ${outcome.passed} passed, ${outcome.failed} failed`);
}

function print(line: string): void {
  console.log(line);
}

function seconds(begun: number): string {
  return ((performance.now() - begun) / 1000).toFixed(1);
}
