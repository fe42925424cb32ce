/** Turns 16 bit sound into payloads. One instance per direction and stream, for some codecs have a memory. */
export interface AudioEncoder {
  /** Encodes all of `samples` at `offset` of `bytes`; returns the length written. */
  encode(samples: Int16Array, bytes: Uint8Array, offset: number): number;
}

/** Turns payloads into 16 bit sound. */
export interface AudioDecoder {
  /** Samples that a payload of `length` bytes holds; 0 when no payload can have that length. */
  samplesIn(length: number): number;
  /** Decodes the bytes from `start` to `end` and writes at `offset` of `samples`; returns how many samples. */
  decode(bytes: Uint8Array, start: number, end: number, samples: Int16Array, offset: number): number;
}

/** An audio encoding as the media engine uses it. */
export interface AudioCodec {
  readonly name: string;
  /** Of the sound. */
  readonly sampleRate: number;
  /** Of the RTP timestamp. */
  readonly clockRate: number;
  createEncoder(): AudioEncoder;
  createDecoder(): AudioDecoder;
}
