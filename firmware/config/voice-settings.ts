import { choice, duration, integer } from './setting.ts';

const automatic = 'automatic = on for the speaker, where it is a PortAudio device.';

/** Settings of what is done to the sound of microphones. */
export const voiceSettings = {
  'audio.*.echo': choice({
    title: 'Echo',
    description: `What becomes of the far end’s voice in the microphone: cancel = taken out (needs libspeexdsp1), halfDuplex = one side speaks at a time, ${automatic}`,
    owner: 'media',
    choices: ['automatic', 'off', 'cancel', 'halfDuplex'],
    default: 'automatic',
  }),
  'audio.*.echoTail': duration({
    title: 'Length of the echo',
    description: 'How long the room goes on sounding after the direct sound; more is for large rooms and takes longer to learn.',
    owner: 'media',
    unit: 'ms',
    default: 128,
    minimum: 32,
    maximum: 400,
  }),
  'audio.*.noiseSuppression': choice({
    title: 'Noise suppression',
    description: `Steady noise of the room is made fainter (needs libspeexdsp1); ${automatic}`,
    owner: 'media',
    choices: ['automatic', 'off', 'on'],
    default: 'automatic',
  }),
  'audio.*.gainControl': choice({
    title: 'Automatic gain',
    description: `Who speaks softly or far away is made louder; ${automatic}`,
    owner: 'media',
    choices: ['automatic', 'off', 'on'],
    default: 'automatic',
  }),
  'audio.*.highPass': choice({
    title: 'High-pass',
    description: `What rumbles below 120 Hz is left out; ${automatic}`,
    owner: 'media',
    choices: ['automatic', 'off', 'on'],
    default: 'automatic',
  }),
  'audio.*.sideTone': integer({
    title: 'Side tone',
    description:
      'How loud who speaks hears himself in the handset: 0 = not, 80 = as loud as spoken, 40 points less are 20 dB less. It comes late by the delay of the device, so 0 is right for most.',
    owner: 'media',
    default: 0,
    minimum: 0,
    maximum: 100,
  }),
};
