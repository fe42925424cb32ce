import type {
  Actuation,
  BoardProfile,
  BoardState,
  GpioChoice,
  HookPosition,
  LedPattern,
  LessonPlan,
  LessonState,
} from '#firmware/contract/hal.ts';
import type { Clock, Milliseconds } from '#firmware/core/clock.ts';
import { ResourceError, UsageError } from '#firmware/core/errors.ts';
import { type BoardDrivers, BoardOpening, BoardParts } from './board-parts.ts';
import { earliest } from './elements.ts';
import { LearningBench } from './learning/learning-bench.ts';
import { Turns } from './turns.ts';
import { VirtualKeypad, type VirtualLine } from './virtual/virtual-board.ts';

/** What a board tells. Times are monotonic ms of this process, when the edge came. */
export interface BoardListener {
  hook(position: HookPosition | 'flash', at: Milliseconds): void;
  key(key: string, pressed: boolean, at: Milliseconds): void;
  input(name: string, active: boolean, at: Milliseconds): void;
  /** Anything that shows in the state changed. */
  board(state: BoardState): void;
}

/** One wake-up at a time: setTimeout in production, virtual time in tests. */
export interface Alarm {
  /** Replaces the wake-up; `undefined` = none. */
  arm(deadline: Milliseconds | undefined, wake: () => void): void;
}

/** A device that was not there, or not for us, may be later. */
const againAfterMs: Milliseconds = 10_000;

/** The hardware of one phone as its profile describes it: opens the elements, wakes them, takes commands and tells what happens. */
export class Board {
  readonly #drivers: BoardDrivers;
  readonly #clock: Clock;
  readonly #alarm: Alarm;
  readonly #listener: BoardListener;
  #profile: BoardProfile | undefined;
  #parts = new BoardParts();
  /** While elements could not be opened: they are tried again then. */
  #incomplete: { readonly opening: BoardOpening; readonly gpio: GpioChoice; nextAt: Milliseconds | undefined } | undefined;
  /** What each lamp shall show, also one that does not work yet. */
  readonly #lamps = new Map<string, LedPattern>();
  /** Instead of the parts, while the board is being learnt. */
  #bench: LearningBench | undefined;
  /** What the board was before it. */
  #before: { readonly profile: BoardProfile; readonly hook: HookPosition | null } | undefined;
  readonly #faults = new Map<string, string>();
  /** The state last told, as JSON. */
  #told = '';
  /** Configurations happen one after the other. */
  readonly #turns = new Turns();

  constructor(drivers: BoardDrivers, clock: Clock, alarm: Alarm, listener: BoardListener) {
    this.#drivers = drivers;
    this.#clock = clock;
    this.#alarm = alarm;
    this.#listener = listener;
  }

  /** Closes what is open, outputs safe, and opens what the profile names. Elements that fail are faults of the state. */
  configure(profile: BoardProfile): Promise<BoardState> {
    return this.#turns.take(() => this.#configure(profile));
  }

  close(): Promise<void> {
    return this.#turns.take(async () => {
      await this.#closeParts();
      this.#settle();
    });
  }

  /** Takes every wire from the profile, to learn what is there. `ended` is called when that is over without being asked for. */
  learn(plan: LessonPlan, ended: () => void): Promise<void> {
    return this.#turns.take(async () => {
      const { hook } = this.state();
      const profile = this.#profile;
      await this.#closeParts();
      this.#before = profile && { profile, hook };
      try {
        this.#bench = await LearningBench.open(plan, this.#drivers.gpio, { now: () => this.#clock.now(), expired: ended });
      } catch (thrown) {
        await this.#restore();
        throw thrown;
      }
      this.#settle();
    });
  }

  /** How far the lesson is; `undefined` = there is none. */
  lesson(skip: boolean): Omit<LessonState, 'learner'> | undefined {
    if (skip) this.#bench?.skip();
    const lesson = this.#bench?.look();
    this.#settle();
    return lesson;
  }

  /** What the person saw when a line was switched. Rejects with UsageError (`not-a-choice`). */
  answerLesson(word: string): Promise<void> {
    return this.#turns.take(async () => {
      await this.#bench?.answer(word);
      this.#settle();
    });
  }

  /** The board is again what its profile says. Nothing when it is not being learnt. */
  endLesson(): Promise<void> {
    return this.#turns.take(async () => {
      if (!this.#bench) return;
      await this.#bench.close();
      this.#bench = undefined;
      await this.#restore();
    });
  }

  setLed(name: string, pattern: LedPattern): void {
    if (Object.hasOwn(this.#profile?.leds ?? {}, name)) this.#lamps.set(name, pattern);
    this.#named('led', name, this.#parts.leds).show(this.#clock.now(), pattern);
    this.#settle();
  }

  /** Returns for how long the relay will be closed, ms. */
  pulseRelay(name: string, durationMs: Milliseconds): Milliseconds {
    const granted = this.#named('relay', name, this.#parts.relays).pulse(this.#clock.now(), durationMs);
    this.#settle();
    return granted;
  }

  releaseRelay(name: string): void {
    this.#named('relay', name, this.#parts.relays).release();
    this.#settle();
  }

  /** Releases every relay and darkens every lamp. */
  makeSafe(): void {
    for (const relay of this.#parts.relays.values()) relay.release();
    this.#lamps.clear();
    for (const led of this.#parts.leds.values()) led.show(this.#clock.now(), 'off');
    this.#settle();
  }

  /** Moves an element of the virtual board. Throws UsageError for one with a real driver. */
  actuate(actuation: Actuation): void {
    const now = this.#clock.now();
    switch (actuation.element) {
      case 'hook':
        this.#actuateHook(now, actuation.position);
        break;
      case 'key':
        if (this.#parts.keypad instanceof VirtualKeypad) this.#parts.keypad.press(now, actuation.key, actuation.pressed);
        else this.#movable(`key ${actuation.key}`).move(actuation.pressed);
        break;
      case 'input':
        this.#movable(`input ${actuation.name}`).move(actuation.active);
        break;
      case 'wire':
        if (!this.#bench?.wires) throw new UsageError('not-virtual', 'wires can be joined while a virtual board is being learnt only');
        this.#bench.wires.contact(actuation.pin, actuation.other, actuation.closed);
        break;
      default:
        throw actuation satisfies never;
    }
    this.#settle();
  }

  state(): BoardState {
    const parts = this.#parts;
    return {
      profile: this.#profile?.name ?? null,
      hook: parts.hook?.position ?? null,
      leds: Object.fromEntries([...parts.leds].map(([name, led]) => [name, led.pattern])),
      relays: Object.fromEntries([...parts.relays].map(([name, relay]) => [name, relay.closed])),
      inputs: Object.fromEntries([...parts.inputs].map(([name, input]) => [name, input.active])),
      keysDown: [...(parts.keypad?.keysDown ?? [])],
      gpio: this.#drivers.gpio.chosen,
      faults: [
        ...(this.#bench ? [{ element: 'board', reason: 'it is being learnt: keys, lamps and relays are off meanwhile' }] : []),
        ...[...this.#faults].map(([element, reason]) => ({ element, reason })),
      ],
    };
  }

  describe(): object {
    const deadline = this.#deadline();
    const wakeInMs = deadline === undefined ? null : Math.round(deadline - this.#clock.now());
    return { ...this.state(), wakeInMs, actuatable: this.#actuatable() };
  }

  async #configure(profile: BoardProfile): Promise<BoardState> {
    await this.#closeParts();
    this.#profile = profile;
    this.#drivers.gpio.choose(profile.gpio);
    const surroundings = { now: () => this.#clock.now(), moved: () => this.#settle() };
    const opening = new BoardOpening(this.#drivers, surroundings, {
      hook: (change, at) => this.#listener.hook(change, at),
      key: (key, pressed, at) => this.#listener.key(key, pressed, at),
      input: (name, active, at) => this.#listener.input(name, active, at),
      fault: (element, reason) => (reason === undefined ? this.#faults.delete(element) : this.#faults.set(element, reason)),
    });
    await opening.open(profile);
    this.#parts = opening.parts;
    if (opening.incomplete) this.#incomplete = { opening, gpio: profile.gpio, nextAt: this.#clock.now() + againAfterMs };
    this.#settle();
    return this.state();
  }

  /** Opens what failed, if it can be opened by now, and tells of it. */
  async #complete(): Promise<void> {
    const incomplete = this.#incomplete;
    if (!incomplete) return;
    const { opening, gpio } = incomplete;
    const { hook } = this.state();
    const lamps = new Set(this.#parts.leds.keys());
    this.#drivers.gpio.choose(gpio);
    await opening.again();
    const now = this.#clock.now();
    incomplete.nextAt = now + againAfterMs;
    if (!opening.incomplete) this.#incomplete = undefined;
    for (const [name, led] of this.#parts.leds) if (!lamps.has(name)) led.show(now, this.#lamps.get(name) ?? 'off');
    const position = this.#parts.hook?.position ?? null;
    if (position !== null && hook === null) this.#listener.hook(position, now);
    this.#settle();
  }

  /** After a lesson. A handset that was lifted or laid down meanwhile is told of. */
  async #restore(): Promise<void> {
    const before = this.#before;
    this.#before = undefined;
    if (before) {
      const { hook } = await this.#configure(before.profile);
      if (hook !== null && hook !== before.hook) this.#listener.hook(hook, this.#clock.now());
    }
    this.#settle();
  }

  async #closeParts(): Promise<void> {
    await this.#bench?.close();
    this.#bench = undefined;
    const parts = this.#parts;
    this.#parts = new BoardParts();
    this.#profile = undefined;
    this.#incomplete = undefined;
    this.#lamps.clear();
    this.#faults.clear();
    await parts.close();
  }

  #actuateHook(now: Milliseconds, position: HookPosition | 'flash'): void {
    const line = this.#movable('hook');
    if (position !== 'flash') {
      line.move(position === 'offHook');
      return;
    }
    const { flashMs = 0, hook } = this.#profile ?? {};
    const debounceMs = hook?.debounceMs ?? 0;
    if (flashMs <= debounceMs) throw new UsageError('no-flash', 'this board tells no flash: its flash time is too short');
    if (!line.isActive()) throw new UsageError('on-hook', 'a flash needs a lifted handset');
    line.interrupt(now, (debounceMs + flashMs) / 2);
  }

  #movable(element: string): VirtualLine {
    const line = this.#parts.movable.get(element);
    if (line) return line;
    throw new UsageError('not-virtual', `there is no virtual ${element} on this board; it has ${this.#actuatable().join(', ') || 'none'}`);
  }

  #actuatable(): string[] {
    return [...this.#parts.movable.keys(), ...(this.#parts.keypad instanceof VirtualKeypad ? ['every key'] : [])];
  }

  #named<Element>(kind: string, name: string, elements: ReadonlyMap<string, Element>): Element {
    const element = elements.get(name);
    if (element) return element;
    if (this.#bench) throw new UsageError('learning', 'the board is being learnt: it has no outputs meanwhile');
    const fault = this.#faults.get(`${kind} ${name}`);
    if (fault !== undefined) throw new ResourceError(fault);
    throw new UsageError(`unknown-${kind}`, `this board has no ${kind} named ${name}`);
  }

  #deadline(): Milliseconds | undefined {
    return earliest([this.#bench?.deadline, this.#incomplete?.nextAt, ...[...this.#parts.elements()].map((element) => element.deadline)]);
  }

  #wake(): void {
    const now = this.#clock.now();
    this.#bench?.handleTimeout(now);
    const { nextAt } = this.#incomplete ?? {};
    if (this.#incomplete && nextAt !== undefined && now >= nextAt) {
      this.#incomplete.nextAt = undefined;
      void this.#turns.take(() => this.#complete());
    }
    for (const element of this.#parts.elements()) {
      if (element.deadline !== undefined && now >= element.deadline) element.handleTimeout(now);
    }
    this.#settle();
  }

  /** After anything that happened: tells the state if it changed, and arms the one wake-up. */
  #settle(): void {
    const state = this.state();
    const text = JSON.stringify(state);
    if (text !== this.#told) {
      this.#told = text;
      this.#listener.board(state);
    }
    this.#alarm.arm(this.#deadline(), () => this.#wake());
  }
}
