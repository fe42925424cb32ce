import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { type DeviceCalls, DeviceError } from '#hal/device-calls.ts';
import { LineHookSwitch } from '#hal/elements.ts';
import { KernelEvdev } from '#hal/evdev/evdev-driver.ts';
import { EvdevKeypad } from '#hal/evdev/evdev-keypad.ts';
import { MatrixKeypad } from '#hal/matrix-keypad.ts';
import { type DialNumbering, PulseCounter, pulseAtMostMs } from '#hal/pulse-counter.ts';
import { RotaryDial } from '#hal/rotary-dial.ts';
import { VirtualWires } from '#hal/virtual/virtual-bank.ts';
import { VirtualLine } from '#hal/virtual/virtual-board.ts';
import { ElementTime } from '#test/contract/rig.ts';
import { FakeEvdev } from '#test/support/fake-evdev.ts';

// ── matrix ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A matrix of any size whose keys are named by `row` and `column`: k11 … */
function makeMatrix(rows: number, columns: number, debounceMs = 10) {
  const time = new ElementTime();
  const wires = new VirtualWires();
  const rowPins = Array.from({ length: rows }, (_, row) => row);
  const columnPins = Array.from({ length: columns }, (_, column) => 20 + column);
  const keys = rowPins.map((row) => columnPins.map((_, column) => `k-${'abcdefghijklmnop'[row]}${'abcdefghijklmnop'[column]}`));
  const said: string[] = [];
  const bank = wires.openBank(rowPins, columnPins);
  let draws = 0;
  const counted = {
    draw: (drawn: readonly number[]) => {
      draws++;
      bank.draw(drawn);
    },
    low: () => bank.low(),
    watch: (moved: () => void) => bank.watch(moved),
    close: () => bank.close(),
  };
  const make = () =>
    time.rig(
      new MatrixKeypad(counted, { rows, columns, keys, debounceMs }, time.surroundings, (key, pressed, at) =>
        said.push(`${at} ${key.slice(2)}${pressed ? '+' : '-'}`),
      ),
    );
  const press = (row: number, column: number) => wires.contact(row, 20 + column, true);
  const release = (row: number, column: number) => wires.contact(row, 20 + column, false);
  return { make, said, press, release, draws: () => draws };
}

t.test('a matrix of any size tells every key', async (t) => {
  for (const [rows, columns] of [
    [4, 3],
    [4, 4],
    [1, 12],
    [12, 1],
    [8, 8],
    [1, 1],
  ] as const) {
    const { make, said, press, release } = makeMatrix(rows, columns);
    const rig = make();
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        press(row, column);
        await rig.pass(50);
        release(row, column);
        await rig.pass(50);
      }
    }
    t.equal(said.length, 2 * rows * columns, `${rows} × ${columns}`);
    t.equal(new Set(said.map((text) => text.split(' ')[1])).size, said.length);
    await rig.element.close();
  }
});

t.test('a matrix is still while nothing is pressed, and tells a press by the time of its edge', async (t) => {
  const { make, said, press, release, draws } = makeMatrix(4, 3);
  const rig = make();
  const before = draws();
  await rig.pass(60_000);
  t.equal(draws(), before, 'nothing is drawn');
  t.equal(rig.element.deadline, undefined, 'nor does anything wake');
  press(1, 2);
  await rig.pass(100);
  t.same(said, ['60000 bc+']);
  t.ok(draws() > before);
  release(1, 2);
  await rig.pass(100);
  t.equal(said.length, 2);
  t.equal(rig.element.deadline, undefined, 'still again');
});

t.test('a contact that bounces is one press', async (t) => {
  const { make, said, press, release } = makeMatrix(4, 3, 20);
  const rig = make();
  for (let bounce = 0; bounce < 8; bounce++) {
    if (bounce % 2 === 0) press(0, 0);
    else release(0, 0);
    await rig.pass(3);
  }
  press(0, 0);
  await rig.pass(200);
  t.equal(said.length, 1);
  release(0, 0);
  await rig.pass(9);
  press(0, 0);
  await rig.pass(200);
  t.equal(said.length, 1, 'nor is a gap shorter than the debouncing a release');
});

t.test('a key that is held down from the start is told', async (t) => {
  const { make, said, press } = makeMatrix(4, 3);
  press(2, 1);
  const rig = make();
  await rig.pass(100);
  t.match(said, ['0 cb+']);
  t.same(rig.element.keysDown, ['k-cb']);
});

t.test('three keys at corners make no fourth; keys that can be told apart are all told', async (t) => {
  const { make, said, press, release } = makeMatrix(4, 4);
  const rig = make();
  press(0, 0);
  await rig.pass(50);
  press(0, 1);
  await rig.pass(50);
  t.same(rig.element.keysDown, ['k-aa', 'k-ab']);
  press(1, 0);
  await rig.pass(50);
  t.same(rig.element.keysDown, ['k-aa', 'k-ab'], 'neither the third nor the ghost at the fourth corner is believed');
  press(3, 3);
  await rig.pass(50);
  t.same(rig.element.keysDown, ['k-aa', 'k-ab', 'k-dd'], 'a key elsewhere is');
  release(0, 1);
  await rig.pass(50);
  t.same([...rig.element.keysDown].sort(), ['k-aa', 'k-ba', 'k-dd'], 'two in a column are what they are');
  for (const [row, column] of [
    [0, 0],
    [1, 0],
    [3, 3],
  ] as const) {
    release(row, column);
  }
  await rig.pass(50);
  t.same(rig.element.keysDown, []);
  t.notOk(
    said.some((text) => text.includes('bb')),
    'the ghost was never told',
  );
});

t.test('a diagonal of keys is no ghost', async (t) => {
  const { make, press } = makeMatrix(4, 4);
  const rig = make();
  for (let key = 0; key < 4; key++) press(key, key);
  await rig.pass(50);
  t.same(rig.element.keysDown, ['k-aa', 'k-bb', 'k-cc', 'k-dd']);
});

// ── dial ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Speed {
  readonly openMs: number;
  readonly closedMs: number;
}
const usualSpeed: Speed = { openMs: 60, closedMs: 40 };

function counted(pulses: number, speed: Speed, numbering: DialNumbering = 'usual'): string | undefined {
  const counter = new PulseCounter(numbering);
  let now = 1_000;
  for (let pulse = 0; pulse < pulses; pulse++) {
    counter.contact(now, false);
    now += speed.openMs;
    counter.contact(now, true);
    now += speed.closedMs;
  }
  return counter.handleTimeout(now + 1_000)?.digit;
}

t.test('a dial is counted from 7 to 14 pulses a second, at every ratio of make and break that dials have', async (t) => {
  for (const rate of [7, 8, 10, 12, 14]) {
    for (const share of [0.5, 0.6, 0.67, 0.75]) {
      const openMs = (1_000 / rate) * share;
      const speed = { openMs, closedMs: 1_000 / rate - openMs };
      const digits = Array.from({ length: 10 }, (_, index) => counted(index + 1, speed));
      t.same(digits, [...'1234567890'], `${rate} a second, open for ${share}`);
    }
  }
});

t.test('a dial of Sweden counts from 0, one of New Zealand backwards', async (t) => {
  t.same(
    Array.from({ length: 10 }, (_, index) => counted(index + 1, usualSpeed, 'swedish')),
    [...'0123456789'],
  );
  t.same(
    Array.from({ length: 10 }, (_, index) => counted(index + 1, usualSpeed, 'newZealand')),
    [...'9876543210'],
  );
});

t.test('what is no digit is none: bounces, too many pulses, a wire that is off', async (t) => {
  t.equal(counted(11, usualSpeed), undefined);
  t.equal(counted(3, { openMs: 5, closedMs: 95 }), undefined, 'bounces');
  t.equal(counted(3, { openMs: 150, closedMs: 40 }), undefined, 'much too slow');
  const counter = new PulseCounter('usual');
  counter.contact(0, false);
  counter.contact(60, true);
  counter.contact(100, false);
  t.equal(counter.deadline, undefined, 'an open contact waits');
  t.equal(counter.contact(5_000, true), undefined, 'and spoils the digit');
  t.equal(counter.handleTimeout(9_000), undefined);
});

t.test('digits that follow each other are told one by one, though the loop stood still meanwhile', async (t) => {
  const counter = new PulseCounter('usual');
  const digits: string[] = [];
  let now = 0;
  for (const pulses of [3, 1, 10]) {
    for (let pulse = 0; pulse < pulses; pulse++) {
      const before = counter.contact(now, false);
      if (before) digits.push(before.digit);
      counter.contact(now + 60, true);
      now += 100;
    }
    now += 400;
  }
  const last = counter.handleTimeout(now);
  t.same([...digits, last?.digit], ['3', '1', '0']);
});

/** Turns the dial: off its rest, so many pulses, back. */
async function turn(pulse: VirtualLine, offNormal: VirtualLine | undefined, pulses: number, pass: (ms: number) => Promise<void>) {
  offNormal?.move(true);
  await pass(300);
  for (let count = 0; count < pulses; count++) {
    pulse.move(false);
    await pass(60);
    pulse.move(true);
    await pass(40);
  }
  await pass(20);
  offNormal?.move(false);
}

t.test('a dial with an off-normal contact tells its digit as soon as it is back, without one 180 ms after the last pulse', async (t) => {
  for (const withContact of [true, false]) {
    const time = new ElementTime();
    const pulse = new VirtualLine();
    pulse.move(true);
    const offNormal = withContact ? new VirtualLine() : undefined;
    const said: string[] = [];
    const lines = { pulse: { line: pulse, debounceMs: 4 }, offNormal: offNormal && { line: offNormal, debounceMs: 5 } };
    const dial = new RotaryDial(lines, 'usual', time.surroundings, (key, pressed) => said.push(`${key}${pressed ? '+' : '-'}`));
    const rig = time.rig(dial);
    await turn(pulse, offNormal, 7, rig.pass);
    await rig.pass(6);
    t.same(said, withContact ? ['7+', '7-'] : []);
    await rig.pass(180);
    t.same(said, ['7+', '7-']);
    await turn(pulse, offNormal, 10, rig.pass);
    await rig.pass(300);
    t.same(said.slice(2), ['0+', '0-']);
    t.equal(dial.deadline, undefined);
    if (offNormal) {
      offNormal.move(true);
      await rig.pass(2_000);
      offNormal.move(false);
      await rig.pass(2_000);
      t.equal(said.length, 4, 'turned and led back without a pulse: nothing');
    }
    await dial.close();
    await turn(pulse, offNormal, 2, rig.pass);
    await rig.pass(300);
    t.equal(said.length, 4, 'closed, it tells nothing');
  }
});

t.test('a dial in the loop of the hook switch: pulses are digits, longer gaps a flash, still longer ones a hang-up', async (t) => {
  const time = new ElementTime();
  const loop = new VirtualLine();
  const said: string[] = [];
  const dial = new RotaryDial({ pulse: undefined, offNormal: undefined }, 'usual', time.surroundings, (key, pressed) => {
    if (pressed) said.push(key);
  });
  const dialRig = time.rig(dial);
  const hook = new LineHookSwitch(
    loop,
    { debounceMs: 4, flashMs: 600, pulseMs: pulseAtMostMs },
    time.surroundings,
    (change) => {
      dial.spoil();
      said.push(change);
    },
    (at) => dial.pulse(at),
  );
  // Both live on one alarm here: the hook's edges come at once, so only the dial has to be woken.
  const pass = async (ms: number) => {
    for (let step = 0; step < ms; step += 2) {
      await dialRig.pass(2);
      hook.handleTimeout(time.time.now());
    }
  };
  loop.move(true);
  await pass(500);
  await turn(loop, undefined, 4, pass);
  await pass(400);
  t.same(said, ['offHook', '4']);
  loop.move(false);
  await pass(300);
  loop.move(true);
  await pass(400);
  t.same(said, ['offHook', '4', 'flash']);
  await turn(loop, undefined, 2, pass);
  loop.move(false);
  await pass(1_000);
  t.same(said, ['offHook', '4', 'flash', '2', 'onHook']);
  await hook.close();
  await dial.close();
});

// ── evdev ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

const pad = { path: '/dev/input/event3', name: 'Pad', vendorId: 0x04d9, productId: 0x1203, serial: '', place: 'usb-1.2/input0' };
const digits = new Set([71, 72, 73, 75, 76, 77, 79, 80, 81, 82, 96]);

function makeEvdev(identity: string) {
  const time = new ElementTime();
  const evdev = new FakeEvdev();
  const said: string[] = [];
  const faults: (string | undefined)[] = [];
  const keypad = new EvdevKeypad(identity, evdev, time.surroundings, {
    key: (key, pressed) => said.push(`${key}${pressed ? '+' : '-'}`),
    fault: (reason) => faults.push(reason),
  });
  return { evdev, said, faults, rig: time.rig(keypad) };
}

t.test('a keyboard comes and goes by its identity, and its keys go up when it goes', async (t) => {
  const { evdev, said, faults, rig } = makeEvdev('04D9:1203:usb-1.2/input0');
  await rig.pass(3_000);
  t.equal(faults.at(-1), 'no keyboard 04D9:1203:usb-1.2/input0 is plugged in');
  evdev.plug({ ...pad, path: '/dev/input/event9', place: 'usb-1.3/input0', codes: digits });
  evdev.plug({ ...pad, path: '/dev/input/event4', codes: new Set([113]) });
  evdev.plug({ ...pad, codes: digits });
  await rig.pass(2_000);
  t.equal(faults.at(-1), undefined);
  evdev.key('/dev/input/event9', 76, true);
  evdev.key(pad.path, 76, true);
  evdev.key(pad.path, 6, true);
  evdev.key(pad.path, 96, true);
  evdev.key(pad.path, 500, true);
  t.same(rig.element.keysDown, ['5', '#']);
  evdev.key(pad.path, 76, false);
  t.same(rig.element.keysDown, ['5', '#'], 'the other 5 is still down');
  evdev.unplug(pad.path);
  t.same(said, ['5+', '#+', '5-', '#-']);
  t.match(faults.at(-1), /is plugged in \(read: ENODEV\)/);
  evdev.plug({ ...pad, path: '/dev/input/event7', codes: digits });
  await rig.pass(2_000);
  evdev.key('/dev/input/event7', 82, true);
  evdev.lose('/dev/input/event7');
  t.same(said.slice(4), ['0+', '0-'], 'when the kernel lost events nothing is held down for ever');
  await rig.element.close();
});

t.test('a keyboard that is taken or has no keys is said to be so', async (t) => {
  const taken = makeEvdev('04d9:1203');
  taken.evdev.plug({ ...pad, codes: digits });
  await taken.evdev.open(pad.path, { key: () => {}, lost: () => {}, failed: () => {} });
  await taken.rig.pass(10);
  t.match(taken.faults.at(-1), /is held by another program for itself alone/);
  const mouse = makeEvdev('04d9:1203');
  mouse.evdev.plug({ ...pad, codes: new Set([272]) });
  await mouse.rig.pass(10);
  t.equal(mouse.faults.at(-1), 'the keyboard 04d9:1203 has no keys that we know');
});

t.test('keyboards are read from sysfs and their events from the kernel’s structures', async (t) => {
  const sysfs = mkdtempSync(join(tmpdir(), 'hookswitch-input-'));
  t.teardown(() => rmSync(sysfs, { recursive: true }));
  const files = { name: 'USB Pad', 'id/vendor': '04d9', 'id/product': '1203', uniq: '', phys: 'usb-1.2/input0' };
  for (const name of ['event3', 'event12', 'mouse0']) mkdirSync(join(sysfs, name, 'device/id'), { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(sysfs, 'event3/device', file), `${text}\n`);
  mkdirSync(join(sysfs, 'event3/device/capabilities'));
  writeFileSync(join(sysfs, 'event3/device/capabilities/key'), '1 0 3fe\n');
  const calls = new FakeInput();
  const driver = new KernelEvdev(async () => calls, sysfs);
  const longBits = process.arch === 'arm' ? 32 : 64;
  t.match(await driver.list(), [
    { ...pad, path: '/dev/input/event3', name: 'USB Pad', codes: new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 2 * longBits]) },
  ]);
  t.same(await new KernelEvdev(async () => calls, '/nowhere').list(), []);

  const said: string[] = [];
  const open = await driver.open('/dev/input/event3', {
    key: (code, pressed) => said.push(`${code} ${pressed}`),
    lost: () => said.push('lost'),
    failed: (reason) => said.push(reason),
  });
  t.same(calls.grabs, [[0x4004_4590, 1]], 'taken for us alone');
  calls.send([1, 76, 1], [4, 4, 7], [1, 76, 2], [1, 76, 0], [0, 3, 0]);
  t.same(said, ['76 true', '76 false', 'lost'], 'repetitions and scan codes are passed over');
  calls.gone = true;
  calls.send();
  calls.send();
  t.same(said.slice(3), ['read: ENODEV'], 'once');
  await open.close();
  await open.close();
  t.same(calls.closed, [7]);

  calls.refusal = 'EBUSY';
  await t.rejects(driver.open('/dev/input/event3', { key: () => {}, lost: () => {}, failed: () => {} }), {
    message: '/dev/input/event3 is held by another program for itself alone',
  });
  t.same(calls.closed, [7, 7], 'and not left open');
  calls.refusal = 'EACCES';
  await t.rejects(driver.open('/dev/input/event3', { key: () => {}, lost: () => {}, failed: () => {} }), { message: /group input/ });
});

/** One keyboard behind system calls. */
class FakeInput implements DeviceCalls {
  readonly grabs: [number, Uint8Array | number][] = [];
  readonly closed: number[] = [];
  gone = false;
  refusal = '';
  #events: Uint8Array[] = [];
  #readable: (() => void) | undefined;

  list = () => [];
  open = () => 7;
  monotonicNow = () => 0;

  close(descriptor: number): void {
    this.closed.push(descriptor);
  }

  control(_descriptor: number, request: number, argument: Uint8Array | number): void {
    if (this.refusal) throw new DeviceError(this.refusal, 'ioctl');
    this.grabs.push([request, argument]);
  }

  read(_descriptor: number, into: Uint8Array): number {
    if (this.gone) throw new DeviceError('ENODEV', 'read');
    const all = Buffer.concat(this.#events);
    this.#events = [];
    into.set(all);
    return all.length;
  }

  watch(_descriptor: number, readable: () => void): () => void {
    this.#readable = readable;
    return () => {
      this.#readable = undefined;
    };
  }

  /** struct input_event: two C longs of time, type, code, value. */
  send(...events: [type: number, code: number, value: number][]): void {
    const timeSize = process.arch === 'arm' ? 8 : 16;
    for (const [type, code, value] of events) {
      const octets = Buffer.alloc(timeSize + 8);
      octets.writeUInt16LE(type, timeSize);
      octets.writeUInt16LE(code, timeSize + 2);
      octets.writeInt32LE(value, timeSize + 4);
      this.#events.push(octets);
    }
    this.#readable?.();
  }
}
