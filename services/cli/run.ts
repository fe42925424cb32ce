import { createServer } from 'node:net';
import { extname, join } from 'node:path';
import type { Settings } from '#firmware/config/settings.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import { socketPathOf } from '#firmware/platform/daemon.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { createLogger, type LogLevel } from '#firmware/platform/pino-logger.ts';
import { isServed, listenOn } from '#firmware/platform/socket-path.ts';
import { nodeFlagsOf } from './node-flags.ts';
import { openSettings } from './offline-settings.ts';
import { makePlace, type Place } from './place.ts';
import { prettyLines } from './pretty-log.ts';
import { type Program, Supervisor } from './supervisor.ts';

export interface RunOptions {
  readonly pretty: boolean;
  readonly exchange: boolean;
  readonly logLevel: LogLevel | undefined;
}

/** `hookswitch run`: keeps all daemons of one data directory alive until SIGTERM or SIGINT. Resolves with the exit code. */
export async function run(place: Place, options: RunOptions): Promise<number> {
  makePlace(place);
  const lock = await lockPlace(place);
  try {
    const write = options.pretty ? await prettyWriter() : (line: string) => void process.stdout.write(`${line}\n`);
    const destination = { write: (line: string) => write(line.trimEnd()) };
    const logger = createLogger({ daemon: 'supervisor', level: options.logLevel ?? 'info', journal: false, destination });
    const settings = await readSettings(place, logger);
    const level = options.logLevel ?? settings.get('log.level');
    logger.setLevel(level);
    const supervisor = new Supervisor({
      programs: programsOf(options.exchange || settings.get('run.exchange'), options.logLevel ? ['--log-level', options.logLevel] : []),
      environment: {
        ...process.env,
        HOOKSWITCH_RUNTIME_DIR: place.runtimeDirectory,
        HOOKSWITCH_STATE_DIR: place.stateDirectory,
        HOOKSWITCH_LOG_LEVEL: level,
        // The supervisor's own journal stream is not the children's: their lines go through it.
        JOURNAL_STREAM: undefined,
      },
      clock: nodeClock,
      logger,
      onLine: write,
    });
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => supervisor.stop(signal));
    return await supervisor.run();
  } finally {
    lock.close();
  }
}

/** The daemons of a phone: leaves start first; phone stops first, so that calls end while sound, sockets and the exchange still work. */
function programsOf(exchange: boolean, options: readonly string[]): Program[] {
  const programs = [
    program('hal', 0, 3),
    program('media', 0, 3),
    ...(exchange ? [program('exchange', 1, 2)] : []),
    { ...program('phone', 2, 0), essential: true },
    program('web', 3, 1),
  ];
  return programs.map((found) => ({ ...found, args: [...found.args, ...options] }));
}

function program(name: string, startRank: number, stopRank: number): Program {
  // Beside this file: dist/services/NAME/main.js, or the sources when run from them.
  const main = join(import.meta.dirname, '..', name, `main${extname(import.meta.filename)}`);
  return {
    name,
    command: process.execPath,
    args: [...process.execArgv, ...nodeFlagsOf(name), main],
    startRank,
    stopRank,
    essential: false,
  };
}

/** Holds a socket as long as this process lives, which makes a second `run` on the same directory fail. */
async function lockPlace(place: Place): Promise<{ close(): void }> {
  const path = socketPathOf(place.runtimeDirectory, 'supervisor');
  const refusal = `hookswitch runs already on ${place.stateDirectory}`;
  if (await isServed(path)) throw new UsageError('runs-already', refusal);
  if (await isServed(socketPathOf(place.runtimeDirectory, 'phone'))) {
    throw new UsageError('runs-already', `a phone daemon without supervisor runs already on ${place.stateDirectory}`);
  }
  const listener = createServer((socket) => socket.destroy());
  await listenOn(listener, path);
  listener.unref();
  return listener;
}

async function readSettings(place: Place, logger: Logger): Promise<Settings> {
  const { repository, close } = await openSettings(place, 'phone', logger);
  await close();
  return repository.current;
}

async function prettyWriter(): Promise<(line: string) => void> {
  const format = await prettyLines(process.stdout.isTTY);
  return (line) => void process.stdout.write(format(line));
}
