import { changeSettings, importSettings, type SettingsChange, type SettingsRequest } from '#firmware/config/changes.ts';
import { findSetting, type SettingStore, Settings, storeOf } from '#firmware/config/settings.ts';
import type { Logger } from '#firmware/core/logger.ts';
import type { SqliteStore } from '#firmware/platform/sqlite-store.ts';

/** For the first migration of a database that keeps settings. */
export const settingsTable = 'CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID';

/** The settings of one process: read once, changed in a transaction, always at hand as a snapshot. */
export class SettingsRepository {
  readonly #database: SqliteStore;
  readonly #store: SettingStore;
  #settings: Settings;
  /** Changes wait for one another: each is computed from what the one before has made. */
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(database: SqliteStore, store: SettingStore, settings: Settings) {
    this.#database = database;
    this.#store = store;
    this.#settings = settings;
  }

  /** Reads the settings. Rows this firmware does not understand stay in the database, unused, with a line in the log. */
  static async load(database: SqliteStore, store: SettingStore, logger: Logger): Promise<SettingsRepository> {
    const texts = new Map<string, string>();
    for (const row of await database.all('SELECT key, value FROM settings')) {
      const key = String(row.key);
      const problem = storedProblem(key, String(row.value), store);
      if (problem) logger.warn('setting-ignored', { setting: key, reason: problem });
      else texts.set(key, String(row.value));
    }
    return new SettingsRepository(database, store, new Settings(texts));
  }

  get current(): Settings {
    return this.#settings;
  }

  /** Sets and unsets all or nothing; on disk once it resolves. Throws UsageError for what is wrong. */
  change(request: SettingsRequest): Promise<SettingsChange> {
    return this.#apply(() => changeSettings(this.#settings, request, this.#store));
  }

  /** Takes over an exported document; what it does not name goes back to its default. */
  import(document: string): Promise<SettingsChange> {
    return this.#apply(() => importSettings(this.#settings, document, this.#store));
  }

  #apply(compute: () => SettingsChange): Promise<SettingsChange> {
    const turn = this.#tail.then(async () => {
      const change = compute();
      if (change.writes.length > 0) await this.#write(change);
      this.#settings = change.next;
      return change;
    });
    this.#tail = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }

  async #write(change: SettingsChange): Promise<void> {
    await this.#database.transaction(async (statements) => {
      for (const [key, text] of change.writes) {
        if (text === null) await statements.run('DELETE FROM settings WHERE key = ?', [key]);
        else
          await statements.run('INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value', [
            key,
            text,
          ]);
      }
    });
  }
}

function storedProblem(key: string, text: string, store: SettingStore): string | undefined {
  const found = findSetting(key);
  if (!found) return 'this firmware has no such setting';
  if (storeOf(key) !== store) return `it belongs to the ${storeOf(key)}`;
  const parsed = found.setting.parse(text);
  return parsed.ok ? undefined : parsed.reason;
}
