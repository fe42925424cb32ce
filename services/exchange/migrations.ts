import type { Migrations } from '#firmware/platform/sqlite-store.ts';
import { settingsTable } from '#services/phone/settings-repository.ts';

/** The exchange's database, version by version. Add at the end; never change what has been released. */
export const exchangeMigrations: Migrations = [
  [settingsTable],
  [
    // Proofs of passwords (H(A1) of RFC 7616) count within the realm they were made for.
    `CREATE TABLE users (
       name TEXT PRIMARY KEY, realm TEXT NOT NULL, sha256 TEXT NOT NULL, md5 TEXT NOT NULL, forward TEXT
     ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE bindings (
       user TEXT NOT NULL, uri TEXT NOT NULL, contact TEXT NOT NULL, call_id TEXT NOT NULL, sequence INTEGER NOT NULL,
       path TEXT NOT NULL, transport TEXT NOT NULL, address TEXT NOT NULL, port INTEGER NOT NULL, user_agent TEXT NOT NULL,
       granted_ms INTEGER NOT NULL, written_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
       PRIMARY KEY (user, uri)
     ) STRICT, WITHOUT ROWID`,
    'CREATE TABLE secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID',
  ],
];

/** The exchange's database in the state directory. */
export const exchangeDatabaseName = 'exchange.db';
