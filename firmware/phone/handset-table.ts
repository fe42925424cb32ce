import type { StateTable } from '#firmware/core/state-table.ts';

export type HandsetState = 'idle' | 'dialTone' | 'collecting' | 'engaged' | 'failed' | 'howling' | 'silent';

export type HandsetInput =
  /** The person takes the handset and wants a dial tone, presses a digit, or is done. */
  | 'lift'
  | 'digit'
  | 'release'
  /** A call is the one the person talks in from now on. */
  | 'engage'
  /** It ended by itself; or the person is done with whatever it was, and has not hung up yet. */
  | 'lost'
  | 'done'
  /** The number dialled is none. */
  | 'refused';

export type HandsetAction = 'dial' | 'loseDialTone' | 'toneOver';
export type HandsetTimer = 'patience' | 'interDigit' | 'tone' | 'howler';

/**
 * What the person at the handset is doing. Lifting and the first wish of a hands-free person both begin it, hanging up ends it from
 * anywhere. Which call is meant, and which tone `failed` gives, is the handset's own knowledge.
 */
export const handsetTable: StateTable<HandsetState, HandsetInput | `timer ${HandsetTimer}`, HandsetAction, HandsetTimer> = {
  idle: {
    timers: [],
    on: {
      lift: { to: 'dialTone', do: [] },
      digit: { to: 'collecting', do: [] },
      engage: { to: 'engaged', do: [] },
      refused: { to: 'failed', do: [] },
    },
  },
  dialTone: {
    timers: ['patience'],
    on: {
      digit: { to: 'collecting', do: [] },
      engage: { to: 'engaged', do: [] },
      refused: { to: 'failed', do: [] },
      release: { to: 'idle', do: [] },
      'timer patience': { to: 'failed', do: ['loseDialTone'] },
    },
  },
  collecting: {
    timers: ['interDigit'],
    on: {
      engage: { to: 'engaged', do: [] },
      refused: { to: 'failed', do: [] },
      done: { to: 'dialTone', do: [] },
      release: { to: 'idle', do: [] },
      'timer interDigit': { to: 'collecting', do: ['dial'] },
    },
  },
  engaged: {
    timers: [],
    on: {
      lift: { to: 'dialTone', do: [] },
      lost: { to: 'failed', do: [] },
      done: { to: 'dialTone', do: [] },
      release: { to: 'idle', do: [] },
    },
  },
  /** Busy or congestion sounds. */
  failed: {
    timers: ['tone'],
    on: {
      engage: { to: 'engaged', do: [] },
      done: { to: 'dialTone', do: [] },
      release: { to: 'idle', do: [] },
      'timer tone': { to: 'howling', do: ['toneOver'] },
    },
  },
  /** Nobody has put the handset back. */
  howling: {
    timers: ['howler'],
    on: {
      engage: { to: 'engaged', do: [] },
      done: { to: 'dialTone', do: [] },
      release: { to: 'idle', do: [] },
      'timer howler': { to: 'silent', do: [] },
    },
  },
  /** The handset lies beside the phone. */
  silent: {
    timers: [],
    on: { engage: { to: 'engaged', do: [] }, done: { to: 'dialTone', do: [] }, release: { to: 'idle', do: [] } },
  },
};
