import { join } from 'node:path';
import { type PhoneStatus, phoneContract } from '#firmware/contract/phone.ts';
import { messageOf } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import { type Daemon, runDaemon, socketPathOf } from '#firmware/platform/daemon.ts';
import { type ContractLink, connectContract } from '#firmware/platform/unix-socket.ts';
import { type HttpServer, type PhoneCommands, startHttpServer } from './http-server.ts';

/** The pages and the API. Has no database and no device: everything is asked of phone, its own settings too. */
await runDaemon('web', async (daemon) => {
  const place = new Place(daemon);
  daemon.onStop('phone link', () => place.link.stop());
  await place.link.whenUp();
  const server = await startHttpServer({ ...(await place.settings()), ...placeOptions(daemon, place) });
  daemon.onStop('http server', () => server.stop());
  place.server = server;
  daemon.logger.info('web-listening', { port: server.port });
});

/** The link to phone and the last snapshot that came over it. */
class Place implements PhoneCommands {
  readonly link: ContractLink<typeof phoneContract>;
  readonly #logger: Logger;
  server: HttpServer | undefined;
  #status: PhoneStatus | undefined;

  constructor({ runtimeDirectory, clock, entropy, logger }: Daemon) {
    this.#logger = logger;
    this.link = connectContract(
      socketPathOf(runtimeDirectory, 'phone'),
      phoneContract,
      { status: (status) => this.#take(status) },
      { role: 'web', clock, entropy, logger, onUp: () => void this.#refresh(), onDown: () => this.#take(undefined) },
    );
  }

  get status(): PhoneStatus | undefined {
    return this.#status;
  }

  async command(name: string, args: object): Promise<unknown> {
    return await this.link.command(name as 'status', args);
  }

  async settings(): Promise<{ address: string; port: number; token: string }> {
    const { settings } = await this.link.command('listSettings', { prefix: 'web.', reveal: true });
    const textOf = (key: string) => settings.find((setting) => setting.key === key)?.value ?? '';
    return { address: textOf('web.address'), port: Number(textOf('web.port')), token: textOf('web.token') };
  }

  async #refresh(): Promise<void> {
    try {
      this.#take(await this.link.command('status', {}));
    } catch (thrown) {
      // The link went down again meanwhile: its next up asks anew.
      this.#logger.warn('web-status-not-read', { reason: messageOf(thrown) });
    }
  }

  #take(status: PhoneStatus | undefined): void {
    this.#status = status;
    this.server?.publish(status);
  }
}

function placeOptions({ clock, logger }: Daemon, phone: PhoneCommands) {
  return { pages: join(import.meta.dirname, 'ui'), phone, clock, logger };
}
