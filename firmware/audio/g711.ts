import { type AudioCodec, type AudioDecoder, type AudioEncoder, usualPacketTimes } from './codec.ts';

/**
 * G.711. Both laws split the magnitude into eight segments, each twice as coarse as the one before, with sixteen steps each. A table for
 * all 65,536 samples makes encoding one look-up.
 */

/** A-law (G.711 table 1a), even bits inverted. */
export const pcmaCodec: AudioCodec = tableCodec('PCMA', encodeALaw, decodeALaw);

/** µ-law (G.711 table 2a), all bits inverted. */
export const pcmuCodec: AudioCodec = tableCodec('PCMU', encodeMuLaw, decodeMuLaw);

function tableCodec(name: string, encodeSample: (sample: number) => number, decodeByte: (code: number) => number): AudioCodec {
  const encodeTable = new Uint8Array(65_536);
  for (let sample = -32_768; sample < 32_768; sample++) encodeTable[sample & 0xffff] = encodeSample(sample);
  const decodeTable = new Int16Array(256);
  for (let code = 0; code < 256; code++) decodeTable[code] = decodeByte(code);
  const coder: AudioEncoder & AudioDecoder = {
    encode(samples, bytes, offset) {
      for (let index = 0; index < samples.length; index++) bytes[offset + index] = encodeTable[(samples[index] ?? 0) & 0xffff] ?? 0;
      return samples.length;
    },
    samplesIn: (_bytes, start, end) => end - start,
    decode(bytes, start, end, samples, offset) {
      for (let index = start; index < end; index++) samples[offset + index - start] = decodeTable[bytes[index] ?? 0] ?? 0;
      return end - start;
    },
  };
  // Neither law has a memory, so one coder serves all streams.
  return { name, sampleRate: 8000, clockRate: 8000, packetTimes: usualPacketTimes, createEncoder: () => coder, createDecoder: () => coder };
}

/** 13 significant bits; negative samples by one's complement, so that −1 is the mirror of 0. */
function encodeALaw(sample: number): number {
  const magnitude = (sample < 0 ? ~sample : sample) >> 4;
  const segment = Math.max(0, 28 - Math.clz32(magnitude));
  const step = segment < 2 ? magnitude & 0x1f : (segment << 4) | ((magnitude >> (segment - 1)) & 0x0f);
  return (step | (sample < 0 ? 0 : 0x80)) ^ 0x55;
}

function decodeALaw(code: number): number {
  const plain = code ^ 0x55;
  const segment = (plain >> 4) & 7;
  const step = plain & 0x0f;
  const magnitude = segment === 0 ? (step << 4) + 8 : ((step << 4) + 0x108) << (segment - 1);
  return plain & 0x80 ? magnitude : -magnitude;
}

/** 14 significant bits and a bias of 33, which makes the segments powers of two. */
function encodeMuLaw(sample: number): number {
  const magnitude = Math.min(0x1fff, ((sample < 0 ? ~sample : sample) >> 2) + 33);
  const segment = Math.max(0, 26 - Math.clz32(magnitude));
  const step = (magnitude >> (segment + 1)) & 0x0f;
  return ~((segment << 4) | step | (sample < 0 ? 0x80 : 0)) & 0xff;
}

function decodeMuLaw(code: number): number {
  const plain = ~code & 0xff;
  const segment = (plain >> 4) & 7;
  const magnitude = (((plain & 0x0f) * 2 + 33) << segment) - 33;
  return (plain & 0x80 ? -magnitude : magnitude) * 4;
}
