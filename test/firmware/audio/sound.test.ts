import t from 'tap';
import { align } from '#firmware/audio/correlation.ts';
import { pcmuCodec } from '#firmware/audio/g711.ts';
import { accumulate, crossFade, LevelMeter, levelOf, saturate, scale, silentLevel } from '#firmware/audio/pcm.ts';
import { Resampler } from '#firmware/audio/resampler.ts';
import { seededRandom } from '#test/support/seeded-entropy.ts';
import { powerAt, sine } from './sound-fixtures.ts';

t.test('mixing adds and cuts off, scaling and fading do not wrap', async (t) => {
  const sum = new Int32Array(4);
  accumulate(sum, Int16Array.of(30_000, -30_000, 5, 0));
  accumulate(sum, Int16Array.of(30_000, -30_000, 5, 0));
  const mixed = new Int16Array(4);
  saturate(sum, mixed);
  t.strictSame([...mixed], [32_767, -32_768, 10, 0]);
  scale(mixed, 3);
  t.strictSame([...mixed], [32_767, -32_768, 30, 0]);
  const crossed = Int16Array.of(1000, 1000, 1000, 1000);
  crossFade(crossed, Int16Array.of(0, 0, 2000, 2000));
  t.strictSame([...crossed], [1000, 750, 1500, 1750]);
});

t.test('levels are dBFS of the mean power', async (t) => {
  t.equal(levelOf(new Int16Array(80)), silentLevel);
  t.equal(levelOf(new Int16Array(80).fill(-32_768)), 0);
  t.equal(levelOf(sine(1000, 8000, 0.1, 1)), -3);
  const meter = new LevelMeter();
  meter.add(new Int16Array(80));
  meter.add(sine(1000, 8000, 0.01, 1));
  t.equal(meter.take(), -6);
  t.equal(meter.take(), silentLevel);
});

const rates = [8000, 16_000, 22_050, 44_100, 48_000];

t.test('resampling keeps tones, their level and the length; 10 ms stay 10 ms', async (t) => {
  for (const from of rates) {
    for (const to of rates.filter((rate) => rate !== from)) {
      const resampler = new Resampler(from, to);
      const input = sine(1000, from, 1, 0.5);
      const output = new Int16Array(to + 2);
      let written = 0;
      const block = from / 100;
      for (let start = 0; start + block <= from; start += Math.floor(block)) {
        const part = input.subarray(start, start + Math.floor(block));
        const count = resampler.process(part, part.length, output.subarray(written));
        if (Number.isInteger(block) && Number.isInteger(to / 100)) t.equal(count, to / 100);
        written += count;
        if (written > to * 0.9) break;
      }
      const tone = output.subarray(to * 0.1, to * 0.8);
      t.ok(Math.abs(powerAt(tone, 1000, to) + 6) < 0.1, `${from} → ${to}: ${powerAt(tone, 1000, to).toFixed(2)} dB`);
    }
  }
});

t.test('resampling passes speech and stops what would fold back', async (t) => {
  const down = (frequency: number) => {
    const output = new Int16Array(8002);
    new Resampler(48_000, 8000).process(sine(frequency, 48_000, 1, 0.9), 48_000, output);
    return levelOf(output.subarray(1000, 7000));
  };
  t.ok(down(300) > -4.1 && down(3300) > -4.6, `${down(300)} and ${down(3300)} dB`);
  for (const frequency of [4600, 6000, 7700, 12_000]) t.ok(down(frequency) < -60, `${frequency} Hz: ${down(frequency)} dB`);
  const images = new Int16Array(48_002);
  new Resampler(8000, 48_000).process(sine(1000, 8000, 1, 0.9), 8000, images);
  t.ok(powerAt(images.subarray(4800, 43_200), 7000, 48_000) < -65, 'no image at 7 kHz');
});

t.test('a resampler says what has to go in, refuses rates without a common divisor, and does not overflow', async (t) => {
  const resampler = new Resampler(22_050, 8000);
  const output = new Int16Array(80);
  for (let block = 0; block < 100; block++) {
    const wanted = resampler.inputsFor(80);
    t.equal(resampler.process(new Int16Array(wanted), wanted, output), 80);
  }
  t.equal(resampler.inputsFor(0), 0);
  t.throws(() => new Resampler(8000, 44_101), RangeError);
  const loud = new Int16Array(16_000);
  const square = Int16Array.from({ length: 8000 }, (_, index) => (index % 40 < 20 ? 32_767 : -32_768));
  new Resampler(8000, 16_000).process(square, 8000, loud);
  t.ok(
    loud.subarray(2000).every((sample, index, all) => index === 0 || Math.abs(sample - (all[index - 1] ?? 0)) < 50_000),
    'no wrap at the edges',
  );
});

t.test('recordings are aligned: delay either way, noise, another level, and what is unrelated', async (t) => {
  const random = seededRandom(9);
  let drift = 0;
  // Noise with the slow rise and fall of speech.
  const speech = Int16Array.from({ length: 40_000 }, (_, index) => {
    drift = drift * 0.9 + (random() - 0.5) * 6000;
    return Math.round(drift * Math.max(0, Math.sin(index / 1500)));
  });
  const recording = new Int16Array(42_000);
  for (let index = 0; index < 40_000; index++) recording[index + 1234] = Math.round((speech[index] ?? 0) * 0.3 + (random() - 0.5) * 20);
  const later = align(speech, recording);
  t.equal(later.lag, 1234);
  t.ok(later.correlation > 0.99);
  const earlier = align(speech, speech.slice(777));
  t.equal(earlier.lag, -777);
  t.ok(earlier.correlation > 0.999);
  const coded = new Uint8Array(speech.length);
  pcmuCodec.createEncoder().encode(speech, coded, 0);
  const decoded = new Int16Array(speech.length);
  pcmuCodec.createDecoder().decode(coded, 0, coded.length, decoded, 0);
  t.ok(align(speech, decoded, 100).correlation > 0.999, 'G.711 hardly changes it');
  const noise = Int16Array.from({ length: 40_000 }, () => (random() - 0.5) * 20_000);
  t.ok(align(speech, noise).correlation < 0.1);
  t.strictSame(align(speech, new Int16Array(40_000)), { correlation: 0, lag: 0 });
});
