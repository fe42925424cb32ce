import type { Milliseconds } from '#firmware/core/clock.ts';
import type { AccountId } from './account.ts';
import type { AgentCore } from './agent-core.ts';
import { allowEventsLine } from './capabilities.ts';
import { dialogDocumentType, type ShownDialog } from './dialog/dialog-document.ts';
import { isTooBrief, leastSeconds, Watcher } from './dialog/watcher.ts';
import type { Identity } from './identity.ts';
import type { Request } from './message/message.ts';
import type { Refused } from './request-inspection.ts';
import type { ServerTransaction } from './transaction/transaction-layer.ts';

/** Dialogs of one account that are shown; the others are not worth a longer document. */
const shownAtMost = 32;

/** RFC 4235 as notifier: who watches which account, and what there is to see. */
export class Watchers {
  readonly #core: AgentCore;
  readonly #watchers = new Map<Watcher, AccountId>();
  readonly #shown = new Map<AccountId, readonly ShownDialog[]>();

  constructor(core: AgentCore) {
    this.#core = core;
  }

  /** Whether a SUBSCRIBE outside any dialog is refused, whoever sends it. */
  inspect(request: Request): Refused | undefined {
    const { acceptWatchers, maximumWatchers } = this.#core.settings;
    const { event, contacts, expires } = request;
    if (!acceptWatchers || event?.value !== 'dialog') return { statusCode: 489, headers: [allowEventsLine(this.#core.settings)] };
    if (contacts === '*' || contacts.length !== 1) return { statusCode: 400, reasonPhrase: 'Missing Contact' };
    if (isTooBrief(expires)) return { statusCode: 423, headers: [['Min-Expires', String(leastSeconds)]] };
    if (!acceptsDocument(request)) return { statusCode: 406, headers: [['Accept', dialogDocumentType]] };
    return this.#watchers.size >= maximumWatchers ? { statusCode: 503, headers: [['Retry-After', '60']] } : undefined;
  }

  subscribed(now: Milliseconds, transaction: ServerTransaction, identity: Identity): void {
    const account = identity.account?.id ?? '';
    const watcher: Watcher = new Watcher({
      core: this.#core,
      identity,
      transaction,
      shown: () => this.#shown.get(account) ?? [],
      onClosed: () => this.#watchers.delete(watcher),
    });
    this.#watchers.set(watcher, account);
    watcher.start(now);
  }

  /** True if that is news; those who watch are told then. */
  show(now: Milliseconds, account: AccountId, dialogs: readonly ShownDialog[]): boolean {
    if (!this.#core.settings.acceptWatchers) return false;
    const next = dialogs.slice(0, shownAtMost);
    if (JSON.stringify(next) === JSON.stringify(this.#shown.get(account) ?? [])) return false;
    this.#shown.set(account, next);
    for (const [watcher, watched] of this.#watchers) if (watched === account) watcher.changed(now);
    return true;
  }

  /** The account is no more. */
  leave(now: Milliseconds, account: AccountId): void {
    this.#shown.delete(account);
    for (const [watcher, watched] of [...this.#watchers]) if (watched === account) watcher.finish(now);
  }

  describe(): object {
    return [...this.#watchers].map(([watcher, account]) => ({ account, ...watcher.describe() }));
  }
}

/** RFC 4235 §3.6: without Accept this is the type that is meant. */
function acceptsDocument(request: Request): boolean {
  const types = request.headerValues('Accept').map((type) => type.split(';', 1)[0]?.trim().toLowerCase());
  return types.length === 0 || types.some((type) => type === dialogDocumentType || type === '*/*' || type === 'application/*');
}
