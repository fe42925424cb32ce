import type { AudioDevice as AudioDeviceSpec } from '#firmware/contract/media.ts';
import type { Clock, Milliseconds } from '#firmware/core/clock.ts';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import type { MediaEngine } from '#firmware/media/media-engine.ts';
import type { PlaybackPort, SoundDevice } from '#firmware/media/sound-device.ts';
import type { VoiceWishes } from '#firmware/media/voice-processing.ts';
import type { AudioDevice, AudioListener } from '#hal/audio/audio-port.ts';
import { SilenceDevice } from '#hal/audio/silence-device.ts';
import { DeviceRetry } from './device-retry.ts';
import { SharedDevices, sharedSpecs } from './shared-devices.ts';

/** Whether the device in a role works, and the role whose device helps out while it does not. */
export interface DeviceHealth {
  readonly ok: boolean;
  readonly reason?: string;
  readonly standIn?: string;
}

/** What the devices of a phone need around them. */
export interface DeviceSurroundings {
  readonly open: (spec: AudioDeviceSpec) => AudioDevice;
  /** Something that changes whenever a sound card is plugged in or out. */
  readonly cards: () => Promise<string>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** So many milliseconds have passed on the clock that paces. */
  readonly onFrame: (ms: Milliseconds) => void;
  readonly onChange: (role: string, health: DeviceHealth) => void;
}

/** A device that sits in a role for a while, instead of the one that is configured. */
interface Loan {
  readonly device: AudioDevice;
  readonly node: SoundDevice;
  beating: boolean;
}

interface Place {
  readonly spec: AudioDeviceSpec;
  readonly device: AudioDevice;
  /** The role as the engine knows it, with whichever device sits there; while it is lent, with whichever sat there before. */
  node: SoundDevice;
  /** What sits there, or will once it is given back. */
  sits: { readonly port: PlaybackPort; readonly voice: VoiceWishes | undefined };
  ok: boolean;
  reason: string | undefined;
  /** It has delivered a frame: only then can it pace. */
  beating: boolean;
  /** The device of another role, while its own is gone. */
  standIn: { readonly role: string; readonly device: AudioDevice } | undefined;
  /** What was said of it last. */
  told: string;
}

/** In place of a device that is not there: the role goes on to exist, so that calls can be joined with it. */
const nowhere: PlaybackPort = { sampleRate: 8000, frameSamples: 160, play: () => false };

/** Whose device helps out, the best first. Nobody's ear is rung at. */
const standIns: ReadonlyMap<string, readonly string[]> = new Map([
  ['handset', ['headset', 'speaker']],
  ['headset', ['handset', 'speaker']],
  ['speaker', ['headset', 'handset']],
  ['ringer', ['speaker']],
]);

/**
 * The sound devices by role, and which of them paces: one that is lent, for the person is there; else that of the role in use if it is a
 * sound card, for its crystal decides when it needs sound; else any card, else any device, else the monotonic clock of a silent one.
 *
 *   role ─► its own device ── gone? ─► that of another role ── gone? ─► nowhere;  back again ─► its own
 */
export class DeviceSet {
  readonly #engine: MediaEngine;
  readonly #surroundings: DeviceSurroundings;
  readonly #shared: SharedDevices;
  readonly #places = new Map<string, Place>();
  readonly #loans = new Map<string, Loan>();
  readonly #retry: DeviceRetry;
  readonly #silence: SilenceDevice;
  /** The role that calls were joined with last. */
  #used: string | undefined;
  /** The role that paces; `undefined` = the silent device. */
  #pacing: string | undefined;
  /** The lent device that paces, in the role of `#pacing`. */
  #pacingLoan: Loan | undefined;
  /** Changes happen one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #stopped = false;
  #resting = false;

  constructor(engine: MediaEngine, surroundings: DeviceSurroundings) {
    this.#engine = engine;
    this.#surroundings = surroundings;
    this.#shared = new SharedDevices(surroundings.open);
    this.#retry = new DeviceRetry(surroundings.cards, () => this.#inTurn(() => this.#tryAgain()));
    this.#silence = new SilenceDevice(surroundings.clock);
  }

  start(): void {
    this.#choosePace();
  }

  /** Opens the devices of these roles and closes all others; one that runs as specified is left alone. */
  configure(wanted: Readonly<Record<string, AudioDeviceSpec>>): Promise<Record<string, DeviceHealth>> {
    const specs = sharedSpecs(wanted);
    return this.#inTurn(async () => {
      for (const [role, place] of [...this.#places]) {
        if (JSON.stringify(specs[role]) !== JSON.stringify(place.spec)) await this.#close(role, place, Object.hasOwn(specs, role));
      }
      this.#shared.keep(Object.values(specs));
      for (const [role, spec] of Object.entries(specs)) if (!this.#places.has(role)) await this.#open(role, spec);
      this.#arrange();
      const healths = [...this.#places].map(([role, place]): [string, DeviceHealth] => [role, this.#healthOf(role, place)]);
      for (const [role, place] of this.#places) place.told = JSON.stringify(this.#healthOf(role, place));
      return Object.fromEntries(healths);
    });
  }

  /** Calls are joined with this role now: its card paces, so that nothing of it is ever left out or doubled. */
  use(role: string): void {
    this.#used = role;
    this.#choosePace();
  }

  /**
   * From now on this device is the one in the role, with all that is joined with it; one that was lent before is stopped. The one that is
   * configured runs on, unheard.
   */
  async lend(role: string, device: AudioDevice): Promise<void> {
    if (!this.#places.has(role)) throw new ResourceError(`there is no ${role} whose place it could take`);
    void this.#loans.get(role)?.device.stop();
    const loan: Loan = { device, node: this.#engine.addDevice(role, device), beating: false };
    this.#loans.set(role, loan);
    this.#arrange();
    if (!this.#resting) await this.#startLoan(role, loan);
  }

  /** The configured device is back in its role, at once; nothing happens when another one has been lent since. */
  giveBack(role: string, device: AudioDevice): void {
    if (this.#loans.get(role)?.device !== device) return;
    this.#loans.delete(role);
    void device.stop();
    const place = this.#places.get(role);
    if (place) this.#sit(role, place, place.sits.port, place.sits.voice);
    this.#arrange();
    this.#choosePace();
  }

  /** Nothing sounds: clocks that are kept for that alone stand still until `wake`. A sound card beats on, it has a clock of its own. */
  rest(): void {
    this.#resting = true;
    for (const { spec, device } of this.#places.values()) if (spec.driver === 'silence') void device.stop();
    for (const loan of this.#loans.values()) {
      loan.beating = false;
      void loan.device.stop();
    }
    this.#choosePace();
  }

  /** Something is about to sound: the next frame is at most 20 ms away. */
  wake(): void {
    if (!this.#resting) return;
    this.#resting = false;
    for (const [role, place] of this.#places) if (place.spec.driver === 'silence') void place.device.start(this.#listenerOf(role, place));
    for (const [role, loan] of this.#loans) void this.#startLoan(role, loan);
    this.#choosePace();
  }

  /** No frame need move. */
  get resting(): boolean {
    return this.#resting;
  }

  /** The device of a role as it works now: the one that is lent, its own, or the one that helps out; `undefined` = nothing sounds there. */
  deviceOf(role: string): AudioDevice | undefined {
    const loan = this.#loans.get(role);
    if (loan) return loan.device;
    const place = this.#places.get(role);
    if (place?.spec.driver === 'silence') return undefined;
    return place?.ok ? place.device : place?.standIn?.device;
  }

  /** Why nothing sounds in a role. */
  reasonOf(role: string): string {
    const place = this.#places.get(role);
    return !place || place.spec.driver === 'silence' ? `no device is set up, see audio.${role}.driver` : (place.reason ?? '');
  }

  stop(): Promise<void> {
    return this.#inTurn(async () => {
      this.#stopped = true;
      this.#retry.stop();
      for (const { device } of this.#loans.values()) await device.stop();
      for (const [role, place] of [...this.#places]) await this.#close(role, place, false);
      await this.#silence.stop();
    });
  }

  describe() {
    return {
      pacing: this.#pacing ?? 'monotonic clock',
      devices: Object.fromEntries([...this.#places].map(([role, place]) => [role, { ...healthOf(place), ...place.device.describe() }])),
      lent: Object.fromEntries([...this.#loans].map(([role, { device }]) => [role, device.describe()])),
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
    const device = this.#shared.seat(spec);
    const sits = { port: nowhere, voice: undefined };
    const node = this.#loans.get(role)?.node ?? this.#engine.addDevice(role, nowhere);
    const place: Place = { spec, device, node, sits, ok: false, reason: 'starting', beating: false, standIn: undefined, told: '' };
    this.#places.set(role, place);
    await this.#start(role, place);
  }

  async #start(role: string, place: Place): Promise<void> {
    try {
      await place.device.start(this.#listenerOf(role, place));
      this.#endStandIn(place);
      this.#sit(role, place, place.device, voiceOf(place.spec));
      place.ok = true;
      place.reason = undefined;
    } catch (thrown) {
      this.#giveUp(role, place, messageOf(thrown));
    }
  }

  #sit(role: string, place: Place, port: PlaybackPort, voice?: VoiceWishes): void {
    place.sits = { port, voice };
    if (!this.#loans.has(role)) place.node = this.#engine.addDevice(role, port, voice);
  }

  /** What the microphone of a role's own device, or of the one that helps out, hears: nobody's affair while the role is lent. */
  #capture(role: string, place: Place, captured: Int16Array): void {
    if (!this.#loans.has(role)) place.node.capture(captured);
  }

  /** A lent device does not fail: whoever lent it takes it back. */
  #startLoan(role: string, loan: Loan): Promise<void> {
    return loan.device.start({ frame: (captured) => this.#lentFrame(role, loan, captured), failed: () => undefined });
  }

  #lentFrame(role: string, loan: Loan, captured: Int16Array): void {
    if (this.#loans.get(role) !== loan) return;
    loan.node.capture(captured);
    if (!loan.beating) {
      loan.beating = true;
      this.#choosePace();
    }
    if (loan === this.#pacingLoan) this.#surroundings.onFrame(loan.device.frameMs);
  }

  #healthOf(role: string, place: Place): DeviceHealth {
    return this.#loans.has(role) ? { ok: true } : healthOf(place);
  }

  #listenerOf(role: string, place: Place): AudioListener {
    return { frame: (captured) => this.#frame(role, place, captured), failed: (reason) => this.#failed(role, place, reason) };
  }

  async #close(role: string, place: Place, roleStays: boolean): Promise<void> {
    this.#places.delete(role);
    this.#endStandIn(place);
    // Hardware may take its time to let go; calls on other devices do not wait for it.
    this.#choosePace();
    await place.device.stop();
    if (roleStays) return;
    const loan = this.#loans.get(role);
    this.#loans.delete(role);
    await loan?.device.stop();
    this.#engine.removeDevice(role);
  }

  #frame(role: string, place: Place, captured: Int16Array): void {
    if (this.#places.get(role) !== place || !place.ok) return;
    this.#capture(role, place, captured);
    if (!place.beating) {
      place.beating = true;
      this.#choosePace();
    }
    if (role === this.#pacing && !this.#pacingLoan) this.#surroundings.onFrame(place.device.frameMs);
  }

  #failed(role: string, place: Place, reason: string): void {
    if (this.#places.get(role) !== place) return;
    this.#giveUp(role, place, reason);
    this.#arrange();
    this.#choosePace();
  }

  #giveUp(role: string, place: Place, reason: string): void {
    if (place.ok) {
      this.#retry.lost();
      this.#sit(role, place, nowhere);
    }
    if (place.reason !== reason) this.#surroundings.logger.warn('audio-device-failed', { role, device: place.device.identity, reason });
    place.ok = false;
    place.reason = reason;
    place.beating = false;
  }

  async #tryAgain(): Promise<void> {
    for (const [role, place] of [...this.#places]) {
      if (place.ok || this.#places.get(role) !== place) continue;
      await this.#start(role, place);
      // Whoever got its device back does not wait for those that have not.
      if (place.ok) this.#arrange();
    }
    this.#arrange();
  }

  /** Roles without a device of their own get the best there is, what changed is said, and what is missing is looked for. */
  #arrange(): void {
    for (const [role, place] of this.#places) if (!place.ok) this.#substitute(role, place);
    for (const [role, place] of this.#places) {
      const health = this.#healthOf(role, place);
      const told = JSON.stringify(health);
      if (place.told !== '' && place.told !== told) {
        const { logger, onChange } = this.#surroundings;
        logger.info('audio-device-changed', { role, ...health });
        onChange(role, health);
      }
      if (place.told !== '') place.told = told;
    }
    const missing = [...this.#places.values()].some(({ ok }) => !ok);
    if (missing && !this.#stopped) this.#retry.start();
    else this.#retry.stop();
  }

  #substitute(role: string, place: Place): void {
    const helper = standIns.get(role)?.find((other) => canHelp(this.#places.get(other)));
    if (helper === place.standIn?.role) return;
    this.#endStandIn(place);
    const spec = helper === undefined ? undefined : this.#places.get(helper)?.spec;
    if (helper === undefined || !spec) {
      this.#sit(role, place, nowhere);
      return;
    }
    const device = this.#shared.seat(spec);
    this.#sit(role, place, device, voiceOf(place.spec));
    const standIn = { role: helper, device };
    place.standIn = standIn;
    const isThere = () => place.standIn === standIn;
    // The device runs, or is about to fail for the role it helps out from, which arranges things anew.
    void device
      .start({ frame: (captured) => isThere() && this.#capture(role, place, captured), failed: () => this.#lostStandIn(place, standIn) })
      .catch(() => this.#lostStandIn(place, standIn));
  }

  #lostStandIn(place: Place, standIn: Place['standIn']): void {
    if (place.standIn !== standIn) return;
    this.#endStandIn(place);
    this.#arrange();
  }

  #endStandIn(place: Place): void {
    const ending = place.standIn;
    place.standIn = undefined;
    void ending?.device.stop();
  }

  /** At once, whatever else is under way: without a pace every call falls silent. */
  #choosePace(): void {
    if (this.#stopped) return;
    const loan = [...this.#loans].find(([, { beating }]) => beating);
    this.#pacingLoan = loan?.[1];
    const running = [...this.#places].filter(([, { ok, beating }]) => ok && beating);
    const cards = running.filter(([, { spec }]) => spec.driver === 'portaudio');
    const used = this.#used === undefined ? undefined : (this.#places.get(this.#used)?.standIn?.role ?? this.#used);
    const chosen = loan ?? cards.find(([role]) => role === used) ?? cards[0] ?? running[0];
    this.#pacing = chosen?.[0];
    if (chosen || this.#resting) void this.#silence.stop();
    else void this.#silence.start({ frame: () => this.#surroundings.onFrame(this.#silence.frameMs), failed: () => undefined });
  }
}

function healthOf({ ok, reason, standIn }: Place): DeviceHealth {
  if (ok) return { ok };
  return { ok, ...(reason !== undefined && { reason }), ...(standIn && { standIn: standIn.role }) };
}

/** It works, and somebody may listen there. */
function canHelp(place: Place | undefined): boolean {
  return place?.ok === true && place.spec.driver !== 'silence' && place.spec.output !== null;
}

/** Only what has a microphone needs processing. */
function voiceOf(spec: AudioDeviceSpec): VoiceWishes | undefined {
  return spec.driver === 'silence' ? undefined : spec.voice;
}
