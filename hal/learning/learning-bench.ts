import type { LessonPlan, LessonState } from '#firmware/contract/hal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import { earliest } from '../elements.ts';
import { headerPins, reservedPins, sharedPins } from '../header.ts';
import type { BoardElement, GpioDriver, WireBank } from '../ports.ts';
import { VirtualWires } from '../virtual/virtual-bank.ts';
import { Lesson } from './lesson.ts';
import { scanWires } from './wire-scan.ts';

/** Half a pulse of a fast dial is 20 ms. */
const scanEveryMs: Milliseconds = 5;
/** At most a quarter of the time goes into scanning: sysfs is slow. */
const scanShare = 4;
const unseenAtMostMs: Milliseconds = 15_000;
const lastsAtMostMs: Milliseconds = 20 * 60_000;

/** A board that is being learnt: all its wires in one bank, and the lesson. */
export class LearningBench implements BoardElement {
  readonly wires: VirtualWires | undefined;
  readonly #bank: WireBank;
  readonly #pins: readonly number[];
  readonly #refused: LessonState['refused'];
  readonly #lesson: Lesson;
  readonly #now: () => Milliseconds;
  readonly #expired: () => void;
  readonly #endsAt: Milliseconds;
  #scanAt: Milliseconds;
  #seenAt: Milliseconds;
  #open = true;

  private constructor(
    { bank, pins, refused, wires }: OpenWires,
    plan: LessonPlan,
    { now, expired }: { readonly now: () => Milliseconds; readonly expired: () => void },
  ) {
    this.#bank = bank;
    this.#pins = pins;
    this.#refused = refused;
    this.wires = wires;
    this.#lesson = new Lesson(plan);
    this.#now = now;
    this.#expired = expired;
    this.#scanAt = now();
    this.#seenAt = now();
    this.#endsAt = now() + lastsAtMostMs;
  }

  /** Takes every wire of the plan that is to be had. `expired` is called when nobody looks any more. Rejects with ResourceError. */
  static async open(
    plan: LessonPlan,
    gpio: GpioDriver,
    surroundings: { readonly now: () => Milliseconds; readonly expired: () => void },
  ): Promise<LearningBench> {
    return new LearningBench(await openWires(plan, gpio), plan, surroundings);
  }

  get deadline(): Milliseconds | undefined {
    return this.#open ? earliest([this.#scanAt, this.#seenAt + unseenAtMostMs, this.#endsAt]) : undefined;
  }

  handleTimeout(now: Milliseconds): void {
    if (!this.#open) return;
    if (now >= Math.min(this.#seenAt + unseenAtMostMs, this.#endsAt)) {
      this.#open = false;
      this.#expired();
    } else if (now >= this.#scanAt) {
      this.#lesson.observe(now, scanWires(this.#bank, this.#pins));
      const took = this.#now() - now;
      this.#scanAt = now + Math.max(scanEveryMs, took * scanShare);
    }
  }

  look(): Omit<LessonState, 'learner'> {
    this.#seenAt = this.#now();
    return { ...this.#lesson.state(this.#seenAt), refused: this.#refused };
  }

  skip(): void {
    this.#lesson.skip();
  }

  async close(): Promise<void> {
    this.#open = false;
    await this.#bank.close();
  }
}

interface OpenWires {
  readonly bank: WireBank;
  readonly pins: readonly number[];
  readonly refused: LessonState['refused'];
  readonly wires: VirtualWires | undefined;
}

async function openWires({ driver, pins }: LessonPlan, gpio: GpioDriver): Promise<OpenWires> {
  const wished = pins.length > 0 ? [...new Set(pins)] : usualPins();
  if (driver === 'virtual') {
    const wires = new VirtualWires();
    return { bank: wires.openBank([], wished), pins: wished, refused: [], wires };
  }
  gpio.choose('auto');
  const free: number[] = [];
  const refused: { pin: number; reason: string }[] = [];
  for (const pin of wished) {
    try {
      await (await gpio.openBank({ listening: [], drawn: [pin] }, () => {})).close();
      free.push(pin);
    } catch (thrown) {
      refused.push({ pin, reason: messageOf(thrown) });
    }
  }
  if (free.length === 0) throw new ResourceError(refused[0]?.reason ?? 'there are no pins to learn from');
  return { bank: await gpio.openBank({ listening: [], drawn: free }, () => {}), pins: free, refused, wires: undefined };
}

/** Pins of the header that usually are free. */
function usualPins(): number[] {
  const all = headerPins.flatMap((pin) => (pin.kind === 'gpio' ? [pin.gpio] : []));
  return all.filter((pin) => !reservedPins.has(pin) && !sharedPins.has(pin)).sort((a, b) => a - b);
}
