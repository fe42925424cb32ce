import type { LessonPlan, LessonState } from '#firmware/contract/hal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { judgeDial } from './dial-train.ts';
import { type Findings, type FoundContact, profileOf } from './learnt-profile.ts';
import { type Closure, closureName } from './wire-scan.ts';

/** A level holds once it has rested so long. */
const settleMs: Milliseconds = 15;
/** Before anything is asked, nothing may move for so long. */
const restMs: Milliseconds = 1_000;
/** A handset is lifted, not brushed. */
const liftMs: Milliseconds = 200;
/** A dial has run down. */
const dialOverMs: Milliseconds = 700;
const edgesKept = 300;
const signalsAtMost = 400;

type Task =
  | { readonly step: 'rest' | 'lift' | 'lay' }
  | { readonly step: 'key'; readonly key: string }
  | { readonly step: 'dial'; readonly digit: '0' | '1' }
  | { readonly step: 'input'; readonly name: string };

/**
 * Asks a person for one movement after the other, watches which wires conduct, and makes a board profile of it. Whoever wires a phone need not
 * know what he wires. Only a change of exactly one connection counts; anything else is said and asked for again. Pure.
 */
export class Lesson {
  readonly #plan: LessonPlan;
  readonly #tasks: readonly Task[];
  readonly #found: Findings = { hook: undefined, keys: new Map(), dial: new Map(), inputs: new Map() };
  #at = 0;
  #trouble: string | null = null;
  /** Connections as scanned last, and since when they have been so. */
  #now = new Map<string, Closure>();
  #since: Milliseconds = 0;
  /** Those of a phone that nobody touches. */
  #rest = new Map<string, Closure>();
  /** Of this task: the one connection that has changed, until it is back. */
  #moved: FoundContact | undefined;
  readonly #known = new Map<string, Closure>();
  readonly #edges: { readonly signal: string; readonly closed: boolean; readonly at: Milliseconds }[] = [];
  /** Edges since the dial began to turn. */
  #turn: { readonly signal: string; readonly closed: boolean; readonly at: Milliseconds }[] = [];

  constructor(plan: LessonPlan) {
    this.#plan = plan;
    this.#tasks = tasksOf(plan);
  }

  /** What the wires show now. */
  observe(now: Milliseconds, closures: ReadonlyMap<string, Closure>): void {
    const changed = [...symmetricDifference(this.#now, closures)];
    for (const [name, closure] of changed) this.#edge(name, closure, closures.has(name), now);
    if (changed.length > 0) {
      this.#now = new Map(closures);
      this.#since = now;
    }
    const task = this.#tasks[this.#at];
    const held = now - this.#since;
    if (task && held >= settleMs) this.#judge(task, held);
  }

  /** Goes on without what is asked for. */
  skip(): void {
    const task = this.#tasks[this.#at];
    // Who has no handset to lift has none to lay down.
    this.#next(task?.step === 'lift' ? 2 : 1);
  }

  get over(): boolean {
    return this.#at >= this.#tasks.length;
  }

  /** Pins on which anything was ever seen to conduct. */
  get touched(): ReadonlySet<number> {
    return new Set([...this.#known.values()].flatMap(({ a, b }) => (b === null ? [a] : [a, b])));
  }

  state(now: Milliseconds): Omit<LessonState, 'learner' | 'refused'> {
    const task = this.#tasks[this.#at];
    const outcome = task ? undefined : profileOf(this.#plan, this.#found);
    return {
      step: task?.step ?? 'done',
      ask: task ? askOf(task, this.#moved !== undefined) : 'Done.',
      choices: [],
      trouble: outcome ? outcome.troubles.join(' ') || null : this.#trouble,
      done: this.#at,
      of: this.#tasks.length,
      now,
      signals: [...this.#known.keys()].map((name) => ({ name, closed: this.#now.has(name) })),
      edges: [...this.#edges],
      found: foundOf(this.#found),
      profile: outcome?.profile ?? null,
    };
  }

  #judge(task: Task, held: Milliseconds): void {
    switch (task.step) {
      case 'rest':
        if (held < restMs) return;
        this.#rest = new Map(this.#now);
        this.#next(1);
        return;
      case 'lift':
        if (held >= liftMs) this.#takeMove((found) => this.#takeHook(found));
        return;
      case 'lay':
        if (held >= liftMs && this.#isAtRest()) this.#next(1);
        return;
      case 'key':
        this.#takeMoveAndBack((found) => this.#takeKey(task.key, found));
        return;
      case 'input':
        this.#takeMoveAndBack((found) => this.#takeInput(task.name, found));
        return;
      case 'dial':
        if (held >= dialOverMs) this.#takeDial(task.digit);
        return;
      default:
        task satisfies never;
    }
  }

  /** Calls `take` with the one connection that differs from rest, if it is one. */
  #takeMove(take: (found: FoundContact) => string | undefined): void {
    const moved = [...symmetricDifference(this.#rest, this.#now)];
    const [first] = moved;
    if (!first) return;
    if (moved.length > 1) {
      this.#trouble = `Several connections changed at once (${moved.map(([name]) => name).join(', ')}). Move one thing only.`;
      return;
    }
    const [name, closure] = first;
    const found = { closure, closedWhenActive: this.#now.has(name) };
    this.#trouble = take(found) ?? null;
    if (this.#trouble === null) this.#moved = found;
  }

  #takeMoveAndBack(take: (found: FoundContact) => string | undefined): void {
    if (!this.#moved) this.#takeMove(take);
    else if (this.#isAtRest()) this.#next(1);
  }

  #takeHook(found: FoundContact): string | undefined {
    if (found.closure.b !== null) return `The hook switch joins ${closureName(found.closure)}: connect one of its wires to GND instead.`;
    this.#found.hook = found;
    this.#next(1);
    return undefined;
  }

  #takeKey(key: string, found: FoundContact): string | undefined {
    if (!found.closedWhenActive) return `${closureName(found.closure)} opened instead of closing: is that a key?`;
    const name = closureName(found.closure);
    const same = [...this.#found.keys].find(([, closure]) => closureName(closure) === name);
    if (same) return `${name} is key ${same[0]} already.`;
    this.#found.keys.set(key, found.closure);
    return undefined;
  }

  #takeInput(name: string, found: FoundContact): string | undefined {
    if (found.closure.b !== null) return `It joins ${closureName(found.closure)}: connect one of its wires to GND instead.`;
    this.#found.inputs.set(name, found);
    return undefined;
  }

  #takeDial(digit: '0' | '1'): void {
    const turn = this.#turn;
    this.#turn = [];
    if (turn.length === 0) return;
    const verdict = judgeDial(turn, this.#known);
    this.#trouble = typeof verdict === 'string' ? verdict : null;
    if (typeof verdict === 'string') return;
    this.#found.dial.set(digit, verdict);
    this.#next(1);
  }

  #isAtRest(): boolean {
    return symmetricDifference(this.#rest, this.#now).size === 0;
  }

  #next(steps: number): void {
    this.#at = Math.min(this.#tasks.length, this.#at + steps);
    this.#trouble = null;
    this.#moved = undefined;
    this.#turn = [];
  }

  #edge(signal: string, closure: Closure, closed: boolean, at: Milliseconds): void {
    if (this.#known.size < signalsAtMost) this.#known.set(signal, closure);
    this.#edges.push({ signal, closed, at });
    if (this.#edges.length > edgesKept) this.#edges.shift();
    if (this.#tasks[this.#at]?.step === 'dial' && this.#turn.length < edgesKept) this.#turn.push({ signal, closed, at });
  }
}

function tasksOf({ hook, keypad, keys, inputs }: LessonPlan): Task[] {
  return [
    { step: 'rest' },
    ...(hook ? ([{ step: 'lift' }, { step: 'lay' }] as const) : []),
    ...(keypad === 'keys' ? keys.map((key): Task => ({ step: 'key', key })) : []),
    ...(keypad === 'rotary' ? (['0', '1'] as const).map((digit): Task => ({ step: 'dial', digit })) : []),
    ...inputs.map((name): Task => ({ step: 'input', name })),
  ];
}

function askOf(task: Task, moved: boolean): string {
  switch (task.step) {
    case 'rest':
      return 'Lay the handset down and touch nothing.';
    case 'lift':
      return 'Lift the handset.';
    case 'lay':
      return 'Lay the handset down.';
    case 'key':
      return moved ? `Release ${task.key}.` : `Press ${task.key}.`;
    case 'dial':
      return `Dial ${task.digit} and let the dial run back. (If its contact is in the loop of the handset, lift it first.)`;
    case 'input':
      return moved ? `Let ${task.name} go back.` : `Make ${task.name} active: press it, open it, move before it.`;
    default:
      return task satisfies never;
  }
}

function foundOf({ hook, keys, dial, inputs }: Findings): LessonState['found'] {
  const contact = ({ closure, closedWhenActive }: FoundContact) => `${closureName(closure)}, ${closedWhenActive ? 'closes' : 'opens'}`;
  return [
    ...(hook ? [{ element: 'hook', wires: contact(hook) }] : []),
    ...[...keys].map(([key, closure]) => ({ element: `key ${key}`, wires: closureName(closure) })),
    ...[...dial].map(([digit, { pulse, pulses }]) => ({ element: `dial ${digit}`, wires: `${closureName(pulse)}, ${pulses} pulses` })),
    ...[...inputs].map(([name, found]) => ({ element: `input ${name}`, wires: contact(found) })),
  ];
}

function symmetricDifference(one: ReadonlyMap<string, Closure>, other: ReadonlyMap<string, Closure>): Map<string, Closure> {
  return new Map([...one, ...other].filter(([name]) => one.has(name) !== other.has(name)));
}
