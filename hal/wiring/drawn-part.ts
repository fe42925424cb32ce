import { rowHeight } from './drawn-header.ts';
import type { Supply, SupplyPins } from './supply-pins.ts';
import { escapeXml, wrapText } from './svg-text.ts';
import type { Terminal, WiredPart } from './wired-parts.ts';

export const partWidth = 292;
const titleHeight = 30;
const noteSize = 12;
const noteHeight = 17;
const inset = 14;
const keySize = 26;
const keyGap = 5;

const supplyInks: Readonly<Record<Supply, string>> = { '3V3': '#e07b00', '5V': '#c62828', GND: '#222' };

export interface PartPlace {
  readonly side: 'left' | 'right';
  readonly left: number;
  readonly top: number;
  readonly headerTop: number;
}

/** Whole rows high, so that the terminals of all parts lie at the same height within a row. */
export function boxHeight(part: WiredPart): number {
  const { length } = notesOf(part);
  const notes = length > 0 ? length * noteHeight + 10 : 0;
  const keys = part.keys ? part.keys.length * (keySize + keyGap) + 12 : 0;
  const rows = Math.max(part.terminals.length * rowHeight, keys);
  return Math.ceil((titleHeight + rows + notes + 8) / rowHeight) * rowHeight;
}

/** From the upper edge of its part: three quarters down a row. */
export function terminalOffset(index: number): number {
  return titleHeight + index * rowHeight + (rowHeight * 3) / 4;
}

/** A box with its terminals at the edge that faces the header. Supplies are named, not wired. */
export function drawPart(part: WiredPart, place: PartPlace, supply: SupplyPins, colors: ReadonlyMap<number, string>): string {
  const { side, left, top, headerTop } = place;
  const height = boxHeight(part);
  const edge = side === 'left' ? left + partWidth : left;
  const inward = side === 'left' ? -1 : 1;
  const rows = part.terminals.map((terminal, index) => {
    const y = top + terminalOffset(index);
    return typeof terminal.to === 'number'
      ? wireTerminal(terminal, { edge, inward, y }, colors.get(terminal.to) ?? '#000')
      : supplyTerminal(terminal, { edge, inward, y }, terminal.to, supply.take(terminal.to, (y - headerTop) / rowHeight));
  });
  const notesTop = top + height - 10 - (notesOf(part).length - 1) * noteHeight;
  return [
    `<rect x="${left}" y="${top}" width="${partWidth}" height="${height}" rx="10" fill="#fbfaf7" stroke="#c9c5bb" stroke-width="1.5"/>`,
    `<text x="${left + inset}" y="${top + 21}" font-size="14.5" font-weight="bold" fill="#222">${escapeXml(part.title)}</text>`,
    ...rows,
    ...(part.keys
      ? [drawKeys(part.keys, { x: side === 'left' ? left + inset : left + partWidth - inset, y: top + titleHeight + 8, side })]
      : []),
    ...notesOf(part).map(
      (line, index) =>
        `<text x="${left + inset}" y="${notesTop + index * noteHeight}" font-size="${noteSize}" fill="#6b665c">${escapeXml(line)}</text>`,
    ),
  ].join('\n');
}

interface TerminalPlace {
  readonly edge: number;
  /** 1 = to the right. */
  readonly inward: 1 | -1;
  readonly y: number;
}

function wireTerminal({ label, to }: Terminal, { edge, inward, y }: TerminalPlace, color: string): string {
  const anchor = inward === 1 ? 'start' : 'end';
  const [first, second] = [
    `<tspan font-weight="bold" fill="${color}">GPIO ${to}</tspan>`,
    `<tspan fill="#222">${escapeXml(label)}</tspan>`,
  ];
  const text = inward === 1 ? `${second} <tspan fill="#999">·</tspan> ${first}` : `${first} <tspan fill="#999">·</tspan> ${second}`;
  return `<text x="${edge + inward * 12}" y="${y + 4.5}" font-size="12.5" text-anchor="${anchor}">${text}</text>`;
}

function supplyTerminal(
  { label }: Terminal,
  { edge, inward, y }: TerminalPlace,
  supply: Supply,
  { number, shared }: { readonly number: number; readonly shared: boolean },
): string {
  const name = supply === '3V3' ? '3.3 V' : supply === '5V' ? '5 V' : 'GND';
  const tag = `${name} · pin ${number}${shared ? ' too' : ''}`;
  const width = 96 + (shared ? 26 : 0);
  const x = inward === 1 ? edge + 10 : edge - 10 - width;
  const labelX = inward === 1 ? x + width + 8 : x - 8;
  return [
    `<rect x="${x}" y="${y - 10}" width="${width}" height="20" rx="10" fill="${supplyInks[supply]}"/>`,
    `<text x="${x + width / 2}" y="${y + 4.2}" font-size="11.5" text-anchor="middle" fill="#fff">${tag}</text>`,
    `<text x="${labelX}" y="${y + 4.5}" font-size="12.5" text-anchor="${inward === 1 ? 'start' : 'end'}" fill="#222">${escapeXml(label)}</text>`,
  ].join('');
}

function drawKeys(
  keys: readonly (readonly string[])[],
  { x, y, side }: { readonly x: number; readonly y: number; readonly side: 'left' | 'right' },
): string {
  const columns = Math.max(...keys.map(({ length }) => length));
  const width = columns * (keySize + keyGap) - keyGap;
  const left = side === 'left' ? x : x - width;
  return keys
    .flatMap((row, rowIndex) =>
      row.map((key, columnIndex) => {
        if (key === '') return '';
        const [keyX, keyY] = [left + columnIndex * (keySize + keyGap), y + rowIndex * (keySize + keyGap)];
        const size = key.length > 1 ? 7.5 : 13;
        return [
          `<rect x="${keyX}" y="${keyY}" width="${keySize}" height="${keySize}" rx="6" fill="#e8e4da" stroke="#b9b4a7"/>`,
          `<text x="${keyX + keySize / 2}" y="${keyY + keySize / 2 + size * 0.36}" font-size="${size}" text-anchor="middle" fill="#26241f">${escapeXml(key.slice(0, 6))}</text>`,
        ].join('');
      }),
    )
    .join('');
}

function notesOf({ notes }: WiredPart): string[] {
  return notes.flatMap((note) => wrapText(note, partWidth - 2 * inset, noteSize));
}
