import { type AudioCodec, type AudioDecoder, type AudioEncoder, usualPacketTimes } from './codec.ts';

const coder: AudioEncoder & AudioDecoder = {
  encode(samples, bytes, offset) {
    for (let index = 0; index < samples.length; index++) {
      const sample = samples[index] ?? 0;
      bytes[offset + 2 * index] = sample >> 8;
      bytes[offset + 2 * index + 1] = sample;
    }
    return 2 * samples.length;
  },
  samplesIn: (_bytes, start, end) => ((end - start) % 2 === 0 ? (end - start) / 2 : 0),
  decode(bytes, start, end, samples, offset) {
    const count = (end - start) >> 1;
    for (let index = 0; index < count; index++) {
      samples[offset + index] = ((bytes[start + 2 * index] ?? 0) << 8) | (bytes[start + 2 * index + 1] ?? 0);
    }
    return count;
  },
};

/** Longest payload, bytes: more would be cut in pieces on its way. */
const payloadAtMost = 1200;

/** L16 (RFC 3551 §4.5.11), mono: samples as they are, in network order. It has no memory. */
function l16Codec(sampleRate: number): AudioCodec {
  const packetTimes = usualPacketTimes.filter((ms) => (2 * sampleRate * ms) / 1000 <= payloadAtMost);
  return { name: 'L16', sampleRate, clockRate: sampleRate, packetTimes, createEncoder: () => coder, createDecoder: () => coder };
}

export const l16NarrowCodec = l16Codec(8000);
export const l16WideCodec = l16Codec(16_000);
export const l16MusicCodec = l16Codec(44_100);
