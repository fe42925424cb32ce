/** The contract suite of sound devices on naudiodon, PortAudio and a card of the kernel (snd-aloop: what is played at one end is heard at the other). */
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { openAudioDevice } from '#hal/audio/audio-devices.ts';
import { audioSuite } from '#test/contract/audio-suite.ts';

const soundProgram = '/usr/lib/hookswitch/dist/services/sound/main.js';
const open = (spec: Parameters<typeof openAudioDevice>[0]) => openAudioDevice(spec, { clock: nodeClock, soundProgram });

audioSuite('snd-aloop, both directions', async () => ({
  device: open({ driver: 'portaudio', input: 'Loopback: PCM (hw:0,1)', output: 'Loopback: PCM (hw:0,0)', sampleRate: 8_000 }),
  hears: true,
  plays: true,
}));

audioSuite('snd-aloop, loudspeaker only, 48 kHz', async () => ({
  device: open({ driver: 'portaudio', input: null, output: 'Loopback: PCM (hw:0,0)', sampleRate: 48_000 }),
  hears: false,
  plays: true,
}));
