import { open } from 'node:fs/promises';
import { parseWav, WavReader } from '#firmware/audio/wav.ts';
import type { ArgsOf } from '#firmware/contract/contract.ts';
import type { AudioDevice, mediaContract, SessionParameters } from '#firmware/contract/media.ts';
import type { Clock } from '#firmware/core/clock.ts';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import type { MediaEngine } from '#firmware/media/media-engine.ts';
import type { LegParameters } from '#firmware/media/media-session.ts';
import type { Priority } from '#firmware/platform/priority.ts';
import type { PortRange } from '#firmware/platform/rtp-socket.ts';
import { openTrafficMarker } from '#firmware/platform/traffic-class.ts';
import type { Caller, Implementation } from '#firmware/platform/unix-socket.ts';
import type { DeviceSet } from './device-set.ts';
import type { EngineDriver } from './engine-driver.ts';
import { loadOpus } from './opus-codec.ts';
import type { Paging } from './paging.ts';
import type { Recordings } from './recordings.ts';
import type { SoundCheck } from './sound-check.ts';
import { loadSpeex } from './speex-enhancer.ts';

type Contract = typeof mediaContract;

/** What the service commands. */
export interface MediaParts {
  readonly engine: MediaEngine;
  readonly driver: EngineDriver;
  readonly devices: DeviceSet;
  readonly soundCheck: SoundCheck;
  readonly recordings: Recordings;
  readonly paging: Paging;
  /** Shown, for whoever wonders why sound comes late. */
  readonly priority: Priority;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Files are read whole, once, off the event loop; an hour of speech fits. */
const fileBytesAtMost = 64 * 1024 * 1024;
/** Until phone says otherwise. */
const defaultGraceSeconds = 30;
const controllerRole = 'phone';
const defaultPorts: PortRange = { from: 16_384, to: 32_766 };

/** Carries out the media contract. Holds no configuration: all of it comes from the controller at each connect. */
export class MediaService {
  readonly commands: Implementation<Contract>;
  readonly #parts: MediaParts;
  #ports = defaultPorts;
  #graceSeconds = defaultGraceSeconds;
  #opus: { ok: boolean; reason?: string } = { ok: false };
  #controllers = 0;
  #grace: NodeJS.Timeout | undefined;

  constructor(parts: MediaParts) {
    this.#parts = parts;
    const { engine, driver, devices, recordings, paging } = parts;
    this.commands = {
      ...recordingCommandsOf(recordings),
      configure: (args) => this.#configure(args),
      openSession: ({ session, address, rtpPort, ice }) => {
        devices.wake();
        return driver.openSession(session, address, { ...this.#ports, first: rtpPort }, ice ?? null);
      },
      updateSession: ({ session, parameters }) => {
        engine.updateSession(parts.clock.now(), session, legParametersOf(parameters));
        driver.follow(session, parameters);
        return {};
      },
      closeSession: ({ session }) => this.#closeSession(session),
      connectSession: ({ session, device }) => {
        engine.connectSession(session, device);
        if (device !== null) devices.use(device);
        return {};
      },
      setLevel: ({ session, decibels }) => {
        engine.session(session).level = decibels;
        return {};
      },
      startTone: ({ target, tone }) => {
        devices.wake();
        engine.startTone(target, tone);
        return {};
      },
      stopTone: ({ target }) => {
        engine.stopTone(target);
        return {};
      },
      startRecording: async ({ session, label, beep }) => {
        return { name: await recordings.start(session, label, () => engine.session(session).record(beep)) };
      },
      stopRecording: async ({ session }) => {
        engine.sessions.get(session)?.stopRecording();
        await recordings.stop(session);
        return {};
      },
      configurePaging: async (args) => ({ groups: await paging.configure(args) }),
      hearPage: ({ group, device }) => {
        paging.hear(group, device);
        return {};
      },
      openPage: async (args) => {
        await paging.open(args);
        return {};
      },
      startPlayback: (args) => this.#startPlayback(args),
      examineSound: async ({ file }) => {
        const { layout } = await readSound(file);
        const frames = (layout.dataEnd - layout.dataStart) / (layout.channels * (layout.encoding === 'pcm16' ? 2 : 1));
        return { seconds: frames / layout.sampleRate };
      },
      stopPlayback: ({ playback }) => {
        engine.stopPlayback(playback);
        return {};
      },
      sendDigit: ({ session, digit, durationMs, way }) => {
        engine.sendDigit(session, digit, durationMs, way);
        return {};
      },
      playKey: ({ device, digit, durationMs }) => {
        devices.wake();
        engine.playKey(device, digit, durationMs);
        return {};
      },
      setMuted: ({ device, muted }) => {
        engine.device(device).muted = muted;
        return {};
      },
      setVolume: ({ device, volume }) => {
        engine.device(device).volume = volume;
        return {};
      },
      soundDevices: async () => ({ devices: await parts.soundCheck.list() }),
      testSound: ({ role }) => parts.soundCheck.test(role),
      sessions: () => ({ sessions: driver.ports }),
      describe: () => ({
        engine: engine.describe(),
        sound: parts.devices.describe(),
        paging: paging.describe(),
        priority: parts.priority,
        controllers: this.#controllers,
      }),
    };
  }

  /** With a controller nothing ends by itself. Others (a terminal, a monitor) only look. */
  peerUp({ role }: Caller): void {
    if (role !== controllerRole) return;
    this.#controllers++;
    clearTimeout(this.#grace);
  }

  /** A controller went away. Calls go on for the grace period; what only this room hears stops at once. */
  peerLost({ role }: Caller): void {
    if (role !== controllerRole || --this.#controllers > 0) return;
    const { engine, logger } = this.#parts;
    engine.quietDevices();
    if (engine.sessions.size === 0) return;
    logger.warn('media-without-controller', { sessions: engine.sessions.size, graceSeconds: this.#graceSeconds });
    this.#grace = setTimeout(() => void this.#endGrace(), this.#graceSeconds * 1000);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#grace);
    await this.#parts.paging.stop();
    await this.#parts.driver.closeAllSessions();
    await this.#parts.recordings.stopAll();
  }

  async #endGrace(): Promise<void> {
    const { driver, engine, logger } = this.#parts;
    logger.warn('media-sessions-abandoned', { sessions: engine.sessions.size });
    await driver.closeAllSessions();
    await this.#parts.recordings.stopAll();
  }

  async #configure({
    devices,
    rtpPorts,
    country,
    jitterBuffer,
    opus,
    certificate,
    graceSeconds,
    silenceSeconds,
    dscp = 0,
  }: ArgsOf<Contract, 'configure'>) {
    this.#parts.driver.certificate = certificate ?? undefined;
    this.#ports = rtpPorts;
    this.#graceSeconds = graceSeconds;
    const limits = { minimum: jitterBuffer.minimumMs, start: jitterBuffer.startMs, maximum: jitterBuffer.maximumMs };
    this.#parts.engine.configure({ country, jitterBuffer: limits, silenceSeconds });
    if (opus) await this.#loadOpus();
    const speech = Object.values(devices).some(needsLibrary) ? await this.#loadSpeex() : undefined;
    const marked = await this.#markTraffic(dscp);
    return { devices: await this.#parts.devices.configure(devices), opus: this.#opus, marked, speech };
  }

  /** Once: what is loaded stays. */
  async #loadSpeex(): Promise<{ ok: boolean; reason?: string }> {
    try {
      this.#parts.engine.enhancer ??= await loadSpeex();
      return { ok: true };
    } catch (thrown) {
      return { ok: false, reason: messageOf(thrown) };
    }
  }

  async #markTraffic(dscp: number): Promise<{ ok: boolean; reason?: string }> {
    try {
      this.#parts.driver.mark = await openTrafficMarker(dscp);
      return { ok: true };
    } catch (thrown) {
      this.#parts.driver.mark = undefined;
      return { ok: false, reason: messageOf(thrown) };
    }
  }

  /** Once: what is loaded stays. A library that is missing may have been installed since. */
  async #loadOpus(): Promise<void> {
    if (this.#opus.ok) return;
    try {
      this.#parts.engine.opus = await loadOpus();
      this.#opus = { ok: true };
    } catch (thrown) {
      this.#opus = { ok: false, reason: messageOf(thrown) };
    }
  }

  async #closeSession(name: string) {
    const closed = await this.#parts.driver.closeSession(name);
    // Whoever hangs up does not wait for the disk.
    void this.#parts.recordings.stop(name);
    return { statistics: closed ? { session: name, ...closed.statistics } : null, quality: closed?.quality ?? null };
  }

  async #startPlayback({ playback, target, file, repeat, gapMs }: ArgsOf<Contract, 'startPlayback'>) {
    const reader = await readSound(file);
    this.#parts.devices.wake();
    this.#parts.engine.startPlayback(playback, target, reader, repeat, gapMs);
    return {};
  }
}

/** What has to do with files alone. */
function recordingCommandsOf(recordings: Recordings) {
  return {
    configureRecordings: (limits) => {
      recordings.configure(limits);
      return {};
    },
    recordings: () => ({ recordings: recordings.list() }),
    readRecording: async ({ name, offset }) => {
      const { bytes, total } = await recordings.read(name, offset);
      return { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64'), total };
    },
    deleteRecording: async ({ name }) => {
      await recordings.remove(name);
      return {};
    },
  } satisfies Partial<Implementation<Contract>>;
}

function needsLibrary(device: AudioDevice): boolean {
  const voice = device.driver === 'silence' ? undefined : device.voice;
  return voice !== undefined && (voice.echo === 'cancel' || voice.noiseSuppression);
}

function legParametersOf(parameters: SessionParameters): LegParameters {
  const { remote, codecs, ptime, telephoneEvents, detectDigits, comfortNoise, direction, symmetric, rtcpMux, extendedReports } = parameters;
  return {
    remote: { address: remote.address, port: remote.rtpPort },
    remoteRtcp: { address: remote.address, port: remote.rtcpPort },
    codecs,
    ptime,
    telephoneEvents,
    detectDigits,
    comfortNoise,
    direction,
    symmetric,
    rtcpMux,
    extendedReports,
  };
}

/** A WAV file that can be played; ResourceError says why another cannot. */
async function readSound(file: string): Promise<WavReader> {
  const bytes = await readWhole(file);
  const parsed = parseWav(bytes);
  if (parsed.outcome === 'unreadable') throw new ResourceError(`${file} cannot be played: ${parsed.reason}`);
  return new WavReader(bytes, parsed.layout);
}

async function readWhole(file: string): Promise<Uint8Array> {
  try {
    const handle = await open(file, 'r');
    try {
      const { size } = await handle.stat();
      if (size > fileBytesAtMost) throw new Error(`it has ${size} bytes, more than ${fileBytesAtMost}`);
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (thrown) {
    throw new ResourceError(`${file} cannot be read: ${messageOf(thrown)}`);
  }
}
