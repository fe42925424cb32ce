import type { HookPosition } from '#firmware/contract/hal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { type StateTable, stepOf } from '#firmware/core/state-table.ts';

type State = 'onHook' | 'offHook' | 'interrupted';
type HookInput = 'lifted' | 'liftedSoon' | 'laid' | 'flashOver';
type Action = 'reportOffHook' | 'reportOnHook' | 'reportFlash' | 'reportPulse';

/**
 * Hang-up, flash or pulse of a dial: a loop that is interrupted is `interrupted` until the flash time has passed (then it was a hang-up) or it
 * is closed again (then it was a flash, or a pulse if that was soon). Without a flash time an interruption is over as it begins.
 */
const hookFlashTable: StateTable<State, HookInput, Action, 'flash'> = {
  onHook: { timers: [], on: { lifted: { to: 'offHook', do: ['reportOffHook'] } } },
  offHook: { timers: [], on: { laid: { to: 'interrupted', do: [] } } },
  interrupted: {
    timers: ['flash'],
    on: {
      lifted: { to: 'offHook', do: ['reportFlash'] },
      liftedSoon: { to: 'offHook', do: ['reportPulse'] },
      flashOver: { to: 'onHook', do: ['reportOnHook'] },
    },
  },
};

export interface HookChange {
  readonly change: HookPosition | 'flash' | 'pulse';
  /** When the edge came that made it: for a hang-up when the loop opened, for a flash or a pulse when it closed again. */
  readonly at: Milliseconds;
}

export interface LoopTimes {
  /** An interruption of at most this long is a flash; 0 = none is. */
  readonly flashMs: Milliseconds;
  /** An interruption of at most this long is a pulse; 0 = none is. */
  readonly pulseMs: Milliseconds;
  /** How much later than it came an edge may be told. */
  readonly settleMs: Milliseconds;
}

/** Tells flashes and pulses from hang-ups in a debounced loop. What counts is when the edges came; they are known `settleMs` later. Pure. */
export class HookFlash {
  readonly #times: LoopTimes;
  #state: State;
  /** When the interruption under way began. */
  #laidAt: Milliseconds = 0;
  #deadline: Milliseconds | undefined;

  constructor(times: LoopTimes, lifted: boolean) {
    this.#times = times;
    this.#state = lifted ? 'offHook' : 'onHook';
  }

  get position(): HookPosition {
    return this.#state === 'onHook' ? 'onHook' : 'offHook';
  }

  get deadline(): Milliseconds | undefined {
    return this.#deadline;
  }

  /** The loop closed (`lifted`) or opened, by an edge at `at`. */
  loop(lifted: boolean, at: Milliseconds): HookChange[] {
    const lasted = at - this.#laidAt;
    const over = this.#state === 'interrupted' && lasted > this.#longest;
    const soon = this.#state === 'interrupted' && lasted <= this.#times.pulseMs;
    return [...(over ? this.#step('flashOver', at) : []), ...this.#step(lifted ? (soon ? 'liftedSoon' : 'lifted') : 'laid', at)];
  }

  handleTimeout(now: Milliseconds): HookChange[] {
    return this.#deadline !== undefined && now >= this.#deadline ? this.#step('flashOver', now) : [];
  }

  get #longest(): Milliseconds {
    return Math.max(this.#times.flashMs, this.#times.pulseMs);
  }

  #step(input: HookInput, at: Milliseconds): HookChange[] {
    const step = stepOf(hookFlashTable, this.#state, input);
    if (!step) return [];
    this.#state = step.to;
    if (step.stop.includes('flash')) this.#deadline = undefined;
    if (step.start.includes('flash')) {
      this.#laidAt = at;
      this.#deadline = at + this.#longest + this.#times.settleMs;
    }
    return step.do.map((action) => this.#report(action, at));
  }

  #report(action: Action, at: Milliseconds): HookChange {
    switch (action) {
      case 'reportOffHook':
        return { change: 'offHook', at };
      case 'reportOnHook':
        return { change: 'onHook', at: this.#laidAt };
      case 'reportFlash':
        return { change: 'flash', at };
      case 'reportPulse':
        return { change: 'pulse', at };
      default:
        throw action satisfies never;
    }
  }
}
