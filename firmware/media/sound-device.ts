import { levelOf, scale, silentLevel } from '../audio/pcm.ts';
import { Resampler } from '../audio/resampler.ts';
import type { EnhancerMaker } from '../audio/speech-enhancer.ts';
import { type AudioSink, type AudioSource, blockSamples, mixingRate } from './sound-format.ts';
import { VoiceProcessing, type VoiceState, type VoiceWishes, voiceRate } from './voice-processing.ts';

/** The loudspeaker side of a sound device, as its driver offers it. */
export interface PlaybackPort {
  readonly sampleRate: number;
  /** Samples of one frame: 10 or 20 ms. */
  readonly frameSamples: number;
  /** Frames that wait to be played, where it is known. */
  readonly queuedFrames?: number;
  /** Takes one frame; false when it was dropped. */
  play(frame: Int16Array): boolean;
}

/** Blocks of the microphone that may wait for the engine's turn: more is delay that nobody would ever get rid of. */
const capturedAtMost = 6;
/** Of frames of 20 ms and of blocks of 10 ms: no piece of sound is longer. */
const framesPerSecond = 50;
const blocksPerSecond = 100;
const unityVolume = 80;
/** Points of volume that make 20 dB. */
const volumePerDecade = 40;

/**
 * A sound device in the patch bay: its microphone as a source, its loudspeaker as a sink, with the rate changed where it differs. The
 * device that paces the engine finds its frame taken at once; others run on clocks of their own, so a few blocks wait in between.
 */
export class SoundDevice implements AudioSource, AudioSink {
  readonly sampleRate: number;
  readonly #port: PlaybackPort;
  readonly #voice: VoiceProcessing | undefined;
  readonly #up: Resampler | undefined;
  readonly #down: Resampler | undefined;
  /** Captured sound at the mixing rate: a ring of whole blocks, filled sample by sample. */
  readonly #captured: Int16Array;
  readonly #converted: Int16Array;
  readonly #frame: Int16Array;
  readonly #played: Int16Array;
  #head = 0;
  #size = 0;
  #frameFill = 0;
  #muted = false;
  #gain = 1;
  #volume = unityVolume;
  #dropped = 0;
  #missed = 0;
  #levelIn = silentLevel;
  #levelOut = silentLevel;

  /** Takes over mute and volume of the device that was in its place. */
  constructor(
    port: PlaybackPort,
    before?: SoundDevice,
    voice?: { readonly wishes: VoiceWishes; readonly maker: EnhancerMaker | undefined },
  ) {
    this.#port = port;
    const rate = voice ? voiceRate : mixingRate(port.sampleRate);
    if (voice) {
      const queued = ((port.queuedFrames ?? 0) * port.frameSamples * 1000) / port.sampleRate;
      this.#voice = new VoiceProcessing(rate, voice.wishes, voice.maker, queued);
    }
    this.sampleRate = rate;
    this.#captured = new Int16Array(capturedAtMost * blockSamples(rate));
    if (before) {
      this.#muted = before.#muted;
      this.volume = before.#volume;
    }
    if (port.sampleRate !== rate) {
      this.#up = new Resampler(rate, port.sampleRate);
      this.#down = new Resampler(port.sampleRate, rate);
    }
    this.#converted = new Int16Array(Math.ceil(rate / framesPerSecond) + 2);
    this.#played = new Int16Array(Math.ceil(port.sampleRate / blocksPerSecond) + 2);
    this.#frame = new Int16Array(port.frameSamples);
  }

  set muted(muted: boolean) {
    this.#muted = muted;
  }

  /** 0 is silent, 80 leaves the sound as it is, 100 is 10 dB more. */
  set volume(volume: number) {
    this.#volume = volume;
    this.#gain = volume === 0 ? 0 : 10 ** ((volume - unityVolume) / volumePerDecade);
  }

  /** What is done to the sound now; `undefined` = nothing. */
  get voice(): VoiceState | undefined {
    return this.#voice?.state;
  }

  /** Another device is in its place, or none: what processing took is given back. */
  close(): void {
    this.#voice?.close();
  }

  /** A frame of the microphone. */
  capture(frame: Int16Array): void {
    if (!this.#down) this.#keep(frame, frame.length);
    else this.#keep(this.#converted, this.#down.process(frame, frame.length, this.#converted));
  }

  pull(block: Int16Array): boolean {
    if (this.#size < block.length) {
      this.#missed++;
      return false;
    }
    for (let index = 0; index < block.length; index++) block[index] = this.#captured[(this.#head + index) % this.#captured.length] ?? 0;
    this.#head = (this.#head + block.length) % this.#captured.length;
    this.#size -= block.length;
    this.#voice?.hear(block);
    this.#levelIn = this.#muted ? silentLevel : levelOf(block);
    return !this.#muted;
  }

  push(block: Int16Array): void {
    scale(block, this.#gain);
    this.#voice?.play(block);
    this.#levelOut = levelOf(block);
    const sound = this.#up ? this.#played : block;
    const count = this.#up ? this.#up.process(block, block.length, this.#played) : block.length;
    for (let index = 0; index < count; index++) {
      this.#frame[this.#frameFill++] = sound[index] ?? 0;
      if (this.#frameFill < this.#frame.length) continue;
      this.#port.play(this.#frame);
      this.#frameFill = 0;
    }
  }

  describe() {
    return {
      muted: this.#muted,
      volume: this.#volume,
      voice: this.voice,
      capturedSamples: this.#size,
      blocksDropped: this.#dropped,
      blocksMissed: this.#missed,
      levelIn: this.#levelIn,
      levelOut: this.#levelOut,
    };
  }

  /** Appends to the ring; when it is full the oldest block goes. */
  #keep(samples: Int16Array, count: number): void {
    for (let index = 0; index < count; index++) {
      if (this.#size === this.#captured.length) {
        const block = blockSamples(this.sampleRate);
        this.#head = (this.#head + block) % this.#captured.length;
        this.#size -= block;
        this.#dropped++;
      }
      this.#captured[(this.#head + this.#size) % this.#captured.length] = samples[index] ?? 0;
      this.#size++;
    }
  }
}
