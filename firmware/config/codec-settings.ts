import { codec } from './checks.ts';
import { duration, flag, integer, list } from './setting.ts';

/** Settings of what is spoken: codecs and digits. */
export const codecSettings = {
  'line.*.codecs': list({
    title: 'Codecs of the line',
    description: 'Codecs offered in calls of the line, the best first; empty = those of all lines.',
    owner: 'phone',
    allowed: 'PCMU, PCMA, G722, opus, L16, L16/16000, L16/44100',
    check: codec,
  }),
  'rtp.codecs': list({
    title: 'Codecs',
    description:
      'Codecs offered, the best first. opus needs the package libopus0 and is left out without it; L16 is sound as it is, for networks that ' +
      'have room for it.',
    owner: 'phone',
    default: ['PCMU', 'PCMA'],
    allowed: 'PCMU, PCMA, G722, opus, L16, L16/16000, L16/44100',
    check: codec,
  }),
  'rtp.comfortNoise': flag({
    title: 'Comfort noise',
    description:
      'While nobody speaks here, only how loud the room is goes to far ends that know how to fill the silence (RFC 3389); for PCMU, PCMA, G722 and ' +
      'L16. Saves most of the network’s load, and cuts off very soft speech.',
    owner: 'phone',
    default: false,
  }),
  'opus.sampleRate': integer({
    title: 'Sample rate of Opus',
    description:
      'Samples a second at which Opus works here: 16000 carries all of a voice, 48000 music too, at more work for the processor.',
    owner: 'phone',
    default: 16_000,
    minimum: 8000,
    maximum: 48_000,
    oneOf: [8000, 16_000, 48_000],
  }),
  'opus.bitrate': integer({
    title: 'Bit rate of Opus',
    description: 'Bits a second that are sent, unless the far end asks for fewer.',
    owner: 'phone',
    default: 24_000,
    minimum: 6000,
    maximum: 128_000,
  }),
  'opus.constantBitrate': flag({
    title: 'Constant bit rate',
    description: 'All packets have the same size: who listens in on an encrypted call learns nothing from their sizes.',
    owner: 'phone',
    default: false,
  }),
  'opus.complexity': integer({
    title: 'Effort of Opus',
    description: 'How much the processor works for good sound, 0 to 10; 5 suits a Raspberry Pi.',
    owner: 'phone',
    default: 5,
    minimum: 0,
    maximum: 10,
  }),
  'opus.errorCorrection': flag({
    title: 'Error correction of Opus',
    description: 'Each packet carries a coarse copy of the one before, for networks that lose some; asked of far ends too.',
    owner: 'phone',
    default: true,
  }),
  'opus.discontinuous': flag({
    title: 'Silence of Opus',
    description: 'Send next to nothing while nobody speaks, to far ends that allow it; asked of them too.',
    owner: 'phone',
    default: false,
  }),
  'phone.digitMs': duration({
    title: 'Length of digits',
    description: 'How long each digit sent in a call lasts.',
    owner: 'phone',
    unit: 'ms',
    default: 160,
    minimum: 70,
    maximum: 5000,
  }),
  'phone.hearDigits': flag({
    title: 'Listen for digits',
    description:
      'Find digits in the sound of the far end too, for those that send them in no other way. A voice that sounds like a key might be taken for one.',
    owner: 'phone',
    default: false,
  }),
};
