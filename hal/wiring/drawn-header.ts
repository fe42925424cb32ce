import { headerNumberOf, headerPins } from '../header.ts';

export const rowHeight = 30;
const columnDistance = 30;
const padding = 18;
export const headerWidth = columnDistance + 2 * padding;

const supplyColors = { '3V3': '#e07b00', '5V': '#c62828', GND: '#222' } as const;

interface Corner {
  readonly left: number;
  readonly top: number;
}

/** The middle of the pin of a GPIO. */
export function pinPosition(gpio: number, corner: Corner): { x: number; y: number } {
  return positionOf(headerNumberOf(gpio) ?? 1, corner);
}

/** What the pins stand in; wires that cross it lie between it and them. */
export function drawHeaderBody({ left, top }: Corner): string {
  return `<rect x="${left}" y="${top - 6}" width="${headerWidth}" height="${20 * rowHeight + 12}" rx="8" fill="#2b2f33"/>`;
}

/** The 40 pins with their numbers, used ones in the colour of their wire, and what each is beside it. */
export function drawHeaderPins(corner: Corner, colors: ReadonlyMap<number, string>, taken: ReadonlySet<number>): string {
  const { left } = corner;
  const pins = headerPins.map((pin, index) => {
    const number = index + 1;
    const { x, y } = positionOf(number, corner);
    const color = pin.kind === 'gpio' ? colors.get(pin.gpio) : supplyColors[pin.kind];
    const used = pin.kind === 'gpio' ? color !== undefined : taken.has(number);
    const odd = number % 2 === 1;
    const labelX = odd ? left - 12 : left + headerWidth + 12;
    const name = pin.kind === 'gpio' ? `GPIO ${pin.gpio}` : pin.kind === '3V3' ? '3.3 V' : pin.kind === '5V' ? '5 V' : 'GND';
    const ink = used ? (color ?? '#222') : '#a5a5a5';
    // Number 1 is square, as on the board.
    const shape = number === 1 ? `<rect x="${x - 11}" y="${y - 11}" width="22" height="22" rx="3"` : `<circle cx="${x}" cy="${y}" r="11"`;
    return [
      `${shape} fill="${color ?? '#d7d7d7'}" ${used ? 'stroke="#fff" stroke-width="2"' : 'opacity="0.85"'}/>`,
      `<text x="${x}" y="${y + 3.8}" font-size="10.5" text-anchor="middle" fill="${color ? '#fff' : '#666'}">${number}</text>`,
      `<text x="${labelX}" y="${y - 3.6}" font-size="10.5" text-anchor="${odd ? 'end' : 'start'}" fill="${ink}"${used ? ' font-weight="bold"' : ''}>${name}</text>`,
    ].join('');
  });
  return pins.join('\n');
}

function positionOf(number: number, { left, top }: Corner): { x: number; y: number } {
  const row = Math.floor((number - 1) / 2);
  return { x: left + padding + (number % 2 === 1 ? 0 : columnDistance), y: top + row * rowHeight + rowHeight / 2 };
}
