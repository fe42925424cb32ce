import { type PhoneStatus, phoneContract } from '#firmware/contract/phone.ts';
import { messageOf } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import { type Daemon, socketPathOf } from '#firmware/platform/daemon.ts';
import { type ContractLink, connectContract } from '#firmware/platform/unix-socket.ts';
import type { PhoneCommands } from './http-server.ts';

/** The link to phone and the last snapshot that came over it. */
export class PhoneLink implements PhoneCommands {
  readonly #link: ContractLink<typeof phoneContract>;
  readonly #logger: Logger;
  readonly #onStatus: (status: PhoneStatus | undefined) => void;
  #status: PhoneStatus | undefined;

  /** `onStatus` hears every new snapshot, and `undefined` when phone goes away. */
  constructor({ runtimeDirectory, clock, entropy, logger }: Daemon, onStatus: (status: PhoneStatus | undefined) => void) {
    this.#logger = logger;
    this.#onStatus = onStatus;
    this.#link = connectContract(
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
    return await this.#link.command(name as 'status', args);
  }

  /** The web service's own settings; waits for phone, which keeps them. */
  async settings(): Promise<{ address: string; port: number; token: string; sound: boolean }> {
    await this.#link.whenUp();
    const { settings } = await this.#link.command('listSettings', { prefix: 'web.', reveal: true });
    const textOf = (key: string) => settings.find((setting) => setting.key === key)?.value ?? '';
    return {
      address: textOf('web.address'),
      port: Number(textOf('web.port')),
      token: textOf('web.token'),
      sound: textOf('web.sound') === 'true',
    };
  }

  async stop(): Promise<void> {
    await this.#link.stop();
  }

  async #refresh(): Promise<void> {
    try {
      this.#take(await this.#link.command('status', {}));
    } catch (thrown) {
      // The link went down again meanwhile: its next up asks anew.
      this.#logger.warn('web-status-not-read', { reason: messageOf(thrown) });
    }
  }

  #take(status: PhoneStatus | undefined): void {
    this.#status = status;
    this.#onStatus(status);
  }
}
