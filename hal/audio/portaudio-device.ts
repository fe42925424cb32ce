import type { Clock, Milliseconds } from '#firmware/core/clock.ts';
import { Turns } from '../turns.ts';
import { ArrivalWatch } from './arrival-watch.ts';
import type { AudioDevice, AudioDeviceStatus, AudioListener } from './audio-port.ts';
import { PlaybackQueue } from './playback-queue.ts';
import type { PortAudioSpec } from './portaudio.ts';
import { SoundProcess } from './sound-process.ts';

/** Frames that may wait beside those in PortAudio's own queue. */
const queueFrames = 3;
const watchdogMs: Milliseconds = 100;
/** Looks without a frame until the device counts as gone: 0.6 s. Looks are counted, not time, so that our own stall blames nobody. */
const patience = 6;

/** What lives while a device runs. */
interface Running {
  readonly sound: SoundProcess;
  readonly listener: AudioListener;
  readonly arrivals: ArrivalWatch;
  watchdog: NodeJS.Timeout | undefined;
}

/**
 * A sound card through PortAudio, which lives in a process of its own (docs/decisions/0005).
 *
 *     this process                                           sound process
 *     listener.frame ◄──────────────── captured ◄── pipe ◄── PortAudio ◄── microphone
 *           └─► play ─► queue ─► one frame for each ─► pipe ─► PortAudio ─► loudspeaker
 *
 * A card with a loudspeaker only is paced by the loudspeaker: each frame it takes is the beat for the next.
 */
export class PortAudioDevice implements AudioDevice {
  readonly identity: string;
  readonly sampleRate: number;
  readonly frameSamples: number;
  readonly #spec: PortAudioSpec;
  readonly #clock: Clock;
  readonly #program: string;
  readonly #queue: PlaybackQueue;
  readonly #captured: Int16Array;
  readonly #outgoing: Int16Array;
  #running: Running | undefined;
  #looksWithoutFrame = 0;
  #framesCaptured = 0;
  #lostBefore = 0;
  /** Starts and stops happen one after the other. */
  readonly #turns = new Turns();

  /** `program` is the script of the sound process. */
  constructor(spec: PortAudioSpec, clock: Clock, program: string) {
    this.identity = `portaudio:${spec.input ?? '-'}/${spec.output ?? '-'}`;
    this.sampleRate = spec.sampleRate;
    this.frameSamples = spec.sampleRate / 50;
    this.#spec = spec;
    this.#clock = clock;
    this.#program = program;
    this.#queue = new PlaybackQueue(this.frameSamples, queueFrames);
    this.#captured = new Int16Array(this.frameSamples);
    this.#outgoing = new Int16Array(this.frameSamples);
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
    return this.#running !== undefined && this.#spec.output !== null && this.#queue.push(frame);
  }

  describe(): AudioDeviceStatus {
    return {
      identity: this.identity,
      running: this.#running !== undefined,
      sampleRate: this.sampleRate,
      framesCaptured: this.#framesCaptured,
      framesPlayed: this.#queue.taken,
      queuedFrames: this.#queue.size,
      underruns: this.#queue.underruns,
      overruns: this.#lostBefore + (this.#running?.arrivals.lost ?? 0),
      framesDropped: this.#queue.dropped,
    };
  }

  async #start(listener: AudioListener): Promise<void> {
    if (this.#running) return;
    const sound = new SoundProcess(this.#program, this.#spec, {
      captured: (bytes) => this.#beat(bytes),
      taken: () => this.#beat(undefined),
      ended: (reason) => this.#fail(reason),
    });
    const running: Running = { sound, listener, arrivals: new ArrivalWatch(), watchdog: undefined };
    this.#running = running;
    try {
      await sound.start();
    } catch (thrown) {
      this.#leave(running);
      throw thrown;
    }
    this.#looksWithoutFrame = 0;
    running.watchdog = setInterval(() => this.#look(), watchdogMs);
  }

  async #stop(): Promise<void> {
    const ending = this.#running;
    if (!ending) return;
    this.#leave(ending);
    await ending.sound.stop();
  }

  #leave(ending: Running): void {
    this.#running = undefined;
    clearInterval(ending.watchdog);
    this.#lostBefore += ending.arrivals.lost;
    this.#queue.clear();
  }

  /** One frame in, `undefined` from a card that cannot hear, and one frame out. */
  #beat(bytes: Uint8Array | undefined): void {
    const running = this.#running;
    if (!running) return;
    this.#looksWithoutFrame = 0;
    this.#framesCaptured++;
    running.arrivals.arrived(this.#clock.now());
    if (bytes) new Uint8Array(this.#captured.buffer).set(bytes.subarray(0, this.#captured.byteLength));
    else this.#captured.fill(0);
    running.listener.frame(this.#captured);
    if (this.#running !== running || this.#spec.output === null) return;
    this.#queue.take(this.#outgoing);
    running.sound.write(this.#outgoing);
  }

  #look(): void {
    if (++this.#looksWithoutFrame > patience) this.#fail(`no sound for ${(patience * watchdogMs) / 1000} s: unplugged?`);
  }

  #fail(reason: string): void {
    const failing = this.#running;
    if (!failing) return;
    this.#leave(failing);
    failing.sound.kill();
    failing.listener.failed(reason);
  }
}
