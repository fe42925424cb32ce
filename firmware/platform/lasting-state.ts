import { accessSync, constants, copyFileSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ResourceError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';

/** What doctor and status say of it; the disk itself is a finding of its own. */
export const protectedNotice = 'the disk is read-only: what changes is kept until the power goes';

/** Where the files of a daemon are that have to last. */
export interface LastingState {
  readonly directory: string;
  /** For people, when it is not where it should be. */
  readonly notice: string | undefined;
}

interface StatePlace {
  readonly name: string;
  readonly stateDirectory: string;
  readonly runtimeDirectory: string;
  readonly logger: Logger;
}

/**
 * The state directory; on a disk that may only be read (a worn-out card, or a system that is to be so) a copy of its files in the runtime
 * directory, which lasts from start to start until the power goes. Once the disk can be written again the copy is forgotten.
 */
export function lastingState({ name, stateDirectory, runtimeDirectory, logger }: StatePlace, isProtected = isReadOnlyDisk): LastingState {
  const copy = join(runtimeDirectory, `${name}.state`);
  if (!isProtected(stateDirectory)) {
    rmSync(copy, { recursive: true, force: true });
    return { directory: stateDirectory, notice: undefined };
  }
  if (!isOurs(copy)) {
    mkdirSync(copy, { mode: 0o700 });
    for (const entry of readdirSync(stateDirectory, { withFileTypes: true })) {
      if (entry.isFile()) copyFileSync(join(stateDirectory, entry.name), join(copy, entry.name));
    }
  }
  logger.error('disk-read-only', { stateDirectory, copy });
  return { directory: copy, notice: protectedNotice };
}

function isReadOnlyDisk(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return false;
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown && thrown.code === 'EROFS';
  }
}

/** The runtime directory is shared with daemons that face the network: what they put there is no state of ours. */
function isOurs(copy: string): boolean {
  const found = lstatSync(copy, { throwIfNoEntry: false });
  if (!found) return false;
  if (!found.isDirectory() || found.uid !== process.getuid?.()) throw new ResourceError(`${copy} was not made by this daemon`);
  return true;
}
