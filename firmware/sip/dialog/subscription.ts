import type { Milliseconds } from '#firmware/core/clock.ts';
import { randomToken } from '#firmware/core/entropy.ts';
import type { AgentCore, DialogUsage } from '../agent-core.ts';
import { BackOff } from '../back-off.ts';
import { allowLine } from '../capabilities.ts';
import { ClientRequest } from '../client-request.ts';
import { destinationOf, type Identity, securedFor } from '../identity.ts';
import { buildRequest } from '../message/build.ts';
import type { Request, Response } from '../message/message.ts';
import { NameAddr } from '../message/name-addr.ts';
import type { Uri } from '../message/uri.ts';
import { StateMachine } from '../state-machine.ts';
import type { ServerTransaction } from '../transaction/transaction-layer.ts';
import { Dialog, dialogKey } from './dialog.ts';
import type { EventPackage } from './event-package.ts';
import { acceptLineOf, grantedBy, type LegEnd, refusalOfNotify, SubscriptionLeg } from './subscription-leg.ts';
import {
  type SubscriptionAction as Action,
  type SubscriptionInput as Input,
  type SubscriptionState as State,
  subscriptionTable,
  type SubscriptionTimer as Timer,
} from './subscription-table.ts';

/** How a subscription stands, for whom it is there. */
export interface SubscriptionStanding {
  readonly state: 'active' | 'waiting' | 'refused' | 'ended';
  /** Of the refusal, or 0. */
  readonly statusCode: number;
  /** What the notifier gave as the reason of the end. */
  readonly reason: string;
}

export interface SubscriptionParts {
  readonly core: AgentCore;
  readonly identity: Identity;
  readonly target: Uri;
  readonly eventPackage: EventPackage;
  /** How long it is to last, s; 0 asks how things stand, once. */
  readonly seconds: number;
  /** A NOTIFY of the dialog that `branch` names. False if its document can't be read. */
  readonly onNotified: (now: Milliseconds, request: Request, branch: string) => boolean;
  /** What that dialog told counts no longer. */
  readonly onBranchEnded?: (now: Milliseconds, branch: string) => void;
  readonly onStanding?: (now: Milliseconds, standing: SubscriptionStanding) => void;
}

const legsAtMost = 8;
const retryAfterAtMost = 3_600;
const retryBase: Milliseconds = 30_000;
const retryMaximum: Milliseconds = 1_800_000;
/** A notifier that ends each subscription at once is not asked again at once. */
const shortLife: Milliseconds = 30_000;
const promptly: Milliseconds = 1_000;
const expiresAtMost = 86_400;
/** RFC 6665 §4.1.3: reasons of an end after which asking again is of no use. */
const finalReasons: ReadonlySet<string> = new Set(['rejected', 'noresource', 'invariant']);
/** And those after which to ask again at once. */
const promptReasons: ReadonlySet<string> = new Set(['deactivated', 'timeout']);
/** Answers to SUBSCRIBE after which asking again is of no use. */
const refusals: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 406, 407, 410, 416, 420, 489, 501, 603, 604]);

/** RFC 6665 §4.1: keeps something subscribed, whatever becomes of its dialogs, and hands on what is told. */
export class Subscription implements DialogUsage {
  readonly #parts: SubscriptionParts;
  readonly #machine: StateMachine<State, Input, Action, Timer>;
  readonly #backOff: BackOff;
  /** By the tag of the notifier. */
  readonly #legs = new Map<string, SubscriptionLeg>();
  /** The SUBSCRIBE that begins it all, before and after it was challenged. */
  #initial: Request | undefined;
  #seconds: number;
  #granted: number;
  #pause: Milliseconds = 0;
  #begunAt: Milliseconds = 0;
  #statusCode = 0;
  #reason = '';

  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
    this.#seconds = parts.seconds;
    this.#granted = parts.seconds;
    this.#backOff = new BackOff(parts.core.entropy);
    this.#machine = new StateMachine(subscriptionTable, 'idle', parts.core.timers, {
      durationOf: (timer) => (timer === 'firstNotify' ? parts.core.patience : this.#pause),
      timedOut: (now, timer) => this.#step(now, `timer ${timer}`),
    });
  }

  /** Subscribes, or asks for the state anew. */
  start(now: Milliseconds): void {
    this.#step(now, 'start');
  }

  /** Does not wait any longer for the next try, nor take a refusal for the last word. */
  revive(now: Milliseconds): void {
    const { state } = this.#machine;
    if (state === 'waiting' || state === 'refused') this.#step(now, 'start');
  }

  stop(now: Milliseconds): void {
    this.#step(now, 'part');
  }

  get isOver(): boolean {
    return this.#machine.state === 'terminated';
  }

  /** The first NOTIFY of a notifier: it makes a dialog (RFC 6665 §4.4.1), and one more for each branch of a fork where the package has it so. */
  receive(now: Milliseconds, transaction: ServerTransaction): void {
    const { core, eventPackage } = this.#parts;
    const { request } = transaction;
    const refused = refusalOfNotify(request, eventPackage);
    const tag = request.from.tag ?? '';
    const full = this.#legs.size >= (eventPackage.mayFork ? legsAtMost : 1);
    if (refused) core.respond(now, transaction, refused.statusCode, refused);
    else if (!this.#initial || full || this.#legs.has(tag)) core.respond(now, transaction, 481);
    else {
      const leg = this.#begin(now, tag, Dialog.ofNotify(this.#initial, request));
      leg.receive(now, transaction);
      this.#begunAt = now;
      if (this.#machine.state === 'awaiting' && this.#legs.size > 0) this.#step(now, 'settled');
    }
  }

  acknowledged(): void {
    this.#parts.core.counters.add('ack-astray');
  }

  acceptedAgain(): void {
    this.#parts.core.counters.add('response-astray');
  }

  describe(): object {
    const { eventPackage, target } = this.#parts;
    const legs = [...this.#legs.values()].map((leg) => leg.describe());
    return { state: this.#machine.state, event: eventPackage.event, target: target.toString(), grantedSeconds: this.#granted, legs };
  }

  static readonly #actions: Readonly<Record<Action, (self: Subscription, now: Milliseconds) => void>> = {
    subscribe: (self, now) => self.#subscribe(now),
    refresh: (self, now) => self.#eachLeg((leg) => leg.refresh(now)),
    unsubscribe: (self, now) => self.#unsubscribe(now),
    lapse: (self) => {
      self.#reason = 'no NOTIFY';
      self.#pauseFor(0);
    },
    report: (self, now) => self.#report(now),
    close: (self, now) => self.#close(now),
  };

  #step(now: Milliseconds, input: Input): void {
    for (const action of this.#machine.step(now, input)) Subscription.#actions[action](this, now);
  }

  #eachLeg(act: (leg: SubscriptionLeg) => void): void {
    for (const leg of [...this.#legs.values()]) act(leg);
  }

  #begin(now: Milliseconds, tag: string, dialog: Dialog): SubscriptionLeg {
    const { core, identity, eventPackage, onNotified } = this.#parts;
    const leg = new SubscriptionLeg(now, {
      core,
      identity,
      dialog,
      eventPackage,
      seconds: this.#granted,
      onNotified: (at, request) => onNotified(at, request, tag),
      onEnded: (at, end) => this.#legEnded(at, tag, end),
      onLeft: (at) => this.#legLeft(at, tag),
    });
    this.#legs.set(tag, leg);
    return leg;
  }

  #legEnded(now: Milliseconds, tag: string, { reason, retryAfterSeconds, told }: LegEnd): void {
    if (!this.#legs.delete(tag)) return;
    this.#parts.onBranchEnded?.(now, tag);
    if (this.#legs.size > 0) return;
    this.#reason = reason;
    if (this.#machine.state === 'leaving') this.#step(now, 'emptied');
    else if (this.#parts.seconds === 0 && told) this.#step(now, 'fetched');
    else {
      const lived = now - this.#begunAt > shortLife;
      if (lived) this.#backOff.reset();
      const prompt = lived && retryAfterSeconds === 0 && (promptReasons.has(reason) || !told);
      if (prompt) this.#pause = promptly;
      else this.#pauseFor(retryAfterSeconds);
      this.#step(now, finalReasons.has(reason) ? 'refusal' : 'failed');
    }
  }

  /** The leg takes its last NOTIFY by itself. */
  #legLeft(now: Milliseconds, tag: string): void {
    this.#legs.delete(tag);
    this.#parts.onBranchEnded?.(now, tag);
    if (this.#legs.size === 0) this.#step(now, 'emptied');
  }

  /** Where no NOTIFY has come yet there is no dialog to leave by: the first one gets 481, which ends it there (RFC 6665 §4.2.2). */
  #unsubscribe(now: Milliseconds): void {
    this.#forgetInitial();
    if (this.#legs.size === 0) this.#step(now, 'emptied');
    else this.#eachLeg((leg) => leg.part(now));
  }

  #close(now: Milliseconds): void {
    const legs = [...this.#legs];
    this.#legs.clear();
    this.#forgetInitial();
    for (const [tag, leg] of legs) {
      leg.forget(now);
      this.#parts.onBranchEnded?.(now, tag);
    }
  }

  #forgetInitial(): void {
    if (this.#initial) this.#parts.core.dialogs.delete(dialogKey(this.#initial.callId, this.#initial.from.tag, undefined));
    this.#initial = undefined;
  }

  #report(now: Milliseconds): void {
    const { state } = this.#machine;
    const shown = state === 'active' || state === 'waiting' || state === 'refused' ? state : 'ended';
    this.#parts.onStanding?.(now, { state: shown, statusCode: this.#statusCode, reason: this.#reason });
  }

  #subscribe(now: Milliseconds): void {
    const { core, identity, target } = this.#parts;
    const way = identity.outgoing ?? destinationOf(target);
    const destination = way && securedFor(target, way);
    this.#statusCode = 0;
    this.#reason = '';
    if (!destination) {
      this.#step(now, 'refusal');
      return;
    }
    new ClientRequest(now, {
      core,
      identity,
      destination,
      inDialog: false,
      build: () => this.#first(identity.contact(destination), identity.from(destination)),
      amends: (response) => response.statusCode === 423 && this.#lengthen(response),
      onResponse: (at, response) => this.#responded(at, response),
      onFailure: (at, cause) => {
        this.#statusCode = cause === 'timeout' ? 408 : 503;
        this.#pauseFor(0);
        this.#step(at, 'failed');
      },
    });
  }

  /** The SUBSCRIBE that begins it, and again with the next number when it was challenged. */
  #first(contact: NameAddr, from: NameAddr): Request {
    const { core, identity, target, eventPackage } = this.#parts;
    const before = this.#initial;
    const requestUri = target.kind === 'sip' ? target.with({ headers: [] }) : target;
    const request = buildRequest({
      method: 'SUBSCRIBE',
      requestUri,
      from: before?.from ?? from.withParam('tag', randomToken(core.entropy, 10)),
      to: new NameAddr(requestUri),
      callId: before?.callId ?? randomToken(core.entropy, 22),
      sequence: (before?.cSeq.number ?? 0) + 1,
      routes: identity.routes,
      contact,
      headers: [['Event', eventPackage.event], ['Expires', String(this.#seconds)], acceptLineOf(eventPackage), allowLine],
    });
    this.#initial = request;
    core.dialogs.set(dialogKey(request.callId, request.from.tag, undefined), this);
    return request;
  }

  #responded(now: Milliseconds, response: Response): void {
    const { statusCode } = response;
    // A NOTIFY that said `terminated` may have come first.
    if (response.isProvisional || this.#machine.state !== 'asking') return;
    if (response.isSuccess) {
      this.#granted = grantedBy(response, this.#seconds);
      this.#step(now, this.#legs.size > 0 ? 'settled' : 'accepted');
    } else {
      this.#statusCode = statusCode;
      this.#pauseFor(response.retryAfter ?? 0);
      this.#step(now, refusals.has(statusCode) ? 'refusal' : 'failed');
    }
  }

  /** RFC 6665 §4.1.2.1; false when the notifier asks for nothing that helps. */
  #lengthen({ minExpires }: Response): boolean {
    if (minExpires === undefined || minExpires <= this.#seconds || minExpires > expiresAtMost) return false;
    this.#seconds = minExpires;
    return true;
  }

  #pauseFor(retryAfterSeconds: number): void {
    const asked = retryAfterSeconds > 0 ? 1_000 * Math.min(retryAfterSeconds, retryAfterAtMost) : 0;
    this.#pause = Math.max(this.#backOff.next(retryBase, retryMaximum), asked);
  }
}
