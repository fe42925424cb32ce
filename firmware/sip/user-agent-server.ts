import type { Milliseconds } from '#firmware/core/clock.ts';
import { randomToken } from '#firmware/core/entropy.ts';
import type { AgentCore } from './agent-core.ts';
import { allowEventsLine, capabilityLines } from './capabilities.ts';
import { Dialog, dialogKey, dialogKeyOf } from './dialog/dialog.ts';
import { DialogEvents } from './dialog/dialog-events.ts';
import { isEvent, messageSummaryPackage } from './dialog/event-package.ts';
import { IncomingInvite } from './dialog/incoming-invite.ts';
import { messageSummaryOf } from './dialog/message-summary.ts';
import { joinedBy, replacedBy } from './dialog/replaces.ts';
import type { Identity } from './identity.ts';
import { takeText } from './instant-message.ts';
import { statelessTag } from './message/build.ts';
import type { Request, Response } from './message/message.ts';
import { isKnownMethod } from './message/methods.ts';
import { PeerAuthentication } from './peer-authentication.ts';
import { inspectBody, inspectExtensions, inspectHeaders, inspectMethod, type Refused } from './request-inspection.ts';
import type { ServerTransaction } from './transaction/transaction-layer.ts';
import type { Watchers } from './watchers.ts';

/** Who may be called: all accounts, and nobody in particular. */
export interface Identities {
  readonly accounts: () => readonly Identity[];
  /** For direct calls when there is no account. */
  readonly nobody: Identity;
}

/** Requests that make no sense without a dialog. */
const dialogMethods: ReadonlySet<string> = new Set(['BYE', 'INFO', 'PRACK', 'UPDATE']);

/** RFC 3261 §8.2 and §12.2.2: takes the requests of peers, refuses what is to be refused and hands on the rest. */
export class UserAgentServer {
  readonly #core: AgentCore;
  readonly #identities: Identities;
  readonly #watchers: Watchers;
  readonly #authentication: PeerAuthentication;
  #closed = false;

  constructor(core: AgentCore, identities: Identities, watchers: Watchers) {
    this.#core = core;
    this.#identities = identities;
    this.#watchers = watchers;
    this.#authentication = new PeerAuthentication(core.entropy);
  }

  /** New calls are refused from now on. */
  close(): void {
    this.#closed = true;
  }

  /** Any request but ACK and CANCEL. */
  receive(now: Milliseconds, transaction: ServerTransaction, merged: boolean): void {
    const { request } = transaction;
    const usage =
      this.#core.dialogs.get(dialogKeyOf(request)) ?? this.#core.dialogs.get(dialogKey(request.callId, request.to.tag, undefined));
    const refused = usage ? this.#inspectInside(transaction) : this.#inspect(transaction, merged);
    if (refused) this.#refuse(now, transaction, refused);
    else if (usage) usage.receive(now, transaction);
    else if (request.method === 'INVITE') this.#invited(now, transaction);
    else if (request.method === 'NOTIFY') this.#notified(now, transaction);
    else if (request.method === 'SUBSCRIBE') this.#subscribed(now, transaction);
    else if (request.method === 'REFER') this.#referred(now, transaction);
    else if (request.method === 'MESSAGE')
      takeText(this.#core, now, transaction, this.#identityFor(request, transaction.flow.remote.address));
    else this.#core.respond(now, transaction, 200, { headers: capabilityLines(this.#core.settings) });
  }

  /** RFC 3261 §9.2. */
  cancelled(now: Milliseconds, transaction: ServerTransaction, invite: ServerTransaction | undefined): void {
    if (!invite) {
      this.#refuse(now, transaction, { statusCode: 481 });
      return;
    }
    const cancellable = this.#core.cancellableOf(invite);
    const toTag = cancellable?.toTag;
    this.#core.respond(now, transaction, 200, toTag === undefined ? {} : { toTag });
    cancellable?.cancelled(now, transaction.request);
  }

  /** An ACK that belongs to a 2xx, or to nothing. */
  acknowledged(now: Milliseconds, ack: Request): void {
    const usage = this.#core.dialogs.get(dialogKeyOf(ack));
    if (usage) usage.acknowledged(now, ack);
    else this.#core.counters.add('ack-astray');
  }

  /** A response whose transaction is over: of use only when it is the 2xx of a call of ours that lost its ACK. */
  strayResponse(response: Response): void {
    const { callId, from, to } = response;
    const usage = this.#core.dialogs.get(dialogKey(callId, from.tag, to.tag));
    if (usage && response.isSuccess && response.cSeq.method === 'INVITE') usage.acceptedAgain(response);
    else this.#core.counters.add('response-astray');
  }

  #refuse(now: Milliseconds, transaction: ServerTransaction, { statusCode, reasonPhrase, headers }: Refused): void {
    const { request, flow } = transaction;
    const method = request.method.slice(0, 32);
    this.#core.note(now, `request-refused-${statusCode}`, { method, peer: `${flow.transport}:${flow.remote.address}:${flow.remote.port}` });
    this.#core.respond(now, transaction, statusCode, { ...(reasonPhrase !== undefined && { reasonPhrase }), ...(headers && { headers }) });
  }

  /** A request within a dialog of ours. */
  #inspectInside(transaction: ServerTransaction): Refused | undefined {
    const { request } = transaction;
    return inspectHeaders(transaction) ?? inspectExtensions(request, this.#core.settings) ?? inspectBody(request);
  }

  /** A request outside any dialog of ours. */
  #inspect(transaction: ServerTransaction, merged: boolean): Refused | undefined {
    const { request, flow } = transaction;
    const strayed = request.to.tag !== undefined && isKnownMethod(request.method);
    if (strayed || dialogMethods.has(request.method)) return { statusCode: 481 };
    const refused = inspectMethod(request);
    if (refused) return refused;
    if (merged) return { statusCode: 482, reasonPhrase: 'Request Merged' };
    return inspectHeaders(transaction) ?? this.#inspectAddressee(request, flow.remote.address) ?? inspectBody(request);
  }

  /** Whether the request is for one of us, from somebody who may call us. */
  #inspectAddressee(request: Request, source: string): Refused | undefined {
    const identity = this.#identityFor(request, source);
    const accounts = this.#identities.accounts();
    const ownServer = identity?.account ? identity.isServer(source) : accounts.some((one) => one.isServer(source));
    if (request.method === 'NOTIFY') return this.#inspectNotify(request, ownServer);
    if (request.method === 'MESSAGE') return ownServer || this.#core.settings.acceptDirectCalls ? undefined : { statusCode: 403 };
    if (request.method === 'SUBSCRIBE') return this.#inspectSubscribe(request, identity, ownServer);
    if (request.method === 'REFER') return this.#inspectRefer(request, identity, ownServer);
    // RFC 3911 §8: to be joined is to be overheard; who asks must have come by a server that knows them.
    const asksForMore = request.header('Join') !== undefined;
    if (request.method === 'INVITE' && !ownServer && (asksForMore || !this.#core.settings.acceptDirectCalls)) return { statusCode: 403 };
    if (!identity) return { statusCode: request.maxForwards === 0 ? 483 : 404 };
    return request.method === 'INVITE' ? this.#inspectInvite(request) : undefined;
  }

  /** A peer of RFC 2543, which knows no From tags, need not say a Contact: it is called back at its From. */
  #inspectInvite(request: Request): Refused | undefined {
    const { contacts, from } = request;
    if (contacts === '*' || (contacts.length === 0 && from.tag !== undefined)) return { statusCode: 400, reasonPhrase: 'Missing Contact' };
    const full = this.#closed || this.#core.calls.size >= this.#core.settings.maximumSessions;
    if (full) return { statusCode: 503, headers: [['Retry-After', '5']] };
    const replaced = replacedBy(this.#core, request);
    const joined = joinedBy(this.#core, request);
    for (const found of [joined, replaced]) if (found && 'statusCode' in found) return found;
    return inspectExtensions(request, this.#core.settings);
  }

  /** Whoever is in no call with us has no business to make us call, unless the account says that its server has. */
  #inspectRefer({ contacts }: Request, identity: Identity | undefined, ownServer: boolean): Refused | undefined {
    const { referrals, settings } = this.#core;
    if (!ownServer || !identity?.account?.acceptRefer) return { statusCode: 403 };
    if (contacts === '*' || contacts.length !== 1) return { statusCode: 400, reasonPhrase: 'Missing Contact' };
    const full = this.#closed || referrals.size >= settings.maximumSessions;
    return full ? { statusCode: 503, headers: [['Retry-After', '5']] } : undefined;
  }

  /** Who talks with whom is told to the server of the account, and to those it lets through to us. */
  #inspectSubscribe(request: Request, identity: Identity | undefined, ownServer: boolean): Refused | undefined {
    const refused = this.#watchers.inspect(request);
    if (refused) return refused;
    if (!ownServer && !this.#core.settings.acceptDirectCalls) return { statusCode: 403 };
    return identity?.account ? undefined : { statusCode: 404 };
  }

  /** RFC 6665 §4.1.4: what nobody has subscribed to is refused, but for two that servers send unasked. */
  #inspectNotify(request: Request, ownServer: boolean): Refused | undefined {
    const { settings } = this.#core;
    const known = isEvent(request, messageSummaryPackage.event) || (isCheckSync(request) && settings.acceptCheckSync !== 'never');
    if (!known) return { statusCode: 489, headers: [allowEventsLine(settings)] };
    if (!ownServer) return { statusCode: 403 };
    if (isCheckSync(request) || messageSummaryOf(request)) return undefined;
    return { statusCode: 415, headers: [['Accept', messageSummaryPackage.accept.join(', ')]] };
  }

  /** RFC 3261 §8.2.2.1: whom the request-URI means. Without a user it means the device: the account of the sender's server, if any. */
  #identityFor({ requestUri }: Request, source: string): Identity | undefined {
    if (requestUri.kind !== 'sip') return undefined;
    const { user } = requestUri;
    const accounts = this.#identities.accounts();
    if (accounts.length === 0) return this.#identities.nobody;
    const named = accounts.filter((one) => user === undefined || one.contactUser === user || one.account?.aor.user === user);
    return named.find((one) => one.isServer(source)) ?? named[0];
  }

  #subscribed(now: Milliseconds, transaction: ServerTransaction): void {
    const identity = this.#identityFor(transaction.request, transaction.flow.remote.address);
    if (identity) this.#watchers.subscribed(now, transaction, identity);
  }

  #invited(now: Milliseconds, transaction: ServerTransaction): void {
    const identity = this.#identityFor(transaction.request, transaction.flow.remote.address);
    if (!identity) return;
    const id = randomToken(this.#core.entropy, 16);
    new IncomingInvite({ core: this.#core, id, identity, transaction }).start(now);
  }

  /** RFC 3515 outside a call: a click somewhere is to make us call. */
  #referred(now: Milliseconds, transaction: ServerTransaction): void {
    const { request, flow } = transaction;
    const identity = this.#identityFor(request, flow.remote.address);
    const account = identity?.account;
    if (!identity || !account) return;
    const mustKnow = account.acceptRefer === 'authenticated';
    if (mustKnow && !this.#isAuthenticated(now, transaction, identity)) return;
    const dialog = Dialog.ofRequest(request, statelessTag(request));
    const session = randomToken(this.#core.entropy, 16);
    new DialogEvents({ core: this.#core, session, identity, dialog, account: account.id }).begin(now, transaction);
  }

  /** Whoever does not know the password is asked for it. */
  #isAuthenticated(now: Milliseconds, transaction: ServerTransaction, identity: Identity): boolean {
    if (this.#authentication.knows(now, transaction.request, identity)) return true;
    this.#core.respond(now, transaction, 401, { headers: this.#authentication.challenges(now, identity) });
    return false;
  }

  /** Message-waiting without a subscription, as many registrars send it to whoever registers; or a word to the device. */
  #notified(now: Milliseconds, transaction: ServerTransaction): void {
    const { request, flow } = transaction;
    const identity = this.#identityFor(request, flow.remote.address);
    const account = identity?.account;
    const summary = messageSummaryOf(request);
    if (identity && account && isCheckSync(request)) {
      this.#checkSync(now, transaction, identity, account.id);
      return;
    }
    this.#core.respond(now, transaction, account ? 200 : 404);
    if (account && summary) this.#core.emit({ type: 'messageWaiting', account: account.id, ...summary });
  }

  /** `check-sync` of many exchanges, registered nowhere: read your settings anew, or restart. */
  #checkSync(now: Milliseconds, transaction: ServerTransaction, identity: Identity, account: string): void {
    const { request } = transaction;
    const mustKnow = this.#core.settings.acceptCheckSync === 'authenticated';
    if (mustKnow && !this.#isAuthenticated(now, transaction, identity)) return;
    this.#core.respond(now, transaction, 200);
    this.#core.emit({ type: 'checkSync', account, reboot: request.event?.params.get('reboot')?.toLowerCase() === 'true' });
  }
}

function isCheckSync({ event }: Request): boolean {
  return event?.value.toLowerCase() === 'check-sync';
}
