import type { HidLamp } from '#firmware/contract/hal.ts';

/** What the usages of phones and keypads mean to us (HID Usage Tables 1.4: keyboard §10, LED §11, telephony §14, consumer §15). */
const telephony = 0x0b_0000;
const keyboard = 0x07_0000;
const consumer = 0x0c_0000;
export const ledPage = 0x08;
const led = 0x08_0000;

export const hookSwitchUsage = telephony + 0x20;
export const flashUsage = telephony + 0x21;

/** Usages that are keys. */
export const keyOfUsage: ReadonlyMap<number, string> = new Map([
  [telephony + 0x23, 'hold'],
  [telephony + 0x24, 'redial'],
  [telephony + 0x2b, 'speaker'],
  [telephony + 0x2f, 'mute'],
  ...digits(telephony + 0xb0, '0123456789*#ABCD'),
  ...digits(keyboard + 0x1e, '1234567890'),
  [keyboard + 0x54, '#'],
  [keyboard + 0x55, '*'],
  // A numeric keypad has no #; its Enter ends a number, as # does on a phone.
  [keyboard + 0x58, '#'],
  ...digits(keyboard + 0x59, '1234567890'),
  [consumer + 0xe2, 'mute'],
  [consumer + 0xe9, 'volume-up'],
  [consumer + 0xea, 'volume-down'],
]);

export const usageOfLamp: Readonly<Record<HidLamp, number>> = {
  mute: led + 0x09,
  offHook: led + 0x17,
  ring: led + 0x18,
  messageWaiting: led + 0x19,
  speaker: led + 0x1e,
  headset: led + 0x1f,
  hold: led + 0x20,
  microphone: led + 0x21,
  online: led + 0x2a,
};

/** A row of usages for a row of keys. */
function digits(first: number, keys: string): [number, string][] {
  return [...keys].map((key, index) => [first + index, key]);
}
