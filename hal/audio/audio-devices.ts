import type { AudioDevice as AudioDeviceSpec } from '#firmware/contract/media.ts';
import type { Clock } from '#firmware/core/clock.ts';
import type { AudioDevice } from './audio-port.ts';
import { PortAudioDevice } from './portaudio-device.ts';
import { SilenceDevice } from './silence-device.ts';
import { WavDevice } from './wav-device.ts';

/** What drivers need beside their specification. */
export interface AudioSurroundings {
  readonly clock: Clock;
  /** The script that runs a sound card's process: `services/sound/main`, `.ts` among sources and `.js` in `dist`. */
  readonly soundProgram: string;
}

/** The device a specification asks for, not started: nothing is loaded, opened or written before `start`. */
export function openAudioDevice(spec: AudioDeviceSpec, { clock, soundProgram }: AudioSurroundings): AudioDevice {
  switch (spec.driver) {
    case 'portaudio':
      return new PortAudioDevice(spec, clock, soundProgram);
    case 'wav':
      return new WavDevice(spec, clock);
    case 'silence':
      return new SilenceDevice(clock);
    default:
      throw spec satisfies never;
  }
}
