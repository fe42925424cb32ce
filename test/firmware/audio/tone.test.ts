import t from 'tap';
import { parseMelody } from '#firmware/audio/melodies.ts';
import { nationalTones } from '#firmware/audio/national-tones.ts';
import { levelOf } from '#firmware/audio/pcm.ts';
import { cadence, steady, type Tone, ToneGenerator } from '#firmware/audio/tone.ts';
import { keyTone, type ToneName, tonePlanOf } from '#firmware/audio/tone-plans.ts';
import { ringNames } from '#firmware/core/ring-names.ts';
import { powerAt } from './sound-fixtures.ts';

const names: readonly ToneName[] = ['dial', 'stutterDial', 'ringback', 'busy', 'congestion', 'callWaiting', 'confirmation', 'ring'];
const countries = [...nationalTones.keys(), 'xx'];

/** The tone's first `seconds` at 8 kHz. */
function play(tone: Tone, seconds: number): Int16Array {
  const samples = new Int16Array(8000 * seconds);
  const generator = new ToneGenerator(tone, 8000);
  for (let start = 0; start < samples.length; start += 80) {
    const block = new Int16Array(80);
    if (generator.fill(block)) samples.set(block, start);
  }
  return samples;
}

/** Milliseconds on and off by turns, as heard in steps of 10 ms. */
function rhythm(samples: Int16Array): number[] {
  const times: number[] = [];
  let on: boolean | undefined;
  for (let start = 0; start < samples.length; start += 80) {
    const sounding = levelOf(samples.subarray(start, start + 80)) > -20;
    if (sounding === on) times[times.length - 1] = (times.at(-1) ?? 0) + 10;
    else times.push(10);
    on = sounding;
  }
  return times;
}

/** The frequencies of a stretch, of those that telephones use. */
function frequencies(samples: Int16Array): number[] {
  const candidates = [340, 350, 380, 400, 425, 440, 450, 470, 480, 620];
  const powers = candidates.map((frequency) => powerAt(samples, frequency, 8000));
  const loudest = Math.max(...powers);
  return candidates.filter((_, index) => (powers[index] ?? 0) > loudest - 6);
}

t.test('ITU-T E.180: frequencies and cadences of some countries', async (t) => {
  const second = (country: string, tone: ToneName) => frequencies(play(tonePlanOf(country)[tone], 2).subarray(0, 2400));
  t.strictSame(second('us', 'dial'), [350, 440]);
  t.strictSame(second('us', 'busy'), [480, 620]);
  t.strictSame(second('gb', 'ringback'), [400, 450]);
  t.strictSame(second('de', 'dial'), [425]);
  t.strictSame(second('fr', 'busy'), [440]);
  const beats: readonly [string, ToneName, readonly number[]][] = [
    ['us', 'ringback', [2000, 4000, 2000, 4000]],
    ['us', 'congestion', [250, 250, 250, 250]],
    ['gb', 'ringback', [400, 200, 400, 2000]],
    ['gb', 'congestion', [400, 350, 225, 525]],
    ['de', 'busy', [480, 480, 480, 480]],
    ['es', 'congestion', [200, 200, 200, 200, 200, 600]],
    ['au', 'ring', [400, 200, 400, 2000]],
    ['se', 'congestion', [250, 750, 250, 750]],
    ['cn', 'busy', [350, 350, 350, 350]],
    ['jp', 'ring', [1000, 2000, 1000, 2000]],
    ['cz', 'dial', [330, 330, 660, 660]],
    ['be', 'ringback', [1000, 3000, 1000, 3000]],
    ['us', 'howler', [100, 100, 100, 100]],
  ];
  for (const [country, name, times] of beats) {
    const heard = rhythm(play(tonePlanOf(country)[name], 13)).slice(0, times.length);
    const close = heard.every((time, index) => Math.abs(time - (times[index] ?? 0)) <= 10);
    t.ok(close, `${country} ${name}: ${heard.join(' ')}`);
  }
  t.strictSame(rhythm(play(tonePlanOf('de').dial, 3)), [3000]);
});

t.test('every country has every tone, loud enough and never clipped; the confirmation ends', async (t) => {
  for (const country of countries) {
    for (const name of names) {
      const samples = play(tonePlanOf(country)[name], 2);
      const level = levelOf(samples.subarray(40, 320));
      t.ok(level > -18 && level < -9, `${country} ${name}: ${level} dBFS`);
      t.ok(samples.every((sample) => Math.abs(sample) < 20_000));
    }
    t.equal(rhythm(play(tonePlanOf(country).confirmation, 3)).length, 6, `${country}: three bursts`);
    const sound = (name: ToneName) => {
      const samples = play(tonePlanOf(country)[name], 3);
      return JSON.stringify([rhythm(samples), frequencies(samples.subarray(6400, 11_200))]);
    };
    t.not(sound('stutterDial'), sound('dial'), `${country}: a waiting message can be heard`);
  }
});

t.test('ITU-T Q.23: each key has its two frequencies, for its time', async (t) => {
  for (const [row, keys] of ['123A', '456B', '789C', '*0#D'].entries()) {
    for (const [column, key] of [...keys].entries()) {
      const samples = play(keyTone(key, 200), 1);
      const low = [697, 770, 852, 941][row] ?? 0;
      const high = [1209, 1336, 1477, 1633][column] ?? 0;
      for (const frequency of [low, high]) t.ok(powerAt(samples.subarray(0, 1600), frequency, 8000) > -14, `${key}: ${frequency} Hz`);
      t.strictSame(rhythm(samples), [200, 800]);
    }
  }
  t.strictSame(rhythm(play(keyTone('flash', 100), 1)), [1000], 'no key, no sound');
});

t.test('a tone begins and ends without a click and says when it is over', async (t) => {
  const samples = play(cadence([425], 100, 100), 1);
  const steps = samples.subarray(1).map((sample, index) => Math.abs(sample - (samples[index] ?? 0)));
  t.ok(Math.max(...steps) < 3000, `largest step ${Math.max(...steps)}`);
  const generator = new ToneGenerator({ once: [{ frequencies: [440], ms: 20 }], repeat: [] }, 8000);
  const block = new Int16Array(80);
  t.strictSame([generator.fill(block), generator.fill(block), generator.fill(block)], [true, true, false]);
  t.ok(new ToneGenerator(steady(425), 8000).fill(block));
});

t.test('melodies of the bell: in tune, in time, begun anew when they are over; a note that is none is refused', async (t) => {
  t.ok(nationalTones.size >= 24, `${nationalTones.size} countries`);
  const [first, pause, second] = parseMelody('d=4,o=4,b=60:a,8c#5.,2p');
  t.match(
    [first, pause, second],
    [
      { frequencies: [440, 880], ms: 900 },
      { frequencies: [], ms: 100 },
      { frequencies: [554, 1108], ms: 675 },
    ],
  );
  for (const bad of ['d=4:h', 'd=4:', 'd=0:c', 'd=4,b=0:c', 'd=4:c,,d', 'd=4:99999999999c', ''])
    t.throws(() => parseMelody(bad), RangeError, bad);
  for (const name of ringNames) {
    const tone = tonePlanOf('us')[name];
    const lasts = tone.repeat.reduce((sum, { ms }) => sum + ms, 0);
    t.ok(lasts > 1000 && lasts < 15_000, `${name} lasts ${Math.round(lasts)} ms`);
    const samples = play(tone, 2 * Math.ceil(lasts / 1000));
    t.ok(levelOf(samples) > -24 && samples.every((sample) => Math.abs(sample) < 20_000), `${name}: ${levelOf(samples)} dBFS`);
    const again = Math.round(lasts * 8);
    t.ok(levelOf(samples.subarray(again, again + 1600)) > -24, 'again and again');
  }
});
