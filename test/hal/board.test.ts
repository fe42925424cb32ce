import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'valibot';
import { type BoardProfile, boardProfileSchema, boardStateSchema, type GpioLineProfile } from '#firmware/contract/hal.ts';
import { Board } from '#hal/board.ts';
import { shippedBoards } from '#hal/boards/shipped-boards.ts';
import { type GpioTree, kernelNumberOf } from '#hal/gpio/kernel-number.ts';
import { OnoffLines } from '#hal/gpio/onoff-driver.ts';
import { OutputJournal } from '#hal/gpio/output-journal.ts';
import { activeUsages, parseReportDescriptor } from '#hal/hid/report-descriptor.ts';
import { flashUsage, hookSwitchUsage, keyOfUsage } from '#hal/hid/usages.ts';
import { FakeEvdev } from '#test/support/fake-evdev.ts';
import { FakeGpio } from '#test/support/fake-gpio.ts';
import { FakeHid, handsetDescriptor, keyboardDescriptor } from '#test/support/fake-hid.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

const boards = join(import.meta.dirname, '../../hal/boards');
const profileOf = (name: string) => parse(boardProfileSchema, JSON.parse(readFileSync(join(boards, `${name}.json`), 'utf8')));

function makeBoard() {
  const time = new VirtualTime();
  const gpio = new FakeGpio();
  const hid = new FakeHid();
  const evdev = new FakeEvdev();
  const said: string[] = [];
  let boardEvents = 0;
  const board = new Board({ gpio, hid, evdev }, time, time, {
    hook: (position, at) => said.push(`${at} hook ${position}`),
    key: (key, pressed, at) => said.push(`${at} key ${key} ${pressed ? 'down' : 'up'}`),
    input: (name, active, at) => said.push(`${at} input ${name} ${active}`),
    board: (state) => {
      boardEvents++;
      parse(boardStateSchema, state);
    },
  });
  return { board, time, gpio, hid, evdev, said, boardEvents: () => boardEvents };
}

const mixed: BoardProfile = parse(boardProfileSchema, {
  name: 'mixed',
  hook: { driver: 'gpio', pin: 17, debounceMs: 20 },
  flashMs: 300,
  keypad: { driver: 'buttons', keys: { '1': { driver: 'virtual' }, redial: { driver: 'gpio', pin: 27 } } },
  leds: { call: { driver: 'gpio', pin: 22 }, broken: { driver: 'gpio', pin: 5 } },
  relays: { door: { line: { driver: 'gpio', pin: 6 }, maximumMs: 4000 } },
  inputs: { pir: { driver: 'gpio', pin: 24, debounceMs: 0 }, button: { driver: 'virtual', debounceMs: 50 } },
});

t.test('board profiles that come with hookswitch are valid', async (t) => {
  const names = readdirSync(boards)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.replace(/\.json$/, ''));
  t.same(names.sort(), [...shippedBoards.keys()].sort(), 'each is offered by its name');
  for (const name of names) t.equal(profileOf(name).name, name);
});

t.test('the virtual board is moved by actuate, and everything shows in events and state', async (t) => {
  const { board, time, said, boardEvents } = makeBoard();
  const state = await board.configure(profileOf('virtual'));
  t.same(state, {
    profile: 'virtual',
    hook: 'onHook',
    leds: { call: 'off', message: 'off', registered: 'off' },
    relays: { door: false },
    inputs: { button: false, contact: false, pir: false },
    keysDown: [],
    gpio: 'fake',
    faults: [],
  });
  await time.pass(10);
  board.actuate({ element: 'hook', position: 'offHook' });
  board.actuate({ element: 'key', key: '5', pressed: true });
  t.match(board.state(), { hook: 'offHook', keysDown: ['5'] });
  await time.pass(10);
  board.actuate({ element: 'key', key: '5', pressed: false });
  board.actuate({ element: 'input', name: 'pir', active: true });
  board.actuate({ element: 'hook', position: 'flash' });
  await time.pass(1_000);
  board.actuate({ element: 'hook', position: 'onHook' });
  await time.pass(1_000);
  t.same(said, ['10 hook offHook', '10 key 5 down', '20 key 5 up', '20 input pir true', '320 hook flash', '1020 hook onHook']);
  t.equal(boardEvents(), 6, 'one board event for each change of state; a flash is none, the start is one');
  t.throws(() => board.actuate({ element: 'hook', position: 'flash' }), { code: 'on-hook' });
  t.throws(() => board.actuate({ element: 'input', name: 'window', active: true }), { code: 'not-virtual' });
});

t.test('real elements are refused to actuate, and virtual ones may stand beside them', async (t) => {
  const { board, time, gpio, said } = makeBoard();
  await board.configure(mixed);
  t.throws(() => board.actuate({ element: 'hook', position: 'offHook' }), { code: 'not-virtual', message: /key 1, input button/ });
  t.throws(() => board.actuate({ element: 'key', key: 'redial', pressed: true }), { code: 'not-virtual' });
  t.throws(() => board.actuate({ element: 'input', name: 'pir', active: true }), { code: 'not-virtual' });
  board.actuate({ element: 'key', key: '1', pressed: true });
  gpio.lines.get(27)?.move(true);
  gpio.lines.get(24)?.move(true);
  board.actuate({ element: 'input', name: 'button', active: true });
  await time.pass(100);
  t.same(said, ['0 key 1 down', '0 input pir true', '0 key redial down', '0 input button true']);
  t.same(board.state().keysDown, ['1', 'redial']);
});

t.test('what could not be opened is tried again, and works once it can be; the rest is left alone', async (t) => {
  const { board, time, gpio, said } = makeBoard();
  for (const pin of [17, 5, 27]) gpio.refused.set(pin, `GPIO ${pin} may not be used by us`);
  await board.configure(mixed);
  t.same(
    board.state().faults.map(({ element }) => element),
    ['key redial', 'hook', 'led broken'],
  );
  t.throws(() => board.setLed('broken', 'on'), { name: 'ResourceError' });
  board.pulseRelay('door', 4_000);
  const relay = gpio.lines.get(6);
  gpio.refused.delete(17);
  await time.pass(9_000);
  t.equal(board.state().hook, null, 'not at once');
  board.pulseRelay('door', 4_000);
  await time.pass(1_000);
  t.match(board.state(), { hook: 'onHook', relays: { door: true }, faults: [{ element: 'key redial' }, { element: 'led broken' }] });
  t.equal(gpio.lines.get(6), relay, 'a relay that is closed stays so');
  t.equal(relay?.isActive(), true);

  gpio.refused.clear();
  await time.pass(10_000);
  t.same(board.state().faults, []);
  t.equal(gpio.lines.get(5)?.isActive(), true, 'a lamp shows what it was told meanwhile');
  said.length = 0;
  gpio.lines.get(17)?.move(true);
  gpio.lines.get(27)?.move(true);
  board.actuate({ element: 'key', key: '1', pressed: true });
  await time.pass(100);
  t.same(said, ['20000 key 1 down', '20000 key redial down', '20000 hook offHook']);
  t.match(board.describe(), { wakeInMs: null }, 'and nothing is tried any more');
});

t.test('what cannot be opened is a fault in plain words, and the rest works', async (t) => {
  const { board, gpio } = makeBoard();
  gpio.refused.set(5, 'GPIO 5 is used by another program');
  gpio.refused.set(17, 'GPIO 17 may not be used by us');
  const state = await board.configure(mixed);
  t.same(state.faults, [
    { element: 'hook', reason: 'GPIO 17 may not be used by us' },
    { element: 'led broken', reason: 'GPIO 5 is used by another program' },
  ]);
  t.equal(state.hook, null);
  t.same(state.leds, { call: 'off' });
  t.throws(() => board.setLed('broken', 'on'), { name: 'ResourceError', message: 'GPIO 5 is used by another program' });
  t.throws(() => board.setLed('moon', 'on'), { code: 'unknown-led' });
  t.throws(() => board.pulseRelay('gate', 500), { code: 'unknown-relay' });
  board.setLed('call', 'on');
  t.equal(gpio.lines.get(22)?.isActive(), true);
  gpio.failures.get(22)?.('GPIO 22: EIO');
  t.match(board.state().faults[2], { element: 'led call', reason: 'GPIO 22: EIO' }, 'a line that fails later is one too');
});

t.test('a relay is closed for what was granted and no longer, and every way out releases it', async (t) => {
  const { board, time, gpio, boardEvents } = makeBoard();
  await board.configure(mixed);
  const wire = () => gpio.lines.get(6)?.isActive();
  t.equal(board.pulseRelay('door', 60_000), 4_000);
  t.equal(board.state().relays.door, true);
  const before = boardEvents();
  await time.pass(3_999);
  t.equal(wire(), true);
  await time.pass(1);
  t.equal(wire(), false);
  t.equal(boardEvents(), before + 1, 'and says so');
  board.pulseRelay('door', 1_000);
  time.stall(30_000);
  await time.pass(0);
  t.equal(wire(), false, 'released as soon as a stalled process wakes');
  board.pulseRelay('door', 2_000);
  board.releaseRelay('door');
  t.equal(wire(), false);
  board.pulseRelay('door', 2_000);
  board.setLed('call', 'blink');
  board.makeSafe();
  t.equal(wire(), false);
  t.match(board.state(), { relays: { door: false }, leds: { call: 'off' } });
  await time.pass(5_000);
  t.equal(gpio.lines.get(22)?.isActive(), false, 'no lamp blinks on');
  board.pulseRelay('door', 2_000);
  const old = gpio.lines.get(6);
  await board.configure(profileOf('virtual'));
  t.equal(old?.isActive(), false, 'another profile too');
});

t.test('a new profile leaves nothing of the old one', async (t) => {
  const { board, time, gpio, said } = makeBoard();
  gpio.refused.set(5, 'busy');
  await board.configure(mixed);
  gpio.lines.get(17)?.move(true);
  const old = gpio.lines.get(24);
  const state = await board.configure(profileOf('virtual'));
  t.same(state.faults, []);
  old?.move(true);
  await time.pass(1_000);
  t.same(said, [], 'not even an edge that was being debounced');
  t.match(board.describe(), {
    profile: 'virtual',
    wakeInMs: null,
    actuatable: ['hook', 'input button', 'input contact', 'input pir', 'every key'],
  });
  await board.close();
  t.match(board.state(), { profile: null, hook: null, leds: {} });
});

t.test('a HID handset is keypad and hook, comes and goes, and lays itself down when it goes', async (t) => {
  const { board, time, hid, said } = makeBoard();
  const profile = parse(boardProfileSchema, {
    name: 'usb',
    hook: null,
    keypad: { driver: 'hid', identity: '1209:0B01:lab1' },
    leds: {},
    relays: {},
    inputs: {},
  });
  await board.configure(profile);
  await time.pass(5_000);
  t.match(board.state(), { hook: null, faults: [{ element: 'keypad', reason: 'no HID device 1209:0b01:lab1 is plugged in' }] });
  hid.plug({ path: '/dev/hidraw1', vendorId: 0x1209, productId: 0x0b01, serial: 'OTHER' }, handsetDescriptor);
  hid.plug({ path: '/dev/hidraw2', vendorId: 0x1209, productId: 0x0b01, serial: 'LAB1' }, handsetDescriptor);
  await time.pass(2_000);
  t.match(board.state(), { hook: 'onHook', faults: [] });
  said.length = 0;
  hid.send('/dev/hidraw1', 1, 1, 0);
  hid.send('/dev/hidraw2', 1, 1, 4);
  t.match(board.state(), { hook: 'offHook', keysDown: ['3'] });
  hid.send('/dev/hidraw2', 9, 9, 9);
  hid.send('/dev/hidraw2');
  hid.unplug('/dev/hidraw2');
  const now = time.now();
  t.same(said, [`${now} hook offHook`, `${now} key 3 down`, `${now} hook onHook`, `${now} key 3 up`]);
  t.match(board.state(), { hook: null, keysDown: [], faults: [{ element: 'keypad', reason: /is plugged in \(could not read/ }] });
  hid.plug({ path: '/dev/hidraw5', vendorId: 0x1209, productId: 0x0b01, serial: 'lab1' }, handsetDescriptor);
  await time.pass(2_000);
  t.match(board.state(), { hook: 'onHook', faults: [] }, 'found again at another path');
  await board.close();
});

t.test('lamps of a HID handset are set by its output report, ours blinking, and shown again when it is plugged in anew', async (t) => {
  const { board, time, hid } = makeBoard();
  const profile = parse(boardProfileSchema, {
    name: 'usb',
    hook: null,
    keypad: { driver: 'hid', identity: '1209:0b01' },
    leds: {
      call: { driver: 'hid', lamp: 'ring' },
      'off-hook': { driver: 'hid', lamp: 'offHook' },
      speaker: { driver: 'hid', lamp: 'speaker' },
    },
    relays: {},
    inputs: {},
  });
  const state = await board.configure(profile);
  t.same(Object.keys(state.leds), ['call', 'off-hook', 'speaker']);
  board.setLed('off-hook', 'on');
  t.same(hid.sent, [], 'nothing is plugged in');
  const device = { path: '/dev/hidraw1', vendorId: 0x1209, productId: 0x0b01, serial: 'LAB1' };
  hid.plug(device, handsetDescriptor);
  await time.pass(2_000);
  t.same(hid.sent, [[2, 0b0001]], 'report 2: bit 0 off-hook, bit 1 mute, bit 2 ring, bit 3 message waiting');
  t.same(board.state().faults, [{ element: 'led speaker', reason: 'the HID device 1209:0b01 has no lamp speaker' }]);
  const before = hid.sent.length;
  board.setLed('call', 'fastBlink');
  await time.pass(500);
  const blinks = hid.sent.slice(before).map(([, lamps]) => lamps);
  t.ok(blinks.length >= 4 && blinks.every((lamps, index) => index === 0 || lamps !== blinks[index - 1]), 'it blinks by our hand');
  t.ok(blinks.every((lamps) => lamps === 0b0001 || lamps === 0b0101));
  board.setLed('call', 'off');
  hid.unplug('/dev/hidraw1');
  hid.plug(device, handsetDescriptor);
  hid.sent.length = 0;
  await time.pass(4_000);
  t.same(hid.sent, [[2, 0b0001]], 'off-hook is lit again');
  await board.close();
  t.same(hid.sent.at(-1), [2, 0], 'dark at the end');
  const without = await board.configure(parse(boardProfileSchema, { ...profile, keypad: null }));
  t.match(without.faults[0], { element: 'led call', reason: 'a lamp of a USB handset needs one: keypad with driver hid' });
});

t.test('every ready profile opens on a board that has what it names', async (t) => {
  for (const name of shippedBoards.keys()) {
    const { board, time, hid, evdev } = makeBoard();
    hid.plug({ path: '/dev/hidraw0', vendorId: 0x1209, productId: 0x0b01, serial: 'LAB1' }, handsetDescriptor);
    const place = { serial: '', place: 'usb-1/input0', name: 'Pad' };
    evdev.plug({ path: '/dev/input/event0', vendorId: 0x04d9, productId: 0x1203, codes: new Set([76]), ...place });
    await board.configure(profileOf(name));
    await time.pass(100);
    const faults = board.state().faults.filter(({ reason }) => !reason.includes('has no lamp hold'));
    t.same(faults, [], name);
    await board.close();
  }
});

t.test('a matrix, a dial and a keyboard are keypads of a board; what they lack is its fault', async (t) => {
  const { board, time, gpio, evdev, said } = makeBoard();
  await board.configure(profileOf('desk-phone'));
  gpio.wires.contact(6, 12, true);
  await time.pass(50);
  gpio.wires.contact(6, 12, false);
  await time.pass(50);
  t.same(said.splice(0), ['0 key 5 down', '56 key 5 up'], 'seen by the next scan');
  await board.configure(profileOf('rotary-phone'));
  const [pulse, rest] = [gpio.lines.get(27), gpio.lines.get(5)];
  pulse?.move(true);
  rest?.move(true);
  await time.pass(100);
  for (let count = 0; count < 2; count++) {
    pulse?.move(false);
    await time.pass(60);
    pulse?.move(true);
    await time.pass(40);
  }
  rest?.move(false);
  await time.pass(50);
  t.same(
    said.splice(0).map((text) => text.replace(/^\d+ /, '')),
    ['key 2 down', 'key 2 up'],
  );
  evdev.plug({ path: '/dev/input/event0', vendorId: 0x04d9, productId: 0x1203, codes: new Set([76]), serial: '', place: '', name: 'Pad' });
  await board.configure(profileOf('usb-keypad'));
  await time.pass(10);
  evdev.key('/dev/input/event0', 76, true);
  t.match(said, [/key 5 down/]);
  gpio.refused.set(6, 'GPIO 6 is used by another program');
  const { faults } = await board.configure(profileOf('desk-phone'));
  t.same(faults, [{ element: 'keypad', reason: 'GPIO 6 is used by another program' }]);
  const loop = { ...profileOf('rotary-phone'), keypad: { driver: 'rotary', pulse: null, offNormal: null, numbering: 'usual' } } as const;
  said.length = 0;
  await board.configure(loop);
  const hook = gpio.lines.get(17);
  hook?.move(true);
  await time.pass(500);
  for (let count = 0; count < 3; count++) {
    hook?.move(false);
    await time.pass(60);
    hook?.move(true);
    await time.pass(40);
  }
  await time.pass(500);
  hook?.move(false);
  await time.pass(1_000);
  t.same(
    said.map((text) => text.replace(/^\d+ /, '')),
    ['hook offHook', 'key 3 down', 'key 3 up', 'hook onHook'],
  );
  await board.close();
});

t.test('a HID device without keys is said to have none', async (t) => {
  const { board, time, hid } = makeBoard();
  const mouse = Uint8Array.from([0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x05, 0x09, 0x19, 1, 0x29, 3, 0x75, 1, 0x95, 3, 0x81, 2, 0xc0]);
  hid.plug({ path: '/dev/hidraw0', vendorId: 0x046d, productId: 0xc077, serial: undefined }, mouse);
  await board.configure(parse(boardProfileSchema, { ...mixed, keypad: { driver: 'hid', identity: '046d:c077' } }));
  await time.pass(10);
  t.match(board.state().faults, [{ element: 'keypad', reason: 'the HID device 046d:c077 has no keys that we know' }]);
  await board.close();
});

t.test('HID 1.11 §6.2.2: the layout of reports is read from descriptors of phones and keyboards', async (t) => {
  const phone = parseReportDescriptor(handsetDescriptor);
  t.equal(phone.numbered, true);
  t.ok(phone.usages.has(hookSwitchUsage) && phone.usages.has(flashUsage));
  const read = (...octets: number[]) => [...activeUsages(phone, Uint8Array.from(octets)).usages];
  t.same(read(1, 0, 0), []);
  t.same(read(1, 1, 12), [hookSwitchUsage, 0x0b_00bb]);
  t.equal(keyOfUsage.get(0x0b_00bb), '#');
  t.same(read(1, 0, 13), [], 'beyond the array');
  t.same(read(2, 0xff), [], 'output reports are none of ours');
  const keyboard = parseReportDescriptor(keyboardDescriptor);
  t.equal(keyboard.numbered, false);
  const down = activeUsages(keyboard, Uint8Array.of(0, 0, 0x5d, 0x62, 0, 0, 0, 0)).usages;
  t.same(
    [...down].flatMap((usage) => keyOfUsage.get(usage) ?? []),
    ['5', '0'],
  );
});

t.test('a hostile report descriptor costs no more than its length', async (t) => {
  const started = performance.now();
  for (const octets of [
    [0x96, 0xff, 0xff, 0x75, 32, 0x09, 1, 0x81, 2],
    [0x05, 0x0b, 0x1b, 0, 0, 0, 0, 0x2b, 0xff, 0xff, 0xff, 0xff, 0x75, 1, 0x97, 0xff, 0xff, 0xff, 0x7f, 0x81, 2],
    new Array(5_000).fill(0xa4),
    new Array(5_000).fill(0xb4),
    [0xfe, 0xff, 0xff],
    [0x75, 0, 0x95, 200, 0x09, 1, 0x81, 2],
    [0x75, 32, 0x95, 200, 0x09, 1, 0x81],
  ]) {
    const layout = parseReportDescriptor(Uint8Array.from(octets));
    t.ok(layout.usages.size <= 1_024);
    activeUsages(layout, new Uint8Array(64).fill(0xff));
  }
  for (let cut = 0; cut < handsetDescriptor.length; cut++) {
    const bytes = handsetDescriptor.slice();
    bytes[cut] = (bytes[cut] ?? 0) ^ 0xff;
    activeUsages(parseReportDescriptor(bytes), Uint8Array.of(1, 0xff, 0xff));
    activeUsages(parseReportDescriptor(handsetDescriptor.subarray(0, cut)), Uint8Array.of(1, 0xff, 0xff));
  }
  t.ok(performance.now() - started < 1_000);
});

/** A tree like /sys/class/gpio. */
function gpioTree(chips: Record<string, { label: string; base: number; ngpio: number }>, model?: string): GpioTree {
  const root = mkdtempSync(join(tmpdir(), 'hookswitch-gpio-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const gpio = join(root, 'gpio');
  mkdirSync(gpio);
  writeFileSync(join(gpio, 'export'), '');
  writeFileSync(join(gpio, 'unexport'), '');
  for (const [name, files] of Object.entries(chips)) {
    mkdirSync(join(gpio, name));
    for (const [file, value] of Object.entries(files)) writeFileSync(join(gpio, name, file), `${value}\n`);
  }
  if (model !== undefined) writeFileSync(join(root, 'model'), `${model}\0`);
  return { gpio, model: join(root, 'model') };
}

t.test('the kernel’s number of a BCM pin is found on every board and kernel seen so far', async (t) => {
  for (const [title, chips, number] of [
    ['Pi 3, kernel 6.1', { gpiochip458: { label: 'pinctrl-bcm2835', base: 458, ngpio: 54 } }, 475],
    ['Pi 3, kernel 6.12', { gpiochip512: { label: 'pinctrl-bcm2835', base: 512, ngpio: 54 } }, 529],
    [
      'Pi 4 with its expander first',
      {
        gpiochip504: { label: 'raspberrypi-exp-gpio', base: 504, ngpio: 8 },
        gpiochip512: { label: 'pinctrl-bcm2711', base: 512, ngpio: 58 },
      },
      529,
    ],
    [
      'Pi 5',
      {
        gpiochip512: { label: 'gpio-brcmstb@107d508500', base: 512, ngpio: 32 },
        gpiochip571: { label: 'pinctrl-rp1', base: 571, ngpio: 54 },
      },
      588,
    ],
    ['an old kernel', { gpiochip0: { label: 'pinctrl-bcm2835', base: 0, ngpio: 54 } }, 17],
    ['another machine with one chip', { gpiochip996: { label: 'labgpio', base: 996, ngpio: 28 } }, 1013],
  ] as const) {
    t.equal(await kernelNumberOf(17, gpioTree(chips)), number, title);
  }
});

t.test('where a pin cannot be found, the reason is in plain words', async (t) => {
  const two = gpioTree({ gpiochip0: { label: 'a', base: 0, ngpio: 8 }, gpiochip8: { label: 'b', base: 8, ngpio: 8 } }, 'Some Board Rev 2');
  await t.rejects(kernelNumberOf(4, two), {
    name: 'ResourceError',
    message: 'Some Board Rev 2 has no GPIO header we know; its chips are a, b',
  });
  const pi = gpioTree({ gpiochip512: { label: 'pinctrl-bcm2835', base: 512, ngpio: 54 } }, 'Raspberry Pi Zero 2 W Rev 1.0');
  await t.rejects(kernelNumberOf(54, pi), {
    message: 'GPIO 54 is beyond the 54 lines of pinctrl-bcm2835 on Raspberry Pi Zero 2 W Rev 1.0',
  });
  await t.rejects(kernelNumberOf(4, { gpio: '/nowhere/gpio', model: '/nowhere/model' }), {
    message: /this kernel has no GPIO in \/nowhere\/gpio/,
  });
});

t.test('a line that cannot be exported is a fault, found without blocking the process', async (t) => {
  const tree = gpioTree({ gpiochip512: { label: 'pinctrl-bcm2835', base: 512, ngpio: 54 } });
  const lines = new OnoffLines(tree, new OutputJournal(join(tree.gpio, 'outputs')));
  let beats = 0;
  const beat = setInterval(() => beats++, 10);
  const profile: GpioLineProfile = { driver: 'gpio', pin: 17, activeLow: true, debounceMs: 10 };
  await t.rejects(
    lines.openInput(profile, () => {}),
    { name: 'ResourceError', message: /GPIO 17 may not be used by us: add the user to the group gpio/ },
  );
  clearInterval(beat);
  t.ok(beats > 20, `the loop went on meanwhile (${beats} beats)`);
  t.equal(readFileSync(join(tree.gpio, 'export'), 'utf8'), '529', 'the kernel was asked for its own number');
  const none = new OnoffLines({ gpio: '/nowhere/gpio', model: '/nowhere/model' }, new OutputJournal(join(tree.gpio, 'outputs')));
  await t.rejects(
    none.openOutput(profile, () => {}),
    { name: 'ResourceError' },
  );
});

t.test('outputs of a hal that was killed', async (t) => {
  const tree = gpioTree({ gpiochip512: { label: 'pinctrl-bcm2835', base: 512, ngpio: 54 } });
  const valuePath = (number: number) => join(tree.gpio, `gpio${number}`, 'value');
  for (const number of [529, 530]) {
    mkdirSync(join(tree.gpio, `gpio${number}`));
    writeFileSync(valuePath(number), '1');
  }
  const path = join(tree.gpio, 'outputs');

  t.test('are made safe by the next one, unless they were given back', async (t) => {
    const killed = new OutputJournal(path);
    for (const number of [529, 530, 531]) killed.opened(valuePath(number));
    killed.closed(valuePath(530));
    t.same(new OutputJournal(path).makeSafe(), [valuePath(529)], 'the line that is not there is passed over');
    t.equal(readFileSync(valuePath(529), 'utf8'), '0');
    t.equal(readFileSync(valuePath(530), 'utf8'), '1');
    t.same(new OutputJournal(path).makeSafe(), [], 'once');
  });

  t.test('are paths of lines: anything else in the file is left alone', async (t) => {
    const other = join(tree.gpio, 'other');
    writeFileSync(other, 'whole');
    writeFileSync(path, `${other}\n\n${'x'.repeat(10_000)}\n`);
    t.same(new OutputJournal(path).makeSafe(), []);
    t.equal(readFileSync(other, 'utf8'), 'whole');
  });

  t.test('stand in the file before they are set up, and not after that failed', async (t) => {
    const lines = new OnoffLines(tree, new OutputJournal(path));
    const profile: GpioLineProfile = { driver: 'gpio', pin: 20, activeLow: false, debounceMs: 0 };
    const opening = lines.openOutput(profile, () => {});
    const refused = t.rejects(opening, { name: 'ResourceError' });
    while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 5));
    t.equal(readFileSync(path, 'utf8'), `${valuePath(532)}\n`);
    await refused;
    t.equal(readFileSync(path, 'utf8'), '');
  });
});
