import type { AudioCodec } from './codec.ts';
import { pcmaCodec, pcmuCodec } from './g711.ts';
import { g722Codec } from './g722.ts';
import { l16MusicCodec, l16NarrowCodec, l16WideCodec } from './l16.ts';

/** Codecs that are part of the firmware; Opus is a library of the machine. */
export type PlainCodecName = 'PCMU' | 'PCMA' | 'G722' | 'L16' | 'L16/16000' | 'L16/44100';

export const audioCodecs: Readonly<Record<PlainCodecName, AudioCodec>> = {
  PCMU: pcmuCodec,
  PCMA: pcmaCodec,
  G722: g722Codec,
  L16: l16NarrowCodec,
  'L16/16000': l16WideCodec,
  'L16/44100': l16MusicCodec,
};

/** RFC 3551 §6: payload types that need no agreement. */
export const staticCodecs: ReadonlyMap<number, AudioCodec> = new Map([
  [0, pcmuCodec],
  [8, pcmaCodec],
  [9, g722Codec],
  [11, l16MusicCodec],
]);
