import type { Milliseconds } from '#firmware/core/clock.ts';
import { type DeviceCalls, DeviceError } from '#hal/device-calls.ts';

interface FakeChip {
  readonly path: string;
  readonly label: string;
  readonly lines: number;
}

interface Held {
  readonly offsets: readonly number[];
  readonly flags: readonly bigint[];
  /** Logical values of outputs by place. */
  values: bigint;
  readonly debounceUs: number;
  readonly events: Uint8Array[];
  readable: (() => void) | undefined;
}

const ACTIVE_LOW = 1n << 1n;
const OUTPUT = 1n << 3n;
const EDGES = 3n << 4n;
const OPEN_DRAIN = 1n << 6n;
const PULL_UP = 1n << 8n;
const PULL_DOWN = 1n << 9n;

/**
 * A kernel with GPIO chips, from linux/gpio.h anew: it reads and writes the octets of the calls by offsets that a C compiler gave
 * (`offsetof(struct gpio_v2_line_request, fd)` = 588 …), so that it shares no mistake with the driver.
 */
export class FakeGpioKernel implements DeviceCalls {
  readonly chips: FakeChip[];
  now: Milliseconds = 1_000;
  /** Kernels and chips that know no debouncing, or none of the interface. */
  refuse: { debounce?: boolean; version2?: boolean; open?: string } = {};
  /** Consumers of lines of others. */
  readonly taken = new Map<number, string>();
  /** Physical levels driven from outside; what is not in here floats. */
  readonly driven = new Map<number, boolean>();
  readonly #held = new Map<number, Held>();
  readonly #chipOf = new Map<number, FakeChip>();
  #lastDescriptor = 10;
  /** Whole requests for lines, as they came. */
  readonly requests: Uint8Array[] = [];

  constructor(chips: readonly Omit<FakeChip, 'path'>[]) {
    this.chips = chips.map((chip, index) => ({ ...chip, path: `/dev/gpiochip${index}` }));
  }

  get openDescriptors(): number {
    return this.#held.size + this.#chipOf.size;
  }

  list(prefix: string): string[] {
    return this.chips.map(({ path }) => path).filter((path) => path.startsWith(prefix));
  }

  open(path: string): number {
    if (this.refuse.open) throw new DeviceError(this.refuse.open, 'open');
    const chip = this.chips.find((one) => one.path === path);
    if (!chip) throw new DeviceError('ENOENT', 'open');
    this.#chipOf.set(++this.#lastDescriptor, chip);
    return this.#lastDescriptor;
  }

  close(descriptor: number): void {
    if (!this.#held.delete(descriptor) && !this.#chipOf.delete(descriptor)) throw new DeviceError('EBADF', 'close');
  }

  control(descriptor: number, request: number, argument: Uint8Array | number): void {
    if (typeof argument === 'number') throw new DeviceError('ENOTTY', 'ioctl');
    const view = new DataView(argument.buffer, argument.byteOffset, argument.byteLength);
    const size = (request >>> 16) & 0x3fff;
    if (size !== argument.length) throw new DeviceError('EFAULT', 'ioctl');
    const chip = this.#chipOf.get(descriptor);
    const held = this.#held.get(descriptor);
    if (chip && request === 0x8044b401) this.#describeChip(chip, argument, view);
    else if (this.refuse.version2) throw new DeviceError('ENOTTY', 'ioctl');
    else if (chip && request === 0xc100b405) this.#describeLine(argument, view);
    else if (chip && request === 0xc250b407) this.#request(chip, argument, view);
    else if (held && request === 0xc010b40e) this.#getValues(held, view);
    else if (held && request === 0xc010b40f) this.#setValues(held, view);
    else throw new DeviceError('EBADF', 'ioctl');
  }

  read(descriptor: number, into: Uint8Array): number {
    const held = this.#held.get(descriptor);
    if (!held) throw new DeviceError('ENODEV', 'read');
    let length = 0;
    while (length + 48 <= into.length) {
      const event = held.events.shift();
      if (!event) break;
      into.set(event, length);
      length += event.length;
    }
    return length;
  }

  watch(descriptor: number, readable: () => void): () => void {
    const held = this.#held.get(descriptor);
    if (held) held.readable = readable;
    return () => {
      if (held) held.readable = undefined;
    };
  }

  monotonicNow(): Milliseconds {
    return this.now;
  }

  /** Puts a wire at a level from outside, or lets it float; edges are kept until `deliver`. */
  drive(offset: number, level: boolean | undefined): void {
    const before = new Map([...this.#held.values()].map((held) => [held, held.offsets.map((line) => this.level(line))]));
    if (level === undefined) this.driven.delete(offset);
    else this.driven.set(offset, level);
    for (const [held, levels] of before) {
      for (const [place, line] of held.offsets.entries()) {
        const flags = held.flags[place] ?? 0n;
        const now = this.level(line);
        if (now !== levels[place] && flags & EDGES) held.events.push(this.#event(held, line, now !== ((flags & ACTIVE_LOW) !== 0n)));
      }
    }
  }

  /** The loop comes to it. */
  deliver(): void {
    for (const held of [...this.#held.values()]) if (held.events.length > 0) held.readable?.();
  }

  /** The driver is unbound: descriptors stay, and are readable for ever. */
  unbind(): void {
    const watchers = [...this.#held.values()].map(({ readable }) => readable);
    this.#held.clear();
    for (const readable of watchers) readable?.();
  }

  /** Physical level of a wire. */
  level(offset: number): boolean {
    const outside = this.driven.get(offset);
    if (outside !== undefined) return outside;
    for (const held of this.#held.values()) {
      const place = held.offsets.indexOf(offset);
      if (place < 0) continue;
      const flags = held.flags[place] ?? 0n;
      const active = ((held.values >> BigInt(place)) & 1n) === 1n;
      const high = active !== ((flags & ACTIVE_LOW) !== 0n);
      if (flags & OUTPUT && !(flags & OPEN_DRAIN && high)) return high;
      if (flags & PULL_UP) return true;
      if (flags & PULL_DOWN) return false;
    }
    return false;
  }

  #describeChip(chip: FakeChip, octets: Uint8Array, view: DataView): void {
    octets.set(new TextEncoder().encode(chip.path.slice(5)), 0);
    octets.set(new TextEncoder().encode(chip.label), 32);
    view.setUint32(64, chip.lines, true);
  }

  #describeLine(octets: Uint8Array, view: DataView): void {
    const offset = view.getUint32(64, true);
    const holder = this.taken.get(offset);
    octets.set(new TextEncoder().encode(`GPIO${offset}`), 0);
    octets.set(new TextEncoder().encode(holder ?? ''), 32);
    view.setBigUint64(72, holder === undefined ? 0n : 1n, true);
  }

  #request(chip: FakeChip, octets: Uint8Array, view: DataView): void {
    this.requests.push(octets.slice());
    const count = view.getUint32(560, true);
    const offsets = Array.from({ length: count }, (_, place) => view.getUint32(4 * place, true));
    const flags = offsets.map(() => view.getBigUint64(288, true));
    let values = 0n;
    let debounceUs = 0;
    for (let attribute = 0; attribute < view.getUint32(296, true); attribute++) {
      const at = 320 + 24 * attribute;
      const id = view.getUint32(at, true);
      const value = view.getBigUint64(at + 8, true);
      const mask = view.getBigUint64(at + 16, true);
      if (id === 1) for (const place of offsets.keys()) if ((mask >> BigInt(place)) & 1n) flags[place] = value;
      if (id === 2) values = value & mask;
      if (id === 3) debounceUs = view.getUint32(at + 8, true);
    }
    if (count === 0 || offsets.some((offset) => offset >= chip.lines)) throw new DeviceError('EINVAL', 'ioctl');
    if (flags.some((flag) => flag & OUTPUT && flag & EDGES)) throw new DeviceError('EINVAL', 'ioctl');
    if (debounceUs > 0 && this.refuse.debounce) throw new DeviceError('ENOTSUPP', 'ioctl');
    const busy = (offset: number) => this.taken.has(offset) || [...this.#held.values()].some((held) => held.offsets.includes(offset));
    if (offsets.some(busy)) throw new DeviceError('EBUSY', 'ioctl');
    this.#held.set(++this.#lastDescriptor, { offsets, flags, values, debounceUs, events: [], readable: undefined });
    view.setInt32(588, this.#lastDescriptor, true);
  }

  #getValues(held: Held, view: DataView): void {
    const mask = view.getBigUint64(8, true);
    let bits = 0n;
    for (const [place, offset] of held.offsets.entries()) {
      const activeLow = ((held.flags[place] ?? 0n) & ACTIVE_LOW) !== 0n;
      if (this.level(offset) !== activeLow) bits |= 1n << BigInt(place);
    }
    view.setBigUint64(0, bits & mask, true);
  }

  #setValues(held: Held, view: DataView): void {
    const mask = view.getBigUint64(8, true);
    for (const [place, flags] of held.flags.entries()) {
      if ((mask >> BigInt(place)) & 1n && !(flags & OUTPUT)) throw new DeviceError('EPERM', 'ioctl');
    }
    held.values = (held.values & ~mask) | (view.getBigUint64(0, true) & mask);
  }

  #event(held: Held, offset: number, active: boolean): Uint8Array {
    const octets = new Uint8Array(48);
    const view = new DataView(octets.buffer);
    // A debounced edge is stamped when it has held.
    view.setBigUint64(0, BigInt(Math.round(this.now * 1e6)) + BigInt(held.debounceUs) * 1000n, true);
    view.setUint32(8, active ? 1 : 2, true);
    view.setUint32(12, offset, true);
    return octets;
  }
}
