import type { BoardProfile, GpioLineProfile, KeypadProfile, LessonPlan } from '#firmware/contract/hal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { DialNumbering } from '../pulse-counter.ts';
import type { DialTrain } from './dial-train.ts';
import { matrixOf } from './key-crossings.ts';
import type { Closure } from './wire-scan.ts';

/** A contact that was found, and how it stands while what it belongs to is active. */
export interface FoundContact {
  readonly closure: Closure;
  readonly closedWhenActive: boolean;
}

/** All that a lesson has found so far. */
export interface Findings {
  hook: FoundContact | undefined;
  readonly keys: Map<string, Closure>;
  /** What the dial did for 0 and for 1. */
  readonly dial: Map<'0' | '1', DialTrain>;
  readonly inputs: Map<string, FoundContact>;
}

const hookDebounceMs: Milliseconds = 20;
const keyDebounceMs: Milliseconds = 10;
const dialDebounceMs: Milliseconds = 4;
const inputDebounceMs: Milliseconds = 30;

/** The profile that a lesson came to, and what of it is of no use. */
export function profileOf(plan: LessonPlan, { hook, keys, dial, inputs }: Findings): { profile: BoardProfile; troubles: string[] } {
  const troubles: string[] = [];
  const loop = dial.get('0') !== undefined && hook !== undefined && dial.get('0')?.pulse.a === hook.closure.a;
  const keypad = plan.keypad === 'rotary' ? dialOf(dial, loop, troubles) : keypadOf(keys, troubles);
  const profile: BoardProfile = {
    name: 'learnt',
    description: 'Learnt from the hardware.',
    gpio: 'auto',
    sound: 'none',
    hook: hook ? lineOf(hook, loop ? dialDebounceMs : hookDebounceMs) : null,
    flashMs: hook ? 600 : 0,
    keypad,
    leds: {},
    relays: {},
    inputs: Object.fromEntries([...inputs].map(([name, found]) => [name, lineOf(found, inputDebounceMs)])),
  };
  return { profile, troubles };
}

function keypadOf(keys: ReadonlyMap<string, Closure>, troubles: string[]): KeypadProfile | null {
  const single = [...keys].filter(([, { b }]) => b === null);
  const crossing = new Map([...keys].filter(([, { b }]) => b !== null));
  if (crossing.size === 0) {
    if (single.length === 0) return null;
    const lines = single.map(([key, closure]) => [key, lineOf({ closure, closedWhenActive: true }, keyDebounceMs)] as const);
    return { driver: 'buttons', keys: Object.fromEntries(lines) };
  }
  if (single.length > 0) {
    troubles.push(
      `Left out, since they are no part of the matrix: ${single.map(([key]) => key).join(', ')}. Wire them to a row and a column.`,
    );
  }
  const matrix = matrixOf(crossing, keyDebounceMs);
  if (!matrix) troubles.push('The keys are no matrix: three wires are joined in a ring.');
  return matrix ?? null;
}

function dialOf(dial: ReadonlyMap<'0' | '1', DialTrain>, loop: boolean, troubles: string[]): KeypadProfile | null {
  const [zero, one] = [dial.get('0'), dial.get('1')];
  if (!zero) return null;
  const numbering = numberingOf(zero.pulses, one?.pulses);
  if (!numbering) {
    troubles.push(`A dial of no country that is known: ${zero.pulses} pulses for 0, ${one?.pulses ?? 'no'} for 1.`);
    return null;
  }
  const { offNormal } = zero;
  return {
    driver: 'rotary',
    pulse: loop ? null : lineOf({ closure: zero.pulse, closedWhenActive: zero.closedAtRest }, dialDebounceMs),
    offNormal: offNormal ? lineOf({ closure: offNormal.closure, closedWhenActive: offNormal.closedWhenTurned }, keyDebounceMs) : null,
    numbering,
  };
}

/** By the pulses of 0 and, where it was dialled, of 1. */
function numberingOf(zero: number, one: number | undefined): DialNumbering | undefined {
  if (zero === 1 && (one === undefined || one === 2)) return 'swedish';
  if (zero !== 10) return undefined;
  if (one === 9) return 'newZealand';
  return one === undefined || one === 1 ? 'usual' : undefined;
}

/** Every wire is pulled up. */
function lineOf({ closure, closedWhenActive }: FoundContact, debounceMs: Milliseconds): GpioLineProfile {
  return { driver: 'gpio', pin: closure.a, activeLow: closedWhenActive, pull: 'up', debounceMs };
}
