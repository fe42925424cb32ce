import type { Digit } from '#firmware/contract/media.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { Call } from './call.ts';

/**
 * The person's calls that talk with each other: media mixes all that are joined with one device, each without itself. One call alone is no
 * conference, so with the last but one the conference is over and a plain call is left.
 */
export class Conference {
  readonly #members = new Set<Call>();

  /** In the order they came in; none when there is no conference. */
  get calls(): readonly Call[] {
    return [...this.#members];
  }

  has(call: Call): boolean {
    return this.#members.has(call);
  }

  /** All that talk together with `call`, itself among them. */
  around(call: Call): readonly Call[] {
    return this.has(call) ? this.calls : [call];
  }

  /** How many conversations a person has who has these calls. */
  conversations(calls: readonly Call[]): number {
    return calls.length - Math.max(0, this.#members.size - 1);
  }

  /** Throws UsageError unless there are two at least, all accepted, and no more than `legsAtMost` far ends. */
  unite(calls: readonly Call[], legsAtMost: number): void {
    const all = new Set([...this.#members, ...calls]);
    const silent = calls.find((call) => !call.talking);
    if (silent) throw new UsageError('wrong-state', `only accepted calls make a conference, this one is ${silent.stateFor(false)}`);
    if (all.size < 2) throw new UsageError('no-call', 'a conference takes two accepted calls');
    if (all.size > legsAtMost) throw new UsageError('too-many-calls', `a conference has ${legsAtMost} far ends at most`);
    for (const call of all) this.#members.add(call);
  }

  /** Goes on with a conference of a process that died. */
  adopt(calls: readonly Call[]): void {
    if (calls.length > 1) for (const call of calls) this.#members.add(call);
  }

  /** Takes a call out; gives another that was with it. */
  leave(call: Call): Call | undefined {
    if (!this.#members.delete(call)) return undefined;
    const [other] = this.#members;
    if (this.#members.size < 2) this.#members.clear();
    return other;
  }

  /** Calls that are over leave; gives one of those that were with them. */
  forget(): Call | undefined {
    const over = this.calls.filter(({ alive }) => !alive);
    const others = this.calls.filter(({ alive }) => alive);
    for (const call of over) this.leave(call);
    return over.length > 0 ? others[0] : undefined;
  }

  /** `successor` takes the place of `call`. */
  replace(call: Call, successor: Call): void {
    if (this.#members.delete(call)) this.#members.add(successor);
  }

  /** Sends a digit to all of `calls`; false when none could take it. */
  press(now: Milliseconds, calls: readonly Call[], digit: Digit): boolean {
    return calls.map((call) => call.press(now, digit)).some(Boolean);
  }

  /** Whose music or silence of a hold would be heard by the others too is not listened to until it is over. */
  listen(calls: readonly Call[], device: string): void {
    for (const call of calls) call.connect(this.has(call) && call.heldByRemote ? null : device);
  }
}
