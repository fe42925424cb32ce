import { changeSettings, importSettings, type SettingsChange, type SettingsRequest } from '#firmware/config/changes.ts';
import type { Settings } from '#firmware/config/settings.ts';
import type { BoardProfile } from '#firmware/contract/hal.ts';
import { messageOf, UsageError } from '#firmware/core/errors.ts';
import { type DeviceCertificate, type PhoneSettings, phoneSettingsOf } from '#firmware/phone/phone-settings.ts';
import type { LeveledLogger } from '#firmware/platform/pino-logger.ts';
import { emptyBoard, loadBoardProfile } from './board-profiles.ts';
import type { SettingsRepository } from './settings-repository.ts';

/** What a change came to, for whoever asked. */
export interface ChangeOutcome {
  readonly changed: string[];
  readonly restartNeeded: string[];
}

/** The settings with the board profile they name, and the phone that follows them. */
export class SettingsKeeper {
  readonly #repository: SettingsRepository;
  readonly #logger: LeveledLogger;
  readonly #apply: (settings: PhoneSettings) => void;
  #board: BoardProfile = emptyBoard;
  #certificate: DeviceCertificate | null = null;

  /** `apply` is called with the settings as they are from now on. */
  constructor(repository: SettingsRepository, logger: LeveledLogger, apply: (settings: PhoneSettings) => void) {
    this.#repository = repository;
    this.#logger = logger;
    this.#apply = apply;
  }

  get current(): Settings {
    return this.#repository.current;
  }

  get phoneSettings(): PhoneSettings {
    return phoneSettingsOf(this.current, this.#board, this.#certificate);
  }

  /** What the device shows in handshakes between media ports. */
  useCertificate(certificate: DeviceCertificate): void {
    this.#certificate = certificate;
  }

  /** Reads the board profile. Without a good one the phone has no keys but still takes and makes calls. */
  async start(): Promise<void> {
    this.#logger.setLevel(this.current.get('log.level'));
    try {
      this.#board = await loadBoardProfile(this.current.get('board.profile'));
    } catch (thrown) {
      if (!(thrown instanceof UsageError)) throw thrown;
      this.#logger.error('board-profile-not-usable', { reason: messageOf(thrown) });
    }
  }

  /** Takes everything up anew as at the start: the files that settings name may be other ones now. */
  async reload(): Promise<void> {
    await this.start();
    this.#apply(this.phoneSettings);
  }

  async change(request: SettingsRequest): Promise<ChangeOutcome> {
    const planned = changeSettings(this.current, request, 'phone');
    return await this.#take(planned, () => this.#repository.change(request));
  }

  async import(document: string): Promise<ChangeOutcome> {
    const planned = importSettings(this.current, document, 'phone');
    return await this.#take(planned, () => this.#repository.import(document));
  }

  /** A board profile that cannot be read is refused before anything is stored. */
  async #take(planned: SettingsChange, store: () => Promise<SettingsChange>): Promise<ChangeOutcome> {
    const board = planned.changed.includes('board.profile') ? await loadBoardProfile(planned.next.get('board.profile')) : this.#board;
    const { changed, restartNeeded } = await store();
    this.#board = board;
    this.#logger.setLevel(this.current.get('log.level'));
    if (changed.length > 0) this.#apply(this.phoneSettings);
    return { changed: [...changed], restartNeeded: [...restartNeeded] };
  }
}
