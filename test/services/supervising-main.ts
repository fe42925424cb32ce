import { silentLogger } from '#firmware/core/logger.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { Supervisor } from '#services/cli/supervisor.ts';

/** A process that supervises two fake daemons, for tests that kill it. Prints their log lines. */
const [main = ''] = process.argv.slice(2);
const program = (name: string, startRank: number) => ({
  name,
  command: process.execPath,
  args: [main, name],
  startRank,
  stopRank: 0,
  essential: false,
});

const supervisor = new Supervisor({
  programs: [program('leaf', 0), program('root', 1)],
  environment: process.env,
  clock: nodeClock,
  logger: silentLogger,
  onLine: (line) => process.stdout.write(`${line}\n`),
});
await supervisor.run();
