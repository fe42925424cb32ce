import t from 'tap';
import { parse } from 'valibot';
import { type BoardProfile, boardProfileSchema, type LessonPlan, learnArgumentsSchema, lessonSchema } from '#firmware/contract/hal.ts';
import { Board } from '#hal/board.ts';
import { boardProblemsOf } from '#hal/board-check.ts';
import { shippedBoards } from '#hal/boards/shipped-boards.ts';
import { matrixOf } from '#hal/learning/key-crossings.ts';
import { scanWires } from '#hal/learning/wire-scan.ts';
import { VirtualWires } from '#hal/virtual/virtual-bank.ts';
import { FakeEvdev } from '#test/support/fake-evdev.ts';
import { FakeGpio } from '#test/support/fake-gpio.ts';
import { FakeHid } from '#test/support/fake-hid.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

const shipped = (name: string) => parse(boardProfileSchema, shippedBoards.get(name));

function planOf(parts: object = {}): LessonPlan {
  const wish = parse(learnArgumentsSchema, { action: 'start', plan: parts });
  if (wish.action !== 'start') throw new Error('not a start');
  return wish.plan;
}

/** A board whose wires the test joins. */
function makeBench() {
  const time = new VirtualTime();
  const gpio = new FakeGpio();
  const hooks: string[] = [];
  const board = new Board({ gpio, hid: new FakeHid(), evdev: new FakeEvdev() }, time, time, {
    hook: (position) => hooks.push(position),
    key: () => {},
    input: () => {},
    board: () => {},
  });
  let ended = 0;
  const start = (parts: object = {}) => board.learn(planOf(parts), () => ended++);
  const look = () => {
    const lesson = board.lesson(false);
    if (!lesson) throw new Error('there is no lesson');
    parse(lessonSchema, { learner: 1, ...lesson });
    return lesson;
  };
  const { wires } = gpio;
  const pass = (ms: number) => time.pass(ms);
  /** Joins them for a while. */
  const touch = async (pin: number, other: number | null, ms = 120) => {
    wires.contact(pin, other, true);
    await pass(ms);
    wires.contact(pin, other, false);
    await pass(120);
  };
  return { board, time, gpio, hooks, wires, start, look, pass, touch, ended: () => ended };
}

type Bench = ReturnType<typeof makeBench>;

/** Does what the lesson asks for, as long as it asks and somebody knows how. */
async function obey(bench: Bench, acts: Readonly<Record<string, () => Promise<void>>>): Promise<BoardProfile> {
  for (let turn = 0; turn < 60; turn++) {
    const { step, ask, profile } = bench.look();
    if (step === 'done' || step === 'output') return profile ?? shipped('virtual');
    const act = Object.entries(acts).find(([words]) => ask.startsWith(words))?.[1];
    if (act) await act();
    await bench.pass(1_200);
  }
  throw new Error(`it does not end: ${JSON.stringify(bench.look())}`);
}

const hookActs = ({ wires, pass }: Bench, pin: number) => ({
  'Lift the handset': async () => {
    wires.contact(pin, null, true);
    await pass(400);
  },
  'Lay the handset down.': async () => {
    wires.contact(pin, null, false);
    await pass(400);
  },
});

t.test('a desk phone with a matrix is learnt key by key, whatever is wired where', async (t) => {
  const bench = makeBench();
  const rows = [26, 13, 6, 5];
  const columns = [12, 25, 16];
  const keys = [...'123456789*0#'];
  await bench.start();
  const presses = keys.map((key, index) => {
    const [row = 0, column = 0] = [rows[Math.floor(index / 3)], columns[index % 3]];
    return [`Press ${key}`, () => bench.touch(row, column)] as const;
  });
  const profile = await obey(bench, { ...hookActs(bench, 17), ...Object.fromEntries(presses) });
  t.match(profile, {
    hook: { driver: 'gpio', pin: 17, activeLow: true, pull: 'up' },
    flashMs: 600,
    keypad: {
      driver: 'matrix',
      rows,
      columns,
      keys: [
        ['1', '2', '3'],
        ['4', '5', '6'],
        ['7', '8', '9'],
        ['*', '0', '#'],
      ],
    },
  });
  t.same(boardProblemsOf(profile), []);
  const { found, signals, edges, trouble } = bench.look();
  t.equal(trouble, null);
  t.equal(found.length, 13);
  t.ok(signals.some(({ name }) => name === 'GPIO 12–26'));
  t.ok(edges.length >= 26 && edges.every((edge, index) => index === 0 || edge.at >= (edges[index - 1]?.at ?? 0)));
  await bench.board.endLesson();
});

t.test('what is learnt works: the keys of the profile are told as they are pressed', async (t) => {
  const bench = makeBench();
  await bench.start({ keys: ['1', '2', 'redial', 'hold'] });
  const profile = await obey(bench, {
    ...hookActs(bench, 17),
    'Press 1': () => bench.touch(5, 20),
    'Press 2': () => bench.touch(5, 21),
    'Press redial': () => bench.touch(6, 20),
    'Press hold': async () => {
      bench.board.lesson(true);
    },
  });
  t.match(profile.keypad, {
    rows: [5, 6],
    columns: [20, 21],
    keys: [
      ['1', '2'],
      ['redial', ''],
    ],
  });
  const said: string[] = [];
  const drivers = { gpio: bench.gpio, hid: new FakeHid(), evdev: new FakeEvdev() };
  await bench.board.close();
  const time = new VirtualTime();
  const board = new Board(drivers, time, time, {
    hook: (position) => said.push(position),
    key: (key, pressed) => said.push(`${key} ${pressed}`),
    input: () => {},
    board: () => {},
  });
  await board.configure(profile);
  bench.gpio.lines.get(17)?.move(true);
  bench.wires.contact(6, 20, true);
  await time.pass(100);
  bench.wires.contact(6, 20, false);
  await time.pass(100);
  t.same(said, ['redial true', 'offHook', 'redial false']);
  await board.close();
});

t.test('buttons of their own, a hook switch that opens, and inputs are learnt too', async (t) => {
  const bench = makeBench();
  bench.wires.contact(17, null, true);
  bench.wires.contact(24, null, true);
  await bench.start({ keys: ['redial', 'hold'], inputs: ['button', 'contact'] });
  const { wires, pass, touch } = bench;
  const profile = await obey(bench, {
    'Lift the handset': async () => {
      wires.contact(17, null, false);
      await pass(400);
    },
    'Lay the handset down.': async () => {
      wires.contact(17, null, true);
      await pass(400);
    },
    'Press redial': () => touch(5, null),
    'Press hold': () => touch(6, null),
    'Make button active': () => touch(22, null),
    'Make contact active': async () => {
      wires.contact(24, null, false);
      await pass(100);
      wires.contact(24, null, true);
      await pass(100);
    },
  });
  t.match(profile, {
    hook: { pin: 17, activeLow: false },
    keypad: { driver: 'buttons', keys: { redial: { pin: 5, activeLow: true }, hold: { pin: 6 } } },
    inputs: { button: { pin: 22, activeLow: true }, contact: { pin: 24, activeLow: false } },
  });
  await bench.board.endLesson();
});

/** A dial with contacts to ground; `pulses` for each digit. */
function dialActs(bench: Bench, pulse: number, offNormal: number | undefined, pulses: { readonly '0': number; readonly '1': number }) {
  const { wires, pass } = bench;
  const turn = async (count: number) => {
    if (offNormal !== undefined) wires.contact(offNormal, null, true);
    await pass(400);
    for (let done = 0; done < count; done++) {
      wires.contact(pulse, null, false);
      await pass(60);
      wires.contact(pulse, null, true);
      await pass(40);
    }
    await pass(60);
    if (offNormal !== undefined) wires.contact(offNormal, null, false);
    await pass(900);
  };
  return { 'Dial 0': () => turn(pulses[0]), 'Dial 1': () => turn(pulses[1]) };
}

t.test('a dial is learnt, with its off-normal contact and the way its country counts', async (t) => {
  for (const [pulses, numbering] of [
    [{ 0: 10, 1: 1 }, 'usual'],
    [{ 0: 1, 1: 2 }, 'swedish'],
    [{ 0: 10, 1: 9 }, 'newZealand'],
  ] as const) {
    for (const offNormal of numbering === 'usual' ? [5, undefined] : [5]) {
      const bench = makeBench();
      bench.wires.contact(27, null, true);
      await bench.start({ keypad: 'rotary' });
      const profile = await obey(bench, { ...hookActs(bench, 17), ...dialActs(bench, 27, offNormal, pulses) });
      t.match(profile.keypad, {
        driver: 'rotary',
        numbering,
        pulse: { pin: 27, activeLow: true },
        // One pulse and one turn look alike; what came first is the turn.
        offNormal: offNormal === undefined ? null : { pin: offNormal, activeLow: true },
      });
      t.same(boardProblemsOf(profile), []);
      await bench.board.endLesson();
    }
  }
});

t.test('a dial in the loop of the handset is learnt as one', async (t) => {
  const bench = makeBench();
  await bench.start({ keypad: 'rotary' });
  const dial = dialActs(bench, 17, undefined, { 0: 10, 1: 1 });
  const lifted = async () => {
    bench.wires.contact(17, null, true);
    await bench.pass(1_500);
  };
  const profile = await obey(bench, {
    ...hookActs(bench, 17),
    'Dial 0': async () => {
      await lifted();
      await dial['Dial 0']();
    },
    'Dial 1': dial['Dial 1'],
  });
  t.match(profile, { hook: { pin: 17, debounceMs: 4 }, keypad: { driver: 'rotary', pulse: null } });
  t.same(boardProblemsOf(profile), []);
  await bench.board.endLesson();
});

t.test('what is no answer is said, and asked for again', async (t) => {
  const bench = makeBench();
  const { look, pass, touch, wires } = bench;
  await bench.start({ hook: false, keys: ['1', '2', '3'] });
  await pass(1_100);
  t.equal(look().ask, 'Press 1.');
  wires.contact(5, 20, true);
  wires.contact(6, null, true);
  await pass(100);
  t.match(look().trouble, /^Several connections changed at once \(GPIO 5–20, GPIO 6\)/);
  wires.contact(6, null, false);
  await pass(100);
  t.match(look(), { trouble: null, ask: 'Release 1.' });
  wires.contact(5, 20, false);
  await pass(100);
  await touch(5, 20);
  t.match(look(), { ask: 'Press 2.', trouble: 'GPIO 5–20 is key 1 already.' });
  await touch(6, 20);
  t.match(look(), { ask: 'Press 3.', trouble: null });
  // A bounce is no press.
  await touch(7, 21, 6);
  t.equal(look().ask, 'Press 3.');
  await touch(13, null);
  t.match(look(), { step: 'done', trouble: /Left out, since they are no part of the matrix: 3/ });
  await bench.board.endLesson();

  const odd = makeBench();
  await odd.start({ keypad: 'none' });
  await odd.pass(1_100);
  odd.wires.contact(17, 27, true);
  await odd.pass(400);
  t.match(odd.look().trouble, /The hook switch joins GPIO 17–27: connect one of its wires to GND instead/);
  odd.wires.contact(17, 27, false);
  odd.board.lesson(true);
  await odd.pass(50);
  t.match(odd.look(), { step: 'done', profile: { hook: null } }, 'a phone without a hook switch');
  await odd.board.endLesson();
});

t.test('pins that others hold are passed over and named; with none left the board is as before', async (t) => {
  const bench = makeBench();
  bench.gpio.refused.set(5, 'GPIO 5 is used by another program or by a kernel driver: “spi0 CS0”');
  await bench.start();
  t.same(bench.look().refused, [{ pin: 5, reason: 'GPIO 5 is used by another program or by a kernel driver: “spi0 CS0”' }]);
  await bench.board.endLesson();
  await bench.board.configure(shipped('virtual'));
  await t.rejects(bench.start({ pins: [5] }), { name: 'ResourceError', message: /spi0/ });
  t.match(bench.board.state(), { profile: 'virtual', faults: [] });
});

t.test('the phone has its board back when the lesson ends, and hears what it missed', async (t) => {
  const bench = makeBench();
  const { board, pass, hooks } = bench;
  await board.configure(shipped('virtual'));
  board.pulseRelay('door', 5_000);
  await bench.start({ driver: 'virtual' });
  t.match(board.state(), { profile: null, relays: {}, faults: [{ element: 'board', reason: /it is being learnt/ }] }, 'relays are open');
  t.throws(() => board.setLed('call', 'on'), { code: 'learning' });
  board.actuate({ element: 'wire', pin: 17, other: null, closed: true });
  await pass(50);
  t.match(bench.look().signals, [{ name: 'GPIO 17', closed: true }]);
  await board.endLesson();
  t.match(board.state(), { profile: 'virtual', faults: [] });
  t.throws(() => board.actuate({ element: 'wire', pin: 17, other: null, closed: true }), { code: 'not-virtual' });
  t.equal(board.lesson(false), undefined);
  await board.endLesson();

  await board.configure(shipped('desk-phone'));
  await bench.start();
  await board.configure(shipped('virtual'));
  t.equal(board.lesson(false), undefined, 'whoever configures takes the board back');
  t.same(hooks, []);
});

/** What is wired to which pin: it lights up or clicks while that is high, or low. */
type Wired = Readonly<Record<string, { readonly pin: number; readonly high: boolean }>>;

/** Answers what a person would see, until nothing is asked any more; how often each pin was switched. */
async function watchOutputs(bench: Bench, wired: Wired, most = 80) {
  const switched = new Map<number, number>();
  for (let turn = 0; turn < most; turn++) {
    const { step, ask, choices } = bench.look();
    if (step !== 'output') return switched;
    const on = [...bench.gpio.lines].filter(([, line]) => line.isActive()).map(([pin]) => pin);
    const [, pin, way] = /^GPIO (\d+) was switched (on|to ground)/.exec(ask) ?? [];
    if (pin === undefined) {
      t.same([on, choices], [[], ['begin']], 'nothing is switched before it is allowed');
      await bench.board.answerLesson('begin');
      continue;
    }
    t.same(on, [Number(pin)], 'one line at a time');
    switched.set(Number(pin), (switched.get(Number(pin)) ?? 0) + 1);
    const seen = Object.entries(wired).find(([, one]) => one.pin === Number(pin) && one.high === (way === 'on'));
    await bench.board.answerLesson(seen?.[0] ?? 'nothing');
  }
  throw new Error(`it does not end: ${bench.look().ask}`);
}

t.test('lamps and relays are found by switching the lines that are left, one after the other', async (t) => {
  const bench = makeBench();
  await bench.start({ keys: ['redial'], lamps: ['call', 'message'], relays: ['door'], pins: [17, 5, 22, 23, 24, 25] });
  await obey(bench, { ...hookActs(bench, 17), 'Press redial': () => bench.touch(5, null) });
  bench.gpio.refused.set(25, 'GPIO 25 is used by another program');
  const wired = { call: { pin: 22, high: true }, message: { pin: 23, high: false }, door: { pin: 24, high: true } };
  const switched = await watchOutputs(bench, wired);
  t.same([...switched.keys()].sort(), [22, 23, 24], 'never a line on which something has conducted');
  const { step, profile, found, refused, trouble } = bench.look();
  t.same([step, trouble], ['done', null]);
  t.match(refused, [{ pin: 25, reason: /another program/ }]);
  t.match(found.slice(-3), [
    { element: 'lamp call', wires: 'GPIO 22, on when high' },
    { element: 'relay door', wires: 'GPIO 24, on when high' },
    { element: 'lamp message', wires: 'GPIO 23, on when low' },
  ]);
  t.match(profile, {
    hook: { pin: 17 },
    leds: { call: { driver: 'gpio', pin: 22, activeLow: false }, message: { pin: 23, activeLow: true } },
    relays: { door: { line: { pin: 24, activeLow: false }, maximumMs: 5_000 } },
  });
  t.same(boardProblemsOf(parse(boardProfileSchema, profile)), []);
  await bench.board.endLesson();
});

t.test('no line is switched for longer than 0.8 s, whatever the person does', async (t) => {
  const bench = makeBench();
  const active = () => [...bench.gpio.lines].filter(([, line]) => line.isActive()).map(([pin]) => pin);
  const begin = async () => {
    await bench.start({ hook: false, keypad: 'none', relays: ['door'], pins: [22, 23] });
    await bench.pass(1_200);
    t.equal(bench.look().step, 'output');
    await bench.board.answerLesson('begin');
    t.same(active(), [22]);
  };
  await begin();
  await bench.pass(799);
  t.same(active(), [22]);
  await bench.pass(1);
  t.same(active(), [], 'it falls by itself');
  await bench.board.answerLesson('again');
  t.same(active(), [22]);
  await t.rejects(bench.board.answerLesson('window'), { code: 'not-a-choice', message: /door, nothing, again/ });
  await bench.board.endLesson();
  t.same(active(), [], 'and when the lesson ends');

  await begin();
  await bench.pass(20_000);
  t.same([active(), bench.ended()], [[], 1], 'or nobody looks any more');
  await bench.board.endLesson();

  await begin();
  bench.board.lesson(true);
  const { step, profile, trouble } = bench.look();
  t.match({ step, trouble, relays: profile?.relays }, { step: 'done', trouble: 'Not found: door.', relays: {} }, 'skipped');
  await bench.pass(1_000);
  t.same(active(), []);
  await bench.board.endLesson();
  await bench.start({ hook: false, keypad: 'none', relays: ['door'], pins: [22] });
  await t.rejects(bench.board.answerLesson('door'), { code: 'not-a-choice' }, 'before anything is asked');
  await bench.board.endLesson();
});

t.test('a lesson that nobody looks at ends by itself', async (t) => {
  const bench = makeBench();
  await bench.start();
  for (let look = 0; look < 10; look++) {
    await bench.pass(10_000);
    bench.look();
  }
  t.equal(bench.ended(), 0);
  await bench.pass(15_000);
  t.equal(bench.ended(), 1);
  await bench.pass(60_000);
  t.equal(bench.ended(), 1, 'once');
  await bench.board.endLesson();
});

t.test('a scan finds every connection and leaves no wire drawn', async (t) => {
  const wires = new VirtualWires();
  const bank = wires.openBank([], [2, 4, 6, 8]);
  wires.contact(2, null, true);
  wires.contact(8, 4, true);
  t.same([...scanWires(bank, [2, 4, 6, 8]).keys()], ['GPIO 2', 'GPIO 4–8']);
  t.same(bank.low(), [true, false, false, false]);
  await bank.close();
  t.equal(
    matrixOf(
      new Map([
        ['1', { a: 1, b: 2 }],
        ['2', { a: 2, b: 3 }],
        ['3', { a: 1, b: 3 }],
      ]),
      10,
    ),
    undefined,
    'a ring is no matrix',
  );
  t.match(
    matrixOf(
      new Map([
        ['1', { a: 1, b: 2 }],
        ['2', { a: 5, b: 6 }],
      ]),
      10,
    ),
    { rows: [1, 5], columns: [2, 6] },
    'two parts without a common wire',
  );
});
