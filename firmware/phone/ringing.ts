import type { LedPattern } from '#firmware/contract/hal.ts';
import type { ToneName } from '#firmware/contract/media.ts';
import type { EarRole } from './ear.ts';
import type { Handset } from './handset.ts';
import type { LampPatterns } from './lamp-patterns.ts';
import type { Line } from './line.ts';

/** What the person at the phone should hear. */
export interface Sounds {
  /** In the handset. */
  readonly ear: ToneName | null;
  /** On the ringer. */
  readonly bell: ToneName | null;
}

/** LEDs that mean something to the phone, by the name a board profile gives them. */
export type LampName = 'call' | 'message' | 'registered' | 'ring' | 'off-hook' | 'hold' | 'mute' | 'speaker' | 'headset' | 'record';

/** The sounds that follow from what the person is doing, who calls, and whether somebody who was busy is `free` now. */
export function soundsOf(handset: Handset, messageWaiting: boolean, free: boolean): Sounds {
  const idle = handset.state === 'idle';
  const rings = idle && (handset.calls.some(({ state }) => state === 'ringing') || handset.recalling || free);
  return { ear: earOf(handset, messageWaiting), bell: rings ? ringOf(handset) : null };
}

/** As the call that rings says, else as its line wants it, or as in the country. */
function ringOf({ calls }: Handset): ToneName {
  const plan = calls.find(({ state }) => state === 'ringing')?.plan;
  return plan?.ring ?? plan?.line?.ring ?? 'ring';
}

function earOf(handset: Handset, messageWaiting: boolean): ToneName | null {
  const { state, focus } = handset;
  const knocks = handset.calls.some((call) => call.state === 'ringing');
  switch (state) {
    case 'dialTone':
      if (knocks) return 'callWaiting';
      return messageWaiting ? 'stutterDial' : 'dial';
    case 'engaged':
      if (focus?.state === 'ringback' && !focus.earlyMedia) return 'ringback';
      return focus?.talking && knocks ? 'callWaiting' : null;
    case 'failed':
      return handset.dialing.failure.tone;
    case 'howling':
      return knocks ? 'callWaiting' : 'howler';
    case 'silent':
      return knocks ? 'callWaiting' : null;
    case 'idle':
    case 'collecting':
      return null;
    default:
      return state satisfies never;
  }
}

/**
 * The lamps that follow from calls, mailboxes, missed calls and registrations, in the patterns of the settings. `ring`, `off-hook`, `hold` and
 * `mute` are those of USB handsets, which need to be told that they are off hook before their microphone works.
 */
export function lampsOf(
  handset: Handset,
  lines: readonly Line[],
  { missedCalls, muted, recorded }: { readonly missedCalls: number; readonly muted: boolean; readonly recorded: boolean },
  patterns: LampPatterns,
): Record<LampName, LedPattern> {
  const rings = handset.calls.some(({ state }) => state === 'ringing') || handset.recalling;
  return {
    call: callLamp(handset, patterns),
    message: lines.some((line) => line.messageWaiting) ? patterns.newMessages : missedCalls > 0 ? patterns.missedCalls : 'off',
    registered: registeredLamp(lines, patterns),
    ring: rings ? 'fastBlink' : 'off',
    'off-hook': handset.state === 'idle' ? 'off' : 'on',
    hold: handset.calls.some((call) => call.onHold) ? 'on' : 'off',
    mute: muted ? 'on' : 'off',
    speaker: isUsed(handset, 'speaker') ? 'on' : 'off',
    headset: isUsed(handset, 'headset') ? 'on' : 'off',
    record: recorded ? patterns.recording : 'off',
  };
}

function isUsed({ state, ear }: Handset, role: EarRole): boolean {
  return state !== 'idle' && ear.role === role;
}

function callLamp(handset: Handset, patterns: LampPatterns): LedPattern {
  const { calls } = handset;
  if (calls.some(({ state }) => state === 'ringing') || handset.recalling) return patterns.ringing;
  if (handset.state !== 'idle' && !handset.focus?.onHold) return patterns.inUse;
  return calls.some((call) => call.onHold) ? patterns.onHold : 'off';
}

function registeredLamp(lines: readonly Line[], patterns: LampPatterns): LedPattern {
  const states = lines.map(({ state }) => state).filter((state) => state !== 'none');
  if (states.length === 0) return 'off';
  return states.every((state) => state === 'registered') ? patterns.registered : patterns.notRegistered;
}
