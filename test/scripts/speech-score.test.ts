import t from 'tap';
import { seededRandom } from '#test/support/seeded-entropy.ts';
import { type SpeechScore, scoreSpeech } from '../../scripts/bench/speech-score.ts';

/** The scores of `npm run bench:voice`, with sound of which they are known. */

const rates = [8000, 16_000];

/** Words of a voice that rises and falls, with pauses, made of a glottal wave and two formants. */
function voice(sampleRate: number, seconds = 4): Int16Array {
  const random = seededRandom(5);
  let phase = 0;
  return Int16Array.from({ length: seconds * sampleRate }, (_, index) => {
    const time = index / sampleRate;
    phase += (2 * Math.PI * (130 + 50 * Math.sin(2 * time))) / sampleRate;
    const [first, second] = [500 + 250 * Math.sin(7 * time), 1500 + 600 * Math.sin(3.1 * time)];
    let sum = (random() - 0.5) * 0.02;
    for (let harmonic = 1; harmonic < 24; harmonic++) {
      const frequency = harmonic * (130 + 50 * Math.sin(2 * time));
      const gain = 1 / (1 + ((frequency - first) / 120) ** 2) + 0.5 / (1 + ((frequency - second) / 180) ** 2);
      sum += gain * Math.sin(harmonic * phase);
    }
    return Math.round(6000 * sum * Math.max(0, Math.sin(2.6 * time + Math.sin(5 * time))));
  });
}

/** With silence in front. */
function later(samples: Int16Array, by: number): Int16Array {
  const shifted = new Int16Array(samples.length + by);
  shifted.set(samples, by);
  return shifted;
}

function almost(t: Tap, value: number, wanted: number, tolerance: number, what: string): void {
  t.ok(Math.abs(value - wanted) <= tolerance, `${what}: ${value.toFixed(3)}, ${wanted} is right`);
}
type Tap = { ok(value: boolean, text: string): unknown };

t.test('the same sound has the best scores there are, wherever it is in the recording', async (t) => {
  for (const rate of rates) {
    const said = voice(rate);
    for (const delay of [0, 37, 250]) {
      const score = scoreSpeech(said, later(said, (delay * rate) / 1000), rate);
      almost(t, score.similarity, 1, 1e-9, `similarity, ${rate} Hz, ${delay} ms late`);
      almost(t, score.spectralDistance, 0, 1e-9, 'spectral distance');
      almost(t, score.segmentalRatio, 35, 1e-9, 'segmental ratio');
      almost(t, score.delayMs, delay, 0.2, 'delay');
    }
  }
});

t.test('half as loud is 6.02 dB away in each bin and as far in the ratio', async (t) => {
  const said = voice(8000).map((sample) => 2 * Math.round(sample / 2));
  const score = scoreSpeech(
    said,
    said.map((sample) => sample / 2),
    8000,
  );
  almost(t, score.segmentalRatio, 6.02, 0.01, 'segmental ratio');
  // What is inaudible in both is the same in both.
  t.ok(score.spectralDistance > 3 && score.spectralDistance < 6.03, `spectral distance ${score.spectralDistance.toFixed(2)}`);
  t.ok(score.similarity > 0.9 && score.similarity < 1, `similarity ${score.similarity.toFixed(3)}`);
});

t.test('noise of a known level in each segment gives that ratio, and more of it is worse in every score', async (t) => {
  for (const rate of rates) {
    const said = voice(rate);
    const random = seededRandom(9);
    const noisy = (ratio: number) => {
      const length = rate / 50;
      return Int16Array.from(said, (sample, index) => {
        const start = Math.floor(index / length) * length;
        const power = said.subarray(start, start + length).reduce((sum, value) => sum + value * value, 0) / length;
        // Even noise of ±1 has a third of the power of full swing.
        return Math.round(sample + (2 * random() - 1) * Math.sqrt(3 * power * 10 ** (-ratio / 10)));
      });
    };
    let before: SpeechScore | undefined;
    for (const ratio of [30, 20, 10, 0]) {
      const score = scoreSpeech(said, noisy(ratio), rate);
      almost(t, score.segmentalRatio, ratio, 0.7, `segmental ratio at ${rate} Hz`);
      if (before) t.ok(isWorse(score, before), `${ratio} dB: ${text(score)}`);
      before = score;
    }
  }
});

t.test('the more packets are silent, the worse every score', async (t) => {
  for (const rate of rates) {
    const said = voice(rate, 4);
    let before = scoreSpeech(said, said, rate);
    for (const loss of [0.01, 0.03, 0.05, 0.1, 0.3]) {
      // What is lost at a smaller share is lost at a greater one too.
      const random = seededRandom(11);
      const heard = said.slice();
      for (let start = 0; start < heard.length; start += rate / 50) if (random() < loss) heard.fill(0, start, start + rate / 50);
      const score = scoreSpeech(said, heard, rate);
      t.ok(isWorse(score, before), `${100 * loss} % at ${rate} Hz: ${text(score)}`);
      before = score;
    }
  }
});

t.test('a delay that changes on the way is followed, a recording of something else is not found', async (t) => {
  const said = voice(8000);
  const bent = new Int16Array(said.length + 800);
  bent.set(said.subarray(0, 15_360), 400);
  bent.set(said.subarray(15_360), 15_360 + 800);
  const score = scoreSpeech(said, bent, 8000);
  t.ok(score.segmentalRatio > 30 && score.similarity > 0.99, text(score));
  const random = seededRandom(13);
  const other = scoreSpeech(
    said,
    Int16Array.from(said, () => 4000 * (random() - 0.5)),
    8000,
  );
  t.ok(other.similarity < 0.6 && other.segmentalRatio < 0, text(other));
  const silent = scoreSpeech(said, new Int16Array(said.length), 8000);
  t.ok(silent.similarity < 0.3 && silent.spectralDistance > 15, text(silent));
  almost(t, silent.segmentalRatio, 0, 0.1, 'nothing is as far away as all of it');
});

function isWorse(score: SpeechScore, than: SpeechScore): boolean {
  const ratio = score.segmentalRatio < than.segmentalRatio;
  return ratio && score.similarity < than.similarity && score.spectralDistance > than.spectralDistance;
}

function text({ similarity, spectralDistance, segmentalRatio }: SpeechScore): string {
  return `similarity ${similarity.toFixed(3)}, ${spectralDistance.toFixed(2)} dB spectral distance, ${segmentalRatio.toFixed(1)} dB ratio`;
}
