import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { DtmfDetector, type HeardKey } from '#firmware/audio/dtmf-detector.ts';
import { ToneGenerator } from '#firmware/audio/tone.ts';
import { keyTone } from '#firmware/audio/tone-plans.ts';
import { parseWav, WavReader } from '#firmware/audio/wav.ts';
import { seededRandom } from '#test/support/seeded-entropy.ts';

const low = [697, 770, 852, 941];
const high = [1209, 1336, 1477, 1633];
const keys = ['123A', '456B', '789C', '*0#D'];
const lead = 50;

interface Press {
  readonly ms?: number;
  readonly rate?: number;
  /** Shares by which the tones are off. */
  readonly lowOff?: number;
  readonly highOff?: number;
  /** The higher tone over the lower, dB. */
  readonly twist?: number;
  /** Of both tones over white noise, dB. */
  readonly snr?: number;
  readonly level?: number;
  /** A hole in the middle, ms. */
  readonly hole?: number;
}

/** Every key once, at phases that differ; how many are heard as themselves and nothing else. */
function heardOf(press: Press): number {
  const { ms = 50, rate = 8000, lowOff = 0, highOff = 0, twist = 0, snr = 90, level = 0.15, hole = 0 } = press;
  const random = seededRandom(11);
  const gain = 10 ** (twist / 20);
  const noise = (level * Math.sqrt(1 + gain * gain)) / Math.SQRT2 / 10 ** (snr / 20) / Math.sqrt(0.5);
  let right = 0;
  for (const [row, name] of [...keys.entries()]) {
    for (const [column, key] of [...name].entries()) {
      const [f, g] = [(low[row] ?? 0) * (1 + lowOff), (high[column] ?? 0) * (1 + highOff)];
      const [phase, start] = [6 * random(), (lead + 5 * random()) / 1000];
      const sound = Int16Array.from({ length: Math.round(((ms + 2 * lead + 10) * rate) / 1000) }, (_, index) => {
        const time = index / rate - start;
        const inHole = Math.abs(time - ms / 2000) < hole / 2000;
        const on = time >= 0 && time < ms / 1000 && !inHole;
        const tone = on ? Math.sin(2 * Math.PI * f * time + phase) + gain * Math.sin(2 * Math.PI * g * time + 2 * phase) : 0;
        const hiss = random() + random() + random() + random() + random() + random() - 3;
        return Math.round(32_767 * (level * tone + noise * hiss));
      });
      const heard = listen(sound, rate);
      if (heard.length === 1 && heard[0]?.key === key) right++;
    }
  }
  return right;
}

function listen(sound: Int16Array, rate: number): readonly HeardKey[] {
  const detector = new DtmfDetector(rate);
  detector.process(sound);
  detector.process(new Int16Array(rate / 10));
  return detector.drain();
}

t.test('Q.24 what has to be taken for a key is, at every rate', async (t) => {
  const presses: readonly Press[] = [
    { ms: 40 },
    { ms: 40, rate: 16_000 },
    { ms: 40, rate: 48_000 },
    { ms: 40, snr: 15 },
    { ms: 45, lowOff: 0.015, highOff: 0.015 },
    { ms: 45, lowOff: -0.015, highOff: -0.015 },
    { ms: 45, lowOff: 0.015, highOff: -0.015, snr: 18 },
    { twist: 4 },
    { twist: -8 },
    { level: 0.02 },
    { level: 0.45 },
    { ms: 80, hole: 8 },
    { ms: 500 },
  ];
  for (const press of presses) t.equal(heardOf(press), 16, JSON.stringify(press));
});

t.test('Q.24 what must not be taken for a key is not', async (t) => {
  const presses: readonly Press[] = [
    { ms: 23 },
    { ms: 23, snr: 15 },
    { lowOff: 0.035 },
    { lowOff: -0.035 },
    { highOff: 0.035 },
    { highOff: -0.035 },
    { lowOff: 0.035, highOff: -0.035, ms: 200 },
    { twist: 12 },
    { twist: -14 },
    { level: 0.002 },
    { snr: 0, ms: 200 },
  ];
  for (const press of presses) t.equal(heardOf(press), 0, JSON.stringify(press));
});

t.test('keys in a row, as this phone sends them: each once, with its length; a pause of 40 ms is one', async (t) => {
  const pressed = '1990#*D0055';
  const sound: number[] = [];
  for (const key of pressed) {
    const samples = new Int16Array(8000 * 0.08);
    new ToneGenerator(keyTone(key, 80), 8000).fill(samples);
    sound.push(...samples, ...new Array<number>(320).fill(0));
  }
  const heard = listen(Int16Array.from(sound), 8000);
  t.equal(heard.map(({ key }) => key).join(''), pressed);
  for (const { key, duration } of heard) t.ok(Math.abs(duration - 80) <= 10, `${key}: ${duration} ms`);
});

t.test('talk-off: twenty-five minutes of real speech hold not one key', async (t) => {
  const folder = '/usr/share/asterisk/sounds/en_US_f_Allison';
  if (!existsSync(folder)) throw new Error(`${folder} is missing: scripts/test installs asterisk-core-sounds-en-wav`);
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.wav'));
  let seconds = 0;
  const wrong: string[] = [];
  for (const name of names) {
    const bytes = readFileSync(join(folder, name));
    const parsed = parseWav(bytes);
    if (parsed.outcome === 'unreadable') throw new Error(`${name}: ${parsed.reason}`);
    const { sampleRate } = parsed.layout;
    const reader = new WavReader(bytes, parsed.layout);
    const detector = new DtmfDetector(sampleRate);
    const block = new Int16Array(sampleRate / 100);
    for (let count = block.length; count === block.length; seconds += 0.01) {
      count = reader.read(block);
      detector.process(block.subarray(0, count));
    }
    wrong.push(...detector.drain().map(({ key }) => `${key} in ${name}`));
  }
  t.comment(`${names.length} files, ${Math.round(seconds)} s`);
  t.ok(seconds > 1400);
  t.strictSame(wrong, []);
});
