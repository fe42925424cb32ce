import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import { type DeviceCalls, DeviceError } from '../device-calls.ts';
import type { EvdevDevice, EvdevDriver, EvdevListener, OpenEvdev } from './evdev-port.ts';

/** EVIOCGRAB, _IOW('E', 0x90, int). */
const grabRequest = 0x4004_4590;
const evSyn = 0;
const evKey = 1;
const synDropped = 3;
/** struct input_event begins with two C longs of time. */
const timeSize = process.arch === 'arm' || process.arch === 'ia32' ? 8 : 16;
const eventSize = timeSize + 8;
const capabilityWordBits = timeSize * 4;

/** Keyboards through /dev/input. */
export class KernelEvdev implements EvdevDriver {
  readonly #load: () => Promise<DeviceCalls>;
  readonly #sysfs: string;
  #calls: Promise<DeviceCalls> | undefined;

  /** `sysfs` is `/sys/class/input`; a test looks elsewhere. */
  constructor(load: () => Promise<DeviceCalls>, sysfs: string) {
    this.#load = load;
    this.#sysfs = sysfs;
  }

  async list(): Promise<readonly EvdevDevice[]> {
    const names = (await this.#names()).filter((name) => /^event\d+$/.test(name));
    const devices = await Promise.all(names.map((name) => this.#device(name)));
    return devices.filter((device) => device !== undefined);
  }

  async open(path: string, listener: EvdevListener): Promise<OpenEvdev> {
    this.#calls ??= this.#load();
    const calls = await this.#calls;
    try {
      const descriptor = calls.open(path, 'read');
      try {
        calls.control(descriptor, grabRequest, 1);
      } catch (thrown) {
        calls.close(descriptor);
        throw thrown;
      }
      return listen(calls, descriptor, listener);
    } catch (thrown) {
      throw new ResourceError(`${path} ${reasonOf(thrown)}`);
    }
  }

  async #names(): Promise<string[]> {
    try {
      return (await readdir(this.#sysfs)).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
    } catch {
      // A machine without any input device has no such folder.
      return [];
    }
  }

  async #device(name: string): Promise<EvdevDevice | undefined> {
    const read = async (file: string) => (await readFile(join(this.#sysfs, name, 'device', file), 'utf8')).trim();
    try {
      return {
        path: `/dev/input/${name}`,
        name: await read('name'),
        vendorId: Number.parseInt(await read('id/vendor'), 16),
        productId: Number.parseInt(await read('id/product'), 16),
        serial: await read('uniq'),
        place: await read('phys'),
        codes: codesOf(await read('capabilities/key')),
      };
    } catch {
      // Unplugged while we looked.
      return undefined;
    }
  }
}

function listen(calls: DeviceCalls, descriptor: number, listener: EvdevListener): OpenEvdev {
  const room = new Uint8Array(64 * eventSize);
  let open = true;
  const unwatch = calls.watch(descriptor, () => {
    if (!open) return;
    try {
      tellEvents(room.subarray(0, calls.read(descriptor, room)), listener);
    } catch (thrown) {
      unwatch();
      listener.failed(messageOf(thrown));
    }
  });
  return {
    close: async () => {
      if (!open) return;
      open = false;
      unwatch();
      // The grab ends with it.
      calls.close(descriptor);
    },
  };
}

function tellEvents(octets: Uint8Array, listener: EvdevListener): void {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  for (let at = timeSize; at + 8 <= octets.length; at += eventSize) {
    const type = view.getUint16(at, true);
    const code = view.getUint16(at + 2, true);
    const value = view.getInt32(at + 4, true);
    // 2 is the kernel's own repetition of a key that is held.
    if (type === evKey && value !== 2) listener.key(code, value === 1);
    else if (type === evSyn && code === synDropped) listener.lost();
  }
}

/** Hexadecimal words of C longs, the most significant first: bit n = the key of code n. */
function codesOf(words: string): Set<number> {
  const codes = new Set<number>();
  for (const [index, word] of words.split(/\s+/).reverse().entries()) {
    if (!/^[0-9a-f]{1,16}$/.test(word)) continue;
    const bits = BigInt(`0x${word}`);
    for (let bit = 0; bit < capabilityWordBits; bit++) if ((bits >> BigInt(bit)) & 1n) codes.add(index * capabilityWordBits + bit);
  }
  return codes;
}

function reasonOf(thrown: unknown): string {
  switch (thrown instanceof DeviceError ? thrown.code : '') {
    case 'EBUSY':
      return 'is held by another program for itself alone';
    case 'EACCES':
    case 'EPERM':
      return 'may not be used by us: add the user to the group input';
    default:
      return `cannot be used: ${messageOf(thrown)}`;
  }
}
