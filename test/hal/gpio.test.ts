import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { GpioLineProfile } from '#firmware/contract/hal.ts';
import { openDeviceCalls } from '#hal/device-calls.ts';
import { CharacterDeviceLines } from '#hal/gpio/character-device.ts';
import {
  chipOf,
  descriptorOf,
  eventsOf,
  gpioRequest,
  lineFlag,
  lineRequestOctets,
  lineStateOctets,
  lineStateOf,
  valueOctets,
} from '#hal/gpio/gpio-abi.ts';
import { GpioLines } from '#hal/gpio/gpio-lines.ts';
import { OnoffLines } from '#hal/gpio/onoff-driver.ts';
import { OutputJournal } from '#hal/gpio/output-journal.ts';
import { FakeGpioKernel } from '#test/support/fake-gpio-kernel.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

const folder = mkdtempSync(join(tmpdir(), 'hookswitch-gpio-'));
t.teardown(() => rmSync(folder, { recursive: true }));

const pi4 = { label: 'pinctrl-bcm2711', lines: 58 };
const expander = { label: 'raspberrypi-exp-gpio', lines: 8 };
const button: GpioLineProfile = { driver: 'gpio', pin: 17, activeLow: true, pull: 'up', debounceMs: 10 };
const unheard = () => t.fail('a line failed');

function makeLines(kernel: FakeGpioKernel, name = 'outputs') {
  const time = new VirtualTime();
  return { time, lines: new CharacterDeviceLines(async () => kernel, time, new OutputJournal(join(folder, name))) };
}

/** Octets of a request as `offset: hexadecimal`, those that are not 0, in words of four. */
function words(octets: Uint8Array): Record<number, string> {
  const found: Record<number, string> = {};
  for (let at = 0; at < octets.length; at += 4) {
    const word = Buffer.from(octets.subarray(at, at + 4)).toString('hex');
    if (word !== '00000000') found[at] = word;
  }
  return found;
}

t.test('requests are the octets that a C compiler makes of linux/gpio.h', async (t) => {
  // Sizes in the numbers of the calls, bits 16 to 29: sizeof of gpiochip_info 68, gpio_v2_line_info 256, _request 592, _values 16.
  const sizes = Object.values(gpioRequest).map((request) => (request >>> 16) & 0x3fff);
  t.same(sizes, [68, 256, 592, 16, 16]);
  const octets = lineRequestOctets({
    offsets: [17, 27],
    consumer: 'hookswitch',
    flags: lineFlag.input | lineFlag.bothEdges | lineFlag.pullUp | lineFlag.activeLow,
    attributes: [
      { kind: 'debounce', value: 10_000, lines: 1n },
      { kind: 'flags', value: lineFlag.output, lines: 2n },
    ],
    events: 64,
  });
  t.equal(octets.length, 592);
  t.same(words(octets), {
    0: '11000000',
    4: '1b000000',
    256: '686f6f6b', // consumer
    260: '73776974',
    264: '63680000',
    288: '36010000', // config.flags: active low, input, both edges, pull-up
    296: '02000000', // config.num_attrs
    320: '03000000', // debounce
    328: '10270000', // 10 000 µs
    336: '01000000', // mask
    344: '01000000', // flags
    352: '08000000', // output
    360: '02000000', // mask
    560: '02000000', // num_lines
    564: '40000000', // event_buffer_size
  });
  new DataView(octets.buffer).setInt32(588, 42, true);
  t.equal(descriptorOf(octets), 42);
  t.same(words(valueOctets(5n, 7n)), { 0: '05000000', 8: '07000000' });
  t.same(words(lineStateOctets(17)), { 64: '11000000' });
});

t.test('answers are read where the kernel puts them, names with and without a NUL', async (t) => {
  const chip = new Uint8Array(68);
  chip.set(Buffer.from('gpiochip0'), 0);
  chip.set(Buffer.from('x'.repeat(32)), 32);
  chip[64] = 54;
  t.same(chipOf(chip), { name: 'gpiochip0', label: 'x'.repeat(32), lines: 54 });
  const state = new Uint8Array(256);
  state.set(Buffer.from('GPIO17'), 0);
  state.set(Buffer.from('spi0 CS0'), 32);
  state[72] = 0b1001;
  t.same(lineStateOf(state), { name: 'GPIO17', consumer: 'spi0 CS0', used: true });
  const events = new Uint8Array(48 * 2 + 20);
  const view = new DataView(events.buffer);
  view.setBigUint64(0, 1_500_000n, true);
  view.setUint32(8, 1, true);
  view.setUint32(12, 17, true);
  view.setBigUint64(48, 2_000_000n, true);
  view.setUint32(48 + 8, 2, true);
  view.setUint32(48 + 12, 17, true);
  t.same(
    eventsOf(events),
    [
      { at: 1.5, active: true, offset: 17 },
      { at: 2, active: false, offset: 17 },
    ],
    'what is left over is none',
  );
});

t.test('the chip of the header is found by its label, whatever its number', async (t) => {
  for (const [title, chips, path] of [
    ['Pi 3', [{ label: 'pinctrl-bcm2835', lines: 54 }], '/dev/gpiochip0'],
    ['Pi 4, its expander second', [pi4, expander], '/dev/gpiochip0'],
    ['Pi 5 with a kernel of 6.1', [...new Array(4).fill(expander), { label: 'pinctrl-rp1', lines: 54 }], '/dev/gpiochip4'],
    ['Pi 5 of today', [{ label: 'pinctrl-rp1', lines: 54 }, expander], '/dev/gpiochip0'],
    ['another board with one chip', [{ label: 'labgpio', lines: 28 }], '/dev/gpiochip0'],
  ] as const) {
    const { lines } = makeLines(new FakeGpioKernel(chips));
    t.equal((await lines.findHeader()).path, path, title);
  }
  const { lines } = makeLines(new FakeGpioKernel([expander, { label: 'other', lines: 4 }]));
  await t.rejects(lines.findHeader(), {
    name: 'ResourceError',
    message: 'none of /dev/gpiochip0 (raspberrypi-exp-gpio), /dev/gpiochip1 (other) is a GPIO header we know',
  });
  await t.rejects(makeLines(new FakeGpioKernel([])).lines.findHeader(), { message: 'this kernel has no /dev/gpiochip0' });
});

t.test('an input has its pull, its polarity and its debouncing from the kernel, and edges at the time they came', async (t) => {
  const kernel = new FakeGpioKernel([pi4]);
  const { time, lines } = makeLines(kernel);
  const line = await lines.openInput(button, unheard);
  t.match({ settled: line.settled, exact: line.exact }, { settled: true, exact: true });
  t.match(words(kernel.requests[0] ?? new Uint8Array()), { 288: '36010000', 328: '10270000', 564: '40000000' });
  t.equal(line.isActive(), false, 'pulled up');
  const seen: string[] = [];
  line.watch((active, at) => seen.push(`${active} ${at}`));
  kernel.drive(17, false);
  kernel.now += 10;
  time.stall(10);
  kernel.now += 35;
  time.stall(35);
  kernel.deliver();
  t.same(seen, ['true 0'], 'stamped after it held, delivered late, told as it came');
  t.equal(line.isActive(), true);
  await line.close();
  await line.close();
  t.equal(kernel.openDescriptors, 0, 'nothing is left open, the chip neither');
});

t.test('every edge of a fast train is told', async (t) => {
  const kernel = new FakeGpioKernel([pi4]);
  const { lines } = makeLines(kernel);
  const line = await lines.openInput({ ...button, debounceMs: 0 }, unheard);
  const seen: boolean[] = [];
  line.watch((active) => seen.push(active));
  for (let edge = 0; edge < 40; edge++) kernel.drive(17, edge % 2 === 1);
  for (let turn = 0; turn < 3; turn++) kernel.deliver();
  t.same(
    seen,
    Array.from({ length: 40 }, (_, edge) => edge % 2 === 0),
  );
  await line.close();
});

t.test('a kernel that cannot debounce leaves it to us', async (t) => {
  const kernel = new FakeGpioKernel([pi4]);
  kernel.refuse = { debounce: true };
  const { lines } = makeLines(kernel);
  const line = await lines.openInput(button, unheard);
  t.equal(line.settled, false);
  t.equal(kernel.requests.length, 2);
  await line.close();
});

t.test('what is refused is said in plain words, with the name of who holds it', async (t) => {
  const kernel = new FakeGpioKernel([pi4]);
  const { lines } = makeLines(kernel);
  kernel.taken.set(17, 'spi0 CS0');
  kernel.taken.set(18, '');
  const busy = { name: 'ResourceError', message: 'GPIO 17 is used by another program or by a kernel driver: “spi0 CS0”' };
  await t.rejects(lines.openInput(button, unheard), busy);
  await t.rejects(lines.openOutput(button, unheard), busy);
  await t.rejects(lines.openInput({ ...button, pin: 18 }, unheard), { message: /driver: it gives no name$/ });
  await t.rejects(lines.openBank({ listening: [5, 17], drawn: [18] }, unheard), { message: /“spi0 CS0”; GPIO 18/ });
  await t.rejects(lines.openInput({ ...button, pin: 58 }, unheard), { message: 'GPIO 58 is beyond the 58 lines of pinctrl-bcm2711' });
  kernel.refuse = { open: 'EACCES' };
  await t.rejects(lines.openInput(button, unheard), { message: /may not be used by us: add the user to the group gpio/ });
  t.equal(kernel.openDescriptors, 0);
  t.equal(readFileSync(join(folder, 'outputs'), 'utf8'), '', 'nor does the journal hold what was refused');
});

t.test('a line whose driver is removed is a fault, once, and no endless loop', async (t) => {
  const kernel = new FakeGpioKernel([pi4]);
  const { lines } = makeLines(kernel);
  const faults: string[] = [];
  const line = await lines.openInput(button, (reason) => faults.push(reason));
  line.watch(() => t.fail('there is no edge'));
  kernel.unbind();
  line.isActive();
  t.same(faults, ['GPIO 17: it has gone: its driver was removed']);
});

t.test('outputs begin inactive, and those of a hal that was killed are made safe by the next', async (t) => {
  const kernel = new FakeGpioKernel([pi4]);
  const relay: GpioLineProfile = { driver: 'gpio', pin: 26, activeLow: true, debounceMs: 0 };
  const { lines } = makeLines(kernel, 'killed');
  const line = await lines.openOutput(relay, unheard);
  t.equal(kernel.level(26), true, 'active low: high');
  line.set(true);
  t.equal(kernel.level(26), false);
  t.equal(readFileSync(join(folder, 'killed'), 'utf8'), 'gpiochip pinctrl-bcm2711 26 high\n');

  // The chip keeps the level though nobody holds the line any more.
  const after = new FakeGpioKernel([pi4]);
  const journal = new OutputJournal(join(folder, 'killed'));
  t.same(journal.makeSafe(), [], 'nothing of sysfs');
  t.same(journal.left, ['gpiochip pinctrl-bcm2711 26 high']);
  const next = new CharacterDeviceLines(async () => after, new VirtualTime(), journal);
  t.same(await next.makeSafe(journal.left), journal.left);
  t.match(words(after.requests[0] ?? new Uint8Array()), { 0: '1a000000', 288: '0a000000', 320: '02000000', 336: '01000000' });
  t.equal(after.openDescriptors, 0);
  for (const entry of journal.left) journal.closed(entry);
  t.same(new OutputJournal(join(folder, 'killed')).left, []);
  t.same(await next.makeSafe(['gpiochip other 26 high', '/sys/class/gpio/gpio529/value']), [], 'what is not of this chip is left alone');
});

t.test('a bank is one request: rows listen, columns are open drains that are let go', async (t) => {
  const kernel = new FakeGpioKernel([pi4]);
  const { lines } = makeLines(kernel);
  const bank = await lines.openBank({ listening: [5, 6], drawn: [20, 21] }, unheard);
  t.equal(kernel.requests.length, 1);
  t.match(words(kernel.requests[0] ?? new Uint8Array()), {
    0: '05000000',
    12: '15000000',
    288: '34010000',
    328: '48010000',
    336: '0c000000',
  });
  t.same(bank.low(), [false, false, false, false]);
  bank.draw([3]);
  t.same(bank.low(), [false, false, false, true]);
  let moved = 0;
  bank.watch(() => moved++);
  kernel.drive(6, false);
  kernel.deliver();
  t.equal(moved, 1);
  t.same(bank.low(), [false, true, false, true]);
  bank.draw([]);
  await bank.close();
  t.same(bank.low(), [false, false, false, false]);
  t.equal(kernel.openDescriptors, 0);
});

t.test('the way to GPIO is chosen by what the kernel has, and said', async (t) => {
  const present = join(folder, 'sysfs');
  mkdirSync(present);
  const tree = (path: string) => ({ gpio: path, model: join(folder, 'model') });
  writeFileSync(join(folder, 'model'), 'Raspberry Pi 4 Model B Rev 1.4\0');
  const make = (kernel: FakeGpioKernel, sysfsFolder: string) => {
    const { lines } = makeLines(kernel);
    const sysfs = new OnoffLines(tree(sysfsFolder), new OutputJournal(join(folder, 'outputs')));
    return new GpioLines({ characterDevice: lines, sysfs, sysfsFolder });
  };
  const both = make(new FakeGpioKernel([pi4]), present);
  t.equal(both.chosen, null, 'not before a line is wanted');
  await both.openInput(button, unheard);
  t.equal(both.chosen, 'character device /dev/gpiochip0 (pinctrl-bcm2711)');
  both.choose('sysfs');
  await t.rejects(both.openInput(button, unheard), { message: /Raspberry Pi 4 Model B Rev 1\.4 has no GPIO header/ });
  t.equal(both.chosen, 'sysfs by onoff, as the board profile wants');

  const oldKernel = new FakeGpioKernel([pi4]);
  oldKernel.refuse = { version2: true };
  const old = make(oldKernel, present);
  await t.rejects(old.openInput(button, unheard));
  t.match(old.chosen, /^sysfs by onoff, because none of \/dev\/gpiochip0 \(it needs a kernel of version 5\.10 or later\)/);
  old.choose('character-device');
  await t.rejects(old.openInput(button, unheard), { message: /^no GPIO by character device: / });

  const nothing = make(new FakeGpioKernel([]), '/nowhere/gpio');
  await t.rejects(nothing.openInput(button, unheard), {
    message: 'no GPIO: this kernel has no /dev/gpiochip0, and there is no /nowhere/gpio',
  });
  t.equal(nothing.chosen, null);
});

t.test('the calls of this machine: errors by name, octets in place, readiness by epoll', async (t) => {
  const calls = await openDeviceCalls();
  t.same(calls.list('/dev/no-such-device'), []);
  t.same(calls.list('/nowhere/device'), []);
  t.throws(() => calls.open('/dev/no-such-device'), { code: 'ENOENT' });
  const zero = calls.open('/dev/null');
  t.throws(() => calls.control(zero, gpioRequest.lines, new Uint8Array(592)), { code: 'ENOTTY' });
  t.throws(() => calls.control(zero, 0x4004_4590, 1), { code: 'ENOTTY' });
  calls.close(zero);
  t.throws(() => calls.close(zero), { code: 'EBADF' });
  // A pseudo-terminal is a character device that answers an ioctl and becomes readable: TIOCGPTN (0x80045430) gives its number.
  const terminal = calls.open('/dev/ptmx');
  const number = new Uint8Array(4).fill(0xff);
  calls.control(terminal, 0x8004_5430, number);
  t.ok(new DataView(number.buffer).getInt32(0, true) >= 0, 'the kernel wrote into our octets');
  calls.control(terminal, 0x4004_5431, new Uint8Array(4)); // TIOCSPTLCK: unlock
  const other = calls.open(`/dev/pts/${new DataView(number.buffer).getInt32(0, true)}`);
  const room = new Uint8Array(16);
  t.equal(calls.read(terminal, room), 0, 'nothing waits');
  let unwatch = () => {};
  const readable = new Promise<void>((resolve) => {
    unwatch = calls.watch(terminal, resolve);
  });
  writeFileSync(other, 'edge\n');
  await readable;
  unwatch();
  unwatch();
  t.ok(calls.read(terminal, room) > 0);
  t.ok(Math.abs(calls.monotonicNow() - Number(process.hrtime.bigint()) / 1e6) < 50);
  calls.close(other);
  calls.close(terminal);
});
