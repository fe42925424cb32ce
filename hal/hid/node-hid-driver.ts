import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import { Turns } from '../turns.ts';
import type { HidDriver, HidInterface, HidListener, OpenHid } from './hid-port.ts';

/**
 * HID through node-hid and the kernel's hidraw. node-hid does not tell of plugging and gives no report descriptor: the keypad scans, and the
 * descriptor comes from sysfs. It is loaded when a profile first names a HID device.
 */
export class NodeHidDriver implements HidDriver {
  async list(): Promise<readonly HidInterface[]> {
    const found = await findDevices();
    return found.flatMap(({ path, vendorId, productId, serialNumber }) =>
      path === undefined ? [] : [{ path, vendorId, productId, serial: serialNumber === '' ? undefined : serialNumber }],
    );
  }

  async descriptorOf(path: string): Promise<Uint8Array> {
    try {
      return await readFile(join('/sys/class/hidraw', basename(path), 'device/report_descriptor'));
    } catch (thrown) {
      throw new ResourceError(`what ${path} can do cannot be read: ${messageOf(thrown)}`);
    }
  }

  async open(path: string, listener: HidListener): Promise<OpenHid> {
    const { HIDAsync } = await import('node-hid');
    try {
      const device = await HIDAsync.open(path);
      device.on('error', (error: unknown) => listener.failed(messageOf(error)));
      // One after the other: lamps end as they were set last.
      const sending = new Turns();
      const send = async (report: Uint8Array) => {
        try {
          await device.write(Buffer.from(report));
        } catch (thrown) {
          listener.failed(messageOf(thrown));
        }
      };
      device.on('data', (bytes: Uint8Array) => listener.report(bytes));
      return {
        send: (report) => void sending.take(() => send(report)),
        close: () => sending.take(() => device.close()),
      };
    } catch (thrown) {
      throw new ResourceError(`${path} cannot be opened: ${messageOf(thrown)}: is the user in the group plugdev or input?`);
    }
  }
}

/** The first call loads the native part, so what it lacks comes to light here. */
async function findDevices() {
  try {
    const { devicesAsync } = await import('node-hid');
    return await devicesAsync();
  } catch (thrown) {
    throw new ResourceError(`HID cannot be used: ${messageOf(thrown)} (Debian packages libusb-1.0-0 and libudev1)`);
  }
}
