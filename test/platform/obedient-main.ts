import { ResourceError } from '#firmware/core/errors.ts';
import { runDaemon } from '#firmware/platform/daemon.ts';

/** A daemon that does what $FAKE_DAEMON says, for the tests of what all daemons share. */
const how = process.env.FAKE_DAEMON;

await runDaemon('fake', async (daemon) => {
  if (how === 'no-start') throw new ResourceError('port 5060 is taken');
  // Holds the event loop, as a socket would.
  const held = setInterval(() => undefined, 60_000);
  daemon.onStop('first', () => {
    clearInterval(held);
    daemon.logger.info('step-first');
  });
  daemon.onStop('second', async () => {
    if (how === 'failing-step') throw new TypeError('a bug');
    await new Promise((resolve) => setImmediate(resolve));
    daemon.logger.info('step-second');
  });
  if (how === 'throw-later') {
    setImmediate(() => {
      throw new TypeError('a bug');
    });
  }
  if (how === 'reject-later') void Promise.reject(new TypeError('a bug'));
});
