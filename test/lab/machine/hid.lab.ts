/** node-hid with a USB handset that the kernel believes in (uhid): telephony page in, lamps out, unplugged and plugged in. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import t from 'tap';
import type { HookPosition } from '#firmware/contract/hal.ts';
import { HidKeypad } from '#hal/hid/hid-keypad.ts';
import { NodeHidDriver } from '#hal/hid/node-hid-driver.ts';
import { hookSwitchSuite } from '#test/contract/hook-switch-suite.ts';
import { keypadSuite } from '#test/contract/keypad-suite.ts';
import { MachineTime } from './machine-time.ts';

const identity = '1209:0b01';
/** Looks until the kernel has made a device and the keypad has found it; the clock of the machine leaps while its disk is read. */
const looks = 100;
const lookMs = 500;

/** The handset: what it is told happens to it, what it says are its lamps. */
class Handset {
  readonly #process: ChildProcessWithoutNullStreams = spawn('/opt/lab/handset');
  said = '';

  constructor() {
    this.#process.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.said += text;
    });
  }

  tell(command: string): void {
    this.#process.stdin.write(`${command}\n`);
  }

  async unplug(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.stdin.end();
    await ended;
  }
}

async function plugged() {
  const time = new MachineTime();
  const keys: { key: string; pressed: boolean; at: number }[] = [];
  const hooks: { change: HookPosition | 'flash'; at: number }[] = [];
  const faults: string[] = [];
  const keypad = new HidKeypad(identity, new NodeHidDriver(), time.surroundings, {
    key: (key, pressed, at) => keys.push({ key, pressed, at }),
    hook: (change, at) => hooks.push({ change, at }),
    lampFault: (reason) => faults.push(String(reason)),
    fault: (reason) => faults.push(String(reason)),
  });
  const rig = time.rig(keypad);
  for (let look = 0; look < looks && keypad.position === null; look++) await rig.pass(lookMs);
  return { rig, keypad, keys, hooks, faults };
}

const handset = new Handset();

hookSwitchSuite('HID handset of the kernel', async () => {
  const { rig, hooks } = await plugged();
  return {
    ...rig,
    reports: hooks,
    // Another process has to be told first.
    tolerance: 200,
    lift: () => handset.tell('hook 1'),
    lay: () => handset.tell('hook 0'),
    flash: async () => handset.tell('flash'),
  };
});

keypadSuite('HID handset of the kernel', async () => {
  const { rig, keys } = await plugged();
  // It has one key down at most, and says which: there is no other to let go.
  let down = '';
  const tell = (key: string) => {
    down = key;
    handset.tell(`key ${key || 'none'}`);
  };
  return { ...rig, reports: keys, press: tell, release: (key) => key === down && tell('') };
});

t.test('a handset that is pulled out and plugged in again goes on', async (t) => {
  const { rig, keypad, keys } = await plugged();
  await handset.unplug();
  for (let look = 0; look < looks && keypad.position !== null; look++) await rig.pass(lookMs);
  t.equal(keypad.position, null, 'pulled out, nobody knows how it lies');
  const again = new Handset();
  for (let look = 0; look < looks && keypad.position === null; look++) await rig.pass(lookMs);
  again.tell('key 7');
  await rig.pass(lookMs);
  t.equal(keys.at(-1)?.key, '7');
  await keypad.close();
  await again.unplug();
});
