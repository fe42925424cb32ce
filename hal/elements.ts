import type { HookPosition, LedPattern } from '#firmware/contract/hal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { Debounce, type LevelChange } from './debounce.ts';
import { HookFlash } from './hook-flash.ts';
import { ledLevel } from './led-pattern.ts';
import type { HookReport, HookSwitch, Input, InputLine, Keypad, KeyReport, Led, LevelReport, OutputLine, Relay } from './ports.ts';
import { RelayGuard } from './relay-guard.ts';

/** Elements made of lines: they know nothing of GPIO. `now` is the clock of the board, asked when an edge calls. */

/** What an element that watches a line needs of its board. */
export interface ElementSurroundings {
  readonly now: () => Milliseconds;
  /** To be called after anything that may have moved a deadline on its own. */
  readonly moved: () => void;
}

/** A debounced line. */
export class SettledLine {
  readonly #line: InputLine;
  readonly #debounce: Debounce;
  readonly #report: LevelReport;

  constructor(line: InputLine, debounceMs: Milliseconds, surroundings: ElementSurroundings, report: LevelReport) {
    this.#line = line;
    this.#debounce = new Debounce(line.settled ? 0 : debounceMs, line.isActive());
    this.#report = report;
    line.watch((active, at) => {
      // Edges that come in a bundle, each with its time: the level before this one may have held long enough.
      if (at !== undefined) this.#tell(this.#debounce.handleTimeout(at));
      this.#take(at ?? surroundings.now(), active);
      surroundings.moved();
    });
  }

  get active(): boolean {
    return this.#debounce.active;
  }

  get deadline(): Milliseconds | undefined {
    return this.#debounce.deadline;
  }

  /** Reads the wire again: a driver may have told of several edges as one. */
  handleTimeout(now: Milliseconds): void {
    const { deadline } = this;
    if (deadline !== undefined && now >= deadline) this.#take(now, this.#line.isActive());
  }

  close(): Promise<void> {
    return this.#line.close();
  }

  #take(now: Milliseconds, active: boolean): void {
    this.#tell(this.#debounce.level(now, active));
  }

  #tell(change: LevelChange | undefined): void {
    if (change) this.#report(change.active, change.at);
  }
}

/** An input of the profile: door contact, bell button, motion sensor. */
export class LineInput implements Input {
  readonly #line: SettledLine;

  constructor(line: InputLine, debounceMs: Milliseconds, surroundings: ElementSurroundings, report: LevelReport) {
    this.#line = new SettledLine(line, debounceMs, surroundings, report);
  }

  get active(): boolean {
    return this.#line.active;
  }

  get deadline(): Milliseconds | undefined {
    return this.#line.deadline;
  }

  handleTimeout(now: Milliseconds): void {
    this.#line.handleTimeout(now);
  }

  close(): Promise<void> {
    return this.#line.close();
  }
}

export interface HookTimes {
  readonly debounceMs: Milliseconds;
  readonly flashMs: Milliseconds;
  /** An interruption of at most this long is a pulse of a dial in the same loop; 0 = there is none. */
  readonly pulseMs?: Milliseconds;
}

/** A driver that debounces tells of an edge when it has held, and a little later. */
const tellingTakesMs: Milliseconds = 5;

/** A hook switch on one line, active while the handset is lifted. */
export class LineHookSwitch implements HookSwitch {
  readonly #line: SettledLine;
  readonly #flash: HookFlash;
  readonly #report: HookReport;
  readonly #pulsed: (at: Milliseconds) => void;

  /** `pulsed` hears of each pulse of a dial in the loop. */
  constructor(
    line: InputLine,
    { debounceMs, flashMs, pulseMs = 0 }: HookTimes,
    surroundings: ElementSurroundings,
    report: HookReport,
    pulsed: (at: Milliseconds) => void = () => {},
  ) {
    this.#report = report;
    this.#pulsed = pulsed;
    this.#line = new SettledLine(line, debounceMs, surroundings, (lifted, at) => {
      this.#tell(this.#flash.loop(lifted, at));
      // Without a flash time the hang-up is certain already.
      this.#tell(this.#flash.handleTimeout(surroundings.now()));
    });
    const settleMs = line.settled ? debounceMs + tellingTakesMs : debounceMs;
    this.#flash = new HookFlash({ flashMs, pulseMs, settleMs }, this.#line.active);
  }

  get position(): HookPosition {
    return this.#flash.position;
  }

  get deadline(): Milliseconds | undefined {
    return earliest([this.#line.deadline, this.#flash.deadline]);
  }

  /** Edges first: the one that ends a flash may become certain at the very end of its time. */
  handleTimeout(now: Milliseconds): void {
    this.#line.handleTimeout(now);
    this.#tell(this.#flash.handleTimeout(now));
  }

  close(): Promise<void> {
    return this.#line.close();
  }

  #tell(changes: ReturnType<HookFlash['loop']>): void {
    for (const { change, at } of changes) {
      if (change === 'pulse') this.#pulsed(at);
      else this.#report(change, at);
    }
  }
}

/** A keypad with one line for each key. */
export class ButtonKeypad implements Keypad {
  readonly #lines: readonly SettledLine[];
  readonly #down = new Set<string>();

  constructor(
    buttons: readonly { readonly key: string; readonly line: InputLine; readonly debounceMs: Milliseconds }[],
    surroundings: ElementSurroundings,
    report: KeyReport,
  ) {
    this.#lines = buttons.map(
      ({ key, line, debounceMs }) =>
        new SettledLine(line, debounceMs, surroundings, (pressed, at) => {
          if (pressed) this.#down.add(key);
          else this.#down.delete(key);
          report(key, pressed, at);
        }),
    );
  }

  get keysDown(): readonly string[] {
    return [...this.#down];
  }

  get deadline(): Milliseconds | undefined {
    return earliest(this.#lines.map((line) => line.deadline));
  }

  handleTimeout(now: Milliseconds): void {
    for (const line of this.#lines) line.handleTimeout(now);
  }

  async close(): Promise<void> {
    for (const line of this.#lines) await line.close();
  }
}

/** A lamp on one line. */
export class LineLed implements Led {
  readonly #line: OutputLine;
  #pattern: LedPattern = 'off';
  #deadline: Milliseconds | undefined;

  constructor(line: OutputLine) {
    this.#line = line;
  }

  get pattern(): LedPattern {
    return this.#pattern;
  }

  get deadline(): Milliseconds | undefined {
    return this.#deadline;
  }

  show(now: Milliseconds, pattern: LedPattern): void {
    this.#pattern = pattern;
    const { lit, until } = ledLevel(pattern, now);
    this.#deadline = until;
    this.#line.set(lit);
  }

  handleTimeout(now: Milliseconds): void {
    if (this.#deadline !== undefined && now >= this.#deadline) this.show(now, this.#pattern);
  }

  close(): Promise<void> {
    this.#deadline = undefined;
    return this.#line.close();
  }
}

/** A relay on one line. */
export class LineRelay implements Relay {
  readonly #line: OutputLine;
  readonly #guard: RelayGuard;

  constructor(line: OutputLine, maximumMs: Milliseconds) {
    this.#line = line;
    this.#guard = new RelayGuard(maximumMs);
  }

  get closed(): boolean {
    return this.#guard.closed;
  }

  get deadline(): Milliseconds | undefined {
    return this.#guard.deadline;
  }

  pulse(now: Milliseconds, durationMs: Milliseconds): Milliseconds {
    const granted = this.#guard.pulse(now, durationMs);
    this.#line.set(true);
    return granted;
  }

  release(): void {
    this.#guard.release();
    this.#line.set(false);
  }

  handleTimeout(now: Milliseconds): void {
    if (this.#guard.handleTimeout(now)) this.#line.set(false);
  }

  close(): Promise<void> {
    this.release();
    return this.#line.close();
  }
}

/** The first of these deadlines. */
export function earliest(deadlines: readonly (Milliseconds | undefined)[]): Milliseconds | undefined {
  let first: Milliseconds | undefined;
  for (const deadline of deadlines) if (deadline !== undefined && (first === undefined || deadline < first)) first = deadline;
  return first;
}
