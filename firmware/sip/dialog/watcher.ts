import type { Milliseconds } from '#firmware/core/clock.ts';
import { randomToken } from '#firmware/core/entropy.ts';
import type { AgentCore, DialogUsage } from '../agent-core.ts';
import type { Identity } from '../identity.ts';
import type { Wake } from '../state-machine.ts';
import type { ServerTransaction } from '../transaction/transaction-layer.ts';
import { destinationAlong } from '../transport/transport-layer.ts';
import { Dialog } from './dialog.ts';
import { dialogDocumentType, formatDialogDocument, type ShownDialog } from './dialog-document.ts';
import { Notifier } from './notifier.ts';

export interface WatcherParts {
  readonly core: AgentCore;
  readonly identity: Identity;
  /** The SUBSCRIBE that begins it. */
  readonly transaction: ServerTransaction;
  readonly shown: () => readonly ShownDialog[];
  readonly onClosed: () => void;
}

/** RFC 6665 §4.2.1.1: what is granted unless less is asked for, and the least, s. */
const usualSeconds = 3_600;
export const leastSeconds = 60;
/** RFC 4235 §3.10: not more than one NOTIFY a second. */
const pace: Milliseconds = 1_000;

/** Somebody who wants to know how the calls of one account stand: one subscription of the event package dialog. */
export class Watcher implements DialogUsage {
  readonly #parts: WatcherParts;
  readonly #dialog: Dialog;
  readonly #tag: string;
  readonly #notifier: Notifier;
  readonly #wake: Wake;
  #version = 0;
  #nextAt: Milliseconds = 0;

  constructor(parts: WatcherParts) {
    this.#parts = parts;
    const { core, identity, transaction } = parts;
    const { request } = transaction;
    this.#tag = randomToken(core.entropy, 10);
    this.#dialog = Dialog.ofRequest(request, this.#tag);
    this.#wake = { fire: (now) => this.#tell(now) };
    const id = request.event?.params.get('id');
    this.#notifier = new Notifier({
      core,
      identity,
      dialog: this.#dialog,
      event: id === undefined ? 'dialog' : `dialog;id=${id}`,
      seconds: secondsOf(request.expires),
      state: () => ({
        type: dialogDocumentType,
        content: formatDialogDocument(identity.account?.aor.toString() ?? '', this.#version++, parts.shown()),
      }),
      onClosed: () => this.#close(),
    });
  }

  start(now: Milliseconds): void {
    const { core, transaction } = this.#parts;
    const seconds = secondsOf(transaction.request.expires);
    core.dialogs.set(this.#dialog.key, this);
    this.#accept(now, transaction, seconds);
    this.#nextAt = now + pace;
    // RFC 6665 §4.4.3: whoever subscribes for no time wants to know how things stand now.
    if (seconds === 0) this.#notifier.finish(now, 'timeout');
    else this.#notifier.start(now);
  }

  /** Something has changed; what changes fast is told together. */
  changed(now: Milliseconds): void {
    if (now >= this.#nextAt) this.#tell(now);
    else if (!this.#parts.core.timers.has(this.#wake)) this.#parts.core.timers.set(this.#wake, this.#nextAt);
  }

  finish(now: Milliseconds): void {
    this.#notifier.finish(now, 'deactivated');
  }

  receive(now: Milliseconds, transaction: ServerTransaction): void {
    const { core } = this.#parts;
    const { request } = transaction;
    if (request.method !== 'SUBSCRIBE') core.respond(now, transaction, 405, { headers: [['Allow', 'SUBSCRIBE']] });
    else if (request.event?.value !== 'dialog') core.respond(now, transaction, 489, { headers: [['Allow-Events', 'dialog']] });
    else if (!this.#dialog.admits(request)) core.respond(now, transaction, 500);
    else if (isTooBrief(request.expires)) core.respond(now, transaction, 423, { headers: [['Min-Expires', String(leastSeconds)]] });
    else {
      const seconds = secondsOf(request.expires);
      this.#dialog.refresh(request);
      this.#accept(now, transaction, seconds);
      this.#notifier.refresh(now, seconds);
    }
  }

  acknowledged(): void {
    this.#parts.core.counters.add('ack-astray');
  }

  acceptedAgain(): void {
    this.#parts.core.counters.add('response-astray');
  }

  describe(): object {
    return { ...this.#notifier.describe(), dialog: this.#dialog.describe() };
  }

  #accept(now: Milliseconds, transaction: ServerTransaction, seconds: number): void {
    const { core, identity } = this.#parts;
    const contact = identity.contact(destinationAlong(transaction.flow));
    core.respond(now, transaction, 200, { toTag: this.#tag, contact, headers: [['Expires', String(seconds)]] });
  }

  #tell(now: Milliseconds): void {
    this.#nextAt = now + pace;
    this.#notifier.changed(now);
  }

  #close(): void {
    const { core, onClosed } = this.#parts;
    core.timers.clear(this.#wake);
    core.dialogs.delete(this.#dialog.key);
    onClosed();
  }
}

/** RFC 6665 §4.2.1.1: 0 ends a subscription, everything else must last a while. */
export function isTooBrief(expires: number | undefined): boolean {
  return expires !== undefined && expires > 0 && expires < leastSeconds;
}

function secondsOf(expires: number | undefined): number {
  return Math.min(expires ?? usualSeconds, usualSeconds);
}
