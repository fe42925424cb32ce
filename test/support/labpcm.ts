import { execFile } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const source = join(import.meta.dirname, '../lab/labpcm/labpcm.c');
/** As in labpcm.c. */
const ringSamples = 2 ** 19;

/** A sound card to make. A direction is there when it has a wire; wires of the same name are one cable. */
export interface LabCard {
  readonly capture?: string;
  readonly playback?: string;
  /** Samples per second, the only rate the card knows; 8000 when absent. */
  readonly rate?: number;
  /** 1 when absent. */
  readonly channels?: number;
  /** How much faster than the system clock its crystal runs, parts per million. */
  readonly ppm?: number;
}

/** A handset with microphone `mouth` and receiver `ear`. */
export const labHandset = { handset: { capture: 'mouth', playback: 'ear' } } as const satisfies Record<string, LabCard>;

/**
 * Real ALSA sound cards without hardware, kernel driver or daemon: the plug-in test/lab/labpcm, built here, and a private ALSA configuration
 * that has its cards and no others. Processes see them when they run with `environment`; PortAudio shows the cards by their names.
 */
export class LabPcm {
  readonly environment: { readonly ALSA_CONFIG_PATH: string };
  readonly #folder: string;
  readonly #wireFolder: string;
  readonly #wires = new Map<string, LabWire>();

  private constructor(folder: string, wireFolder: string) {
    this.#folder = folder;
    this.#wireFolder = wireFolder;
    this.environment = { ALSA_CONFIG_PATH: join(folder, 'asound.conf') };
  }

  /** Builds the plug-in and configures the cards, the first of them also as `default`. `end` removes everything. */
  static async start(cards: Readonly<Record<string, LabCard>>): Promise<LabPcm> {
    const folder = mkdtempSync(join(tmpdir(), 'hookswitch-labpcm-'));
    // The wires change all the time and belong into memory; the library may not lie there, where nothing can be executed.
    const wireFolder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'hookswitch-wires-'));
    const lab = new LabPcm(folder, wireFolder);
    hurry();
    const library = join(folder, 'libasound_module_pcm_labpcm.so');
    try {
      await promisify(execFile)('cc', ['-O2', '-Wall', '-Wextra', '-fPIC', '-shared', '-DPIC', source, '-o', library, '-lasound']);
    } catch (thrown) {
      lab.end();
      throw new Error(`labpcm cannot be built; it needs a C compiler and libasound2-dev, which scripts/test installs: ${thrown}`);
    }
    lab.#configure(library, cards);
    return lab;
  }

  /** The wire of this name, for a test that is at its other end. */
  wire(name: string): LabWire {
    const wire = this.#wires.get(name);
    if (!wire) throw new Error(`no card has a wire named ${name}`);
    return wire;
  }

  end(): void {
    for (const wire of this.#wires.values()) wire.close();
    for (const folder of [this.#folder, this.#wireFolder]) rmSync(folder, { recursive: true, force: true });
  }

  #configure(library: string, cards: Readonly<Record<string, LabCard>>): void {
    const definitions = Object.entries(cards).map(([name, card]) => {
      const rate = card.rate ?? 8000;
      const wired = (['capture', 'playback'] as const).flatMap((direction) => {
        const wire = card[direction];
        return wire === undefined ? [] : [`${direction} "${this.#addWire(wire, rate)}"`];
      });
      return { name, text: `{ type labpcm ${wired.join(' ')} rate ${rate} channels ${card.channels ?? 1} ppm ${card.ppm ?? 0} }` };
    });
    const lines = definitions.map(({ name, text }) => `pcm.${name} ${text}`);
    // PortAudio aborts the process when there is no `default`.
    lines.push(`pcm.default ${definitions[0]?.text}`);
    writeFileSync(this.environment.ALSA_CONFIG_PATH, [`pcm_type.labpcm { lib "${library}" }`, ...lines, ''].join('\n'));
  }

  #addWire(name: string, rate: number): string {
    const path = join(this.#wireFolder, name);
    if (!this.#wires.has(name)) this.#wires.set(name, new LabWire(path, rate));
    return path;
  }
}

/** Cards lose sound when their processes wait for a processor: where it is allowed, this process and what it starts go first. */
function hurry(): void {
  try {
    setPriority(-15);
  } catch {
    // Not as root: a loaded machine may then lose sound, which tests of sound bear with by trying more than once.
  }
}

/** The cable of a lab card. Sample n is at the connector at n / rate seconds of CLOCK_MONOTONIC; the cable remembers the last minute. */
export class LabWire {
  readonly rate: number;
  readonly #file: number;

  constructor(path: string, rate: number) {
    this.rate = rate;
    writeFileSync(path, new Uint8Array(ringSamples * 2 + 4));
    this.#file = openSync(path, 'r+');
  }

  /** The number of the sample at the connector now. */
  now(): number {
    return Number((process.hrtime.bigint() * BigInt(this.rate)) / 1_000_000_000n);
  }

  /** Puts sound on the cable, at most 60 s of it, to be heard from `at` on. */
  put(samples: Int16Array, at: number): void {
    this.#transfer(samples, at, (bytes, position) => writeSync(this.#file, bytes, 0, bytes.length, position));
  }

  /** Takes the sound of the recent past off the cable: `length` samples from number `from` on. */
  take(from: number, length: number): Int16Array {
    const samples = new Int16Array(length);
    this.#transfer(samples, from, (bytes, position) => readSync(this.#file, bytes, 0, bytes.length, position));
    this.put(new Int16Array(length), from);
    return samples;
  }

  /** Whoever has the card open is told that it is gone, and nobody can open it. */
  setUnplugged(unplugged: boolean): void {
    writeSync(this.#file, Uint8Array.of(unplugged ? 1 : 0, 0, 0, 0), 0, 4, ringSamples * 2);
  }

  close(): void {
    closeSync(this.#file);
  }

  /** Calls `move` for each stretch that is in one piece in the ring. */
  #transfer(samples: Int16Array, at: number, move: (bytes: Uint8Array, position: number) => void): void {
    for (let done = 0; done < samples.length; ) {
      const slot = (at + done) % ringSamples;
      const count = Math.min(samples.length - done, ringSamples - slot);
      move(new Uint8Array(samples.buffer, samples.byteOffset + done * 2, count * 2), slot * 2);
      done += count;
    }
  }
}
