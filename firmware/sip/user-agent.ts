import type { Milliseconds } from '#firmware/core/clock.ts';
import { randomToken } from '#firmware/core/entropy.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { Account, AccountId } from './account.ts';
import { AccountFlows } from './account-flows.ts';
import { AgentCore, type UserAgentPorts } from './agent-core.ts';
import { IncomingInvite } from './dialog/incoming-invite.ts';
import { InviteSession } from './dialog/invite-session.ts';
import type { ShownState } from './dialog/notified-package.ts';
import type { ReofferAnswer } from './dialog/offer-exchange.ts';
import { OutgoingInvite } from './dialog/outgoing-invite.ts';
import { dialogOfRecord, type SessionRecord } from './dialog/session-record.ts';
import { SessionTerms } from './dialog/session-terms.ts';
import { destinationOf, Identity, securedFor } from './identity.ts';
import { sendComposing, sendText } from './instant-message.ts';
import type { Uri } from './message/uri.ts';
import type { LoggedDialog } from './message-log.ts';
import { type RejectOptions, refusalParts } from './refusal.ts';
import { Subscriptions } from './subscriptions.ts';
import type { TransactionOutput } from './transaction/transaction-layer.ts';
import type { Flow } from './transport/flow.ts';
import type { NameAnswer, NameQuestion } from './transport/name-records.ts';
import type { Destination, SipCore } from './transport/sip-core.ts';
import { SourceBudget } from './transport/source-budget.ts';
import type { Body, SessionId, UserAgentEvent, UserAgentOutput } from './user-agent-events.ts';
import { UserAgentServer } from './user-agent-server.ts';
import { Watchers } from './watchers.ts';

export interface InviteOptions {
  /** The account that calls; without one the INVITE goes straight to `target`, from an address of ours that says nothing. */
  readonly account?: AccountId | undefined;
  readonly target: Uri;
  /** The offer; without one the far end makes it. */
  readonly body?: Body | undefined;
  /** Further header fields in order. */
  readonly headers?: readonly (readonly [name: string, value: string])[] | undefined;
}

export interface TextMessage {
  /** The account that sends it; without one it goes straight to `target`. */
  readonly account?: AccountId | undefined;
  readonly target: Uri;
  readonly text: string;
}

/** An account with all that goes on for it. */
interface Service {
  readonly account: Account;
  readonly identity: Identity;
  readonly registration: AccountFlows | undefined;
}

/**
 * RFC 3261 UAC and UAS core of a phone: registrations, calls, message-waiting. Sans-IO: mutate, then drain.
 *
 *     receive ─► transport layer ─► transactions ─┬─► user agent server ─► dialogs, new calls
 *                                                 └─► client requests ─► registrations, calls, subscriptions
 */
export class UserAgent implements SipCore<UserAgentEvent> {
  /** What accounts want to know of others, and to tell by way of a server. */
  readonly subscriptions: Subscriptions;
  readonly #core: AgentCore;
  readonly #nobody: Identity;
  readonly #watchers: Watchers;
  readonly #server: UserAgentServer;
  readonly #services = new Map<AccountId, Service>();
  readonly #budget: SourceBudget;
  /** Of accounts that were removed or replaced, until the registrar has forgotten them. */
  #leaving: Service[] = [];
  /** While a failed transport is dealt with: why it failed. */
  #obstacle: string | undefined;

  constructor(ports: UserAgentPorts) {
    this.#core = new AgentCore(ports);
    this.#budget = new SourceBudget(this.#core.settings.messagesPerSecond);
    this.#nobody = new Identity(ports.entropy, ports.addresses);
    const accounts = (): readonly Identity[] =>
      [...this.#services.values()].flatMap(({ identity, registration }) => registration?.identities ?? [identity]);
    this.#watchers = new Watchers(this.#core);
    this.subscriptions = new Subscriptions(this.#core, (account) => this.#service(account).identity);
    this.#server = new UserAgentServer(this.#core, { accounts, nobody: this.#nobody }, this.#watchers);
  }

  /** Adds or replaces an account and registers it when it has a registrar; nothing happens when it is as it was. */
  setAccount(now: Milliseconds, account: Account): void {
    const known = this.#services.get(account.id);
    if (known && fingerprint(known.account) === fingerprint(account)) return;
    this.removeAccount(now, account.id);
    for (const old of this.#leaving) if (old.account.id === account.id) old.registration?.replaced(now);
    const { entropy, addresses } = this.#core;
    const { registrar } = account;
    const alone = new Identity(entropy, addresses, account);
    const registration = registrar && new AccountFlows(this.#core, { ...account, registrar });
    this.#services.set(account.id, {
      account,
      registration,
      get identity() {
        return registration?.identity ?? alone;
      },
    });
    registration?.start(now);
    if (account.watchRegistration && registration) {
      this.subscriptions.watchRegistration(now, account.id, (at) => registration.removed(at));
    }
  }

  /** Un-registers. Calls of the account go on. */
  removeAccount(now: Milliseconds, id: AccountId): void {
    const service = this.#services.get(id);
    if (!service) return;
    this.#services.delete(id);
    this.subscriptions.leave(now, id);
    this.#watchers.leave(now, id);
    service.registration?.stop(now);
    this.#leaving = [...this.#leaving.filter(isActive), service];
  }

  /** The network came back, or a person asks: registers without waiting for refresh or back-off. */
  registerNow(now: Milliseconds, id: AccountId): void {
    this.#service(id).registration?.start(now);
  }

  /** Where requests of the account go at present: an address once one has gone there. */
  serverOf(id: AccountId): Destination | undefined {
    return this.#services.get(id)?.identity.place;
  }

  /** Ends every call, takes no more, and un-registers; `idle` says when all of it is done. */
  stop(now: Milliseconds): void {
    this.#server.close();
    for (const call of [...this.#core.calls.values()]) {
      if (call instanceof IncomingInvite) call.reject(now, 480);
      else call.end(now);
    }
    for (const id of [...this.#services.keys()]) this.removeAccount(now, id);
  }

  /** What went to and fro last, by Call-ID. */
  get messageLog(): readonly LoggedDialog[] {
    return this.#core.messageLog.dialogs;
  }

  /** True when no call is left and nothing waits for an answer of the network. */
  get idle(): boolean {
    const { calls, unanswered } = this.#core;
    return calls.size === 0 && unanswered === 0 && this.subscriptions.isOver && !this.#leaving.some(isActive);
  }

  invite(now: Milliseconds, { account, target, body, headers }: InviteOptions): SessionId {
    const core = this.#core;
    const id = randomToken(core.entropy, 16);
    const { identity, way, destination } = this.#wayTo(target, account);
    const fits = core.calls.size < core.settings.maximumSessions;
    const plain = target.kind === 'sip' ? target.with({ headers: [] }) : target;
    if (destination && fits) new OutgoingInvite({ core, id, identity, target: plain, destination, body, headers }).start(now);
    else {
      const noWay = way ? 'No Secure Way To Reach The Address' : 'No Way To Reach The Address';
      const reasonPhrase = fits ? noWay : 'Too Many Calls';
      core.emit({ type: 'failed', session: id, statusCode: 503, reasonPhrase, cause: 'transport' });
    }
    return id;
  }

  /** Incoming: a provisional response, 101 to 199. */
  ring(now: Milliseconds, session: SessionId, statusCode = 180, body?: Body): void {
    this.#incoming(session)?.ring(now, statusCode, body);
  }

  /** Incoming: 200 with the answer, or with an offer when the INVITE had none; `automatic`: no person did it (RFC 5373). */
  accept(now: Milliseconds, session: SessionId, body: Body, automatic = false): void {
    this.#incoming(session)?.accept(now, body, automatic);
  }

  /** Incoming: a final response from 300 on. */
  reject(now: Milliseconds, session: SessionId, statusCode: number, options: RejectOptions = {}): void {
    this.#incoming(session)?.reject(now, statusCode, refusalParts(options));
  }

  /** CANCEL, BYE or 603, whatever the state asks for. Again and again without harm. `reason` is a Reason header (RFC 3326). */
  end(now: Milliseconds, session: SessionId, reason?: string): void {
    this.#core.calls.get(session)?.end(now, reason);
  }

  /** An accepted call for a successor of this process; `undefined` for any other. */
  record(session: SessionId): SessionRecord | undefined {
    const call = this.#core.calls.get(session);
    return call instanceof InviteSession ? call.record() : undefined;
  }

  /** Takes up an accepted call of a process that died, under the same session; false when its account or its dialog is none. */
  adopt(now: Milliseconds, record: SessionRecord): boolean {
    const { session: id, account, ownsCallId, described } = record;
    const identity = account === null ? this.#nobody : this.#services.get(account)?.identity;
    const dialog = dialogOfRecord(record.dialog);
    if (!identity || !dialog) return false;
    const body = described && { contentType: described.contentType, bytes: new TextEncoder().encode(described.text) };
    const terms = new SessionTerms(this.#core.settings);
    new InviteSession({ core: this.#core, id, identity, dialog, ownsCallId, terms, described: body ?? undefined }).adopted(now, record);
    return true;
  }

  /** By which names the registrars know this device. */
  get contactUsers(): Readonly<Record<AccountId, string>> {
    return Object.fromEntries([...this.#services].map(([id, { identity }]) => [id, identity.contactUser]));
  }

  /** Sends a re-INVITE; false when another offer is pending or the call is not confirmed: try again later. */
  reoffer(now: Milliseconds, session: SessionId, body: Body): boolean {
    return this.#established(session)?.offer(now, body) ?? false;
  }

  answerReoffer(now: Milliseconds, session: SessionId, answer: ReofferAnswer): void {
    const call = this.#core.calls.get(session);
    if (call instanceof InviteSession || call instanceof OutgoingInvite) call.answerOffer(now, answer);
    else this.#core.counters.add('command-too-late');
  }

  /** Sends an INFO; its outcome comes as `infoAnswered`. */
  info(now: Milliseconds, session: SessionId, body: Body): void {
    this.#established(session)?.sendInfo(now, body);
  }

  /**
   * Asks the far end of a call to call `target` (RFC 3515); false when that can't be asked now. How it goes comes as `referProgress`; when it is
   * not to be followed (RFC 4488) that they do it at all is the last that comes.
   */
  refer(now: Milliseconds, session: SessionId, target: Uri, follow = true): boolean {
    return this.#established(session)?.refer(now, target, follow) ?? false;
  }

  /** The address for a `refer` in another call, so that its far end takes our place in this one (RFC 3891). */
  addressWithReplaces(session: SessionId): Uri | undefined {
    return this.#core.referrals.get(session)?.addressWithReplaces;
  }

  /** 202: we do what a `referred` asks for. */
  acceptRefer(now: Milliseconds, session: SessionId): void {
    this.#core.referrals.get(session)?.acceptRefer(now);
  }

  rejectRefer(now: Milliseconds, session: SessionId, statusCode: number): void {
    this.#core.referrals.get(session)?.rejectRefer(now, statusCode);
  }

  /** How the call goes that the far end of `session` asked for, also after that one has ended; a final status is the last. */
  tellReferred(now: Milliseconds, session: SessionId, statusCode: number): void {
    this.#core.referrals.get(session)?.tellReferred(now, statusCode);
  }

  /** Sends an instant message (RFC 3428); its outcome comes as `textAnswered` with the name this gives. Throws UsageError: too long, no way. */
  sendText(now: Milliseconds, { account, target, text }: TextMessage): string {
    const { identity, destination } = this.#wayTo(target, account);
    if (!destination) throw new UsageError('no-way', 'the address can not be reached');
    return sendText(this.#core, now, identity, { target, text, destination });
  }

  /** RFC 3994: tells who is written to that a person writes, or has stopped to. Nobody waits for an answer. */
  sendComposing(now: Milliseconds, { account, target }: Omit<TextMessage, 'text'>, active: boolean): void {
    const { identity, destination } = this.#wayTo(target, account);
    if (destination) sendComposing(this.#core, now, identity, { target, active, destination });
  }

  /** How an account stands, for those who watch it (RFC 4235, 3856, 6910); true if that is news. */
  show(now: Milliseconds, account: AccountId, state: ShownState): boolean {
    return this.#watchers.show(now, account, state);
  }

  receive(now: Milliseconds, flow: Flow, bytes: Uint8Array): void {
    if (!this.#admits(now, flow.remote.address)) return;
    this.#core.receive(now, flow, bytes);
    this.#settle(now);
  }

  transportFailed(now: Milliseconds, destination: Destination, reason: string): void {
    const { transport, host, port } = destination;
    const before = this.#core.unanswered;
    this.#obstacle = reason;
    this.#core.transportFailed(now, destination);
    this.#settle(now);
    this.#obstacle = undefined;
    if (this.#core.unanswered < before) this.#core.note(now, 'request-undeliverable', { peer: `${transport}:${host}:${port}`, reason });
    for (const { registration } of this.#services.values()) registration?.connectionLost(now, destination);
    this.#followLosses(now);
  }

  named(now: Milliseconds, question: NameQuestion, answer: NameAnswer): void {
    this.#core.named(now, question, answer);
    this.#settle(now);
  }

  networkChanged(now: Milliseconds): void {
    this.#core.location.forget();
    for (const { identity, registration } of this.#services.values()) {
      if (registration) registration.networkChanged(now);
      else identity.moved();
    }
    this.#settle(now);
  }

  handleTimeout(now: Milliseconds): void {
    this.#core.handleTimeout(now);
    this.#settle(now);
    this.#followLosses(now);
  }

  get deadline(): Milliseconds | undefined {
    return this.#core.deadline;
  }

  drain(): UserAgentOutput[] {
    this.#settle(this.#core.lastInput);
    return this.#core.drain();
  }

  describe(): object {
    const accounts = [...this.#services.values()].map(({ account, registration }) => ({
      id: account.id,
      aor: account.aor.toString(),
      registration: registration?.describe(),
    }));
    const subscriptions = this.subscriptions.describe();
    const calls = [...this.#core.calls].map(([id, call]) => ({ id, ...call.describe() }));
    return { accounts, calls, subscriptions, watchers: this.#watchers.describe(), ...this.#core.describe() };
  }

  /** A call found its server silent and went by another one: so does the registration, so that calls find us there. */
  #followLosses(now: Milliseconds): void {
    for (const { registration } of this.#services.values()) registration?.followLoss(now);
  }

  /** The servers of our accounts carry the calls of everybody, and this machine is trusted: neither is counted. */
  #admits(now: Milliseconds, address: string): boolean {
    if (address === '::1' || address.startsWith('127.') || this.#budget.admits(now, address)) return true;
    for (const { identity, registration } of this.#services.values()) {
      if ((registration?.identities ?? [identity]).some((one) => one.isServer(address))) return true;
    }
    this.#core.note(now, 'source-over-budget', { address });
    return false;
  }

  /** Lets the transactions say what they have to say, until they are silent. */
  #settle(now: Milliseconds): void {
    for (let outputs = this.#core.take(); outputs.length > 0; outputs = this.#core.take()) {
      for (const output of outputs) this.#dispatch(now, output);
    }
  }

  #dispatch(now: Milliseconds, output: Exclude<TransactionOutput, { type: 'send' }>): void {
    switch (output.type) {
      case 'request':
        this.#server.receive(now, output.transaction, output.merged);
        break;
      case 'cancel':
        this.#server.cancelled(now, output.transaction, output.invite);
        break;
      case 'ack':
        this.#server.acknowledged(now, output.request);
        break;
      case 'response':
        this.#responded(now, output);
        break;
      case 'timeout':
      case 'transportError':
        this.#failed(now, output);
        break;
      case 'terminated':
        this.#core.forget(output.transaction);
        break;
      default:
        output satisfies never;
    }
  }

  #responded(now: Milliseconds, { transaction, response, flow }: Extract<TransactionOutput, { type: 'response' }>): void {
    if (!transaction) {
      this.#server.strayResponse(response);
      return;
    }
    if (response.isFinal) this.#core.answered(transaction);
    this.#core.userOf(transaction)?.responded(now, response, flow);
  }

  /** What an answer of ours comes to when nobody acknowledges it is no concern of the call: it was refused. */
  #failed(now: Milliseconds, { type, transaction }: Extract<TransactionOutput, { type: 'timeout' | 'transportError' }>): void {
    if (transaction.role === 'server') return;
    this.#core.answered(transaction);
    const user = this.#core.userOf(transaction);
    if (type === 'timeout') user?.failed(now, 'timeout', undefined);
    else user?.failed(now, 'transport', this.#obstacle);
  }

  #wayTo(target: Uri, account: AccountId | undefined) {
    const identity = account === undefined ? this.#nobody : this.#service(account).identity;
    const way = identity.outgoing ?? destinationOf(target);
    return { identity, way, destination: way && securedFor(target, way) };
  }

  #service(id: AccountId): Service {
    const service = this.#services.get(id);
    if (!service) throw new UsageError('unknown-account', `there is no account ${id}`);
    return service;
  }

  /** A command for a call that has just gone is late, not wrong. */
  #incoming(session: SessionId): IncomingInvite | undefined {
    const call = this.#core.calls.get(session);
    if (call instanceof IncomingInvite) return call;
    this.#core.counters.add('command-too-late');
    return undefined;
  }

  #established(session: SessionId): InviteSession | undefined {
    const call = this.#core.calls.get(session);
    if (call instanceof InviteSession) return call;
    this.#core.counters.add('command-too-late');
    return undefined;
  }
}

function isActive({ registration }: Service): boolean {
  return !(registration?.isOver ?? true);
}

/** Equal texts, equal accounts. Holds the password: never shown. */
function fingerprint(account: Account): string {
  const { aor, displayName, registrar, outboundProxy, alternatives, transport, credentials, gruu, watchRegistration, expires } = account;
  const { flows, keepAlive, acceptRefer } = account;
  const uris = [aor, registrar, outboundProxy, ...(alternatives ?? [])].map((uri) => uri?.toString() ?? null);
  return JSON.stringify([
    uris,
    displayName,
    transport,
    credentials?.username,
    credentials?.password,
    gruu,
    watchRegistration,
    flows,
    keepAlive,
    acceptRefer,
    expires,
  ]);
}
