import { UsageError } from '../core/errors.ts';
import { findSetting, mask, type SettingStore, Settings, similarKeys, storeOf } from './settings.ts';

/** What a change of settings comes to, before anything is stored. */
export interface SettingsChange {
  readonly next: Settings;
  /** Keys whose value is another now, sorted. */
  readonly changed: readonly string[];
  /** Those of them that take effect only once their daemon has started anew. */
  readonly restartNeeded: readonly string[];
  /** What to write: a text, or `null` to go back to the default. */
  readonly writes: readonly (readonly [key: string, text: string | null])[];
}

export interface SettingsRequest {
  readonly set: Readonly<Record<string, string>>;
  readonly unset?: readonly string[];
}

/** Version of the exported document; rises when an older firmware would misread it. */
const documentVersion = 1;
const documentFormat = 'hookswitch-settings';
/** Settings one device may have: lines, doors and alerts are few. */
const maximumSettings = 2000;

/**
 * What `request` makes of `settings`, all or nothing. A secret that is set to the mask stays as it is, so that a form or a document
 * which never saw it can be sent back. Throws UsageError that names every problem.
 */
export function changeSettings(settings: Settings, request: SettingsRequest, store: SettingStore): SettingsChange {
  const problems: string[] = [];
  const writes = new Map<string, string | null>();
  for (const key of request.unset ?? []) {
    const problem = problemOfKey(key, store);
    if (problem) problems.push(problem);
    else if (settings.textOf(key) !== undefined) writes.set(key, null);
  }
  for (const [key, text] of Object.entries(request.set)) {
    const problem = problemOfKey(key, store) ?? takeText(settings, key, text, writes);
    if (problem) problems.push(problem);
  }
  if (problems.length === 0) problems.push(...problemsBetween(applied(settings, writes), writes));
  if (problems.length > 0) throw new UsageError('invalid-setting', problems.slice(0, 20).join('; '));
  return summary(settings, writes);
}

/** All that is set, as JSON with a version. Secrets are masked unless `reveal`; masked ones stay as they are when it is imported. */
export function exportSettings(settings: Settings, options: { reveal?: boolean } = {}): string {
  const values: [string, string][] = settings.entries().map(([key, text]) => {
    const secret = findSetting(key)?.setting.kind === 'secret';
    return [key, secret && !options.reveal ? mask : text];
  });
  return `${JSON.stringify({ format: documentFormat, version: documentVersion, settings: Object.fromEntries(values) }, null, 2)}\n`;
}

/** What importing `document` comes to: settings it does not name go back to their defaults. Throws UsageError. */
export function importSettings(settings: Settings, document: string, store: SettingStore): SettingsChange {
  const set = settingsOfDocument(document);
  const unset = settings.entries().flatMap(([key]) => (Object.hasOwn(set, key) ? [] : [key]));
  return changeSettings(settings, { set, unset }, store);
}

function settingsOfDocument(document: string): Record<string, string> {
  let value: unknown;
  try {
    value = JSON.parse(document);
  } catch {
    throw new UsageError('invalid-document', 'the document is not valid JSON');
  }
  if (!isRecord(value) || value.format !== documentFormat || !isRecord(value.settings)) {
    throw new UsageError('invalid-document', `the document is not an export of settings: "format" is not "${documentFormat}"`);
  }
  if (value.version !== documentVersion) {
    throw new UsageError('invalid-document', `the document has version ${String(value.version)}, this firmware reads ${documentVersion}`);
  }
  const texts: Record<string, string> = Object.create(null);
  for (const [key, text] of Object.entries(value.settings)) {
    if (typeof text !== 'string') throw new UsageError('invalid-document', `${key.slice(0, 80)}: the value is not a text`);
    texts[key] = text;
  }
  return texts;
}

function problemOfKey(key: string, store: SettingStore): string | undefined {
  if (!findSetting(key)) {
    const similar = similarKeys(key);
    return `unknown setting ${key.slice(0, 80)}${similar.length > 0 ? `; did you mean ${similar.join(' or ')}?` : ''}`;
  }
  return storeOf(key) === store ? undefined : `${key} belongs to the ${storeOf(key)}, not to the ${store}`;
}

/** Parses and keeps what differs from now; returns what is wrong. */
function takeText(settings: Settings, key: string, text: string, writes: Map<string, string | null>): string | undefined {
  const setting = findSetting(key)?.setting;
  if (!setting || (setting.kind === 'secret' && text === mask)) return undefined;
  const parsed = setting.parse(text);
  if (!parsed.ok) return `${key} ${parsed.reason}`;
  const canonical = setting.format(parsed.value);
  if (canonical === settings.textOf(key)) writes.delete(key);
  else writes.set(key, canonical);
  return undefined;
}

/** Rules that two settings make together; looked at only when one of them is being changed. */
function problemsBetween(next: Settings, writes: ReadonlyMap<string, string | null>): string[] {
  const problems: string[] = [];
  const ordered = [
    ['rtp.portFrom', 'rtp.portTo'],
    ['jitterBuffer.minimumMs', 'jitterBuffer.maximumMs'],
    ['exchange.minimumExpires', 'exchange.maximumExpires'],
    ['exchange.rtpPortFrom', 'exchange.rtpPortTo'],
  ] as const;
  for (const [low, high] of ordered) {
    if ((writes.has(low) || writes.has(high)) && next.get(low) > next.get(high)) problems.push(`${low} must not be above ${high}`);
  }
  const everywhere = next.get('web.address') !== '127.0.0.1' && next.get('web.address') !== '::1';
  if ((writes.has('web.address') || writes.has('web.token')) && everywhere && next.get('web.token') === '') {
    problems.push('web.address opens the page to the network: set web.token too');
  }
  if (next.entries().length > maximumSettings) problems.push(`there may be at most ${maximumSettings} settings`);
  return problems;
}

function applied(settings: Settings, writes: ReadonlyMap<string, string | null>): Settings {
  const texts = new Map(settings.entries());
  for (const [key, text] of writes) {
    if (text === null) texts.delete(key);
    else texts.set(key, text);
  }
  return new Settings(texts);
}

function summary(settings: Settings, writes: ReadonlyMap<string, string | null>): SettingsChange {
  const changed = [...writes.keys()].filter((key) => effective(settings, key) !== writtenOrDefault(key, writes.get(key))).sort();
  return {
    next: applied(settings, writes),
    changed,
    restartNeeded: changed.filter((key) => findSetting(key)?.setting.restart),
    writes: [...writes],
  };
}

function effective(settings: Settings, key: string): string | undefined {
  return writtenOrDefault(key, settings.textOf(key));
}

function writtenOrDefault(key: string, text: string | null | undefined): string | undefined {
  const setting = findSetting(key)?.setting;
  return text ?? setting?.format(setting.default);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
