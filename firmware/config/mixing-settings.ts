import { ringNames } from '../core/ring-names.ts';
import { path, soundFile } from './checks.ts';
import { choice, duration, flag, integer, text } from './setting.ts';

/** Settings of what is mixed into calls (others, music, announcements) and of what the phone itself gives to hear. */
export const mixingSettings = {
  'phone.conferenceLegs': integer({
    title: 'Conference',
    description: 'Far ends that may talk with each other and the person at the phone at once.',
    owner: 'phone',
    default: 5,
    minimum: 2,
    maximum: 9,
  }),
  'phone.conferenceEnd': choice({
    title: 'End of a conference',
    description:
      'What becomes of the far ends when the person at the phone hangs up: end = their calls end, connect = two of them are connected with ' +
      'each other by a transfer; more than two cannot be.',
    owner: 'phone',
    choices: ['end', 'connect'],
    default: 'end',
  }),
  'phone.flash': choice({
    title: 'Flash with two calls',
    description:
      'What a short press on the hook does while another call is on hold: change = to that call, conference = all talk together.',
    owner: 'phone',
    choices: ['change', 'conference'],
    default: 'change',
  }),
  'phone.soundDirectory': text({
    title: 'Sounds',
    description: 'Where the WAV files lie that may be played into calls; the media daemon must be able to read them.',
    owner: 'phone',
    default: '/var/lib/hookswitch-media/sounds',
    check: path,
  }),
  'phone.holdMusic': text({
    title: 'Music on hold',
    description: 'A WAV file of phone.soundDirectory that far ends on hold hear again and again; empty = silence.',
    owner: 'phone',
    check: soundFile,
  }),
  'line.*.ring': choice({
    title: 'Bell',
    description: 'How calls of the line ring: ring = as in the country of the phone, or a melody. How loud, audio.ringer.volume says.',
    owner: 'phone',
    choices: ringNames,
    default: 'ring',
  }),
  'phone.keyTones': flag({
    title: 'Key tones',
    description: 'Who presses a key of the keypad hears it in the handset.',
    owner: 'phone',
    default: true,
  }),
  'phone.howlerSeconds': duration({
    title: 'Howler',
    description:
      'A handset that lies beside the phone, with nobody in it, gets loud for so long after half a minute of the busy or congestion tone; 0 = never.',
    owner: 'phone',
    unit: 's',
    default: 30,
    minimum: 0,
    maximum: 600,
  }),
};
