/**
 * SQLite before 3.51.3 can lose what was written to a WAL when two connections reset it at the same time (sqlite.org/wal.html#walresetbug);
 * 3.44.6 and 3.50.7 have the cure too.
 * @internal
 */
export function hasWalResetBug(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  if (![major, minor, patch].every(Number.isInteger)) return true;
  if (major !== 3) return major < 3;
  if (minor === 44) return patch < 6;
  if (minor === 50) return patch < 7;
  return minor < 51 || (minor === 51 && patch < 3);
}

/**
 * Why a database must not be used with this SQLite; `undefined` when it may be. `lockingMode`: what `PRAGMA locking_mode` has answered:
 * where it is exclusive no second connection exists that the bug needs.
 */
export function walResetRefusal(version: string, lockingMode: string): string | undefined {
  if (lockingMode === 'exclusive' || !hasWalResetBug(version)) return undefined;
  return `SQLite ${version} may lose what two processes write (its WAL-reset bug), and this database cannot be locked to one: 3.51.3 or later is needed`;
}
