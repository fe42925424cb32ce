import { appendFileSync } from 'node:fs';
import { basename } from 'node:path';
import { runDaemon } from '#firmware/platform/daemon.ts';
import { createLogger } from '#firmware/platform/pino-logger.ts';

/**
 * A tiny daemon for the tests of the supervisor. Its name is its first argument unless that is an option, or the folder it is in; $FAKE_<NAME> says how it behaves; what it does goes to the
 * file $FAKE_JOURNAL too, which outlives a supervisor that was killed.
 */
const [name = basename(import.meta.dirname)] = process.argv[2]?.startsWith('-') ? [] : process.argv.splice(2, 1);
const behaviour = process.env[`FAKE_${name.toUpperCase()}`] ?? '';
const note = (what: string): void => appendFileSync(process.env.FAKE_JOURNAL ?? '/dev/null', `${name} ${what}\n`);

note('started');
if (behaviour === 'fail-at-once') process.exit(1);
if (behaviour === 'misconfigured') process.exit(2);
if (behaviour === 'noisy') {
  process.stdout.write('ALSA lib: no such card\n');
  process.stderr.write('terminate called\n');
}
if (behaviour === 'deaf') {
  const logger = createLogger({ daemon: name, level: 'info', journal: false });
  process.on('SIGTERM', () => note('ignored'));
  setInterval(() => undefined, 60_000);
  logger.info('daemon-started');
} else {
  await runDaemon(name, async (daemon) => {
    const held = setInterval(() => undefined, 60_000);
    daemon.onStop('everything', () => {
      clearInterval(held);
      note('stopped');
    });
  });
}
