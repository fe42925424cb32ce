import { mkdir, open, readdir, stat, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#firmware/core/clock.ts';
import { messageOf, ResourceError, UsageError } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import type { CallRecorder } from '#firmware/media/call-recorder.ts';
import { examineRecording, partSuffix, type RecordedSound, RecordingFile, recoverRecording } from './recording-file.ts';

/** How much may be recorded. */
export interface RecordingLimits {
  readonly maximumMinutes: number;
  readonly maximumMegabytes: number;
  /** Of the disk, for everybody else. */
  readonly keepFreeMegabytes: number;
  readonly whenFull: 'deleteOldest' | 'refuse';
}

/** Why a recording is over. */
export type RecordingEnd = 'stopped' | 'tooLong' | 'full' | 'failed';

export interface RecordingSurroundings {
  readonly directory: string;
  readonly clock: Pick<Clock, 'wallTime'>;
  readonly logger: Logger;
  readonly onEnded: (session: string, name: string, reason: RecordingEnd, detail: string | undefined) => void;
}

/** A finished recording, or one under way (of `session`). */
export interface Recording extends RecordedSound {
  readonly name: string;
  /** When it was written to last, wall-clock ms. */
  readonly at: number;
  readonly session: string | null;
}

interface UnderWay {
  readonly name: string;
  readonly recorder: CallRecorder;
  readonly file: RecordingFile;
}

const megabyte = 1024 * 1024;
/** However short they are. */
const filesAtMost = 1000;
const collectEveryMs = 500;
/** Bytes of one answer to `read`. */
const portionBytes = 96 * 1024;
const takenAtMost = 100;

/**
 * The recordings of this phone: a directory of WAV files, and the calls that are recorded now. Whatever happens to the disk, the calls go on.
 */
export class Recordings {
  readonly #surroundings: RecordingSurroundings;
  readonly #finished = new Map<string, Omit<Recording, 'name' | 'session'>>();
  readonly #underWay = new Map<string, UnderWay>();
  #limits: RecordingLimits = { maximumMinutes: 120, maximumMegabytes: 500, keepFreeMegabytes: 100, whenFull: 'deleteOldest' };
  #timer: NodeJS.Timeout | undefined;
  /** What touches the directory happens one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(surroundings: RecordingSurroundings) {
    this.#surroundings = surroundings;
  }

  configure(limits: RecordingLimits): void {
    this.#limits = limits;
  }

  /** Learns what is there, and finishes what a process that died has left. A directory that cannot be read has no recordings. */
  async recover(): Promise<void> {
    const { directory, logger } = this.#surroundings;
    try {
      await this.#makeDirectory();
      const names = await readdir(directory);
      for (const name of names.filter((file) => file.endsWith(`.wav${partSuffix}`))) {
        await this.#recoverOne(name.slice(0, -partSuffix.length));
      }
      for (const name of names.filter((file) => file.endsWith('.wav'))) await this.#learn(name);
    } catch (thrown) {
      logger.warn('recordings-not-read', { directory, reason: messageOf(thrown) });
    }
  }

  /** Records what `recorder` hears; resolves with the name it got, such as `20261120-224501-alice.wav`, in UTC. */
  start(session: string, label: string, recorder: () => CallRecorder): Promise<string> {
    return this.#inTurn(async () => {
      const running = this.#underWay.get(session);
      if (running) return running.name;
      await this.#makeDirectory();
      const obstacle = await this.#makeRoom();
      if (obstacle !== undefined) throw new ResourceError(obstacle);
      const name = this.#freeName(label);
      const heard = recorder();
      const file = await this.#open(name, heard.sampleRate);
      this.#underWay.set(session, { name, recorder: heard, file });
      this.#timer ??= setInterval(() => void this.#inTurn(() => this.#collect()), collectEveryMs);
      this.#surroundings.logger.info('recording-started', { session, name });
      return name;
    });
  }

  /** Finishes what is recorded of a session, if anything is. */
  stop(session: string): Promise<void> {
    return this.#inTurn(() => this.#end(session, 'stopped', undefined));
  }

  async stopAll(): Promise<void> {
    for (const session of [...this.#underWay.keys()]) await this.stop(session);
  }

  /** Oldest first. */
  list(): Recording[] {
    const finished = [...this.#finished].map(([name, recording]) => ({ name, ...recording, session: null }));
    const at = this.#surroundings.clock.wallTime();
    const running = [...this.#underWay].map(([session, { name, file }]) => {
      return { name, bytes: file.bytes, seconds: file.seconds, at, session };
    });
    return [...finished.sort((a, b) => a.at - b.at), ...running];
  }

  /** A portion of a finished recording from `offset` on; empty at its end. */
  async read(name: string, offset: number): Promise<{ bytes: Uint8Array; total: number }> {
    const known = this.#finished.get(name);
    if (!known) throw unknown(name);
    try {
      const file = await open(join(this.#surroundings.directory, name), 'r');
      try {
        const bytes = new Uint8Array(Math.max(0, Math.min(portionBytes, known.bytes - offset)));
        const { bytesRead } = await file.read(bytes, 0, bytes.length, offset);
        return { bytes: bytes.subarray(0, bytesRead), total: known.bytes };
      } finally {
        await file.close();
      }
    } catch (thrown) {
      throw new ResourceError(`${name} cannot be read: ${messageOf(thrown)}`);
    }
  }

  remove(name: string): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#finished.has(name)) throw unknown(name);
      await this.#delete(name);
      this.#surroundings.logger.info('recording-deleted', { name });
    });
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

  async #recoverOne(name: string): Promise<void> {
    const { directory, logger } = this.#surroundings;
    try {
      const found = await recoverRecording(join(directory, name));
      logger.info('recording-recovered', { name, seconds: found ? Math.round(found.seconds) : 0 });
      if (found) await this.#learn(name);
    } catch (thrown) {
      logger.warn('recording-not-recovered', { name, reason: messageOf(thrown) });
    }
  }

  async #learn(name: string): Promise<void> {
    const { directory, logger } = this.#surroundings;
    const path = join(directory, name);
    try {
      const sound = await examineRecording(path);
      if (sound) this.#finished.set(name, { ...sound, at: Math.round((await stat(path)).mtimeMs) });
    } catch (thrown) {
      logger.warn('recording-not-read', { name, reason: messageOf(thrown) });
    }
  }

  async #makeDirectory(): Promise<void> {
    const { directory } = this.#surroundings;
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
    } catch (thrown) {
      throw new ResourceError(`there is no directory for recordings: ${messageOf(thrown)}`);
    }
  }

  async #open(name: string, sampleRate: number): Promise<RecordingFile> {
    try {
      return await RecordingFile.open(join(this.#surroundings.directory, name), sampleRate);
    } catch (thrown) {
      throw new ResourceError(`${name} cannot be recorded: ${messageOf(thrown)}`);
    }
  }

  /** Takes what was heard to the disk, and ends what has become too long, or for which there is no room. */
  async #collect(): Promise<void> {
    for (const [session, { recorder, file }] of [...this.#underWay]) {
      for (const chunk of recorder.drain()) file.append(chunk);
      const { failure } = file;
      if (failure !== undefined) await this.#end(session, 'failed', failure);
      else if (recorder.lost > 0) await this.#end(session, 'failed', 'the machine is too slow');
      else if (file.seconds >= 60 * this.#limits.maximumMinutes) await this.#end(session, 'tooLong', undefined);
    }
    const obstacle = this.#underWay.size > 0 ? await this.#makeRoom() : undefined;
    if (obstacle !== undefined) for (const session of [...this.#underWay.keys()]) await this.#end(session, 'full', obstacle);
  }

  async #end(session: string, reason: RecordingEnd, detail: string | undefined): Promise<void> {
    const running = this.#underWay.get(session);
    if (!running) return;
    const { logger, clock, onEnded } = this.#surroundings;
    const { name, recorder, file } = running;
    this.#underWay.delete(session);
    if (this.#underWay.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    for (const chunk of recorder.drain(true)) file.append(chunk);
    let told = detail;
    try {
      this.#finished.set(name, { ...(await file.finish()), at: clock.wallTime() });
    } catch (thrown) {
      told = messageOf(thrown);
    }
    const what = told ?? file.failure;
    const why = what !== undefined && reason === 'stopped' ? 'failed' : reason;
    const fields = { session, name, why, seconds: Math.round(file.seconds), reason: what ?? null };
    logger[what === undefined ? 'info' : 'warn']('recording-ended', fields);
    onEnded(session, name, why, what);
  }

  /** Deletes the oldest where that is wished for; says why there is no room, or nothing. */
  async #makeRoom(): Promise<string | undefined> {
    for (;;) {
      const obstacle = await this.#obstacle();
      if (obstacle === undefined) return undefined;
      const [oldest] = this.list();
      if (this.#limits.whenFull === 'refuse' || !oldest || oldest.session !== null) return obstacle;
      this.#surroundings.logger.info('recording-deleted', { name: oldest.name, reason: obstacle });
      try {
        await this.#delete(oldest.name);
      } catch (thrown) {
        return messageOf(thrown);
      }
    }
  }

  async #obstacle(): Promise<string | undefined> {
    const { maximumMegabytes, keepFreeMegabytes } = this.#limits;
    const all = this.list();
    if (all.length >= filesAtMost) return `there are ${filesAtMost} recordings`;
    const total = all.reduce((sum, { bytes }) => sum + bytes, 0);
    if (total >= maximumMegabytes * megabyte) return `the recordings have ${maximumMegabytes} MB (recording.maximumMegabytes)`;
    try {
      const { bavail, bsize } = await statfs(this.#surroundings.directory);
      if (bavail * bsize < keepFreeMegabytes * megabyte) return `less than ${keepFreeMegabytes} MB of the disk are free`;
      return undefined;
    } catch (thrown) {
      return `there is no room for recordings: ${messageOf(thrown)}`;
    }
  }

  async #delete(name: string): Promise<void> {
    this.#finished.delete(name);
    try {
      await unlink(join(this.#surroundings.directory, name));
    } catch (thrown) {
      throw new ResourceError(`${name} cannot be deleted: ${messageOf(thrown)}`);
    }
  }

  /** Two of one second, or of a clock that was set back, get a number. */
  #freeName(label: string): string {
    const taken = new Set(this.list().map(({ name }) => name));
    const time = new Date(this.#surroundings.clock.wallTime()).toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');
    for (let turn = 1; turn <= takenAtMost; turn++) {
      const name = `${time}-${label}${turn === 1 ? '' : `-${turn}`}.wav`;
      if (!taken.has(name)) return name;
    }
    throw new ResourceError(`there are ${takenAtMost} recordings of this second`);
  }
}

function unknown(name: string): UsageError {
  return new UsageError('unknown-recording', `there is no recording ${name}`);
}
