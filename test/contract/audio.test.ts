import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { wavHeader } from '#firmware/audio/wav.ts';
import type { AudioDevice as AudioDeviceSpec } from '#firmware/contract/media.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { openAudioDevice } from '#hal/audio/audio-devices.ts';
import { PageDevice } from '#hal/audio/page-device.ts';
import { LabPcm, labHandset } from '#test/support/labpcm.ts';
import { audioSuite } from './audio-suite.ts';

/** The contract suite of the audio port on every driver: PortAudio with naudiodon over labpcm, WAV files, silence, a page. */

const soundProgram = join(import.meta.dirname, '../../services/sound/main.ts');
const open = (spec: AudioDeviceSpec) => openAudioDevice(spec, { clock: nodeClock, soundProgram });

const folder = t.testdir();
const microphone = join(folder, 'microphone.wav');
const sound = Int16Array.from({ length: 4_000 }, (_, index) => 8_000 * Math.sin((index * 2 * Math.PI * 440) / 8_000));
writeFileSync(microphone, Buffer.concat([wavHeader(8_000, sound.byteLength), new Uint8Array(sound.buffer)]));

// naudiodon runs in the process the driver starts, which sees these cards and no others.
const lab = await LabPcm.start({ ...labHandset, speaker: { playback: 'loud', rate: 48_000, channels: 2 } });
t.teardown(() => lab.end());
Object.assign(process.env, lab.environment);

audioSuite('silence', async () => ({ device: open({ driver: 'silence' }), hears: false, plays: true }));

audioSuite('WAV files', async () => {
  const output = join(folder, 'loudspeaker.wav');
  return { device: open({ driver: 'wav', input: microphone, loop: true, output }), hears: true, plays: true };
});

audioSuite('WAV file, microphone only', async () => {
  return { device: open({ driver: 'wav', input: microphone, loop: false, output: null }), hears: true, plays: false };
});

audioSuite('a page', async () => {
  const device = new PageDevice(nodeClock, () => true);
  const frame = new Int16Array(device.frameSamples).fill(1000);
  const browser = setInterval(() => device.receive(frame), device.frameMs);
  t.teardown(() => clearInterval(browser));
  return { device, hears: true, plays: true };
});

audioSuite('PortAudio, both directions', async () => {
  return { device: open({ driver: 'portaudio', input: 'handset', output: 'handset', sampleRate: 8_000 }), hears: true, plays: true };
});

audioSuite('PortAudio, microphone only', async () => {
  return { device: open({ driver: 'portaudio', input: 'handset', output: null, sampleRate: 8_000 }), hears: true, plays: false };
});

audioSuite('PortAudio, loudspeaker only, 48 kHz stereo', async () => {
  return { device: open({ driver: 'portaudio', input: null, output: 'speaker', sampleRate: 48_000 }), hears: false, plays: true };
});
