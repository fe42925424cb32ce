import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Clock, Milliseconds } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';

export interface LastGoodCopyParts {
  /** The database. */
  readonly path: string;
  /** Writes a whole, checked copy of the database into the empty file `target`. */
  readonly write: (target: string) => Promise<unknown>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A first change is followed by others: they go into one copy, ms. */
const gatherMs: Milliseconds = 10_000;
/** Memory cards wear out: copies are at least this far apart, but for the last one at an orderly stop, ms. */
const apartMs: Milliseconds = 3_600_000;

/**
 * The copy `DATABASE.good` beside a database, made anew after changes and put in place by a rename, so that there is always a whole one.
 *
 *     change ──10 s──► copy ──► fsync ──► rename      (the next one an hour later)
 */
export class LastGoodCopy {
  readonly #parts: LastGoodCopyParts;
  #timer: NodeJS.Timeout | undefined;
  #dirty = false;
  #madeAt = Number.NEGATIVE_INFINITY;
  /** Copies are made one after the other. */
  #turn: Promise<void> = Promise.resolve();

  constructor(parts: LastGoodCopyParts) {
    this.#parts = parts;
  }

  /** The database is sound; a copy that is missing or older is made. */
  start(): void {
    const good = statusOf(copyOf(this.#parts.path));
    const changed = [this.#parts.path, `${this.#parts.path}-wal`].map((file) => statusOf(file)?.mtimeMs ?? 0);
    if (!good || good.mtimeMs < Math.max(...changed)) this.changed();
  }

  /** Something was written to the database. */
  changed(): void {
    this.#dirty = true;
    if (this.#timer) return;
    const wait = Math.max(gatherMs, this.#madeAt + apartMs - this.#parts.clock.now());
    this.#timer = setTimeout(() => void this.make(), wait).unref();
  }

  /** Makes the copy now if anything has changed since the last. One that fails leaves the last as it is. */
  make(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#make());
    return this.#turn;
  }

  async #make(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#dirty) return;
    this.#dirty = false;
    const { path, write, clock, logger } = this.#parts;
    const fresh = `${path}.fresh`;
    try {
      rmSync(fresh, { force: true, recursive: true });
      writeFileSync(fresh, '', { mode: 0o600, flag: 'wx' });
      giveAs(fresh, statSync(path));
      await write(fresh);
      putInPlace(fresh, copyOf(path));
    } catch (thrown) {
      this.#dirty = true;
      rmSync(fresh, { force: true, recursive: true });
      logger.warn('database-copy-failed', { database: path, reason: messageOf(thrown) });
    }
    this.#madeAt = clock.now();
  }
}

/** Whether there is nothing where a database was. */
export function isLost(path: string): boolean {
  return (statusOf(path)?.size ?? 0) === 0 && hasCopy(path);
}

export function hasCopy(path: string): boolean {
  return (statusOf(copyOf(path))?.size ?? 0) > 0;
}

/** Puts the copy in the place of the database, which is kept as `DATABASE.damaged`; returns when the copy was made. May be cut off anywhere. */
export function restoreCopy(path: string): Date {
  const copy = statSync(copyOf(path));
  // The log first: what a damaged database left there must never be applied to the copy.
  for (const end of ['-wal', '-shm', '']) {
    if (statusOf(`${path}${end}`)) renameSync(`${path}${end}`, `${path}.damaged${end}`);
  }
  const fresh = `${path}.fresh`;
  copyFileSync(copyOf(path), fresh);
  chmodSync(fresh, 0o600);
  giveAs(fresh, copy);
  // As old as the copy, which is therefore not made again.
  utimesSync(fresh, copy.mtime, copy.mtime);
  putInPlace(fresh, path);
  return copy.mtime;
}

function copyOf(path: string): string {
  return `${path}.good`;
}

function statusOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

/** Root may be asked to open the database of a daemon's user. */
function giveAs(path: string, { uid, gid }: Stats): void {
  if (process.getuid?.() === 0) chownSync(path, uid, gid);
}

function putInPlace(fresh: string, path: string): void {
  syncFile(fresh);
  renameSync(fresh, path);
  syncFile(dirname(path));
}

function syncFile(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
