import type { Milliseconds } from '#firmware/core/clock.ts';
import type { ElementSurroundings } from '#hal/elements.ts';
import type { BoardElement } from '#hal/ports.ts';
import { VirtualTime } from '#test/support/virtual-time.ts';

/** One element, whoever drives it, and time for it: virtual with the virtual board, real with real hardware. */
export interface Rig<Element> {
  readonly element: Element;
  now(): Milliseconds;
  pass(ms: Milliseconds): Promise<void>;
}

/** Virtual time that wakes one element, as a board does. */
export class ElementTime {
  readonly time = new VirtualTime();
  #element: BoardElement | undefined;

  readonly surroundings: ElementSurroundings = { now: () => this.time.now(), moved: () => this.#rearm() };

  /** A rig of the element that was made with these surroundings. */
  rig<Element extends BoardElement>(element: Element): Rig<Element> {
    this.#element = element;
    this.#rearm();
    return {
      element,
      now: () => this.time.now(),
      pass: async (ms) => {
        this.#rearm();
        await this.time.pass(ms);
      },
    };
  }

  #rearm(): void {
    this.time.arm(this.#element?.deadline, () => {
      this.#element?.handleTimeout(this.time.now());
      this.#rearm();
    });
  }
}
