import type { BoardProfile, GpioLineProfile, KeypadProfile } from '#firmware/contract/hal.ts';

/** Something that is wired to the header, as the diagram shows it. */
export interface WiredPart {
  readonly title: string;
  readonly terminals: readonly Terminal[];
  /** What has to be known, a sentence each. */
  readonly notes: readonly string[];
  /** Shown instead of wires: caps of a keypad, row by row. */
  readonly keys?: readonly (readonly string[])[];
}

/** One end of a wire: a GPIO by its BCM number, or one of the pins of a supply. */
export interface Terminal {
  readonly label: string;
  readonly to: number | '3V3' | '5V' | 'GND';
}

const ledResistor = '330 Ω in series with the LED: its long leg to the resistor, its short one to GND.';
const ledResistorLow = '330 Ω in series with the LED: its long leg to 3V3, its short one to the resistor.';

/** The parts of a profile that have wires, in the order in which they matter. */
export function wiredPartsOf(profile: BoardProfile): WiredPart[] {
  return [
    ...(profile.hook?.driver === 'gpio' ? [contactPart('Hook switch', profile.hook, 'the handset is lifted')] : []),
    ...keypadParts(profile.keypad),
    ...Object.entries(profile.inputs).flatMap(([name, line]) => (line.driver === 'gpio' ? [inputPart(name, line)] : [])),
    ...Object.entries(profile.relays).flatMap(([name, { line, maximumMs }]) =>
      line.driver === 'gpio' ? [relayPart(name, line, maximumMs)] : [],
    ),
    ...ledParts(profile),
    ...soundParts(profile),
  ];
}

function contactPart(title: string, line: GpioLineProfile, when: string): WiredPart {
  const toGround = line.pull !== 'down';
  const closed = line.activeLow === toGround;
  return {
    title,
    terminals: [
      { label: 'contact', to: line.pin },
      { label: 'contact', to: toGround ? 'GND' : '3V3' },
    ],
    notes: [`${closed ? 'Closed' : 'Open'} while ${when}.`, ...pullNote(line)],
  };
}

function pullNote({ pull }: GpioLineProfile): string[] {
  if (pull === 'up' || pull === 'down') return [];
  return ['No pull is set: add 10 kΩ from the contact to 3V3.'];
}

function keypadParts(keypad: KeypadProfile | null): WiredPart[] {
  switch (keypad?.driver) {
    case 'buttons': {
      const lines = Object.entries(keypad.keys).flatMap(([key, line]) => (line.driver === 'gpio' ? [{ key, line }] : []));
      if (lines.length === 0) return [];
      const toGround = lines.every(({ line }) => line.pull !== 'down');
      const terminals = lines.map(({ key, line }) => ({ label: key, to: line.pin }));
      const common: Terminal = { label: 'common', to: toGround ? 'GND' : '3V3' };
      return [
        {
          title: lines.length === 1 ? 'Button' : 'Buttons',
          terminals: [...terminals, common],
          notes: lines.slice(0, 1).flatMap(({ line }) => pullNote(line)),
        },
      ];
    }
    case 'matrix': {
      const rows = keypad.rows.map((pin, index): Terminal => ({ label: `row ${index + 1}`, to: pin }));
      const columns = keypad.columns.map((pin, index): Terminal => ({ label: `column ${index + 1}`, to: pin }));
      const title = `Keypad, ${keypad.rows.length} rows and ${keypad.columns.length} columns`;
      return [{ title, terminals: [...rows, ...columns], keys: keypad.keys, notes: [] }];
    }
    case 'rotary': {
      const dial: WiredPart = {
        title: 'Dial',
        terminals: [
          ...(keypad.pulse ? [{ label: 'pulse', to: keypad.pulse.pin }] : []),
          ...(keypad.offNormal ? [{ label: 'off-normal', to: keypad.offNormal.pin }] : []),
          { label: 'common', to: 'GND' },
        ],
        notes: ['The pulse contact is closed at rest and opens with each pulse.'],
      };
      return keypad.pulse ? [dial] : [{ title: 'Dial', terminals: [], notes: ['In series with the hook switch: no wires of its own.'] }];
    }
    case 'hid':
      return [{ title: 'USB handset or keypad', terminals: [], notes: [`Into any USB socket. Identity ${keypad.identity}.`] }];
    case 'evdev':
      return [{ title: 'USB keypad', terminals: [], notes: [`Into any USB socket. Identity ${keypad.identity}.`] }];
    default:
      return [];
  }
}

function inputPart(name: string, line: GpioLineProfile): WiredPart {
  if (/^(pir|motion|radar)/.test(name)) {
    const terminals: Terminal[] = [
      { label: 'VCC', to: '5V' },
      { label: 'OUT', to: line.pin },
      { label: 'GND', to: 'GND' },
    ];
    return { title: `Motion sensor “${name}”`, terminals, notes: ['OUT must not exceed 3.3 V (an HC-SR501 does not).'] };
  }
  const bell = /^(button|bell)/.test(name);
  const kind = bell ? 'Bell button' : name === 'contact' ? 'Door contact' : name === 'tamper' ? 'Tamper contact' : 'Contact';
  return contactPart(`${kind} “${name}”`, line, bell ? 'pressed' : `“${name}” is on`);
}

function relayPart(name: string, line: GpioLineProfile, maximumMs: number): WiredPart {
  return {
    title: `Relay “${name}”`,
    terminals: [
      { label: 'VCC', to: '5V' },
      { label: 'IN', to: line.pin },
      { label: 'GND', to: 'GND' },
    ],
    notes: [
      `A relay module that takes 3.3 V at IN, ${line.activeLow ? 'low' : 'high'} = closed; a pin cannot drive a coil.`,
      `Never closed for more than ${maximumMs / 1000} s.`,
      ...(line.activeLow ? [] : ['10 kΩ from IN to GND keeps it open while the Pi starts.']),
    ],
  };
}

/** All lamps in one box: their wiring is the same. */
function ledParts({ leds }: BoardProfile): WiredPart[] {
  const lines = Object.entries(leds).flatMap(([name, led]) => (led.driver === 'gpio' ? [{ name, led }] : []));
  const [first] = lines;
  if (!first) return [];
  const low = first.led.activeLow;
  const terminals = lines.map(({ name, led }): Terminal => ({ label: name, to: led.pin }));
  return [
    {
      title: lines.length === 1 ? 'Lamp' : 'Lamps',
      terminals: [...terminals, { label: 'common', to: low ? '3V3' : 'GND' }],
      notes: [`${low ? ledResistorLow : ledResistor}`],
    },
  ];
}

function soundParts({ sound }: BoardProfile): WiredPart[] {
  if (sound === 'usb')
    return [{ title: 'USB sound card', terminals: [], notes: ['Into any USB socket: loudspeaker and microphone of the handset.'] }];
  if (sound !== 'i2s') return [];
  return [
    {
      title: 'MAX98357A, loudspeaker',
      terminals: [
        { label: 'VIN', to: '5V' },
        { label: 'GND', to: 'GND' },
        { label: 'DIN', to: 21 },
        { label: 'BCLK', to: 18 },
        { label: 'LRC', to: 19 },
      ],
      notes: [],
    },
    {
      title: 'INMP441, microphone',
      terminals: [
        { label: 'VDD', to: '3V3' },
        { label: 'GND and L/R', to: 'GND' },
        { label: 'SD', to: 20 },
        { label: 'SCK', to: 18 },
        { label: 'WS', to: 19 },
      ],
      notes: ['In config.txt: dtoverlay=googlevoicehat-soundcard'],
    },
  ];
}
