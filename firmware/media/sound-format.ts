/** The sound between devices, sessions, tones and files: mono, 16 bit, in blocks of 10 ms, of which every ptime is a multiple. */
export const sampleRate = 8000;
export const blockMs = 10;
export const blockSamples = (sampleRate * blockMs) / 1000;

/** Gives sound, one block at a time. */
export interface AudioSource {
  /** Fills `block`, which holds anything; false when there is only silence, and then `block` may be left as it is. */
  pull(block: Int16Array): boolean;
}

/** Takes sound, one block at a time. */
export interface AudioSink {
  /** Called for every block, with silence too. `block` belongs to the caller again afterwards. */
  push(block: Int16Array): void;
}
