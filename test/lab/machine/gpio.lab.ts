/** The contract suites of the board's ports on the kernel's GPIO, by each driver. The chip is simulated, the kernel is not. */
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import type { GpioLineProfile, HookPosition } from '#firmware/contract/hal.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { openDeviceCalls } from '#hal/device-calls.ts';
import { LineHookSwitch, LineInput, LineLed, LineRelay } from '#hal/elements.ts';
import { CharacterDeviceLines } from '#hal/gpio/character-device.ts';
import { kernelTree } from '#hal/gpio/kernel-number.ts';
import { OnoffLines } from '#hal/gpio/onoff-driver.ts';
import { OutputJournal } from '#hal/gpio/output-journal.ts';
import { MatrixKeypad } from '#hal/matrix-keypad.ts';
import type { LineDriver } from '#hal/ports.ts';
import { hookSwitchSuite } from '#test/contract/hook-switch-suite.ts';
import { inputSuite } from '#test/contract/input-suite.ts';
import { keypadSuite } from '#test/contract/keypad-suite.ts';
import { inputLineSuite, outputLineSuite } from '#test/contract/line-suite.ts';
import { ledSuite, relaySuite } from '#test/contract/output-suites.ts';
import { MachineTime } from './machine-time.ts';

const chip = '/sys/kernel/labgpio';
/** Longer than any driver takes to notice. */
const noticedMs = 40;
/** The kernel debounces by ticks of 4 ms, and onoff tells when it has been told. */
const tolerance = 10;
const drive = (pin: number, level: boolean) => writeFileSync(join(chip, 'pull'), `${pin} ${level ? 1 : 0}`);
const contact = (a: number, b: number, closed: boolean) => writeFileSync(join(chip, 'contact'), `${a} ${b} ${closed ? 1 : 0}`);
const wire = (pin: number) => {
  const [, direction, level] = readFileSync(join(chip, 'state'), 'latin1').split('\n')[pin]?.split(' ') ?? [];
  return { isDriven: direction === 'out', level: level === '1' };
};

const outputs = new OutputJournal(join(tmpdir(), 'outputs'));
const characterDevice = new CharacterDeviceLines(openDeviceCalls, nodeClock, outputs);
const sysfs = new OnoffLines(kernelTree, outputs);
type Lines = LineDriver<GpioLineProfile>;

for (const [name, lines, others] of [
  ['character device', characterDevice, sysfs],
  ['onoff', sysfs, characterDevice],
] as const satisfies [string, Lines, Lines][]) {
  for (const activeLow of [false, true]) {
    const title = `${name}, ${activeLow ? 'active low' : 'active high'}`;
    // onoff cannot pull; the far end of the wire is driven anyhow.
    const profile: GpioLineProfile = { driver: 'gpio', pin: 17, activeLow, debounceMs: 0 };

    inputLineSuite(title, async () => {
      drive(17, activeLow);
      return {
        line: await lines.openInput(profile, (reason) => t.fail(reason)),
        drive: async (active) => {
          drive(17, active !== activeLow);
          await wait(noticedMs);
        },
      };
    });

    outputLineSuite(title, async () => ({
      line: await lines.openOutput(profile, (reason) => t.fail(reason)),
      wire: () => wire(17).isDriven && wire(17).level !== activeLow,
    }));
  }

  hookSwitchSuite(name, async () => {
    drive(4, true);
    const time = new MachineTime();
    const line = await lines.openInput({ driver: 'gpio', pin: 4, activeLow: true, debounceMs: 20 }, (reason) => t.fail(reason));
    const reports: { change: HookPosition | 'flash'; at: number }[] = [];
    const times = { debounceMs: 20, flashMs: 600 };
    const hook = new LineHookSwitch(line, times, time.surroundings, (change, at) => reports.push({ change, at }));
    const rig = time.rig(hook);
    const flash = async () => {
      drive(4, true);
      await rig.pass(300);
      drive(4, false);
    };
    return { ...rig, reports, tolerance, lift: () => drive(4, false), lay: () => drive(4, true), flash };
  });

  inputSuite(name, async () => {
    drive(6, false);
    const time = new MachineTime();
    const line = await lines.openInput({ driver: 'gpio', pin: 6, activeLow: false, debounceMs: 30 }, (reason) => t.fail(reason));
    const reports: { active: boolean; at: number }[] = [];
    const input = new LineInput(line, 30, time.surroundings, (active, at) => reports.push({ active, at }));
    return { ...time.rig(input), reports, tolerance, drive: (active) => drive(6, active) };
  });

  keypadSuite(`${name}, matrix`, async () => {
    const rows = [5, 6, 13, 19];
    const columns = [20, 21, 26];
    const keys = [
      ['1', '2', '3'],
      ['4', '5', '6'],
      ['7', '8', '9'],
      ['*', '0', '#'],
    ];
    for (const pin of [...rows, ...columns]) drive(pin, true);
    const time = new MachineTime();
    const reports: { key: string; pressed: boolean; at: number }[] = [];
    const bank = await lines.openBank({ listening: rows, drawn: columns }, (reason) => t.fail(reason));
    const matrix = { rows: rows.length, columns: columns.length, keys, debounceMs: 10 };
    const keypad = new MatrixKeypad(bank, matrix, time.surroundings, (key, pressed, at) => reports.push({ key, pressed, at }));
    const move = (closed: boolean) => (key: string) => {
      const row = keys.findIndex((names) => names.includes(key));
      contact(rows[row] ?? 0, columns[keys[row]?.indexOf(key) ?? 0] ?? 0, closed);
    };
    return { ...time.rig(keypad), reports, press: move(true), release: move(false) };
  });

  const output = async (pin: number) =>
    await lines.openOutput({ driver: 'gpio', pin, activeLow: false, debounceMs: 0 }, (reason) => t.fail(reason));
  relaySuite(name, async () => {
    const time = new MachineTime();
    return { ...time.rig(new LineRelay(await output(22), 3_000)), wire: () => wire(22).isDriven && wire(22).level, tolerance: 60 };
  });
  ledSuite(name, async () => {
    const time = new MachineTime();
    return { ...time.rig(new LineLed(await output(23))), wire: () => wire(23).isDriven && wire(23).level, tolerance: 60 };
  });

  t.test(`${name}: who holds a line already is told of`, async (t) => {
    const held = await others.openInput({ driver: 'gpio', pin: 27, activeLow: false, debounceMs: 0 }, () => {});
    await t.rejects(
      lines.openInput({ driver: 'gpio', pin: 27, activeLow: false, debounceMs: 0 }, () => {}),
      /27/,
      'by the number of the pin',
    );
    await held.close();
  });
}

t.test('character device: twenty edges in a row are all told, with the times of the kernel', async (t) => {
  drive(12, true);
  const line = await characterDevice.openInput({ driver: 'gpio', pin: 12, activeLow: false, debounceMs: 0 }, (reason) => t.fail(reason));
  const levels: boolean[] = [];
  line.watch((active) => levels.push(active));
  for (let edge = 0; edge < 20; edge++) drive(12, edge % 2 === 1);
  await wait(noticedMs);
  t.same(
    levels,
    Array.from({ length: 20 }, (_, edge) => edge % 2 === 1),
  );
  await line.close();
});

t.test('the chip of the header is found by its label', async (t) => {
  t.match(await characterDevice.findHeader(), { label: 'pinctrl-bcm2835' });
});
