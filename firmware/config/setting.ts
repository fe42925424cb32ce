/** Kinds of settings: how text becomes a value and a value text, with messages for people. */

/** Which daemon acts on a setting. */
export type SettingOwner = 'phone' | 'media' | 'hal' | 'web' | 'exchange' | 'supervisor';

/** What every setting says of itself. */
export interface SettingWords {
  readonly title: string;
  readonly description: string;
  readonly owner: SettingOwner;
  /** True when a change takes effect only once the owner has started anew. */
  readonly restart?: boolean;
}

export type Parsed<V> = { readonly ok: true; readonly value: V } | { readonly ok: false; readonly reason: string };

/** What a setting can hold. */
export type SettingValue = string | number | boolean | readonly string[];

/** One setting: its words, its default and its text form. `parse(format(v))` is `v`. */
export interface Setting<V extends SettingValue> extends Required<SettingWords> {
  readonly kind: 'text' | 'secret' | 'integer' | 'flag' | 'choice' | 'list' | 'duration';
  readonly default: V;
  /** `ms`, `s`, or empty. */
  readonly unit: string;
  /** What values may be, for people: `1–65535`, `udp, tcp`. */
  readonly allowed: string;
  parse(text: string): Parsed<V>;
  format(value: V): string;
}

/** Says what is wrong with a text, or nothing. */
export type Check = (text: string) => string | undefined;

const maximumTextLength = 1024;
const maximumListItems = 64;

export function text(words: SettingWords & { default?: string; check?: Check; allowed?: string }): Setting<string> {
  const parse = (text: string): Parsed<string> => checked(text.trim(), words.check);
  return { ...wordsOf(words), kind: 'text', default: words.default ?? '', unit: '', allowed: words.allowed ?? '', parse, format: String };
}

/** A text that no output shows unless it is asked for by name. Its spaces count. */
export function secret(words: SettingWords): Setting<string> {
  const parse = (text: string): Parsed<string> => checked(text);
  return { ...wordsOf(words), kind: 'secret', default: '', unit: '', allowed: '', parse, format: String };
}

export function integer(
  words: SettingWords & { default: number; minimum: number; maximum: number; oneOf?: readonly number[] },
): Setting<number> {
  const { minimum, maximum, oneOf } = words;
  const allowed = oneOf ? oneOf.join(', ') : `${minimum}–${maximum}`;
  const parse = (text: string): Parsed<number> => {
    const value = wholeNumber(text.trim());
    const fits = value !== undefined && (oneOf ? oneOf.includes(value) : value >= minimum && value <= maximum);
    return fits ? { ok: true, value } : { ok: false, reason: `must be ${oneOf ? 'one of' : 'a whole number in'} ${allowed}` };
  };
  return { ...wordsOf(words), kind: 'integer', default: words.default, unit: '', allowed, parse, format: String };
}

const flagWords = new Map([
  ['true', true],
  ['on', true],
  ['yes', true],
  ['1', true],
  ['false', false],
  ['off', false],
  ['no', false],
  ['0', false],
]);

export function flag(words: SettingWords & { default: boolean }): Setting<boolean> {
  const parse = (text: string): Parsed<boolean> => {
    const value = flagWords.get(text.trim().toLowerCase());
    return value === undefined ? { ok: false, reason: 'must be true or false' } : { ok: true, value };
  };
  return { ...wordsOf(words), kind: 'flag', default: words.default, unit: '', allowed: 'true, false', parse, format: String };
}

export function choice<const V extends string>(words: SettingWords & { choices: readonly V[]; default: NoInfer<V> }): Setting<V> {
  const allowed = words.choices.join(', ');
  const parse = (text: string): Parsed<V> => {
    const value = words.choices.find((known) => known.toLowerCase() === text.trim().toLowerCase());
    return value === undefined ? { ok: false, reason: `must be one of ${allowed}` } : { ok: true, value };
  };
  return { ...wordsOf(words), kind: 'choice', default: words.default, unit: '', allowed, parse, format: String };
}

/** Texts in order: `a, b, c`, or a JSON array when an item needs a comma. */
export function list(words: SettingWords & { default?: readonly string[]; check?: Check; allowed?: string }): Setting<readonly string[]> {
  const parse = (text: string): Parsed<readonly string[]> => {
    const items = itemsOf(text.trim());
    if (!items) return { ok: false, reason: 'must be texts with commas between, or a JSON array of texts' };
    if (items.length > maximumListItems) return { ok: false, reason: `may have at most ${maximumListItems} items` };
    for (const item of items) {
      const result = checked(item, words.check);
      if (!result.ok) return { ok: false, reason: `“${item.slice(0, 40)}”: ${result.reason}` };
    }
    return { ok: true, value: items };
  };
  return {
    ...wordsOf(words),
    kind: 'list',
    default: words.default ?? [],
    unit: '',
    allowed: words.allowed ?? '',
    parse,
    format: formatList,
  };
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time: a bare number of `unit`, or a number with its own unit such as `1.5 s`, `2 min`. The value is a number of `unit`. */
export function duration(words: SettingWords & { unit: 'ms' | 's'; default: number; minimum: number; maximum: number }): Setting<number> {
  const { unit, minimum, maximum } = words;
  const allowed = `${minimum}–${maximum} ${unit}`;
  const parse = (text: string): Parsed<number> => {
    const value = durationIn(unit, text.trim().toLowerCase());
    if (value === undefined) return { ok: false, reason: `must be a time such as ${words.default}, 500 ms, 2 s or 1 min` };
    return value >= minimum && value <= maximum ? { ok: true, value } : { ok: false, reason: `must be in ${allowed}` };
  };
  return { ...wordsOf(words), kind: 'duration', default: words.default, unit, allowed, parse, format: String };
}

function wordsOf(words: SettingWords): Required<SettingWords> {
  const { title, description, owner, restart = false } = words;
  return { title, description, owner, restart };
}

function checked(text: string, check?: Check): Parsed<string> {
  if (text.length > maximumTextLength) return { ok: false, reason: `may have at most ${maximumTextLength} characters` };
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 32 || code === 127) return { ok: false, reason: 'must not contain control characters' };
  }
  const problem = text === '' ? undefined : check?.(text);
  return problem === undefined ? { ok: true, value: text } : { ok: false, reason: problem };
}

function wholeNumber(text: string): number | undefined {
  return /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function durationIn(unit: 'ms' | 's', text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,3})?) ?(ms|s|min|h|d)?$/.exec(text);
  const given = unitMs[match?.[2] ?? unit];
  const wanted = unitMs[unit];
  if (!match || given === undefined || wanted === undefined) return undefined;
  // Whole units: a setting is never more exact than its unit.
  return Math.round((Number(match[1]) * given) / wanted);
}

function itemsOf(text: string): readonly string[] | undefined {
  if (text === '') return [];
  if (!text.startsWith('[')) {
    return text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  }
  try {
    const items: unknown = JSON.parse(text);
    return Array.isArray(items) && items.every((item) => typeof item === 'string' && item !== '') ? items : undefined;
  } catch {
    // `[2-9]xx` is a dial plan pattern, not JSON.
    return text.split(',').map((item) => item.trim());
  }
}

function formatList(items: readonly string[]): string {
  const joined = items.join(', ');
  const again = itemsOf(joined);
  return again?.length === items.length && again.every((item, i) => item === items[i]) ? joined : JSON.stringify(items);
}
