import type { Milliseconds } from '#firmware/core/clock.ts';
import type { AgentCore } from '../agent-core.ts';
import { usageLines } from '../capabilities.ts';
import { ClientRequest } from '../client-request.ts';
import type { Identity } from '../identity.ts';
import type { Request, Response } from '../message/message.ts';
import { NameAddr } from '../message/name-addr.ts';
import type { Uri } from '../message/uri.ts';
import { StateMachine } from '../state-machine.ts';
import type { ServerTransaction } from '../transaction/transaction-layer.ts';
import type { SessionId } from '../user-agent-events.ts';
import type { Dialog } from './dialog.ts';
import {
  type SentReferAction as Action,
  type SentReferInput as Input,
  type SentReferState as State,
  sentReferTable,
  type SentReferTimer as Timer,
} from './sent-refer-table.ts';
import { type ReferredStatus, sipfragOf, sipfragType } from './sipfrag.ts';

export interface SentReferParts {
  readonly core: AgentCore;
  readonly session: SessionId;
  readonly identity: Identity;
  readonly dialog: Dialog;
  readonly target: Uri;
  /** False: how the call goes is not to be told. */
  readonly follow: boolean;
  readonly onClosed: (now: Milliseconds) => void;
}

/** What we believe of `expires` in a NOTIFY: no transfer takes longer than it rings. */
const leastSeconds = 60;
const mostSeconds = 600;

/** A REFER of ours within a call: asks the far end to call `target`, and follows what comes of it. */
export class SentRefer {
  readonly #parts: SentReferParts;
  readonly #machine: StateMachine<State, Input, Action, Timer>;
  #sequence = 0;
  #seconds = leastSeconds;
  #status: ReferredStatus = { statusCode: 100, reasonPhrase: 'Trying' };

  constructor(parts: SentReferParts) {
    this.#parts = parts;
    const { core } = parts;
    this.#machine = new StateMachine(sentReferTable, 'asking', core.timers, {
      durationOf: (timer) => (timer === 'firstNotify' ? core.patience : 1_000 * this.#seconds),
      timedOut: (now, timer) => this.#step(now, `timer ${timer}`),
    });
  }

  start(now: Milliseconds): void {
    const { core, identity, dialog } = this.#parts;
    const { destination } = dialog;
    if (!destination) {
      this.#refused(now, { statusCode: 503, reasonPhrase: 'No Way To Reach The Address' });
      return;
    }
    new ClientRequest(now, {
      core,
      identity,
      destination,
      inDialog: true,
      build: () => {
        const request = this.#request(identity.contact(destination));
        this.#sequence = request.cSeq.number;
        return request;
      },
      onResponse: (at, response) => this.#responded(at, response),
      onFailure: (at) => this.#refused(at, { statusCode: 408, reasonPhrase: 'No Answer' }),
    });
  }

  /** RFC 3515 §2.4.6: `id` is the CSeq of the REFER; the first one of a dialog may go without. */
  isMeantBy(notify: Request): boolean {
    const id = notify.event?.params.get('id');
    return id === undefined || Number(id) === this.#sequence;
  }

  notified(now: Milliseconds, transaction: ServerTransaction): void {
    const { core } = this.#parts;
    const { request } = transaction;
    const state = request.subscriptionState;
    const status = sipfragOf(request);
    const isOver = state?.value.toLowerCase() === 'terminated';
    if (!state) core.respond(now, transaction, 400, { reasonPhrase: 'Missing Subscription-State' });
    else if (!status && request.body.length > 0) core.respond(now, transaction, 415, { headers: [['Accept', sipfragType]] });
    else {
      core.respond(now, transaction, 200);
      if (status) this.#status = status;
      const asked = Number(state.params.get('expires')) || leastSeconds;
      this.#seconds = Math.min(Math.max(asked, leastSeconds), mostSeconds);
      this.#step(now, isOver ? 'concluded' : this.#status.statusCode >= 200 ? 'settled' : 'progress');
    }
  }

  describe(): object {
    return { state: this.#machine.state, target: this.#parts.target.toString(), status: this.#status.statusCode };
  }

  static readonly #actions: Readonly<Record<Action, (self: SentRefer, now: Milliseconds) => void>> = {
    restartExpiry: (self, now) => self.#machine.restart(now, 'expiry'),
    reportAccepted: (self) => self.#report('accepted'),
    reportProgress: (self) => self.#report('progress'),
    // An end without a final status says nothing about the call.
    reportOutcome: (self) => self.#report(self.#status.statusCode >= 200 ? 'concluded' : 'unknown'),
    reportUnknown: (self) => self.#report('unknown'),
    close: (self, now) => self.#parts.onClosed(now),
  };

  #step(now: Milliseconds, input: Input): void {
    for (const action of this.#machine.step(now, input)) SentRefer.#actions[action](this, now);
  }

  /** RFC 3892 §2.1: we say who asks. */
  #request(contact: NameAddr): Request {
    const { dialog, target, follow } = this.#parts;
    const headers = [
      ['Refer-To', new NameAddr(target).toString()],
      // RFC 4488 §4.1: whoever does not know this tells nevertheless.
      ...(follow ? [] : [['Refer-Sub', 'false'] as const]),
      ['Referred-By', new NameAddr(dialog.local.uri).toString()],
      ...usageLines(this.#parts.core.settings),
    ] as const;
    return dialog.request('REFER', { contact, headers });
  }

  #responded(now: Milliseconds, response: Response): void {
    if (response.isProvisional) return;
    if (!response.isSuccess) this.#refused(now, response);
    else if (response.header('Refer-Sub')?.trim().toLowerCase() === 'false') {
      const { statusCode, reasonPhrase } = response;
      if (!this.#parts.follow) this.#status = { statusCode, reasonPhrase };
      this.#step(now, 'unfollowed');
    } else this.#step(now, 'accepted');
  }

  #refused(now: Milliseconds, { statusCode, reasonPhrase }: ReferredStatus): void {
    if (!this.#machine.accepts('refused')) return;
    this.#status = { statusCode, reasonPhrase };
    this.#step(now, 'refused');
  }

  #report(stage: 'accepted' | 'progress' | 'concluded' | 'unknown'): void {
    const { core, session } = this.#parts;
    core.emit({ type: 'referProgress', session, stage, ...this.#status });
  }
}
