import type { BoardProfile, GpioLineProfile } from '#firmware/contract/hal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { UsageError } from '#firmware/core/errors.ts';

/** A line that is switched for a moment, to see what that does. */
export interface Trial {
  readonly pin: number;
  readonly high: boolean;
}

/** What a lamp or relay was found at. */
interface FoundOutput {
  readonly kind: 'lamp' | 'relay';
  readonly name: string;
  readonly trial: Trial;
}

/** No line is switched for longer, and never two at once: what is wired there may be the opener of a door. */
export const trialMs: Milliseconds = 800;
/** Of a relay that was learnt; whoever knows better changes the profile. */
const relayAtMostMs: Milliseconds = 5_000;

/**
 * Finds lamps and relays: switches one line after the other, first high, then what is still missing low, and asks the person what lit up or clicked. Only lines on which
 * nothing ever conducted are tried: a closed switch to ground would be a short circuit. Pure; the bench switches.
 */
export class OutputSearch {
  readonly #missing: Map<string, FoundOutput['kind']>;
  readonly #found: FoundOutput[] = [];
  #trials: Trial[];
  #begun = false;

  constructor(wanted: { readonly lamps: readonly string[]; readonly relays: readonly string[] }, pins: readonly number[]) {
    const named = (names: readonly string[], kind: FoundOutput['kind']) => names.map((name) => [name, kind] as const);
    this.#missing = new Map([...named(wanted.lamps, 'lamp'), ...named(wanted.relays, 'relay')]);
    this.#trials = [true, false].flatMap((high) => pins.map((pin) => ({ pin, high })));
  }

  get over(): boolean {
    return this.#missing.size === 0 || this.#trials.length === 0;
  }

  /** Which line is to be switched next, or again. */
  get trial(): Trial | undefined {
    return this.#begun && !this.over ? this.#trials[0] : undefined;
  }

  get ask(): string {
    const { trial } = this;
    if (this.over) return 'Done.';
    if (!trial) {
      return 'Lines are switched one after the other now. Take the power from what relays switch (a door opener, a light), touch nothing, then begin.';
    }
    return `GPIO ${trial.pin} was switched ${trial.high ? 'on' : 'to ground'} for ${trialMs / 1000} s: what lit up or clicked?`;
  }

  /** What `answer` takes now. */
  get choices(): readonly string[] {
    if (this.over) return [];
    return this.#begun ? [...this.#missing.keys(), 'nothing', 'again'] : ['begin'];
  }

  /** How many of how many lines have been asked about. */
  get left(): number {
    return this.over ? 0 : this.#trials.length;
  }

  get found(): readonly { readonly element: string; readonly wires: string }[] {
    return this.#found.map(({ kind, name, trial: { pin, high } }) => ({
      element: `${kind} ${name}`,
      wires: `GPIO ${pin}, on when ${high ? 'high' : 'low'}`,
    }));
  }

  /** At the end: what nobody saw. */
  get trouble(): string {
    return this.#missing.size === 0 ? '' : `Not found: ${[...this.#missing.keys()].join(', ')}.`;
  }

  /** The person says what was to be seen. Throws UsageError (`not-a-choice`). */
  answer(word: string): void {
    if (!this.choices.includes(word)) throw new UsageError('not-a-choice', `one of: ${this.choices.join(', ')}`);
    const { trial } = this;
    const kind = this.#missing.get(word);
    if (!trial) this.#begun = true;
    else if (kind) {
      this.#found.push({ kind, name: word, trial });
      this.#missing.delete(word);
      this.drop(trial.pin);
    } else if (word === 'nothing') this.#trials.shift();
  }

  /** Leaves a line out. */
  drop(pin: number): void {
    this.#trials = this.#trials.filter((trial) => trial.pin !== pin);
  }

  /** Goes on without what is missing. */
  stop(): void {
    this.#trials = [];
  }

  outputs(): Pick<BoardProfile, 'leds' | 'relays'> {
    const of = (kind: FoundOutput['kind']) => this.#found.filter((one) => one.kind === kind);
    return {
      leds: Object.fromEntries(of('lamp').map(({ name, trial }) => [name, outputLine(trial)])),
      relays: Object.fromEntries(of('relay').map(({ name, trial }) => [name, { line: outputLine(trial), maximumMs: relayAtMostMs }])),
    };
  }
}

export function outputLine({ pin, high }: Trial): GpioLineProfile {
  return { driver: 'gpio', pin, activeLow: !high, debounceMs: 0 };
}
