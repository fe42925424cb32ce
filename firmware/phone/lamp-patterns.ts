import type { Settings } from '#firmware/config/settings.ts';
import type { LedPattern } from '#firmware/contract/hal.ts';

/** How lamps show what is going on. */
export interface LampPatterns {
  readonly ringing: LedPattern;
  readonly inUse: LedPattern;
  readonly onHold: LedPattern;
  readonly newMessages: LedPattern;
  readonly missedCalls: LedPattern;
  readonly registered: LedPattern;
  readonly notRegistered: LedPattern;
  readonly recording: LedPattern;
  readonly watchedRinging: LedPattern;
  readonly watchedBusy: LedPattern;
  readonly watchedAway: LedPattern;
}

export function lampPatternsOf(settings: Settings): LampPatterns {
  return {
    ringing: settings.get('lamp.ringing'),
    inUse: settings.get('lamp.inUse'),
    onHold: settings.get('lamp.onHold'),
    newMessages: settings.get('lamp.newMessages'),
    missedCalls: settings.get('lamp.missedCalls'),
    registered: settings.get('lamp.registered'),
    notRegistered: settings.get('lamp.notRegistered'),
    recording: settings.get('lamp.recording'),
    watchedRinging: settings.get('lamp.watchedRinging'),
    watchedBusy: settings.get('lamp.watchedBusy'),
    watchedAway: settings.get('lamp.watchedAway'),
  };
}
