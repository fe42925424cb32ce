import { join } from 'node:path';
import type { SettingStore } from '#firmware/config/settings.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import { socketPathOf } from '#firmware/platform/daemon.ts';
import { openStore } from '#firmware/platform/sqlite-store.ts';
import { isServed } from '#firmware/platform/unix-socket.ts';
import { exchangeDatabaseName, exchangeMigrations } from '#services/exchange/migrations.ts';
import { phoneDatabaseName, phoneMigrations } from '#services/phone/migrations.ts';
import { SettingsRepository } from '#services/phone/settings-repository.ts';
import { makePlace, type Place } from './place.ts';

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
  makePlace(place);
  const { name, migrations } = databases[store];
  const database = await openStore(join(place.stateDirectory, name), migrations);
  try {
    return { repository: await SettingsRepository.load(database, store, logger), close: () => database.close() };
  } catch (thrown) {
    await database.close();
    throw thrown;
  }
}
