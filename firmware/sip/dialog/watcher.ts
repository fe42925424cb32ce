import type { Milliseconds } from '#firmware/core/clock.ts';
import { randomToken } from '#firmware/core/entropy.ts';
import type { AgentCore, DialogUsage } from '../agent-core.ts';
import type { Identity } from '../identity.ts';
import type { Wake } from '../state-machine.ts';
import type { ServerTransaction } from '../transaction/transaction-layer.ts';
import { destinationAlong } from '../transport/transport-layer.ts';
import { Dialog } from './dialog.ts';
import { isEvent } from './event-package.ts';
import type { NotifiedPackage } from './notified-package.ts';
import { Notifier } from './notifier.ts';

export interface WatcherParts {
  readonly core: AgentCore;
  readonly identity: Identity;
  readonly notified: NotifiedPackage;
  /** The SUBSCRIBE that begins it. */
  readonly transaction: ServerTransaction;
  /** The document as it is now, told as the one of that number. */
  readonly document: (version: number) => string;
  readonly onClosed: (now: Milliseconds) => void;
}

/** The least that is granted, s. */
export const leastSeconds = 60;

/** Somebody who wants to know how an account stands: one subscription of an event package. */
export class Watcher implements DialogUsage {
  readonly #parts: WatcherParts;
  readonly #dialog: Dialog;
  readonly #tag: string;
  readonly #id: string | undefined;
  readonly #notifier: Notifier;
  readonly #wake: Wake;
  #version = 0;
  /** What was told last. */
  #told = '';
  #nextAt: Milliseconds = 0;

  constructor(parts: WatcherParts) {
    this.#parts = parts;
    const { core, identity, transaction, notified } = parts;
    const { request } = transaction;
    this.#tag = randomToken(core.entropy, 10);
    this.#dialog = Dialog.ofRequest(request, this.#tag);
    this.#wake = { fire: (now) => this.#tell(now) };
    this.#id = request.event?.params.get('id');
    this.#notifier = new Notifier({
      core,
      identity,
      dialog: this.#dialog,
      event: this.#id === undefined ? notified.event : `${notified.event};id=${this.#id}`,
      seconds: this.#secondsOf(request.expires),
      state: () => {
        this.#told = parts.document(0);
        return { type: notified.contentType, content: parts.document(this.#version++) };
      },
      onClosed: (now) => this.#close(now),
    });
  }

  start(now: Milliseconds): void {
    const { core, transaction, notified } = this.#parts;
    const seconds = this.#secondsOf(transaction.request.expires);
    core.dialogs.set(this.#dialog.key, this);
    this.#accept(now, transaction, seconds);
    this.#nextAt = now + notified.pace;
    // RFC 6665 §4.4.3: whoever subscribes for no time wants to know how things stand now.
    if (seconds === 0) this.#notifier.finish(now, 'timeout');
    else this.#notifier.start(now);
  }

  /** Something may have changed; what changes fast is told together. */
  changed(now: Milliseconds): void {
    const { core, document } = this.#parts;
    if (document(0) === this.#told) core.timers.clear(this.#wake);
    else if (now >= this.#nextAt) this.#tell(now);
    else if (!core.timers.has(this.#wake)) core.timers.set(this.#wake, this.#nextAt);
  }

  finish(now: Milliseconds): void {
    this.#notifier.finish(now, 'deactivated');
  }

  receive(now: Milliseconds, transaction: ServerTransaction): void {
    const { core, notified } = this.#parts;
    const { request } = transaction;
    const { event } = notified;
    if (request.method !== 'SUBSCRIBE') core.respond(now, transaction, 405, { headers: [['Allow', 'SUBSCRIBE']] });
    else if (!isEvent(request, event, this.#id)) core.respond(now, transaction, 489, { headers: [['Allow-Events', event]] });
    else if (!this.#dialog.admits(request)) core.respond(now, transaction, 500);
    else if (isTooBrief(request.expires)) core.respond(now, transaction, 423, { headers: [['Min-Expires', String(leastSeconds)]] });
    else {
      const seconds = this.#secondsOf(request.expires);
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
    this.#nextAt = now + this.#parts.notified.pace;
    this.#notifier.changed(now);
  }

  #secondsOf(expires: number | undefined): number {
    const { usualSeconds } = this.#parts.notified;
    return Math.min(expires ?? usualSeconds, usualSeconds);
  }

  #close(now: Milliseconds): void {
    const { core, onClosed } = this.#parts;
    core.timers.clear(this.#wake);
    core.dialogs.delete(this.#dialog.key);
    onClosed(now);
  }
}

/** RFC 6665 §4.2.1.1: 0 ends a subscription, everything else must last a while. */
export function isTooBrief(expires: number | undefined): boolean {
  return expires !== undefined && expires > 0 && expires < leastSeconds;
}
