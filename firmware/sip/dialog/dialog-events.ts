import type { Milliseconds } from '#firmware/core/clock.ts';
import type { AccountId } from '../account.ts';
import type { AgentCore, DialogUsage, Referrals } from '../agent-core.ts';
import { allowEventsLine } from '../capabilities.ts';
import type { Identity } from '../identity.ts';
import type { Uri } from '../message/uri.ts';
import type { ServerTransaction } from '../transaction/transaction-layer.ts';
import { destinationAlong } from '../transport/transport-layer.ts';
import type { SessionId } from '../user-agent-events.ts';
import type { Dialog } from './dialog.ts';
import { Notifier } from './notifier.ts';
import { formatReplaces } from './replaces.ts';
import { SentRefer } from './sent-refer.ts';
import { formatSipfrag, sipfragType } from './sipfrag.ts';

export interface DialogEventsParts {
  readonly core: AgentCore;
  readonly session: SessionId;
  readonly identity: Identity;
  readonly dialog: Dialog;
  /** Whom a REFER outside any call is for; absent within one. */
  readonly account?: AccountId;
}

/** A REFER of theirs: first the owner of the call decides, then it tells how the new call goes. */
interface ReceivedRefer {
  readonly transaction: ServerTransaction;
  readonly notifier: Notifier | undefined;
  statusCode: number;
}

/** How long we promise to tell of a referred call, s: longer than one rings. */
const referSeconds = 180;
const referSecondsAtMost = 600;

/**
 * RFC 5057: the usages that share the dialog of a call with it, that is REFERs either way with the subscription each makes. They outlive
 * the call: whoever hung up still hears how the transfer went. One REFER each way at a time.
 */
export class DialogEvents implements DialogUsage, Referrals {
  readonly #parts: DialogEventsParts;
  #sent: SentRefer | undefined;
  #received: ReceivedRefer | undefined;
  #callIsOver: boolean;

  constructor(parts: DialogEventsParts) {
    this.#parts = parts;
    this.#callIsOver = parts.account !== undefined;
  }

  /** RFC 3515 §2.4.2: a REFER that makes a dialog of its own. */
  begin(now: Milliseconds, transaction: ServerTransaction): void {
    const { core, session, dialog } = this.#parts;
    core.dialogs.set(dialog.key, this);
    core.referrals.set(session, this);
    this.#referred(now, transaction);
    this.#leaveWhenDone();
  }

  /** RFC 5589 §7.2: the far end by its address of record, which proxies know; by its Contact when that is a GRUU or it has no server. */
  get addressWithReplaces(): Uri | undefined {
    const { identity, dialog } = this.#parts;
    const { remoteTarget } = dialog;
    const direct = !identity.server || (remoteTarget.kind === 'sip' && remoteTarget.params.has('gr'));
    const address = direct ? remoteTarget : dialog.remote.uri;
    if (this.#callIsOver || address.kind !== 'sip') return undefined;
    return address.with({ headers: [['Replaces', formatReplaces(dialog.names)]] });
  }

  /** Asks the far end to call `target`; false while an earlier wish is under way. */
  refer(now: Milliseconds, target: Uri, follow: boolean): boolean {
    if (this.#sent) return false;
    const { core, session, identity, dialog } = this.#parts;
    const closed = (): void => {
      this.#sent = undefined;
      this.#leaveWhenDone();
    };
    this.#sent = new SentRefer({ core, session, identity, dialog, target, follow, onClosed: closed });
    this.#sent.start(now);
    return true;
  }

  /** The call is over; the dialog stays for what is still to be told. */
  callEnded(): void {
    const { core, dialog } = this.#parts;
    this.#callIsOver = true;
    core.dialogs.set(dialog.key, this);
    this.#leaveWhenDone();
  }

  /** What is left of the dialog takes its requests. */
  receive(now: Milliseconds, transaction: ServerTransaction): void {
    const { core, dialog } = this.#parts;
    if (!dialog.admits(transaction.request)) core.respond(now, transaction, 500);
    else if (!this.take(now, transaction)) core.respond(now, transaction, 481);
  }

  /** Takes NOTIFY, SUBSCRIBE and, while the call lasts, REFER; false for every other method. */
  take(now: Milliseconds, transaction: ServerTransaction): boolean {
    const { method } = transaction.request;
    if (method === 'NOTIFY') this.#notified(now, transaction);
    else if (method === 'SUBSCRIBE') this.#subscribed(now, transaction);
    else if (method === 'REFER' && !this.#callIsOver) this.#referred(now, transaction);
    else return false;
    return true;
  }

  /** We take on what their REFER asks for. */
  acceptRefer(now: Milliseconds): void {
    const received = this.#received;
    if (!received) return;
    const { core, identity } = this.#parts;
    const { transaction, notifier } = received;
    const contact = identity.contact(destinationAlong(transaction.flow));
    // RFC 4488 §4: whoever does not want to be told is told so.
    const headers = notifier ? [] : [['Refer-Sub', 'false'] as const];
    core.respond(now, transaction, 202, { contact, headers });
    if (notifier) notifier.start(now);
    else this.#forgetReceived();
  }

  rejectRefer(now: Milliseconds, statusCode: number): void {
    const received = this.#received;
    if (!received) return;
    this.#parts.core.respond(now, received.transaction, statusCode);
    this.#forgetReceived();
  }

  /** How the call goes that their REFER made us begin; a final status ends the telling. */
  tellReferred(now: Milliseconds, statusCode: number): void {
    const received = this.#received;
    if (!received?.notifier) return;
    received.statusCode = statusCode;
    if (statusCode < 200) received.notifier.changed(now);
    else received.notifier.finish(now, 'noresource');
  }

  acknowledged(): void {
    this.#parts.core.counters.add('ack-astray');
  }

  acceptedAgain(): void {
    this.#parts.core.counters.add('response-astray');
  }

  describe(): object {
    return { sent: this.#sent?.describe() ?? null, received: this.#received?.notifier?.describe() ?? null };
  }

  #notified(now: Milliseconds, transaction: ServerTransaction): void {
    const { core } = this.#parts;
    const { request } = transaction;
    if (request.event?.value !== 'refer') core.respond(now, transaction, 489, { headers: [allowEventsLine(core.settings)] });
    else if (this.#sent?.isMeantBy(request)) this.#sent.notified(now, transaction);
    else core.respond(now, transaction, 481);
  }

  /** RFC 3515 §2.4.4: a REFER's subscription may be refreshed and ended like any other, but none begins here. */
  #subscribed(now: Milliseconds, transaction: ServerTransaction): void {
    const { core, identity } = this.#parts;
    const { request } = transaction;
    const received = this.#received;
    if (request.event?.value !== 'refer') core.respond(now, transaction, 489, { headers: [allowEventsLine(core.settings)] });
    else if (!received?.notifier || Number(request.event.params.get('id') ?? received.transaction.request.cSeq.number) !== idOf(received)) {
      core.respond(now, transaction, 481);
    } else {
      const seconds = Math.min(request.expires ?? referSeconds, referSecondsAtMost);
      const contact = identity.contact(destinationAlong(transaction.flow));
      core.respond(now, transaction, 200, { contact, headers: [['Expires', String(seconds)]] });
      received.notifier.refresh(now, seconds);
    }
  }

  #referred(now: Milliseconds, transaction: ServerTransaction): void {
    const { core, session, account } = this.#parts;
    const { request } = transaction;
    const target = request.headers.all('Refer-To').length === 1 ? request.referTo : undefined;
    if (!target) core.respond(now, transaction, 400, { reasonPhrase: 'Bad Refer-To' });
    else if (this.#received) core.respond(now, transaction, 491);
    else {
      const wanted = request.header('Refer-Sub')?.trim().toLowerCase() !== 'false';
      const notifier = wanted ? this.#notifier(`refer;id=${request.cSeq.number}`) : undefined;
      this.#received = { transaction, notifier, statusCode: 100 };
      const referredBy = request.header('Referred-By');
      const told = { ...(referredBy !== undefined && { referredBy }), ...(account !== undefined && { account }) };
      core.emit({ type: 'referred', session, target: target.uri, ...told });
    }
  }

  #notifier(event: string): Notifier {
    const { core, identity, dialog } = this.#parts;
    const closed = (): void => this.#forgetReceived();
    const state = () => ({ type: `${sipfragType};version=2.0`, content: formatSipfrag(this.#received?.statusCode ?? 503) });
    return new Notifier({ core, identity, dialog, event, seconds: referSeconds, state, onClosed: closed });
  }

  #forgetReceived(): void {
    this.#received = undefined;
    this.#leaveWhenDone();
  }

  #leaveWhenDone(): void {
    const { core, session, dialog } = this.#parts;
    if (!this.#callIsOver || this.#sent || this.#received) return;
    core.dialogs.delete(dialog.key);
    core.referrals.delete(session);
  }
}

function idOf({ transaction }: ReceivedRefer): number {
  return transaction.request.cSeq.number;
}
