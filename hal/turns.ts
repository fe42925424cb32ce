/** Runs asynchronous tasks one after the other, in the order they came. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Settles as `task` does. Who asked hears of a failure; the next in turn does not. */
  take<Result>(task: () => Promise<Result>): Promise<Result> {
    const done = this.#last.then(task);
    this.#last = Promise.allSettled([done]);
    return done;
  }
}
