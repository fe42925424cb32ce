import t from 'tap';
import { pcmaCodec } from '#firmware/audio/g711.ts';
import { parseWav, type WavLayout, WavReader, wavHeader } from '#firmware/audio/wav.ts';

interface Chunk {
  readonly tag: string;
  readonly bytes: Uint8Array;
  /** What the file says of the chunk's length, if not the truth. */
  readonly stated?: number;
}

function riff(chunks: readonly Chunk[], form = 'WAVE'): Uint8Array {
  const parts: number[] = [...ascii('RIFF'), 0, 0, 0, 0, ...ascii(form)];
  for (const { tag, bytes, stated = bytes.length } of chunks) {
    parts.push(...ascii(tag), stated & 255, (stated >>> 8) & 255, (stated >>> 16) & 255, stated >>> 24, ...bytes);
    if (bytes.length % 2 === 1) parts.push(0);
  }
  return Uint8Array.from(parts);
}

const ascii = (text: string) => [...text].map((letter) => letter.charCodeAt(0));

function format(tag: number, channels: number, sampleRate: number, bits: number, extension: readonly number[] = []): Chunk {
  const bytes = new Uint8Array(16 + extension.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, tag, true);
  view.setUint16(2, channels, true);
  view.setUint32(4, sampleRate, true);
  view.setUint16(14, bits, true);
  bytes.set(extension, 16);
  return { tag: 'fmt ', bytes };
}

const data = (...bytes: readonly number[]): Chunk => ({ tag: 'data', bytes: Uint8Array.from(bytes) });

function layoutOf(bytes: Uint8Array): WavLayout {
  const parsed = parseWav(bytes);
  if (parsed.outcome === 'unreadable') throw new Error(parsed.reason);
  return parsed.layout;
}

function read(bytes: Uint8Array): number[] {
  const samples = new Int16Array(32);
  return [...samples.subarray(0, new WavReader(bytes, layoutOf(bytes)).read(samples))];
}

t.test('PCM, A-law and µ-law are read as mono, other chunks are stepped over', async (t) => {
  t.strictSame(read(riff([format(1, 1, 8000, 16), data(1, 0, 255, 255, 0, 128)])), [1, -1, -32_768]);
  t.strictSame(
    read(riff([{ tag: 'LIST', bytes: new Uint8Array(5) }, format(1, 2, 44_100, 16), data(10, 0, 20, 0, 0, 1, 0, 3)])),
    [15, 512],
  );
  t.strictSame(read(riff([format(6, 1, 8000, 8), data(0xd5, 0xaa)])), [8, 32_256]);
  t.strictSame(read(riff([format(7, 2, 8000, 8), data(0xff, 0x80)])), [16_062]);
  const guid = [22, 0, 16, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113];
  t.strictSame(read(riff([format(0xfffe, 1, 48_000, 16, guid), data(7, 0)])), [7], 'WAVE_FORMAT_EXTENSIBLE');
});

t.test('reading goes on where it stopped, ends at the end and rewinds', async (t) => {
  const bytes = riff([format(1, 1, 8000, 16), data(1, 0, 2, 0, 3, 0), { tag: 'junk', bytes: new Uint8Array(4) }]);
  const reader = new WavReader(bytes, layoutOf(bytes));
  const two = new Int16Array(2);
  t.strictSame([reader.read(two), ...two], [2, 1, 2]);
  t.strictSame([reader.read(two), two[0]], [1, 3]);
  t.equal(reader.read(two), 0);
  reader.rewind();
  t.strictSame([reader.read(two), ...two], [2, 1, 2]);
});

t.test('lengths that are not true: a file cut short, one still being written, half a frame at the end', async (t) => {
  const head = format(1, 1, 8000, 16);
  t.strictSame(read(riff([head, { ...data(1, 0, 2, 0), stated: 1_000_000 }])), [1, 2]);
  t.strictSame(read(riff([head, { ...data(1, 0, 2, 0), stated: 0 }])), [1, 2]);
  t.strictSame(read(riff([head, { ...data(1, 0, 2, 0), stated: 0xffff_ffff }])), [1, 2]);
  t.strictSame(read(riff([head, data(1, 0, 2)])), [1]);
  const large = riff([head, { ...data(), stated: 800_000 }]);
  t.match(parseWav(large, large.length + 800_000), { layout: { dataEnd: large.length + 800_000 } }, 'only its beginning is in memory');
});

t.test('what cannot be played says why, and no prefix of a file throws', async (t) => {
  const sound = data(1, 0);
  const cases: readonly [string, Uint8Array][] = [
    ['not-wav', new Uint8Array(0)],
    ['not-wav', Uint8Array.from(ascii('ID3 this is an MP3'))],
    ['not-wav', riff([format(1, 1, 8000, 16), sound], 'AVI ')],
    ['no-format', riff([])],
    ['no-format', riff([sound])],
    ['no-format', riff([{ tag: 'fmt ', bytes: new Uint8Array(8) }, sound])],
    ['no-format', riff([{ tag: 'LIST', bytes: new Uint8Array(4), stated: 0xffff_fff0 }, format(1, 1, 8000, 16), sound])],
    ['no-sound', riff([format(1, 1, 8000, 16)])],
    ['no-sound', riff([format(1, 1, 8000, 16), data()])],
    ['no-sound', riff([format(1, 4, 8000, 16), sound])],
    ['unsupported-encoding', riff([format(3, 1, 8000, 32), sound])],
    ['unsupported-encoding', riff([format(1, 1, 8000, 24), sound])],
    ['unsupported-encoding', riff([format(85, 2, 44_100, 0), sound])],
    ['unsupported-channels', riff([format(1, 0, 8000, 16), sound])],
    ['unsupported-channels', riff([format(1, 65_535, 8000, 16), sound])],
    ['unsupported-rate', riff([format(1, 1, 0, 16), sound])],
    ['unsupported-rate', riff([format(1, 1, 4_000_000_000, 16), sound])],
  ];
  for (const [reason, bytes] of cases) t.strictSame(parseWav(bytes), { outcome: 'unreadable', reason }, reason);
  const whole = riff([format(1, 1, 8000, 16), data(1, 0, 2, 0)]);
  for (let length = 0; length < whole.length; length++) t.ok(parseWav(whole.subarray(0, length)).outcome);
});

t.test('the header that is written reads back, empty while the file grows', async (t) => {
  const file = Uint8Array.from([...wavHeader(16_000, 4), 1, 0, 2, 0]);
  t.match(layoutOf(file), { encoding: 'pcm16', sampleRate: 16_000, channels: 1, dataStart: 44, dataEnd: 48 });
  t.strictSame(read(file), [1, 2]);
  t.strictSame(read(Uint8Array.from([...wavHeader(8000, 0), 1, 0])), [1], 'a recording that was cut off is all there');
  const encoded = new Uint8Array(1);
  pcmaCodec.createEncoder().encode(Int16Array.of(8), encoded, 0);
  t.strictSame(read(riff([format(6, 1, 8000, 8), data(...encoded)])), [8]);
});
