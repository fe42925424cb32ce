import t from 'tap';
import { JitterBuffer } from '#firmware/rtp/jitter-buffer.ts';
import { seededRandom } from '#test/support/seeded-entropy.ts';

const limits = { minimum: 20, maximum: 200 };
const payload = new Uint8Array(160);

/** A sender of 20 ms packets, a network and a player that takes 10 ms at a time, in virtual time. */
class Playout {
  readonly buffer = new JitterBuffer(8000, limits);
  /** Sequence numbers in the order in which they were played; `null` for each 10 ms without sound. */
  readonly played: (number | null)[] = [];
  /** Leave out a packet whenever the delay is too long. */
  skips = false;
  skipped = 0;
  #left = 0;

  /** Packets arrive at the given times; the player runs from 0 to `until`. */
  run(arrivals: readonly (readonly [at: number, sequence: number, timestamp?: number])[], until: number, from = 0): this {
    const waiting = [...arrivals].sort((a, b) => a[0] - b[0]);
    for (let now = from; now < until; now += 10) {
      for (let next = waiting[0]; next && next[0] <= now; next = waiting[0]) {
        const [at, sequence, timestamp = sequence * 160] = next;
        waiting.shift();
        this.buffer.insert(at, sequence, timestamp >>> 0, 160, 0, payload, 0, 160);
      }
      this.#tick();
    }
    return this;
  }

  /** What was played without the silence before the first packet. */
  get heard(): (number | null)[] {
    return this.played.slice(this.played.findIndex((sequence) => sequence !== null));
  }

  #tick(): void {
    if (this.#left === 0) {
      const packet = this.buffer.take();
      this.played.push(packet?.sequence ?? null);
      if (packet) this.#left = 1;
      else this.buffer.pass(80);
      if (packet && this.skips && this.buffer.excess > 0 && this.buffer.take()) {
        this.buffer.skipped(160);
        this.skipped++;
      }
    } else {
      this.#left--;
    }
  }
}

const steady = (count: number, delay = (_: number) => 0) =>
  Array.from({ length: count }, (_, index) => [index * 20 + delay(index), index] as const);

t.test('packets in time are played in order after the least delay, without a gap', async (t) => {
  const playout = new Playout().run(steady(50), 1000);
  t.strictSame(
    playout.heard.slice(0, 45),
    Array.from({ length: 45 }, (_, index) => index),
  );
  t.equal(playout.played.indexOf(0), 2, '20 ms');
  t.ok(Math.abs(playout.buffer.depth - 20) < 5);
});

t.test('reordered packets are put in order, duplicates are counted and not played twice', async (t) => {
  const arrivals = steady(60).map(([at, sequence]) => [sequence % 5 === 3 ? at + 19.5 : at, sequence] as const);
  const playout = new Playout().run(
    [...arrivals, ...arrivals.filter(([, sequence]) => sequence % 7 === 0).map(([at, s]) => [at + 1, s] as const)],
    1200,
  );
  const order = playout.heard.filter((sequence) => sequence !== null);
  t.strictSame(
    order,
    Array.from({ length: order.length }, (_, index) => index),
  );
  t.ok(order.length > 55);
  t.equal(playout.buffer.duplicates, 9);
  t.equal(playout.buffer.late, 0);
});

t.test('a lost packet costs its own 20 ms and nothing else', async (t) => {
  const playout = new Playout().run(
    steady(50).filter(([, sequence]) => sequence !== 20),
    1000,
  );
  const around = playout.heard.slice(18, 25);
  t.strictSame(around, [18, 19, null, null, 21, 22, 23]);
});

t.test('sequence numbers and timestamps wrap unnoticed', async (t) => {
  const first = 2 ** 32 - 10 * 160;
  const playout = new Playout().run(
    steady(40).map(([at, sequence]) => [at, 65_526 + sequence, first + sequence * 160] as const),
    800,
  );
  t.strictSame(
    playout.heard.slice(0, 30),
    Array.from({ length: 30 }, (_, index) => 65_526 + index),
  );
});

t.test('the delay grows with the jitter that is there, and few packets come too late', async (t) => {
  const random = seededRandom(3);
  const playout = new Playout().run(
    steady(1500, () => random() * 80),
    30_100,
  );
  const { buffer } = playout;
  t.ok(buffer.target >= 60 && buffer.target <= 100, `target ${buffer.target} ms for 80 ms of jitter`);
  t.ok(buffer.late < 1500 * 0.03, `${buffer.late} late`);
  const gaps = playout.heard.slice(500).filter((sequence) => sequence === null).length;
  t.ok(gaps < 40, `${gaps} blocks of 10 ms without sound in the last 20 s`);
});

t.test('one late packet does not make the delay longer for good, but a silence is waited through', async (t) => {
  const playout = new Playout().run(
    steady(300, (index) => (index === 100 ? 70 : 0)),
    6000,
  );
  t.ok(playout.buffer.depth < 60, `${Math.round(playout.buffer.depth)} ms`);
  t.equal(playout.buffer.late, 1);
});

t.test('the delay never passes its maximum: after a stall the oldest sound goes', async (t) => {
  // Nothing for 600 ms, then all of it at once.
  const stalled = steady(200).map(([at, sequence]) => [at > 1000 && at < 1600 ? 1600 : at, sequence] as const);
  const playout = new Playout().run(stalled, 4000);
  t.ok(playout.buffer.discarded > 10);
  t.ok(playout.buffer.buffered <= limits.maximum + 40, `${playout.buffer.buffered} ms buffered`);
  const last = playout.heard.slice(-20).filter((sequence) => sequence !== null);
  t.ok((last.at(-1) ?? 0) > 190, 'and it goes on with the newest');
});

t.test('a sender that pauses, with or without its timestamps going on, is played soon after it resumes', async (t) => {
  for (const timestampsGoOn of [true, false]) {
    const first = steady(50);
    const gap = timestampsGoOn ? 100 : 0;
    const second = Array.from({ length: 50 }, (_, index) => [3000 + index * 20, 50 + index, (50 + gap + index) * 160] as const);
    const playout = new Playout().run([...first, ...second], 4000);
    const resumed = playout.played.lastIndexOf(50);
    t.ok(resumed > 0, 'played at all');
    const before = playout.played.slice(0, resumed);
    const time = before.reduce<number>((sum, sequence) => sum + (sequence === null ? 10 : 20), 0);
    t.ok(time >= 3000 && time <= 3080, `after ${time} ms, timestamps ${timestampsGoOn ? 'go on' : 'stand still'}`);
    t.equal(playout.buffer.late, 0);
  }
});

t.test('a jump of the timestamps is a new time line, not a minute of silence', async (t) => {
  const jumped = steady(100).map(([at, sequence]) => [at, sequence, sequence * 160 + (sequence >= 50 ? 800_000 : 0)] as const);
  const playout = new Playout().run(jumped, 2000);
  t.ok(playout.heard.includes(50));
  t.ok(playout.heard.filter((sequence) => sequence === null).length <= 6);
});

t.test('when the network calms down the delay is reported as excess, and skipping ends it', async (t) => {
  const random = seededRandom(4);
  const playout = new Playout();
  playout.skips = true;
  playout.run(
    steady(3000, (index) => (index < 400 ? random() * 120 : 0)),
    60_000,
  );
  t.ok(playout.skipped >= 3 && playout.skipped < 10, `${playout.skipped} packets left out`);
  t.ok(
    playout.buffer.depth < playout.buffer.target + 45,
    `${Math.round(playout.buffer.depth)} ms for a target of ${playout.buffer.target}`,
  );
  t.equal(playout.buffer.excess, 0);
});

t.test('what is buffered is bounded in packets too, and reset forgets it', async (t) => {
  const buffer = new JitterBuffer(8000, { minimum: 20, maximum: 5000 });
  for (let index = 0; index < 2000; index++) buffer.insert(0, index, index * 8, 8, 0, payload, 0, 8);
  t.ok(buffer.discarded > 1800);
  buffer.reset();
  t.equal(buffer.take(), undefined);
  t.equal(buffer.buffered, 0);
  t.equal(buffer.insert(0, 5, 0, 160, 0, payload, 0, 160), 'stored', 'sequence numbers of before mean nothing');
});
