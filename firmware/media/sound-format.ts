/** The sound between devices, sessions, tones and files: mono, 16 bit, in blocks of 10 ms, of which every ptime is a multiple. */
export const blockMs = 10;

/** Samples a second of telephones, and of what sounds better than they do. */
export const narrowRate = 8000;
export const wideRate = 16_000;

/** One of the two rates at which sound is mixed, by the rate that a device or a file has. */
export function mixingRate(rate: number): number {
  return rate >= wideRate ? wideRate : narrowRate;
}

/** Samples of a block. */
export function blockSamples(rate: number): number {
  return (rate * blockMs) / 1000;
}

/** Gives sound, one block at a time. */
export interface AudioSource {
  /** `narrowRate` or `wideRate`; may change between two blocks. */
  readonly sampleRate: number;
  /** Fills `block`, which holds anything; false when there is only silence, and then `block` may be left as it is. */
  pull(block: Int16Array): boolean;
}

/** Takes sound, one block at a time. */
export interface AudioSink {
  /** `narrowRate` or `wideRate`; may change between two blocks. */
  readonly sampleRate: number;
  /** Called for every block, with silence too. `block` belongs to the caller again afterwards. */
  push(block: Int16Array): void;
}
