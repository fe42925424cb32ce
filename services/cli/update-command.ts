import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf, ResourceError, UsageError } from '#firmware/core/errors.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { vitalSigns } from './examination.ts';
import { type Health, HealthWatch, healthOf } from './health.ts';
import { bringPackage, isSignedBy } from './package-source.ts';
import type { Place } from './place.ts';
import { type PackageFacts, refusalOfMachine, refusalOfPackage, type UpdateMachine } from './update-judgement.ts';

export interface UpdateOptions {
  readonly force: boolean;
  /** Seconds that the new version has to be as well as the one before. */
  readonly within: number;
  /** Says what is being done. */
  readonly say: (line: string) => void;
}

const run = promisify(execFile);
const directory = '/var/lib/hookswitch-update';
/** The owner's key goes before the one that came with the package. */
const keyPaths = ['/etc/hookswitch/release.pub', '/usr/lib/hookswitch/release.pub'];
const installerPath = '/usr/lib/hookswitch/update-install';
const unit = 'hookswitch-update.service';
const at = (name: string): string => join(directory, name);

/** Updates the installed package from a signed one. Resolves once it is done or undone; whether it was done. */
export async function update(place: Place, source: string, options: UpdateOptions): Promise<boolean> {
  const machine = await lookAtMachine(place);
  refuse(refusalOfMachine(machine));
  const key = keyPaths.find((path) => existsSync(path));
  if (key === undefined) throw new UsageError('no-key', `no key to verify with: put the public key of your releases at ${keyPaths[0]}`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  const fresh = at('incoming.deb');
  try {
    options.say(`fetching ${source}`);
    await bringPackage(source, fresh);
    if (!isSignedBy(fresh, key)) throw new UsageError('bad-signature', `the signature is not by ${key}: nothing is installed`);
    const facts = await factsOf(fresh);
    refuse(refusalOfPackage(facts, machine, await orderOf(facts.version, machine.version ?? ''), options.force));
    options.say(`${machine.version} is replaced by ${facts.version}; the log: journalctl -fu hookswitch-update`);
    renameSync(fresh, at('next.deb'));
  } finally {
    rmSync(fresh, { force: true });
    rmSync(`${fresh}.sig`, { force: true });
  }
  writeFileSync(at('before.json'), JSON.stringify(healthOf(await vitalSigns(place))));
  writeFileSync(at('within'), `${options.within}\n`);
  return await begin('prepared', options.say);
}

/** Puts the version before the last update back, with the settings and logs of that time. */
export async function undoUpdate(place: Place, say: (line: string) => void): Promise<boolean> {
  refuse(refusalOfMachine(await lookAtMachine(place)));
  if (!existsSync(at('previous.deb'))) throw new UsageError('nothing-kept', 'no version from before an update is kept here');
  writeFileSync(at('reason'), 'asked for\n');
  return await begin('returning', say);
}

/** What works now, as JSON; with the file of such a description, what of it works no more, once `seconds` have not mended it. */
export async function health(
  place: Place,
  since: string | undefined,
  seconds: number,
): Promise<{ lines: readonly string[]; trouble: boolean }> {
  if (since === undefined) return { lines: [await describeHealth(place)], trouble: false };
  const lines = await watchHealth(place, since, seconds);
  return { lines, trouble: lines.length > 0 };
}

/** What the doctor's eyes see at once, as JSON for `watchHealth` to compare with. */
async function describeHealth(place: Place): Promise<string> {
  return JSON.stringify(healthOf(await vitalSigns(place)), null, 2);
}

/** Waits until the phone is as well as `file` says it was. Empty when it is, otherwise why not. */
async function watchHealth(place: Place, file: string, seconds: number): Promise<readonly string[]> {
  const watch = new HealthWatch(readHealth(file), nodeClock.now() + 1_000 * seconds);
  for (;;) {
    const health = healthOf(await vitalSigns(place));
    const verdict = watch.look(nodeClock.now(), health);
    if (verdict === 'well') return [];
    if (verdict === 'ill') return watch.reasons;
    await wait(1_000);
  }
}

function readHealth(file: string): Health {
  const empty: Health = { version: '', daemons: [], registered: [], sound: [], faults: [], generation: '' };
  try {
    // An earlier version may have written it: what it did not know counts for nothing.
    return { ...empty, ...(JSON.parse(readFileSync(file, 'utf8')) as Partial<Health>) };
  } catch (thrown) {
    throw new UsageError('usage', `${file} is not what hookswitch health writes: ${messageOf(thrown)}`);
  }
}

function refuse(reason: string | undefined): void {
  if (reason !== undefined) throw new UsageError('refused', reason);
}

/** Hands over to the installer, which outlives this process, and waits for it. */
async function begin(phase: string, say: (line: string) => void): Promise<boolean> {
  // A copy: what installs is not replaced by what it installs.
  copyFileSync(installerPath, at('install'));
  rmSync(at('outcome'), { force: true });
  writeFileSync(at('phase'), `${phase}\n`, { flush: true });
  try {
    await run('systemctl', ['start', unit]);
  } catch {
    // It ends so when it could not do what was asked; the outcome says why.
  }
  if (!existsSync(at('outcome')))
    throw new ResourceError(`it did not come to an end: journalctl -u ${unit}; the next boot goes on with it`);
  const [outcome = '', ...reasons] = readFileSync(at('outcome'), 'utf8').trim().split('\n');
  say(
    `${{ updated: 'updated', returned: 'the version before is back' }[outcome] ?? 'nothing was changed'}${reasons.map((text) => `: ${text}`).join('')}`,
  );
  return outcome === (phase === 'prepared' ? 'updated' : 'returned');
}

async function lookAtMachine(place: Place): Promise<UpdateMachine> {
  const { status } = await vitalSigns(place);
  const { bavail, bsize } = statfsSync(dirname(directory));
  return {
    isRoot: process.getuid?.() === 0,
    version: await installedVersion(),
    architecture: (await outputOf('dpkg', '--print-architecture')).trim(),
    root: rootKind(readFileSync('/proc/self/mounts', 'utf8'), readFileSync('/proc/cmdline', 'utf8')),
    freeBytes: bavail * bsize,
    callsOn: status?.calls.length ?? 0,
    isUpdating: existsSync(at('phase')),
  };
}

/** By the table of mounts and the command line of the kernel. @internal */
export function rootKind(mounts: string, commandLine: string): UpdateMachine['root'] {
  const [, , type, flags = ''] =
    mounts
      .split('\n')
      .map((line) => line.split(' '))
      .findLast(([, point]) => point === '/') ?? [];
  if (type === 'overlay' && /\b(overlayroot=|boot=overlay)/.test(commandLine)) return 'forgotten';
  return flags.split(',').includes('ro') ? 'read-only' : 'kept';
}

async function installedVersion(): Promise<string | undefined> {
  try {
    const fields = (await outputOf('dpkg-query', '--status', 'hookswitch')).split('\n');
    const field = (name: string) => fields.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    return field('Status')?.endsWith(' installed') ? field('Version') : undefined;
  } catch {
    // It says so when it knows no such package, or is not there at all.
    return undefined;
  }
}

async function factsOf(path: string): Promise<PackageFacts> {
  const field = async (name: string): Promise<string> => (await outputOf('dpkg-deb', '--field', path, name)).trim();
  return { name: await field('Package'), version: await field('Version'), architecture: await field('Architecture') };
}

async function orderOf(version: string, installed: string): Promise<'later' | 'same' | 'earlier'> {
  if (version === installed) return 'same';
  try {
    await run('dpkg', ['--compare-versions', version, 'gt', installed]);
    return 'later';
  } catch {
    // Its exit code is the answer.
    return 'earlier';
  }
}

async function outputOf(program: string, ...args: string[]): Promise<string> {
  return (await run(program, args)).stdout;
}
