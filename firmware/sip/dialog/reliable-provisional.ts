import type { Milliseconds } from '#firmware/core/clock.ts';
import { randomUint32 } from '#firmware/core/entropy.ts';
import type { AgentCore } from '../agent-core.ts';
import { readDecimal } from '../message/grammar.ts';
import type { Request, Response } from '../message/message.ts';
import { descriptionOf } from '../message-body.ts';
import { StateMachine } from '../state-machine.ts';
import type { ServerTransaction } from '../transaction/transaction-layer.ts';
import type { Body } from '../user-agent-events.ts';
import {
  type ReliableProvisionalAction as Action,
  type ReliableProvisionalInput as Input,
  reliableProvisionalTable,
  type ReliableProvisionalState as State,
  type ReliableProvisionalTimer as Timer,
} from './reliable-provisional-table.ts';

export const reliableOption = '100rel';

/** The caller can acknowledge provisional responses. */
export function knowsReliable(request: Request): boolean {
  return request.supported.includes(reliableOption) || request.require.includes(reliableOption);
}

/** RFC 3262 §3: the reliable provisional responses to one INVITE, one at a time, each until its PRACK. */
export class ReliableProvisional {
  readonly #core: AgentCore;
  readonly #invite: ServerTransaction;
  readonly #onGivenUp: (now: Milliseconds) => void;
  readonly #machine: StateMachine<State, Input, Action, Timer>;
  #interval: Milliseconds = 0;
  #sequence: number;
  #response: Response | undefined;
  #carriesBody = false;
  #answer: Body | undefined;

  /** `onGivenUp`: no PRACK came within 64·T1. */
  constructor(core: AgentCore, invite: ServerTransaction, onGivenUp: (now: Milliseconds) => void) {
    this.#core = core;
    this.#invite = invite;
    this.#onGivenUp = onGivenUp;
    // RFC 3262 §3: the first of them is random, in 1 to 2^31-1.
    this.#sequence = randomUint32(core.entropy) >>> 2;
    this.#machine = new StateMachine(reliableProvisionalTable, 'idle', core.timers, {
      durationOf: (timer) => (timer === 'giveUp' ? core.patience : this.#interval),
      timedOut: (now, timer) => this.#step(now, `timer ${timer}`),
    });
  }

  get isWaiting(): boolean {
    return this.#machine.state === 'waiting';
  }

  /** RFC 3262 §5: a 2xx has to wait for the PRACK of a response that carries an answer. */
  get holdsSuccess(): boolean {
    return this.isWaiting && this.#carriesBody;
  }

  /** The media description that one of them carried: it holds, so the 2xx needs none (RFC 6337 §3.1.1). */
  get answer(): Body | undefined {
    return this.#answer;
  }

  /** The lines of the next response. */
  nextLines(): readonly (readonly [name: string, value: string])[] {
    this.#sequence++;
    return [
      ['Require', reliableOption],
      ['RSeq', String(this.#sequence)],
    ];
  }

  /** `response` with these lines has just been sent for the first time. */
  sent(now: Milliseconds, response: Response): void {
    this.#response = response;
    this.#carriesBody = response.body.length > 0;
    this.#answer ??= descriptionOf(response);
    this.#interval = this.#core.settings.t1;
    this.#step(now, 'sent');
  }

  /** True if `prack` is for the last response; it may come after the final one (§3). */
  acknowledged(now: Milliseconds, prack: Request): boolean {
    if (!this.#response || !this.#matches(prack.header('RAck'))) return false;
    this.#step(now, 'acknowledged');
    return true;
  }

  /** The final response goes out: nothing is sent again. */
  stop(now: Milliseconds): void {
    this.#step(now, 'stop');
  }

  #step(now: Milliseconds, input: Input): void {
    for (const action of this.#machine.step(now, input)) {
      if (action === 'resend') this.#resend(now);
      else this.#onGivenUp(now);
    }
  }

  /** RFC 3262 §3: the interval doubles without a limit. */
  #resend(now: Milliseconds): void {
    if (!this.#response) return;
    this.#core.repeat(now, this.#invite, this.#response);
    this.#interval *= 2;
    this.#machine.restart(now, 'resend');
  }

  #matches(rack: string | undefined): boolean {
    const [sequence = '', number = '', method, ...more] = (rack ?? '').split(/[ \t]+/, 4);
    const { cSeq } = this.#invite.request;
    const same = (text: string, expected: number): boolean => readDecimal(text, 0, text.length, 2 ** 32 - 1) === expected;
    return more.length === 0 && same(sequence, this.#sequence) && same(number, cSeq.number) && method === cSeq.method;
  }
}
