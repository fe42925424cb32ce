/** The sound between devices, sessions, tones and files: mono, 16 bit, in blocks of 10 ms, of which every ptime is a multiple. */
export const blockMs = 10;

/** Samples a second of telephones, of what sounds better than they do, and of all that can be heard. */
export const narrowRate = 8000;
const wideRate = 16_000;
const fullRate = 48_000;

/** The rate at which sound is mixed that loses nothing of what a device, a codec or a file of this rate has. */
export function mixingRate(rate: number): number {
  if (rate > wideRate) return fullRate;
  return rate === wideRate ? wideRate : narrowRate;
}

/** Samples of a block. */
export function blockSamples(rate: number): number {
  return (rate * blockMs) / 1000;
}

/** Gives sound, one block at a time. */
export interface AudioSource {
  /** A mixing rate; may change between two blocks. */
  readonly sampleRate: number;
  /** Fills `block`, which holds anything; false when there is only silence, and then `block` may be left as it is. */
  pull(block: Int16Array): boolean;
}

/** Takes sound, one block at a time. */
export interface AudioSink {
  /** A mixing rate; may change between two blocks. */
  readonly sampleRate: number;
  /** Called for every block, with silence too. `block` belongs to the caller again afterwards. */
  push(block: Int16Array): void;
}
