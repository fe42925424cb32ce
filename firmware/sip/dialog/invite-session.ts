import type { Milliseconds } from '#firmware/core/clock.ts';
import type { AgentCore, Call, DialogUsage, Replaceable } from '../agent-core.ts';
import { dialogLines, digitPackage } from '../capabilities.ts';
import { ClientRequest } from '../client-request.ts';
import { noteConnectedIdentity } from '../connected-identity.ts';
import type { DialogNames } from '../event/dialog-document.ts';
import type { Identity } from '../identity.ts';
import type { Message, Request, Response } from '../message/message.ts';
import type { Uri } from '../message/uri.ts';
import { typedBody, withDescriptionOf } from '../message-body.ts';
import { reasonOf } from '../reason.ts';
import { StateMachine, type Wake } from '../state-machine.ts';
import type { ServerTransaction } from '../transaction/transaction-layer.ts';
import type { Body, SessionId } from '../user-agent-events.ts';
import { AwaitedAck } from './awaited-ack.ts';
import { type Dialog, dialogKey } from './dialog.ts';
import { DialogEvents } from './dialog-events.ts';
import { answerAside, respondBusyWithOffer, sendBye } from './in-dialog-requests.ts';
import {
  type InviteSessionAction as Action,
  type InviteSessionInput as Input,
  inviteSessionTable,
  type InviteSessionState as State,
} from './invite-session-table.ts';
import { OfferExchange, type ReofferAnswer } from './offer-exchange.ts';
import type { ReliableProvisional } from './reliable-provisional.ts';
import { SentAcks } from './sent-acks.ts';
import { recordOfDialog, type SessionRecord } from './session-record.ts';
import type { SessionGrant, SessionTerms } from './session-terms.ts';
import { SessionTimer } from './session-timer.ts';

export interface InviteSessionParts {
  readonly core: AgentCore;
  readonly id: SessionId;
  readonly identity: Identity;
  readonly dialog: Dialog;
  /** True for the caller. */
  readonly ownsCallId: boolean;
  readonly terms: SessionTerms;
  /** What we said of our media in the INVITE or its answer. */
  readonly described: Body | undefined;
  /** The callee's provisional responses: a PRACK may come after the 2xx. */
  readonly provisionals?: ReliableProvisional | undefined;
}

/** The ACK of a 2xx that came. */
export interface SentAck {
  /** CSeq number. */
  readonly sequence: number;
  /** Sends it once more, if it has been sent. */
  readonly again: () => void;
  /** Present when it waits for our answer: sends it for the first time. */
  readonly send?: (answer?: Body) => void;
}

/** The line is registered first, and names are looked up: an answer that says who we are comes before one that asks. */
const inquiryMs: Milliseconds = 2_000;

/** What an input is about, for the actions it leads to. */
interface Subject {
  readonly accepted?: { readonly transaction: ServerTransaction; readonly response: Response };
  readonly request?: Request;
  readonly reason?: string;
}

/** An accepted call: the INVITE usage of a confirmed dialog. */
export class InviteSession implements Call, DialogUsage {
  readonly #parts: InviteSessionParts;
  readonly #machine: StateMachine<State, Input, Action, never>;
  readonly #awaitedAck: AwaitedAck;
  readonly #acks = new SentAcks();
  readonly #offers: OfferExchange;
  readonly #timer: SessionTimer;
  readonly #events: DialogEvents;
  /** RFC 4028 §7.4: UPDATE refreshes a call without touching its media, where the far end knows it. */
  #theyTakeUpdate = false;
  /** RFC 6086 §4.2.2: digits by INFO bear the name of their package, if the far end has asked for it. */
  #infoLines: readonly (readonly [name: string, value: string])[] = [];
  /** CSeq number of the INVITE that made the call. */
  #inviteSequence = 0;
  /** CSeq numbers of both sides up to which a process that died has gone; its last answers may not have got through. */
  #predecessor: { readonly local: number; readonly remote: number | undefined } | undefined;
  /** Asks whether the far end is still there. */
  readonly #inquiry: Wake = { fire: (now) => this.#refresh(now) };
  /** The offer of their 2xx has no answer yet: sends the ACK with it. */
  #sendAnswer: ((answer?: Body) => void) | undefined;
  /** Why we end the call. */
  #farewell: string | undefined;

  constructor(parts: InviteSessionParts) {
    this.#parts = parts;
    const { core, id, identity, dialog, ownsCallId, terms, described } = parts;
    this.#machine = new StateMachine(inviteSessionTable, 'fresh', core.timers, { durationOf: () => 0, timedOut: () => undefined });
    this.#events = new DialogEvents({ core, session: id, identity, dialog });
    this.#awaitedAck = new AwaitedAck(core, (now) => this.#step(now, 'noAck', { reason: 'no ACK' }));
    this.#timer = new SessionTimer({
      core,
      terms,
      onRefreshDue: (now) => this.#refresh(now),
      onExpired: (now) => this.#step(now, 'expired', { reason: 'the far end no longer refreshes the call' }),
    });
    this.#offers = new OfferExchange({
      core,
      session: id,
      identity,
      dialog,
      ownsCallId,
      acks: this.#acks,
      timer: this.#timer,
      described,
      onLost: (now, reason) => this.#step(now, 'lost', { reason }),
    });
  }

  get names(): DialogNames {
    return this.#parts.dialog.names;
  }

  /** We have just sent this 2xx. */
  weAccepted(
    now: Milliseconds,
    transaction: ServerTransaction,
    sent: { readonly response: Response; readonly grant?: SessionGrant | undefined },
  ): void {
    this.#open();
    this.#theyTakeUpdate = transaction.request.allow.includes('UPDATE');
    this.#infoLines = infoLinesFor(transaction.request);
    this.#inviteSequence = transaction.request.cSeq.number;
    this.#timer.apply(now, sent.grant);
    this.#step(now, 'weAccepted', { accepted: { transaction, response: sent.response } });
  }

  /** They sent a 2xx, which has been acknowledged unless the ACK waits for our answer. */
  theyAccepted(now: Milliseconds, response: Response, ack: SentAck): void {
    this.#sendAnswer = ack.send;
    this.#acks.add(ack.sequence, ack.again);
    this.#open();
    this.#theyTakeUpdate = response.allow.includes('UPDATE');
    this.#infoLines = infoLinesFor(response);
    this.#inviteSequence = ack.sequence;
    this.#timer.accepted(now, response);
    this.#step(now, 'theyAccepted');
  }

  /** A process that died has left us the call; `dialog` is that of the record. The far end is asked before long whether it is still there. */
  adopted(now: Milliseconds, { inviteSequence, theyTakeUpdate, timer, dialog: { localSequence, remoteSequence } }: SessionRecord): void {
    const { core, dialog, ownsCallId } = this.#parts;
    this.#open();
    this.#inviteSequence = inviteSequence;
    this.#predecessor = { local: localSequence, remote: remoteSequence ?? undefined };
    this.#theyTakeUpdate = theyTakeUpdate;
    if (timer) this.#timer.apply(timer.since, timer.grant);
    // Their INVITE comes again when they have not heard that it was accepted.
    if (!ownsCallId) core.dialogs.set(dialogKey(dialog.callId, undefined, dialog.remote.tag), this);
    core.timers.set(this.#inquiry, now + inquiryMs);
    this.#step(now, 'adopted');
  }

  /** For a successor; `undefined` when the call is over, or as good as over. */
  record(): SessionRecord | undefined {
    const { state } = this.#machine;
    if (state !== 'confirmed' && state !== 'unacknowledged') return undefined;
    const { id, identity, dialog, ownsCallId } = this.#parts;
    const { described } = this.#offers;
    return {
      session: id,
      account: identity.account?.id ?? null,
      dialog: recordOfDialog(dialog),
      ownsCallId,
      inviteSequence: this.#inviteSequence,
      timer: this.#timer.agreed ?? null,
      theyTakeUpdate: this.#theyTakeUpdate,
      described: described ? { contentType: described.contentType, text: new TextDecoder().decode(described.bytes) } : null,
    };
  }

  end(now: Milliseconds, reason?: string): void {
    this.#farewell ??= reason;
    this.#acknowledgeOffer();
    this.#step(now, 'hangUp');
  }

  offer(now: Milliseconds, body: Body): boolean {
    return this.#machine.state === 'confirmed' && !this.#sendAnswer && this.#offers.offer(now, body);
  }

  /** The answer to an offer of theirs; one in the 2xx that can't be answered ends the call (RFC 3261 §13.2.2.4). */
  answerOffer(now: Milliseconds, answer: ReofferAnswer): void {
    if (!this.#sendAnswer) this.#offers.answer(now, answer);
    else if ('body' in answer) this.#acknowledgeOffer(answer.body);
    else this.end(now);
  }

  #acknowledgeOffer(answer?: Body): void {
    const send = this.#sendAnswer;
    this.#sendAnswer = undefined;
    if (answer) this.#offers.describedAs(answer);
    send?.(answer);
  }

  /** Asks the far end to call somebody; false when that can't be asked now. */
  refer(now: Milliseconds, target: Uri, follow: boolean): boolean {
    return this.#machine.state === 'confirmed' && this.#events.refer(now, target, follow);
  }

  replaceable(): Replaceable {
    return { session: this.#parts.id, stage: 'confirmed' };
  }

  /** Sends an INFO; when it can't be sent or is not answered the call goes on. */
  sendInfo(now: Milliseconds, body: Body): void {
    const { core, id: session, identity, dialog } = this.#parts;
    const { destination } = dialog;
    const report = (statusCode: number): void => core.emit({ type: 'infoAnswered', session, statusCode });
    if (this.#machine.state !== 'confirmed' || !destination) {
      report(481);
      return;
    }
    new ClientRequest(now, {
      core,
      identity,
      destination,
      inDialog: true,
      build: () => dialog.request('INFO', { headers: this.#infoLines, body: typedBody(body) }),
      onResponse: (at, { statusCode, isFinal }) => {
        if (isFinal) report(statusCode);
        if (statusCode === 481) this.#step(at, 'lost', { reason: '481 to INFO' });
      },
      onFailure: (_at, cause) => report(cause === 'timeout' ? 408 : 503),
    });
  }

  receive(now: Milliseconds, transaction: ServerTransaction): void {
    const { core, id, dialog, provisionals } = this.#parts;
    const { request } = transaction;
    const again = request.cSeq.number === this.#predecessor?.remote;
    if (request.to.tag === undefined && this.#predecessor) this.#acceptAgain(now, transaction);
    else if (!again && !dialog.admits(request)) respondBusyWithOffer(core, now, transaction);
    else if (again && request.method === 'INFO') core.respond(now, transaction, 200);
    else if (request.method === 'BYE') {
      core.respond(now, transaction, 200);
      this.#step(now, 'bye', { request });
    } else if (request.method === 'PRACK') core.respond(now, transaction, provisionals?.acknowledged(now, request) ? 200 : 481);
    else if (request.method !== 'INVITE' && request.method !== 'UPDATE') {
      const taken = this.#machine.state === 'confirmed' && this.#events.take(now, transaction);
      if (!taken) answerAside(core, now, id, transaction);
    } else if (this.#machine.state === 'confirmed') {
      noteConnectedIdentity(this.#parts, transaction);
      this.#offers.receive(now, transaction);
    } else core.respond(now, transaction, 491);
  }

  acknowledged(now: Milliseconds, ack: Request): void {
    if (this.#awaitedAck.acknowledged(now, ack)) this.#step(now, 'acknowledged', { request: ack });
    else this.#offers.acknowledged(now, ack);
  }

  acceptedAgain(response: Response): void {
    const { core, dialog } = this.#parts;
    const { destination } = dialog;
    const { number } = response.cSeq;
    if (this.#acks.repeat(number) || !destination || !this.#predecessor || number > this.#predecessor.local) return;
    this.#acks.add(number, core.acknowledge(dialog.ackOf(number), destination));
  }

  describe(): object {
    return {
      state: this.#machine.state,
      timer: this.#timer.describe(),
      offers: this.#offers.describe(),
      referrals: this.#events.describe(),
      dialog: this.#parts.dialog.describe(),
    };
  }

  static readonly #actions: Readonly<Record<Action, (self: InviteSession, now: Milliseconds, subject: Subject) => void>> = {
    awaitAck: (self, now, { accepted }) => accepted && self.#awaitedAck.sent(now, accepted.transaction, accepted.response),
    sendBye: (self, now) => self.#sendBye(now, self.#farewell),
    sendByeForNoAck: (self, now) => self.#sendBye(now, 'SIP;cause=408;text="no ACK"'),
    sendByeForExpiry: (self, now) => self.#sendBye(now, 'SIP;cause=408;text="session expired"'),
    reportConfirmed: (self, _now, { request }) => request && self.#reportConfirmed(request),
    reportLocal: (self) => self.#reportEnd('local'),
    reportRemote: (self, _now, { request }) => self.#reportEnd('remote', request && reasonOf(request).text),
    reportTimeout: (self, _now, { reason }) => self.#reportEnd('timeout', reason),
    close: (self, now) => self.#close(now),
  };

  #step(now: Milliseconds, input: Input, subject: Subject = {}): void {
    for (const action of this.#machine.step(now, input)) InviteSession.#actions[action](this, now, subject);
  }

  /** The INVITE that our predecessor accepted, once more (RFC 3261 §13.3.1.4). */
  #acceptAgain(now: Milliseconds, transaction: ServerTransaction): void {
    const { core, identity, dialog } = this.#parts;
    const { request } = transaction;
    const { described } = this.#offers;
    const { destination } = dialog;
    if (request.method !== 'INVITE' || request.cSeq.number !== this.#inviteSequence || !described || !destination) {
      respondBusyWithOffer(core, now, transaction);
      return;
    }
    const headers = [...dialogLines(core.settings), ...this.#timer.answerLines(now, request)];
    const { tag = '' } = dialog.local;
    const parts = { headers, contact: identity.contact(destination), body: typedBody(described), toTag: tag };
    this.#awaitedAck.sent(now, transaction, core.respond(now, transaction, 200, parts));
  }

  #open(): void {
    const { core, id, dialog } = this.#parts;
    core.calls.set(id, this);
    core.dialogs.set(dialog.key, this);
    core.referrals.set(id, this.#events);
  }

  /** RFC 3261 §12.2: tells the far end that we are at another address, unless an offer has done so. */
  readdressed(now: Milliseconds, mover: Identity): void {
    const { identity, dialog } = this.#parts;
    const { destination } = dialog;
    if (mover === identity && destination && !dialog.knows(identity.contact(destination))) this.#refresh(now);
  }

  #refresh(now: Milliseconds): void {
    const { core, identity, dialog } = this.#parts;
    const { destination } = dialog;
    if (this.#machine.state !== 'confirmed' || !destination) return;
    if (!this.#theyTakeUpdate) {
      this.#offers.refresh(now);
      return;
    }
    const lost = (at: Milliseconds, reason: string): void => this.#step(at, 'lost', { reason });
    new ClientRequest(now, {
      core,
      identity,
      destination,
      inDialog: true,
      build: () =>
        dialog.request('UPDATE', {
          contact: identity.contact(destination),
          headers: [...dialogLines(this.#parts.core.settings), ...this.#timer.requestLines()],
        }),
      amends: (response) => this.#timer.raise(response),
      onResponse: (at, response) => {
        const { statusCode } = response;
        if (response.isSuccess) {
          dialog.refresh(response);
          this.#timer.accepted(at, response);
        } else if (statusCode === 405 || statusCode === 501) this.#theyTakeUpdate = false;
        else if (statusCode === 481 || statusCode === 408) lost(at, `${statusCode} to a session refresh`);
      },
      onFailure: (at, cause) => cause === 'timeout' && lost(at, 'no answer to a session refresh'),
    });
  }

  #sendBye(now: Milliseconds, reason?: string): void {
    const { core, identity, dialog } = this.#parts;
    sendBye(core, now, identity, dialog, reason);
  }

  #reportConfirmed(ack: Request): void {
    this.#parts.core.emit({ type: 'confirmed', session: this.#parts.id, ...withDescriptionOf(ack) });
  }

  #reportEnd(by: 'local' | 'remote' | 'timeout', reason?: string): void {
    this.#parts.core.emit({ type: 'ended', session: this.#parts.id, by, ...(reason !== undefined && { reason }) });
  }

  #close(now: Milliseconds): void {
    const { core, id, dialog } = this.#parts;
    this.#awaitedAck.stop(now);
    this.#offers.close(now);
    this.#timer.close(now);
    core.timers.clear(this.#inquiry);
    core.calls.delete(id);
    core.dialogs.delete(dialog.key);
    if (this.#predecessor) core.dialogs.delete(dialogKey(dialog.callId, undefined, dialog.remote.tag));
    this.#events.callEnded();
  }
}

function infoLinesFor(message: Message): readonly (readonly [name: string, value: string])[] {
  const asked = message
    .headerValues('Recv-Info')
    .some((name) => name.split(';', 1)[0]?.trim().toLowerCase() === digitPackage.toLowerCase());
  if (!asked) return [];
  return [
    ['Info-Package', digitPackage],
    ['Content-Disposition', 'Info-Package'],
  ];
}
