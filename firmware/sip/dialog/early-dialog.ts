import type { Milliseconds } from '#firmware/core/clock.ts';
import type { AgentCore, DialogUsage, Replaceable } from '../agent-core.ts';
import { dialogLines } from '../capabilities.ts';
import { ClientRequest } from '../client-request.ts';
import type { Identity } from '../identity.ts';
import { parseSeconds } from '../message/header-values.ts';
import type { Request, Response } from '../message/message.ts';
import { descriptionOf, typedBody, withDescriptionOf } from '../message-body.ts';
import type { ServerTransaction } from '../transaction/transaction-layer.ts';
import type { Body, SessionId } from '../user-agent-events.ts';
import { Dialog } from './dialog.ts';
import { answerAside, respondBusyWithOffer } from './in-dialog-requests.ts';
import type { ReofferAnswer } from './offer-exchange.ts';
import { reliableOption } from './reliable-provisional.ts';
import { grantLines, type SessionTerms } from './session-terms.ts';

export interface EarlyDialogParts {
  readonly core: AgentCore;
  readonly session: SessionId;
  readonly identity: Identity;
  readonly terms: SessionTerms;
  readonly invite: Request;
  /** Our offer in the INVITE. */
  readonly described: Body | undefined;
  /** The media of this branch is what the person hears. */
  readonly isHeard: (branch: EarlyDialog) => boolean;
}

/**
 * RFC 3261 §12.1 and RFC 3262 §4: one branch of a call of ours that has shown itself by a provisional response. Reliable ones are
 * acknowledged in their order; what they say of media is final for this branch, and may be changed by UPDATE from then on (RFC 3311 §5.1).
 */
export class EarlyDialog implements DialogUsage {
  readonly dialog: Dialog;
  readonly #parts: EarlyDialogParts;
  /** RSeq of the last reliable response. */
  #sequence: number | undefined;
  /** Their media as the last response or UPDATE said. */
  #theirs: Body | undefined;
  #described: Body | undefined;
  /** A reliable response has answered our offer. */
  #answered = false;
  /** Their UPDATE that waits for our answer. */
  #offered: ServerTransaction | undefined;

  constructor(parts: EarlyDialogParts, response: Response) {
    this.#parts = parts;
    this.#described = parts.described;
    this.dialog = Dialog.ofResponse(parts.invite, response);
  }

  /** What the branch said of its media, for a 2xx that does not say it again. */
  get theirs(): Body | undefined {
    return this.#theirs;
  }

  /** What it knows of ours. */
  get described(): Body | undefined {
    return this.#described;
  }

  /** A reliable answer holds, whatever the 2xx says (RFC 6337 §3.1.1). */
  get isAnswered(): boolean {
    return this.#answered;
  }

  /** Takes a provisional response and gives what of it is news; nothing for one that came before or overtook another. */
  take(now: Milliseconds, response: Response): { readonly body?: Body } | undefined {
    const sequence = response.require.includes(reliableOption) ? parseSeconds(response.header('RSeq') ?? '') : undefined;
    if (sequence !== undefined) {
      const inOrder = this.#sequence === undefined || sequence === this.#sequence + 1;
      if (!inOrder) return undefined;
      this.#sequence = sequence;
      this.#sendPrack(now, sequence);
    }
    const body = descriptionOf(response);
    if (!body || this.#answered) return {};
    this.#theirs = body;
    this.#answered = sequence !== undefined;
    return { body };
  }

  /** The dialog that the 2xx makes of this one. */
  confirmedBy(response: Response): Dialog {
    return Dialog.ofResponse(this.#parts.invite, response, this.dialog);
  }

  /** Answers the UPDATE that was told as `reoffered`. */
  answerOffer(now: Milliseconds, answer: ReofferAnswer): void {
    const { core } = this.#parts;
    const transaction = this.#offered;
    if (!transaction) return;
    this.#offered = undefined;
    if ('statusCode' in answer) core.respond(now, transaction, answer.statusCode);
    else {
      this.#described = answer.body;
      this.dialog.refresh(transaction.request);
      this.#respond(now, transaction, answer.body);
    }
  }

  receive(now: Milliseconds, transaction: ServerTransaction): void {
    const { core, session } = this.#parts;
    const { method } = transaction.request;
    if (!this.dialog.admits(transaction.request)) respondBusyWithOffer(core, now, transaction);
    else if (method === 'UPDATE') this.#updated(now, transaction);
    else if (method === 'INVITE') core.respond(now, transaction, 491);
    else if (method === 'BYE' || method === 'PRACK') core.respond(now, transaction, 481);
    else answerAside(core, now, session, transaction);
  }

  replaceable(): Replaceable {
    return { session: this.#parts.session, stage: 'ringingThere' };
  }

  acknowledged(): void {
    this.#parts.core.counters.add('ack-astray');
  }

  acceptedAgain(): void {
    this.#parts.core.counters.add('response-astray');
  }

  /** The branch is gone, or its call accepted: an UPDATE without an answer is overtaken by that. */
  close(now: Milliseconds): void {
    const { core } = this.#parts;
    core.dialogs.delete(this.dialog.key);
    if (this.#offered) core.respond(now, this.#offered, 487);
    this.#offered = undefined;
  }

  /** RFC 3311 §5.2. */
  #updated(now: Milliseconds, transaction: ServerTransaction): void {
    const { core, session } = this.#parts;
    const { request } = transaction;
    const body = descriptionOf(request);
    if (!body) {
      this.dialog.refresh(request);
      this.#respond(now, transaction);
    } else if (this.#offered) respondBusyWithOffer(core, now, transaction);
    else if (!this.#answered) core.respond(now, transaction, 491);
    else if (!this.#parts.isHeard(this)) core.respond(now, transaction, 488);
    else {
      this.#offered = transaction;
      this.#theirs = body;
      core.emit({ type: 'reoffered', session, ...withDescriptionOf(request) });
    }
  }

  #respond(now: Milliseconds, transaction: ServerTransaction, body?: Body): void {
    const { core, identity, terms } = this.#parts;
    const { destination } = this.dialog;
    const headers = [...dialogLines(core.settings), ...grantLines(terms.grant(transaction.request))];
    const contact = destination && identity.contact(destination);
    core.respond(now, transaction, 200, { headers, ...(contact && { contact }), ...(body && { body: typedBody(body) }) });
  }

  /** A PRACK that gets no answer changes nothing: the far end sends its response again, or gives up. */
  #sendPrack(now: Milliseconds, sequence: number): void {
    const { core, identity, invite } = this.#parts;
    const { destination } = this.dialog;
    if (!destination) return;
    const rack = `${sequence} ${invite.cSeq.number} INVITE`;
    new ClientRequest(now, {
      core,
      identity,
      destination,
      inDialog: true,
      build: () => this.dialog.request('PRACK', { headers: [['RAck', rack]] }),
      onResponse: (at, response) => {
        if (response.statusCode >= 300) core.note(at, 'prack-refused', { statusCode: String(response.statusCode) });
      },
      onFailure: (at) => core.note(at, 'prack-unanswered'),
    });
  }
}
