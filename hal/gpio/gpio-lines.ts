import { existsSync } from 'node:fs';
import type { GpioChoice, GpioLineProfile } from '#firmware/contract/hal.ts';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import type { BankProfile, GpioDriver, InputLine, LineDriver, LineFailure, OutputLine, WireBank } from '../ports.ts';
import type { CharacterDeviceLines } from './character-device.ts';

interface Chosen {
  readonly driver: LineDriver<GpioLineProfile>;
  /** For people: which, and why not the other. */
  readonly said: string;
}

export interface GpioDrivers {
  readonly characterDevice: CharacterDeviceLines;
  readonly sysfs: LineDriver<GpioLineProfile>;
  /** `/sys/class/gpio`. */
  readonly sysfsFolder: string;
}

/**
 * GPIO by whichever way this kernel offers. The character device is better at everything (pulls, time stamps, every edge, no shell of files to
 * wait for) and is the only one on kernels of today; sysfs, through onoff, remains for those before 5.10.
 */
export class GpioLines implements GpioDriver {
  readonly #drivers: GpioDrivers;
  #wish: GpioChoice = 'auto';
  #choice: Promise<Chosen> | undefined;
  #said: string | undefined;

  constructor(drivers: GpioDrivers) {
    this.#drivers = drivers;
  }

  get chosen(): string | null {
    return this.#said ?? null;
  }

  choose(wish: GpioChoice): void {
    this.#wish = wish;
    this.#choice = undefined;
    this.#said = undefined;
  }

  async openInput(profile: GpioLineProfile, failed: LineFailure): Promise<InputLine> {
    return await (await this.#driver()).openInput(profile, failed);
  }

  async openOutput(profile: GpioLineProfile, failed: LineFailure): Promise<OutputLine> {
    return await (await this.#driver()).openOutput(profile, failed);
  }

  async openBank(profile: BankProfile, failed: LineFailure): Promise<WireBank> {
    return await (await this.#driver()).openBank(profile, failed);
  }

  async #driver(): Promise<LineDriver<GpioLineProfile>> {
    // A device may appear later: what failed is tried again with the next line.
    this.#choice ??= this.#find().catch((thrown: unknown) => {
      this.#choice = undefined;
      throw thrown;
    });
    const { driver, said } = await this.#choice;
    this.#said = said;
    return driver;
  }

  async #find(): Promise<Chosen> {
    const { characterDevice, sysfs, sysfsFolder } = this.#drivers;
    if (this.#wish === 'sysfs') return { driver: sysfs, said: 'sysfs by onoff, as the board profile wants' };
    try {
      const { path, label } = await characterDevice.findHeader();
      return { driver: characterDevice, said: `character device ${path} (${label})` };
    } catch (thrown) {
      const reason = messageOf(thrown);
      if (this.#wish === 'character-device') throw new ResourceError(`no GPIO by character device: ${reason}`);
      if (!existsSync(sysfsFolder)) throw new ResourceError(`no GPIO: ${reason}, and there is no ${sysfsFolder}`);
      return { driver: sysfs, said: `sysfs by onoff, because ${reason}` };
    }
  }
}
