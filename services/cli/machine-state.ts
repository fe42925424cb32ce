import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

/** What the machine under the phone tells of itself. */
export interface MachineState {
  readonly memory: { readonly availableBytes: number; readonly totalBytes: number };
  /** °C of the processor, where something measures it. */
  readonly temperature: number | undefined;
  /** What the firmware of a Raspberry Pi saw of its power and heat, bit by bit; 0 elsewhere. */
  readonly throttled: number;
  /** Whether the network has set the clock; `undefined` where nobody knows. */
  readonly clockSynchronised: boolean | undefined;
  /** The state directory is in memory: all that is set is gone at the next boot. */
  readonly stateForgotten: boolean;
  readonly sqlite: string;
}

/** How the machine is asked; nothing of it need be there. */
export interface MachineSource {
  file(path: string): string | undefined;
  output(program: string, argv: readonly string[]): Promise<string | undefined>;
}

const run = promisify(execFile);

/** This machine. */
const thisMachine: MachineSource = {
  file(path) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      // Most machines have only some of it.
      return undefined;
    }
  },
  async output(program, argv) {
    try {
      return (await run(program, [...argv], { timeout: 5_000 })).stdout;
    } catch {
      // Not there, or it has nothing to say here.
      return undefined;
    }
  },
};

export async function machineState(stateDirectory: string, source: MachineSource = thisMachine): Promise<MachineState> {
  const { sqliteVersion } = await import('#firmware/platform/sqlite-store.ts');
  const memory = source.file('/proc/meminfo') ?? '';
  const temperature = Number.parseInt(source.file('/sys/class/thermal/thermal_zone0/temp') ?? '', 10) / 1000;
  const synchronised = (await source.output('timedatectl', ['show', '--property=NTPSynchronized', '--value']))?.trim();
  return {
    memory: { availableBytes: kilobytes(memory, 'MemAvailable') * 1024, totalBytes: kilobytes(memory, 'MemTotal') * 1024 },
    temperature: Number.isFinite(temperature) ? temperature : undefined,
    throttled: await throttledOf(source),
    clockSynchronised: synchronised === undefined || synchronised === '' ? undefined : synchronised === 'yes',
    stateForgotten: isForgotten(stateDirectory, source.file('/proc/self/mounts') ?? '', source.file('/proc/cmdline') ?? ''),
    sqlite: sqliteVersion,
  };
}

function kilobytes(memory: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(memory)?.[1] ?? Number.POSITIVE_INFINITY);
}

/** By the program of Raspberry Pi OS, or by the kernel, which tells root and others alike. */
async function throttledOf(source: MachineSource): Promise<number> {
  const told = /throttled=0x([0-9a-f]+)/.exec((await source.output('vcgencmd', ['get_throttled'])) ?? '')?.[1];
  const bits = told ?? source.file('/sys/devices/platform/soc/soc:firmware/get_throttled')?.trim() ?? '';
  return Number.parseInt(bits, 16) || 0;
}

/** A container's overlay is kept, that of a protected root is not. */
function isForgotten(path: string, mounts: string, commandLine: string): boolean {
  const { type } = mountOf(path, mounts);
  return type === 'tmpfs' || (type === 'overlay' && /\b(overlayroot=tmpfs|boot=overlay)/.test(commandLine));
}

/** Type and flags of the mount that holds the path: the longest that begins it. */
export function mountOf(path: string, mounts: string): { readonly type: string; readonly flags: readonly string[] } {
  const [, , type = '', flags = ''] =
    mounts
      .split('\n')
      .map((line) => line.split(' '))
      .filter(([, point = '']) => point === '/' || path === point || path.startsWith(`${point}/`))
      .sort(([, a = ''], [, b = '']) => b.length - a.length)[0] ?? [];
  return { type, flags: flags.split(',') };
}
