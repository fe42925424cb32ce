import { changeSettings, importSettings, type SettingsChange, type SettingsRequest } from '#firmware/config/changes.ts';
import { findSetting, type SettingStore, Settings, storeOf } from '#firmware/config/settings.ts';
import type { Logger } from '#firmware/core/logger.ts';
import { DeviceKey } from '#firmware/platform/device-key.ts';
import type { SqliteStore } from '#firmware/platform/sqlite-store.ts';

/** For the first migration of a database that keeps settings. */
export const settingsTable = 'CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID';

/** The settings of one process: read once, changed in a transaction, always at hand as a snapshot. Secrets are sealed in the database. */
export class SettingsRepository {
  readonly #database: SqliteStore;
  readonly #store: SettingStore;
  readonly #key: DeviceKey;
  /** Secrets that another device key sealed; they stay in the database until they are set anew. */
  readonly #unreadable: Set<string>;
  #settings: Settings;
  /** Changes wait for one another: each is computed from what the one before has made. */
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(parts: { database: SqliteStore; store: SettingStore; key: DeviceKey; settings: Settings; unreadable: Set<string> }) {
    this.#database = parts.database;
    this.#store = parts.store;
    this.#key = parts.key;
    this.#settings = parts.settings;
    this.#unreadable = parts.unreadable;
  }

  /** Reads the settings. Rows this firmware does not understand stay in the database, unused, with a line in the log; plain secrets are sealed. */
  static async load(database: SqliteStore, store: SettingStore, key: DeviceKey, logger: Logger): Promise<SettingsRepository> {
    const texts = new Map<string, string>();
    const unreadable = new Set<string>();
    const plain: string[] = [];
    for (const row of await database.all('SELECT key, value FROM settings')) {
      const setting = String(row.key);
      const stored = String(row.value);
      const text = isSecret(setting) && DeviceKey.isSealed(stored) ? key.open(setting, stored) : stored;
      if (text === undefined) unreadable.add(setting);
      const problem = text === undefined ? sealedElsewhere(key) : storedProblem(setting, text, store);
      if (problem) logger.warn('setting-ignored', { setting, reason: problem });
      else if (text !== undefined) texts.set(setting, text);
      if (!problem && isSecret(setting) && text === stored) plain.push(setting);
    }
    const repository = new SettingsRepository({ database, store, key, settings: new Settings(texts), unreadable });
    if (plain.length > 0) {
      await repository.#write(plain.map((setting) => [setting, texts.get(setting) ?? null] as const));
      await database.compact();
      logger.info('settings-sealed', { settings: plain });
    }
    return repository;
  }

  /** What somebody should know and mend, in plain words. */
  get notices(): string[] {
    const names = [...this.#unreadable].sort();
    return names.length === 0 ? [] : [`${names.join(', ')} cannot be read: ${sealedElsewhere(this.#key)}`];
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
      if (change.writes.length > 0) await this.#write(change.writes);
      this.#settings = change.next;
      for (const [key] of change.writes) this.#unreadable.delete(key);
      return change;
    });
    this.#tail = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }

  async #write(writes: SettingsChange['writes']): Promise<void> {
    await this.#database.transaction(async (statements) => {
      for (const [key, text] of writes) {
        if (text === null) await statements.run('DELETE FROM settings WHERE key = ?', [key]);
        else
          await statements.run('INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value', [
            key,
            isSecret(key) ? this.#key.seal(key, text) : text,
          ]);
      }
    });
  }
}

function isSecret(key: string): boolean {
  return findSetting(key)?.setting.kind === 'secret';
}

function sealedElsewhere(key: DeviceKey): string {
  return `it was encrypted with another device key than ${key.path}: put that one back there and start again, or set it anew`;
}

function storedProblem(key: string, text: string, store: SettingStore): string | undefined {
  const found = findSetting(key);
  if (!found) return 'this firmware has no such setting';
  if (storeOf(key) !== store) return `it belongs to the ${storeOf(key)}`;
  const parsed = found.setting.parse(text);
  return parsed.ok ? undefined : parsed.reason;
}
