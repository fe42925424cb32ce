import { ResourceError } from '#firmware/core/errors.ts';
import type { EvdevDevice, EvdevDriver, EvdevListener, OpenEvdev } from '#hal/evdev/evdev-port.ts';

/** Keyboards that exist in a test. */
export class FakeEvdev implements EvdevDriver {
  readonly #plugged = new Map<string, { device: EvdevDevice; listener?: EvdevListener }>();

  plug(device: EvdevDevice): void {
    this.#plugged.set(device.path, { device });
  }

  unplug(path: string): void {
    const plugged = this.#plugged.get(path);
    this.#plugged.delete(path);
    plugged?.listener?.failed('read: ENODEV');
  }

  /** The kernel tells of a key. */
  key(path: string, code: number, pressed: boolean): void {
    this.#plugged.get(path)?.listener?.key(code, pressed);
  }

  lose(path: string): void {
    this.#plugged.get(path)?.listener?.lost();
  }

  async list(): Promise<readonly EvdevDevice[]> {
    return [...this.#plugged.values()].map(({ device }) => device);
  }

  async open(path: string, listener: EvdevListener): Promise<OpenEvdev> {
    const plugged = this.#plugged.get(path);
    if (!plugged) throw new ResourceError(`${path} is gone`);
    if (plugged.listener) throw new ResourceError(`${path} is held by another program for itself alone`);
    plugged.listener = listener;
    return {
      close: async () => {
        delete plugged.listener;
      },
    };
  }
}
