import t from 'tap';
import type { AudioCodec } from '#firmware/audio/codec.ts';
import { pcmaCodec, pcmuCodec } from '#firmware/audio/g711.ts';
import { corpusText } from '#test/support/corpus.ts';

function encode(codec: AudioCodec, ...samples: readonly number[]): number[] {
  const bytes = new Uint8Array(samples.length);
  codec.createEncoder().encode(Int16Array.from(samples), bytes, 0);
  return [...bytes];
}

function decode(codec: AudioCodec, ...codes: readonly number[]): number[] {
  const samples = new Int16Array(codes.length);
  codec.createDecoder().decode(Uint8Array.from(codes), 0, codes.length, samples, 0);
  return [...samples];
}

const all256 = Array.from({ length: 256 }, (_, code) => code);

t.test('G.711 characteristic values of both laws', async (t) => {
  t.strictSame(encode(pcmaCodec, 0, -1, 32_767, -32_768, 16, -17, 1000), [0xd5, 0x55, 0xaa, 0x2a, 0xd4, 0x54, 0xfa]);
  t.strictSame(decode(pcmaCodec, 0xd5, 0x55, 0xaa, 0x2a), [8, -8, 32_256, -32_256]);
  t.strictSame(encode(pcmuCodec, 0, -1, 32_767, -32_768, 1000), [0xff, 0x7f, 0x80, 0x00, 0xce]);
  t.strictSame(decode(pcmuCodec, 0xff, 0x7f, 0x80, 0x00), [0, 0, 32_124, -32_124]);
});

t.test('decoding and encoding again gives the same code, and no sample is off by more than half its step', async (t) => {
  t.strictSame(encode(pcmaCodec, ...decode(pcmaCodec, ...all256)), all256);
  // µ-law has two zeros; the negative one decodes to 0, which is the positive one's.
  t.strictSame(
    encode(pcmuCodec, ...decode(pcmuCodec, ...all256)),
    all256.map((code) => (code === 0x7f ? 0xff : code)),
  );
  const samples = Array.from({ length: 65_536 }, (_, index) => index - 32_768);
  for (const [codec, least, clip] of [
    [pcmaCodec, 16, 32_256],
    [pcmuCodec, 4, 32_124],
  ] as const) {
    const back = decode(codec, ...encode(codec, ...samples.slice(0, 65_536)));
    const worst = samples.filter((sample, index) => {
      const error = Math.abs(sample - (back[index] ?? 0));
      return error > Math.max(least, Math.abs(sample) / 15, Math.abs(sample) - clip);
    });
    t.strictSame(worst, [], codec.name);
  }
});

t.test('blocks are written and read at offsets', async (t) => {
  const bytes = new Uint8Array(6).fill(1);
  t.equal(pcmaCodec.createEncoder().encode(Int16Array.of(0, 0), bytes, 3), 2);
  t.strictSame([...bytes], [1, 1, 1, 0xd5, 0xd5, 1]);
  const samples = new Int16Array(4).fill(7);
  t.equal(pcmaCodec.createDecoder().decode(bytes, 3, 5, samples, 1), 2);
  t.strictSame([...samples], [7, 8, 8, 7]);
  t.equal(pcmaCodec.createDecoder().samplesIn(new Uint8Array(200), 12, 172), 160);
});

t.test('all 65,536 samples and 256 codes of both laws are those of ITU-T G.191', async (t) => {
  const vectors = corpusText(t, 'vectors/g711/g711-exhaustive.csv');
  if (vectors === undefined) return;
  const laws = new Map([
    ['a', pcmaCodec],
    ['u', pcmuCodec],
  ]);
  let compared = 0;
  const wrong: string[] = [];
  for (const line of vectors.split('\n')) {
    const [kind = '', input, output] = line.split(',');
    const codec = laws.get(kind[0] ?? '');
    if (!codec || output === undefined) continue;
    const [result] = (kind.endsWith('enc') ? encode : decode)(codec, Number(input));
    if (result !== Number(output)) wrong.push(line);
    compared++;
  }
  t.equal(compared, 2 * (65_536 + 256));
  t.strictSame(wrong.slice(0, 10), []);
});
