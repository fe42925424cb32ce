import type { Clock, Milliseconds } from '#firmware/core/clock.ts';
import { Turns } from '../turns.ts';
import { ArrivalWatch } from './arrival-watch.ts';
import { type AudioDevice, type AudioDeviceStatus, type AudioListener, type FrameLength, frameMs, shortFrameMs } from './audio-port.ts';
import { PlaybackQueue } from './playback-queue.ts';
import type { PortAudioSpec } from './portaudio.ts';
import type { SoundFormat } from './sound-messages.ts';
import { SoundProcess } from './sound-process.ts';

/** Sound that may wait beside that in PortAudio's own queue, ms. */
const queueMs: Milliseconds = 60;
/** Until the card has said what its own is. */
const plainRate = 8000;
const watchdogMs: Milliseconds = 100;
/** Looks without a frame until the device counts as gone: 0.6 s. Looks are counted, not time, so that our own stall blames nobody. */
const patience = 6;
/** A card that loses a fifth of its first frames does not keep up with short ones. */
const trial = { frames: 500, lostAtMost: 100 } as const;

/** What lives while a device runs. */
interface Running {
  readonly sound: SoundProcess;
  readonly listener: AudioListener;
  arrivals: ArrivalWatch;
  /** Frames so far. */
  beats: number;
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
  readonly #spec: PortAudioSpec;
  readonly #clock: Clock;
  readonly #program: string;
  /** Asked of the card at the next start, and what it agreed to at the last. */
  #wanted: FrameLength;
  #frameMs: FrameLength;
  #sampleRate: number;
  #queue: PlaybackQueue;
  #captured: Int16Array;
  #outgoing: Int16Array;
  #running: Running | undefined;
  /** Of the last start. */
  #chosen: Pick<SoundFormat, 'input' | 'output'> = {};
  #looksWithoutFrame = 0;
  #framesCaptured = 0;
  /** What earlier runs counted. */
  #before = { taken: 0, underruns: 0, dropped: 0, lost: 0 };
  /** Starts and stops happen one after the other. */
  readonly #turns = new Turns();

  /** `program` is the script of the sound process. */
  constructor(spec: PortAudioSpec, clock: Clock, program: string) {
    this.identity = `portaudio:${spec.input ?? '-'}/${spec.output ?? '-'}`;
    this.#sampleRate = spec.sampleRate ?? plainRate;
    this.#spec = spec;
    this.#clock = clock;
    this.#program = program;
    this.#wanted = spec.frameMs ?? shortFrameMs;
    this.#frameMs = this.#wanted;
    this.#queue = new PlaybackQueue(this.frameSamples, this.#frameMs, queueMs / this.#frameMs);
    this.#captured = new Int16Array(this.frameSamples);
    this.#outgoing = new Int16Array(this.frameSamples);
  }

  get sampleRate(): number {
    return this.#sampleRate;
  }

  get frameMs(): FrameLength {
    return this.#frameMs;
  }

  get frameSamples(): number {
    return (this.sampleRate * this.#frameMs) / 1000;
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
      framesPlayed: this.#before.taken + this.#queue.taken,
      queuedFrames: this.#queue.size,
      underruns: this.#before.underruns + this.#queue.underruns,
      overruns: this.#before.lost + (this.#running?.arrivals.lost ?? 0),
      framesDropped: this.#before.dropped + this.#queue.dropped,
      ...(this.#running && this.#chosen),
    };
  }

  async #start(listener: AudioListener): Promise<void> {
    if (this.#running) return;
    const sound = new SoundProcess(
      this.#program,
      { ...this.#spec, frameMs: this.#wanted },
      {
        captured: (bytes) => this.#beat(bytes),
        taken: () => this.#beat(undefined),
        ended: (reason) => this.#fail(reason),
      },
    );
    const running: Running = { sound, listener, arrivals: new ArrivalWatch(this.#frameMs), beats: 0, watchdog: undefined };
    this.#running = running;
    try {
      this.#useFormat(await sound.start(), running);
    } catch (thrown) {
      this.#leave(running);
      throw thrown;
    }
    this.#looksWithoutFrame = 0;
    running.watchdog = setInterval(() => this.#look(), watchdogMs);
  }

  /** What the card agreed to, in place of what it was asked for. */
  #useFormat({ frameMs: length, sampleRate, input, output }: SoundFormat, running: Running): void {
    this.#chosen = { input, output };
    if (length === this.#frameMs && sampleRate === this.#sampleRate) return;
    this.#before.taken += this.#queue.taken;
    this.#before.underruns += this.#queue.underruns;
    this.#before.dropped += this.#queue.dropped;
    this.#frameMs = length;
    this.#sampleRate = sampleRate;
    this.#queue = new PlaybackQueue(this.frameSamples, length, queueMs / length);
    this.#captured = new Int16Array(this.frameSamples);
    this.#outgoing = new Int16Array(this.frameSamples);
    running.arrivals = new ArrivalWatch(length);
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
    this.#before.lost += ending.arrivals.lost;
    this.#queue.clear();
  }

  /** One frame in, `undefined` from a card that cannot hear, and one frame out. */
  #beat(bytes: Uint8Array | undefined): void {
    const running = this.#running;
    if (!running) return;
    this.#looksWithoutFrame = 0;
    this.#framesCaptured++;
    running.arrivals.arrived(this.#clock.now());
    if (++running.beats === trial.frames && running.arrivals.lost > trial.lostAtMost && this.#frameMs !== frameMs) {
      this.#wanted = frameMs;
      this.#fail(`it does not keep up with frames of ${this.#frameMs} ms and goes on with ${frameMs}`);
      return;
    }
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
