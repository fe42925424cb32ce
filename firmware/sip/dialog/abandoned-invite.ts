import type { Milliseconds } from '#firmware/core/clock.ts';
import type { AgentCore, TransactionUser } from '../agent-core.ts';
import type { Identity } from '../identity.ts';
import type { Response } from '../message/message.ts';
import type { ClientTransaction } from '../transaction/transaction-layer.ts';
import { Dialog } from './dialog.ts';
import { sendBye } from './in-dialog-requests.ts';

/** An INVITE that was given up because its server was silent: what comes of it after all is cancelled, or accepted and ended at once. */
export class AbandonedInvite implements TransactionUser {
  readonly #core: AgentCore;
  readonly #identity: Identity;
  readonly #invite: ClientTransaction;
  #isCancelled = false;

  constructor(core: AgentCore, identity: Identity, invite: ClientTransaction) {
    this.#core = core;
    this.#identity = identity;
    this.#invite = invite;
  }

  responded(now: Milliseconds, response: Response): void {
    if (response.isProvisional) this.#cancel(now);
    else if (response.isSuccess) this.#end(now, response);
  }

  failed(now: Milliseconds): void {
    this.#core.note(now, 'invite-given-up');
  }

  #cancel(now: Milliseconds): void {
    if (!this.#isCancelled) this.#core.cancel(now, this.#invite);
    this.#isCancelled = true;
  }

  #end(now: Milliseconds, response: Response): void {
    const { request } = this.#invite;
    const dialog = Dialog.ofResponse(request, response);
    if (dialog.destination) this.#core.acknowledge(dialog.ack(request), dialog.destination);
    sendBye(this.#core, now, this.#identity, dialog);
  }
}
