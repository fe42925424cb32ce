import { closeSync, openSync } from 'node:fs';
import sqlite3 from 'sqlite3';
import { InvariantError, messageOf, ResourceError } from '../core/errors.ts';
import { type Logger, silentLogger } from '../core/logger.ts';
import { hasCopy, isLost, LastGoodCopy, restoreCopy } from './last-good-copy.ts';
import { nodeClock } from './node-clock.ts';
import { walResetRefusal } from './wal-reset.ts';

export type SqlValue = string | number | null | Uint8Array;
export type Row = Readonly<Record<string, SqlValue>>;

/** What may be asked of a database, inside a transaction or not. */
export interface Statements {
  run(sql: string, values?: readonly SqlValue[]): Promise<{ readonly changes: number; readonly lastId: number }>;
  all(sql: string, values?: readonly SqlValue[]): Promise<readonly Row[]>;
  get(sql: string, values?: readonly SqlValue[]): Promise<Row | undefined>;
}

/** A database that one process writes. Calls are carried out one after the other, in the order they were made. */
export interface SqliteStore extends Statements {
  /** All of `work` or nothing. `work` must use the statements it is given: calls on the store itself wait until it has ended. */
  transaction<T>(work: (statements: Statements) => Promise<T>): Promise<T>;
  /** Writes the database anew without what was deleted or replaced, which else stays readable in its file. */
  compact(): Promise<void>;
  /** Set when the database was damaged and its last good copy is in its place. */
  readonly restored: Restored | undefined;
  /** Waits for what was asked before, makes the last good copy, then closes. */
  close(): Promise<void>;
}

/** How a database came to be its last good copy. */
export interface Restored {
  readonly reason: string;
  readonly copiedAt: Date;
}

/** The statements that take a database from version `n - 1` to `n`; migration 1 stands first. Never changed once released. */
export type Migrations = readonly (readonly string[])[];

/** Of the library that opens databases here. */
export const sqliteVersion: string = sqlite3.VERSION;

/** Calls that may wait at once; more than that means that the disk no longer keeps up. */
const maximumWaiting = 2000;
const busyTimeoutMs = 5000;

/** The file holds no database any more. */
class DamageError extends ResourceError {}

/**
 * Opens or makes the database `path` (mode 0600: it holds secrets), checks it and migrates it. One that is damaged or lost is replaced by its
 * last good copy. Throws ResourceError when there is none, and when it comes from a newer firmware, another process has it open, or it cannot
 * be opened.
 */
export async function openStore(path: string, migrations: Migrations, logger: Logger = silentLogger): Promise<SqliteStore> {
  try {
    if (isLost(path)) throw new DamageError(`the database ${path} is lost`);
    return await openSound(path, migrations, logger, undefined);
  } catch (thrown) {
    if (!(thrown instanceof DamageError) || !hasCopy(path)) throw thrown;
    const restored = { reason: thrown.message, copiedAt: restoreCopy(path) };
    const store = await openSound(path, migrations, logger, restored);
    logger.error('database-restored', { reason: restored.reason, copiedAt: restored.copiedAt.toISOString(), kept: `${path}.damaged` });
    return store;
  }
}

async function openSound(path: string, migrations: Migrations, logger: Logger, restored: Restored | undefined): Promise<SqliteStore> {
  const store = new Store(path, await openDatabase(path), logger, restored);
  try {
    await store.configure();
    await store.check();
    await store.migrate(migrations);
  } catch (thrown) {
    await store.abandon();
    throw thrown;
  }
  store.startCopies();
  return store;
}

async function openDatabase(path: string): Promise<sqlite3.Database> {
  try {
    // Made by us first, so that nobody else can read it even for a moment; SQLite gives its WAL files the same mode.
    closeSync(openSync(path, 'a', 0o600));
  } catch (thrown) {
    throw new ResourceError(`cannot open the database ${path}: ${messageOf(thrown)}`);
  }
  return await new Promise((resolve, reject) => {
    const database: sqlite3.Database = new sqlite3.Database(path, sqlite3.OPEN_READWRITE, (error) => {
      if (error) reject(failureOf(path, error));
      else resolve(database);
    });
  });
}

function failureOf(path: string, error: Error): ResourceError {
  if (/SQLITE_(?:NOTADB|CORRUPT)/.test(error.message)) return new DamageError(`the database ${path} is damaged: ${error.message}`);
  if (error.message.includes('SQLITE_BUSY')) return new ResourceError(`the database ${path} is in use by another process`);
  return new ResourceError(`database ${path}: ${error.message}`);
}

class Store implements SqliteStore {
  readonly #path: string;
  readonly #database: sqlite3.Database;
  /** Ends when all that was asked so far has been done. */
  #tail: Promise<unknown> = Promise.resolve();
  readonly restored: Restored | undefined;
  readonly #copy: LastGoodCopy;
  #waiting = 0;
  #closed = false;

  constructor(path: string, database: sqlite3.Database, logger: Logger, restored: Restored | undefined) {
    this.#path = path;
    this.#database = database;
    this.restored = restored;
    const write = (target: string) => this.#queued(() => this.#run('VACUUM INTO ?', [target]));
    this.#copy = new LastGoodCopy({ path, write, clock: nodeClock, logger });
  }

  startCopies(): void {
    this.#copy.start();
  }

  async run(sql: string, values: readonly SqlValue[] = []): Promise<{ changes: number; lastId: number }> {
    const outcome = await this.#queued(() => this.#run(sql, values));
    this.#copy.changed();
    return outcome;
  }

  all(sql: string, values: readonly SqlValue[] = []): Promise<readonly Row[]> {
    return this.#queued(() => this.#all(sql, values));
  }

  async get(sql: string, values: readonly SqlValue[] = []): Promise<Row | undefined> {
    return (await this.all(sql, values))[0];
  }

  async transaction<T>(work: (statements: Statements) => Promise<T>): Promise<T> {
    const result = await this.#queued(() => this.#transaction(work));
    this.#copy.changed();
    return result;
  }

  async compact(): Promise<void> {
    await this.run('VACUUM');
    await this.all('PRAGMA wal_checkpoint(TRUNCATE)');
    await this.#copy.make();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#copy.make();
    await this.abandon();
  }

  /** Closes without a copy. */
  async abandon(): Promise<void> {
    if (this.#closed) return;
    const closing = this.#queued(
      () =>
        new Promise<void>((resolve, reject) => this.#database.close((error) => (error ? reject(failureOf(this.#path, error)) : resolve()))),
    );
    this.#closed = true;
    await closing;
  }

  async configure(): Promise<void> {
    // Exclusive: another process, a second writer by mistake, is refused (docs/decisions/0008).
    const pragmas = [
      ...[`busy_timeout = ${busyTimeoutMs}`, 'locking_mode = EXCLUSIVE', 'journal_mode = WAL', 'synchronous = FULL'],
      ...['foreign_keys = ON', 'secure_delete = ON'],
    ];
    const answers: Row[] = [];
    for (const pragma of pragmas) answers.push(...(await this.#all(`PRAGMA ${pragma}`, [])));
    const mode = answers.find((row) => 'locking_mode' in row)?.locking_mode;
    const [{ version } = { version: null }] = await this.#all('SELECT sqlite_version() AS version', []);
    const refusal = walResetRefusal(String(version), String(mode));
    if (refusal !== undefined) throw new ResourceError(refusal);
  }

  async check(): Promise<void> {
    const rows = await this.#all('PRAGMA quick_check(3)', []);
    const problems = rows.map((row) => String(row.quick_check)).filter((text) => text !== 'ok');
    if (problems.length > 0) throw new DamageError(`the database ${this.#path} is damaged: ${problems.join('; ')}`);
  }

  async migrate(migrations: Migrations): Promise<void> {
    const version = Number((await this.#all('PRAGMA user_version', []))[0]?.user_version);
    if (version > migrations.length) {
      const message = `the database ${this.#path} has version ${version}, this firmware knows ${migrations.length}: it was written by a newer one`;
      throw new ResourceError(message);
    }
    for (const [index, statements] of migrations.entries()) {
      if (index < version) continue;
      await this.#transaction(async (within) => {
        for (const sql of statements) await within.run(sql);
        await within.run(`PRAGMA user_version = ${index + 1}`);
      });
    }
  }

  async #transaction<T>(work: (statements: Statements) => Promise<T>): Promise<T> {
    await this.#run('BEGIN IMMEDIATE', []);
    try {
      const result = await work({
        run: (sql, values = []) => this.#run(sql, values),
        all: (sql, values = []) => this.#all(sql, values),
        get: async (sql, values = []) => (await this.#all(sql, values))[0],
      });
      await this.#run('COMMIT', []);
      return result;
    } catch (thrown) {
      await this.#rollBack();
      throw thrown;
    }
  }

  /** SQLite rolls back by itself after some errors (full disk), and then has no transaction to roll back. */
  async #rollBack(): Promise<void> {
    try {
      await this.#run('ROLLBACK', []);
    } catch (thrown) {
      if (!messageOf(thrown).includes('no transaction is active')) throw thrown;
    }
  }

  async #queued<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new InvariantError(`the database ${this.#path} was closed`);
    if (this.#waiting >= maximumWaiting) throw new ResourceError(`the database ${this.#path} does not keep up`);
    this.#waiting++;
    const turn = this.#tail.then(work);
    // What follows runs whether this succeeds or fails; its caller gets the error.
    this.#tail = turn.then(
      () => undefined,
      () => undefined,
    );
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }

  #run(sql: string, values: readonly SqlValue[]): Promise<{ changes: number; lastId: number }> {
    const path = this.#path;
    return new Promise((resolve, reject) => {
      this.#database.run(sql, [...values], function (this: sqlite3.RunResult, error: Error | null) {
        if (error) reject(failureOf(path, error));
        else resolve({ changes: this.changes, lastId: this.lastID });
      });
    });
  }

  #all(sql: string, values: readonly SqlValue[]): Promise<readonly Row[]> {
    return new Promise((resolve, reject) => {
      this.#database.all<Row>(sql, [...values], (error, rows) => (error ? reject(failureOf(this.#path, error)) : resolve(rows)));
    });
  }
}
