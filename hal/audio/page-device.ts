import { ElasticBuffer } from '#firmware/audio/elastic-buffer.ts';
import { pageSound } from '#firmware/contract/page-sound.ts';
import type { Clock } from '#firmware/core/clock.ts';
import { type AudioDevice, type AudioDeviceStatus, type AudioListener, frameMs } from './audio-port.ts';
import { PacedLoop } from './frame-pacer.ts';
import { PlaybackQueue } from './playback-queue.ts';

/**
 * The microphone and the loudspeaker of an open page. The monotonic clock is its crystal: what comes from the browser's waits in a buffer
 * that bends time a little where the two differ, and at the page there is another for the way back.
 */
export class PageDevice implements AudioDevice {
  readonly identity = 'page';
  readonly sampleRate = pageSound.sampleRate;
  readonly frameMs = frameMs;
  readonly frameSamples = pageSound.frameSamples;
  readonly #clock: Clock;
  readonly #send: (frame: Int16Array) => boolean;
  readonly #heard = new ElasticBuffer(pageSound.sampleRate);
  readonly #queue = new PlaybackQueue(pageSound.frameSamples, frameMs, 3);
  readonly #captured = new Int16Array(pageSound.frameSamples);
  readonly #played = new Int16Array(pageSound.frameSamples);
  #loop: PacedLoop | undefined;
  #framesCaptured = 0;
  #notSent = 0;
  #skippedBefore = 0;

  /** `send` takes a frame for the loudspeaker at once, copying it; false when the way there is full. */
  constructor(clock: Clock, send: (frame: Int16Array) => boolean) {
    this.#clock = clock;
    this.#send = send;
  }

  get queuedFrames(): number {
    return this.#queue.size;
  }

  /** A frame of the page's microphone has come. */
  receive(frame: Int16Array): void {
    if (this.#loop) this.#heard.push(frame);
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
    this.#heard.clear();
  }

  play(frame: Int16Array): boolean {
    return this.#loop !== undefined && this.#queue.push(frame);
  }

  describe(): AudioDeviceStatus & { readonly page: object } {
    return {
      identity: this.identity,
      running: this.#loop !== undefined,
      sampleRate: this.sampleRate,
      framesCaptured: this.#framesCaptured,
      framesPlayed: this.#queue.taken,
      queuedFrames: this.#queue.size,
      underruns: this.#queue.underruns,
      overruns: this.#skippedBefore + (this.#loop?.skipped ?? 0),
      framesDropped: this.#queue.dropped + this.#notSent,
      page: this.#heard.describe(),
    };
  }

  #frame(listener: AudioListener): void {
    this.#framesCaptured++;
    const block = this.#heard.blockSamples;
    for (let at = 0; at < this.#captured.length; at += block) this.#heard.pull(this.#captured.subarray(at, at + block));
    listener.frame(this.#captured);
    this.#queue.take(this.#played);
    if (!this.#send(this.#played)) this.#notSent++;
  }
}
