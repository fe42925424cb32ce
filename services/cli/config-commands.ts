import { readFile, writeFile } from 'node:fs/promises';
import { exportSettings, type SettingsRequest } from '#firmware/config/changes.ts';
import { findSetting, type SettingStore, similarKeys, storeOf } from '#firmware/config/settings.ts';
import { exchangeContract } from '#firmware/contract/exchange.ts';
import { phoneContract } from '#firmware/contract/phone.ts';
import { messageOf, ResourceError, UsageError } from '#firmware/core/errors.ts';
import type { LeveledLogger } from '#firmware/platform/pino-logger.ts';
import { NotRunningError, withContract } from './contract-call.ts';
import { openSettings } from './offline-settings.ts';
import type { Output } from './phone-commands.ts';
import type { Place } from './place.ts';
import { table } from './status-view.ts';
import { readAll } from './terminal.ts';

/** Where settings are read and changed: through the daemon that keeps them, or in its database while it does not run. */
export interface SettingsAccess {
  list(store: SettingStore, prefix: string, reveal: boolean): Promise<readonly Listed[]>;
  change(store: SettingStore, request: SettingsRequest): Promise<Changed>;
  import(document: string): Promise<Changed>;
  export(reveal: boolean): Promise<string>;
}

interface Listed {
  readonly key: string;
  readonly value: string;
  readonly isDefault: boolean;
}

interface Changed {
  readonly changed: readonly string[];
  readonly restartNeeded: readonly string[];
}

export async function configGet(access: SettingsAccess, key: string, options: { reveal: boolean }): Promise<Output> {
  checkKey(key);
  const found = (await access.list(storeOf(key), key, options.reveal)).find((setting) => setting.key === key);
  // A line or door of which nothing is set yet has its defaults all the same.
  return [found?.value ?? defaultOf(key)];
}

/** `KEY VALUE`, or any number of `KEY=VALUE`; a value `-` is read from stdin, so that a secret shows in no process list. */
export async function configSet(access: SettingsAccess, words: readonly string[]): Promise<Output> {
  // Without a prototype: `__proto__` is an unknown key like any other.
  const set: Record<string, string> = Object.create(null);
  for (const [key, value] of assignmentsOf(words)) {
    set[key] = value === '-' ? (await readAll(process.stdin)).replace(/\r?\n$/, '') : value;
  }
  return await changeWhereKept(access, set, []);
}

export async function configUnset(access: SettingsAccess, keys: readonly string[]): Promise<Output> {
  return await changeWhereKept(access, {}, keys);
}

export async function configList(
  access: SettingsAccess,
  prefix: string,
  options: { reveal: boolean; json: boolean; changed: boolean },
): Promise<Output> {
  const listed = prefix.startsWith('exchange') ? [] : [...(await access.list('phone', prefix, options.reveal))];
  if (prefix === '' || prefix.startsWith('exchange')) listed.push(...(await exchangeSettings(access, prefix, options.reveal)));
  const shown = options.changed ? listed.filter(({ isDefault }) => !isDefault) : listed;
  if (options.json) return [JSON.stringify(Object.fromEntries(shown.map(({ key, value }) => [key, value])), null, 2)];
  return table(shown.map(({ key, value, isDefault }) => [key, value || '–', isDefault ? '(default)' : '']));
}

export async function configImport(access: SettingsAccess, file: string): Promise<Output> {
  const document = file === '-' ? await readAll(process.stdin) : await readText(file);
  return changeLines(await access.import(document));
}

export async function configExport(access: SettingsAccess, file: string | undefined, options: { reveal: boolean }): Promise<Output> {
  const document = await access.export(options.reveal);
  if (file === undefined || file === '-') return [document.trimEnd()];
  try {
    await writeFile(file, document, { mode: 0o600 });
  } catch (thrown) {
    throw new ResourceError(`cannot write ${file}: ${messageOf(thrown)}`);
  }
  return [`written to ${file}`];
}

/** Settings through the running daemons. */
export function onlineSettings(place: Place): SettingsAccess {
  return {
    list: async (store, prefix, reveal) => {
      if (store === 'phone')
        return (await withContract(place, phoneContract, (phone) => phone.command('listSettings', { prefix, reveal }))).settings;
      const { settings } = await withContract(place, exchangeContract, (exchange) => exchange.command('listSettings', { reveal }));
      return settings.filter(({ key }) => key.startsWith(prefix));
    },
    change: async (store, { set, unset = [] }) => {
      if (store === 'phone') {
        return await withContract(place, phoneContract, (phone) => phone.command('changeSettings', { set: { ...set }, unset: [...unset] }));
      }
      const defaults = Object.fromEntries(unset.map((key) => [key, defaultOf(key)]));
      return await withContract(place, exchangeContract, (exchange) =>
        exchange.command('changeSettings', { set: { ...set, ...defaults } }),
      );
    },
    import: (document) => withContract(place, phoneContract, (phone) => phone.command('importSettings', { document })),
    export: async (reveal) => (await withContract(place, phoneContract, (phone) => phone.command('exportSettings', { reveal }))).document,
  };
}

/** Settings in the databases themselves, refused while the daemon that keeps them runs. */
export function offlineSettings(place: Place, logger: LeveledLogger): SettingsAccess {
  const opened = async <R>(store: SettingStore, use: (repository: OpenSettings) => Promise<R>): Promise<R> => {
    const { repository, close } = await openSettings(place, store, logger);
    try {
      return await use(repository);
    } finally {
      await close();
    }
  };
  return {
    list: (store, prefix, reveal) => opened(store, async ({ current }) => current.list({ store, prefix, reveal })),
    change: (store, request) => opened(store, async (repository) => notRunning(await repository.change(request))),
    import: (document) => opened('phone', async (repository) => notRunning(await repository.import(document))),
    export: (reveal) => opened('phone', async ({ current }) => exportSettings(current, { reveal })),
  };
}

/** What does not run needs no restart. */
function notRunning({ changed }: Changed): Changed {
  return { changed, restartNeeded: [] };
}

type OpenSettings = Awaited<ReturnType<typeof openSettings>>['repository'];

/** The exchange's settings for a list of all: none when it does not run and was not asked for. */
async function exchangeSettings(access: SettingsAccess, prefix: string, reveal: boolean): Promise<readonly Listed[]> {
  try {
    return await access.list('exchange', prefix, reveal);
  } catch (thrown) {
    if (prefix === '' && thrown instanceof NotRunningError) return [];
    throw thrown;
  }
}

/** All or none in each database; that of the exchange first, because the exchange is the one that may not run. */
async function changeWhereKept(access: SettingsAccess, set: Readonly<Record<string, string>>, unset: readonly string[]): Promise<Output> {
  for (const key of [...Object.keys(set), ...unset]) checkKey(key);
  const changed: string[] = [];
  const restartNeeded: string[] = [];
  for (const store of ['exchange', 'phone'] as const) {
    const own = Object.fromEntries(Object.entries(set).filter(([key]) => storeOf(key) === store));
    const ownUnset = unset.filter((key) => storeOf(key) === store);
    if (Object.keys(own).length + ownUnset.length === 0) continue;
    const change = await access.change(store, { set: own, unset: ownUnset });
    changed.push(...change.changed);
    restartNeeded.push(...change.restartNeeded);
  }
  return changeLines({ changed, restartNeeded });
}

function changeLines({ changed, restartNeeded }: Changed): string[] {
  return [
    changed.length > 0 ? `changed: ${changed.join(', ')}` : 'nothing changed',
    ...(restartNeeded.length > 0 ? [`takes effect after a restart: ${restartNeeded.join(', ')}`] : []),
  ];
}

function assignmentsOf(words: readonly string[]): readonly (readonly [key: string, value: string])[] {
  const [first = '', second] = words;
  if (words.length === 2 && second !== undefined && !first.includes('=')) return [[first, second]];
  return words.map((word) => {
    const at = word.indexOf('=');
    if (at < 1) throw new UsageError('usage', `${word}: say KEY VALUE, or KEY=VALUE for each setting`);
    return [word.slice(0, at), word.slice(at + 1)];
  });
}

function checkKey(key: string): void {
  if (findSetting(key)) return;
  const similar = similarKeys(key);
  throw new UsageError('unknown-setting', `unknown setting ${key}${similar.length > 0 ? `; did you mean ${similar.join(' or ')}?` : ''}`);
}

function defaultOf(key: string): string {
  const setting = findSetting(key)?.setting;
  return setting ? setting.format(setting.default) : '';
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (thrown) {
    throw new ResourceError(`cannot read ${file}: ${messageOf(thrown)}`);
  }
}
