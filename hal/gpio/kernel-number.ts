import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import { headerChipOf } from './header-chips.ts';

/** Where to look; a test looks elsewhere. */
export interface GpioTree {
  readonly gpio: string;
  readonly model: string;
}

export const kernelTree: GpioTree = { gpio: '/sys/class/gpio', model: '/proc/device-tree/model' };

interface Chip {
  readonly label: string;
  readonly base: number;
  readonly lines: number;
}

/**
 * The number by which the kernel's sysfs knows a BCM pin. The base of a chip differs between kernels (0, 458, 512, 571 …), so it is read. The
 * chip is found by its label; a board that is no Raspberry Pi may have exactly one chip, which is then meant. Rejects with ResourceError.
 */
export async function kernelNumberOf(pin: number, tree: GpioTree): Promise<number> {
  const chips = await readChips(tree.gpio);
  const chip = headerChipOf(chips);
  if (!chip) {
    const found = chips.map(({ label }) => label).join(', ');
    throw new ResourceError(`${await modelOf(tree)} has no GPIO header we know; its chips are ${found === '' ? 'none' : found}`);
  }
  if (pin >= chip.lines)
    throw new ResourceError(`GPIO ${pin} is beyond the ${chip.lines} lines of ${chip.label} on ${await modelOf(tree)}`);
  return chip.base + pin;
}

async function readChips(folder: string): Promise<Chip[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (thrown) {
    throw new ResourceError(`this kernel has no GPIO in ${folder} (${messageOf(thrown)})`);
  }
  const chips: Chip[] = [];
  for (const name of names.filter((entry) => entry.startsWith('gpiochip')).sort()) {
    const read = async (file: string) => (await readFile(join(folder, name, file), 'utf8')).trim();
    chips.push({ label: await read('label'), base: Number(await read('base')), lines: Number(await read('ngpio')) });
  }
  return chips;
}

/** The board's own name, or what stands for it where there is no device tree. */
async function modelOf(tree: GpioTree): Promise<string> {
  try {
    return (await readFile(tree.model, 'utf8')).replaceAll('\0', '').trim();
  } catch {
    return 'this machine';
  }
}
