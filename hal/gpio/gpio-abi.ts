/**
 * The octets of the kernel's GPIO character device, second version of its interface (linux/gpio.h, Linux 5.10): the same on every
 * architecture that a Pi has, little-endian. Pure.
 */

/** Numbers of the calls: _IOR or _IOWR of 0xB4 with the size of their structure. */
export const gpioRequest = {
  chip: 0x8044_b401,
  lineState: 0xc100_b405,
  lines: 0xc250_b407,
  getValues: 0xc010_b40e,
  setValues: 0xc010_b40f,
} as const;

/** Flags of a line. */
export const lineFlag = {
  used: 1 << 0,
  activeLow: 1 << 1,
  input: 1 << 2,
  output: 1 << 3,
  bothEdges: (1 << 4) | (1 << 5),
  openDrain: 1 << 6,
  pullUp: 1 << 8,
  pullDown: 1 << 9,
  noPull: 1 << 10,
} as const;

const attributeId = { flags: 1, values: 2, debounce: 3 } as const;

/** Octets of the structures. */
const chipSize = 68;
const requestSize = 592;
const lineStateSize = 256;
const valuesSize = 16;
export const eventSize = 48;

const nameLength = 32;
const linesAtMost = 64;
const attributesAtMost = 10;

/** What is said of some lines of a request only; `lines` has a bit for each by its place in the request. */
export interface LineAttribute {
  readonly kind: keyof typeof attributeId;
  /** Flags, values by place, or µs. */
  readonly value: number | bigint;
  readonly lines: bigint;
}

export interface LineRequest {
  /** Numbers of lines of the chip. */
  readonly offsets: readonly number[];
  /** Who holds them, for whoever asks the kernel. */
  readonly consumer: string;
  readonly flags: number;
  readonly attributes: readonly LineAttribute[];
  /** Edges the kernel keeps for us; 0 = 16 for each line. */
  readonly events: number;
}

export interface ChipState {
  readonly name: string;
  readonly label: string;
  readonly lines: number;
}

export interface LineState {
  readonly name: string;
  /** Who holds it; empty when nobody does, or does not say. */
  readonly consumer: string;
  readonly used: boolean;
}

export interface LineEvent {
  /** CLOCK_MONOTONIC, ms. */
  readonly at: number;
  /** From inactive to active; polarity is applied already. */
  readonly active: boolean;
  readonly offset: number;
}

/** struct gpio_v2_line_request. The kernel writes the descriptor of the lines into it. */
export function lineRequestOctets({ offsets, consumer, flags, attributes, events }: LineRequest): Uint8Array {
  const octets = new Uint8Array(requestSize);
  const view = new DataView(octets.buffer);
  for (const [place, offset] of offsets.slice(0, linesAtMost).entries()) view.setUint32(4 * place, offset, true);
  octets.set(new TextEncoder().encode(consumer).subarray(0, nameLength - 1), 256);
  view.setBigUint64(288, BigInt(flags), true);
  view.setUint32(296, attributes.length, true);
  for (const [place, { kind, value, lines }] of attributes.slice(0, attributesAtMost).entries()) {
    const at = 320 + 24 * place;
    view.setUint32(at, attributeId[kind], true);
    view.setBigUint64(at + 8, BigInt(value), true);
    view.setBigUint64(at + 16, lines, true);
  }
  view.setUint32(560, offsets.length, true);
  view.setUint32(564, events, true);
  return octets;
}

/** The descriptor that a granted request came back with. */
export function descriptorOf(request: Uint8Array): number {
  return viewOf(request).getInt32(588, true);
}

/** struct gpio_v2_line_values: of the lines in `mask` by their place. */
export function valueOctets(values: bigint, mask: bigint): Uint8Array {
  const octets = new Uint8Array(valuesSize);
  const view = new DataView(octets.buffer);
  view.setBigUint64(0, values, true);
  view.setBigUint64(8, mask, true);
  return octets;
}

export function valuesOf(octets: Uint8Array): bigint {
  return viewOf(octets).getBigUint64(0, true);
}

/** Room for struct gpiochip_info. */
export function emptyChipOctets(): Uint8Array {
  return new Uint8Array(chipSize);
}

export function chipOf(octets: Uint8Array): ChipState {
  return { name: textAt(octets, 0), label: textAt(octets, nameLength), lines: viewOf(octets).getUint32(64, true) };
}

/** struct gpio_v2_line_info as a question for one line. */
export function lineStateOctets(offset: number): Uint8Array {
  const octets = new Uint8Array(lineStateSize);
  new DataView(octets.buffer).setUint32(64, offset, true);
  return octets;
}

export function lineStateOf(octets: Uint8Array): LineState {
  const flags = Number(viewOf(octets).getBigUint64(72, true));
  return { name: textAt(octets, 0), consumer: textAt(octets, nameLength), used: (flags & lineFlag.used) !== 0 };
}

/** Whole struct gpio_v2_line_event in what was read. */
export function eventsOf(octets: Uint8Array): LineEvent[] {
  const view = viewOf(octets);
  const events: LineEvent[] = [];
  for (let at = 0; at + eventSize <= octets.length; at += eventSize) {
    events.push({
      at: Number(view.getBigUint64(at, true)) / 1e6,
      active: view.getUint32(at + 8, true) === 1,
      offset: view.getUint32(at + 12, true),
    });
  }
  return events;
}

function viewOf(octets: Uint8Array): DataView {
  return new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
}

/** A name that ends with a NUL or with its room. */
function textAt(octets: Uint8Array, at: number): string {
  const room = octets.subarray(at, at + nameLength);
  const end = room.indexOf(0);
  return new TextDecoder().decode(end < 0 ? room : room.subarray(0, end));
}
