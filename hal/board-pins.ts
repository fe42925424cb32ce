import type { BoardProfile, LineProfile } from '#firmware/contract/hal.ts';

/** A pin of a profile and what stands at it. */
export interface BoardPin {
  readonly pin: number;
  /** As in the state of the board: `hook`, `key 5`, `led call` … */
  readonly element: string;
  readonly line: Extract<LineProfile, { driver: 'gpio' }> | undefined;
  readonly direction: 'in' | 'out' | 'matrix';
}

/** Every GPIO line that a profile names, in its order. */
export function boardPinsOf(profile: BoardProfile): BoardPin[] {
  const pins: BoardPin[] = [];
  const add = (element: string, line: { readonly driver: string } | null, direction: 'in' | 'out'): void => {
    if (line && isGpio(line)) pins.push({ pin: line.pin, element, line, direction });
  };
  const { keypad } = profile;
  add('hook', profile.hook, 'in');
  if (keypad?.driver === 'buttons') for (const [key, line] of Object.entries(keypad.keys)) add(`key ${key}`, line, 'in');
  if (keypad?.driver === 'rotary') {
    add('dial pulse', keypad.pulse, 'in');
    add('dial off-normal', keypad.offNormal, 'in');
  }
  if (keypad?.driver === 'matrix') {
    for (const [index, pin] of keypad.rows.entries()) pins.push({ pin, element: `row ${index + 1}`, line: undefined, direction: 'matrix' });
    for (const [index, pin] of keypad.columns.entries()) {
      pins.push({ pin, element: `column ${index + 1}`, line: undefined, direction: 'matrix' });
    }
  }
  for (const [name, line] of Object.entries(profile.leds)) add(`led ${name}`, line, 'out');
  for (const [name, { line }] of Object.entries(profile.relays)) add(`relay ${name}`, line, 'out');
  for (const [name, line] of Object.entries(profile.inputs)) add(`input ${name}`, line, 'in');
  return pins;
}

function isGpio(line: { readonly driver: string }): line is Extract<LineProfile, { driver: 'gpio' }> {
  return line.driver === 'gpio';
}
