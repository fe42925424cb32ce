import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ResourceError } from '#firmware/core/errors.ts';
import { socketPathOf } from '#firmware/platform/daemon.ts';
import { maximumSocketPath } from '#firmware/platform/socket-path.ts';

/** Where one phone keeps its sockets and its databases. */
export interface Place {
  readonly runtimeDirectory: string;
  readonly stateDirectory: string;
  /** The exchange as a service has a user and a directory of its own. */
  readonly exchangeDirectory: string;
  /** The option that leads here again, for messages: ` --data DIR`, or empty. */
  readonly option: string;
}

/** The daemon with the longest name decides how long a runtime directory may be. */
const longestDaemonName = 'supervisor';

/**
 * The place that `--data` or the environment names; without both, that of the installed services. The CLI and the supervisor come to the
 * same answer, so a data directory is all that has to be said.
 */
export function findPlace(data: string | undefined, environment: NodeJS.ProcessEnv): Place {
  const directory = data ?? environment.HOOKSWITCH_DATA;
  if (!directory) {
    const stateDirectory = environment.HOOKSWITCH_STATE_DIR ?? '/var/lib/hookswitch';
    const runtimeDirectory = environment.HOOKSWITCH_RUNTIME_DIR ?? '/run/hookswitch';
    return { runtimeDirectory, stateDirectory, exchangeDirectory: `${stateDirectory}-exchange`, option: '' };
  }
  const stateDirectory = resolve(directory);
  const runtimeDirectory = runtimeDirectoryOf(stateDirectory, environment);
  return { runtimeDirectory, stateDirectory, exchangeDirectory: stateDirectory, option: ` --data ${directory}` };
}

/** Makes the directories of a place; the runtime directory lets nobody else in. */
export function makePlace(place: Place): void {
  makeStateDirectory(place.stateDirectory);
  mkdirSync(place.runtimeDirectory, { recursive: true, mode: 0o750 });
  const found = lstatSync(place.runtimeDirectory);
  // The short directory has a name that anybody can guess: another user may have made it before us.
  if (!found.isDirectory() || (process.getuid && found.uid !== process.getuid())) {
    throw new ResourceError(`${place.runtimeDirectory} belongs to somebody else`);
  }
}

/** Makes a directory for databases. */
export function makeStateDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o750 });
}

/** `DIR/run`, or a short directory made from its hash where that is too long for a Unix socket. */
function runtimeDirectoryOf(stateDirectory: string, environment: NodeJS.ProcessEnv): string {
  const inside = join(stateDirectory, 'run');
  if (Buffer.byteLength(socketPathOf(inside, longestDaemonName)) <= maximumSocketPath) return inside;
  const hash = createHash('sha256').update(stateDirectory).digest('hex').slice(0, 16);
  const base = environment.XDG_RUNTIME_DIR ?? tmpdir();
  return join(base, `hookswitch-${process.getuid?.() ?? 0}-${hash}`);
}
