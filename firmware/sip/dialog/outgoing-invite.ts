import type { Milliseconds } from '#firmware/core/clock.ts';
import { randomToken } from '#firmware/core/entropy.ts';
import type { AgentCore, Call, DialogUsage, Replaceable } from '../agent-core.ts';
import { dialogLines } from '../capabilities.ts';
import { ClientRequest } from '../client-request.ts';
import type { Identity } from '../identity.ts';
import { buildRequest } from '../message/build.ts';
import type { Request, Response } from '../message/message.ts';
import { NameAddr } from '../message/name-addr.ts';
import type { Uri } from '../message/uri.ts';
import { typedBody, withBodyOf } from '../message-body.ts';
import { StateMachine } from '../state-machine.ts';
import type { ServerTransaction } from '../transaction/transaction-layer.ts';
import type { Destination } from '../transport/sip-core.ts';
import type { Body, SessionId } from '../user-agent-events.ts';
import { Dialog } from './dialog.ts';
import { answerAside, sendBye } from './in-dialog-requests.ts';
import { InviteSession } from './invite-session.ts';
import {
  type OutgoingInviteAction as Action,
  type OutgoingInviteInput as Input,
  outgoingInviteTable,
  type OutgoingInviteState as State,
  type OutgoingInviteTimer as Timer,
} from './outgoing-invite-table.ts';
import { SessionTerms } from './session-terms.ts';

export interface OutgoingInviteParts {
  readonly core: AgentCore;
  readonly id: SessionId;
  readonly identity: Identity;
  readonly target: Uri;
  readonly destination: Destination;
  /** RFC 3261 §8.1.2: a pre-loaded route set. */
  readonly routes: readonly NameAddr[];
  readonly body?: Body | undefined;
  readonly headers?: readonly (readonly [name: string, value: string])[] | undefined;
}

/** What an input is about, for the actions it leads to. */
interface Subject {
  readonly response?: Response;
  readonly cause?: 'timeout' | 'transport';
}

const noAnswerReason = { statusCode: 408, reasonPhrase: 'No Answer', cause: 'timeout' } as const;
const cancelledReason = { statusCode: 487, reasonPhrase: 'Request Terminated', cause: 'response' } as const;
/** Early dialogs that one INVITE may have: a forking proxy makes one each. */
const earlyDialogsAtMost = 16;

/** A call of ours that nobody has accepted yet. */
export class OutgoingInvite implements Call {
  readonly #parts: OutgoingInviteParts;
  readonly #machine: StateMachine<State, Input, Action, Timer>;
  readonly #from: NameAddr;
  readonly #callId: string;
  readonly #terms: SessionTerms;
  readonly #early = new Map<string, Dialog>();
  /** How to send the ACK of each 2xx once more, by To tag. */
  readonly #acks = new Map<string, () => void>();
  #sequence = 0;
  #request: ClientRequest | undefined;
  #withdrawal: { readonly statusCode: number; readonly reasonPhrase: string; readonly cause: 'response' | 'timeout' } = cancelledReason;

  constructor(parts: OutgoingInviteParts) {
    this.#parts = parts;
    const { core, identity, destination } = parts;
    this.#from = identity.from(destination).withParam('tag', randomToken(core.entropy, 10));
    this.#callId = randomToken(core.entropy, 22);
    this.#terms = new SessionTerms(core.settings);
    this.#machine = new StateMachine(outgoingInviteTable, 'calling', core.timers, {
      durationOf: (timer) => (timer === 'noAnswer' ? core.settings.noAnswer : core.patience),
      timedOut: (now, timer) => this.#step(now, `timer ${timer}`),
    });
  }

  start(now: Milliseconds): void {
    const { core, id, identity, destination } = this.#parts;
    core.calls.set(id, this);
    this.#request = new ClientRequest(now, {
      core,
      identity,
      destination,
      inDialog: false,
      build: () => this.#invite(),
      onResponse: (at, response) => this.#responded(at, response),
      onFailure: (at, cause) => this.#step(at, 'failed', { cause }),
      onRetry: (at) => this.#step(at, 'retried'),
      amends: (response) => this.#terms.raise(response),
    });
  }

  end(now: Milliseconds): void {
    this.#request?.stopTrying();
    this.#step(now, 'hangUp');
  }

  describe(): object {
    return { state: this.#machine.state, callId: this.#callId, target: this.#parts.target.toString(), earlyDialogs: this.#early.size };
  }

  static readonly #actions: Readonly<Record<Action, (self: OutgoingInvite, now: Milliseconds, subject: Subject) => void>> = {
    reportProgress: (self, _now, { response }) => response && self.#reportProgress(response),
    sendCancel: (self, now) => self.#request && self.#parts.core.cancel(now, self.#request.transaction),
    expire: (self) => {
      self.#withdrawal = noAnswerReason;
      self.#request?.stopTrying();
    },
    establish: (self, now, { response }) => response && self.#establish(now, response),
    dismiss: (self, now, { response }) => response && self.#dismiss(now, response),
    reportRefusal: (self, _now, { response }) => response && self.#reportRefusal(response),
    reportFailure: (self, _now, { cause }) => self.#reportFailure(cause ?? 'timeout'),
    reportWithdrawal: (self) => self.#parts.core.emit({ type: 'failed', session: self.#parts.id, ...self.#withdrawal }),
    close: (self) => self.#close(),
  };

  #step(now: Milliseconds, input: Input, subject: Subject = {}): void {
    for (const action of this.#machine.step(now, input)) OutgoingInvite.#actions[action](this, now, subject);
  }

  #invite(): Request {
    const { identity, target, destination, routes, body, headers = [] } = this.#parts;
    this.#sequence++;
    return buildRequest({
      method: 'INVITE',
      requestUri: target,
      from: this.#from,
      to: new NameAddr(target),
      callId: this.#callId,
      sequence: this.#sequence,
      routes,
      contact: identity.contact(destination),
      headers: [...dialogLines, ...this.#terms.requestLines(), ...headers],
      ...(body && { body: typedBody(body) }),
    });
  }

  #responded(now: Milliseconds, response: Response): void {
    if (response.isProvisional) this.#step(now, 'provisional', { response });
    else if (!response.isSuccess) this.#step(now, 'refused', { response });
    else if (!this.#repeatAck(response)) this.#step(now, 'accepted', { response });
  }

  #repeatAck(response: Response): boolean {
    const again = this.#acks.get(response.to.tag ?? '');
    again?.();
    return again !== undefined;
  }

  #reportProgress(response: Response): void {
    const { core, id: session } = this.#parts;
    const { statusCode, reasonPhrase } = response;
    if (statusCode === 100) return;
    if (response.to.tag !== undefined) this.#followEarlyDialog(response.to.tag, response);
    core.emit({ type: 'progress', session, statusCode, reasonPhrase, ...withBodyOf(response) });
  }

  #followEarlyDialog(tag: string, response: Response): void {
    const { core } = this.#parts;
    const request = this.#request?.transaction.request;
    if (!request || this.#early.has(tag) || this.#early.size >= earlyDialogsAtMost) return;
    const dialog = Dialog.ofResponse(request, response);
    this.#early.set(tag, dialog);
    core.dialogs.set(dialog.key, this.#earlyUsage(dialog));
  }

  /** What the far end may ask before it accepts. Our offer is still open, so it can't make one (RFC 3311 §5.2). */
  #earlyUsage(dialog: Dialog): DialogUsage {
    const { core, id, identity, destination } = this.#parts;
    const receive = (now: Milliseconds, transaction: ServerTransaction): void => {
      const { request } = transaction;
      if (!dialog.admits(request)) core.respond(now, transaction, 500);
      else if (request.method === 'UPDATE' && request.body.length === 0) {
        dialog.refresh(request);
        core.respond(now, transaction, 200, { headers: dialogLines, contact: identity.contact(destination) });
      } else if (request.method === 'UPDATE' || request.method === 'INVITE') core.respond(now, transaction, 491);
      else if (request.method === 'BYE') core.respond(now, transaction, 481);
      else answerAside(core, now, id, transaction);
    };
    const replaceable = (): Replaceable => ({ session: id, stage: 'ringingThere' });
    return { receive, acknowledged: () => undefined, acceptedAgain: () => undefined, replaceable };
  }

  #establish(now: Milliseconds, response: Response): void {
    const { core, id, identity } = this.#parts;
    const accepted = this.#acknowledge(response);
    if (!accepted) return;
    const { dialog, sequence, again } = accepted;
    this.#forgetEarlyDialogs();
    const session = new InviteSession({ core, id, identity, dialog, ownsCallId: true, terms: this.#terms, described: this.#parts.body });
    session.theyAccepted(now, response, { sequence, again });
    core.emit({ type: 'accepted', session: id, remote: dialog.remote, ...withBodyOf(response) });
  }

  /** A 2xx that nobody wants any more, or that is one too many (RFC 3261 §13.2.2.4). */
  #dismiss(now: Milliseconds, response: Response): void {
    const accepted = this.#acknowledge(response);
    if (accepted) sendBye(this.#parts.core, now, this.#parts.identity, accepted.dialog);
  }

  #acknowledge(response: Response): { dialog: Dialog; sequence: number; again: () => void } | undefined {
    const invite = this.#request?.transaction.request;
    if (!invite) return undefined;
    const dialog = Dialog.ofResponse(invite, response);
    const again = this.#parts.core.acknowledge(dialog.ack(invite), dialog.destination ?? this.#parts.destination);
    this.#acks.set(response.to.tag ?? '', again);
    return { dialog, sequence: invite.cSeq.number, again };
  }

  #reportRefusal(response: Response): void {
    const { core, id: session } = this.#parts;
    const { statusCode, reasonPhrase, retryAfter } = response;
    const contacts = statusCode < 400 ? byPreference(response) : undefined;
    core.emit({
      type: 'failed',
      session,
      statusCode,
      reasonPhrase,
      cause: 'response',
      ...(contacts && { contacts }),
      ...(retryAfter !== undefined && { retryAfterSeconds: retryAfter }),
    });
  }

  /** RFC 3261 §8.1.3.1: no answer is like 408, no way to deliver like 503. */
  #reportFailure(cause: 'timeout' | 'transport'): void {
    const outcome = cause === 'timeout' ? ([408, 'Request Timeout'] as const) : ([503, 'Service Unavailable'] as const);
    const [statusCode, reasonPhrase] = outcome;
    this.#parts.core.emit({ type: 'failed', session: this.#parts.id, statusCode, reasonPhrase, cause });
  }

  #close(): void {
    const { core, id } = this.#parts;
    this.#forgetEarlyDialogs();
    if (core.calls.get(id) === this) core.calls.delete(id);
  }

  #forgetEarlyDialogs(): void {
    for (const dialog of this.#early.values()) this.#parts.core.dialogs.delete(dialog.key);
    this.#early.clear();
  }
}

/** The Contacts of a redirection, the highest `q` first (RFC 3261 §20.10). */
function byPreference(response: Response): readonly NameAddr[] {
  const { contacts } = response;
  if (contacts === '*') return [];
  const weight = (contact: NameAddr): number => {
    const q = Number(contact.params.get('q') ?? '1');
    return q >= 0 && q <= 1 ? q : 0;
  };
  return [...contacts].sort((a, b) => weight(b) - weight(a));
}
