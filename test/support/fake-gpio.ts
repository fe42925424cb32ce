import type { GpioLineProfile } from '#firmware/contract/hal.ts';
import { ResourceError } from '#firmware/core/errors.ts';
import type { BankProfile, GpioDriver, InputLine, LineFailure, OutputLine, WireBank } from '#hal/ports.ts';
import { VirtualWires } from '#hal/virtual/virtual-bank.ts';
import { VirtualLine } from '#hal/virtual/virtual-board.ts';

/** GPIO lines whose other ends the test holds; some pins are refused. */
export class FakeGpio implements GpioDriver {
  readonly chosen = 'fake';
  readonly lines = new Map<number, VirtualLine>();
  readonly failures = new Map<number, LineFailure>();
  readonly refused = new Map<number, string>();
  /** What is joined to what, for banks of wires. */
  readonly wires = new VirtualWires();

  choose(): void {}

  openInput(profile: GpioLineProfile, failed: LineFailure): Promise<InputLine> {
    return this.#open(profile, failed);
  }

  openOutput(profile: GpioLineProfile, failed: LineFailure): Promise<OutputLine> {
    return this.#open(profile, failed);
  }

  async openBank({ listening, drawn }: BankProfile): Promise<WireBank> {
    for (const pin of [...listening, ...drawn]) this.#check(pin);
    return this.wires.openBank(listening, drawn);
  }

  async #open({ pin }: GpioLineProfile, failed: LineFailure): Promise<VirtualLine> {
    this.#check(pin);
    const line = new VirtualLine();
    this.lines.set(pin, line);
    this.failures.set(pin, failed);
    return line;
  }

  #check(pin: number): void {
    const refusal = this.refused.get(pin);
    if (refusal !== undefined) throw new ResourceError(refusal);
  }
}
