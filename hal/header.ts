/** What a pin of the 40-pole header is. */
export type HeaderPin = { readonly kind: 'gpio'; readonly gpio: number } | { readonly kind: '3V3' | '5V' | 'GND' };

const power = (kind: '3V3' | '5V' | 'GND'): HeaderPin => ({ kind });
const gpio = (number: number): HeaderPin => ({ kind: 'gpio', gpio: number });

/** Pins 1 to 40 in their order: odd ones stand in the left row, even ones in the right, seen with the header at the right edge of the board. */
export const headerPins: readonly HeaderPin[] = [
  ...[power('3V3'), power('5V'), gpio(2), power('5V'), gpio(3), power('GND'), gpio(4), gpio(14), power('GND'), gpio(15)],
  ...[gpio(17), gpio(18), gpio(27), power('GND'), gpio(22), gpio(23), power('3V3'), gpio(24), gpio(10), power('GND')],
  ...[gpio(9), gpio(25), gpio(11), gpio(8), power('GND'), gpio(7), gpio(0), gpio(1), gpio(5), power('GND')],
  ...[gpio(6), gpio(12), gpio(13), power('GND'), gpio(19), gpio(16), gpio(26), gpio(20), power('GND'), gpio(21)],
];

/** Physical number, 1 to 40, of a BCM pin; `undefined` = it is not at the header. */
export function headerNumberOf(pin: number): number | undefined {
  const index = headerPins.findIndex((one) => one.kind === 'gpio' && one.gpio === pin);
  return index < 0 ? undefined : index + 1;
}

/** Pins that something of the board takes, whatever the profile says. */
export const reservedPins: ReadonlyMap<number, string> = new Map([
  [0, 'it reads the memory of a HAT at start'],
  [1, 'it reads the memory of a HAT at start'],
]);

/** Pins of I2S, which MAX98357A, INMP441 and sound HATs take. */
export const soundPins: readonly number[] = [18, 19, 20, 21];

/** Pins that are free only while a part of the kernel is not switched on in config.txt. */
export const sharedPins: ReadonlyMap<number, string> = new Map([
  ...[2, 3].map((pin) => [pin, 'I2C has it, and the board pulls it up by 1.8 kΩ'] as const),
  ...[7, 8, 9, 10, 11].map((pin) => [pin, 'SPI has it, when that is switched on'] as const),
  ...[14, 15].map((pin) => [pin, 'the serial console has it, when that is switched on'] as const),
]);
