import type { halContract, LearnArguments, LessonPlan, LessonState } from '#firmware/contract/hal.ts';
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
  /** Who learns what is wired to the board. */
  #learner: { readonly number: number; readonly caller: number } | undefined;
  #lastLearner = 0;

  constructor(board: Board, logger: Logger) {
    this.#board = board;
    this.#logger = logger;
  }

  /** One function per command of the contract. */
  commands(): Implementation<typeof halContract> {
    return {
      configure: async ({ profile }, caller) => {
        this.#takeOver(caller);
        // Whoever configures takes the board back.
        this.#learner = undefined;
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
      learn: (wish, caller) => this.#learn(wish, caller),
      describe: () => ({ controller: this.#controller?.role ?? null, board: this.#board.describe() }),
    };
  }

  async #learn(wish: LearnArguments, caller: Caller): Promise<LessonState> {
    if (wish.action === 'start') return await this.#startLesson(wish.plan, caller);
    const { number } = this.#learner ?? {};
    if (wish.action === 'answer' && number === wish.learner) await this.#board.answerLesson(wish.answer);
    const lesson = number === wish.learner ? this.#board.lesson(wish.action === 'skip') : undefined;
    if (!lesson) throw new UsageError('not-learning', 'this lesson is over: start anew');
    if (wish.action === 'stop') await this.#endLesson('asked for');
    return { learner: wish.learner, ...lesson };
  }

  async #startLesson(plan: LessonPlan, caller: Caller): Promise<LessonState> {
    if (this.#learner) throw new UsageError('learning-already', 'somebody else is teaching this board: wait until that is over');
    const learner = { number: ++this.#lastLearner, caller: caller.id };
    this.#learner = learner;
    try {
      await this.#board.learn(plan, () => void this.#endLesson('nobody looks'));
    } catch (thrown) {
      this.#learner = undefined;
      throw thrown;
    }
    this.#logger.warn('lesson-started', { role: caller.role, learner: learner.number });
    const lesson = this.#board.lesson(false);
    if (!lesson) throw new UsageError('not-learning', 'the phone took the board back');
    return { learner: learner.number, ...lesson };
  }

  async #endLesson(reason: string): Promise<void> {
    if (!this.#learner) return;
    this.#learner = undefined;
    this.#logger.info('lesson-over', { reason });
    await this.#board.endLesson();
  }

  /** The dead man's rule: without its controller the board is safe. */
  lost(caller: Caller): void {
    if (caller.id === this.#learner?.caller) void this.#endLesson('whoever learnt is gone');
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
