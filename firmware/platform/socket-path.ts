import { lstatSync, rmSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { ResourceError, UsageError } from '../core/errors.ts';

/** Bytes of a socket path the kernel takes, its final NUL aside. */
export const maximumSocketPath = 107;

/** Binds `listener` to `path`, which only its owner and group may open. */
export async function listenOn(listener: Server, path: string): Promise<void> {
  checkSocketPath(path);
  if (await isServed(path)) throw new ResourceError(`${path} is in use: the daemon runs already`);
  removeStale(path);
  await new Promise<void>((resolve, reject) => {
    listener.once('error', (error) => reject(new ResourceError(`cannot listen on ${path}: ${error.message}`)));
    listener.once('listening', resolve);
    // The file is made while listen() runs, so its mode is right from its first moment.
    const mask = process.umask(0o117);
    try {
      listener.listen(path);
    } finally {
      process.umask(mask);
    }
  });
}

function removeStale(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found && !found.isSocket()) throw new ResourceError(`${path} is no socket: it was not made by hookswitch`);
  rmSync(path, { force: true });
}

/** Whether somebody listens on `path`. */
export function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    // A socket we may not open is somebody's all the same.
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EACCES' || error.code === 'EAGAIN'));
  });
}

/** Throws UsageError for a path that the kernel would cut. */
export function checkSocketPath(path: string): void {
  const length = Buffer.byteLength(path);
  if (length <= maximumSocketPath) return;
  throw new UsageError(
    'path-too-long',
    `${path} has ${length} bytes, a socket path may have ${maximumSocketPath}: use a shorter directory`,
  );
}
