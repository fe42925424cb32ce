import { setTimeout as wait } from 'node:timers/promises';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import type { ElementSurroundings } from '#hal/elements.ts';
import { NodeAlarm } from '#hal/node-alarm.ts';
import type { BoardElement } from '#hal/ports.ts';
import type { Rig } from '#test/contract/rig.ts';

/** A look at a wire costs an emulated millisecond or two: who looks every millisecond looks that often. */
const shortestMs: Milliseconds = 5;

/** The time of the machine, which wakes one element, as a board does. */
export class MachineTime {
  readonly #alarm = new NodeAlarm(nodeClock);
  #element: BoardElement | undefined;

  readonly surroundings: ElementSurroundings = { now: () => nodeClock.now(), moved: () => this.#rearm() };

  /** A rig of the element that was made with these surroundings. */
  rig<Element extends BoardElement>(element: Element): Rig<Element> {
    this.#element = element;
    this.#rearm();
    return {
      element,
      now: () => nodeClock.now(),
      pass: async (ms) => {
        this.#rearm();
        await wait(Math.max(ms, shortestMs));
      },
    };
  }

  #rearm(): void {
    this.#alarm.arm(this.#element?.deadline, () => {
      this.#element?.handleTimeout(nodeClock.now());
      this.#rearm();
    });
  }
}
