import type { AudioCodec, AudioDecoder, AudioEncoder } from './codec.ts';

const coder: AudioEncoder & AudioDecoder = {
  encode(samples, bytes, offset) {
    for (let index = 0; index < samples.length; index++) {
      const sample = samples[index] ?? 0;
      bytes[offset + 2 * index] = sample >> 8;
      bytes[offset + 2 * index + 1] = sample;
    }
    return 2 * samples.length;
  },
  samplesIn: (length) => (length % 2 === 0 ? length / 2 : 0),
  decode(bytes, start, end, samples, offset) {
    const count = (end - start) >> 1;
    for (let index = 0; index < count; index++) {
      samples[offset + index] = ((bytes[start + 2 * index] ?? 0) << 8) | (bytes[start + 2 * index + 1] ?? 0);
    }
    return count;
  },
};

/** L16 (RFC 3551 §4.5.11), mono at 8 kHz: samples as they are, in network order. It has no memory. */
export const l16Codec: AudioCodec = {
  name: 'L16',
  sampleRate: 8000,
  clockRate: 8000,
  createEncoder: () => coder,
  createDecoder: () => coder,
};
