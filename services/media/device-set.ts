import type { AudioDevice as AudioDeviceSpec } from '#firmware/contract/media.ts';
import type { Clock } from '#firmware/core/clock.ts';
import { messageOf } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import type { MediaEngine } from '#firmware/media/media-engine.ts';
import type { PlaybackPort, SoundDevice } from '#firmware/media/sound-device.ts';
import type { VoiceWishes } from '#firmware/media/voice-processing.ts';
import { type AudioSurroundings, openAudioDevice } from '#hal/audio/audio-devices.ts';
import type { AudioDevice, AudioListener } from '#hal/audio/audio-port.ts';
import { SilenceDevice } from '#hal/audio/silence-device.ts';

/** Whether the device in a role works. */
export interface DeviceHealth {
  readonly ok: boolean;
  readonly reason?: string;
}

/** What the devices of a phone need around them. */
export interface DeviceSurroundings {
  readonly audio: AudioSurroundings;
  readonly clock: Clock;
  readonly logger: Logger;
  /** So many milliseconds have passed on the clock that paces. */
  readonly onFrame: (ms: number) => void;
  readonly onChange: (role: string, health: DeviceHealth) => void;
}

interface Place {
  readonly spec: AudioDeviceSpec;
  readonly device: AudioDevice;
  node: SoundDevice;
  health: DeviceHealth;
  /** It has delivered a frame: only then can it pace. */
  beating: boolean;
  retry: NodeJS.Timeout | undefined;
}

/** A device that failed is tried again after this long, ms. */
const retryMs = 3000;
/** In place of a device that is not there: the role goes on to exist, so that calls can be joined with it. */
const nowhere: PlaybackPort = { sampleRate: 8000, frameSamples: 160, play: () => false };

/**
 * The sound devices by role, and which of them paces: a sound card if there is one, for its crystal decides when it needs sound; else any
 * device, else the monotonic clock of a silent one.
 */
export class DeviceSet {
  readonly #engine: MediaEngine;
  readonly #surroundings: DeviceSurroundings;
  readonly #places = new Map<string, Place>();
  readonly #silence: SilenceDevice;
  /** The role that paces; `undefined` = the silent device. */
  #pacing: string | undefined;
  /** Changes happen one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #stopped = false;
  #resting = false;

  constructor(engine: MediaEngine, surroundings: DeviceSurroundings) {
    this.#engine = engine;
    this.#surroundings = surroundings;
    this.#silence = new SilenceDevice(surroundings.clock);
  }

  start(): void {
    this.#choosePace();
  }

  /** Opens the devices of these roles and closes all others; one that runs as specified is left alone. */
  configure(specs: Readonly<Record<string, AudioDeviceSpec>>): Promise<Record<string, DeviceHealth>> {
    return this.#inTurn(async () => {
      for (const [role, place] of [...this.#places]) {
        if (JSON.stringify(specs[role]) !== JSON.stringify(place.spec)) await this.#close(role, place, Object.hasOwn(specs, role));
      }
      for (const [role, spec] of Object.entries(specs)) if (!this.#places.has(role)) await this.#open(role, spec);
      return Object.fromEntries([...this.#places].map(([role, { health }]) => [role, health]));
    });
  }

  /** Nothing sounds: clocks that are kept for that alone stand still until `wake`. A sound card beats on, it has a clock of its own. */
  rest(): void {
    this.#resting = true;
    for (const { spec, device } of this.#places.values()) if (spec.driver === 'silence') void device.stop();
    this.#choosePace();
  }

  /** Something is about to sound: the next frame is at most 20 ms away. */
  wake(): void {
    if (!this.#resting) return;
    this.#resting = false;
    for (const [role, place] of this.#places) if (place.spec.driver === 'silence') void place.device.start(this.#listenerOf(role, place));
    this.#choosePace();
  }

  /** No frame need move. */
  get resting(): boolean {
    return this.#resting;
  }

  stop(): Promise<void> {
    return this.#inTurn(async () => {
      this.#stopped = true;
      for (const [role, place] of [...this.#places]) await this.#close(role, place, false);
      await this.#silence.stop();
    });
  }

  describe() {
    return {
      pacing: this.#pacing ?? 'monotonic clock',
      devices: Object.fromEntries([...this.#places].map(([role, { device, health }]) => [role, { ...health, ...device.describe() }])),
    };
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(task);
    // Who asked hears of a failure; the next in turn must not.
    this.#turn = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  async #open(role: string, spec: AudioDeviceSpec): Promise<void> {
    const device = openAudioDevice(spec, this.#surroundings.audio);
    const node = this.#engine.addDevice(role, nowhere);
    const place: Place = { spec, device, node, health: { ok: false, reason: 'starting' }, beating: false, retry: undefined };
    this.#places.set(role, place);
    await this.#start(role, place);
  }

  async #start(role: string, place: Place): Promise<void> {
    try {
      await place.device.start(this.#listenerOf(role, place));
      place.node = this.#engine.addDevice(role, place.device, voiceOf(place.spec));
      place.health = { ok: true };
    } catch (thrown) {
      this.#giveUp(role, place, messageOf(thrown));
    }
  }

  #listenerOf(role: string, place: Place): AudioListener {
    return { frame: (captured) => this.#frame(role, place, captured), failed: (reason) => this.#failed(role, place, reason) };
  }

  async #close(role: string, place: Place, roleStays: boolean): Promise<void> {
    clearTimeout(place.retry);
    this.#places.delete(role);
    // Hardware may take its time to let go; calls on other devices do not wait for it.
    this.#choosePace();
    await place.device.stop();
    if (!roleStays) this.#engine.removeDevice(role);
  }

  #frame(role: string, place: Place, captured: Int16Array): void {
    if (this.#places.get(role) !== place || !place.health.ok) return;
    place.node.capture(captured);
    if (!place.beating) {
      place.beating = true;
      this.#choosePace();
    }
    if (role === this.#pacing) this.#surroundings.onFrame(place.device.frameMs);
  }

  #failed(role: string, place: Place, reason: string): void {
    if (this.#places.get(role) !== place) return;
    this.#giveUp(role, place, reason);
    this.#surroundings.onChange(role, place.health);
    this.#choosePace();
  }

  #giveUp(role: string, place: Place, reason: string): void {
    place.node = this.#engine.addDevice(role, nowhere);
    if (place.health.reason !== reason)
      this.#surroundings.logger.warn('audio-device-failed', { role, device: place.device.identity, reason });
    place.health = { ok: false, reason };
    place.beating = false;
    place.retry = setTimeout(() => void this.#inTurn(() => this.#tryAgain(role, place)), retryMs);
  }

  async #tryAgain(role: string, place: Place): Promise<void> {
    if (this.#places.get(role) !== place) return;
    const before = place.health.reason;
    await this.#start(role, place);
    if (place.health.reason === before) return;
    this.#surroundings.onChange(role, place.health);
  }

  /** At once, whatever else is under way: without a pace every call falls silent. */
  #choosePace(): void {
    if (this.#stopped) return;
    const running = [...this.#places].filter(([, { health, beating }]) => health.ok && beating);
    const card = running.find(([, { spec }]) => spec.driver === 'portaudio') ?? running[0];
    this.#pacing = card?.[0];
    if (card || this.#resting) void this.#silence.stop();
    else void this.#silence.start({ frame: () => this.#surroundings.onFrame(this.#silence.frameMs), failed: () => undefined });
  }
}

/** Only what has a microphone needs processing. */
function voiceOf(spec: AudioDeviceSpec): VoiceWishes | undefined {
  return spec.driver === 'silence' ? undefined : spec.voice;
}
