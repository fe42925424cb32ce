import type { halContract } from '#firmware/contract/hal.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import type { Caller, Implementation } from '#firmware/platform/unix-socket.ts';
import type { Board } from '#hal/board.ts';

/** The commands of the hal contract on a board, and who may give them. */
export class HalService {
  readonly #board: Board;
  readonly #logger: Logger;
  /** Whoever configured last; `undefined` while nobody is there, and then outputs are safe. */
  #controller: Caller | undefined;

  constructor(board: Board, logger: Logger) {
    this.#board = board;
    this.#logger = logger;
  }

  /** One function per command of the contract. */
  commands(): Implementation<typeof halContract> {
    return {
      configure: async ({ profile }, caller) => {
        this.#takeOver(caller);
        const state = await this.#board.configure(profile);
        this.#logger.info('board-configured', { profile: profile.name, gpio: state.gpio, faults: state.faults.length });
        for (const { element, reason } of state.faults) this.#logger.warn('board-fault', { element, reason });
        return state;
      },
      setLed: ({ led, pattern }, caller) => {
        this.#demandController(caller);
        this.#board.setLed(led, pattern);
        return {};
      },
      pulseRelay: ({ relay, durationMs }, caller) => {
        this.#demandController(caller);
        const granted = this.#board.pulseRelay(relay, durationMs);
        this.#logger.info('relay-closed', { relay, durationMs: granted });
        return { durationMs: granted };
      },
      releaseRelay: ({ relay }, caller) => {
        this.#demandController(caller);
        this.#board.releaseRelay(relay);
        return {};
      },
      actuate: (actuation) => {
        this.#board.actuate(actuation);
        return {};
      },
      describe: () => ({ controller: this.#controller?.role ?? null, board: this.#board.describe() }),
    };
  }

  /** The dead man's rule: without its controller the board is safe. */
  lost(caller: Caller): void {
    if (caller.id !== this.#controller?.id) return;
    this.#controller = undefined;
    this.#board.makeSafe();
    this.#logger.warn('controller-lost', { role: caller.role });
  }

  #takeOver(caller: Caller): void {
    if (this.#controller && this.#controller.id !== caller.id) {
      this.#logger.warn('controller-replaced', { before: this.#controller.role, now: caller.role });
    }
    this.#controller = caller;
  }

  #demandController(caller: Caller): void {
    if (caller.id === this.#controller?.id) return;
    throw new UsageError('not-controller', 'outputs obey whoever configured the board last: send configure first');
  }
}
