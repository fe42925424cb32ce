import type { Settings } from '#firmware/config/settings.ts';

/** Which calls of a line are recorded by themselves. */
export type RecordWish = 'never' | 'always' | 'incoming' | 'outgoing';

/** How calls are recorded. */
export interface RecordingSettings {
  readonly beep: 'off' | 'start' | 'repeated';
  /** Pressed in a call it begins and ends a recording; empty = nothing does. */
  readonly code: string;
  readonly limits: {
    readonly maximumMinutes: number;
    readonly maximumMegabytes: number;
    readonly keepFreeMegabytes: number;
    readonly whenFull: 'deleteOldest' | 'refuse';
  };
}

export function recordingSettingsOf(settings: Settings): RecordingSettings {
  return {
    beep: settings.get('recording.beep'),
    code: settings.get('recording.code'),
    limits: {
      maximumMinutes: settings.get('recording.maximumMinutes'),
      maximumMegabytes: settings.get('recording.maximumMegabytes'),
      keepFreeMegabytes: settings.get('recording.keepFreeMegabytes'),
      whenFull: settings.get('recording.whenFull'),
    },
  };
}
