import type { BoardProfile, HidLamp, HookPosition, KeypadProfile, LedProfile, LineProfile } from '#firmware/contract/hal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { messageOf } from '#firmware/core/errors.ts';
import { ButtonKeypad, type ElementSurroundings, LineHookSwitch, LineInput, LineLed, LineRelay } from './elements.ts';
import { EvdevKeypad } from './evdev/evdev-keypad.ts';
import type { EvdevDriver } from './evdev/evdev-port.ts';
import { HidKeypad } from './hid/hid-keypad.ts';
import type { HidDriver } from './hid/hid-port.ts';
import { MatrixKeypad } from './matrix-keypad.ts';
import type {
  BoardElement,
  GpioDriver,
  HookSwitch,
  Input,
  InputLine,
  Keypad,
  KeyReport,
  Led,
  LineFailure,
  OutputLine,
  Relay,
} from './ports.ts';
import { pulseAtMostMs } from './pulse-counter.ts';
import { type DialLines, RotaryDial } from './rotary-dial.ts';
import { VirtualKeypad, VirtualLine } from './virtual/virtual-board.ts';

/** Drivers of real hardware. They load their npm package when a profile first wants them. */
export interface BoardDrivers {
  readonly gpio: GpioDriver;
  readonly hid: HidDriver;
  readonly evdev: EvdevDriver;
}

/** What the elements of a board report. */
export interface BoardReports {
  hook(change: HookPosition | 'flash', at: Milliseconds): void;
  key(key: string, pressed: boolean, at: Milliseconds): void;
  input(name: string, active: boolean, at: Milliseconds): void;
  /** Why an element does not work; `undefined` = it works. */
  fault(element: string, reason: string | undefined): void;
}

/** An open board: its elements by the names of the profile, those that failed left out. */
export class BoardParts {
  hook: HookSwitch | undefined;
  keypad: Keypad | undefined;
  readonly leds = new Map<string, Led>();
  readonly relays = new Map<string, Relay>();
  readonly inputs = new Map<string, Input>();
  /** What `actuate` may move: virtual lines by `hook`, `key 5`, `input button`. */
  readonly movable = new Map<string, VirtualLine>();

  /** Everything with a deadline. */
  *elements(): Generator<BoardElement> {
    yield* this.movable.values();
    // A USB handset is both.
    const both: (BoardElement | undefined)[] = [this.hook, this.keypad];
    for (const element of new Set(both)) if (element) yield element;
    yield* this.inputs.values();
    yield* this.relays.values();
    yield* this.leds.values();
  }

  async close(): Promise<void> {
    // Relays first: whatever else hangs, the door is shut.
    for (const relay of this.relays.values()) relay.release();
    for (const element of this.elements()) await element.close();
  }
}

const uncounted = 'a dial needs the GPIO character device: sysfs tells of several pulses as one';

/** Opens what a profile names. What fails is a fault and no error: a phone with a broken lamp is a phone. */
export class BoardOpening {
  readonly parts = new BoardParts();
  /** What did not succeed, and may when it is done again. */
  #failed: (() => Promise<void>)[] = [];
  #failing = false;
  readonly #drivers: BoardDrivers;
  readonly #surroundings: ElementSurroundings;
  readonly #reports: BoardReports;
  readonly #lampNames = new Map<HidLamp, string>();
  #hid: HidKeypad | undefined;
  /** The dial whose pulses are those of the hook switch. */
  #loopDial: RotaryDial | undefined;

  constructor(drivers: BoardDrivers, surroundings: ElementSurroundings, reports: BoardReports) {
    this.#drivers = drivers;
    this.#surroundings = surroundings;
    this.#reports = reports;
  }

  async open(profile: BoardProfile): Promise<void> {
    const { keypad, hook, flashMs } = profile;
    // A dial in the loop of the hook switch hears its pulses from there.
    if (keypad) await this.#take(() => this.#keypad(keypad, hook === null));
    if (hook) await this.#take(() => this.#hook(hook, flashMs));
    for (const [name, line] of Object.entries(profile.leds)) await this.#take(() => this.#led(name, line));
    for (const [name, { line, maximumMs }] of Object.entries(profile.relays)) await this.#take(() => this.#relay(name, line, maximumMs));
    for (const [name, line] of Object.entries(profile.inputs)) await this.#take(() => this.#input(name, line));
  }

  /** Elements could not be opened: a device that is not there or not for us, a pin that somebody has. */
  get incomplete(): boolean {
    return this.#failed.length > 0;
  }

  /** Tries what failed once more; what works meanwhile is not touched. */
  async again(): Promise<void> {
    const steps = this.#failed;
    this.#failed = [];
    for (const step of steps) await this.#take(step);
  }

  async #take(step: () => Promise<void>): Promise<void> {
    this.#failing = false;
    await step();
    if (this.#failing) this.#failed.push(step);
  }

  async #hook(profile: LineProfile, flashMs: Milliseconds): Promise<void> {
    const line = await this.#openInput('hook', profile);
    if (!line) return;
    const times = { debounceMs: profile.debounceMs, flashMs, pulseMs: this.#loopDial ? pulseAtMostMs : 0 };
    const report = (change: HookPosition | 'flash', at: Milliseconds) => {
      this.#loopDial?.spoil();
      this.#reports.hook(change, at);
    };
    this.parts.hook = new LineHookSwitch(line, times, this.#surroundings, report, (at) => this.#loopDial?.pulse(at));
  }

  /** `isHook`: a handset's own hook switch counts, since the profile names none. */
  async #keypad(profile: KeypadProfile, isHook: boolean): Promise<void> {
    // Some of its keys may be open.
    await this.parts.keypad?.close();
    this.parts.keypad = undefined;
    const report = (key: string, pressed: boolean, at: Milliseconds) => this.#reports.key(key, pressed, at);
    switch (profile.driver) {
      case 'virtual':
        this.parts.keypad = new VirtualKeypad(report);
        return;
      case 'buttons': {
        const buttons = [];
        for (const [key, lineProfile] of Object.entries(profile.keys)) {
          const line = await this.#openInput(`key ${key}`, lineProfile);
          if (line) buttons.push({ key, line, debounceMs: lineProfile.debounceMs });
        }
        this.parts.keypad = new ButtonKeypad(buttons, this.#surroundings, report);
        return;
      }
      case 'hid': {
        const keypad = new HidKeypad(profile.identity, this.#drivers.hid, this.#surroundings, {
          key: report,
          hook: (change, at) => isHook && this.#reports.hook(change, at),
          lampFault: (lamp, reason) => this.#reportLamp(lamp, reason),
          fault: (reason) => this.#reports.fault('keypad', reason),
        });
        this.parts.keypad = keypad;
        this.#hid = keypad;
        if (isHook) this.parts.hook = keypad;
        return;
      }
      case 'evdev':
        this.parts.keypad = new EvdevKeypad(profile.identity, this.#drivers.evdev, this.#surroundings, {
          key: report,
          fault: (reason) => this.#reports.fault('keypad', reason),
        });
        return;
      case 'matrix': {
        const { rows, columns, keys, debounceMs } = profile;
        const bank = await this.#attempt('keypad', (failed) => this.#drivers.gpio.openBank({ listening: rows, drawn: columns }, failed));
        const matrix = { rows: rows.length, columns: columns.length, keys, debounceMs };
        if (bank) this.parts.keypad = new MatrixKeypad(bank, matrix, this.#surroundings, report);
        return;
      }
      case 'rotary':
        await this.#dial(profile, report);
        return;
      default:
        throw profile satisfies never;
    }
  }

  async #led(name: string, profile: LedProfile): Promise<void> {
    const line = profile.driver === 'hid' ? this.#lampLine(name, profile.lamp) : await this.#openOutput(`led ${name}`, profile);
    if (line) this.parts.leds.set(name, new LineLed(line));
  }

  async #relay(name: string, profile: LineProfile, maximumMs: Milliseconds): Promise<void> {
    const line = await this.#openOutput(`relay ${name}`, profile);
    if (line) this.parts.relays.set(name, new LineRelay(line, maximumMs));
  }

  async #input(name: string, profile: LineProfile): Promise<void> {
    const line = await this.#openInput(`input ${name}`, profile);
    if (!line) return;
    const report = (active: boolean, at: Milliseconds) => this.#reports.input(name, active, at);
    this.parts.inputs.set(name, new LineInput(line, profile.debounceMs, this.#surroundings, report));
  }

  /** Pulses have to be counted, every one. */
  async #dial(profile: Extract<KeypadProfile, { driver: 'rotary' }>, report: KeyReport): Promise<void> {
    const open = async (element: string, line: LineProfile | null): Promise<DialLines['pulse']> => {
      const opened = line ? await this.#openInput(element, line) : undefined;
      return opened && line ? { line: opened, debounceMs: line.debounceMs } : undefined;
    };
    const pulse = await open('keypad', profile.pulse);
    if (profile.pulse && !pulse) return;
    const dial = new RotaryDial(
      { pulse, offNormal: await open('keypad off-normal', profile.offNormal) },
      profile.numbering,
      this.#surroundings,
      report,
    );
    this.parts.keypad = dial;
    if (profile.pulse === null) this.#loopDial = dial;
    if (pulse && !pulse.line.exact) this.#reports.fault('keypad', uncounted);
  }

  #lampLine(name: string, lamp: HidLamp): OutputLine | undefined {
    if (this.#hid) {
      this.#lampNames.set(lamp, name);
      return this.#hid.lamp(lamp);
    }
    this.#reports.fault(`led ${name}`, 'a lamp of a USB handset needs one: keypad with driver hid');
    return undefined;
  }

  #reportLamp(lamp: HidLamp, reason: string | undefined): void {
    const name = this.#lampNames.get(lamp);
    if (name !== undefined) this.#reports.fault(`led ${name}`, reason);
  }

  async #openInput(element: string, profile: LineProfile): Promise<InputLine | undefined> {
    if (profile.driver === 'gpio') return await this.#attempt(element, (failed) => this.#drivers.gpio.openInput(profile, failed));
    const line = new VirtualLine();
    this.parts.movable.set(element, line);
    return line;
  }

  async #openOutput(element: string, profile: LineProfile): Promise<OutputLine | undefined> {
    if (profile.driver === 'virtual') return new VirtualLine();
    return await this.#attempt(element, (failed) => this.#drivers.gpio.openOutput(profile, failed));
  }

  async #attempt<Line>(element: string, open: (failed: LineFailure) => Promise<Line>): Promise<Line | undefined> {
    try {
      const line = await open((reason) => {
        this.#reports.fault(element, reason);
        this.#surroundings.moved();
      });
      this.#reports.fault(element, undefined);
      return line;
    } catch (thrown) {
      this.#failing = true;
      this.#reports.fault(element, messageOf(thrown));
      return undefined;
    }
  }
}
