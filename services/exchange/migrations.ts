import type { Migrations } from '#firmware/platform/sqlite-store.ts';
import { settingsTable } from '#services/phone/settings-repository.ts';

/** The exchange's database, version by version. Add at the end; never change what has been released. */
export const exchangeMigrations: Migrations = [[settingsTable]];

/** The exchange's database in the state directory. */
export const exchangeDatabaseName = 'exchange.db';
