import type { Milliseconds } from '#firmware/core/clock.ts';
import type { AgentCore } from '../agent-core.ts';
import type { Request, Response } from '../message/message.ts';
import { StateMachine } from '../state-machine.ts';
import { grantLines, type SessionGrant, type SessionTerms } from './session-terms.ts';
import {
  type SessionTimerAction as Action,
  type SessionTimerInput as Input,
  type SessionTimerState as State,
  sessionTimerTable,
  type SessionTimerTimer as Timer,
} from './session-timer-table.ts';

export interface SessionTimerParts {
  readonly core: AgentCore;
  readonly terms: SessionTerms;
  /** Time to send a refresh; asked for again while none succeeds. */
  readonly onRefreshDue: (now: Milliseconds) => void;
  /** The far end has not refreshed the call, or has not let us. */
  readonly onExpired: (now: Milliseconds) => void;
}

/** RFC 4028 §10: the call is given up this long before its end, or a third of the interval if that is less. */
const marginAtMost: Milliseconds = 32_000;

/** Keeps one accepted call alive, and notices when its far end has gone. */
export class SessionTimer {
  readonly #parts: SessionTimerParts;
  readonly #machine: StateMachine<State, Input, Action, Timer>;
  #grant: SessionGrant | undefined;
  /** When it was agreed on, or the call was refreshed last. */
  #since: Milliseconds = 0;
  /** A refresh was due and has not succeeded yet. */
  #overdue = false;

  constructor(parts: SessionTimerParts) {
    this.#parts = parts;
    this.#machine = new StateMachine(sessionTimerTable, 'off', parts.core.timers, {
      durationOf: (timer) => (timer === 'refresh' ? this.#untilRefresh() : this.#interval - Math.min(this.#interval / 3, marginAtMost)),
      timedOut: (now, timer) => this.#step(now, `timer ${timer}`),
    });
  }

  /** For INVITE and UPDATE of ours within the call. */
  requestLines(): readonly (readonly [name: string, value: string])[] {
    return this.#parts.terms.requestLines(this.#grant);
  }

  /** They answered such a request with a 2xx. */
  accepted(now: Milliseconds, response: Response): void {
    this.apply(now, this.#parts.terms.granted(response));
  }

  /** We are about to answer such a request of theirs with a 2xx: gives its lines. */
  answerLines(now: Milliseconds, request: Request): readonly (readonly [name: string, value: string])[] {
    const grant = this.#parts.terms.grant(request);
    this.apply(now, grant);
    return grantLines(grant);
  }

  /** True if a request that was refused is to be sent again. */
  raise(response: Response): boolean {
    return this.#parts.terms.raise(response);
  }

  apply(now: Milliseconds, grant: SessionGrant | undefined): void {
    this.#grant = grant;
    this.#since = now;
    this.#overdue = false;
    this.#step(now, !grant ? 'none' : grant.weRefresh ? 'weRefresh' : 'theyRefresh');
  }

  close(now: Milliseconds): void {
    this.#step(now, 'close');
  }

  /** What `apply` was told last. */
  get agreed(): { readonly grant: SessionGrant; readonly since: Milliseconds } | undefined {
    return this.#grant && { grant: this.#grant, since: this.#since };
  }

  describe(): object {
    return { state: this.#machine.state, seconds: this.#grant?.seconds ?? null };
  }

  static readonly #actions: Readonly<Record<Action, (self: SessionTimer, now: Milliseconds) => void>> = {
    restartRefresh: (self, now) => self.#machine.restart(now, 'refresh'),
    restartExpiry: (self, now) => self.#machine.restart(now, 'expiry'),
    sendRefresh: (self, now) => self.#parts.onRefreshDue(now),
    reportExpired: (self, now) => self.#parts.onExpired(now),
  };

  #step(now: Milliseconds, input: Input): void {
    if (input === 'timer refresh') this.#overdue = true;
    for (const action of this.#machine.step(now, input)) SessionTimer.#actions[action](this, now);
  }

  get #interval(): Milliseconds {
    return 1_000 * (this.#grant?.seconds ?? 0);
  }

  #untilRefresh(): Milliseconds {
    return this.#interval / (this.#overdue ? 10 : 2);
  }
}
