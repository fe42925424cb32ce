import { type FileHandle, open, rename, stat, unlink } from 'node:fs/promises';
import { parseWav, wavHeader } from '#firmware/audio/wav.ts';
import { messageOf } from '#firmware/core/errors.ts';
import { recordedChannels } from '#firmware/media/call-recorder.ts';

/** What is not finished has this behind its name. */
export const partSuffix = '.part';

/** Only the media daemon reads recordings; others get them from it. */
const fileMode = 0o600;
const headerBytes = 44;
const frameBytes = 2 * recordedChannels;
/** Seconds of sound that a disk may be behind before it counts as broken. */
const chunksAtMost = 10;
/** Chunks after which the disk has to have what it was given: a power cut takes no more than that. */
const chunksPerSync = 5;

/** What a finished recording is. */
export interface RecordedSound {
  readonly bytes: number;
  readonly seconds: number;
}

/**
 * A recording that grows, second by second, as NAME.part. Its header says its length only once it is finished and has its name; until then
 * the sound goes to the end of the file, so that what a power cut leaves can be finished by whoever starts next.
 */
export class RecordingFile {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #sampleRate: number;
  #written = 0;
  #waiting = 0;
  #sinceSync = 0;
  #failure: string | undefined;
  /** Writes happen one after the other. */
  #turn: Promise<void> = Promise.resolve();

  private constructor(path: string, file: FileHandle, sampleRate: number) {
    this.path = path;
    this.#file = file;
    this.#sampleRate = sampleRate;
  }

  /** Begins PATH.part, which must not be there yet. Rejects as the file system does. */
  static async open(path: string, sampleRate: number): Promise<RecordingFile> {
    const file = await open(path + partSuffix, 'wx', fileMode);
    try {
      await file.write(wavHeader(sampleRate, 0, recordedChannels), 0);
    } catch (thrown) {
      await file.close();
      await unlink(path + partSuffix);
      throw thrown;
    }
    return new RecordingFile(path, file, sampleRate);
  }

  /** On the disk, with the header. */
  get bytes(): number {
    return headerBytes + this.#written;
  }

  get seconds(): number {
    return this.#written / (frameBytes * this.#sampleRate);
  }

  /** Why nothing more is written. */
  get failure(): string | undefined {
    return this.#failure;
  }

  append(chunk: Int16Array): void {
    if (this.#failure !== undefined) return;
    if (this.#waiting >= chunksAtMost) {
      this.#failure = `the disk is ${chunksAtMost} s behind`;
      return;
    }
    this.#waiting++;
    this.#turn = this.#turn.then(() => this.#write(chunk));
  }

  /** Writes what waits, and gives the file its name. Rejects as the file system does; what is there is kept as NAME.part then. */
  async finish(): Promise<RecordedSound> {
    await this.#turn;
    try {
      return await completed(this.#file, this.path, this.#sampleRate, this.#written);
    } finally {
      await this.#file.close();
    }
  }

  async #write(chunk: Int16Array): Promise<void> {
    try {
      if (this.#failure !== undefined) return;
      const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      // A write may do less than it is asked to when the disk is nearly full: the next then says why.
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, headerBytes + this.#written);
        done += bytesWritten;
        this.#written += bytesWritten;
      }
      if (++this.#sinceSync < chunksPerSync) return;
      this.#sinceSync = 0;
      await this.#file.datasync();
    } catch (thrown) {
      this.#failure = messageOf(thrown);
    } finally {
      this.#waiting--;
    }
  }
}

/** Finishes what a process that died has left; `undefined` when there is no sound in it, and then the file is gone. */
export async function recoverRecording(path: string): Promise<RecordedSound | undefined> {
  const part = path + partSuffix;
  const { size } = await stat(part);
  const file = await open(part, 'r+');
  try {
    const header = new Uint8Array(headerBytes);
    await file.read(header, 0, headerBytes, 0);
    const parsed = parseWav(header, size);
    if (parsed.outcome === 'readable') return await completed(file, path, parsed.layout.sampleRate, size - headerBytes);
  } finally {
    await file.close();
  }
  await unlink(part);
  return undefined;
}

/** How long a finished recording is; `undefined` when it is none. */
export async function examineRecording(path: string): Promise<RecordedSound | undefined> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const header = new Uint8Array(headerBytes);
    const { bytesRead } = await file.read(header, 0, headerBytes, 0);
    const parsed = parseWav(header.subarray(0, bytesRead), size);
    if (parsed.outcome === 'unreadable') return undefined;
    const { dataStart, dataEnd, sampleRate, channels } = parsed.layout;
    return { bytes: size, seconds: (dataEnd - dataStart) / (2 * channels * sampleRate) };
  } finally {
    await file.close();
  }
}

async function completed(file: FileHandle, path: string, sampleRate: number, written: number): Promise<RecordedSound> {
  const whole = written - (written % frameBytes);
  await file.truncate(headerBytes + whole);
  await file.write(wavHeader(sampleRate, whole, recordedChannels), 0, headerBytes, 0);
  await file.datasync();
  await rename(path + partSuffix, path);
  return { bytes: headerBytes + whole, seconds: whole / (frameBytes * sampleRate) };
}
