/** A keyboard as the kernel sees it. */
export interface EvdevDevice {
  /** `/dev/input/event3`. */
  readonly path: string;
  readonly name: string;
  readonly vendorId: number;
  readonly productId: number;
  /** Serial number, where the maker gave it one. */
  readonly serial: string;
  /** Where it is plugged in: `usb-3f980000.usb-1.2/input0`. */
  readonly place: string;
  /** Codes of the keys it has. */
  readonly codes: ReadonlySet<number>;
}

export interface EvdevListener {
  key(code: number, pressed: boolean): void;
  /** The kernel lost events: nobody knows which keys are down. */
  lost(): void;
  /** Unplugged or broken; said once. */
  failed(reason: string): void;
}

export interface OpenEvdev {
  close(): Promise<void>;
}

/** Access to keyboards. Everything rejects with ResourceError. */
export interface EvdevDriver {
  list(): Promise<readonly EvdevDevice[]>;
  /** For us alone: no text console hears it any more. */
  open(path: string, listener: EvdevListener): Promise<OpenEvdev>;
}
