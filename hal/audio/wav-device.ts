import { readFile } from 'node:fs/promises';
import { parseWav, WavReader } from '#firmware/audio/wav.ts';
import type { AudioDevice as AudioDeviceSpec } from '#firmware/contract/media.ts';
import type { Clock } from '#firmware/core/clock.ts';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import { Turns } from '../turns.ts';
import { type AudioDevice, type AudioDeviceStatus, type AudioListener, frameMs } from './audio-port.ts';
import { PacedLoop } from './frame-pacer.ts';
import { PlaybackQueue } from './playback-queue.ts';
import { WavRecorder } from './wav-recorder.ts';

type WavSpec = Extract<AudioDeviceSpec, { driver: 'wav' }>;

const queueFrames = 3;
/** 8000 where no file says otherwise. */
const plainRate = 8000;
const rates = [8000, 16_000, 44_100, 48_000];

interface Running {
  readonly loop: PacedLoop;
  readonly listener: AudioListener;
  readonly microphone: WavReader | undefined;
  readonly recorder: WavRecorder | undefined;
  readonly captured: Int16Array;
  readonly played: Int16Array;
}

/**
 * A sound card made of files: the microphone is a WAV file, the loudspeaker is recorded to one, and the monotonic clock is the crystal. The
 * recording has no holes: where nothing was played there is silence.
 */
export class WavDevice implements AudioDevice {
  readonly identity: string;
  readonly frameMs = frameMs;
  readonly #spec: WavSpec;
  readonly #clock: Clock;
  #sampleRate = plainRate;
  #queue = new PlaybackQueue(plainRate / 50, frameMs, queueFrames);
  #running: Running | undefined;
  #framesCaptured = 0;
  /** What earlier runs counted. */
  #before = { taken: 0, underruns: 0, dropped: 0, lost: 0 };
  /** Starts and stops happen one after the other. */
  readonly #turns = new Turns();

  constructor(spec: WavSpec, clock: Clock) {
    this.identity = `wav:${spec.input ?? '-'}/${spec.output ?? '-'}`;
    this.#spec = spec;
    this.#clock = clock;
  }

  get sampleRate(): number {
    return this.#sampleRate;
  }

  get frameSamples(): number {
    return this.#sampleRate / 50;
  }

  get queuedFrames(): number {
    return this.#queue.size;
  }

  start(listener: AudioListener): Promise<void> {
    return this.#turns.take(() => this.#start(listener));
  }

  stop(): Promise<void> {
    return this.#turns.take(() => this.#stop());
  }

  play(frame: Int16Array): boolean {
    return this.#running?.recorder !== undefined && this.#queue.push(frame);
  }

  describe(): AudioDeviceStatus {
    const lost = (this.#running?.loop.skipped ?? 0) + (this.#running?.recorder?.lost ?? 0);
    return {
      identity: this.identity,
      running: this.#running !== undefined,
      sampleRate: this.#sampleRate,
      framesCaptured: this.#framesCaptured,
      framesPlayed: this.#before.taken + this.#queue.taken,
      queuedFrames: this.#queue.size,
      underruns: this.#before.underruns + this.#queue.underruns,
      overruns: this.#before.lost + lost,
      framesDropped: this.#before.dropped + this.#queue.dropped,
    };
  }

  async #start(listener: AudioListener): Promise<void> {
    if (this.#running) return;
    const microphone = this.#spec.input === null ? undefined : await openMicrophone(this.#spec.input);
    this.#sampleRate = microphone?.layout.sampleRate ?? plainRate;
    const recorder = this.#spec.output === null ? undefined : await WavRecorder.open(this.#spec.output, this.#sampleRate);
    this.#renewQueue();
    const loop = new PacedLoop(this.#clock, 'exact', () => this.#beat());
    const frame = () => new Int16Array(this.frameSamples);
    this.#running = { loop, listener, microphone, recorder, captured: frame(), played: frame() };
    loop.start();
  }

  async #stop(): Promise<void> {
    const ending = this.#running;
    if (!ending) return;
    this.#running = undefined;
    ending.loop.stop();
    this.#queue.clear();
    await ending.recorder?.close();
    this.#before.lost += ending.loop.skipped + (ending.recorder?.lost ?? 0);
  }

  #renewQueue(): void {
    this.#before.taken += this.#queue.taken;
    this.#before.underruns += this.#queue.underruns;
    this.#before.dropped += this.#queue.dropped;
    this.#queue = new PlaybackQueue(this.frameSamples, frameMs, queueFrames);
  }

  #beat(): void {
    const running = this.#running;
    if (!running) return;
    if (running.recorder?.failure !== undefined) {
      this.#fail(running, running.recorder.failure);
      return;
    }
    this.#framesCaptured++;
    this.#hear(running);
    running.listener.frame(running.captured);
    if (this.#running !== running || !running.recorder) return;
    this.#queue.take(running.played);
    running.recorder.append(running.played);
  }

  #hear({ microphone, captured }: Running): void {
    let samples = microphone?.read(captured) ?? 0;
    // A file is never empty, so each round brings at least one sample.
    while (microphone && this.#spec.loop && samples < captured.length) {
      microphone.rewind();
      samples += microphone.read(captured.subarray(samples));
    }
    captured.fill(0, samples);
  }

  #fail(running: Running, reason: string): void {
    void this.stop();
    running.listener.failed(reason);
  }
}

async function openMicrophone(path: string): Promise<WavReader> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (thrown) {
    throw new ResourceError(`the microphone file ${path} cannot be read: ${messageOf(thrown)}`);
  }
  const wav = parseWav(bytes);
  if (wav.outcome === 'unreadable') throw new ResourceError(`the microphone file ${path} is no sound: ${wav.reason}`);
  const { sampleRate } = wav.layout;
  if (!rates.includes(sampleRate))
    throw new ResourceError(`the microphone file ${path} has ${sampleRate} samples a second, not one of ${rates.join(', ')}`);
  return new WavReader(bytes, wav.layout);
}
