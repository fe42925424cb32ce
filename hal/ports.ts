import type { HookPosition, LedPattern } from '#firmware/contract/hal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';

/**
 * What every driver guarantees. Two layers: lines, which drivers of GPIO chips and the virtual board provide, and elements, which are made of
 * lines (or of a HID device) and are what the board profile names. Elements are synchronous and sans-time: they are told `now`, and the
 * board, their only owner, wakes them at `deadline`.
 */

/** One wire in. */
export interface InputLine {
  /** The level now, read afresh; true = active, `activeLow` already applied. Never throws: after a failure the last level known. */
  isActive(): boolean;
  /** Calls `changed` after edges. Edges in quick succession may come as one call, but a last call always follows the last edge. */
  watch(changed: (active: boolean) => void): void;
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

/** Opens lines of one kind; `P` is the part of the board profile that describes one. Rejects with ResourceError in plain words. */
export interface LineDriver<P> {
  openInput(profile: P, failed: LineFailure): Promise<InputLine>;
  openOutput(profile: P, failed: LineFailure): Promise<OutputLine>;
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
