import t from 'tap';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { ArrivalWatch } from '#hal/audio/arrival-watch.ts';
import { FramePacer, PacedLoop } from '#hal/audio/frame-pacer.ts';
import { PlaybackQueue } from '#hal/audio/playback-queue.ts';
import { Debounce } from '#hal/debounce.ts';
import { HookFlash } from '#hal/hook-flash.ts';
import { ledLevel } from '#hal/led-pattern.ts';
import { RelayGuard } from '#hal/relay-guard.ts';

t.test('debouncing: a level counts once it has held, to the millisecond', async (t) => {
  const debounce = new Debounce(20, false);
  t.equal(debounce.level(100, true), undefined);
  t.equal(debounce.deadline, 120);
  t.equal(debounce.handleTimeout(119), undefined);
  t.same(debounce.handleTimeout(120), { active: true, at: 100 });
  t.equal(debounce.deadline, undefined);
  t.equal(debounce.active, true);
});

t.test('debouncing: each bounce starts anew', async (t) => {
  const debounce = new Debounce(20, false);
  for (let bounce = 0; bounce < 9; bounce++) t.equal(debounce.level(bounce * 7, bounce % 2 === 0), undefined);
  t.equal(debounce.deadline, 56 + 20);
  t.same(debounce.handleTimeout(76), { active: true, at: 56 });
});

t.test('debouncing: a spike shorter than the hold never happened, and without a hold every edge counts', async (t) => {
  const debounce = new Debounce(20, true);
  debounce.level(0, false);
  debounce.level(19, true);
  t.equal(debounce.deadline, undefined);
  t.equal(debounce.handleTimeout(100), undefined);
  const raw = new Debounce(0, false);
  t.same(raw.level(5, true), { active: true, at: 5 });
  t.same(raw.level(5, false), { active: false, at: 5 });
});

t.test('debouncing: an edge that comes with a late wake-up is judged by its own time', async (t) => {
  const debounce = new Debounce(20, false);
  debounce.level(0, true);
  t.same(debounce.level(500, true), { active: true, at: 0 }, 'held long ago');
});

t.test('hook: an interruption up to the flash time is a flash, a longer one a hang-up', async (t) => {
  for (const [length, expected] of [
    [1, ['flash']],
    [599, ['flash']],
    [600, ['flash']],
    [601, ['onHook', 'offHook']],
    [5_000, ['onHook', 'offHook']],
  ] as const) {
    const hook = new HookFlash({ flashMs: 600, pulseMs: 0, settleMs: 20 }, true);
    const changes = hook.loop(false, 1_000);
    const due = hook.deadline ?? 0;
    t.equal(due, 1_620, 'waits until the edge that ends a flash must be known');
    if (1_000 + length + 20 > due) changes.push(...hook.handleTimeout(due));
    changes.push(...hook.loop(true, 1_000 + length));
    t.same(
      changes.map(({ change }) => change),
      expected,
      `${length} ms`,
    );
    t.equal(hook.position, 'offHook');
    t.equal(hook.deadline, undefined);
  }
});

t.test('hook: when the process stood still, the edges still decide', async (t) => {
  const short = new HookFlash({ flashMs: 600, pulseMs: 0, settleMs: 20 }, true);
  short.loop(false, 0);
  t.same(short.loop(true, 300), [{ change: 'flash', at: 300 }]);
  const long = new HookFlash({ flashMs: 600, pulseMs: 0, settleMs: 20 }, true);
  long.loop(false, 0);
  t.same(long.loop(true, 900), [
    { change: 'onHook', at: 0 },
    { change: 'offHook', at: 900 },
  ]);
});

t.test('hook: without a flash time every interruption is a hang-up at once', async (t) => {
  const hook = new HookFlash({ flashMs: 0, pulseMs: 0, settleMs: 0 }, true);
  t.same([...hook.loop(false, 50), ...hook.handleTimeout(50)], [{ change: 'onHook', at: 50 }]);
  t.same(hook.loop(true, 51), [{ change: 'offHook', at: 51 }]);
});

t.test('relay: asking again and again before it falls does not hold it beyond the maximum', async (t) => {
  const guard = new RelayGuard(3_000);
  let fell: number | undefined;
  for (let now = 0; now < 10_000 && fell === undefined; now += 100) {
    if (guard.handleTimeout(now)) fell = now;
    else guard.pulse(now, 3_000);
  }
  t.equal(fell, 3_000);
  t.equal(guard.closed, false);
});

t.test('relay: a late wake-up releases, and a pulse after it begins a time of its own', async (t) => {
  const guard = new RelayGuard(1_000);
  guard.pulse(0, 1_000);
  t.equal(guard.handleTimeout(999), false);
  t.equal(guard.pulse(7_000, 400), 400);
  t.equal(guard.deadline, 7_400);
  t.equal(guard.handleTimeout(9_000), true);
  t.equal(guard.handleTimeout(9_001), false, 'once');
});

t.test('lamps: what a pattern shows always has an end, and the end changes it', async (t) => {
  for (const pattern of ['blink', 'fastBlink', 'doubleFlash'] as const) {
    let now = 123_456.7;
    for (let edge = 0; edge < 50; edge++) {
      const { lit, until } = ledLevel(pattern, now);
      t.ok(until !== undefined && until > now, `${pattern} goes on at ${now}`);
      now = until ?? now;
      t.equal(ledLevel(pattern, now).lit, !lit);
    }
  }
  t.same(ledLevel('on', 5), { lit: true, until: undefined });
  t.same(ledLevel('off', 5), { lit: false, until: undefined });
});

t.test('frames: late wake-ups never add up to drift', async (t) => {
  const pacer = new FramePacer(1_000.5);
  let frames = 0;
  for (let index = 0; index < 50 * 60; index++) frames += pacer.take(pacer.deadline + (index % 7) * 1.3);
  t.equal(frames, 50 * 60);
  t.equal(pacer.deadline, 1_000.5 + (50 * 60 + 1) * 20);
  t.equal(pacer.skipped, 0);
});

t.test('frames: a short stall is made up for, a long one skipped and counted', async (t) => {
  const pacer = new FramePacer(0);
  t.equal(pacer.take(19.9), 0, 'never early');
  t.equal(pacer.take(20), 1);
  t.equal(pacer.take(160), 7);
  t.equal(pacer.take(160 + 1_000), 10);
  t.equal(pacer.skipped, 40);
  t.equal(pacer.deadline, 1_180, 'still on the beat');
});

t.test('frames: exact loops share their beat, are never early, and close to it as long as the machine lets them', async (t) => {
  const beats: { by: number; late: number }[] = [];
  const loops: PacedLoop[] = [];
  await new Promise<void>((resolve) => {
    for (const by of [1, 2]) {
      const frame = () => {
        // The deadlines are multiples of 20 ms; a beat made up for after a stall is later than one of them.
        beats.push({ by, late: nodeClock.now() % 20 });
        if (beats.length >= 60) resolve();
      };
      loops.push(new PacedLoop(nodeClock, 'exact', frame));
    }
    for (const loop of loops) loop.start();
  });
  for (const loop of loops) loop.stop();
  const heard = beats.length;
  const close = beats.filter(({ late }) => late < 0.5).length;
  t.comment(`${close} of ${heard} within 0.5 ms`);
  t.ok(close >= heard / 4, `${close} of ${heard} within 0.5 ms`);
  t.equal(beats.filter(({ late }) => late > 19.9).length, 0, 'never early');
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.equal(beats.length, heard, 'nothing after the stop');
});

t.test('playback: the queue is bounded, says when it refuses, and plays silence when it is empty', async (t) => {
  const queue = new PlaybackQueue(4, 20, 2);
  const out = new Int16Array(4).fill(9);
  queue.take(out);
  t.same([...out], [0, 0, 0, 0]);
  const frame = Int16Array.of(1, 2, 3, 4);
  t.equal(queue.push(frame), true);
  frame.fill(7);
  t.equal(queue.push(Int16Array.of(5)), true, 'a short frame is filled up');
  t.equal(queue.push(frame), false);
  queue.take(out);
  t.same([...out], [1, 2, 3, 4], 'it was copied');
  queue.take(out);
  t.same([...out], [5, 0, 0, 0]);
  t.match({ underruns: queue.underruns, dropped: queue.dropped, taken: queue.taken }, { underruns: 1, dropped: 1, taken: 2 });
});

t.test('playback: a queue that is late for half a second gives up one frame, and is in time from then on', async (t) => {
  const queue = new PlaybackQueue(1, 20, 3);
  const out = new Int16Array(1);
  queue.push(Int16Array.of(0));
  for (let frame = 1; frame <= 60; frame++) {
    queue.push(Int16Array.of(frame));
    queue.take(out);
  }
  t.equal(out[0], 60, 'no lasting latency');
  t.equal(queue.size, 0);
  t.equal(queue.dropped, 1);
});

t.test('playback: a device that takes on a beat of its own keeps one frame in store once it has missed one', async (t) => {
  const queue = new PlaybackQueue(1, 20, 3);
  const out = new Int16Array(1);
  // Two minutes of frames that come in time but for one a second, which comes a beat late together with its successor.
  for (let beat = 1; beat <= 6000; beat++) {
    if (beat % 50 !== 0) queue.push(out);
    if (beat % 50 === 1) queue.push(out);
    queue.take(out);
  }
  t.equal(queue.dropped, 1);
  t.equal(queue.underruns, 1);
  t.ok(queue.size <= 1);
});

t.test('lost sound is told from jitter, from bursts and from a crystal that runs slow', async (t) => {
  const jitter = new ArrivalWatch(20);
  for (let frame = 0; frame < 5_000; frame++) jitter.arrived(frame * 20 * 1.0005 + (frame % 5) * 6);
  t.equal(jitter.lost, 0, 'jitter of 24 ms on a crystal 500 ppm slow');
  const burst = new ArrivalWatch(20);
  for (let frame = 0; frame < 100; frame++) burst.arrived(frame >= 50 && frame < 60 ? 1_200 : frame * 20);
  t.equal(burst.lost, 0, 'what comes late but comes is not lost');
  const loss = new ArrivalWatch(20);
  for (let frame = 0; frame < 100; frame++) loss.arrived(frame * 20 + (frame >= 50 ? 300 : 0));
  t.ok(Math.abs(loss.lost - 15) <= 1, `300 ms are 15 frames (${loss.lost})`);
});
