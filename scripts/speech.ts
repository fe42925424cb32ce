import { readFileSync } from 'node:fs';
import { parseWav, WavReader } from '#firmware/audio/wav.ts';

/** All samples of a WAV file, as mono. Throws when it holds none. */
export function readSpeech(path: string): Int16Array {
  const bytes = readFileSync(path);
  const outcome = parseWav(bytes);
  if (outcome.outcome === 'unreadable') throw new Error(`${path}: ${outcome.reason}`);
  const samples = new Int16Array(bytes.length);
  return samples.slice(0, new WavReader(bytes, outcome.layout).read(samples));
}
