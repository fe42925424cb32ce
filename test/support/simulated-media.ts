import type { SessionParameters } from '#firmware/contract/media.ts';
import { MediaEngine } from '#firmware/media/media-engine.ts';
import type { MediaCommand, Reply } from '#firmware/phone/outbox.ts';
import type { Phone } from '#firmware/phone/phone.ts';
import { LegProtection } from '#services/media/leg-protection.ts';
import { seededEntropy } from './seeded-entropy.ts';

/** Where RTP goes: by `address:port`, without delay and loss. */
export type RtpSwitch = Map<string, (now: number, rtcp: boolean, bytes: Uint8Array, address: string, port: number) => void>;

const frameSamples = 160;
const frameMs = 20;

/** The microphone and the loudspeaker of one device, as a person would use them. */
class SimulatedDevice {
  readonly sampleRate = 8000;
  readonly frameSamples = frameSamples;
  /** What the person says: a sine of that many Hz; 0 = nothing. */
  speaks = 0;
  /** Everything played since the last `listen`. */
  heard: number[] = [];
  #phase = 0;

  play(frame: Int16Array): boolean {
    this.heard.push(...frame);
    return true;
  }

  said(): Int16Array {
    const frame = new Int16Array(frameSamples);
    for (let i = 0; i < frameSamples; i++)
      frame[i] = this.speaks ? Math.round(8000 * Math.sin((2 * Math.PI * this.speaks * this.#phase++) / 8000)) : 0;
    return frame;
  }
}

/** The media daemon of one simulated phone: the real engine, RTP over a switch instead of sockets, commands answered at once. */
export class SimulatedMedia {
  readonly #rtp: RtpSwitch;
  readonly #address: string;
  #engine: MediaEngine;
  #ports = new Map<string, number>();
  #enginesMade = 0;
  readonly #protections = new Map<string, LegProtection>();
  #nextPort: number;
  #lastPort = 0;
  #recordings = 0;
  #frameAt: number | undefined;
  #frames = 0;
  readonly devices = new Map<string, SimulatedDevice>();
  /** Tones that sound now: by device, and for the far end of sessions. */
  readonly tones = new Map<string, string>();
  /** Tones in the order they began, `device:tone`. */
  readonly toneHistory: string[] = [];
  /** Files that play now, by session. */
  readonly playing = new Map<string, string>();
  readonly muted = new Set<string>();
  /** Devices that give announcements, by group. */
  readonly heardPages = new Map<string, string>();
  /** What is being said to a group. */
  sentPage: Extract<MediaCommand, { name: 'openPage' }>['args'] | undefined;
  /** Answers `openPage` with this while it is set. */
  pageObstacle: string | undefined;
  /** Recordings under way, by session. */
  readonly recording = new Map<string, string>();
  /** Answers `startRecording` with this while it is set. */
  recordingObstacle: string | undefined;
  /** Every command that came. */
  readonly commands: MediaCommand[] = [];
  /** Answers `openSession` with an error while true. */
  portsExhausted = false;
  /** A command of that name is not answered while it stands here. */
  readonly unanswered = new Set<string>();
  /** Files that can be played. */
  readonly files = new Set<string>(['/alarm.wav']);
  /** There is a library for Opus: only what is said of it counts here, no call is in it. */
  hasOpus = false;
  up = false;

  constructor(rtp: RtpSwitch, address: string, firstPort = 16_384) {
    this.#rtp = rtp;
    this.#address = address;
    this.#nextPort = firstPort;
    this.#engine = this.#newEngine();
  }

  /** RTP sessions that are open. */
  get sessions(): readonly string[] {
    return [...this.#ports.keys()];
  }

  device(name: string): SimulatedDevice {
    const device = this.devices.get(name);
    if (!device) throw new Error(`there is no device ${name}`);
    return device;
  }

  /** The process is killed: nothing of it is left. */
  crash(): void {
    for (const port of this.#ports.values()) this.#unplug(port);
    this.#ports.clear();
    this.#protections.clear();
    this.devices.clear();
    this.tones.clear();
    this.playing.clear();
    this.recording.clear();
    this.#engine = this.#newEngine();
    this.#frameAt = undefined;
    this.up = false;
  }

  /** When the next frame is due; only sound needs frames. */
  get deadline(): number | undefined {
    return this.#ports.size > 0 ? this.#frameAt : undefined;
  }

  /** One frame of all devices and sessions; without a phone nobody hears of what happens. */
  frame(now: number, phone: Phone | undefined): void {
    this.#frameAt = now + frameMs;
    for (const [name, device] of this.devices) this.#engine.device(name).capture(device.said());
    this.#engine.tick(now);
    this.#engine.tick(now);
    this.#sendAll(now);
    for (const event of this.#engine.drain()) {
      if (event.kind === 'digit') {
        phone?.mediaEvent(now, {
          name: 'digit',
          fields: { session: event.session, digit: event.digit, durationMs: event.durationMs, way: event.way },
        });
      } else if (event.kind === 'rtpSilence') {
        phone?.mediaEvent(now, { name: 'rtpSilence', fields: { session: event.session, seconds: event.seconds } });
      }
    }
    if (phone && ++this.#frames % 50 === 0) this.#tellStatistics(now, phone);
  }

  /** Carries out a command; `undefined` leaves it without an answer. */
  command(now: number, command: MediaCommand): Reply | undefined {
    this.commands.push(command);
    if (this.unanswered.has(command.name)) return undefined;
    try {
      return { ok: true, result: this.#result(now, command) };
    } catch (thrown) {
      return { ok: false, reason: thrown instanceof Error ? thrown.message : String(thrown) };
    }
  }

  #result(now: number, command: MediaCommand): unknown {
    switch (command.name) {
      case 'configure':
        return this.#configure(command.args);
      case 'openSession':
        return this.#open(now, command.args);
      case 'updateSession': {
        this.#protect(command.args.session, command.args.parameters);
        const { remote, ...rest } = command.args.parameters;
        this.#engine.updateSession(now, command.args.session, {
          ...rest,
          remote: { address: remote.address, port: remote.rtpPort },
          remoteRtcp: { address: remote.address, port: remote.rtcpPort },
        });
        return {};
      }
      case 'closeSession':
        return this.#close(now, command.args.session);
      case 'connectSession':
        this.#engine.connectSession(command.args.session, command.args.device);
        return {};
      case 'setLevel':
        this.#engine.session(command.args.session).level = command.args.decibels;
        return {};
      case 'startTone':
        this.#engine.startTone(command.args.target, command.args.tone);
        this.tones.set(targetName(command.args.target), command.args.tone);
        this.toneHistory.push(`${targetName(command.args.target)}:${command.args.tone}`);
        return {};
      case 'stopTone':
        this.#engine.stopTone(command.args.target);
        this.tones.delete(targetName(command.args.target));
        return {};
      case 'startPlayback':
        if (!this.files.has(command.args.file)) throw new Error(`${command.args.file} cannot be played`);
        this.playing.set(targetName(command.args.target), command.args.file);
        return {};
      case 'examineSound':
        return { seconds: 1 };
      case 'configureRecordings':
        return {};
      case 'configurePaging':
        return { groups: Object.fromEntries(Object.keys(command.args.groups).map((group) => [group, { ok: true }])) };
      case 'hearPage':
        if (command.args.device === null) this.heardPages.delete(command.args.group);
        else this.heardPages.set(command.args.group, command.args.device);
        return {};
      case 'openPage':
        if (this.pageObstacle !== undefined) throw new Error(this.pageObstacle);
        this.#engine.openSession(command.args.session);
        this.sentPage = command.args;
        return {};
      case 'startRecording':
        return { name: this.#record(command.args) };
      case 'stopRecording':
        this.recording.delete(command.args.session);
        return {};
      case 'recordings':
        return { recordings: [...this.recording].map(([session, name]) => ({ name, bytes: 44, seconds: 0, at: 0, session })) };
      case 'readRecording':
      case 'deleteRecording':
        throw new Error('there is no recording');
      case 'stopPlayback':
        this.playing.clear();
        return {};
      case 'sendDigit':
        this.#engine.sendDigit(command.args.session, command.args.digit, command.args.durationMs, command.args.way);
        return {};
      case 'playKey':
        this.#engine.playKey(command.args.device, command.args.digit, command.args.durationMs);
        return {};
      case 'setMuted':
        this.#engine.device(command.args.device).muted = command.args.muted;
        this.muted[command.args.muted ? 'add' : 'delete'](command.args.device);
        return {};
      case 'setVolume':
        this.#engine.device(command.args.device).volume = command.args.volume;
        return {};
      case 'sessions':
        return { sessions: [...this.#ports].map(([session, rtpPort]) => ({ session, rtpPort })) };
      case 'describe':
      case 'soundDevices':
      case 'testSound':
        return {};
      default:
        return command satisfies never;
    }
  }

  #configure({ devices, country, jitterBuffer, silenceSeconds }: Extract<MediaCommand, { name: 'configure' }>['args']): unknown {
    const limits = { minimum: jitterBuffer.minimumMs, start: jitterBuffer.startMs, maximum: jitterBuffer.maximumMs };
    this.#engine.configure({ country, jitterBuffer: limits, silenceSeconds });
    for (const name of Object.keys(devices)) {
      const device = this.devices.get(name) ?? new SimulatedDevice();
      this.devices.set(name, device);
      this.#engine.addDevice(name, device);
    }
    return { devices: Object.fromEntries(Object.keys(devices).map((name) => [name, { ok: true }])), opus: { ok: this.hasOpus } };
  }

  #open(now: number, { session: name, address, rtpPort }: Extract<MediaCommand, { name: 'openSession' }>['args']): unknown {
    if (this.portsExhausted) throw new Error('no free RTP port');
    if (address !== this.#address) throw new Error(`${address} is none of ours`);
    const session = this.#engine.openSession(name);
    const free = rtpPort !== undefined && !this.#rtp.has(`${address}:${rtpPort}`);
    const port = free ? rtpPort : this.#nextPort;
    if (!free) this.#nextPort += 2;
    this.#lastPort = port;
    this.#ports.set(name, port);
    const receive = (at: number, rtcp: boolean, bytes: Uint8Array, from: string, fromPort: number): void => {
      if (rtcp) session.receiveRtcp(at, bytes, from, fromPort);
      else session.receiveRtp(at, bytes, from, fromPort);
    };
    this.#rtp.set(`${address}:${port}`, receive);
    this.#rtp.set(`${address}:${port + 1}`, receive);
    this.#frameAt ??= now + frameMs;
    return { rtpPort: port, rtcpPort: this.#lastPort + 1, ice: null };
  }

  #record({ session, label }: Extract<MediaCommand, { name: 'startRecording' }>['args']): string {
    this.#engine.session(session);
    if (this.recordingObstacle !== undefined) throw new Error(this.recordingObstacle);
    const name = this.recording.get(session) ?? `${label}-${++this.#recordings}.wav`;
    this.recording.set(session, name);
    return name;
  }

  #protect(session: string, { security, remote, symmetric }: SessionParameters): void {
    const nothing = { send: () => undefined, certificate: () => undefined, report: () => undefined };
    const protection = this.#protections.get(session) ?? new LegProtection(this.#engine.session(session), nothing);
    this.#protections.set(session, protection);
    protection.update(security, { address: remote.address, port: remote.rtpPort }, symmetric);
  }

  #close(now: number, name: string): unknown {
    if (this.sentPage?.session === name) this.sentPage = undefined;
    this.#protections.delete(name);
    const session = this.#engine.closeSession(now, name);
    const port = this.#ports.get(name);
    if (!session || port === undefined) return { statistics: null };
    for (const packet of session.drain()) this.#send(now, port, packet);
    this.#ports.delete(name);
    this.#unplug(port);
    for (const map of [this.tones, this.playing, this.recording]) map.delete(name);
    if (this.#ports.size === 0) this.#frameAt = undefined;
    return { statistics: { session: name, ...session.statistics() }, quality: session.quality() ?? null };
  }

  #sendAll(now: number): void {
    for (const [name, port] of this.#ports) {
      for (const packet of this.#engine.session(name).drain()) this.#send(now, port, packet);
    }
  }

  #send(now: number, port: number, packet: { rtcp: boolean; bytes: Uint8Array; length: number; address: string; port: number }): void {
    const bytes = packet.bytes.slice(0, packet.length);
    this.#rtp.get(`${packet.address}:${packet.port}`)?.(now, packet.rtcp, bytes, this.#address, packet.rtcp ? port + 1 : port);
  }

  #tellStatistics(now: number, phone: Phone): void {
    const sessions = this.#engine.statistics().map((statistics) => ({ ...statistics }));
    if (sessions.length > 0) phone.mediaEvent(now, { name: 'statistics', fields: { sessions } });
  }

  #unplug(port: number): void {
    this.#rtp.delete(`${this.#address}:${port}`);
    this.#rtp.delete(`${this.#address}:${port + 1}`);
  }

  #newEngine(): MediaEngine {
    // Another process has other random numbers: an SSRC of before would look sent again.
    return new MediaEngine(seededEntropy(7 + this.#enginesMade++), 'cname', {
      country: 'us',
      jitterBuffer: { minimum: 20, start: 60, maximum: 200 },
      silenceSeconds: 0,
    });
  }
}

function targetName(target: { kind: 'device'; device: string } | { kind: 'session'; session: string }): string {
  return target.kind === 'device' ? target.device : target.session;
}
