/** A HID interface that is plugged in. */
export interface HidInterface {
  /** `/dev/hidraw0`. */
  readonly path: string;
  readonly vendorId: number;
  readonly productId: number;
  readonly serial: string | undefined;
}

export interface HidListener {
  /** One input report, with its id first if the device numbers its reports. */
  report(bytes: Uint8Array): void;
  /** Unplugged or broken; said once. */
  failed(reason: string): void;
}

export interface OpenHid {
  /** One output report, its id first (0 if the device does not number them). One that cannot be sent is a `failed` of the listener. */
  send(report: Uint8Array): void;
  close(): Promise<void>;
}

/** Access to HID devices. Nothing here blocks; everything rejects with ResourceError. */
export interface HidDriver {
  list(): Promise<readonly HidInterface[]>;
  /** The report descriptor of an interface, which need not be open. */
  descriptorOf(path: string): Promise<Uint8Array>;
  open(path: string, listener: HidListener): Promise<OpenHid>;
}
