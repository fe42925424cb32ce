import type { OpusMaker } from '../audio/opus.ts';
import type { EnhancerMaker } from '../audio/speech-enhancer.ts';
import { keyTone, type ToneName, type TonePlan, tonePlanOf } from '../audio/tone-plans.ts';
import type { WavReader } from '../audio/wav.ts';
import type { Milliseconds } from '../core/clock.ts';
import type { Entropy } from '../core/entropy.ts';
import { UsageError } from '../core/errors.ts';
import type { JitterBufferLimits } from '../rtp/jitter-buffer.ts';
import type { EventDigit } from '../rtp/telephone-event.ts';
import { AudioRoute } from './audio-route.ts';
import { type LegDigit, type LegParameters, type LegStatistics, MediaSession } from './media-session.ts';
import { type EndingSource, TonePlayer, WavPlayer } from './players.ts';
import { type PlaybackPort, SoundDevice } from './sound-device.ts';
import type { VoiceState, VoiceWishes } from './voice-processing.ts';

/** Where a tone or a file is played: a device by role, or the far end of a session. */
export type SoundTarget = { readonly kind: 'device'; readonly device: string } | { readonly kind: 'session'; readonly session: string };

/** What the engine has to tell. */
export type MediaEvent =
  | {
      readonly kind: 'digit';
      readonly session: string;
      readonly digit: EventDigit;
      readonly durationMs: Milliseconds;
      readonly way: LegDigit['way'];
    }
  | { readonly kind: 'rtpSilence'; readonly session: string; readonly seconds: number }
  | { readonly kind: 'playbackEnded'; readonly playback: string; readonly completed: boolean };

/** How the engine is set up; changes hold from the next session or tone on. */
export interface MediaSettings {
  /** ISO 3166, lower case. */
  readonly country: string;
  readonly jitterBuffer: JitterBufferLimits;
  /** 0 = never reported. */
  readonly silenceSeconds: number;
}

/** Keys sound fainter than speech in the ear of who pressed them. */
const keyToneGain = 0.3;
const playbacksAtMost = 64;

/**
 * All legs, devices, tones and files of this phone, one block of 10 ms at a time. Whoever has the clock calls `tick`: the sound device
 * (with what its microphone heard) or a timer. Datagrams go to the sessions; what they want sent is drained from them after each tick.
 */
export class MediaEngine {
  readonly #entropy: Entropy;
  readonly #cname: string;
  readonly #route = new AudioRoute();
  readonly #devices = new Map<string, SoundDevice>();
  readonly #sessions = new Map<string, MediaSession>();
  /** Which device a session is joined with. */
  readonly #joined = new Map<string, string>();
  /** Sessions that a device gives, and that hear nothing of it. */
  readonly #given = new Map<string, string>();
  /** Sources that end, by their name in the route. */
  readonly #players = new Map<string, EndingSource>();
  #settings: MediaSettings;
  #opus: OpusMaker | undefined;
  /** Takes out echo and noise; `undefined` = this machine has nothing that does. */
  enhancer: EnhancerMaker | undefined;
  #tones: TonePlan;
  #events: MediaEvent[] = [];

  constructor(entropy: Entropy, cname: string, settings: MediaSettings) {
    this.#entropy = entropy;
    this.#cname = cname;
    this.#settings = settings;
    this.#tones = tonePlanOf(settings.country);
  }

  get sessions(): ReadonlyMap<string, MediaSession> {
    return this.#sessions;
  }

  /** Sessions that are opened from now on can speak Opus; `undefined` = they cannot. */
  set opus(opus: OpusMaker | undefined) {
    this.#opus = opus;
  }

  get hasOpus(): boolean {
    return this.#opus !== undefined;
  }

  /** There is no leg, and nothing plays: until that changes nobody misses a tick. */
  get idle(): boolean {
    return this.#sessions.size === 0 && this.#players.size === 0;
  }

  configure(settings: MediaSettings): void {
    this.#settings = settings;
    this.#tones = tonePlanOf(settings.country);
  }

  /** Adds or replaces the device in a role; sessions and tones stay joined with the role. Its frames are handed to the result. */
  addDevice(role: string, port: PlaybackPort, wishes?: VoiceWishes): SoundDevice {
    const before = this.#devices.get(role);
    const device = new SoundDevice(port, before, wishes && { wishes, maker: this.enhancer });
    before?.close();
    this.#devices.set(role, device);
    this.#route.addSource(deviceNode(role), device);
    this.#route.addSink(deviceNode(role), device);
    return device;
  }

  /** Takes the device out of its role; sessions that were joined with it are joined with nothing. */
  removeDevice(role: string): void {
    this.#devices.get(role)?.close();
    this.#devices.delete(role);
    for (const [session, joined] of [...this.#joined]) if (joined === role) this.connectSession(session, null);
    for (const [session, given] of [...this.#given]) if (given === role) this.#given.delete(session);
    this.#endPlayer(toneNode(deviceNode(role)));
    this.#route.removeSource(deviceNode(role));
    this.#route.removeSink(deviceNode(role));
  }

  device(role: string): SoundDevice {
    const device = this.#devices.get(role);
    if (!device) throw new UsageError('unknown-device', `there is no sound device ${role}`);
    return device;
  }

  openSession(name: string): MediaSession {
    if (this.#sessions.has(name)) throw new UsageError('session-exists', `media session ${name} exists`);
    const session = new MediaSession(this.#entropy, this.#cname, this.#settings.jitterBuffer, this.#opus);
    this.#sessions.set(name, session);
    this.#route.addSource(sessionNode(name), session);
    this.#route.addSink(sessionNode(name), session);
    return session;
  }

  session(name: string): MediaSession {
    const session = this.#sessions.get(name);
    if (!session) throw new UsageError('unknown-session', `there is no media session ${name}`);
    return session;
  }

  updateSession(now: Milliseconds, name: string, parameters: LegParameters): void {
    this.session(name).update(now, parameters);
  }

  /** Takes the session out and says goodbye to its peer; its last datagrams are still to be drained from it. */
  closeSession(now: Milliseconds, name: string): MediaSession | undefined {
    const session = this.#sessions.get(name);
    if (!session) return undefined;
    session.close(now);
    this.connectSession(name, null);
    this.#given.delete(name);
    this.#sessions.delete(name);
    this.#endPlayer(toneNode(sessionNode(name)));
    this.#route.removeSource(sessionNode(name));
    this.#route.removeSink(sessionNode(name));
    return session;
  }

  /** Joins a session with a device, both ways, and with the other sessions there; `null` joins it with nothing. */
  connectSession(name: string, role: string | null): void {
    this.session(name);
    if (role !== null) this.device(role);
    const before = this.#joined.get(name);
    if (before === role) return;
    if (before !== undefined) {
      this.#joined.delete(name);
      for (const node of this.#nodesAt(before)) {
        this.#route.disconnect(node, sessionNode(name));
        this.#route.disconnect(sessionNode(name), node);
      }
    }
    if (role === null) return;
    for (const node of this.#nodesAt(role)) {
      this.#route.connect(node, sessionNode(name));
      this.#route.connect(sessionNode(name), node);
    }
    this.#joined.set(name, role);
  }

  /** A device gives what comes of a session, which gets nothing back, nor does any other; `null` = none does. */
  giveSession(name: string, role: string | null): void {
    this.session(name);
    if (role !== null) this.device(role);
    const before = this.#given.get(name);
    if (before !== undefined) this.#route.disconnect(sessionNode(name), deviceNode(before));
    this.#given.delete(name);
    if (role === null) return;
    this.#route.connect(sessionNode(name), deviceNode(role));
    this.#given.set(name, role);
  }

  /** Plays a tone; another at the same target ends. */
  startTone(target: SoundTarget, tone: ToneName): void {
    this.#play(toneNode(this.#nodeOf(target)), new TonePlayer(this.#tones[tone]), this.#nodeOf(target));
  }

  stopTone(target: SoundTarget): void {
    this.#endPlayer(toneNode(nodeName(target)));
  }

  /** Ends what is played to the room: tones and files at devices. Sessions are left alone. */
  quietDevices(): void {
    for (const role of this.#devices.keys()) {
      for (const source of this.#route.sourcesOf(deviceNode(role))) if (this.#players.has(source)) this.#endPlayer(source);
    }
  }

  /** Plays a file `repeat` times (0 = until stopped). Another playback of the same name ends. */
  startPlayback(name: string, target: SoundTarget, reader: WavReader, repeat: number, gapMs: Milliseconds): void {
    if (this.#players.size >= playbacksAtMost) throw new UsageError('too-many-playbacks', `${playbacksAtMost} tones and files play`);
    const player = playerOf(reader, repeat, gapMs);
    this.stopPlayback(name);
    this.#play(playbackNode(name), player, this.#nodeOf(target));
  }

  /** Ends a playback before its time; one that does not run is no error. */
  stopPlayback(name: string): void {
    if (this.#endPlayer(playbackNode(name))) this.#events.push({ kind: 'playbackEnded', playback: name, completed: false });
  }

  /** Sends a digit, as an RFC 4733 event or in place of the sound. */
  sendDigit(name: string, digit: EventDigit, duration: Milliseconds, way: LegDigit['way'] = 'event'): void {
    const session = this.session(name);
    const taken = way === 'event' ? session.sendDigit(digit, duration) : session.playDigit(digit, duration);
    if (!taken) throw new UsageError('digit-not-sent', `the far end of ${name} takes no such digits now`);
  }

  /** Who presses a key hears it. */
  playKey(role: string, digit: EventDigit, duration: Milliseconds): void {
    this.device(role);
    this.#play(keyNode(role), new TonePlayer(keyTone(digit, duration), keyToneGain), deviceNode(role));
  }

  /** 10 ms pass: sound moves, packets are made, what is over ends. */
  tick(now: Milliseconds): void {
    this.#route.tick();
    for (const [name, session] of this.#sessions) {
      session.moved(now);
      this.#gather(now, name, session);
    }
    for (const [node, player] of this.#players) if (player.ended) this.#finish(node);
  }

  /** Events since the last call. */
  drain(): readonly MediaEvent[] {
    if (this.#events.length === 0) return nothing;
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** Counts and levels of every leg; the levels are those since the last call. */
  statistics(): (LegStatistics & { readonly session: string; readonly voice: VoiceState | null })[] {
    return [...this.#sessions].map(([session, leg]) => {
      const joined = this.#joined.get(session);
      const voice = joined === undefined ? undefined : this.#devices.get(joined)?.voice;
      return { session, ...leg.statistics(), voice: voice ?? null };
    });
  }

  describe() {
    return {
      settings: this.#settings,
      route: this.#route.describe(),
      devices: Object.fromEntries([...this.#devices].map(([role, device]) => [role, device.describe()])),
      sessions: Object.fromEntries([...this.#sessions].map(([name, session]) => [name, session.describe()])),
    };
  }

  #gather(now: Milliseconds, name: string, session: MediaSession): void {
    for (const { digit, duration, way } of session.drainDigits()) {
      this.#events.push({ kind: 'digit', session: name, digit, durationMs: duration, way });
    }
    const { silenceSeconds } = this.#settings;
    if (silenceSeconds > 0 && session.fellSilent(now, silenceSeconds * 1000)) {
      this.#events.push({ kind: 'rtpSilence', session: name, seconds: silenceSeconds });
    }
  }

  /** The nodes of a device and of the sessions joined with it. */
  #nodesAt(role: string): string[] {
    const sessions = [...this.#joined].filter(([, joined]) => joined === role).map(([name]) => sessionNode(name));
    return [deviceNode(role), ...sessions];
  }

  #nodeOf(target: SoundTarget): string {
    if (target.kind === 'device') this.device(target.device);
    else this.session(target.session);
    return nodeName(target);
  }

  #play(node: string, player: EndingSource, sink: string): void {
    this.#endPlayer(node);
    this.#players.set(node, player);
    this.#route.addSource(node, player);
    this.#route.connect(node, sink);
  }

  #endPlayer(node: string): boolean {
    this.#route.removeSource(node);
    return this.#players.delete(node);
  }

  #finish(node: string): void {
    this.#endPlayer(node);
    const name = playbackOf(node);
    if (name !== undefined) this.#events.push({ kind: 'playbackEnded', playback: name, completed: true });
  }
}

const nothing: readonly MediaEvent[] = [];
const playbackPrefix = 'playback:';

function deviceNode(role: string): string {
  return `device:${role}`;
}

function sessionNode(name: string): string {
  return `session:${name}`;
}

function nodeName(target: SoundTarget): string {
  return target.kind === 'device' ? deviceNode(target.device) : sessionNode(target.session);
}

function toneNode(target: string): string {
  return `tone:${target}`;
}

function keyNode(role: string): string {
  return `key:${role}`;
}

function playbackNode(name: string): string {
  return playbackPrefix + name;
}

function playbackOf(node: string): string | undefined {
  return node.startsWith(playbackPrefix) ? node.slice(playbackPrefix.length) : undefined;
}

function playerOf(reader: WavReader, repeat: number, gapMs: Milliseconds): WavPlayer {
  try {
    return new WavPlayer(reader, repeat, gapMs);
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    throw new UsageError('unsupported-rate', `a file with ${reader.layout.sampleRate} samples a second cannot be played`);
  }
}
