import type { Settings } from '#firmware/config/settings.ts';

/** What is mixed into calls, and what is kept of them. */
export interface MixingSettings {
  /** Far ends of a conference at most. */
  readonly conferenceLegs: number;
  /** What becomes of two far ends when the person hangs up. */
  readonly conferenceEnd: 'end' | 'connect';
  /** A flash with two calls brings them together instead of changing to the other. */
  readonly flashUnites: boolean;
  /** Keys are heard by who presses them. */
  readonly keyTones: boolean;
  readonly howlerMs: number;
}

export function mixingSettingsOf(settings: Settings): MixingSettings {
  return {
    conferenceLegs: settings.get('phone.conferenceLegs'),
    conferenceEnd: settings.get('phone.conferenceEnd'),
    flashUnites: settings.get('phone.flash') === 'conference',
    keyTones: settings.get('phone.keyTones'),
    howlerMs: 1000 * settings.get('phone.howlerSeconds'),
  };
}
