import { accessSync, constants } from 'node:fs';
import type { Contract } from '#firmware/contract/contract.ts';
import { ResourceError } from '#firmware/core/errors.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { socketPathOf } from '#firmware/platform/daemon.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { isServed } from '#firmware/platform/socket-path.ts';
import { type ContractLink, connectContract } from '#firmware/platform/unix-socket.ts';
import type { Place } from './place.ts';

/** The daemon that a command needs does not run. */
export class NotRunningError extends ResourceError {}

/** Commands the daemon that serves `contract` and hangs up. Throws NotRunningError when nobody is there. */
export async function withContract<C extends Contract, R>(
  place: Place,
  contract: C,
  use: (link: ContractLink<C>) => Promise<R>,
): Promise<R> {
  const path = socketPathOf(place.runtimeDirectory, contract.name);
  if (!(await isServed(path))) {
    const advice = contract.name === 'exchange' ? ` --exchange` : '';
    throw new NotRunningError(
      `the ${contract.name} daemon does not run (nobody listens on ${path}); start it with: hookswitch run${place.option}${advice}`,
    );
  }
  if (!mayOpen(path)) throw new ResourceError(`you may not use ${path}: ask for the group that owns it, or use sudo`);
  const link = connectContract(
    path,
    contract,
    {},
    { role: 'cli', clock: nodeClock, entropy: nodeEntropy, logger: silentLogger, once: true },
  );
  try {
    await link.whenUp();
    return await use(link);
  } finally {
    await link.stop();
  }
}

/** Connecting to a socket needs the right to write its file. */
function mayOpen(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    // Gone since it was probed, or not ours to write: both end in the same refusal.
    return false;
  }
}
