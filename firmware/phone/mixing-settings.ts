import type { Settings } from '#firmware/config/settings.ts';

/** What is mixed into calls, and what the phone itself gives to hear. */
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
  readonly soundDirectory: string;
  /** What far ends on hold hear: a whole path; empty = nothing. */
  readonly holdMusic: string;
}

export function mixingSettingsOf(settings: Settings): MixingSettings {
  const music = settings.get('phone.holdMusic');
  return {
    conferenceLegs: settings.get('phone.conferenceLegs'),
    conferenceEnd: settings.get('phone.conferenceEnd'),
    flashUnites: settings.get('phone.flash') === 'conference',
    keyTones: settings.get('phone.keyTones'),
    soundDirectory: settings.get('phone.soundDirectory'),
    holdMusic: music === '' ? '' : `${settings.get('phone.soundDirectory')}/${music}`,
    howlerMs: 1000 * settings.get('phone.howlerSeconds'),
  };
}
