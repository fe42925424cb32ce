import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { Concealment } from '#firmware/audio/concealment.ts';
import { transform } from '#firmware/audio/fourier.ts';
import { levelOf } from '#firmware/audio/pcm.ts';
import { Resampler } from '#firmware/audio/resampler.ts';
import { parseWav, WavReader } from '#firmware/audio/wav.ts';
import { seededRandom } from '#test/support/seeded-entropy.ts';
import { powerAt, sine } from './sound-fixtures.ts';

/** Debian's asterisk-core-sounds-en-wav: real speech. */
const folder = '/usr/share/asterisk/sounds/en_US_f_Allison';
const recordings = ['demo-congrats', 'demo-instruct', 'vm-intro', 'tt-weasels', 'conf-onlyperson'];

interface Maker {
  heard(block: Int16Array): void;
  fill(block: Int16Array): boolean;
}

/** What the far simplest phones do: the last block again, ever fainter. */
class Repetition implements Maker {
  readonly #last = new Int16Array(320);
  #gap = 0;

  heard(block: Int16Array): void {
    this.#last.set(block);
    this.#gap = 0;
  }

  fill(block: Int16Array): boolean {
    if (this.#gap >= 6) return false;
    for (let index = 0; index < block.length; index++) {
      const gain = 1 - (this.#gap + index / block.length) / 6;
      block[index] = Math.round(gain * (this.#last[index] ?? 0));
    }
    this.#gap++;
    return true;
  }
}

/** A vowel whose pitch glides: for machines without the recordings. */
function vowel(): Int16Array {
  let phase = 0;
  return Int16Array.from({ length: 8 * 8000 }, (_, index) => {
    phase += (2 * Math.PI * (140 + 40 * Math.sin(index / 6000))) / 8000;
    let sum = 0;
    for (let harmonic = 1; harmonic < 12; harmonic++) sum += Math.sin(harmonic * phase + harmonic) / (1 + Math.abs(harmonic - 5));
    return Math.round(3500 * sum * Math.max(0.1, Math.sin(index / 2500)));
  });
}

function speeches(t: { comment(text: string): void }): Int16Array[] {
  const found = recordings.map((name) => `${folder}/${name}.wav`).filter(existsSync);
  if (found.length === 0) t.comment('asterisk-core-sounds-en-wav is not installed: an artificial vowel only');
  return found.length === 0
    ? [vowel()]
    : found.map((path) => {
        const bytes = readFileSync(path);
        const parsed = parseWav(bytes);
        if (parsed.outcome === 'unreadable') throw new Error(parsed.reason);
        const samples = new Int16Array(bytes.length / 2);
        return samples.slice(0, new WavReader(bytes, parsed.layout).read(samples));
      });
}

/** Loses packets of 20 ms and makes them up; the mean distance of the spectra of the lost ones from the truth, dB. */
function distance(speech: Int16Array, maker: Maker, rate: number, loss: number): number {
  const random = seededRandom(31);
  const block = new Int16Array(rate / 100);
  const heard = speech.slice();
  const lost: number[] = [];
  for (let start = 0; start + rate / 50 <= speech.length; start += rate / 50) {
    const isLost = start > rate / 10 && random() < loss;
    for (let at = start; at < start + rate / 50; at += block.length) {
      if (!isLost) maker.heard(speech.subarray(at, at + block.length));
      else {
        if (!maker.fill(block)) block.fill(0);
        heard.set(block, at);
      }
    }
    if (isLost && levelOf(speech.subarray(start, start + rate / 50)) > -40) lost.push(start);
  }
  const distances = lost.map((start) => spectralDistance(speech, heard, start, rate));
  return distances.reduce((sum, value) => sum + value, 0) / distances.length;
}

/** Log-spectral distance of 32 ms (at 8 kHz) around a lost packet, whose seams count too. */
function spectralDistance(truth: Int16Array, heard: Int16Array, start: number, rate: number): number {
  const size = (256 * rate) / 8000;
  const spectra = [truth, heard].map((samples) => {
    const [real, imaginary] = [new Float64Array(size), new Float64Array(size)];
    for (let index = 0; index < size; index++) {
      const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / size);
      real[index] = window * (samples[start - size * 0.19 + index] ?? samples[Math.round(start - size * 0.19) + index] ?? 0);
    }
    transform(real, imaginary, false);
    return real.map((value, index) => 10 * Math.log10(value * value + (imaginary[index] ?? 0) ** 2 + 1e4 * size));
  });
  let sum = 0;
  for (let bin = 1; bin < size / 2; bin++) sum += ((spectra[0]?.[bin] ?? 0) - (spectra[1]?.[bin] ?? 0)) ** 2;
  return Math.sqrt(sum / (size / 2));
}

t.test('5 % of the packets of real speech lost: nearer to the truth than repetition, at both rates', async (t) => {
  const narrow = speeches(t);
  for (const rate of [8000, 16_000]) {
    let [ours, simple] = [0, 0];
    for (const speech of narrow) {
      const samples = rate === 8000 ? speech : new Int16Array(2 * speech.length);
      if (rate !== 8000) new Resampler(8000, rate).process(speech, speech.length, samples);
      ours += distance(samples, new Concealment(rate), rate, 0.05) / narrow.length;
      simple += distance(samples, new Repetition(), rate, 0.05) / narrow.length;
    }
    t.comment(`${rate} Hz: spectral distance ${ours.toFixed(2)} dB, by repetition ${simple.toFixed(2)} dB`);
    t.ok(ours < simple, `${rate} Hz: ${ours.toFixed(2)} < ${simple.toFixed(2)}`);
  }
});

t.test('a voice goes on at its pitch without a click, and is silent after 60 ms', async (t) => {
  for (const rate of [8000, 16_000]) {
    for (const frequency of [110, 173, 250]) {
      const concealment = new Concealment(rate);
      const voice = sine(frequency, rate, 0.1, 0.3);
      const size = rate / 100;
      for (let at = 0; at + size <= voice.length; at += size) concealment.heard(voice.subarray(at, at + size));
      const block = new Int16Array(size);
      const made: number[] = [voice.at(-1) ?? 0];
      let blocks = 0;
      for (; concealment.fill(block); blocks++) made.push(...block);
      t.equal(blocks, 6);
      const power = powerAt(Int16Array.from(made.slice(0, 2 * size)), frequency, rate);
      t.ok(power > 20 * Math.log10(0.3) - 3, `${frequency} Hz at ${rate}: ${power.toFixed(1)} dB`);
      const steepest = made.reduce((most, sample, index) => Math.max(most, index === 0 ? 0 : Math.abs(sample - (made[index - 1] ?? 0))), 0);
      t.ok(steepest < 1.7 * 9830 * ((2 * Math.PI * frequency) / rate), `steepest step ${steepest}`);
      concealment.heard(new Int16Array(size));
      t.equal(concealment.fill(block), true, 'the next gap begins anew');
    }
  }
  t.equal(new Concealment(8000).fill(new Int16Array(80)), false, 'nothing heard, nothing made up');
});
