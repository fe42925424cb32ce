import type { AudioCodec } from '#firmware/audio/codec.ts';
import { audioCodecs } from '#firmware/audio/codecs.ts';
import { DtmfDetector } from '#firmware/audio/dtmf-detector.ts';
import { Resampler } from '#firmware/audio/resampler.ts';
import { AudioRoute } from '#firmware/media/audio-route.ts';
import { loadOpus } from '#services/media/opus-codec.ts';
import { type BenchRow, median } from './row.ts';

const area = 'codec';
const rounds = 7;
const framesARound = 100;
const frameMs = 20;

/** What 20 ms of speech-like sound cost: encoded, decoded, resampled, listened to for digits, mixed. */
export async function codecRows(): Promise<BenchRow[]> {
  const opus = await loadOpus();
  const usual = {
    bitrate: 24_000,
    constantBitrate: false,
    complexity: 5,
    errorCorrection: true,
    discontinuous: false,
    playbackRate: 48_000,
  };
  const wide = opus({ ...usual, sampleRate: 16_000 });
  const full = opus({ ...usual, sampleRate: 48_000 });
  const codecs = [...Object.entries(audioCodecs), ['opus at 16 kHz', wide] as const, ['opus at 48 kHz', full] as const];
  return [...codecs.flatMap(([name, codec]) => rowsOf(name, codec)), ...otherRows(), ...mixingRows()];
}

function rowsOf(name: string, codec: AudioCodec): BenchRow[] {
  const encoder = codec.createEncoder();
  const decoder = codec.createDecoder();
  const frames = framesAt(codec.sampleRate);
  const packets = frames.map(() => new Uint8Array(2000));
  const lengths = frames.map((frame, index) => encoder.encode(frame, packets[index] ?? new Uint8Array(0), 0));
  const bytes = new Uint8Array(2000);
  const samples = new Int16Array((codec.sampleRate * frameMs) / 1000);
  return [
    row(`${name}, encode`, (index) => encoder.encode(frames[index] ?? samples, bytes, 0)),
    row(`${name}, decode`, (index) => decoder.decode(packets[index] ?? bytes, 0, lengths[index] ?? 0, samples, 0)),
  ];
}

function otherRows(): BenchRow[] {
  const pairs = [
    [48_000, 8000],
    [8000, 48_000],
    [44_100, 16_000],
  ] as const;
  const resampled = pairs.map(([from, to]) => {
    const resampler = new Resampler(from, to);
    const frames = framesAt(from);
    const output = new Int16Array(2000);
    return row(`resample ${from} to ${to} Hz`, (index) => resampler.process(frames[index] ?? output, frames[index]?.length ?? 0, output));
  });
  const detector = new DtmfDetector(8000);
  const frames = framesAt(8000);
  return [...resampled, row('listen for digits at 8 kHz', (index) => detector.process(frames[index] ?? new Int16Array(0)))];
}

/** Six who talk at once, each hearing all others: what one of them costs, codec and RTP aside. */
function mixingRows(): BenchRow[] {
  const conferences: readonly (readonly [string, readonly number[]])[] = [
    ['all at 8 kHz', [8000, 8000, 8000, 8000, 8000, 8000]],
    ['8, 16 and 48 kHz', [48_000, 8000, 8000, 16_000, 16_000, 48_000]],
  ];
  return conferences.map(([name, rates]) => {
    const route = new AudioRoute();
    rates.forEach((sampleRate, leg) => {
      const [voice = new Int16Array(0)] = framesAt(sampleRate);
      const pull = (block: Int16Array) => {
        block.set(voice.subarray(0, block.length));
        return true;
      };
      route.addSource(`leg${leg}`, { sampleRate, pull });
      route.addSink(`leg${leg}`, { sampleRate, push: () => undefined });
    });
    for (const from of rates.keys()) for (const to of rates.keys()) if (from !== to) route.connect(`leg${from}`, `leg${to}`);
    const measured = row('', () => {
      route.tick();
      route.tick();
    });
    return { ...measured, name: `a leg of a conference of six, ${name}, 20 ms`, value: measured.value / rates.length };
  });
}

function row(name: string, work: (frame: number) => unknown): BenchRow {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    for (let frame = 0; frame < framesARound; frame++) work(frame);
    times.push(((performance.now() - start) * 1000) / framesARound);
  }
  return { area, name: `${name}, 20 ms`, value: median(times), unit: 'µs' };
}

/** A voice of 120 Hz with its harmonics, rising and falling, and a little noise. */
function framesAt(rate: number): Int16Array[] {
  const length = (rate * frameMs) / 1000;
  let noise = 1;
  return Array.from({ length: framesARound }, (_, frame) =>
    Int16Array.from({ length }, (_, index) => {
      const time = (frame * length + index) / rate;
      noise = (noise * 16_807) % 2_147_483_647;
      const voice = [1, 2, 3, 5, 8].reduce((sum, harmonic) => sum + Math.sin(2 * Math.PI * 120 * harmonic * time) / harmonic, 0);
      return Math.round(4000 * voice * Math.abs(Math.sin(4 * time)) + (noise / 2_147_483_647 - 0.5) * 400);
    }),
  );
}
