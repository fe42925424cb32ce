import t from 'tap';
import { parse } from 'valibot';
import { type BoardProfile, boardProfileSchema } from '#firmware/contract/hal.ts';
import { boardProblemsOf } from '#hal/board-check.ts';
import { boardPinsOf } from '#hal/board-pins.ts';
import { shippedBoards } from '#hal/boards/shipped-boards.ts';
import { headerNumberOf, headerPins } from '#hal/header.ts';
import { wiringDiagram } from '#hal/wiring/wiring-diagram.ts';

const gpio = (pin: number, more: object = {}) => ({ driver: 'gpio', pin, pull: 'up', ...more });
const profileOf = (parts: object): BoardProfile =>
  parse(boardProfileSchema, { name: 'test', hook: gpio(17), keypad: null, leds: {}, relays: {}, inputs: {}, ...parts });
const shipped = [...shippedBoards].map(([name, value]) => [name, parse(boardProfileSchema, value)] as const);

t.test('the header has its pins where a Raspberry Pi has them', async (t) => {
  t.equal(headerPins.length, 40);
  const numbers = headerPins.flatMap((pin) => (pin.kind === 'gpio' ? [pin.gpio] : [])).sort((a, b) => a - b);
  t.same(
    numbers,
    Array.from({ length: 28 }, (_, number) => number),
    'GPIO 0 to 27, each once',
  );
  for (const [pin, number] of [
    [2, 3],
    [14, 8],
    [17, 11],
    [18, 12],
    [25, 22],
    [5, 29],
    [19, 35],
    [26, 37],
    [21, 40],
  ] as const) {
    t.equal(headerNumberOf(pin), number, `GPIO ${pin}`);
  }
  t.same(
    headerPins.flatMap(({ kind }, index) => (kind === 'GND' ? [index + 1] : [])),
    [6, 9, 14, 20, 25, 30, 34, 39],
  );
  t.equal(headerNumberOf(28), undefined);
});

t.test('ready profiles have no problem', async (t) => {
  for (const [name, profile] of shipped) t.same(boardProblemsOf(profile), [], name);
});

t.test('what cannot work in a profile is said, and where', async (t) => {
  const matrix = (parts: object) => ({
    driver: 'matrix',
    rows: [5, 6],
    columns: [12, 16],
    keys: [
      ['1', '2'],
      ['3', '4'],
    ],
    ...parts,
  });
  for (const [parts, severity, element, problem] of [
    [{ leds: { call: gpio(17) } }, 'error', 'led call', /GPIO 17 is taken by hook already/],
    [{ inputs: { pir: gpio(40) } }, 'error', 'input pir', /GPIO 40 is not at the 40-pole header/],
    [{ inputs: { pir: gpio(1) } }, 'error', 'input pir', /memory of a HAT/],
    [{ sound: 'i2s', inputs: { pir: gpio(20) } }, 'error', 'input pir', /needed by the sound/],
    [{ inputs: { pir: gpio(14) } }, 'warning', 'input pir', /serial console/],
    [{ hook: gpio(17, { pull: 'none' }) }, 'warning', 'hook', /floats/],
    [{ flashMs: 10 }, 'error', 'flashMs', /a flash of 10 ms is debounced away/],
    [{ flashMs: 60 }, 'warning', 'flashMs', /100 ms and more/],
    [{ hook: null, flashMs: 600 }, 'error', 'flashMs', /no hook switch/],
    [{ hook: null }, 'warning', 'hook', /nobody can do anything/],
    [{ keypad: matrix({ keys: [['1', '2']] }) }, 'error', 'keypad', /2 rows of pins, but 1 rows of keys/],
    [{ keypad: matrix({ keys: [['1'], ['3', '4']] }) }, 'error', 'keypad', /row 1 has 1 keys/],
    [
      {
        keypad: matrix({
          keys: [
            ['1', '1'],
            ['3', '4'],
          ],
        }),
      },
      'error',
      'key 1',
      /there twice/,
    ],
    [
      {
        keypad: matrix({
          keys: [
            ['', ''],
            ['', ''],
          ],
        }),
      },
      'error',
      'keypad',
      /no keys/,
    ],
    [{ keypad: matrix({ rows: [5, 5] }) }, 'error', 'row 2', /taken by row 1/],
    [{ keypad: { driver: 'buttons', keys: {} } }, 'error', 'keypad', /no keys/],
    [{ keypad: { driver: 'rotary', pulse: gpio(27, { debounceMs: 30 }) } }, 'error', 'dial pulse', /swallows pulses/],
    [{ hook: null, keypad: { driver: 'rotary', pulse: null } }, 'error', 'keypad', /needs a hook switch/],
    [{ keypad: { driver: 'hid', identity: '1209:0b01' } }, 'warning', 'hook', /does not count/],
    [{ leds: { call: { driver: 'hid', lamp: 'ring' } } }, 'error', 'led call', /belongs to a USB handset/],
  ] as const) {
    t.match(boardProblemsOf(profileOf(parts)), [{ severity, element, problem }], String(problem));
  }
});

/** Boxes, texts and wires of a drawing, read back from it. */
function read(svg: string) {
  const numbers = (text: string) => [...text.matchAll(/-?\d+(?:\.\d+)?/g)].map(([number]) => Number(number));
  return {
    boxes: [...svg.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="292" height="(\d+)"/g)].map(([, x, y, height]) => ({
      x: Number(x),
      y: Number(y),
      height: Number(height),
    })),
    wires: [...svg.matchAll(/<path d="([^"]+)" fill="none" stroke="(#(?!fff")\w+)"/g)].map(([, path = '', color = '']) => ({
      points: path.split(/(?=[MLQ])/).map((piece) => numbers(piece).slice(-2)),
      color,
    })),
    width: Number(/viewBox="0 0 (\d+)/.exec(svg)?.[1]),
  };
}

t.test('a drawing of every ready profile has all wires, none on another and no box on a box', async (t) => {
  for (const [name, profile] of shipped) {
    const svg = wiringDiagram(profile);
    const { boxes, wires, width } = read(svg);
    const pins = new Set(boardPinsOf(profile).map(({ pin }) => pin));
    for (const pin of pins) t.match(svg, `>GPIO ${pin}</tspan>`, `${name}: GPIO ${pin} is at a terminal`);
    t.ok(wires.length >= pins.size, name);
    for (const [index, box] of boxes.entries()) {
      t.ok(box.x >= 0 && box.x + 292 <= width);
      for (const other of boxes.slice(index + 1)) {
        t.ok(box.x !== other.x || box.y + box.height <= other.y || other.y + other.height <= box.y, `${name}: boxes stand apart`);
      }
    }
    const ends = wires.map(({ points }) => String(points.at(-1)));
    t.equal(new Set(ends).size, ends.length, 'each wire ends at a terminal of its own');
    const lanes = wires.map(({ points }) => points.at(-3)?.[0]);
    t.equal(new Set(lanes).size, lanes.length, 'and runs in a lane of its own');
  }
});

t.test('whatever a profile says, its drawing is well-formed', async (t) => {
  const svg = wiringDiagram({ ...profileOf({}), description: '<script>alert("&")</script>'.repeat(8) });
  t.notMatch(svg, '<script');
  t.match(svg, '&lt;script&gt;');
  const crowded = profileOf({
    relays: Object.fromEntries([4, 5, 6, 12].map((pin, index) => [`r${index}`, { line: gpio(pin), maximumMs: 500 }])),
    inputs: Object.fromEntries([13, 16, 18, 19, 20, 21, 22, 23, 24, 25].map((pin, index) => [`pir-${index}`, gpio(pin)])),
  });
  const { boxes } = read(wiringDiagram(crowded));
  t.equal(boxes.length, 15);
  t.match(wiringDiagram(crowded), / too<\/text>/, 'supplies that are shared are said to be');
});
