import type { Milliseconds } from '#firmware/core/clock.ts';
import type { AgentCore } from '../agent-core.ts';
import type { Request, Response } from '../message/message.ts';
import { StateMachine } from '../state-machine.ts';
import type { ServerTransaction } from '../transaction/transaction-layer.ts';
import {
  type AwaitedAckAction as Action,
  awaitedAckTable,
  type AwaitedAckInput as Input,
  type AwaitedAckState as State,
  type AwaitedAckTimer as Timer,
} from './awaited-ack-table.ts';

/** Sees to it that a 2xx of ours to an INVITE gets its ACK. One at a time. */
export class AwaitedAck {
  readonly #core: AgentCore;
  readonly #onGivenUp: (now: Milliseconds) => void;
  readonly #machine: StateMachine<State, Input, Action, Timer>;
  #interval: Milliseconds = 0;
  #sent: { readonly transaction: ServerTransaction; readonly response: Response } | undefined;

  /** `onGivenUp`: no ACK came within 64·T1. */
  constructor(core: AgentCore, onGivenUp: (now: Milliseconds) => void) {
    this.#core = core;
    this.#onGivenUp = onGivenUp;
    this.#machine = new StateMachine(awaitedAckTable, 'idle', core.timers, {
      durationOf: (timer) => (timer === 'giveUp' ? core.patience : this.#interval),
      timedOut: (now, timer) => this.#step(now, `timer ${timer}`),
    });
  }

  get isWaiting(): boolean {
    return this.#machine.state === 'waiting';
  }

  /** `response` has just been sent for the first time. */
  sent(now: Milliseconds, transaction: ServerTransaction, response: Response): void {
    this.#sent = { transaction, response };
    this.#interval = this.#core.settings.t1;
    this.#step(now, 'sent');
  }

  /** True if `ack` is the one that was waited for. */
  acknowledged(now: Milliseconds, ack: Request): boolean {
    const expected = this.isWaiting && this.#sent?.transaction.request.cSeq.number === ack.cSeq.number;
    if (expected) this.#step(now, 'acknowledged');
    return expected;
  }

  /** Nobody waits any more. */
  stop(now: Milliseconds): void {
    this.#step(now, 'stop');
  }

  #step(now: Milliseconds, input: Input): void {
    for (const action of this.#machine.step(now, input)) {
      if (action === 'resend') this.#resend(now);
      else this.#onGivenUp(now);
    }
    if (!this.isWaiting) this.#sent = undefined;
  }

  #resend(now: Milliseconds): void {
    if (!this.#sent) return;
    this.#core.repeat(now, this.#sent.transaction, this.#sent.response);
    this.#interval = Math.min(2 * this.#interval, this.#core.settings.t2);
    this.#machine.restart(now, 'resend');
  }
}
