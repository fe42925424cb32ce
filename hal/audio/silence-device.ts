import type { Clock } from '#firmware/core/clock.ts';
import { type AudioDevice, type AudioDeviceStatus, type AudioListener, frameMs } from './audio-port.ts';
import { PacedLoop } from './frame-pacer.ts';
import { PlaybackQueue } from './playback-queue.ts';

const sampleRate = 8000;
const frameSamples = sampleRate / 50;

/** No sound card: hears silence, plays into nothing, and keeps the beat of the monotonic clock. */
export class SilenceDevice implements AudioDevice {
  readonly identity = 'silence';
  readonly sampleRate = sampleRate;
  readonly frameMs = frameMs;
  readonly frameSamples = frameSamples;
  readonly #clock: Clock;
  readonly #queue = new PlaybackQueue(frameSamples, frameMs, 3);
  readonly #silence = new Int16Array(frameSamples);
  readonly #played = new Int16Array(frameSamples);
  #loop: PacedLoop | undefined;
  #captured = 0;
  #skippedBefore = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get queuedFrames(): number {
    return this.#queue.size;
  }

  async start(listener: AudioListener): Promise<void> {
    if (this.#loop) return;
    this.#loop = new PacedLoop(this.#clock, 'exact', () => this.#frame(listener));
    this.#loop.start();
  }

  async stop(): Promise<void> {
    this.#loop?.stop();
    this.#skippedBefore += this.#loop?.skipped ?? 0;
    this.#loop = undefined;
    this.#queue.clear();
  }

  play(frame: Int16Array): boolean {
    return this.#loop !== undefined && this.#queue.push(frame);
  }

  describe(): AudioDeviceStatus {
    return {
      identity: this.identity,
      running: this.#loop !== undefined,
      sampleRate,
      framesCaptured: this.#captured,
      framesPlayed: this.#queue.taken,
      queuedFrames: this.#queue.size,
      underruns: this.#queue.underruns,
      overruns: this.#skippedBefore + (this.#loop?.skipped ?? 0),
      framesDropped: this.#queue.dropped,
    };
  }

  #frame(listener: AudioListener): void {
    this.#captured++;
    this.#silence.fill(0);
    listener.frame(this.#silence);
    this.#queue.take(this.#played);
  }
}
