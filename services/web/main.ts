import { join } from 'node:path';
import { pageSound } from '#firmware/contract/page-sound.ts';
import { runDaemon, socketPathOf } from '#firmware/platform/daemon.ts';
import { httpCheck } from '#firmware/platform/self-checks.ts';
import { type HttpServer, startHttpServer } from './http-server.ts';
import { PageSound } from './page-sound.ts';
import { PhoneLink } from './phone-link.ts';
import { soundLinesTo } from './sound-line.ts';

/** The pages and the API. Has no database and no device: everything is asked of phone, its own settings too. */
await runDaemon('web', async (daemon) => {
  let server: HttpServer | undefined;
  const phone = new PhoneLink(daemon, (status) => server?.publish(status));
  daemon.onStop('phone link', () => phone.stop());
  const { clock, logger } = daemon;
  // However long the phone takes, this daemon has started.
  daemon.ready();
  const settings = await phone.settings();
  const openLine = soundLinesTo(socketPathOf(daemon.runtimeDirectory, pageSound.socket));
  const sound = new PageSound({ allowed: settings.sound, clock, logger, openLine });
  const started = await startHttpServer({ ...settings, pages: join(import.meta.dirname, 'ui'), phone, sound, clock, logger });
  server = started;
  daemon.onStop('http server', () => started.stop());
  daemon.addHealthCheck('page', httpCheck({ address: settings.address, port: started.port }));
  logger.info('web-listening', { port: started.port });
});
