import type { Milliseconds } from '#firmware/core/clock.ts';
import type { AgentCore } from '../agent-core.ts';
import { allowLine } from '../capabilities.ts';
import { ClientRequest } from '../client-request.ts';
import type { Identity } from '../identity.ts';
import type { TypedBody } from '../message/build.ts';
import type { Response } from '../message/message.ts';
import { StateMachine } from '../state-machine.ts';
import type { Dialog } from './dialog.ts';
import {
  type NotifierAction as Action,
  type NotifierInput as Input,
  notifierTable,
  type NotifierState as State,
  type NotifierTimer as Timer,
} from './notifier-table.ts';

export interface NotifierParts {
  readonly core: AgentCore;
  readonly identity: Identity;
  readonly dialog: Dialog;
  /** The value of Event, with its `id` when it has one. */
  readonly event: string;
  readonly seconds: number;
  /** The whole state as it is now; asked for each NOTIFY. */
  readonly state: () => TypedBody;
  /** The subscription is over, whoever ended it. */
  readonly onClosed: (now: Milliseconds) => void;
}

const repeatsAtMost = 2;

/**
 * RFC 6665 §4.2.2: refusals that end a subscription, and a decline. Others are of that NOTIFY alone (RFC 5057 §5.1).
 */
const unknownThere: ReadonlySet<number> = new Set([404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 603, 604]);

/** RFC 6665 §4.2: tells one subscriber how something stands, until it does not want to know any more. */
export class Notifier {
  readonly #parts: NotifierParts;
  readonly #machine: StateMachine<State, Input, Action, Timer>;
  #seconds: number;
  #expiresAt: Milliseconds = 0;
  #reason = '';

  constructor(parts: NotifierParts) {
    this.#parts = parts;
    this.#seconds = parts.seconds;
    this.#machine = new StateMachine(notifierTable, 'fresh', parts.core.timers, {
      durationOf: () => 1_000 * this.#seconds,
      timedOut: (now, timer) => this.#step(now, `timer ${timer}`),
    });
  }

  /** The subscription has been granted: sends the first NOTIFY. */
  start(now: Milliseconds): void {
    this.#expiresAt = now + 1_000 * this.#seconds;
    this.#step(now, 'start');
  }

  changed(now: Milliseconds): void {
    this.#step(now, 'changed');
  }

  /** A SUBSCRIBE within the subscription; 0 ends it (RFC 6665 §4.2.1.4). */
  refresh(now: Milliseconds, seconds: number): void {
    if (seconds === 0) {
      this.finish(now, 'timeout');
      return;
    }
    this.#seconds = seconds;
    this.#step(now, 'refreshed');
  }

  /** Nothing more will be told; `reason` is one of RFC 6665 §4.1.3. */
  finish(now: Milliseconds, reason: 'timeout' | 'noresource' | 'deactivated'): void {
    if (this.#machine.accepts('finish')) this.#reason = reason;
    this.#step(now, 'finish');
  }

  describe(): object {
    return { state: this.#machine.state, event: this.#parts.event };
  }

  static readonly #actions: Readonly<Record<Action, (self: Notifier, now: Milliseconds) => void>> = {
    notify: (self, now) => self.#notify(now, `active;expires=${Math.max(0, Math.ceil((self.#expiresAt - now) / 1_000))}`),
    notifyEnd: (self, now) => self.#notify(now, `terminated;reason=${self.#reason}`),
    restartExpiry: (self, now) => self.#restartExpiry(now),
    expire: (self) => {
      self.#reason = 'timeout';
    },
    close: (self, now) => self.#parts.onClosed(now),
  };

  #step(now: Milliseconds, input: Input): void {
    for (const action of this.#machine.step(now, input)) Notifier.#actions[action](this, now);
  }

  #restartExpiry(now: Milliseconds): void {
    this.#expiresAt = now + 1_000 * this.#seconds;
    this.#machine.restart(now, 'expiry');
  }

  #notify(now: Milliseconds, subscriptionState: string): void {
    const { core, identity, dialog, event, state } = this.#parts;
    const { destination } = dialog;
    if (!destination) {
      this.#step(now, 'gone');
      return;
    }
    const body = state();
    const contact = identity.contact(destination);
    const headers = [['Event', event], ['Subscription-State', subscriptionState], allowLine] as const;
    let repeats = 0;
    new ClientRequest(now, {
      core,
      identity,
      destination,
      inDialog: true,
      build: () => dialog.request('NOTIFY', { contact, headers, body }),
      // RFC 3261 §12.2.2: another request of ours that shares the dialog may have overtaken it.
      // 491 means the same to a Linphone that waits for an ACK of ours.
      amends: ({ statusCode }) => (statusCode === 500 || statusCode === 491) && repeats++ < repeatsAtMost,
      onResponse: (at, response) => this.#answered(at, response),
      onFailure: (at) => this.#step(at, 'gone'),
    });
  }

  #answered(now: Milliseconds, response: Response): void {
    if (response.isProvisional) return;
    if (response.isSuccess) this.#parts.dialog.refresh(response);
    this.#step(now, unknownThere.has(response.statusCode) && response.retryAfter === undefined ? 'gone' : 'delivered');
  }
}
