import t from 'tap';
import { pcmaCodec } from '#firmware/audio/g711.ts';
import { drawOut, leaveOut, periodAtHead, stretchWindow } from '#firmware/audio/time-stretch.ts';
import { MediaSession } from '#firmware/media/media-session.ts';
import { writeRtpHeader } from '#firmware/rtp/packet.ts';
import { seededEntropy, seededRandom } from '#test/support/seeded-entropy.ts';
import { legTowards } from '#test/support/simulated-rtp.ts';
import { powerAt, sine } from '../audio/sound-fixtures.ts';

const limits = { minimum: 20, start: 60, maximum: 200 };

/** Ten seconds of words and pauses, A-law. */
function talk(pauses: boolean): Uint8Array {
  const random = seededRandom(9);
  let value = 0;
  const samples = Int16Array.from({ length: 80_000 }, (_, index) => {
    value = value * 0.8 + (random() - 0.5) * 3000;
    const voice = 6000 * Math.sin((2 * Math.PI * 130 * index) / 8000) + value;
    return Math.round(voice * (pauses ? Math.max(0, Math.sin(index / 3000)) : 1));
  });
  const bytes = new Uint8Array(samples.length);
  pcmaCodec.createEncoder().encode(samples, bytes, 0);
  return bytes;
}

/** A sender whose crystal is `ppm` quicker than ours, over a network with `jitter`, heard for `seconds`. */
function listen(ppm: number, jitter: number, seconds: number, pauses: boolean) {
  const session = new MediaSession(seededEntropy(1), 'cname', limits);
  session.update(0, legTowards('192.0.2.9', { codecs: [{ name: 'PCMA', send: 8, receive: 8 }] }));
  const random = seededRandom(ppm + 1000);
  const said = talk(pauses);
  const packet = new Uint8Array(12 + 160);
  const block = new Int16Array(80);
  const period = 20 / (1 + ppm / 1e6);
  let sent = 0;
  let arrival = 0;
  let deepest = 0;
  for (let now = 0; now < seconds * 1000; now += 20) {
    for (; arrival <= now; sent++) {
      writeRtpHeader(packet, false, 8, sent & 0xffff, (sent * 160) >>> 0, 77);
      packet.set(said.subarray((sent * 160) % 80_000, ((sent * 160) % 80_000) + 160), 12);
      session.receiveRtp(arrival, packet, '192.0.2.9', 4000);
      // Never out of order: that is another test's matter.
      arrival = Math.max(arrival, (sent + 1) * period + random() * jitter);
    }
    session.pull(block);
    session.pull(block);
    session.moved(now);
    session.drain();
    deepest = Math.max(deepest, session.statistics().jitterBufferMs);
  }
  return { ...session.statistics(), deepest };
}

t.test('an hour with a sender 200 ppm quicker or slower: no under-run, the delay stays near its target', async (t) => {
  for (const ppm of [200, -200]) {
    const { concealedMs, packetsLate, packetsLost, deepest, jitterBufferMs } = listen(ppm, 8, 3600, true);
    t.strictSame({ concealedMs, packetsLate, packetsLost }, { concealedMs: 0, packetsLate: 0, packetsLost: 0 }, `${ppm} ppm`);
    t.ok(deepest <= 90, `at most ${deepest} ms`);
    t.ok(jitterBufferMs <= 60, `${jitterBufferMs} ms in the end`);
  }
});

t.test('sound without a pause leaves no place to hide: drift is still absorbed, the delay bounded', async (t) => {
  for (const ppm of [200, -200]) {
    const { concealedMs, packetsLate, deepest } = listen(ppm, 8, 1200, false);
    t.strictSame({ concealedMs, packetsLate }, { concealedMs: 0, packetsLate: 0 }, `${ppm} ppm`);
    t.ok(deepest <= 150, `at most ${deepest} ms`);
  }
});

t.test('sound is drawn out and left out by whole periods: no click, no change of pitch', async (t) => {
  for (const rate of [8000, 16_000]) {
    const head = stretchWindow(rate);
    for (const [change, sign] of [
      [drawOut, 1],
      [leaveOut, -1],
    ] as const) {
      const samples = new Int16Array(rate / 2);
      samples.set(sine(170, rate, 0.25, 0.3));
      let count = rate / 4;
      const period = periodAtHead(samples, rate, 0.9);
      t.ok(Math.abs(period - rate / 170) < 1.5, `period ${period}`);
      count = change(samples, head, period) - head + count;
      t.equal(count, rate / 4 + sign * period);
      const steepest = Math.max(...Array.from(samples.subarray(1, head), (sample, index) => Math.abs(sample - (samples[index] ?? 0))));
      t.ok(powerAt(samples.subarray(0, count), 170, rate) > 20 * Math.log10(0.3) - 1, 'the same pitch');
      t.ok(steepest < 1.3 * 9830 * ((2 * Math.PI * 170) / rate), `steepest step ${steepest}`);
    }
    t.equal(periodAtHead(sine(0, rate, 0.1), rate, 0.9), 0, 'silence has no period');
  }
});
