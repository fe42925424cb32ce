/** Turns 16 bit sound into payloads. One instance per direction and stream, for some codecs have a memory. */
export interface AudioEncoder {
  /** Encodes all of `samples` at `offset` of `bytes`; returns the length written, 0 when nothing need be sent. */
  encode(samples: Int16Array, bytes: Uint8Array, offset: number): number;
}

/** Turns payloads into 16 bit sound. */
export interface AudioDecoder {
  /** Samples in the payload from `start` to `end`; 0 when it can be none. */
  samplesIn(bytes: Uint8Array, start: number, end: number): number;
  /** Decodes the bytes from `start` to `end` and writes at `offset` of `samples`; returns how many samples. */
  decode(bytes: Uint8Array, start: number, end: number, samples: Int16Array, offset: number): number;
  /**
   * Makes up `count` samples that are missing, for codecs that know how. `next` is the payload behind the gap when it is here already: it may
   * carry a copy of what is missing.
   */
  readonly conceal?: (count: number, samples: Int16Array, offset: number, next: Uint8Array | undefined, nextLength: number) => number;
}

/** An audio encoding as the media engine uses it. */
export interface AudioCodec {
  readonly name: string;
  /** Of the sound. */
  readonly sampleRate: number;
  /** Of the RTP timestamp. */
  readonly clockRate: number;
  /** Lengths of packets that can be sent, ms, longest first. */
  readonly packetTimes: readonly number[];
  createEncoder(): AudioEncoder;
  createDecoder(): AudioDecoder;
}

/** What phones use, for codecs whose longest still fits into a datagram. */
export const usualPacketTimes: readonly number[] = [60, 40, 30, 20, 10];
