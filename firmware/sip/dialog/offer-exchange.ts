import type { Milliseconds } from '#firmware/core/clock.ts';
import { randomFraction } from '#firmware/core/entropy.ts';
import type { AgentCore } from '../agent-core.ts';
import { dialogLines } from '../capabilities.ts';
import { ClientRequest } from '../client-request.ts';
import type { Identity } from '../identity.ts';
import type { ResponseParts } from '../message/build.ts';
import type { Request, Response } from '../message/message.ts';
import { descriptionOf, typedBody, withDescriptionOf } from '../message-body.ts';
import { StateMachine } from '../state-machine.ts';
import type { ServerTransaction } from '../transaction/transaction-layer.ts';
import type { Body, SessionId } from '../user-agent-events.ts';
import { AwaitedAck } from './awaited-ack.ts';
import type { Dialog } from './dialog.ts';
import { respondBusyWithOffer } from './in-dialog-requests.ts';
import {
  type OfferExchangeAction as Action,
  type OfferExchangeInput as Input,
  offerExchangeTable,
  type OfferExchangeState as State,
  type OfferExchangeTimer as Timer,
} from './offer-exchange-table.ts';
import type { SentAcks } from './sent-acks.ts';
import type { SessionTimer } from './session-timer.ts';

export type ReofferAnswer = { readonly body: Body } | { readonly statusCode: number };

export interface OfferExchangeParts {
  readonly core: AgentCore;
  readonly session: SessionId;
  readonly identity: Identity;
  readonly dialog: Dialog;
  /** RFC 3261 §14.1: who chose the Call-ID waits longer after a glare. */
  readonly ownsCallId: boolean;
  readonly acks: SentAcks;
  readonly timer: SessionTimer;
  /** What the far end knows of our media. */
  readonly described: Body | undefined;
  /** The far end does not know the call any more, or does not answer. */
  readonly onLost: (now: Milliseconds, reason: string) => void;
}

/** What an input is about, for the actions it leads to. */
interface Subject {
  readonly transaction?: ServerTransaction;
  readonly response?: Response;
  readonly statusCode?: number;
  readonly body?: Body;
}

/** The offers of one call after the first. */
export class OfferExchange {
  readonly #parts: OfferExchangeParts;
  readonly #machine: StateMachine<State, Input, Action, Timer>;
  readonly #awaitedAck: AwaitedAck;
  #ours: Body | undefined;
  #described: Body | undefined;
  /** Our offer says what they know already: it only keeps the call alive (RFC 4028 §7.4). */
  #isRefresh = false;
  #request: ClientRequest | undefined;
  #theirs: ServerTransaction | undefined;

  constructor(parts: OfferExchangeParts) {
    this.#parts = parts;
    this.#described = parts.described;
    const { core, ownsCallId } = parts;
    const glarePause = (): Milliseconds =>
      ownsCallId ? 2_100 + 1_900 * randomFraction(core.entropy) : 2_000 * randomFraction(core.entropy);
    this.#awaitedAck = new AwaitedAck(core, (now) => parts.onLost(now, 'no ACK'));
    this.#machine = new StateMachine(offerExchangeTable, 'idle', core.timers, {
      durationOf: (timer) => (timer === 'retry' ? glarePause() : core.settings.noAnswer),
      timedOut: (now, timer) => this.#step(now, `timer ${timer}`),
    });
  }

  /** What the far end knows of our media. */
  get described(): Body | undefined {
    return this.#described;
  }

  /** Our answer to the first offer, which was theirs, has just gone out. */
  describedAs(body: Body): void {
    this.#described = body;
  }

  /** False when another offer is under way. */
  offer(now: Milliseconds, body: Body): boolean {
    if (!this.#machine.accepts('offer')) return false;
    this.#ours = body;
    this.#isRefresh = false;
    this.#step(now, 'offer');
    return true;
  }

  /** A re-INVITE that changes nothing; not needed while another offer is under way, for that refreshes the call as well. */
  refresh(now: Milliseconds): void {
    if (!this.#described || !this.offer(now, this.#described)) return;
    this.#isRefresh = true;
  }

  /** A re-INVITE or an UPDATE; an UPDATE without an offer only moves the target. */
  receive(now: Milliseconds, transaction: ServerTransaction): void {
    const { core, dialog } = this.#parts;
    const { request } = transaction;
    if (request.method === 'INVITE' || descriptionOf(request)) this.#step(now, 'theirOffer', { transaction });
    else {
      dialog.refresh(request);
      core.respond(now, transaction, 200, this.#ourPart(now, request));
    }
  }

  answer(now: Milliseconds, answer: ReofferAnswer): void {
    const accepts = this.#theirs?.request.method === 'UPDATE' ? 'answerUpdate' : 'answer';
    this.#step(now, 'statusCode' in answer ? 'refuse' : accepts, answer);
  }

  acknowledged(now: Milliseconds, ack: Request): void {
    if (!this.#awaitedAck.acknowledged(now, ack)) return;
    this.#step(now, 'acknowledged');
    const body = descriptionOf(ack);
    if (body) this.#parts.core.emit({ type: 'confirmed', session: this.#parts.session, body });
  }

  /** The call is over: what waits gets its refusal. */
  close(now: Milliseconds): void {
    this.#request?.stopTrying();
    this.#awaitedAck.stop(now);
    this.#step(now, 'close');
  }

  describe(): string {
    return this.#machine.state;
  }

  static readonly #actions: Readonly<Record<Action, (self: OfferExchange, now: Milliseconds, subject: Subject) => void>> = {
    sendOffer: (self, now) => self.#sendOffer(now),
    sendCancel: (self, now) => self.#request && self.#parts.core.cancel(now, self.#request.transaction),
    acknowledge: (self, now, { response }) => response && self.#acknowledge(now, response),
    reportAnswer: (self, _now, { response, statusCode }) => self.#reportAnswer(statusCode ?? 408, response),
    reportGlare: (self) => self.#reportAnswer(491),
    reportOffer: (self, _now, { transaction }) => transaction && self.#reportOffer(transaction),
    respondPending: (self, now, { transaction }) => transaction && self.#parts.core.respond(now, transaction, 491),
    respondBusy: (self, now, { transaction }) => transaction && respondBusyWithOffer(self.#parts.core, now, transaction),
    respondAnswer: (self, now, { body }) => body && self.#respondAnswer(now, body),
    respondRefusal: (self, now, { statusCode }) => self.#theirs && self.#parts.core.respond(now, self.#theirs, statusCode ?? 488),
    respondTerminated: (self, now) => self.#theirs && self.#parts.core.respond(now, self.#theirs, 487),
  };

  #step(now: Milliseconds, input: Input, subject: Subject = {}): void {
    for (const action of this.#machine.step(now, input)) OfferExchange.#actions[action](this, now, subject);
  }

  #sendOffer(now: Milliseconds): void {
    const { core, identity, dialog } = this.#parts;
    const { destination } = dialog;
    const body = this.#ours && typedBody(this.#ours);
    if (!destination || !body) {
      this.#fail(now, 503, 'no way to the far end');
      return;
    }
    this.#request = new ClientRequest(now, {
      core,
      identity,
      destination,
      inDialog: true,
      build: () =>
        dialog.request('INVITE', {
          contact: identity.contact(destination),
          headers: [...dialogLines(this.#parts.core.settings), ...this.#parts.timer.requestLines()],
          body,
        }),
      amends: (response) => this.#parts.timer.raise(response),
      onResponse: (at, response, request) => this.#responded(at, response, request),
      onFailure: (at, cause) => this.#fail(at, cause === 'timeout' ? 408 : 503, 'no answer to an offer'),
    });
  }

  #responded(now: Milliseconds, response: Response, { transaction }: ClientRequest): void {
    const { statusCode } = response;
    if (statusCode < 200 || this.#parts.acks.repeat(transaction.request.cSeq.number)) return;
    if (statusCode === 481 || statusCode === 408) this.#fail(now, statusCode, `${statusCode} ${response.reasonPhrase}`);
    else if (statusCode === 491) this.#step(now, 'glare');
    else this.#step(now, response.isSuccess ? 'accepted' : 'refused', { response, statusCode });
  }

  /** RFC 3261 §12.2.1.2: the dialog is gone on the other side. */
  #fail(now: Milliseconds, statusCode: number, reason: string): void {
    this.#step(now, 'refused', { statusCode });
    this.#parts.onLost(now, reason);
  }

  #reportAnswer(statusCode: number, response?: Response): void {
    const { core, session } = this.#parts;
    const body = response ? withDescriptionOf(response) : {};
    if (!this.#isRefresh) core.emit({ type: 'reofferAnswered', session, statusCode, ...body });
    else if (body.body && statusCode < 300) core.emit({ type: 'refreshed', session, body: body.body });
  }

  #acknowledge(now: Milliseconds, response: Response): void {
    const { core, dialog, acks, timer } = this.#parts;
    const invite = this.#request?.transaction.request;
    dialog.refresh(response);
    timer.accepted(now, response);
    this.#described = this.#ours;
    const { destination } = dialog;
    if (invite && destination) acks.add(invite.cSeq.number, core.acknowledge(dialog.ack(invite), destination));
  }

  #reportOffer(transaction: ServerTransaction): void {
    const { core, session } = this.#parts;
    this.#theirs = transaction;
    if (transaction.request.method === 'INVITE') {
      core.onCancel(transaction, { toTag: undefined, cancelled: (now) => this.#step(now, 'cancelled') });
    }
    core.emit({ type: 'reoffered', session, ...withDescriptionOf(transaction.request) });
  }

  #respondAnswer(now: Milliseconds, body: Body): void {
    const { core, dialog } = this.#parts;
    const transaction = this.#theirs;
    if (!transaction) return;
    dialog.refresh(transaction.request);
    this.#described = body;
    const response = core.respond(now, transaction, 200, { ...this.#ourPart(now, transaction.request), body: typedBody(body) });
    if (transaction.request.method === 'INVITE') this.#awaitedAck.sent(now, transaction, response);
  }

  /** What every 2xx that moves the remote target tells of us. */
  #ourPart(now: Milliseconds, request: Request): ResponseParts {
    const { identity, dialog, timer } = this.#parts;
    const { destination } = dialog;
    return {
      headers: [...dialogLines(this.#parts.core.settings), ...timer.answerLines(now, request)],
      ...(destination && { contact: identity.contact(destination) }),
    };
  }
}
