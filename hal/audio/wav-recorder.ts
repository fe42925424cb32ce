import { type FileHandle, open } from 'node:fs/promises';
import { wavHeader } from '#firmware/audio/wav.ts';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';

/** Written together: half a second of frames. */
const framesPerWrite = 25;
/** A disk that hangs longer than this loses sound rather than eat memory. */
const writesAtMost = 20;

/**
 * Records frames to a WAV file without waiting for the disk. The header is corrected with each write, so that a file left behind by a
 * killed process plays, and holds all but its last half second.
 */
export class WavRecorder {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #sampleRate: number;
  #collected: Int16Array[] = [];
  #written = 0;
  #underWay = 0;
  #lost = 0;
  #failure: string | undefined;
  /** Writes happen one after the other. */
  #turn: Promise<void> = Promise.resolve();

  private constructor(path: string, file: FileHandle, sampleRate: number) {
    this.#path = path;
    this.#file = file;
    this.#sampleRate = sampleRate;
  }

  /** Creates or empties the file. Rejects with ResourceError. */
  static async open(path: string, sampleRate: number): Promise<WavRecorder> {
    try {
      const file = await open(path, 'w', 0o640);
      await file.write(wavHeader(sampleRate, 0), 0);
      return new WavRecorder(path, file, sampleRate);
    } catch (thrown) {
      throw new ResourceError(`the loudspeaker cannot be recorded to ${path}: ${messageOf(thrown)}`);
    }
  }

  /** Frames that never reached the file. */
  get lost(): number {
    return this.#lost;
  }

  /** Why the file cannot be written any more. */
  get failure(): string | undefined {
    return this.#failure;
  }

  append(frame: Int16Array): void {
    if (this.#failure !== undefined || this.#underWay >= writesAtMost) {
      this.#lost++;
      return;
    }
    this.#collected.push(frame.slice());
    if (this.#collected.length >= framesPerWrite) this.#flush();
  }

  async close(): Promise<void> {
    this.#flush();
    await this.#turn;
    await this.#file.close();
  }

  #flush(): void {
    if (this.#collected.length === 0) return;
    const sound = Buffer.concat(this.#collected.map((frame) => new Uint8Array(frame.buffer)));
    const frames = this.#collected.length;
    this.#collected = [];
    this.#underWay++;
    this.#turn = this.#turn.then(() => this.#write(sound, frames));
  }

  async #write(sound: Buffer, frames: number): Promise<void> {
    try {
      await this.#file.write(sound, 0, sound.length, 44 + this.#written);
      this.#written += sound.length;
      await this.#file.write(wavHeader(this.#sampleRate, this.#written), 0, 44, 0);
    } catch (thrown) {
      this.#lost += frames;
      this.#failure = `${this.#path}: ${messageOf(thrown)}`;
    } finally {
      this.#underWay--;
    }
  }
}
