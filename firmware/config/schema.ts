import { callFeatureSettings } from './call-feature-settings.ts';
import { callingSettings } from './calling-settings.ts';
import { codecSettings } from './codec-settings.ts';
import { deviceSettings } from './device-settings.ts';
import { doorSettings } from './door-settings.ts';
import { eventSettings } from './event-settings.ts';
import { exchangeSettings } from './exchange-settings.ts';
import { lampSettings } from './lamp-settings.ts';
import { mediaSettings } from './media-settings.ts';
import { mixingSettings } from './mixing-settings.ts';
import { pagingSettings } from './paging-settings.ts';
import { qualitySettings } from './quality-settings.ts';
import { recordingSettings } from './recording-settings.ts';
import type { Setting } from './setting.ts';
import { voiceSettings } from './voice-settings.ts';

/**
 * Every setting of the device. It drives validation, storage, the command line, the page's forms and docs/settings.md. A `*` in a key
 * stands for the name of a line, door, alert or sound device.
 */
export const settingsSchema = {
  ...callingSettings,
  ...callFeatureSettings,
  ...mediaSettings,
  ...mixingSettings,
  ...recordingSettings,
  ...pagingSettings,
  ...qualitySettings,
  ...codecSettings,
  ...eventSettings,
  ...doorSettings,
  ...deviceSettings,
  ...lampSettings,
  ...voiceSettings,
  ...exchangeSettings,
};

/** Names of collections that always have the same members. */
export const fixedNames: Readonly<Record<string, readonly string[]>> = { audio: ['handset', 'ringer', 'speaker', 'headset'] };

export type SettingPattern = keyof typeof settingsSchema;
/** Keys of settings there is one of. */
export type PlainKey = Exclude<SettingPattern, `${string}.*.${string}`>;
/** Keys of settings there is one of for each line, door, … */
export type NamedPattern = Extract<SettingPattern, `${string}.*.${string}`>;
/** Groups that have names: `line`, `door`, `alert`, `audio`. */
export type Collection = CollectionOf<NamedPattern>;
type CollectionOf<P> = P extends `${infer C}.*.${string}` ? C : never;
/** What a setting's value is once parsed. */
export type ValueOf<P extends SettingPattern> = (typeof settingsSchema)[P] extends Setting<infer V> ? V : never;
