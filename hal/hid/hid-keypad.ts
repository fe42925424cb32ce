import type { HidLamp, HookPosition } from '#firmware/contract/hal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import { DeviceSearch } from '../device-search.ts';
import type { ElementSurroundings } from '../elements.ts';
import { isIdentityOf } from '../identity.ts';
import type { HookReport, HookSwitch, Keypad, KeyReport, OutputLine } from '../ports.ts';
import type { HidDriver, OpenHid } from './hid-port.ts';
import { activeUsages, outputReports, parseReportDescriptor, type ReportLayout } from './report-descriptor.ts';
import { flashUsage, hookSwitchUsage, keyOfUsage, usageOfLamp } from './usages.ts';

export interface HidKeypadReports {
  readonly key: KeyReport;
  readonly hook: HookReport;
  /** Why a lamp stays dark; `undefined` = it works, or is not plugged in. */
  readonly lampFault: (lamp: HidLamp, reason: string | undefined) => void;
  /** Why there is no keypad now; `undefined` = there is. */
  readonly fault: (reason: string | undefined) => void;
}

/**
 * A USB keypad or telephone handset, found by its identity whenever it is plugged in. A handset that reports a hook switch is one; when it
 * is unplugged its keys go up and it is laid down, since nobody can hold it any more.
 */
export class HidKeypad implements Keypad, HookSwitch {
  readonly #identity: string;
  readonly #driver: HidDriver;
  readonly #surroundings: ElementSurroundings;
  readonly #reports: HidKeypadReports;
  /** Active usages of the last report of each id. */
  readonly #active = new Map<number, Set<number>>();
  readonly #lamps = new Map<HidLamp, boolean>();
  #open: { readonly device: OpenHid; readonly layout: ReportLayout } | undefined;
  readonly #search: DeviceSearch;

  /** `identity` is `vendor:product[:serial]`, hexadecimal, as in the board profile. */
  constructor(identity: string, driver: HidDriver, surroundings: ElementSurroundings, reports: HidKeypadReports) {
    this.#identity = identity.toLowerCase();
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

  get position(): HookPosition | null {
    if (!this.#open?.layout.usages.has(hookSwitchUsage)) return null;
    return this.#isActive(hookSwitchUsage) ? 'offHook' : 'onHook';
  }

  get keysDown(): readonly string[] {
    return [...new Set([...this.#active.values()].flatMap((usages) => [...usages].flatMap((usage) => keyOfUsage.get(usage) ?? [])))];
  }

  get deadline(): Milliseconds | undefined {
    return this.#search.deadline;
  }

  handleTimeout(now: Milliseconds): void {
    this.#search.handleTimeout(now);
  }

  /** A lamp of the device; it shows what it should whenever the device is plugged in. The device blinks none by itself: we do. */
  lamp(lamp: HidLamp): OutputLine {
    this.#lamps.set(lamp, false);
    return {
      set: (active) => {
        if (this.#lamps.get(lamp) === active) return;
        this.#lamps.set(lamp, active);
        this.#showLamps();
      },
      // All go dark as the device is closed.
      close: async () => {},
    };
  }

  async close(): Promise<void> {
    await this.#search.end();
    for (const lamp of this.#lamps.keys()) this.#lamps.set(lamp, false);
    this.#showLamps();
    const open = this.#open;
    this.#open = undefined;
    this.#active.clear();
    await open?.device.close();
  }

  async #look(): Promise<void> {
    try {
      const found = await this.#find();
      if (!found || this.#search.ended) {
        this.#reports.fault(this.#absence());
        return;
      }
      const device = await this.#driver.open(found.path, {
        report: (bytes) => this.#report(found.layout, bytes),
        failed: (reason) => this.#lose(reason),
      });
      this.#open = { device, layout: found.layout };
      this.#reports.fault(undefined);
      for (const lamp of this.#lamps.keys()) {
        const there = found.layout.lamps.has(usageOfLamp[lamp]);
        this.#reports.lampFault(lamp, there ? undefined : `the HID device ${this.#identity} has no lamp ${lamp}`);
      }
      this.#showLamps();
    } catch (thrown) {
      this.#reports.fault(messageOf(thrown));
    }
  }

  /** The first interface of this identity that has keys or a hook switch: a keyboard has others beside it. */
  async #find(): Promise<{ path: string; layout: ReportLayout } | undefined> {
    const candidates = (await this.#driver.list()).filter((found) => isIdentityOf(this.#identity, found, [found.serial]));
    for (const { path } of candidates) {
      const layout = parseReportDescriptor(await this.#driver.descriptorOf(path));
      if ([...layout.usages].some((usage) => usage === hookSwitchUsage || keyOfUsage.has(usage))) return { path, layout };
    }
    if (candidates.length > 0) throw new ResourceError(`the HID device ${this.#identity} has no keys that we know`);
    return undefined;
  }

  #report(layout: ReportLayout, bytes: Uint8Array): void {
    if (this.#search.ended) return;
    const { reportId, usages } = activeUsages(layout, bytes);
    const before = this.#active.get(reportId) ?? new Set();
    this.#active.set(reportId, usages);
    const now = this.#surroundings.now();
    for (const usage of before) if (!usages.has(usage)) this.#tell(usage, false, now);
    for (const usage of usages) if (!before.has(usage)) this.#tell(usage, true, now);
    this.#surroundings.moved();
  }

  #tell(usage: number, active: boolean, now: Milliseconds): void {
    const key = keyOfUsage.get(usage);
    if (key !== undefined) this.#reports.key(key, active, now);
    if (usage === hookSwitchUsage) this.#reports.hook(active ? 'offHook' : 'onHook', now);
    if (usage === flashUsage && active && this.#isActive(hookSwitchUsage)) this.#reports.hook('flash', now);
  }

  #lose(reason: string): void {
    const open = this.#open;
    if (!open) return;
    const now = this.#surroundings.now();
    const active = [...this.#active.values()].flatMap((usages) => [...usages]);
    this.#active.clear();
    for (const usage of active) this.#tell(usage, false, now);
    this.#open = undefined;
    this.#reports.fault(`${this.#absence()} (${reason})`);
    this.#search.lost(open.device.close());
  }

  /** All lamps of a report go out together. */
  #showLamps(): void {
    const open = this.#open;
    if (!open || this.#lamps.size === 0) return;
    const lit = new Set([...this.#lamps].flatMap(([lamp, active]) => (active ? [usageOfLamp[lamp]] : [])));
    const meant = new Set([...this.#lamps.keys()].map((lamp) => usageOfLamp[lamp]));
    for (const report of outputReports(open.layout, lit, meant)) open.device.send(report);
  }

  #isActive(usage: number): boolean {
    return [...this.#active.values()].some((usages) => usages.has(usage));
  }

  #absence(): string {
    return `no HID device ${this.#identity} is plugged in`;
  }
}
