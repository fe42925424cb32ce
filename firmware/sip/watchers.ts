import type { Milliseconds } from '#firmware/core/clock.ts';
import type { AccountId } from './account.ts';
import type { AgentCore } from './agent-core.ts';
import { allowEventsLine, notifiedPackages } from './capabilities.ts';
import type { NotifiedPackage, ShownState } from './dialog/notified-package.ts';
import { isTooBrief, leastSeconds, Watcher } from './dialog/watcher.ts';
import type { Identity } from './identity.ts';
import type { Request } from './message/message.ts';
import type { Refused } from './request-inspection.ts';
import type { ServerTransaction } from './transaction/transaction-layer.ts';

/** Dialogs of one account that are shown; the others are not worth a longer document. */
const shownAtMost = 32;

interface Watched {
  readonly account: AccountId;
  readonly notified: NotifiedPackage;
}

const nothing: ShownState = { dialogs: [], presence: 'open', free: true };

/** RFC 6665 as notifier, of every package: who watches which account, and what there is to see. */
export class Watchers {
  readonly #core: AgentCore;
  /** In the order in which they came. */
  readonly #watchers = new Map<Watcher, Watched>();
  readonly #shown = new Map<AccountId, ShownState>();

  constructor(core: AgentCore) {
    this.#core = core;
  }

  /** Whether a SUBSCRIBE outside any dialog is refused, whoever sends it. */
  inspect(request: Request): Refused | undefined {
    const { contacts, expires } = request;
    const notified = this.#packageOf(request);
    if (!notified) return { statusCode: 489, headers: [allowEventsLine(this.#core.settings)] };
    if (contacts === '*' || contacts.length !== 1) return { statusCode: 400, reasonPhrase: 'Missing Contact' };
    if (isTooBrief(expires)) return { statusCode: 423, headers: [['Min-Expires', String(leastSeconds)]] };
    if (!acceptsDocument(request, notified)) return { statusCode: 406, headers: [['Accept', notified.contentType]] };
    const full = this.#watchers.size >= this.#core.settings.maximumWatchers;
    return full ? { statusCode: 503, headers: [['Retry-After', '60']] } : undefined;
  }

  subscribed(now: Milliseconds, transaction: ServerTransaction, identity: Identity): void {
    const notified = this.#packageOf(transaction.request);
    const account = identity.account?.id ?? '';
    // RFC 6910 §7.5: a queue that is full.
    if (!notified || this.#queue(account, notified).length >= notified.watchersAtMost) {
      this.#core.respond(now, transaction, 480, { headers: [['Retry-After', '60']] });
      return;
    }
    const entity = identity.account?.aor.toString() ?? '';
    const watcher: Watcher = new Watcher({
      core: this.#core,
      identity,
      notified,
      transaction,
      document: (version) => {
        const place = this.#queue(account, notified).indexOf(watcher);
        return notified.format({ entity, version, place }, this.#shown.get(account) ?? nothing);
      },
      onClosed: (at) => {
        this.#watchers.delete(watcher);
        for (const one of this.#queue(account, notified)) one.changed(at);
      },
    });
    this.#watchers.set(watcher, { account, notified });
    watcher.start(now);
  }

  /** True if that is news; those who watch are told then. */
  show(now: Milliseconds, account: AccountId, state: ShownState): boolean {
    if (notifiedPackages(this.#core.settings).length === 0) return false;
    const { calls } = this.#core;
    // Whoever sees a call ring may take it by the names of its dialog (RFC 3891).
    const dialogs = state.dialogs.slice(0, shownAtMost).map((shown) => ({ ...shown, names: calls.get(shown.session ?? '')?.names }));
    const next = { ...state, dialogs };
    if (JSON.stringify(next) === JSON.stringify(this.#shown.get(account) ?? nothing)) return false;
    this.#shown.set(account, next);
    for (const [watcher, watched] of this.#watchers) if (watched.account === account) watcher.changed(now);
    return true;
  }

  /** The account is no more. */
  leave(now: Milliseconds, account: AccountId): void {
    this.#shown.delete(account);
    for (const [watcher, watched] of [...this.#watchers]) if (watched.account === account) watcher.finish(now);
  }

  describe(): object {
    return [...this.#watchers].map(([watcher, { account }]) => ({ account, ...watcher.describe() }));
  }

  #packageOf({ event }: Request): NotifiedPackage | undefined {
    const name = event?.value.toLowerCase();
    return notifiedPackages(this.#core.settings).find((notified) => notified.event === name);
  }

  #queue(account: AccountId, notified: NotifiedPackage): readonly Watcher[] {
    const ours = [...this.#watchers].filter(([, watched]) => watched.account === account && watched.notified === notified);
    return ours.map(([watcher]) => watcher);
  }
}

/** RFC 4235 §3.6, RFC 3856 §6.5: without Accept the type of the package is meant. */
function acceptsDocument(request: Request, { contentType }: NotifiedPackage): boolean {
  const types = request.headerValues('Accept').map((type) => type.split(';', 1)[0]?.trim().toLowerCase());
  return types.length === 0 || types.some((type) => type === contentType || type === '*/*' || type === 'application/*');
}
