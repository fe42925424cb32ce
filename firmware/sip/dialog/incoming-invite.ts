import type { Milliseconds } from '#firmware/core/clock.ts';
import { randomToken } from '#firmware/core/entropy.ts';
import type { AgentCore, Call, DialogUsage, Replaceable } from '../agent-core.ts';
import { answerModeOf } from '../answer-mode.ts';
import { assertedIdentityOf } from '../asserted-identity.ts';
import { completionLines } from '../call-completion.ts';
import { dialogLines } from '../capabilities.ts';
import { noteConnectedIdentity } from '../connected-identity.ts';
import type { DialogNames } from '../event/dialog-document.ts';
import type { Identity } from '../identity.ts';
import type { ResponseParts } from '../message/build.ts';
import type { Request, Response } from '../message/message.ts';
import type { NameAddr } from '../message/name-addr.ts';
import { descriptionOf, typedBody } from '../message-body.ts';
import { reasonOf } from '../reason.ts';
import { StateMachine } from '../state-machine.ts';
import type { ServerTransaction } from '../transaction/transaction-layer.ts';
import { destinationAlong } from '../transport/transport-layer.ts';
import type { Body, SessionId } from '../user-agent-events.ts';
import { Dialog, wantsSips } from './dialog.ts';
import { answerAside, respondBusyWithOffer } from './in-dialog-requests.ts';
import {
  type IncomingInviteAction as Action,
  type IncomingInviteInput as Input,
  incomingInviteTable,
  type IncomingInviteState as State,
  type IncomingInviteTimer as Timer,
} from './incoming-invite-table.ts';
import { InviteSession } from './invite-session.ts';
import { knowsReliable, ReliableProvisional, reliableOption } from './reliable-provisional.ts';
import { joinedBy, replacedBy } from './replaces.ts';
import { grantLines, SessionTerms } from './session-terms.ts';

export interface IncomingInviteParts {
  readonly core: AgentCore;
  readonly id: SessionId;
  readonly identity: Identity;
  readonly transaction: ServerTransaction;
}

/** A response we want to send, without what every response of the dialog has. */
interface Wanted {
  readonly statusCode: number;
  readonly parts: ResponseParts;
}

/** RFC 3261 §13.3.1.1: proxies forget a call that shows no life for three minutes. */
const refreshInterval: Milliseconds = 60_000;

/** A call of a peer that we have not answered yet. */
export class IncomingInvite implements Call, DialogUsage {
  readonly #parts: IncomingInviteParts;
  readonly #machine: StateMachine<State, Input, Action, Timer>;
  readonly #dialog: Dialog;
  readonly #tag: string;
  readonly #reliable: ReliableProvisional | undefined;
  #provisional: Wanted | undefined;
  /** A newer provisional response has to wait for the PRACK of the one before (RFC 3262 §3). */
  #isDelayed = false;
  #success: Wanted | undefined;
  /** What the CANCEL or BYE said. */
  #withdrawal: { readonly acceptedElsewhere?: boolean; readonly reason?: string } = {};

  constructor(parts: IncomingInviteParts) {
    this.#parts = parts;
    const { core, transaction } = parts;
    this.#tag = randomToken(core.entropy, 10);
    this.#dialog = Dialog.ofRequest(transaction.request, this.#tag);
    const reliably = core.settings.reliableProvisional !== 'off' && knowsReliable(transaction.request);
    this.#reliable = reliably ? new ReliableProvisional(core, transaction, (now) => this.#step(now, 'unacknowledged')) : undefined;
    const { expires } = transaction.request;
    const lifetime = expires === undefined ? Number.POSITIVE_INFINITY : 1_000 * expires;
    this.#machine = new StateMachine(incomingInviteTable, 'fresh', core.timers, {
      durationOf: (timer) => (timer === 'refresh' ? refreshInterval : lifetime),
      timedOut: (now, timer) => this.#step(now, `timer ${timer}`, this.#provisional),
    });
  }

  get names(): DialogNames {
    return this.#dialog.names;
  }

  start(now: Milliseconds): void {
    const { core, id, transaction } = this.#parts;
    core.calls.set(id, this);
    core.dialogs.set(this.#dialog.key, this);
    core.onCancel(transaction, { toTag: this.#tag, cancelled: (at, cancel) => this.#withdraw(at, cancel) });
    this.#step(now, 'arrived');
  }

  ring(now: Milliseconds, statusCode: number, body?: Body): void {
    this.#provisional = { statusCode, parts: body ? { body: typedBody(body) } : {} };
    this.#step(now, 'ring', this.#provisional);
  }

  accept(now: Milliseconds, body: Body, automatic: boolean): void {
    // RFC 5373 §4.4: whoever cares is told whether a person has accepted.
    const headers = answerModeOf(this.#parts.transaction.request) ? [['Answer-Mode', automatic ? 'Auto' : 'Manual'] as const] : [];
    this.#success = { statusCode: 200, parts: { headers, ...(this.#reliable?.answer ? {} : { body: typedBody(body) }) } };
    this.#step(now, this.#reliable?.holdsSuccess ? 'acceptLater' : 'accept', this.#success);
  }

  reject(now: Milliseconds, statusCode: number, parts: ResponseParts = {}): void {
    this.#step(now, 'refuse', { statusCode, parts });
  }

  end(now: Milliseconds): void {
    this.reject(now, 603);
  }

  receive(now: Milliseconds, transaction: ServerTransaction): void {
    const { core, id } = this.#parts;
    const { request } = transaction;
    if (!this.#dialog.admits(request)) respondBusyWithOffer(core, now, transaction);
    else if (request.method === 'BYE') {
      core.respond(now, transaction, 200);
      this.#withdraw(now, request);
    } else if (request.method === 'PRACK') this.#acknowledged(now, transaction);
    else if (request.method === 'UPDATE' && !descriptionOf(request)) {
      this.#dialog.refresh(request);
      noteConnectedIdentity({ ...this.#parts, dialog: this.#dialog }, transaction);
      core.respond(now, transaction, 200, { headers: dialogLines(core.settings), contact: this.#contact() });
    } else if (request.method === 'INVITE' || request.method === 'UPDATE') respondBusyWithOffer(core, now, transaction);
    else answerAside(core, now, id, transaction);
  }

  replaceable(): Replaceable {
    return { session: this.#parts.id, stage: 'ringingHere' };
  }

  acknowledged(): void {
    this.#parts.core.counters.add('ack-before-answer');
  }

  acceptedAgain(): void {
    this.#parts.core.counters.add('response-astray');
  }

  describe(): object {
    return { state: this.#machine.state, dialog: this.#dialog.describe() };
  }

  static readonly #actions: Readonly<Record<Action, (self: IncomingInvite, now: Milliseconds, wanted: Wanted | undefined) => void>> = {
    report: (self) => self.#report(),
    sendProvisional: (self, now, wanted) => wanted && self.#sendProvisional(now, wanted),
    sendSuccess: (self, now, wanted) => wanted && self.#sendSuccess(now, wanted),
    sendRefusal: (self, now, wanted) => wanted && self.#respond(now, wanted),
    sendUnacknowledged: (self, now) => self.#respond(now, { statusCode: 504, parts: {} }),
    sendTerminated: (self, now) => self.#respond(now, { statusCode: 487, parts: {} }),
    reportCancelled: (self) => self.#parts.core.emit({ type: 'cancelled', session: self.#parts.id, ...self.#withdrawal }),
    close: (self, now) => self.#close(now),
  };

  #step(now: Milliseconds, input: Input, wanted?: Wanted): void {
    for (const action of this.#machine.step(now, input)) IncomingInvite.#actions[action](this, now, wanted);
  }

  #report(): void {
    const { core, id: session, identity, transaction } = this.#parts;
    const account = identity.account?.id;
    const { request } = transaction;
    // Whoever could not be replaced or joined was refused on arrival.
    const found = replacedBy(core, request);
    const replaces = found && 'session' in found ? { replaces: found.session } : {};
    const host = joinedBy(core, request);
    const joins = host && 'session' in host ? { joins: host.session } : {};
    // RFC 3325 §5: only the account's own server is believed.
    const asserted =
      identity.account && identity.isServer(transaction.flow.remote.address) ? assertedIdentityOf(request, request.from) : undefined;
    const caller = asserted ? { asserted } : {};
    core.emit({ type: 'incoming', session, request, ...(account !== undefined && { account }), ...caller, ...replaces, ...joins });
  }

  #sendProvisional(now: Milliseconds, wanted: Wanted): void {
    if (this.#reliable?.isWaiting) this.#isDelayed = true;
    else if (!this.#reliable || this.#mustOffer(wanted)) this.#sendUnreliably(now, wanted);
    else {
      const { parts } = wanted;
      const headers = [...(parts.headers ?? []), ...this.#reliable.nextLines()];
      this.#reliable.sent(now, this.#respond(now, { ...wanted, parts: { ...parts, headers } }));
    }
    this.#machine.restart(now, 'refresh');
  }

  /** A caller that insists on the extension hears nothing unreliable but 100. */
  #sendUnreliably(now: Milliseconds, wanted: Wanted): void {
    if (!this.#parts.transaction.request.require.includes(reliableOption)) this.#respond(now, wanted);
  }

  /** RFC 3261 §13.2.1: the first reliable response to an INVITE without an offer would have to make one, which we keep for the 2xx. */
  #mustOffer({ parts }: Wanted): boolean {
    return !descriptionOf(this.#parts.transaction.request) && !parts.body;
  }

  #acknowledged(now: Milliseconds, transaction: ServerTransaction): void {
    const { core } = this.#parts;
    const matches = this.#reliable?.acknowledged(now, transaction.request) ?? false;
    // RFC 3262 §5: an offer in a PRACK that we are not ready for is refused like any other; the PRACK counts all the same.
    core.respond(now, transaction, !matches ? 481 : descriptionOf(transaction.request) ? 488 : 200);
    if (!matches) return;
    if (this.#machine.state === 'accepting') this.#step(now, 'acknowledged', this.#success);
    else if (this.#isDelayed) {
      this.#isDelayed = false;
      this.#step(now, 'ring', this.#provisional);
    }
  }

  #sendSuccess(now: Milliseconds, wanted: Wanted): void {
    const { core, id, identity, transaction } = this.#parts;
    const terms = new SessionTerms(core.settings);
    const grant = terms.grant(transaction.request);
    const response = this.#respond(now, {
      ...wanted,
      parts: { ...wanted.parts, headers: [...(wanted.parts.headers ?? []), ...grantLines(grant)] },
    });
    const parts = {
      core,
      id,
      identity,
      dialog: this.#dialog,
      ownsCallId: false,
      terms,
      described: this.#reliable?.answer ?? descriptionOf(response),
      provisionals: this.#reliable,
    };
    new InviteSession(parts).weAccepted(now, transaction, { response, grant });
  }

  #respond(now: Milliseconds, { statusCode, parts }: Wanted): Response {
    const { core, identity, transaction } = this.#parts;
    const completion = statusCode === 486 ? completionLines(core.settings, identity) : [];
    const headers = [...(parts.headers ?? []), ...(statusCode < 300 ? dialogLines(core.settings) : completion)];
    const contact = statusCode < 300 ? { contact: this.#contact() } : {};
    return core.respond(now, transaction, statusCode, { ...parts, ...contact, headers, toTag: this.#tag });
  }

  #contact(): NameAddr {
    const { identity, transaction } = this.#parts;
    return identity.contact({ ...destinationAlong(transaction.flow), sips: wantsSips(transaction.request) });
  }

  #withdraw(now: Milliseconds, request: Request): void {
    const { acceptedElsewhere, text } = reasonOf(request);
    this.#withdrawal = { acceptedElsewhere, ...(text !== undefined && { reason: text }) };
    this.#step(now, 'withdrawn');
  }

  #close(now: Milliseconds): void {
    const { core, id } = this.#parts;
    this.#reliable?.stop(now);
    core.calls.delete(id);
    core.dialogs.delete(this.#dialog.key);
  }
}
