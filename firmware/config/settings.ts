import {
  type Collection,
  fixedNames,
  type NamedPattern,
  type PlainKey,
  type SettingPattern,
  settingsSchema,
  type ValueOf,
} from './schema.ts';
import type { Setting, SettingValue } from './setting.ts';

/** A key taken apart: `line.1.aor` is the pattern `line.*.aor` and the name `1`. */
export interface SettingKey {
  readonly key: string;
  readonly pattern: SettingPattern;
  readonly name: string | undefined;
  readonly setting: Setting<SettingValue>;
}

/** One setting as people see it. */
export interface ShownSetting {
  readonly key: string;
  readonly value: string;
  readonly isDefault: boolean;
  readonly title: string;
  readonly unit: string;
  readonly secret: boolean;
  readonly restart: boolean;
}

/** Stands for a secret that is set, wherever it was not asked for. */
export const mask = '••••••';

/** Which process keeps a setting: the exchange has a database of its own. */
export type SettingStore = 'phone' | 'exchange';

/**
 * The values of all settings at one moment; never changed. Holds canonical texts by key for what is set, the schema's defaults for the
 * rest. `changes.ts` makes the next one.
 */
export class Settings {
  readonly #texts: ReadonlyMap<string, string>;

  constructor(texts: ReadonlyMap<string, string> = new Map()) {
    this.#texts = texts;
  }

  /** The value of a setting there is one of. */
  get<K extends PlainKey>(key: K): ValueOf<K>;
  /** The value of a setting of the line, door, alert or sound device `name`. */
  get<P extends NamedPattern>(pattern: P, name: string): ValueOf<P>;
  get<P extends SettingPattern>(pattern: P, name?: string): ValueOf<P> {
    const setting: Setting<SettingValue> = settingsSchema[pattern];
    const text = this.#texts.get(keyOf(pattern, name));
    const parsed = text === undefined ? undefined : setting.parse(text);
    // The schema's parse makes values of the schema's type.
    return (parsed?.ok ? parsed.value : setting.default) as ValueOf<P>;
  }

  /** Names of the lines, doors, alerts or sound devices of which anything is set, in order. */
  names(collection: Collection): readonly string[] {
    const fixed = fixedNames[collection];
    if (fixed) return fixed;
    const names = new Set<string>();
    for (const key of this.#texts.keys()) {
      const found = findSetting(key);
      if (found?.name !== undefined && key.startsWith(`${collection}.`)) names.add(found.name);
    }
    return [...names].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  }

  /** The canonical text of what is set; `undefined` means the default. */
  textOf(key: string): string | undefined {
    return this.#texts.get(key);
  }

  /** All that is set, in order of keys. */
  entries(): readonly (readonly [key: string, text: string])[] {
    return [...this.#texts].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Every setting of `store` whose key begins with `prefix`, in the schema's order, secrets masked unless `reveal`. */
  list(options: { prefix?: string; reveal?: boolean; store: SettingStore }): readonly ShownSetting[] {
    const { prefix = '', reveal = false, store } = options;
    const shown: ShownSetting[] = [];
    for (const pattern of patterns) {
      if (storeOf(pattern) !== store) continue;
      for (const key of this.#keysOf(pattern)) if (key.startsWith(prefix)) shown.push(this.#show(key, settingsSchema[pattern], reveal));
    }
    return shown.sort((a, b) => groupRank(a.key) - groupRank(b.key) || compareNames(a.key, b.key));
  }

  #keysOf(pattern: SettingPattern): readonly string[] {
    const [collection] = pattern.split('.*.', 2);
    if (!pattern.includes('*')) return [pattern];
    return this.names(collection as Collection).map((name) => keyOf(pattern, name));
  }

  #show(key: string, setting: Setting<SettingValue>, reveal: boolean): ShownSetting {
    const text = this.#texts.get(key);
    const secret = setting.kind === 'secret';
    const value = text ?? setting.format(setting.default);
    const { title, unit, restart } = setting;
    const hidden = secret && !reveal && value !== '';
    return { key, value: hidden ? mask : value, isDefault: text === undefined, title, unit, secret, restart };
  }
}

const patterns = Object.keys(settingsSchema) as readonly SettingPattern[];

/** The process whose database has the settings of this key or pattern. */
export function storeOf(key: string): SettingStore {
  return key.startsWith('exchange.') ? 'exchange' : 'phone';
}

/** The setting a key names; `undefined` when there is none. */
export function findSetting(key: string): SettingKey | undefined {
  const [collection = '', name = '', leaf = '', ...rest] = key.split('.');
  if (isPattern(key) && !key.includes('*')) return { key, pattern: key, name: undefined, setting: settingsSchema[key] };
  const pattern = `${collection}.*.${leaf}`;
  if (rest.length > 0 || !isPattern(pattern) || !/^[A-Za-z0-9][A-Za-z0-9-]{0,31}$/.test(name)) return undefined;
  const fixed = Object.hasOwn(fixedNames, collection) ? fixedNames[collection] : undefined;
  if (fixed && !fixed.includes(name)) return undefined;
  return { key, pattern, name, setting: settingsSchema[pattern] };
}

/** Keys and patterns most like `key`, for messages about unknown ones. */
export function similarKeys(key: string): readonly string[] {
  const [collection, name = ''] = key.split('.');
  const known = patterns.map((pattern) => (pattern.startsWith(`${collection}.*.`) && name !== '' ? keyOf(pattern, name) : pattern));
  return known
    .map((candidate) => ({ candidate, distance: editDistance(key.slice(0, 80).toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= 3)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

function isPattern(text: string): text is SettingPattern {
  return Object.hasOwn(settingsSchema, text);
}

function keyOf(pattern: SettingPattern, name: string | undefined): string {
  return name === undefined ? pattern : pattern.replace('*', name);
}

/** Where the group of a key first stands in the schema. */
function groupRank(key: string): number {
  const group = key.slice(0, key.indexOf('.') + 1);
  return patterns.findIndex((pattern) => pattern.startsWith(group));
}

function compareNames(a: string, b: string): number {
  const nameA = findSetting(a)?.name ?? '';
  const nameB = findSetting(b)?.name ?? '';
  return nameA.localeCompare(nameB, 'en', { numeric: true });
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
