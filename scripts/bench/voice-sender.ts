import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AudioCodec } from '#firmware/audio/codec.ts';
import { Resampler } from '#firmware/audio/resampler.ts';
import { parseWav, WavReader } from '#firmware/audio/wav.ts';
import { writeRtpHeader } from '#firmware/rtp/packet.ts';
import { ImpairedWay, type Impairment } from '#test/support/impaired-way.ts';
import { seededRandom } from '#test/support/seeded-entropy.ts';

/** Debian's alsa-utils: a woman who names loudspeakers. */
const recordings = '/usr/share/sounds/alsa';
const sentences =
  'The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background. These days a chicken leg is a rare dish.';
const frameMs = 20;
const rtpHeader = 12;

/** A packet on its way to who listens: when it is there, ms since the first was sent. */
export interface Arrival {
  readonly at: number;
  readonly packet: Uint8Array;
}

/** Why there is nothing to say; `undefined` when there is. */
export function missingSpeech(): string | undefined {
  if (!existsSync(recordings)) return 'alsa-utils is not installed';
  return existsSync('/usr/bin/espeak-ng') ? undefined : 'espeak-ng is not installed';
}

/** So many seconds of speech at 48 kHz, half of it a person's (alsa-utils), half a machine's (espeak-ng). */
export function speechOf(seconds: number, folder: string): Int16Array {
  const files = readdirSync(recordings).filter((name) => name !== 'Noise.wav' && name.endsWith('.wav'));
  const person = files.map((name) => at48000(join(recordings, name)));
  const spoken = join(folder, 'sentences.wav');
  execFileSync('espeak-ng', ['-w', spoken, sentences]);
  const half = 24_000 * seconds;
  const speech = new Int16Array(2 * half);
  let written = 0;
  for (const words of person) {
    speech.set(words.subarray(0, Math.max(0, half - written)), written);
    written = Math.min(half, written + words.length);
  }
  speech.set(at48000(spoken).subarray(0, half), half);
  return speech;
}

/** The same sound at another rate. */
export function resampled(samples: Int16Array, from: number, to: number): Int16Array {
  const output = new Int16Array(Math.ceil((samples.length * to) / from) + 1);
  return from === to ? samples : output.slice(0, new Resampler(from, to).process(samples, samples.length, output));
}

/** RTP packets of 20 ms, as they arrive behind a network like that; the same every time. */
export function arrivalsOf(speech: Int16Array, codec: AudioCodec, payloadType: number, network: Impairment): Arrival[] {
  const way = new ImpairedWay(seededRandom(4711));
  const encoder = codec.createEncoder();
  const [samples, ticks] = [codec.sampleRate, codec.clockRate].map((rate) => (rate * frameMs) / 1000);
  const arrivals: Arrival[] = [];
  const count = Math.floor(speech.length / (samples ?? 1));
  for (let index = 0; index < count; index++) {
    const bytes = new Uint8Array(1500);
    writeRtpHeader(bytes, index === 0, payloadType, 1000 + index, (ticks ?? 0) * index, 0x5eed);
    const length = encoder.encode(speech.subarray(index * (samples ?? 0), (index + 1) * (samples ?? 0)), bytes, rtpHeader);
    const packet = bytes.subarray(0, rtpHeader + length);
    // Both ends have to begin with the same one.
    const on = index < 2 ? [index * frameMs + network.delayMs] : way.carry(index * frameMs, network);
    for (const at of on) arrivals.push({ at, packet });
  }
  return arrivals.sort((a, b) => a.at - b.at);
}

function at48000(path: string): Int16Array {
  const bytes = readFileSync(path);
  const parsed = parseWav(bytes);
  if (parsed.outcome === 'unreadable') throw new Error(`${path}: ${parsed.reason}`);
  const samples = new Int16Array(bytes.length);
  const count = new WavReader(bytes, parsed.layout).read(samples);
  return resampled(samples.slice(0, count), parsed.layout.sampleRate, 48_000);
}
