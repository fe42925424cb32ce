import { ResourceError } from '#firmware/core/errors.ts';
import type { HidDriver, HidInterface, HidListener, OpenHid } from '#hal/hid/hid-port.ts';

/** HID devices that exist in a test: plugged in and out, sending what reports it likes. */
export class FakeHid implements HidDriver {
  /** Output reports, with their ids. */
  readonly sent: number[][] = [];
  readonly #plugged = new Map<string, { found: HidInterface; descriptor: Uint8Array; listener?: HidListener }>();

  plug(found: HidInterface, descriptor: Uint8Array): void {
    this.#plugged.set(found.path, { found, descriptor });
  }

  unplug(path: string): void {
    const device = this.#plugged.get(path);
    this.#plugged.delete(path);
    device?.listener?.failed('could not read from HID device');
  }

  /** The device sends one input report. */
  send(path: string, ...octets: number[]): void {
    this.#plugged.get(path)?.listener?.report(Uint8Array.from(octets));
  }

  async list(): Promise<readonly HidInterface[]> {
    return [...this.#plugged.values()].map(({ found }) => found);
  }

  async descriptorOf(path: string): Promise<Uint8Array> {
    const device = this.#plugged.get(path);
    if (!device) throw new ResourceError(`${path} is gone`);
    return device.descriptor;
  }

  async open(path: string, listener: HidListener): Promise<OpenHid> {
    const device = this.#plugged.get(path);
    if (!device) throw new ResourceError(`${path} is gone`);
    device.listener = listener;
    return {
      send: (report) => this.sent.push([...report]),
      close: async () => {
        delete device.listener;
      },
    };
  }
}

/**
 * The report descriptor of a telephone handset. Report 1 is two octets: bit 0 hook switch, bit 1 mute, bit 2 flash, bit 3 redial; then an
 * array of one key, 0 = none, 1–12 = 0–9 * #. Report 2 goes out: lamps.
 */
export const handsetDescriptor = Uint8Array.from([
  ...[0x05, 0x0b, 0x09, 0x01, 0xa1, 0x01, 0x85, 0x01, 0x15, 0x00, 0x25, 0x01, 0x75, 0x01, 0x95, 0x04],
  ...[0x09, 0x20, 0x09, 0x2f, 0x09, 0x21, 0x09, 0x24, 0x81, 0x02, 0x95, 0x04, 0x81, 0x03],
  ...[0x09, 0x06, 0xa1, 0x02, 0x19, 0xb0, 0x29, 0xbb, 0x15, 0x01, 0x25, 0x0c, 0x75, 0x08, 0x95, 0x01, 0x81, 0x00, 0xc0],
  ...[0x85, 0x02, 0x05, 0x08, 0x15, 0x00, 0x25, 0x01, 0x75, 0x01, 0x95, 0x04, 0x09, 0x17, 0x09, 0x09, 0x09, 0x18, 0x09, 0x19, 0x91, 0x02],
  ...[0x95, 0x04, 0x91, 0x03, 0xc0],
]);

/** The boot keyboard of a numeric keypad: one octet of modifiers, one reserved, six of keys. */
export const keyboardDescriptor = Uint8Array.from([
  ...[0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, 0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7, 0x15, 0x00, 0x25, 0x01, 0x75, 0x01, 0x95, 0x08, 0x81, 0x02],
  ...[0x95, 0x01, 0x75, 0x08, 0x81, 0x01, 0x95, 0x06, 0x75, 0x08, 0x15, 0x00, 0x26, 0xff, 0x00, 0x05, 0x07, 0x19, 0x00, 0x2a, 0xff, 0x00],
  ...[0x81, 0x00, 0xc0],
]);
