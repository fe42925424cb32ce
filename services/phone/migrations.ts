import type { Migrations } from '#firmware/platform/sqlite-store.ts';
import { settingsTable } from './settings-repository.ts';

/** The phone's database, version by version. Add at the end; never change what has been released. */
export const phoneMigrations: Migrations = [[settingsTable]];

/** The phone's database in the state directory. */
export const phoneDatabaseName = 'phone.db';
