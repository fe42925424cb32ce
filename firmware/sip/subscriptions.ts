import type { Milliseconds } from '#firmware/core/clock.ts';
import { randomToken } from '#firmware/core/entropy.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { AccountId } from './account.ts';
import type { AgentCore } from './agent-core.ts';
import {
  callCompletionPackage,
  dialogPackage,
  type EventPackage,
  messageSummaryPackage,
  presencePackage,
  registrationPackage,
} from './dialog/event-package.ts';
import { messageSummaryOf } from './dialog/message-summary.ts';
import { Subscription, type SubscriptionParts } from './dialog/subscription.ts';
import { bindingNewsOf } from './event/registration-document.ts';
import type { Identity } from './identity.ts';
import type { Uri } from './message/uri.ts';
import { bodyOf } from './message-body.ts';
import { type Notice, publishOnce } from './one-time-publication.ts';
import { Publication } from './publication.ts';
import type { Body, SubscriptionId } from './user-agent-events.ts';

/** Events a person or program may subscribe to, by name. */
export type WatchedEvent = 'dialog' | 'presence' | 'call-completion';

const packages: Readonly<Record<WatchedEvent, EventPackage>> = {
  dialog: dialogPackage,
  presence: presencePackage,
  'call-completion': callCompletionPackage,
};

const usualSeconds = 3_600;
/** A registrar that ends our binding again and again is not taken at its word more often. */
const lossesApart: Milliseconds = 30_000;

/** Subscriptions and publications of all accounts, by the names they were given. */
export class Subscriptions {
  readonly #core: AgentCore;
  readonly #identityOf: (account: AccountId) => Identity;
  readonly #open = new Map<SubscriptionId, { readonly account: AccountId; readonly subscription: Subscription | Publication }>();
  /** Of accounts that have gone, until the network has said its last. */
  #leaving: (Subscription | Publication)[] = [];

  /** `identityOf` throws UsageError for an account that is not there. */
  constructor(core: AgentCore, identityOf: (account: AccountId) => Identity) {
    this.#core = core;
    this.#identityOf = identityOf;
  }

  /** True when nothing waits for an answer of the network. */
  get isOver(): boolean {
    this.#leaving = this.#leaving.filter(({ isOver }) => !isOver);
    return this.#leaving.length === 0;
  }

  /** RFC 6665 §4.1: what is told comes as `notified`, how it stands as `subscription`. Throws UsageError when there are too many. */
  watch(now: Milliseconds, account: AccountId, { event, target, seconds = usualSeconds }: WatchWish): SubscriptionId {
    const core = this.#core;
    this.#admit();
    const subscription = randomToken(core.entropy, 8);
    this.#add(now, subscription, account, {
      target,
      seconds,
      eventPackage: packages[event],
      onNotified: (_now, request, branch) => {
        const body = bodyOf(request);
        core.emit({ type: 'notified', subscription, branch, ...(body && { body }) });
        return true;
      },
      onBranchEnded: (_now, branch) => core.emit({ type: 'notifierGone', subscription, branch }),
      onStanding: (_now, standing) => {
        if (standing.state === 'ended') this.#open.delete(subscription);
        core.emit({ type: 'subscription', subscription, ...standing });
      },
    });
    return subscription;
  }

  /** RFC 3842: what is told comes as `messageWaiting`. Again and again without harm: asks anew. */
  watchMailbox(now: Milliseconds, account: AccountId): void {
    const core = this.#core;
    const { account: known } = this.#identityOf(account);
    const name = `mailbox ${account}`;
    const open = this.#open.get(name)?.subscription;
    if (open instanceof Subscription) open.start(now);
    else if (known) {
      this.#add(now, name, account, {
        target: known.aor,
        seconds: usualSeconds,
        eventPackage: messageSummaryPackage,
        onNotified: (_now, request) => {
          const summary = messageSummaryOf(request);
          if (summary) core.emit({ type: 'messageWaiting', account, ...summary });
          return summary !== undefined || request.body.length === 0;
        },
      });
    }
  }

  /** RFC 3680: hears from the registrar what becomes of our binding; `lost` when it is gone and to be made anew. */
  watchRegistration(now: Milliseconds, account: AccountId, lost: (now: Milliseconds) => void): void {
    const { account: known, contactUser } = this.#identityOf(account);
    const name = `registration ${account}`;
    if (!known || this.#open.has(name)) return;
    let seen = false;
    let lostAt = Number.NEGATIVE_INFINITY;
    this.#add(now, name, account, {
      target: known.aor,
      seconds: usualSeconds,
      eventPackage: registrationPackage,
      onNotified: (at, request) => {
        const document = request.body.length > 0 ? this.#core.readXml(request.body) : undefined;
        const news = document && bindingNewsOf(document, contactUser);
        if (!news) return request.body.length === 0;
        // RFC 3680 §4.7: who was rejected does not come back by itself. A registrar may write our Contact anew: only one that was seen is missed.
        const gone = news.named ? !news.active && news.event !== 'rejected' : news.full && seen;
        seen = news.named;
        if (gone && at - lostAt > lossesApart) {
          lostAt = at;
          this.#core.note(at, 'registration-removed', { event: news.event.slice(0, 32) });
          lost(at);
        }
        return true;
      },
    });
  }

  /**
   * RFC 3903: publishes a state of `account` under an event package and keeps it published; how it stands comes as `publication`. The address
   * of the account is meant unless `target` names another. Throws UsageError when there are too many.
   */
  publish(now: Milliseconds, account: AccountId, { event, body, target }: PublishWish): SubscriptionId {
    const identity = this.#identityOf(account);
    const address = target ?? identity.account?.aor;
    if (!address) throw new UsageError('no-way', 'there is no address to publish to');
    this.#admit();
    const core = this.#core;
    const name = randomToken(core.entropy, 8);
    const publication = new Publication({
      core,
      identity,
      event,
      target: address,
      onStanding: (_now, standing) => core.emit({ type: 'publication', publication: name, ...standing }),
    });
    this.#open.set(name, { account, subscription: publication });
    publication.publish(now, body);
    return name;
  }

  /** Publishes something that has happened, and of which nothing is kept (RFC 6035); the outcome is reported. */
  tellOnce(now: Milliseconds, account: AccountId, notice: Notice): void {
    publishOnce(this.#core, now, this.#identityOf(account), notice);
  }

  /** The state is another one now; nothing happens when the publication is no more. */
  republish(now: Milliseconds, name: SubscriptionId, body: Body): void {
    const known = this.#open.get(name)?.subscription;
    if (known instanceof Publication) known.publish(now, body);
  }

  /** It goes on, or is tried again by itself. */
  has(name: SubscriptionId): boolean {
    return this.#open.has(name);
  }

  /** Ends a subscription or takes a publication back. */
  close(now: Milliseconds, name: SubscriptionId): void {
    const known = this.#open.get(name);
    if (!known) return;
    this.#open.delete(name);
    this.#leaving.push(known.subscription);
    known.subscription.stop(now);
  }

  /** The account is no more. */
  leave(now: Milliseconds, account: AccountId): void {
    for (const [name, one] of [...this.#open]) if (one.account === account) this.close(now, name);
  }

  /** The account is registered, after it was not: what was refused or waits is asked for anew. */
  revive(now: Milliseconds, account: AccountId): void {
    for (const one of this.#open.values()) if (one.account === account) one.subscription.revive(now);
  }

  describe(): object {
    return [...this.#open].map(([name, { account, subscription }]) => ({ name, account, ...subscription.describe() }));
  }

  #add(now: Milliseconds, name: SubscriptionId, account: AccountId, parts: Omit<SubscriptionParts, 'core' | 'identity'>): void {
    const subscription = new Subscription({ core: this.#core, identity: this.#identityOf(account), ...parts });
    this.#open.set(name, { account, subscription });
    subscription.start(now);
  }

  /** What accounts need for themselves is not counted out: there is one of each. */
  #admit(): void {
    const most = this.#core.settings.maximumSubscriptions;
    if (this.#open.size >= most) throw new UsageError('too-many-subscriptions', `there are ${most} subscriptions already`);
  }
}

export interface WatchWish {
  readonly event: WatchedEvent;
  readonly target: Uri;
  /** 0 asks how things stand, once. */
  readonly seconds?: number | undefined;
}

export interface PublishWish {
  readonly event: string;
  readonly body: Body;
  readonly target?: Uri | undefined;
}
