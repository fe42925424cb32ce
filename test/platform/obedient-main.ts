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
  daemon.addHealthCheck('patient', async () => {
    if (how === 'ill') throw new ResourceError('fever');
    if (how === 'hanging') await new Promise(() => undefined);
  });
  if (how === 'waits-for-ever') {
    daemon.ready();
    await new Promise(() => undefined);
  }
  if (how === 'busy') setInterval(() => block(1_500), 1);
  if (how === 'child') daemon.logger.info('child-sees', { socket: process.env.NOTIFY_SOCKET ?? 'nothing' });
  if (how === 'throw-later') {
    setImmediate(() => {
      throw new TypeError('a bug');
    });
  }
  if (how === 'reject-later') void Promise.reject(new TypeError('a bug'));
});

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
