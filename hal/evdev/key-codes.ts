/** What the kernel's key codes (linux/input-event-codes.h) mean to us. */
export const keyOfCode: ReadonlyMap<number, string> = new Map([
  ...row(2, '1234567890'),
  // The block of digits at the right of a keyboard, row by row, with minus and plus between.
  ...row(71, '789'),
  ...row(75, '456'),
  ...row(79, '1230'),
  [55, '*'],
  // A numeric keypad has no #; its Enter ends a number, as # does on a phone. Slash and dot do for keypads without Enter and star.
  [96, '#'],
  [28, '#'],
  [98, '#'],
  [83, '*'],
  // Phones and remote controls.
  ...row(0x200, '0123456789*#ABCD'),
  [113, 'mute'],
  [248, 'mute'],
  [114, 'volume-down'],
  [115, 'volume-up'],
]);

/** A row of codes for a row of keys. */
function row(first: number, keys: string): [number, string][] {
  return [...keys].map((key, index) => [first + index, key]);
}
