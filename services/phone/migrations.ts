import type { Migrations } from '#firmware/platform/sqlite-store.ts';
import { settingsTable } from './settings-repository.ts';

/** The phone's database, version by version. Add at the end; never change what has been released. */
export const phoneMigrations: Migrations = [
  [settingsTable],
  [
    `CREATE TABLE call_log (
       id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, direction TEXT NOT NULL, owner TEXT NOT NULL, line TEXT,
       remote TEXT NOT NULL, display_name TEXT NOT NULL, outcome TEXT NOT NULL, status_code INTEGER, seconds INTEGER NOT NULL
     ) STRICT`,
    `CREATE TABLE door_log (
       id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, door TEXT NOT NULL, event TEXT NOT NULL, by TEXT NOT NULL,
       via TEXT NOT NULL, detail TEXT NOT NULL
     ) STRICT`,
    `CREATE TABLE alerts (
       alert TEXT PRIMARY KEY, state TEXT NOT NULL, started_at INTEGER NOT NULL, round INTEGER NOT NULL, person INTEGER NOT NULL,
       attempts INTEGER NOT NULL, acknowledged_by TEXT
     ) STRICT, WITHOUT ROWID`,
    // Small numbers that outlive a restart, such as the count of missed calls.
    'CREATE TABLE tallies (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID',
  ],
  [
    `CREATE TABLE digit_habits (
       id INTEGER PRIMARY KEY AUTOINCREMENT, peer TEXT NOT NULL UNIQUE, info_format TEXT NOT NULL, info_accepted INTEGER NOT NULL,
       forms_refused INTEGER NOT NULL, heard_by TEXT
     ) STRICT`,
  ],
  [
    `CREATE TABLE texts (
       id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, direction TEXT NOT NULL, line TEXT, remote TEXT NOT NULL, display_name TEXT NOT NULL,
       text TEXT NOT NULL, status_code INTEGER
     ) STRICT`,
  ],
];

/** The phone's database in the state directory. */
export const phoneDatabaseName = 'phone.db';
