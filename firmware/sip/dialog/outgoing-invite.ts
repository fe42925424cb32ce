import type { Milliseconds } from '#firmware/core/clock.ts';
import { randomToken } from '#firmware/core/entropy.ts';
import type { AgentCore, Call } from '../agent-core.ts';
import { fromOf, isHidden, preferredIdentityLines } from '../anonymous-caller.ts';
import { assertedIdentityOf } from '../asserted-identity.ts';
import { completionOf } from '../call-completion.ts';
import { dialogLines } from '../capabilities.ts';
import { ClientRequest } from '../client-request.ts';
import type { Identity } from '../identity.ts';
import { buildRequest } from '../message/build.ts';
import type { Request, Response } from '../message/message.ts';
import { NameAddr } from '../message/name-addr.ts';
import type { Uri } from '../message/uri.ts';
import { descriptionOf, typedBody } from '../message-body.ts';
import { StateMachine } from '../state-machine.ts';
import type { Destination } from '../transport/sip-core.ts';
import type { Body, SessionId } from '../user-agent-events.ts';
import { warningOf } from '../warning.ts';
import { AbandonedInvite } from './abandoned-invite.ts';
import { Dialog } from './dialog.ts';
import { EarlyDialog } from './early-dialog.ts';
import { sendBye } from './in-dialog-requests.ts';
import { InviteSession, type SentAck } from './invite-session.ts';
import type { ReofferAnswer } from './offer-exchange.ts';
import {
  type OutgoingInviteAction as Action,
  type OutgoingInviteInput as Input,
  outgoingInviteTable,
  type OutgoingInviteState as State,
  type OutgoingInviteTimer as Timer,
} from './outgoing-invite-table.ts';
import { reliableOption } from './reliable-provisional.ts';
import { SessionTerms } from './session-terms.ts';

export interface OutgoingInviteParts {
  readonly core: AgentCore;
  readonly id: SessionId;
  readonly identity: Identity;
  readonly target: Uri;
  readonly destination: Destination;
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
  readonly #early = new Map<string, EarlyDialog>();
  /** The branch whose media was told last. */
  #heard: EarlyDialog | undefined;
  /** How to send the ACK of each 2xx once more, by To tag. */
  readonly #acks = new Map<string, () => void>();
  #sequence = 0;
  /** Why we give the call up. */
  #reason: string | undefined;
  #request: ClientRequest | undefined;
  #withdrawal: { readonly statusCode: number; readonly reasonPhrase: string; readonly cause: 'response' | 'timeout' } = cancelledReason;

  constructor(parts: OutgoingInviteParts) {
    this.#parts = parts;
    const { core, identity, destination, headers = [] } = parts;
    this.#from = fromOf(identity.from(destination), headers).withParam('tag', randomToken(core.entropy, 10));
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
      late: (invite) => new AbandonedInvite(core, identity, invite),
    });
  }

  end(now: Milliseconds, reason?: string): void {
    this.#reason = reason;
    this.#request?.stopTrying();
    this.#step(now, 'hangUp');
  }

  /** The answer to an UPDATE of a branch that has not accepted yet. */
  answerOffer(now: Milliseconds, answer: ReofferAnswer): void {
    this.#heard?.answerOffer(now, answer);
  }

  describe(): object {
    return { state: this.#machine.state, callId: this.#callId, target: this.#parts.target.toString(), earlyDialogs: this.#early.size };
  }

  static readonly #actions: Readonly<Record<Action, (self: OutgoingInvite, now: Milliseconds, subject: Subject) => void>> = {
    reportProgress: (self, now, { response }) => response && self.#reportProgress(now, response),
    sendCancel: (self, now) => self.#request && self.#parts.core.cancel(now, self.#request.transaction, self.#reason),
    expire: (self) => {
      self.#withdrawal = noAnswerReason;
      self.#request?.stopTrying();
    },
    establish: (self, now, { response }) => response && self.#establish(now, response),
    dismiss: (self, now, { response }) => response && self.#dismiss(now, response),
    reportRefusal: (self, _now, { response }) => response && self.#reportRefusal(response),
    reportFailure: (self, _now, { cause }) => self.#reportFailure(cause ?? 'timeout'),
    reportWithdrawal: (self) => self.#parts.core.emit({ type: 'failed', session: self.#parts.id, ...self.#withdrawal }),
    close: (self, now) => self.#close(now),
  };

  #step(now: Milliseconds, input: Input, subject: Subject = {}): void {
    for (const action of this.#machine.step(now, input)) OutgoingInvite.#actions[action](this, now, subject);
  }

  #invite(): Request {
    const { core, identity, target, destination, body, headers = [] } = this.#parts;
    // RFC 3262 §5: without an offer of ours the first reliable response would make one, for which nobody is ready before the 2xx.
    const settings = body ? core.settings : { ...core.settings, reliableProvisional: 'off' as const };
    const required = settings.reliableProvisional === 'required' ? [['Require', reliableOption] as const] : [];
    // RFC 3325 §9.2: of an account, who has a server that may vouch for it.
    const preferred = identity.account ? preferredIdentityLines(identity.from(destination), headers) : [];
    this.#sequence++;
    return buildRequest({
      method: 'INVITE',
      requestUri: target,
      from: this.#from,
      to: new NameAddr(target),
      callId: this.#callId,
      sequence: this.#sequence,
      routes: identity.routes,
      contact: identity.contact({ ...destination, isPrivate: isHidden(this.#from) }),
      headers: [...dialogLines(settings), ...required, ...this.#terms.requestLines(), ...headers, ...preferred],
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

  #reportProgress(now: Milliseconds, response: Response): void {
    const { core, id: session } = this.#parts;
    const { statusCode, reasonPhrase } = response;
    if (statusCode === 100) return;
    const branch = this.#branchOf(response);
    const news = branch ? branch.take(now, response) : {};
    if (!news) return;
    if (news.body) this.#heard = branch;
    core.emit({ type: 'progress', session, statusCode, reasonPhrase, ...news });
  }

  /** The branch that a response comes from; `undefined` when there are too many of them. */
  #branchOf(response: Response): EarlyDialog | undefined {
    const { core, id: session, identity, body: described } = this.#parts;
    const { tag } = response.to;
    const invite = this.#request?.transaction.request;
    const known = tag === undefined ? undefined : this.#early.get(tag);
    if (known || tag === undefined || !invite || this.#early.size >= earlyDialogsAtMost) return known;
    const branch = new EarlyDialog(
      { core, session, identity, terms: this.#terms, invite, described, isHeard: (one) => one === this.#heard },
      response,
    );
    this.#early.set(tag, branch);
    core.dialogs.set(branch.dialog.key, branch);
    return branch;
  }

  #establish(now: Milliseconds, response: Response): void {
    const { core, id, identity } = this.#parts;
    // RFC 3261 §13.2.1: our answer to their offer goes into the ACK.
    const wantsAnswer = this.#parts.body === undefined && descriptionOf(response) !== undefined;
    const accepted = this.#acknowledge(response, wantsAnswer);
    if (!accepted) return;
    const { dialog, ...ack } = accepted;
    const branch = this.#early.get(response.to.tag ?? '');
    const described = branch?.described ?? this.#parts.body;
    this.#forgetEarlyDialogs(now);
    const session = new InviteSession({ core, id, identity, dialog, ownsCallId: true, terms: this.#terms, described });
    session.theyAccepted(now, response, ack);
    const body = this.#bodyOf(response, branch);
    // RFC 3325 §5: only the account's own server is believed.
    const believed = identity.account && identity.isServer(this.#parts.destination.host);
    const asserted = believed ? assertedIdentityOf(response, response.to) : undefined;
    const said = { ...(asserted && { asserted }), ...(body && { body }), ...(wantsAnswer && { wantsAnswer }) };
    core.emit({ type: 'accepted', session: id, remote: dialog.remote, ...said });
  }

  /** What the accepting branch says of its media, unless its last word on that has been told already. */
  #bodyOf(response: Response, branch: EarlyDialog | undefined): Body | undefined {
    if (branch?.isAnswered) return branch === this.#heard ? undefined : branch.theirs;
    return descriptionOf(response) ?? branch?.theirs;
  }

  /** A 2xx that nobody wants any more, or that is one too many (RFC 3261 §13.2.2.4). */
  #dismiss(now: Milliseconds, response: Response): void {
    const accepted = this.#acknowledge(response);
    if (accepted) sendBye(this.#parts.core, now, this.#parts.identity, accepted.dialog, this.#reason);
  }

  /** Sends the ACK of a 2xx; one that waits for an answer goes with that by `send`. */
  #acknowledge(response: Response, waits = false): (SentAck & { readonly dialog: Dialog }) | undefined {
    const invite = this.#request?.transaction.request;
    if (!invite) return undefined;
    const branch = this.#early.get(response.to.tag ?? '');
    const dialog = branch?.confirmedBy(response) ?? Dialog.ofResponse(invite, response);
    let repeat = (): void => undefined;
    const send = (answer?: Body): void => {
      const ack = dialog.ack(invite, answer && typedBody(answer));
      repeat = this.#parts.core.acknowledge(ack, dialog.destination ?? this.#parts.destination);
    };
    if (!waits) send();
    const again = (): void => repeat();
    this.#acks.set(response.to.tag ?? '', again);
    return { dialog, sequence: invite.cSeq.number, again, ...(waits && { send }) };
  }

  #reportRefusal(response: Response): void {
    const { core, id: session } = this.#parts;
    const { statusCode, reasonPhrase, retryAfter } = response;
    const warning = warningOf(response);
    const contacts = statusCode < 400 ? byPreference(response) : undefined;
    const completion = statusCode === 486 || statusCode === 600 ? completionOf(response) : undefined;
    core.emit({
      type: 'failed',
      session,
      statusCode,
      reasonPhrase,
      cause: 'response',
      ...(contacts && { contacts }),
      ...(retryAfter !== undefined && { retryAfterSeconds: retryAfter }),
      ...(warning !== undefined && { warning }),
      ...(completion && { completion }),
    });
  }

  /** RFC 3261 §8.1.3.1: no answer is like 408, no way to deliver like 503. */
  #reportFailure(cause: 'timeout' | 'transport'): void {
    const outcome = cause === 'timeout' ? ([408, 'Request Timeout'] as const) : ([503, 'Service Unavailable'] as const);
    const [statusCode, reasonPhrase] = outcome;
    this.#parts.core.emit({ type: 'failed', session: this.#parts.id, statusCode, reasonPhrase, cause });
  }

  #close(now: Milliseconds): void {
    const { core, id } = this.#parts;
    this.#forgetEarlyDialogs(now);
    if (core.calls.get(id) === this) core.calls.delete(id);
  }

  #forgetEarlyDialogs(now: Milliseconds): void {
    for (const branch of this.#early.values()) branch.close(now);
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
