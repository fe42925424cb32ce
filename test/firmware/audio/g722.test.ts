import t from 'tap';
import { align } from '#firmware/audio/correlation.ts';
import { G722Decoder, g722Codec } from '#firmware/audio/g722.ts';
import { corpusFile } from '#test/support/corpus.ts';
import { powerAt, sine } from './sound-fixtures.ts';

function samplesOf(bytes: Uint8Array): Int16Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int16Array.from({ length: bytes.length / 2 }, (_, index) => view.getInt16(2 * index, true));
}

function decode(mode: 1 | 2 | 3, codes: Uint8Array): Int16Array {
  const samples = new Int16Array(2 * codes.length);
  const decoder = new G722Decoder(mode);
  // In packets of 20 ms, as in a call.
  for (let start = 0; start < codes.length; start += 160) {
    decoder.decode(codes, start, Math.min(codes.length, start + 160), samples, 2 * start);
  }
  return samples;
}

t.test('G.722 the ITU test sequences come out bit by bit', async (t) => {
  const [input, words] = [corpusFile(t, 'vectors/g722/inpsp.bin'), corpusFile(t, 'vectors/g722/codspw.cod')];
  if (!input || !words) return;
  // Each code stands in a word of its own.
  const codes = Uint8Array.from(samplesOf(words));
  const samples = samplesOf(input);
  const encoded = new Uint8Array(samples.length / 2);
  const encoder = g722Codec.createEncoder();
  for (let start = 0; start < samples.length; start += 320) encoder.encode(samples.subarray(start, start + 320), encoded, start / 2);
  t.equal(
    encoded.findIndex((code, index) => code !== codes[index]),
    -1,
    'encoder',
  );
  for (const mode of [1, 2, 3] as const) {
    const expected = corpusFile(t, `vectors/g722/outsp${mode}.bin`);
    if (!expected) continue;
    const heard = samplesOf(expected);
    t.equal(
      decode(mode, codes).findIndex((sample, index) => sample !== heard[index]),
      -1,
      `decoder, mode ${mode}`,
    );
  }
});

t.test('sound up to 7 kHz survives, with a short delay', async (t) => {
  for (const frequency of [300, 1000, 3000, 5000, 6800]) {
    const said = sine(frequency, 16_000, 0.5, 0.3);
    const bytes = new Uint8Array(said.length / 2);
    t.equal(g722Codec.createEncoder().encode(said, bytes, 0), said.length / 2);
    const heard = decode(1, bytes);
    const loss = powerAt(said.subarray(1600), frequency, 16_000) - powerAt(heard.subarray(1600), frequency, 16_000);
    t.ok(Math.abs(loss) < 1.5, `${frequency} Hz: ${loss.toFixed(2)} dB`);
    const { correlation } = align(said, heard, 100);
    t.ok(correlation > (frequency < 4000 ? 0.99 : 0.9), `${frequency} Hz: correlation ${correlation.toFixed(3)}`);
  }
});

t.test('lengths: two samples a byte, any number of bytes; the RTP clock is 8000', async (t) => {
  t.equal(g722Codec.createDecoder().samplesIn(new Uint8Array(200), 12, 172), 320);
  t.strictSame([g722Codec.sampleRate, g722Codec.clockRate], [16_000, 8000]);
});
