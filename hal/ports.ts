import type { GpioChoice, GpioLineProfile, HookPosition, LedPattern } from '#firmware/contract/hal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';

/**
 * What every driver guarantees. Two layers: lines, which drivers of GPIO chips and the virtual board provide, and elements, which are made of
 * lines (or of a HID device) and are what the board profile names. Elements are synchronous and sans-time: they are told `now`, and the
 * board, their only owner, wakes them at `deadline`.
 */

/** One wire in. */
export interface InputLine {
  /** The driver debounces it by the time of its profile. */
  readonly settled: boolean;
  /** Every edge is told, with the time it came: it can be counted. Otherwise edges in quick succession may come as one call. */
  readonly exact: boolean;
  /** The level now, read afresh; true = active, `activeLow` already applied. Never throws: after a failure the last level known. */
  isActive(): boolean;
  /** Calls `changed` after edges; a last call always follows the last edge. `at` is said by exact lines. */
  watch(changed: (active: boolean, at?: Milliseconds) => void): void;
  /** Gives the wire back. Idempotent. */
  close(): Promise<void>;
}

/** One wire out; inactive from the moment it opens, without a glitch to active. */
export interface OutputLine {
  /** Never throws: a wire that cannot be written is reported by the `failed` it was opened with. */
  set(active: boolean): void;
  /** Makes it inactive and gives it back. Idempotent. */
  close(): Promise<void>;
}

/**
 * Wires that are pulled up: low means connected to ground, or to a wire that is drawn low. Their indices count those that only listen first,
 * then those that may be drawn. What is drawn conducts to ground, what is not floats: two that meet at a contact do each other no harm.
 */
export interface WireBank {
  /** Draws these low and lets all others go. */
  draw(wires: readonly number[]): void;
  /** Which are low now, read at one moment. Never throws: after a failure none is. */
  low(): readonly boolean[];
  /** Calls after edges of the wires that only listen. */
  watch(moved: () => void): void;
  /** Lets all go and gives them back. Idempotent. */
  close(): Promise<void>;
}

/** Pins by their BCM numbers. */
export interface BankProfile {
  readonly listening: readonly number[];
  readonly drawn: readonly number[];
}

/** Opens lines of one kind; `P` is the part of the board profile that describes one. Rejects with ResourceError in plain words. */
export interface LineDriver<P> {
  openInput(profile: P, failed: LineFailure): Promise<InputLine>;
  openOutput(profile: P, failed: LineFailure): Promise<OutputLine>;
  openBank(profile: BankProfile, failed: LineFailure): Promise<WireBank>;
}

/** The GPIO of this machine, by whichever way its kernel offers. */
export interface GpioDriver extends LineDriver<GpioLineProfile> {
  /** For people, once a line was opened: `character device /dev/gpiochip0 (pinctrl-bcm2711)`. */
  readonly chosen: string | null;
  /** Of the lines that are opened from now on. */
  choose(wish: GpioChoice): void;
}

/** Told why a line that was open works no more, once. */
export type LineFailure = (reason: string) => void;

/** What the board keeps: something with deadlines that ends some day. */
export interface BoardElement {
  /** When it wants `handleTimeout`; `undefined` = not at all. */
  readonly deadline: Milliseconds | undefined;
  handleTimeout(now: Milliseconds): void;
  /** Puts outputs to their safe state and gives lines back. Idempotent. */
  close(): Promise<void>;
}

/** Reports `onHook` and `offHook` alternately and a `flash` only while off hook; bounces are not reported. */
export interface HookSwitch extends BoardElement {
  /** `null` while it is not known whether there is one: a USB handset that is not plugged in. */
  readonly position: HookPosition | null;
}

/** Reports each key pressed before released, each once. */
export interface Keypad extends BoardElement {
  /** Keys that are down, in the order they were pressed. */
  readonly keysDown: readonly string[];
}

/** A lamp; dark until told otherwise. All lamps blink in step. */
export interface Led extends BoardElement {
  readonly pattern: LedPattern;
  show(now: Milliseconds, pattern: LedPattern): void;
}

/** A contact that opens a door: never closed for longer than its maximum, whatever is asked and whoever dies. */
export interface Relay extends BoardElement {
  readonly closed: boolean;
  /** Closes it, or keeps it closed; returns how long it will stay so, ms. */
  pulse(now: Milliseconds, durationMs: Milliseconds): Milliseconds;
  release(): void;
}

/** A contact or sensor; reports each change that holds. */
export interface Input extends BoardElement {
  readonly active: boolean;
}

/** What a hook switch reports. `at` is when the edge came, not when it was sure. */
export type HookReport = (change: HookPosition | 'flash', at: Milliseconds) => void;
export type KeyReport = (key: string, pressed: boolean, at: Milliseconds) => void;
export type LevelReport = (active: boolean, at: Milliseconds) => void;
