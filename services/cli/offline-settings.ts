import { chownSync, closeSync, existsSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SettingStore } from '#firmware/config/settings.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import { socketPathOf } from '#firmware/platform/daemon.ts';
import { DeviceKey } from '#firmware/platform/device-key.ts';
import { isServed } from '#firmware/platform/socket-path.ts';
import { openStore } from '#firmware/platform/sqlite-store.ts';
import { exchangeDatabaseName, exchangeMigrations } from '#services/exchange/migrations.ts';
import { phoneDatabaseName, phoneMigrations } from '#services/phone/migrations.ts';
import { SettingsRepository } from '#services/phone/settings-repository.ts';
import { makeStateDirectory, type Place } from './place.ts';

const databases = {
  phone: { name: phoneDatabaseName, migrations: phoneMigrations },
  exchange: { name: exchangeDatabaseName, migrations: exchangeMigrations },
};

/** Opens the settings in the database itself, for provisioning before the first start. Refused while the daemon runs: it alone writes. */
export async function openSettings(
  place: Place,
  store: SettingStore,
  logger: Logger,
): Promise<{ repository: SettingsRepository; close: () => Promise<void> }> {
  if (await isServed(socketPathOf(place.runtimeDirectory, store))) {
    throw new UsageError('runs-already', `the ${store} daemon runs: leave out --offline`);
  }
  const { name, migrations } = databases[store];
  const directory = store === 'exchange' ? place.exchangeDirectory : place.stateDirectory;
  makeStateDirectory(directory);
  const path = join(directory, name);
  giveToOwner(path, directory);
  const database = await openStore(path, migrations, logger);
  try {
    return { repository: await SettingsRepository.load(database, store, DeviceKey.load(directory), logger), close: () => database.close() };
  } catch (thrown) {
    await database.close();
    throw thrown;
  }
}

/** A database that root makes belongs to whom its directory belongs to: the user of the daemon, who could not open it otherwise. */
function giveToOwner(path: string, directory: string): void {
  if (process.getuid?.() !== 0 || existsSync(path)) return;
  const { uid, gid } = statSync(directory);
  closeSync(openSync(path, 'wx', 0o600));
  chownSync(path, uid, gid);
}
