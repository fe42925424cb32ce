import type { AudioCodec } from './codec.ts';

/** How Opus is to be sent: what this side wants within what the other asked for (RFC 7587 §6.1). */
export interface OpusEncoding {
  /** Of the sound here, both ways. */
  readonly sampleRate: 8000 | 16_000 | 48_000;
  /** Bit/s. */
  readonly bitrate: number;
  readonly constantBitrate: boolean;
  /** Work spent on each packet, 0 to 10. */
  readonly complexity: number;
  /** Packets carry a coarse copy of the one before. */
  readonly errorCorrection: boolean;
  /** Nothing is sent in silence. */
  readonly discontinuous: boolean;
  /** Highest rate at which the other plays: what it could not play is not sent. */
  readonly playbackRate: number;
}

/** Opus as a library of the machine provides it. */
export type OpusMaker = (encoding: OpusEncoding) => AudioCodec;

/** Frames of 10, 20, 40 and 60 ms are one Opus frame each; of 30 ms there is none. */
export const opusPacketTimes: readonly number[] = [60, 40, 20, 10];

/** Samples of a frame by the low bits of the configuration, at 48 kHz (RFC 6716 §3.1 table 2). */
const silkFrames = [480, 960, 1920, 2880];
const hybridFrames = [480, 960];
const celtFrames = [120, 240, 480, 960];
const longestPacket = 5760;
const framesAtMost = 48;

/** Samples of sound at 48 kHz that the packet from `start` to `end` says it holds; 0 when it is none (RFC 6716 §3.2). */
export function opusSamplesIn(bytes: Uint8Array, start: number, end: number): number {
  if (end <= start) return 0;
  const contents = bytes[start] ?? 0;
  const configuration = contents >> 3;
  const table = configuration < 12 ? silkFrames : configuration < 16 ? hybridFrames : celtFrames;
  const samples = table[configuration & (table.length - 1)] ?? 0;
  const total = samples * frameCount(contents & 3, bytes, start, end);
  return total <= longestPacket ? total : 0;
}

function frameCount(code: number, bytes: Uint8Array, start: number, end: number): number {
  // §3.2.3: two frames of the same length.
  if (code === 1) return (end - start) % 2 === 1 ? 2 : 0;
  if (code < 3) return code === 0 ? 1 : 2;
  const count = end - start < 2 ? 0 : (bytes[start + 1] ?? 0) & 0x3f;
  return count <= framesAtMost ? count : 0;
}
