import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { GpioLineProfile, HookPosition } from '#firmware/contract/hal.ts';
import { ButtonKeypad, LineHookSwitch, LineInput, LineLed, LineRelay } from '#hal/elements.ts';
import { EvdevKeypad } from '#hal/evdev/evdev-keypad.ts';
import { CharacterDeviceLines } from '#hal/gpio/character-device.ts';
import { OutputJournal } from '#hal/gpio/output-journal.ts';
import { HidKeypad } from '#hal/hid/hid-keypad.ts';
import { MatrixKeypad } from '#hal/matrix-keypad.ts';
import { VirtualWires } from '#hal/virtual/virtual-bank.ts';
import { VirtualKeypad, VirtualLine } from '#hal/virtual/virtual-board.ts';
import { FakeEvdev } from '#test/support/fake-evdev.ts';
import { FakeGpioKernel } from '#test/support/fake-gpio-kernel.ts';
import { FakeHid, handsetDescriptor, keyboardDescriptor } from '#test/support/fake-hid.ts';
import { type HookSwitchRig, hookSwitchSuite } from './hook-switch-suite.ts';
import { inputSuite } from './input-suite.ts';
import { type KeypadRig, keypadSuite } from './keypad-suite.ts';
import { inputLineSuite, outputLineSuite } from './line-suite.ts';
import { ledSuite, relaySuite } from './output-suites.ts';
import { ElementTime } from './rig.ts';

/** The contract suites of the board's ports on every driver that needs no hardware. */

t.comment('onoff runs through these suites in the lab (docs/lab.md), on the GPIO of a kernel: its paths below /sys are fixed');

inputLineSuite('virtual', async () => {
  const line = new VirtualLine();
  return { line, drive: async (active) => line.move(active) };
});

outputLineSuite('virtual', async () => {
  const line = new VirtualLine();
  return { line, wire: () => line.isActive() };
});

/** The character device on a kernel of our own; its wires are at the far ends of pins. */
async function chipRig() {
  const kernel = new FakeGpioKernel([{ label: 'pinctrl-bcm2711', lines: 58 }]);
  const time = new ElementTime();
  const folder = mkdtempSync(join(tmpdir(), 'hookswitch-contract-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const lines = new CharacterDeviceLines(async () => kernel, time.time, new OutputJournal(join(folder, 'outputs')));
  const edge = (pin: number, level: boolean | undefined) => {
    kernel.now = 1_000 + time.time.now();
    kernel.drive(pin, level);
    kernel.deliver();
  };
  return { kernel, time, lines, edge };
}

for (const activeLow of [false, true]) {
  const title = `character device, ${activeLow ? 'active low' : 'active high'}`;
  const profile: GpioLineProfile = { driver: 'gpio', pin: 17, activeLow, pull: activeLow ? 'up' : 'down', debounceMs: 0 };

  inputLineSuite(title, async () => {
    const { lines, edge } = await chipRig();
    return { line: await lines.openInput(profile, () => {}), drive: async (active) => edge(17, active !== activeLow) };
  });

  outputLineSuite(title, async () => {
    const { lines, kernel } = await chipRig();
    const line = await lines.openOutput(profile, () => {});
    return { line, wire: () => kernel.openDescriptors > 0 && kernel.level(17) !== activeLow };
  });
}

for (const debouncing of ['by the kernel', 'by us']) {
  hookSwitchSuite(`character device, debounced ${debouncing}`, async () => {
    const { kernel, time, lines } = await chipRig();
    kernel.refuse = { debounce: debouncing === 'by us' };
    const profile: GpioLineProfile = { driver: 'gpio', pin: 17, activeLow: true, pull: 'up', debounceMs: 20 };
    const line = await lines.openInput(profile, () => {});
    const reports: { change: HookPosition | 'flash'; at: number }[] = [];
    const times = { debounceMs: 20, flashMs: 600 };
    const hook = new LineHookSwitch(line, times, time.surroundings, (change, at) => reports.push({ change, at }));
    const rig = time.rig(hook);
    const move = (level: boolean) => {
      kernel.now = 1_000 + rig.now();
      kernel.drive(17, level);
      if (debouncing === 'by us') kernel.deliver();
    };
    // The kernel tells of an edge when it has held.
    const pass = async (ms: number) => {
      await rig.pass(20);
      kernel.now = 1_000 + rig.now();
      kernel.deliver();
      await rig.pass(ms - 20);
    };
    const flash = async () => {
      move(true);
      await pass(300);
      move(false);
    };
    return { ...rig, pass, reports, lift: () => move(false), lay: () => move(true), flash };
  });
}

inputSuite('virtual line', async () => {
  const time = new ElementTime();
  const line = new VirtualLine();
  const reports: { active: boolean; at: number }[] = [];
  const input = new LineInput(line, 30, time.surroundings, (active, at) => reports.push({ active, at }));
  return { ...time.rig(input), reports, drive: (active) => line.move(active) };
});

ledSuite('virtual line', async () => {
  const time = new ElementTime();
  const line = new VirtualLine();
  return { ...time.rig(new LineLed(line)), wire: () => line.isActive(), tolerance: 0 };
});

relaySuite('virtual line', async () => {
  const time = new ElementTime();
  const line = new VirtualLine();
  return { ...time.rig(new LineRelay(line, 3_000)), wire: () => line.isActive(), tolerance: 0 };
});

for (const debounceMs of [0, 25]) {
  hookSwitchSuite(`virtual line debounced by ${debounceMs} ms`, async () => {
    const time = new ElementTime();
    const line = new VirtualLine();
    const reports: { change: HookPosition | 'flash'; at: number }[] = [];
    const times = { debounceMs, flashMs: 600 };
    const hook = new LineHookSwitch(line, times, time.surroundings, (change, at) => reports.push({ change, at }));
    const rig = time.rig(hook);
    const flash = async () => {
      line.move(false);
      await rig.pass(300);
      line.move(true);
    };
    return { ...rig, reports, lift: () => line.move(true), lay: () => line.move(false), flash };
  });
}

hookSwitchSuite('HID handset', async () => {
  const { rig, hid, hooks } = await hidRig(handsetDescriptor);
  const result: HookSwitchRig = {
    ...rig,
    reports: hooks,
    lift: () => hid.send('/dev/hidraw0', 1, 1, 0),
    lay: () => hid.send('/dev/hidraw0', 1, 0, 0),
    flash: async () => {
      hid.send('/dev/hidraw0', 1, 0b101, 0);
      hid.send('/dev/hidraw0', 1, 0b001, 0);
    },
  };
  return result;
});

keypadSuite('virtual', async () => {
  const time = new ElementTime();
  const reports: { key: string; pressed: boolean; at: number }[] = [];
  const keypad = new VirtualKeypad((key, pressed, at) => reports.push({ key, pressed, at }));
  const rig = time.rig(keypad);
  return { ...rig, reports, press: (key) => keypad.press(rig.now(), key, true), release: (key) => keypad.press(rig.now(), key, false) };
});

keypadSuite('buttons on virtual lines', async () => {
  const time = new ElementTime();
  const lines = new Map(['5', '#', '*'].map((key) => [key, new VirtualLine()]));
  const reports: { key: string; pressed: boolean; at: number }[] = [];
  const buttons = [...lines].map(([key, line]) => ({ key, line, debounceMs: 10 }));
  const keypad = new ButtonKeypad(buttons, time.surroundings, (key, pressed, at) => reports.push({ key, pressed, at }));
  const move = (active: boolean) => (key: string) => lines.get(key)?.move(active);
  return { ...time.rig(keypad), reports, press: move(true), release: move(false) };
});

const twelve = [
  ['1', '2', '3'],
  ['4', '5', '6'],
  ['7', '8', '9'],
  ['*', '0', '#'],
];

/** Pins of the row and the column of a key. */
function crossingOf(key: string): readonly [number, number] {
  const row = twelve.findIndex((keys) => keys.includes(key));
  return [5 + row, 20 + (twelve[row]?.indexOf(key) ?? 0)];
}

keypadSuite('matrix on virtual wires', async () => {
  const time = new ElementTime();
  const wires = new VirtualWires();
  const reports: { key: string; pressed: boolean; at: number }[] = [];
  const bank = wires.openBank([5, 6, 7, 8], [20, 21, 22]);
  const matrix = { rows: 4, columns: 3, keys: twelve, debounceMs: 10 };
  const keypad = new MatrixKeypad(bank, matrix, time.surroundings, (key, pressed, at) => reports.push({ key, pressed, at }));
  const move = (closed: boolean) => (key: string) => wires.contact(...crossingOf(key), closed);
  return { ...time.rig(keypad), reports, press: move(true), release: move(false) };
});

keypadSuite('evdev', async () => {
  const time = new ElementTime();
  const evdev = new FakeEvdev();
  const codes = new Map([
    ['5', 76],
    ['#', 96],
    ['*', 55],
  ]);
  const path = '/dev/input/event0';
  evdev.plug({ path, name: 'Pad', vendorId: 0x4d9, productId: 0x1203, serial: '', place: 'usb-1/input0', codes: new Set(codes.values()) });
  const reports: { key: string; pressed: boolean; at: number }[] = [];
  const keypad = new EvdevKeypad('04d9:1203', evdev, time.surroundings, {
    key: (key, pressed, at) => reports.push({ key, pressed, at }),
    fault: () => {},
  });
  const rig = time.rig(keypad);
  await rig.pass(1);
  const move = (pressed: boolean) => (key: string) => evdev.key(path, codes.get(key) ?? 0, pressed);
  return { ...rig, reports, press: move(true), release: move(false) };
});

keypadSuite('HID handset', async () => {
  const { rig, hid, keys } = await hidRig(handsetDescriptor);
  let down = '';
  const send = () => hid.send('/dev/hidraw0', 1, 0, '0123456789*#'.indexOf(down || '-') + 1);
  return keypadRig(rig, keys, send, {
    press: (key) => {
      down = key;
    },
    release: (key) => {
      if (down === key) down = '';
    },
  });
});

keypadSuite('HID numeric keypad', async () => {
  const { rig, hid, keys } = await hidRig(keyboardDescriptor);
  const usages = new Map([
    ['5', 0x5d],
    ['#', 0x54],
    ['*', 0x55],
  ]);
  const down = new Set<string>();
  const send = () => {
    const codes = [...down].map((key) => usages.get(key) ?? 0);
    hid.send('/dev/hidraw0', 0, 0, ...codes, ...new Array(6 - codes.length).fill(0));
  };
  return keypadRig(rig, keys, send, { press: (key) => down.add(key), release: (key) => down.delete(key) });
});

/** A HID keypad whose device is plugged in and found. */
async function hidRig(descriptor: Uint8Array) {
  const time = new ElementTime();
  const hid = new FakeHid();
  hid.plug({ path: '/dev/hidraw0', vendorId: 0x1209, productId: 0x0b01, serial: 'LAB1' }, descriptor);
  const keys: { key: string; pressed: boolean; at: number }[] = [];
  const hooks: { change: HookPosition | 'flash'; at: number }[] = [];
  const keypad = new HidKeypad('1209:0b01', hid, time.surroundings, {
    key: (key, pressed, at) => keys.push({ key, pressed, at }),
    hook: (change, at) => hooks.push({ change, at }),
    lampFault: () => {},
    fault: () => {},
  });
  const rig = time.rig(keypad);
  await rig.pass(1);
  return { rig, hid, keys, hooks };
}

function keypadRig(
  rig: Awaited<ReturnType<typeof hidRig>>['rig'],
  reports: KeypadRig['reports'],
  send: () => void,
  { press, release }: { press: (key: string) => void; release: (key: string) => void },
): KeypadRig {
  const then = (act: (key: string) => void) => (key: string) => {
    act(key);
    send();
  };
  return { ...rig, reports, press: then(press), release: then(release) };
}
