import { ledPage } from './usages.ts';

/**
 * The part of a HID report descriptor that says which buttons an input report carries and which lamps an output report lights (Device Class
 * Definition for HID 1.11 §6.2.2). Usages are numbers with the page in the upper 16 bits. A descriptor comes from a stranger's device: every count is bounded.
 */

/** A field of a report. */
interface Field {
  readonly reportId: number;
  /** Where it begins, in bits, the report id not counted. */
  readonly bit: number;
  readonly size: number;
  /** One usage for each of its values. */
  readonly usages: readonly number[];
  /** An array lists the usages that are active, by their place beginning at `logicalMinimum`; a variable has one value for each. */
  readonly array: { readonly count: number; readonly logicalMinimum: number } | undefined;
}

export interface ReportLayout {
  /** Of input reports. */
  readonly fields: readonly Field[];
  /** Of output reports. */
  readonly outputs: readonly Field[];
  /** Octets of each output report by its id, the id not counted. */
  readonly outputSizes: ReadonlyMap<number, number>;
  /** Usages of the LED page that an output report sets. */
  readonly lamps: ReadonlySet<number>;
  /** The first octet of each report is its id. */
  readonly numbered: boolean;
  /** Every usage that an input report may carry. */
  readonly usages: ReadonlySet<number>;
}

const bitsAtMost = 8 * 4096;
const usagesAtMost = 1024;
const stackAtMost = 16;

interface Globals {
  page: number;
  logicalMinimum: number;
  size: number;
  count: number;
  reportId: number;
}

/** Reads a descriptor as far as it makes sense. */
export function parseReportDescriptor(bytes: Uint8Array): ReportLayout {
  const reader = new DescriptorReader();
  let at = 0;
  while (at < bytes.length) {
    const prefix = bytes[at] ?? 0;
    // Long items (§6.2.2.3) are reserved: passed over.
    if (prefix === 0xfe) {
      at += 3 + (bytes[at + 1] ?? 0);
      continue;
    }
    const length = [0, 1, 2, 4][prefix & 3] ?? 0;
    if (at + 1 + length > bytes.length) break;
    reader.item(prefix & 0xfc, numberAt(bytes, at + 1, length), length);
    at += 1 + length;
  }
  return reader.layout();
}

/** The usages that are active in one report, and which report it was. */
export function activeUsages(layout: ReportLayout, report: Uint8Array): { readonly reportId: number; readonly usages: Set<number> } {
  const reportId = layout.numbered ? (report[0] ?? 0) : 0;
  const content = layout.numbered ? report.subarray(1) : report;
  const usages = new Set<number>();
  for (const field of layout.fields) {
    if (field.reportId !== reportId) continue;
    const count = field.array?.count ?? field.usages.length;
    for (let index = 0; index < count; index++) {
      const value = bitsAt(content, field.bit + index * field.size, field.size);
      const usage = field.array ? field.usages[value - field.array.logicalMinimum] : value === 0 ? undefined : field.usages[index];
      if (usage !== undefined) usages.add(usage);
    }
  }
  return { reportId, usages };
}

/**
 * The output reports that carry any of the usages in `meant`, with their id first, those in `lit` set. What else a report carries is not set: a
 * ringer that is not ours to ring stays silent.
 */
export function outputReports(layout: ReportLayout, lit: ReadonlySet<number>, meant: ReadonlySet<number>): Uint8Array[] {
  const reports: Uint8Array[] = [];
  for (const [reportId, size] of layout.outputSizes) {
    const fields = layout.outputs.filter((field) => field.reportId === reportId);
    if (!fields.some(({ usages }) => usages.some((usage) => meant.has(usage)))) continue;
    const report = new Uint8Array(1 + size);
    report[0] = reportId;
    for (const field of fields) setField(report.subarray(1), field, lit);
    reports.push(report);
  }
  return reports;
}

function setField(content: Uint8Array, { bit, size, usages, array }: Field, lit: ReadonlySet<number>): void {
  if (array) {
    const listed = usages.flatMap((usage, index) => (lit.has(usage) ? [index + array.logicalMinimum] : []));
    for (let place = 0; place < array.count; place++) setBits(content, bit + place * size, size, listed[place] ?? 0);
  } else {
    for (const [index, usage] of usages.entries()) setBits(content, bit + index * size, size, lit.has(usage) ? 1 : 0);
  }
}

class DescriptorReader {
  readonly #fields: Field[] = [];
  readonly #outputs: Field[] = [];
  readonly #stack: Globals[] = [];
  /** Bits laid out so far, by report id. */
  readonly #bits = new Map<number, number>();
  readonly #outputBits = new Map<number, number>();
  #globals: Globals = { page: 0, logicalMinimum: 0, size: 0, count: 0, reportId: 0 };
  #usages: number[] = [];
  #minimum: number | undefined;
  #numbered = false;

  /** One item: its tag and type, and its value unsigned. */
  item(tag: number, value: number, length: number): void {
    const globals = this.#globals;
    switch (tag) {
      case 0x04:
        globals.page = value & 0xffff;
        return;
      case 0x14:
        globals.logicalMinimum = signed(value, length);
        return;
      case 0x74:
        globals.size = value;
        return;
      case 0x84:
        globals.reportId = value & 0xff;
        this.#numbered = true;
        return;
      case 0x94:
        globals.count = value;
        return;
      case 0xa4:
        if (this.#stack.length < stackAtMost) this.#stack.push({ ...globals });
        return;
      case 0xb4:
        this.#globals = this.#stack.pop() ?? globals;
        return;
      case 0x08:
        this.#addUsages(this.#fullUsage(value, length), 1);
        return;
      case 0x18:
        this.#minimum = this.#fullUsage(value, length);
        return;
      case 0x28:
        if (this.#minimum !== undefined) this.#addUsages(this.#minimum, this.#fullUsage(value, length) - this.#minimum + 1);
        this.#minimum = undefined;
        return;
      case 0x80:
        this.#field(value, this.#bits, this.#fields);
        this.#endOfLocals();
        return;
      case 0x90:
        this.#field(value, this.#outputBits, this.#outputs);
        this.#endOfLocals();
        return;
      // Feature, collection and its end: nothing for us, but locals end with them.
      case 0xb0:
      case 0xa0:
      case 0xc0:
        this.#endOfLocals();
    }
  }

  layout(): ReportLayout {
    return {
      fields: this.#fields,
      outputs: this.#outputs,
      outputSizes: new Map([...this.#outputBits].map(([reportId, bits]) => [reportId, Math.ceil(bits / 8)])),
      lamps: new Set(this.#outputs.flatMap(({ usages }) => usages.filter((usage) => usage >> 16 === ledPage))),
      numbered: this.#numbered,
      usages: new Set(this.#fields.flatMap((field) => field.usages)),
    };
  }

  #field(flags: number, laid: Map<number, number>, fields: Field[]): void {
    const { reportId, size, count, logicalMinimum } = this.#globals;
    const bit = laid.get(reportId) ?? 0;
    const bits = size * count;
    if (size < 1 || bits < 1 || bit + bits > bitsAtMost) return;
    laid.set(reportId, bit + bits);
    const constant = (flags & 1) !== 0;
    if (constant || size > 32 || this.#usages.length === 0) return;
    const isVariable = (flags & 2) !== 0;
    // The last usage stands for all values that have none of their own.
    const last = this.#usages.at(-1) ?? 0;
    const usages = isVariable
      ? Array.from({ length: Math.min(count, usagesAtMost) }, (_, index) => this.#usages[index] ?? last)
      : this.#usages;
    fields.push({ reportId, bit, size, usages, array: isVariable ? undefined : { count, logicalMinimum } });
  }

  #endOfLocals(): void {
    this.#usages = [];
    this.#minimum = undefined;
  }

  /** A usage of four octets brings its own page. */
  #fullUsage(value: number, length: number): number {
    return length === 4 ? value : this.#globals.page * 0x10000 + value;
  }

  #addUsages(first: number, count: number): void {
    for (let index = 0; index < count && this.#usages.length < usagesAtMost; index++) this.#usages.push(first + index);
  }
}

function numberAt(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let index = length - 1; index >= 0; index--) value = value * 256 + (bytes[at + index] ?? 0);
  return value;
}

function signed(value: number, length: number): number {
  const half = 2 ** (8 * length - 1);
  return length > 0 && value >= half ? value - 2 * half : value;
}

/** The counterpart of `bitsAt`. */
function setBits(bytes: Uint8Array, bit: number, size: number, value: number): void {
  for (let index = 0; index < size; index++) {
    const at = (bit + index) >> 3;
    if (at < bytes.length && (value / 2 ** index) & 1) bytes[at] = (bytes[at] ?? 0) | (1 << ((bit + index) & 7));
  }
}

/** `size` bits, at most 32, beginning at `bit`, least significant first; bits beyond the report are 0. */
function bitsAt(bytes: Uint8Array, bit: number, size: number): number {
  let value = 0;
  for (let index = size - 1; index >= 0; index--) {
    const octet = bytes[(bit + index) >> 3] ?? 0;
    value = value * 2 + ((octet >> ((bit + index) & 7)) & 1);
  }
  return value;
}
