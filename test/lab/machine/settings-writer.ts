/**
 * `settings-writer DIRECTORY`: opens the phone's database there, says `found N` with the number of the last change in it, once SQLite finds it
 * whole, and then makes change after change, saying `acknowledged N` after each, until the power goes.
 */
import { join } from 'node:path';
import { silentLogger } from '#firmware/core/logger.ts';
import { DeviceKey } from '#firmware/platform/device-key.ts';
import { openStore } from '#firmware/platform/sqlite-store.ts';
import { phoneMigrations } from '#services/phone/migrations.ts';
import { SettingsRepository } from '#services/phone/settings-repository.ts';

const directory = process.argv[2] ?? '.';
const database = await openStore(join(directory, 'phone.db'), phoneMigrations, silentLogger);
const sound = await database.get('PRAGMA quick_check');
if (database.restored) throw new Error(`the database had to be restored: ${database.restored.reason}`);
if (sound?.quick_check !== 'ok') throw new Error(`quick_check: ${JSON.stringify(sound)}`);
const repository = await SettingsRepository.load(database, 'phone', DeviceKey.load(directory), silentLogger);
if (repository.notices.length > 0) throw new Error(repository.notices.join());

// A secret of the same number goes into the same change: both or neither.
const written = repository.current.textOf('line.1.displayName');
const secret = repository.current.textOf('line.1.password');
if (written !== undefined && secret !== `secret-${written}`) throw new Error(`half a change: ${written} and ${secret}`);
const found = Number(written ?? 0);
console.log(`found ${found}`);
for (let change = found + 1; ; change++) {
  await repository.change({
    set: { 'line.1.aor': 'sip:100@example.org', 'line.1.displayName': String(change), 'line.1.password': `secret-${change}` },
  });
  console.log(`acknowledged ${change}`);
}
