import { digits } from './checks.ts';
import { choice, integer, text } from './setting.ts';

/** Settings of calls that are kept as WAV files. In many countries all who talk must know, or agree. */
export const recordingSettings = {
  'line.*.record': choice({
    title: 'Record calls',
    description:
      'Which calls of the line are recorded without being asked for, from when they are accepted on: never, always, incoming or outgoing. ' +
      'Whether that is allowed, and who has to be told, the law of your country says.',
    owner: 'phone',
    choices: ['never', 'always', 'incoming', 'outgoing'],
    default: 'never',
  }),
  'recording.beep': choice({
    title: 'Recording tone',
    description:
      'Both sides of a call that is recorded hear a beep: repeated = every 15 s, start = once, off = not. It is not in the recording. ' +
      'Switch it off only where nobody has to be told.',
    owner: 'media',
    choices: ['repeated', 'start', 'off'],
    default: 'repeated',
  }),
  'recording.code': text({
    title: 'Recording code',
    description:
      'Digits that begin and end a recording when the person at the phone presses them in a call, such as *1; the far end gets them too. ' +
      'A key named record does the same without. Empty = none.',
    owner: 'phone',
    check: digits,
  }),
  'recording.maximumMinutes': integer({
    title: 'Length of a recording',
    description: 'A recording that has become so long ends, and the call goes on.',
    owner: 'media',
    default: 120,
    minimum: 1,
    maximum: 1440,
  }),
  'recording.maximumMegabytes': integer({
    title: 'Room for recordings',
    description: 'What all of them may take. A minute of G.711 is 1.8 MB, of G.722 3.7 MB, of Opus at 48 kHz 11 MB.',
    owner: 'media',
    default: 500,
    minimum: 1,
    maximum: 1_000_000,
  }),
  'recording.keepFreeMegabytes': integer({
    title: 'Room for others',
    description: 'So much of the disk is left free, whatever may still be recorded.',
    owner: 'media',
    default: 100,
    minimum: 0,
    maximum: 1_000_000,
  }),
  'recording.whenFull': choice({
    title: 'No room for recordings',
    description: 'deleteOldest = the oldest recording makes way, refuse = nothing is recorded until somebody has deleted some.',
    owner: 'media',
    choices: ['deleteOldest', 'refuse'],
    default: 'deleteOldest',
  }),
};
