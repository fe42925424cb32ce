import type { Milliseconds } from '#firmware/core/clock.ts';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import { DeviceSearch } from '../device-search.ts';
import type { ElementSurroundings } from '../elements.ts';
import { isIdentityOf } from '../identity.ts';
import type { Keypad, KeyReport } from '../ports.ts';
import type { EvdevDevice, EvdevDriver, OpenEvdev } from './evdev-port.ts';
import { keyOfCode } from './key-codes.ts';

export interface EvdevKeypadReports {
  readonly key: KeyReport;
  /** Why there is no keypad now; `undefined` = there is. */
  readonly fault: (reason: string | undefined) => void;
}

/** A keypad that the kernel knows as a keyboard, found by its identity whenever it is plugged in. Its keys go up when it is unplugged. */
export class EvdevKeypad implements Keypad {
  readonly #identity: string;
  readonly #driver: EvdevDriver;
  readonly #surroundings: ElementSurroundings;
  readonly #reports: EvdevKeypadReports;
  /** Keys by the code that holds them down: two codes may mean the same key. */
  readonly #down = new Map<number, string>();
  #open: OpenEvdev | undefined;
  readonly #search: DeviceSearch;

  /** `identity` is `vendor:product[:serial or place]`, as in the board profile. */
  constructor(identity: string, driver: EvdevDriver, surroundings: ElementSurroundings, reports: EvdevKeypadReports) {
    this.#identity = identity;
    this.#driver = driver;
    this.#surroundings = surroundings;
    this.#reports = reports;
    this.#search = new DeviceSearch(
      surroundings,
      () => this.#look(),
      () => this.#open !== undefined,
    );
    reports.fault(this.#absence());
  }

  get keysDown(): readonly string[] {
    return [...new Set(this.#down.values())];
  }

  get deadline(): Milliseconds | undefined {
    return this.#search.deadline;
  }

  handleTimeout(now: Milliseconds): void {
    this.#search.handleTimeout(now);
  }

  async close(): Promise<void> {
    await this.#search.end();
    this.#down.clear();
    await this.#open?.close();
    this.#open = undefined;
  }

  async #look(): Promise<void> {
    try {
      const device = await this.#find();
      if (!device || this.#search.ended) {
        this.#reports.fault(this.#absence());
        return;
      }
      this.#open = await this.#driver.open(device.path, {
        key: (code, pressed) => this.#key(code, pressed),
        lost: () => this.#releaseAll(),
        failed: (reason) => this.#lose(reason),
      });
      this.#reports.fault(undefined);
    } catch (thrown) {
      this.#reports.fault(messageOf(thrown));
    }
  }

  /** A keyboard has other devices beside it, for its media keys and its power button: the one with most digits is meant. */
  async #find(): Promise<EvdevDevice | undefined> {
    const candidates = (await this.#driver.list()).filter((device) => isIdentityOf(this.#identity, device, [device.serial, device.place]));
    if (candidates.length === 0) return undefined;
    const useful = candidates.map((device) => ({ device, keys: [...device.codes].filter((code) => keyOfCode.has(code)).length }));
    const best = useful.toSorted((a, b) => b.keys - a.keys)[0];
    if (!best || best.keys === 0) throw new ResourceError(`the keyboard ${this.#identity} has no keys that we know`);
    return best.device;
  }

  #key(code: number, pressed: boolean): void {
    const key = keyOfCode.get(code);
    if (this.#search.ended || key === undefined || pressed === this.#down.has(code)) return;
    const before = this.keysDown.includes(key);
    if (pressed) this.#down.set(code, key);
    else this.#down.delete(code);
    if (this.keysDown.includes(key) !== before) this.#reports.key(key, pressed, this.#surroundings.now());
    this.#surroundings.moved();
  }

  #releaseAll(): void {
    for (const code of [...this.#down.keys()]) this.#key(code, false);
  }

  #lose(reason: string): void {
    const open = this.#open;
    if (!open) return;
    this.#releaseAll();
    this.#open = undefined;
    this.#reports.fault(`${this.#absence()} (${reason})`);
    this.#search.lost(open.close());
  }

  #absence(): string {
    return `no keyboard ${this.#identity} is plugged in`;
  }
}
