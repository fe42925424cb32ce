import type { BoardProfile } from '#firmware/contract/hal.ts';
import { headerNumberOf } from '../header.ts';
import { drawHeaderBody, drawHeaderPins, headerWidth, pinPosition, rowHeight } from './drawn-header.ts';
import { boxHeight, drawPart, partWidth, terminalOffset } from './drawn-part.ts';
import { SupplyPins } from './supply-pins.ts';
import { escapeXml, wrapText } from './svg-text.ts';
import { type WiredPart, wiredPartsOf } from './wired-parts.ts';

type Side = 'left' | 'right';

interface Placed {
  readonly part: WiredPart;
  readonly side: Side;
  /** Its upper edge, measured from the first row of the header. */
  top: number;
}

interface Wire {
  readonly pin: number;
  readonly side: Side;
  /** Where it begins and ends, measured from the first row. */
  readonly from: number;
  readonly to: number;
  /** Its pin stands in the other row: it passes below its neighbour. */
  readonly crosses: boolean;
  lane: number;
}

const laneWidth = 13;
const channelMargin = 20;
const labelRoom = 74;
const margin = 28;
const partGap = 30;
/** Colours that can be told apart, on white and by most eyes. */
const wireColors = [
  '#1f77b4',
  '#d9730d',
  '#2a9d4a',
  '#b5329e',
  '#8a5a2b',
  '#0f9aa8',
  '#6a51c2',
  '#c2185b',
  '#7a8b00',
  '#455a64',
  '#e0a100',
];

/** A drawing of what is wired to which pin of the header, as SVG. */
export function wiringDiagram(profile: BoardProfile): string {
  const parts = wiredPartsOf(profile);
  const placed = place(parts.filter(({ terminals }) => terminals.length > 0));
  const wires = route(placed);
  const channel = (side: Side) => channelMargin * 2 + laneWidth * Math.max(1, wires.filter((wire) => wire.side === side).length);
  const headerLeft = margin + partWidth + channel('left') + labelRoom;
  const width = headerLeft + headerWidth + labelRoom + channel('right') + partWidth + margin;
  const description = wrapText(profile.description, width - 2 * margin, 14);
  const top = 76 + description.length * 20 + 20;
  const bottomOf = ({ part, top: partTop }: Placed) => partTop + boxHeight(part);
  const height = Math.max(20 * rowHeight, ...placed.map(bottomOf));
  const others = parts.filter(({ terminals }) => terminals.length === 0);
  const supply = new SupplyPins();
  const colors = new Map(
    [...new Set(wires.map(({ pin }) => pin))].map((pin, index) => [pin, wireColors[index % wireColors.length] ?? '#000']),
  );
  const partLeft = (side: Side) => (side === 'left' ? margin : width - margin - partWidth);
  const drawnParts = placed.map(({ part, side, top: partTop }) =>
    drawPart(part, { side, left: partLeft(side), top: top + partTop, headerTop: top }, supply, colors),
  );
  const drawnWires = wires.map((wire) =>
    drawWire(wire, { top, headerLeft, color: colors.get(wire.pin) ?? '#000', partLeft: partLeft(wire.side) }),
  );
  const footTop = top + height + 34;
  const foot = footLines(others, width);
  const total = footTop + foot.length * 20 + margin - 8;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${total}" width="${width}" height="${total}" font-family="'DejaVu Sans', Verdana, sans-serif" role="img">`,
    `<title>Wiring of ${escapeXml(profile.name)}</title>`,
    `<rect width="${width}" height="${total}" fill="#fff"/>`,
    `<text x="${margin}" y="50" font-size="24" font-weight="bold" fill="#222">${escapeXml(profile.name)}</text>`,
    ...description.map((line, index) => `<text x="${margin}" y="${80 + 20 * index}" font-size="14" fill="#555">${escapeXml(line)}</text>`),
    drawHeaderBody({ left: headerLeft, top }),
    ...drawnWires.map(({ halo }) => halo),
    ...drawnWires.map(({ line }) => line),
    drawHeaderPins({ left: headerLeft, top }, colors, supply.taken),
    ...drawnParts,
    ...foot.map((line, index) => `<text x="${margin}" y="${footTop + 20 * index}" font-size="13" fill="#555">${escapeXml(line)}</text>`),
    '</svg>',
    '',
  ].join('\n');
}

function footLines(others: readonly WiredPart[], width: number): string[] {
  const texts = [
    ...others.map(({ title, notes }) => `${title}: ${notes.join(' ')}`),
    'The header is seen from above, pin 1 at the corner of the board. Wire it with the power off; 5 V at a GPIO destroys it.',
  ];
  return texts.flatMap((text) => wrapText(text, width - 2 * margin, 13));
}

/** Each part stands on the side where most of its pins are, as high as they are, the fuller side giving way. */
function place(parts: readonly WiredPart[]): Placed[] {
  const columns: Record<Side, Placed[]> = { left: [], right: [] };
  const heightOf = (side: Side) => columns[side].reduce((sum, { part }) => sum + boxHeight(part) + partGap, 0);
  for (const part of parts.toSorted((a, b) => meanRow(a) - meanRow(b))) {
    const numbers = gpioNumbers(part);
    const odd = numbers.filter((number) => number % 2 === 1).length;
    const wish: Side = odd * 2 >= numbers.length ? 'left' : 'right';
    const other: Side = wish === 'left' ? 'right' : 'left';
    const side = heightOf(wish) > heightOf(other) + boxHeight(part) ? other : wish;
    columns[side].push({ part, side, top: 0 });
  }
  for (const column of Object.values(columns)) {
    let from = 0;
    const room = Math.max(0, 20 * rowHeight - column.reduce((sum, { part }) => sum + boxHeight(part) + partGap, -partGap));
    const gap = partGap + Math.floor(Math.min(room / (column.length + 1), 60) / 30) * 30;
    for (const placed of column) {
      placed.top = from;
      from += boxHeight(placed.part) + gap;
    }
  }
  return [...columns.left, ...columns.right];
}

function gpioNumbers(part: WiredPart): number[] {
  return part.terminals.flatMap(({ to }) => (typeof to === 'number' ? (headerNumberOf(to) ?? []) : []));
}

function meanRow(part: WiredPart): number {
  const numbers = gpioNumbers(part);
  return numbers.reduce((sum, number) => sum + number, 0) / Math.max(1, numbers.length);
}

/**
 * Every wire has a lane of its own in its channel. Pins lie at whole rows, crossings of the header at half ones and terminals between: so no
 * two wires ever lie on one line. Wires that go down take the outer lanes from the top, those that go up from the bottom: so they rarely cross.
 */
function route(placed: readonly Placed[]): Wire[] {
  const wires = placed.flatMap(({ part, side, top }) =>
    part.terminals.flatMap(({ to }, index): Wire[] => {
      const number = typeof to === 'number' ? headerNumberOf(to) : undefined;
      if (typeof to !== 'number' || number === undefined) return [];
      const crosses = (number % 2 === 1) !== (side === 'left');
      const from = Math.floor((number - 1) / 2) * rowHeight + rowHeight / 2 + (crosses ? rowHeight / 2 : 0);
      return [{ pin: to, side, from, to: top + terminalOffset(index), crosses, lane: 0 }];
    }),
  );
  for (const side of ['left', 'right'] as const) {
    const own = wires.filter((wire) => wire.side === side);
    const down = own.filter(({ from, to }) => to >= from).sort((a, b) => b.from - a.from);
    const up = own.filter(({ from, to }) => to < from).sort((a, b) => a.from - b.from);
    for (const [lane, wire] of [...up, ...down].entries()) wire.lane = lane;
  }
  return wires;
}

function drawWire(
  { side, from, to, crosses, lane, pin }: Wire,
  {
    top,
    headerLeft,
    color,
    partLeft,
  }: { readonly top: number; readonly headerLeft: number; readonly color: string; readonly partLeft: number },
): { halo: string; line: string } {
  const sign = side === 'left' ? -1 : 1;
  const edge = side === 'left' ? headerLeft - labelRoom : headerLeft + headerWidth + labelRoom;
  const laneX = edge + sign * (channelMargin + laneWidth * lane);
  const end = side === 'left' ? partLeft + partWidth : partLeft;
  const start = pinPosition(pin, { left: headerLeft, top });
  const points: [number, number][] = crosses
    ? [
        [start.x, start.y],
        [start.x + sign * 15, start.y + rowHeight / 2],
        [laneX, top + from],
      ]
    : [
        [start.x + sign * 12, start.y],
        [laneX, top + from],
      ];
  points.push([laneX, top + to], [end, top + to]);
  const path = roundedPath(points);
  const dot = `<circle cx="${end}" cy="${top + to}" r="3.5" fill="${color}"/>`;
  return {
    halo: `<path d="${path}" fill="none" stroke="#fff" stroke-width="6"/>`,
    line: `<path d="${path}" fill="none" stroke="${color}" stroke-width="2.4" stroke-linejoin="round"/>${dot}`,
  };
}

/** Corners are rounded by at most 6. */
function roundedPath(points: readonly [number, number][]): string {
  const [first = [0, 0]] = points;
  let path = `M${first[0]} ${first[1]}`;
  for (let index = 1; index < points.length; index++) {
    const [x = 0, y = 0] = points[index] ?? [];
    const next = points[index + 1];
    const [beforeX = 0, beforeY = 0] = points[index - 1] ?? [];
    if (!next) return `${path}L${x} ${y}`;
    const into = Math.min(6, Math.hypot(x - beforeX, y - beforeY) / 2);
    const out = Math.min(6, Math.hypot(next[0] - x, next[1] - y) / 2);
    const [enterX, enterY] = towards([x, y], [beforeX, beforeY], into);
    const [leaveX, leaveY] = towards([x, y], next, out);
    path += `L${enterX} ${enterY}Q${x} ${y} ${leaveX} ${leaveY}`;
  }
  return path;
}

function towards([x, y]: readonly [number, number], [toX, toY]: readonly [number, number], by: number): [number, number] {
  const length = Math.hypot(toX - x, toY - y) || 1;
  const round = (value: number) => Math.round(value * 10) / 10;
  return [round(x + ((toX - x) * by) / length), round(y + ((toY - y) * by) / length)];
}
