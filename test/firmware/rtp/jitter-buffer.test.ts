import t from 'tap';
import { JitterBuffer, type JitterBufferLimits } from '#firmware/rtp/jitter-buffer.ts';
import { corpusText } from '#test/support/corpus.ts';
import { seededRandom } from '#test/support/seeded-entropy.ts';

const limits = { minimum: 20, start: 20, maximum: 200 };
const payload = new Uint8Array(160);

/** A sender of 20 ms packets, a network and a player that takes 10 ms at a time, in virtual time. */
class Playout {
  readonly buffer: JitterBuffer;
  /** Sequence numbers in the order in which they were played; `null` for each 10 ms without sound. */
  readonly played: (number | null)[] = [];
  /** Leave out a packet whenever the delay is too long. */
  skips = false;
  skipped = 0;
  #left = 0;

  constructor(bounds: JitterBufferLimits = limits) {
    this.buffer = new JitterBuffer(8000, bounds);
  }

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
        this.buffer.adjusted(-160);
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
  const playout = new Playout().run(stalled, 4200);
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
  const buffer = new JitterBuffer(8000, { minimum: 20, start: 20, maximum: 5000 });
  for (let index = 0; index < 2000; index++) buffer.insert(0, index, index * 8, 8, 0, payload, 0, 8);
  t.ok(buffer.discarded > 1800);
  buffer.reset();
  t.equal(buffer.take(), undefined);
  t.equal(buffer.buffered, 0);
  t.equal(buffer.insert(0, 5, 0, 160, 0, payload, 0, 160), 'stored', 'sequence numbers of before mean nothing');
});

t.test('a call begins with a cautious delay, which goes once the network is known', async (t) => {
  const playout = new Playout({ minimum: 20, start: 60, maximum: 200 });
  playout.skips = true;
  playout.run(
    // The second half second of a machine that is busy: its packets come in lumps of 60 ms.
    steady(1500, (index) => (index >= 25 && index < 50 ? 60 - (index % 3) * 20 : 0)),
    30_000,
  );
  t.equal(playout.played.indexOf(0), 6, '60 ms');
  t.ok(!playout.heard.slice(0, 600).includes(null), 'not one gap');
  t.equal(playout.buffer.late, 0);
  t.ok(playout.buffer.depth <= 30, `${Math.round(playout.buffer.depth)} ms in the end`);
});

t.test('what is known of the network outlives a silence of the sender', async (t) => {
  const random = seededRandom(5);
  const spurt = (start: number, first: number) =>
    Array.from({ length: 600 }, (_, index) => [start + index * 20 + random() * 70, first + index, (first + index) * 160] as const);
  const playout = new Playout({ minimum: 20, start: 20, maximum: 200 }).run([...spurt(0, 0), ...spurt(15_000, 600)], 30_000);
  const resumed = playout.played.lastIndexOf(600);
  t.notOk(playout.played.slice(resumed, resumed + 60).includes(null), 'no gap at the start of the second spurt');
});

/** One session of the public test data: puts (P), gets (G), lost, duplicated and old frames of 20 ms. */
interface Session {
  readonly title: string;
  readonly limits: JitterBufferLimits;
  readonly fixed: boolean;
  readonly most: Readonly<Record<string, number>>;
  readonly events: string;
}

function readSessions(text: string): Session[] {
  const sessions: { title: string; limits: JitterBufferLimits; fixed: boolean; most: Record<string, number>; events: string }[] = [];
  for (const line of text.split('\n').map((whole) => whole.split('#', 1)[0]?.trim() ?? '')) {
    const session = sessions.at(-1);
    const [word = '', ...numbers] = line.slice(1).split(/\s+/);
    const [first = 0, least = first, greatest = first] = numbers.map(Number);
    if (line.startsWith('=') && session?.events !== '') {
      sessions.push({ title: line.slice(1).trim(), limits: { minimum: 0, start: 0, maximum: 0 }, fixed: false, most: {}, events: '' });
    } else if (line.startsWith('%') && session) {
      // A fixed buffer has room for 50 frames; ours tolerates two beyond its maximum.
      session.fixed = word === 'fixed';
      session.limits = { minimum: least * 20, start: first * 20, maximum: session.fixed ? 950 : greatest * 20 };
    } else if (line.startsWith('!') && session) session.most[word] = first;
    else if (!line.startsWith('=') && session) session.events += line.replaceAll(/[^PGLRJDO]/g, '');
  }
  return sessions;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Plays a session as the media engine would: one get is 20 ms, and an excess is left out, one frame at a time. */
function play({ limits, fixed, events }: Session) {
  const buffer = new JitterBuffer(8000, limits);
  const figures = { discard: 0, lost: 0, empty: 0, delay: 0, delay_min: Number.POSITIVE_INFINITY };
  let sequence = 1000;
  let now = 0;
  let before = '';
  const delays: number[] = [];
  let expected: number | undefined;
  const put = (number: number) => buffer.insert(now, number, (number * 160) >>> 0, 160, 0, payload, 0, 160);
  const get = () => {
    const packet = buffer.take();
    if (packet && expected !== undefined) figures.lost += Math.max(0, packet.sequence - expected);
    if (packet) expected = packet.sequence + 1;
    return packet;
  };
  for (const event of events) {
    if (event === 'P') put(sequence++);
    else if (event === 'L') sequence++;
    else if (event === 'J') sequence += 20;
    else if (event === 'D') put(sequence - 1);
    else if (event === 'O') put(sequence - 21);
    else if (event === 'R') {
      sequence = 1000;
      expected = undefined;
      buffer.reset();
    } else {
      const { waiting } = buffer;
      if (before !== 'G') {
        delays.push(waiting);
        figures.delay_min = Math.min(figures.delay_min, waiting);
      }
      if (!get()) {
        if (waiting === 0) figures.empty++;
        for (let half = 0; half < 2; half++) buffer.pass(80);
      } else if (!fixed && buffer.excess >= 20 && get()) {
        buffer.adjusted(-160);
        figures.discard++;
      }
      now += 20;
    }
    before = event;
  }
  return { ...figures, discard: figures.discard + buffer.late + buffer.duplicates + buffer.discarded, delay: Math.floor(mean(delays)) };
}

t.test('the sessions of the public test data stay within their limits', async (t) => {
  const own = '= own\n%adaptive 0 0 10\n!discard 0\n!lost 0\n!empty 4\n!delay 3\nPGPGPPPGGGPGGGPPPGPGPG\n.';
  const text = corpusText(t, 'vectors/jitterbuffer/Jbtest.dat');
  for (const session of readSessions(text ?? own)) {
    const figures: Record<string, number> = play(session);
    for (const [name, most] of Object.entries(session.most)) {
      const figure = figures[name];
      if (figure !== undefined) t.ok(figure <= most, `${session.title}: ${name} ${figure} of at most ${most}`);
    }
  }
});
