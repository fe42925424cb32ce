import type { LessonPlan, LessonState } from '#firmware/contract/hal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { messageOf, ResourceError, UsageError } from '#firmware/core/errors.ts';
import { earliest } from '../elements.ts';
import { headerPins, reservedPins, sharedPins } from '../header.ts';
import type { BoardElement, GpioDriver, WireBank } from '../ports.ts';
import { VirtualWires } from '../virtual/virtual-bank.ts';
import { Lesson } from './lesson.ts';
import { OutputSearch } from './output-search.ts';
import { OutputTrials } from './output-trials.ts';
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
  readonly #plan: LessonPlan;
  readonly #gpio: GpioDriver;
  /** Once everything else is learnt, if the plan has lamps or relays. */
  #outputs: { readonly search: OutputSearch; readonly trials: OutputTrials } | undefined;

  private constructor(
    { bank, pins, refused, wires }: OpenWires,
    plan: LessonPlan,
    gpio: GpioDriver,
    { now, expired }: { readonly now: () => Milliseconds; readonly expired: () => void },
  ) {
    this.#plan = plan;
    this.#gpio = gpio;
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
    return new LearningBench(await openWires(plan, gpio), plan, gpio, surroundings);
  }

  get deadline(): Milliseconds | undefined {
    if (!this.#open) return undefined;
    return earliest([this.#outputs ? this.#outputs.trials.deadline : this.#scanAt, this.#seenAt + unseenAtMostMs, this.#endsAt]);
  }

  handleTimeout(now: Milliseconds): void {
    if (!this.#open) return;
    if (now >= Math.min(this.#seenAt + unseenAtMostMs, this.#endsAt)) {
      this.#open = false;
      this.#expired();
    } else if (this.#outputs) this.#outputs.trials.handleTimeout(now);
    else if (now >= this.#scanAt) {
      this.#lesson.observe(now, scanWires(this.#bank, this.#pins));
      const took = this.#now() - now;
      this.#scanAt = now + Math.max(scanEveryMs, took * scanShare);
    }
  }

  look(): Omit<LessonState, 'learner'> {
    this.#seenAt = this.#now();
    this.#seekOutputs();
    const state = { ...this.#lesson.state(this.#seenAt), refused: this.#refused };
    return this.#outputs ? withOutputs(state, this.#outputs) : state;
  }

  skip(): void {
    if (this.#outputs) this.#outputs.search.stop();
    else this.#lesson.skip();
  }

  /** What lit up or clicked. Rejects with UsageError (`not-a-choice`). */
  async answer(word: string): Promise<void> {
    if (!this.#outputs) throw new UsageError('not-a-choice', 'nothing is asked that could be answered so');
    // They would hold the lines that are to be switched.
    await this.#bank.close();
    await this.#outputs.trials.answer(word);
  }

  /** Wires that may be switches are left alone. */
  #seekOutputs(): void {
    const { driver, lamps, relays } = this.#plan;
    if (this.#outputs || !this.#lesson.over || lamps.length + relays.length === 0) return;
    const { touched } = this.#lesson;
    const search = new OutputSearch(
      this.#plan,
      this.#pins.filter((pin) => !touched.has(pin)),
    );
    this.#outputs = { search, trials: new OutputTrials(search, driver === 'virtual' ? undefined : this.#gpio, this.#now) };
  }

  async close(): Promise<void> {
    this.#open = false;
    await this.#outputs?.trials.release();
    await this.#bank.close();
  }
}

/** The lesson goes on with one question for each line. */
function withOutputs(
  state: Omit<LessonState, 'learner'>,
  { search, trials }: { readonly search: OutputSearch; readonly trials: OutputTrials },
): Omit<LessonState, 'learner'> {
  const { profile } = state;
  const told = { found: [...state.found, ...search.found], refused: [...state.refused, ...trials.refused] };
  if (!search.over) {
    const { ask, choices, left } = search;
    return { ...state, ...told, step: 'output', ask, choices: [...choices], of: state.of + left, trouble: null, profile: null };
  }
  const trouble = [state.trouble, search.trouble].filter((text) => text).join(' ') || null;
  return { ...state, ...told, trouble, profile: profile && { ...profile, ...search.outputs() } };
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
