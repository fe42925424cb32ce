import { constants } from 'node:fs';
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Gpio } from 'onoff';
import type { GpioLineProfile } from '#firmware/contract/hal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import type { BankProfile, InputLine, LineDriver, LineFailure, OutputLine, WireBank } from '../ports.ts';
import { type GpioTree, kernelNumberOf } from './kernel-number.ts';
import type { OutputJournal } from './output-journal.ts';

/** udev needs a moment to give a fresh line to the group gpio. */
const permissionWithinMs: Milliseconds = 1_000;
const lookEveryMs: Milliseconds = 20;

/**
 * GPIO lines through onoff, that is, the kernel's sysfs. Lines are exported and waited for here: onoff would do it by a loop that blocks the
 * process, and for a line exported before it swallows every error, so direction and polarity are read back.
 *
 * onoff tells of edges 0.2–0.3 ms after they came, but of a hundred fast ones once: good for contacts, not for counting. Nor can sysfs pull a
 * line up or down: it stays as the boot loader left it.
 */
export class OnoffLines implements LineDriver<GpioLineProfile> {
  readonly #tree: GpioTree;
  readonly #outputs: OutputJournal;

  /** Open outputs stand in `outputs`, for whoever comes after us. */
  constructor(tree: GpioTree, outputs: OutputJournal) {
    this.#tree = tree;
    this.#outputs = outputs;
  }

  async openInput(profile: GpioLineProfile, failed: LineFailure): Promise<InputLine> {
    const value = await this.#valueOf(profile.pin);
    return new OnoffInput(await this.#open(profile, 'in', value), profile.pin, failed);
  }

  async openOutput(profile: GpioLineProfile, failed: LineFailure): Promise<OutputLine> {
    const value = await this.#valueOf(profile.pin);
    this.#outputs.opened(value.path);
    try {
      const line = await this.#open(profile, 'out', value);
      return new OnoffOutput(line, profile.pin, failed, () => this.#outputs.closed(value.path));
    } catch (thrown) {
      this.#outputs.closed(value.path);
      throw thrown;
    }
  }

  /** A wire that is drawn is an output that is low; one that is let go is an input. */
  async openBank({ listening, drawn }: BankProfile, failed: LineFailure): Promise<WireBank> {
    const wires: Gpio[] = [];
    try {
      for (const pin of [...listening, ...drawn]) {
        const profile: GpioLineProfile = { driver: 'gpio', pin, activeLow: false, debounceMs: 0 };
        wires.push(await this.#open(profile, 'in', await this.#valueOf(pin)));
      }
    } catch (thrown) {
      for (const wire of wires) wire.unexport();
      throw thrown;
    }
    return new OnoffBank(wires, listening.length, failed);
  }

  async #valueOf(pin: number): Promise<{ number: number; path: string }> {
    const number = await kernelNumberOf(pin, this.#tree);
    return { number, path: join(this.#tree.gpio, `gpio${number}`, 'value') };
  }

  async #open(profile: GpioLineProfile, direction: 'in' | 'out', { number, path }: { number: number; path: string }): Promise<Gpio> {
    await this.#exportLine(profile.pin, number, path);
    const { Gpio } = await import('onoff');
    try {
      // `high` and `low` set direction and level in one step, and mean the wire: what is inactive depends on the polarity.
      const inactive = profile.activeLow ? 'high' : 'low';
      const options = { activeLow: profile.activeLow };
      const line = direction === 'in' ? new Gpio(number, 'in', 'both', options) : new Gpio(number, inactive, 'none', options);
      if (line.direction() === direction && line.activeLow() === profile.activeLow) return line;
      line.unexport();
    } catch (thrown) {
      throw new ResourceError(reasonOf(thrown, `GPIO ${profile.pin}`));
    }
    throw new ResourceError(`GPIO ${profile.pin} does not let itself be set up: another program exported it`);
  }

  async #exportLine(pin: number, number: number, value: string): Promise<void> {
    try {
      if (!(await isWritable(value))) await writeFile(join(this.#tree.gpio, 'export'), String(number));
    } catch (thrown) {
      throw new ResourceError(reasonOf(thrown, `GPIO ${pin}`));
    }
    for (let waited = 0; !(await isWritable(value)); waited += lookEveryMs) {
      if (waited >= permissionWithinMs) throw new ResourceError(`GPIO ${pin} may not be used by us: add the user to the group gpio`);
      await delay(lookEveryMs);
    }
  }
}

class OnoffInput implements InputLine {
  readonly settled = false;
  readonly exact = false;
  readonly #line: Gpio;
  readonly #fault: LineFault;
  #active: boolean;
  #open = true;

  constructor(line: Gpio, pin: number, failed: LineFailure) {
    this.#line = line;
    this.#fault = new LineFault(`GPIO ${pin}`, failed);
    this.#active = line.readSync() === 1;
  }

  isActive(): boolean {
    if (!this.#open) return this.#active;
    try {
      this.#active = this.#line.readSync() === 1;
    } catch (thrown) {
      this.#fault.report(thrown);
    }
    return this.#active;
  }

  watch(changed: (active: boolean) => void): void {
    this.#line.watch((error, value) => {
      if (!this.#open) return;
      if (error) this.#fault.report(error);
      else changed(value === 1);
    });
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#line.unexport();
  }
}

class OnoffOutput implements OutputLine {
  readonly #line: Gpio;
  readonly #fault: LineFault;
  readonly #onClosed: () => void;
  #open = true;

  constructor(line: Gpio, pin: number, failed: LineFailure, onClosed: () => void) {
    this.#line = line;
    this.#onClosed = onClosed;
    this.#fault = new LineFault(`GPIO ${pin}`, failed);
  }

  set(active: boolean): void {
    if (!this.#open) return;
    try {
      this.#line.writeSync(active ? 1 : 0);
    } catch (thrown) {
      this.#fault.report(thrown);
    }
  }

  async close(): Promise<void> {
    this.set(false);
    if (!this.#open) return;
    this.#open = false;
    this.#line.unexport();
    this.#onClosed();
  }
}

class OnoffBank implements WireBank {
  readonly #wires: readonly Gpio[];
  readonly #listening: number;
  readonly #fault: LineFault;
  readonly #drawn = new Set<number>();
  #open = true;

  constructor(wires: readonly Gpio[], listening: number, failed: LineFailure) {
    this.#wires = wires;
    this.#listening = listening;
    this.#fault = new LineFault('the key matrix', failed);
  }

  draw(wires: readonly number[]): void {
    if (!this.#open) return;
    try {
      // Let go first: no two are drawn that are not to be.
      for (const wire of this.#drawn) if (!wires.includes(wire)) this.#wires[wire]?.setDirection('in');
      for (const wire of wires) if (wire >= this.#listening && !this.#drawn.has(wire)) this.#wires[wire]?.setDirection('low');
      this.#drawn.clear();
      for (const wire of wires) this.#drawn.add(wire);
    } catch (thrown) {
      this.#fault.report(thrown);
    }
  }

  low(): readonly boolean[] {
    try {
      if (this.#open) return this.#wires.map((wire) => wire.readSync() === 0);
    } catch (thrown) {
      this.#fault.report(thrown);
    }
    return this.#wires.map(() => false);
  }

  watch(moved: () => void): void {
    for (const wire of this.#wires.slice(0, this.#listening)) {
      wire.watch((error) => {
        if (!this.#open) return;
        if (error) this.#fault.report(error);
        else moved();
      });
    }
  }

  async close(): Promise<void> {
    this.draw([]);
    if (!this.#open) return;
    this.#open = false;
    for (const wire of this.#wires) wire.unexport();
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

  report(thrown: unknown): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#failed(reasonOf(thrown, this.#name));
  }
}

async function isWritable(path: string): Promise<boolean> {
  try {
    await access(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** What the kernel's error means for the person who wired the board. */
function reasonOf(thrown: unknown, name: string): string {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  switch (code) {
    case 'EBUSY':
      return `${name} is used by another program or by a kernel driver (an overlay in config.txt?)`;
    case 'EACCES':
    case 'EPERM':
      return `${name} may not be used by us: add the user to the group gpio`;
    case 'EINVAL':
      return `${name} is not a line of this board`;
    case 'ENOENT':
      return `${name} is not there: this kernel has no GPIO in /sys/class/gpio`;
    default:
      return `${name}: ${messageOf(thrown)}`;
  }
}
