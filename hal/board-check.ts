import type { BoardProfile } from '#firmware/contract/hal.ts';
import { type BoardPin, boardPinsOf } from './board-pins.ts';
import { headerNumberOf, reservedPins, sharedPins, soundPins } from './header.ts';

export interface BoardProblem {
  /** An error cannot work; a warning may. */
  readonly severity: 'error' | 'warning';
  /** `hook`, `key 5`, `relay door` … */
  readonly element: string;
  readonly problem: string;
}

/** Two bounces of a key fit into 20 ms; a dial's pulse is closed for 25. */
const dialDebounceAtMostMs = 12;

/** What cannot work in a profile that fits its schema. */
export function boardProblemsOf(profile: BoardProfile): BoardProblem[] {
  const pins = boardPinsOf(profile);
  return [
    ...pinProblems(profile, pins),
    ...pullProblems(pins),
    ...hookProblems(profile),
    ...keypadProblems(profile),
    ...lampProblems(profile),
  ];
}

function pinProblems(profile: BoardProfile, pins: readonly BoardPin[]): BoardProblem[] {
  const found: BoardProblem[] = [];
  const first = new Map<number, string>();
  for (const { pin, element } of pins) {
    const before = first.get(pin);
    if (before === undefined) first.set(pin, element);
    else found.push(error(element, `GPIO ${pin} is taken by ${before} already`));
    const reserved = reservedPins.get(pin);
    const shared = sharedPins.get(pin);
    if (headerNumberOf(pin) === undefined) found.push(error(element, `GPIO ${pin} is not at the 40-pole header`));
    else if (reserved !== undefined) found.push(error(element, `GPIO ${pin} cannot be used: ${reserved}`));
    else if (profile.sound === 'i2s' && soundPins.includes(pin)) found.push(error(element, `GPIO ${pin} is needed by the sound (I2S)`));
    else if (shared !== undefined) found.push(warning(element, `GPIO ${pin}: ${shared}`));
  }
  return found;
}

function pullProblems(pins: readonly BoardPin[]): BoardProblem[] {
  return pins.flatMap(({ element, line, direction }) => {
    if (!line || direction !== 'in') return [];
    if (line.pull === undefined || line.pull === 'none')
      return [warning(element, 'without a pull the wire floats, unless it has a resistor')];
    return [];
  });
}

function hookProblems({ hook, keypad, flashMs, inputs }: BoardProfile): BoardProblem[] {
  const handset = keypad?.driver === 'hid';
  if (!hook) {
    if (flashMs > 0 && !handset) return [error('flashMs', 'there is no hook switch to flash')];
    if (keypad?.driver === 'rotary' && keypad.pulse === null)
      return [error('keypad', 'a dial in the loop of the hook switch needs a hook switch')];
    if (!keypad && Object.keys(inputs).length === 0)
      return [warning('hook', 'nobody can do anything: no hook switch, no keypad, no input')];
    return [];
  }
  const found: BoardProblem[] = [];
  if (handset) found.push(warning('hook', 'the hook switch of the USB handset does not count: the profile names another'));
  if (flashMs > 0 && flashMs <= hook.debounceMs)
    found.push(error('flashMs', `a flash of ${flashMs} ms is debounced away (${hook.debounceMs} ms)`));
  if (flashMs > 0 && flashMs < 100) found.push(warning('flashMs', 'a flash that people or exchanges make lasts 100 ms and more'));
  return found;
}

function keypadProblems({ keypad, hook }: BoardProfile): BoardProblem[] {
  switch (keypad?.driver) {
    case 'matrix':
      return matrixProblems(keypad);
    case 'rotary': {
      const line = keypad.pulse ?? hook;
      if (!line || line.debounceMs <= dialDebounceAtMostMs) return [];
      return [
        error(keypad.pulse ? 'dial pulse' : 'hook', `debouncing of ${line.debounceMs} ms swallows pulses: at most ${dialDebounceAtMostMs}`),
      ];
    }
    case 'buttons':
      return Object.keys(keypad.keys).length === 0 ? [error('keypad', 'it has no keys')] : [];
    default:
      return [];
  }
}

function matrixProblems({
  rows,
  columns,
  keys,
}: {
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  readonly keys: readonly (readonly string[])[];
}): BoardProblem[] {
  const found: BoardProblem[] = [];
  if (keys.length !== rows.length) found.push(error('keypad', `it has ${rows.length} rows of pins, but ${keys.length} rows of keys`));
  for (const [index, row] of keys.entries()) {
    if (row.length !== columns.length) {
      found.push(error('keypad', `row ${index + 1} has ${row.length} keys, but there are ${columns.length} columns of pins`));
    }
  }
  const seen = new Set<string>();
  for (const key of keys.flat().filter((one) => one !== '')) {
    if (seen.has(key)) found.push(error(`key ${key}`, 'it is there twice'));
    seen.add(key);
  }
  if (seen.size === 0) found.push(error('keypad', 'it has no keys'));
  return found;
}

function lampProblems({ leds, keypad }: BoardProfile): BoardProblem[] {
  return Object.entries(leds).flatMap(([name, led]) =>
    led.driver === 'hid' && keypad?.driver !== 'hid' ? [error(`led ${name}`, 'it belongs to a USB handset, but the keypad is none')] : [],
  );
}

function error(element: string, problem: string): BoardProblem {
  return { severity: 'error', element, problem };
}

function warning(element: string, problem: string): BoardProblem {
  return { severity: 'warning', element, problem };
}
