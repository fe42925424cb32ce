import type { AudioCodec } from './codec.ts';
import { pcmaCodec, pcmuCodec } from './g711.ts';
import { g722Codec } from './g722.ts';
import { l16Codec } from './l16.ts';

/** What a leg can speak. The RTP clock of all is 8000 Hz, so that a leg may change from one to another within its time line. */
export type CodecName = 'PCMU' | 'PCMA' | 'G722' | 'L16';

export const audioCodecs: Readonly<Record<CodecName, AudioCodec>> = {
  PCMU: pcmuCodec,
  PCMA: pcmaCodec,
  G722: g722Codec,
  L16: l16Codec,
};

/** RFC 3551 §6: payload types that need no agreement. */
export const staticCodecs: ReadonlyMap<number, AudioCodec> = new Map([
  [0, pcmuCodec],
  [8, pcmaCodec],
  [9, g722Codec],
]);
