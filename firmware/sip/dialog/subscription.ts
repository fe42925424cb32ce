import type { Milliseconds } from '#firmware/core/clock.ts';
import { randomToken } from '#firmware/core/entropy.ts';
import type { AgentCore, DialogUsage } from '../agent-core.ts';
import { BackOff } from '../back-off.ts';
import { allowLine, messageSummary } from '../capabilities.ts';
import { ClientRequest } from '../client-request.ts';
import type { Identity } from '../identity.ts';
import { buildRequest } from '../message/build.ts';
import type { Request, Response } from '../message/message.ts';
import { NameAddr } from '../message/name-addr.ts';
import type { SipUri } from '../message/uri.ts';
import { StateMachine } from '../state-machine.ts';
import type { ServerTransaction } from '../transaction/transaction-layer.ts';
import { Dialog, dialogKey } from './dialog.ts';
import { messageSummaryOf } from './message-summary.ts';
import {
  type SubscriptionAction as Action,
  type SubscriptionInput as Input,
  type SubscriptionState as State,
  subscriptionTable,
  type SubscriptionTimer as Timer,
} from './subscription-table.ts';

/** Seconds we ask for, and the least we believe. */
const expires = 3_600;
const leastSeconds = 60;
const retryAfterAtMost = 3_600;
const retryBase: Milliseconds = 30_000;
const retryMaximum: Milliseconds = 1_800_000;
/** RFC 6665 §4.1.3: reasons of an end after which asking again is of no use. */
const finalReasons: ReadonlySet<string> = new Set(['rejected', 'noresource', 'invariant']);
/** Answers to SUBSCRIBE after which asking again is of no use. */
const refusals: ReadonlySet<number> = new Set([401, 403, 404, 405, 407, 410, 416, 489, 501, 603, 604]);

/** RFC 3842: keeps the message-summary of one account subscribed and reports what it says. */
export class Subscription implements DialogUsage {
  readonly #core: AgentCore;
  readonly #identity: Identity;
  readonly #aor: SipUri;
  readonly #machine: StateMachine<State, Input, Action, Timer>;
  readonly #backOff: BackOff;
  #dialog: Dialog | undefined;
  /** Of the first SUBSCRIBE, before the far end has a tag. */
  #initial: Request | undefined;
  #granted = expires;
  #pause: Milliseconds = 0;

  constructor(core: AgentCore, identity: Identity, aor: SipUri) {
    this.#core = core;
    this.#identity = identity;
    this.#aor = aor;
    this.#backOff = new BackOff(core.entropy);
    this.#machine = new StateMachine(subscriptionTable, 'idle', core.timers, {
      durationOf: (timer) => (timer === 'refresh' ? 900 * this.#granted : this.#pause),
      timedOut: (now, timer) => this.#step(now, `timer ${timer}`),
    });
  }

  /** Subscribes, or asks for the state anew. */
  start(now: Milliseconds): void {
    this.#step(now, 'start');
  }

  stop(now: Milliseconds): void {
    this.#step(now, 'stop');
  }

  get isOver(): boolean {
    return this.#machine.state === 'terminated';
  }

  receive(now: Milliseconds, transaction: ServerTransaction): void {
    const { request } = transaction;
    if (request.method !== 'NOTIFY') this.#core.respond(now, transaction, 405, { headers: [['Allow', 'NOTIFY']] });
    else if (request.event?.value !== messageSummary.event) this.#core.respond(now, transaction, 489);
    else if (!this.#follow(request)) this.#core.respond(now, transaction, 481);
    else this.#notified(now, transaction);
  }

  acknowledged(): void {
    this.#core.counters.add('ack-astray');
  }

  acceptedAgain(): void {
    this.#core.counters.add('response-astray');
  }

  describe(): object {
    return { state: this.#machine.state, event: messageSummary.event, grantedSeconds: this.#granted };
  }

  static readonly #actions: Readonly<Record<Action, (self: Subscription, now: Milliseconds) => void>> = {
    subscribe: (self, now) => self.#send(now, expires),
    unsubscribe: (self, now) => self.#send(now, 0),
    forgetDialog: (self) => self.#forgetDialog(),
  };

  #step(now: Milliseconds, input: Input): void {
    for (const action of this.#machine.step(now, input)) Subscription.#actions[action](this, now);
  }

  /** The dialog begins with the 2xx or with a NOTIFY that overtakes it; a NOTIFY from a second branch of a fork is turned away. */
  #follow(request: Request): boolean {
    if (!this.#dialog && this.#initial) this.#enter(Dialog.ofNotify(this.#initial, request));
    return this.#dialog?.remote.tag === request.from.tag;
  }

  #enter(dialog: Dialog): void {
    this.#dialog = dialog;
    this.#core.dialogs.set(dialog.key, this);
  }

  #forgetDialog(): void {
    const { dialogs } = this.#core;
    if (this.#dialog) dialogs.delete(this.#dialog.key);
    if (this.#initial) dialogs.delete(dialogKey(this.#initial.callId, this.#initial.from.tag, undefined));
    this.#dialog = undefined;
    this.#initial = undefined;
  }

  #notified(now: Milliseconds, transaction: ServerTransaction): void {
    const { request } = transaction;
    const state = request.subscriptionState;
    const summary = messageSummaryOf(request);
    if (!this.#dialog?.admits(request)) this.#core.respond(now, transaction, 500);
    else if (!state) this.#core.respond(now, transaction, 400, { reasonPhrase: 'Missing Subscription-State' });
    else if (request.body.length > 0 && !summary) {
      this.#core.respond(now, transaction, 415, { headers: [['Accept', messageSummary.contentType]] });
    } else {
      this.#dialog.refresh(request);
      this.#core.respond(now, transaction, 200);
      if (summary) this.#core.emit({ type: 'messageWaiting', account: this.#identity.account?.id ?? '', ...summary });
      if (state.value.toLowerCase() === 'terminated') this.#terminated(now, state.params);
    }
  }

  /** RFC 6665 §4.1.3. */
  #terminated(now: Milliseconds, params: ReadonlyMap<string, string>): void {
    const reason = params.get('reason')?.toLowerCase() ?? '';
    this.#pauseFor(Number(params.get('retry-after') ?? 0));
    this.#step(now, finalReasons.has(reason) ? 'refusal' : 'failed');
  }

  #send(now: Milliseconds, seconds: number): void {
    const destination = this.#dialog?.destination ?? this.#identity.outgoing;
    if (!destination) {
      this.#step(now, 'refusal');
      return;
    }
    const contact = this.#identity.contact(destination);
    const headers = [
      ['Event', messageSummary.event],
      ['Expires', String(seconds)],
      ['Accept', messageSummary.contentType],
      allowLine,
    ] as const;
    new ClientRequest(now, {
      core: this.#core,
      identity: this.#identity,
      destination,
      inDialog: this.#dialog !== undefined,
      build: () => this.#dialog?.request('SUBSCRIBE', { contact, headers }) ?? this.#first(contact, headers),
      onResponse: (at, response, { transaction }) => this.#responded(at, transaction.request, response),
      onFailure: (at) => {
        this.#pauseFor(0);
        this.#step(at, 'failed');
      },
    });
  }

  /** The SUBSCRIBE that begins a dialog, and again with the next number when it was challenged. */
  #first(contact: NameAddr, headers: readonly (readonly [string, string])[]): Request {
    const before = this.#initial;
    const from = new NameAddr(this.#aor, this.#identity.account?.displayName).withParam('tag', randomToken(this.#core.entropy, 10));
    const request = buildRequest({
      method: 'SUBSCRIBE',
      requestUri: this.#aor,
      from: before?.from ?? from,
      to: new NameAddr(this.#aor),
      callId: before?.callId ?? randomToken(this.#core.entropy, 22),
      sequence: (before?.cSeq.number ?? 0) + 1,
      routes: this.#identity.routes,
      contact,
      headers,
    });
    this.#initial = request;
    this.#core.dialogs.set(dialogKey(request.callId, request.from.tag, undefined), this);
    return request;
  }

  #responded(now: Milliseconds, request: Request, response: Response): void {
    const { statusCode } = response;
    // A NOTIFY that said `terminated` may have come first.
    if (response.isProvisional || !this.#machine.accepts('succeeded')) return;
    if (response.isSuccess) {
      if (!this.#dialog) this.#enter(Dialog.ofResponse(request, response));
      this.#dialog?.refresh(response);
      this.#backOff.reset();
      this.#granted = Math.min(Math.max(response.expires ?? expires, leastSeconds), expires);
      this.#step(now, 'succeeded');
    } else {
      this.#pauseFor(response.retryAfter ?? 0);
      this.#step(now, refusals.has(statusCode) ? 'refusal' : 'failed');
    }
  }

  #pauseFor(retryAfterSeconds: number): void {
    const asked = retryAfterSeconds > 0 ? 1_000 * Math.min(retryAfterSeconds, retryAfterAtMost) : 0;
    this.#pause = Math.max(this.#backOff.next(retryBase, retryMaximum), asked);
  }
}
