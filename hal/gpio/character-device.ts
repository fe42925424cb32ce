import type { GpioLineProfile } from '#firmware/contract/hal.ts';
import type { Clock, Milliseconds } from '#firmware/core/clock.ts';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import { type DeviceCalls, DeviceError } from '../device-calls.ts';
import type { BankProfile, InputLine, LineDriver, LineFailure, OutputLine, WireBank } from '../ports.ts';
import {
  type ChipState,
  chipOf,
  descriptorOf,
  emptyChipOctets,
  eventSize,
  eventsOf,
  gpioRequest,
  type LineAttribute,
  type LineRequest,
  lineFlag,
  lineRequestOctets,
  lineStateOctets,
  lineStateOf,
  valueOctets,
  valuesOf,
} from './gpio-abi.ts';
import { headerChipOf } from './header-chips.ts';
import type { OutputJournal } from './output-journal.ts';

/** Who holds our lines, for whoever asks the kernel (`gpioinfo`). */
const consumer = 'hookswitch';
/** Edges that may wait for us: a dial sends twenty for a 0. */
const eventsKept = 64;
const devicePrefix = '/dev/gpiochip';
const journalWord = 'gpiochip';

/** The chip with the pins of the header. */
export interface HeaderChip extends ChipState {
  readonly path: string;
}

/**
 * GPIO lines through the kernel's character device: pulls, debouncing and time stamps are the kernel's, edges are counted and never lost,
 * and lines are given back however this process ends. Most chips keep the level of an output even then, so outputs are journalled too.
 */
export class CharacterDeviceLines implements LineDriver<GpioLineProfile> {
  readonly #load: () => Promise<DeviceCalls>;
  readonly #clock: Clock;
  readonly #outputs: OutputJournal;
  #calls: Promise<DeviceCalls> | undefined;

  /** `load` is asked for the system calls when a line is first wanted. */
  constructor(load: () => Promise<DeviceCalls>, clock: Clock, outputs: OutputJournal) {
    this.#load = load;
    this.#clock = clock;
    this.#outputs = outputs;
  }

  /** Finds the chip of the header, by its label: its number differs between kernels. Rejects with ResourceError in plain words. */
  async findHeader(): Promise<HeaderChip> {
    const calls = await this.#deviceCalls();
    const chips: HeaderChip[] = [];
    const refused: string[] = [];
    for (const path of calls.list(devicePrefix)) {
      try {
        chips.push({ path, ...withDescriptor(calls, path, (descriptor) => chipAt(calls, descriptor)) });
      } catch (thrown) {
        refused.push(`${path} (${reasonOf(thrown, 'it')})`);
      }
    }
    const chip = headerChipOf(chips);
    if (chip) return chip;
    if (chips.length === 0 && refused.length === 0) throw new ResourceError(`this kernel has no ${devicePrefix}0`);
    const found = [...chips.map(({ label, path }) => `${path} (${label})`), ...refused].join(', ');
    throw new ResourceError(`none of ${found} is a GPIO header we know`);
  }

  async openInput(profile: GpioLineProfile, failed: LineFailure): Promise<InputLine> {
    const calls = await this.#deviceCalls();
    const debounceUs = Math.round(profile.debounceMs * 1000);
    const debouncing: LineAttribute[] = debounceUs > 0 ? [{ kind: 'debounce', value: debounceUs, lines: 1n }] : [];
    const request: LineRequest = {
      offsets: [profile.pin],
      consumer,
      flags: lineFlag.input | lineFlag.bothEdges | (profile.activeLow ? lineFlag.activeLow : 0) | pullFlag(profile.pull),
      attributes: debouncing,
      events: eventsKept,
    };
    const make = (descriptor: number, settledMs: Milliseconds) =>
      new KernelInput(calls, descriptor, this.#clock, profile.pin, settledMs, failed);
    try {
      return make(await this.#request(request), debouncing.length > 0 ? profile.debounceMs : 0);
    } catch (thrown) {
      if (debouncing.length === 0 || !(thrown instanceof RefusedRequest) || thrown.code === 'EBUSY') throw thrown;
      // Ours then.
      return make(await this.#request({ ...request, attributes: [] }), 0);
    }
  }

  async openOutput(profile: GpioLineProfile, failed: LineFailure): Promise<OutputLine> {
    const calls = await this.#deviceCalls();
    const { label } = await this.findHeader();
    const entry = `${journalWord} ${label} ${profile.pin} ${profile.activeLow ? 'high' : 'low'}`;
    this.#outputs.opened(entry);
    try {
      const descriptor = await this.#request(outputRequest(profile.pin, profile.activeLow));
      return new KernelOutput(calls, descriptor, profile.pin, failed, () => this.#outputs.closed(entry));
    } catch (thrown) {
      this.#outputs.closed(entry);
      throw thrown;
    }
  }

  /** All in one request, so they are read at one moment. */
  async openBank({ listening, drawn }: BankProfile, failed: LineFailure): Promise<WireBank> {
    const calls = await this.#deviceCalls();
    const drawnLines = ((1n << BigInt(drawn.length)) - 1n) << BigInt(listening.length);
    const attributes: LineAttribute[] = [
      { kind: 'flags', value: lineFlag.output | lineFlag.openDrain | lineFlag.pullUp, lines: drawnLines },
      { kind: 'values', value: drawnLines, lines: drawnLines },
    ];
    const descriptor = await this.#request({
      offsets: [...listening, ...drawn],
      consumer,
      flags: lineFlag.input | lineFlag.bothEdges | lineFlag.pullUp,
      attributes: drawn.length > 0 ? attributes : [],
      events: 0,
    });
    return new KernelBank(calls, descriptor, { listening: listening.length, all: listening.length + drawn.length }, failed);
  }

  /** Makes inactive what a predecessor that was killed has left, by its entries in the journal; returns those that it did. */
  async makeSafe(entries: readonly string[]): Promise<string[]> {
    const made: string[] = [];
    for (const entry of entries) {
      const [word, label, pin, inactive] = entry.split(' ');
      if (word !== journalWord || (await this.#labelOfHeader()) !== label) continue;
      const descriptor = await this.#request(outputRequest(Number(pin), inactive === 'high'));
      (await this.#deviceCalls()).close(descriptor);
      made.push(entry);
    }
    return made;
  }

  async #labelOfHeader(): Promise<string> {
    return (await this.findHeader()).label;
  }

  #deviceCalls(): Promise<DeviceCalls> {
    this.#calls ??= this.#load();
    return this.#calls;
  }

  async #request(request: LineRequest): Promise<number> {
    const calls = await this.#deviceCalls();
    const { path, label, lines } = await this.findHeader();
    const beyond = request.offsets.find((offset) => offset >= lines);
    if (beyond !== undefined) throw new ResourceError(`GPIO ${beyond} is beyond the ${lines} lines of ${label}`);
    return withDescriptor(calls, path, (chip) => {
      const octets = lineRequestOctets(request);
      try {
        calls.control(chip, gpioRequest.lines, octets);
        return descriptorOf(octets);
      } catch (thrown) {
        throw refusalOf(calls, chip, request.offsets, thrown);
      }
    });
  }
}

/** The kernel said no; in plain words, with its own word for those who try again in another way. */
class RefusedRequest extends ResourceError {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

class KernelInput implements InputLine {
  readonly settled: boolean;
  readonly exact = true;
  readonly #calls: DeviceCalls;
  readonly #descriptor: number;
  readonly #clock: Clock;
  readonly #settledMs: Milliseconds;
  readonly #fault: LineFault;
  readonly #room = new Uint8Array(16 * eventSize);
  #active = false;
  #open = true;
  #unwatch: () => void = () => {};

  constructor(calls: DeviceCalls, descriptor: number, clock: Clock, pin: number, settledMs: Milliseconds, failed: LineFailure) {
    this.#calls = calls;
    this.#descriptor = descriptor;
    this.#clock = clock;
    this.#settledMs = settledMs;
    this.settled = settledMs > 0;
    this.#fault = new LineFault(`GPIO ${pin}`, failed);
    this.isActive();
  }

  isActive(): boolean {
    if (!this.#open) return this.#active;
    this.#fault.guard(() => {
      const octets = valueOctets(0n, 1n);
      this.#calls.control(this.#descriptor, gpioRequest.getValues, octets);
      this.#active = valuesOf(octets) === 1n;
    });
    return this.#active;
  }

  watch(changed: (active: boolean, at: Milliseconds) => void): void {
    this.#unwatch = this.#calls.watch(this.#descriptor, () => {
      const read = this.#fault.guard(() => this.#calls.read(this.#descriptor, this.#room));
      // Unplugged or unbound: it would be readable for ever.
      if (read === undefined) this.#unwatch();
      for (const { at, active } of eventsOf(this.#room.subarray(0, read ?? 0))) if (this.#open) changed(active, this.#timeOf(at));
    });
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#unwatch();
    this.#calls.close(this.#descriptor);
  }

  /** Our own time of an edge. The kernel stamps a debounced one when it has held. */
  #timeOf(stamp: Milliseconds): Milliseconds {
    const ago = Math.max(0, this.#calls.monotonicNow() - stamp);
    return this.#clock.now() - ago - this.#settledMs;
  }
}

class KernelOutput implements OutputLine {
  readonly #calls: DeviceCalls;
  readonly #descriptor: number;
  readonly #fault: LineFault;
  readonly #onClosed: () => void;
  #open = true;

  constructor(calls: DeviceCalls, descriptor: number, pin: number, failed: LineFailure, onClosed: () => void) {
    this.#calls = calls;
    this.#descriptor = descriptor;
    this.#fault = new LineFault(`GPIO ${pin}`, failed);
    this.#onClosed = onClosed;
  }

  set(active: boolean): void {
    if (!this.#open) return;
    this.#fault.guard(() => this.#calls.control(this.#descriptor, gpioRequest.setValues, valueOctets(active ? 1n : 0n, 1n)));
  }

  async close(): Promise<void> {
    this.set(false);
    if (!this.#open) return;
    this.#open = false;
    this.#calls.close(this.#descriptor);
    this.#onClosed();
  }
}

class KernelBank implements WireBank {
  readonly #calls: DeviceCalls;
  readonly #descriptor: number;
  readonly #count: { readonly listening: number; readonly all: number };
  readonly #fault: LineFault;
  readonly #room = new Uint8Array(16 * eventSize);
  #open = true;
  #unwatch: () => void = () => {};

  constructor(calls: DeviceCalls, descriptor: number, count: { readonly listening: number; readonly all: number }, failed: LineFailure) {
    this.#calls = calls;
    this.#descriptor = descriptor;
    this.#count = count;
    this.#fault = new LineFault('the key matrix', failed);
  }

  draw(wires: readonly number[]): void {
    const { listening, all } = this.#count;
    if (!this.#open || all === listening) return;
    const mask = ((1n << BigInt(all - listening)) - 1n) << BigInt(listening);
    const low = wires.reduce((bits, wire) => bits | (1n << BigInt(wire)), 0n);
    this.#fault.guard(() => this.#calls.control(this.#descriptor, gpioRequest.setValues, valueOctets(mask & ~low, mask)));
  }

  low(): readonly boolean[] {
    const mask = (1n << BigInt(this.#count.all)) - 1n;
    const octets = valueOctets(0n, mask);
    const read = this.#open && this.#fault.guard(() => this.#calls.control(this.#descriptor, gpioRequest.getValues, octets) ?? true);
    const levels = read ? valuesOf(octets) : mask;
    return Array.from({ length: this.#count.all }, (_, wire) => ((levels >> BigInt(wire)) & 1n) === 0n);
  }

  watch(moved: () => void): void {
    this.#unwatch = this.#calls.watch(this.#descriptor, () => {
      const read = this.#fault.guard(() => this.#calls.read(this.#descriptor, this.#room));
      if (read === undefined) this.#unwatch();
      else if (this.#open && read > 0) moved();
    });
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.draw([]);
    this.#open = false;
    this.#unwatch();
    this.#calls.close(this.#descriptor);
  }
}

/** Reports the first failure of a line. */
class LineFault {
  readonly #name: string;
  readonly #failed: LineFailure;
  #reported = false;

  constructor(name: string, failed: LineFailure) {
    this.#name = name;
    this.#failed = failed;
  }

  /** The result of `act`, or `undefined` when it failed. */
  guard<Result>(act: () => Result): Result | undefined {
    try {
      return act();
    } catch (thrown) {
      if (!this.#reported) this.#failed(`${this.#name}: ${reasonOf(thrown, 'it')}`);
      this.#reported = true;
      return undefined;
    }
  }
}

function outputRequest(pin: number, activeLow: boolean): LineRequest {
  const flags = lineFlag.output | (activeLow ? lineFlag.activeLow : 0);
  return { offsets: [pin], consumer, flags, attributes: [{ kind: 'values', value: 0n, lines: 1n }], events: 0 };
}

function pullFlag(pull: GpioLineProfile['pull']): number {
  switch (pull) {
    case 'up':
      return lineFlag.pullUp;
    case 'down':
      return lineFlag.pullDown;
    case 'none':
      return lineFlag.noPull;
    case undefined:
      return 0;
    default:
      return pull satisfies never;
  }
}

function chipAt(calls: DeviceCalls, descriptor: number): ChipState {
  const octets = emptyChipOctets();
  calls.control(descriptor, gpioRequest.chip, octets);
  // Kernels before 5.10 know nothing of the interface used here.
  calls.control(descriptor, gpioRequest.lineState, lineStateOctets(0));
  return chipOf(octets);
}

function withDescriptor<Result>(calls: DeviceCalls, path: string, use: (descriptor: number) => Result): Result {
  const descriptor = calls.open(path);
  try {
    return use(descriptor);
  } finally {
    calls.close(descriptor);
  }
}

/** Why a request was refused, and who holds the line when it is taken. */
function refusalOf(calls: DeviceCalls, chip: number, offsets: readonly number[], thrown: unknown): ResourceError {
  const code = thrown instanceof DeviceError ? thrown.code : '';
  if (code !== 'EBUSY') return new RefusedRequest(code, reasonOf(thrown, offsets.map((offset) => `GPIO ${offset}`).join(', ')));
  const held = offsets.flatMap((offset) => {
    const octets = lineStateOctets(offset);
    calls.control(chip, gpioRequest.lineState, octets);
    const { consumer: holder, used } = lineStateOf(octets);
    return used
      ? [`GPIO ${offset} is used by another program or by a kernel driver: ${holder === '' ? 'it gives no name' : `“${holder}”`}`]
      : [];
  });
  return new RefusedRequest(code, held.join('; ') || `${offsets.map((offset) => `GPIO ${offset}`).join(', ')} was in use a moment ago`);
}

/** What the kernel's error means for the person who wired the board. */
function reasonOf(thrown: unknown, what: string): string {
  switch (thrown instanceof DeviceError ? thrown.code : '') {
    case 'EACCES':
    case 'EPERM':
      return `${what} may not be used by us: add the user to the group gpio`;
    case 'EINVAL':
      return `${what} cannot be set up so by this chip`;
    case 'ENODEV':
      return `${what} has gone: its driver was removed`;
    case 'ENOTTY':
      return `${what} needs a kernel of version 5.10 or later`;
    default:
      return `${what}: ${messageOf(thrown)}`;
  }
}
