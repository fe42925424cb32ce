import type { Milliseconds } from '#firmware/core/clock.ts';
import type { AgentCore, DialogUsage } from '../agent-core.ts';
import { allowLine } from '../capabilities.ts';
import { ClientRequest } from '../client-request.ts';
import type { Identity } from '../identity.ts';
import type { Request, Response } from '../message/message.ts';
import { mediaTypeOf } from '../message-body.ts';
import { StateMachine } from '../state-machine.ts';
import type { ServerTransaction } from '../transaction/transaction-layer.ts';
import type { Dialog } from './dialog.ts';
import { type EventPackage, isEvent } from './event-package.ts';
import {
  type SubscriptionLegAction as Action,
  type SubscriptionLegInput as Input,
  type SubscriptionLegState as State,
  subscriptionLegTable,
  type SubscriptionLegTimer as Timer,
} from './subscription-leg-table.ts';

/** Why a dialog of a subscription is over. */
export interface LegEnd {
  /** Of Subscription-State (RFC 6665 §4.1.3); empty when it does not say, or nothing was said. */
  readonly reason: string;
  readonly retryAfterSeconds: number;
  /** True when the state came first: it was asked for once and has been told. */
  readonly told: boolean;
}

export interface SubscriptionLegParts {
  readonly core: AgentCore;
  readonly identity: Identity;
  readonly dialog: Dialog;
  readonly eventPackage: EventPackage;
  /** Seconds asked for, and granted at first. */
  readonly seconds: number;
  /** A document that came, or that the state was told without one. False if it can't be read. */
  readonly onNotified: (now: Milliseconds, request: Request) => boolean;
  /** No longer of use: refused, run out, or ended by the far end. */
  readonly onEnded: (now: Milliseconds, end: LegEnd) => void;
  /** We have left; all that may still come is the last NOTIFY. */
  readonly onLeft: (now: Milliseconds) => void;
}

const leastSeconds = 5;
const mostSeconds = 86_400;
/** RFC 6665 §4.1.2.2: answers to a refresh that say that there is no such subscription any more. */
const fatalStatuses: ReadonlySet<number> = new Set([404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604]);

/** RFC 6665 §4.1.2: one dialog in which a notifier tells us how something stands. */
export class SubscriptionLeg implements DialogUsage {
  readonly #parts: SubscriptionLegParts;
  readonly #machine: StateMachine<State, Input, Action, Timer>;
  #seconds: number;
  #expiresAt: Milliseconds = 0;
  #failures = 0;
  #end: LegEnd = { reason: '', retryAfterSeconds: 0, told: false };

  constructor(now: Milliseconds, parts: SubscriptionLegParts) {
    const { core, dialog, seconds } = parts;
    this.#parts = parts;
    this.#seconds = Math.max(seconds, leastSeconds);
    this.#expiresAt = now + 1_000 * this.#seconds;
    this.#machine = new StateMachine(subscriptionLegTable, 'active', core.timers, {
      durationOf: (timer) => this.#durationOf(timer),
      timedOut: (at, timer) => this.#step(at, `timer ${timer}`),
    });
    core.dialogs.set(dialog.key, this);
    for (const timer of subscriptionLegTable.active.timers) this.#machine.restart(now, timer);
  }

  /** Asks for the state anew. */
  refresh(now: Milliseconds): void {
    this.#step(now, 'refresh');
  }

  part(now: Milliseconds): void {
    this.#step(now, 'part');
  }

  /** Nothing is sent any more, nor taken. */
  forget(now: Milliseconds): void {
    this.#step(now, 'ended');
  }

  receive(now: Milliseconds, transaction: ServerTransaction): void {
    const { core, eventPackage, dialog } = this.#parts;
    const { request } = transaction;
    const refused = refusalOfNotify(request, eventPackage);
    if (refused) core.respond(now, transaction, refused.statusCode, refused);
    else if (!dialog.admits(request)) core.respond(now, transaction, 500);
    else if (!this.#parts.onNotified(now, request)) core.respond(now, transaction, 415, { headers: [acceptLineOf(eventPackage)] });
    else {
      dialog.refresh(request);
      core.respond(now, transaction, 200);
      this.#follow(now, request);
    }
  }

  acknowledged(): void {
    this.#parts.core.counters.add('ack-astray');
  }

  acceptedAgain(): void {
    this.#parts.core.counters.add('response-astray');
  }

  describe(): object {
    return { state: this.#machine.state, grantedSeconds: this.#seconds, notifier: this.#parts.dialog.remoteTarget.toString() };
  }

  static readonly #actions: Readonly<Record<Action, (self: SubscriptionLeg, now: Milliseconds) => void>> = {
    sendRefresh: (self, now) => self.#send(now, self.#parts.seconds),
    sendUnsubscribe: (self, now) => self.#send(now, 0),
    restartExpiry: (self, now) => self.#restartExpiry(now),
    leave: (self, now) => self.#parts.onLeft(now),
    vanish: (self) => self.#parts.core.counters.add('subscription-expired'),
    close: (self, now) => self.#close(now),
  };

  #step(now: Milliseconds, input: Input): void {
    for (const action of this.#machine.step(now, input)) SubscriptionLeg.#actions[action](this, now);
  }

  /** After a refresh that failed another one comes in half of the time that is left. */
  #durationOf(timer: Timer): Milliseconds {
    const { core } = this.#parts;
    const left = Math.max(0, this.#expiresAt - core.lastInput);
    if (timer === 'lastNotify') return core.patience;
    if (timer === 'expiry') return left;
    return Math.max(1_000 * leastSeconds, this.#failures > 0 ? 0.5 * left : 0.9 * left);
  }

  #restartExpiry(now: Milliseconds): void {
    this.#expiresAt = now + 1_000 * this.#seconds;
    this.#machine.restart(now, 'expiry');
    this.#machine.restart(now, 'refresh');
  }

  #follow(now: Milliseconds, { subscriptionState }: Request): void {
    const params = subscriptionState?.params;
    const seconds = Number(params?.get('expires') ?? Number.NaN);
    if (subscriptionState?.value.toLowerCase() === 'terminated') {
      const retryAfter = Number(params?.get('retry-after') ?? 0);
      const reason = params?.get('reason')?.toLowerCase() ?? '';
      this.#end = { reason, retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : 0, told: true };
      this.#step(now, 'ended');
    } else if (seconds > 0 && Math.abs(this.#expiresAt - now - 1_000 * seconds) > 2_000) {
      this.#seconds = Math.min(Math.max(seconds, leastSeconds), mostSeconds);
      this.#step(now, 'prolonged');
    }
  }

  #send(now: Milliseconds, seconds: number): void {
    const { core, identity, dialog, eventPackage } = this.#parts;
    const { destination } = dialog;
    if (!destination) {
      this.#step(now, seconds === 0 ? 'parted' : 'gone');
      return;
    }
    const contact = identity.contact(destination);
    const headers = [['Event', eventPackage.event], ['Expires', String(seconds)], acceptLineOf(eventPackage), allowLine] as const;
    new ClientRequest(now, {
      core,
      identity,
      destination,
      inDialog: true,
      build: () => dialog.request('SUBSCRIBE', { contact, headers }),
      onResponse: (at, response) => this.#responded(at, response, seconds),
      onFailure: (at) => this.#failed(at, seconds),
    });
  }

  #responded(now: Milliseconds, response: Response, asked: number): void {
    if (response.isProvisional) return;
    if (asked === 0) this.#step(now, 'parted');
    else if (response.isSuccess) {
      this.#parts.dialog.refresh(response);
      this.#failures = 0;
      this.#seconds = grantedBy(response, asked);
      this.#step(now, 'refreshed');
    } else if (fatalStatuses.has(response.statusCode)) {
      this.#end = { reason: '', retryAfterSeconds: response.retryAfter ?? 0, told: false };
      this.#step(now, 'gone');
    } else this.#failed(now, asked);
  }

  #failed(now: Milliseconds, asked: number): void {
    this.#failures++;
    this.#step(now, asked === 0 ? 'parted' : 'unrefreshed');
  }

  #close(now: Milliseconds): void {
    const { core, dialog, onEnded } = this.#parts;
    core.dialogs.delete(dialog.key);
    onEnded(now, this.#end);
  }
}

/** RFC 6665 §4.1.3: the time that was granted, as far as it makes sense. */
export function grantedBy(response: Response, asked: number): number {
  return Math.min(Math.max(response.expires ?? asked, leastSeconds), Math.max(asked, leastSeconds));
}

/** What is wrong with a NOTIFY whatever its dialog. */
export function refusalOfNotify(request: Request, eventPackage: EventPackage) {
  if (request.method !== 'NOTIFY') return { statusCode: 405, headers: [['Allow', 'NOTIFY']] } as const;
  if (!isEvent(request, eventPackage.event)) return { statusCode: 489, headers: [['Allow-Events', eventPackage.event]] } as const;
  if (!request.subscriptionState) return { statusCode: 400, reasonPhrase: 'Missing Subscription-State' } as const;
  const wrongType = request.body.length > 0 && !eventPackage.accept.includes(mediaTypeOf(request) ?? '');
  return wrongType ? ({ statusCode: 415, headers: [acceptLineOf(eventPackage)] } as const) : undefined;
}

export function acceptLineOf({ accept }: EventPackage): readonly [name: string, value: string] {
  return ['Accept', accept.join(', ')];
}
