import type { PhoneStatus } from '#firmware/contract/phone.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { UsageError } from '#firmware/core/errors.ts';
import { callCompletionOf } from '#firmware/sip/event/call-completion-document.ts';
import { decodeText } from '#firmware/sip/message/text.ts';
import type { Uri } from '#firmware/sip/message/uri.ts';
import type { UserAgent } from '#firmware/sip/user-agent.ts';
import type { SubscriptionId, UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import type { Call } from './call.ts';
import type { Handset } from './handset.ts';
import type { Alarm, Alarms } from './machine.ts';
import type { Outbox } from './outbox.ts';

export interface CompletionDeskPorts {
  readonly userAgent: UserAgent;
  readonly handset: Handset;
  readonly outbox: Outbox;
  readonly alarms: Alarms;
}

type CompletionEvent = Extract<UserAgentEvent, { type: 'notified' | 'notifierGone' | 'subscription' }>;

/** Somebody who was busy and is to be called once they are free. */
interface Completion {
  readonly dialString: string;
  readonly line: string | undefined;
  readonly uri: Uri;
  state: 'offered' | 'waiting' | 'ready';
  subscription: SubscriptionId | undefined;
}

/** Who was busy may be asked for that long after (RFC 6910 §6.4: the offer is of that call). */
const offerMs = 60_000;
/** How long the bell says that they are free. */
const recallMs = 30_000;
/** How long anybody waits. */
const patienceSeconds = 3_600;

/**
 * RFC 6910 from the caller's side, one at a time: after a busy tone the person may ask to be called back; when the far end is free the bell
 * rings, and lifting the handset calls them.
 */
export class CompletionDesk {
  readonly #ports: CompletionDeskPorts;
  readonly #alarm: Alarm = { fire: (now) => this.#drop(now) };
  #completion: Completion | undefined;

  constructor(ports: CompletionDeskPorts) {
    this.#ports = ports;
  }

  status(): PhoneStatus['completion'] {
    return this.#completion ? { remote: this.#completion.dialString, state: this.#completion.state } : null;
  }

  /** The bell is to ring: who was busy is free. */
  get ready(): boolean {
    return this.#completion?.state === 'ready';
  }

  /** A call of the person found the far end busy, which offers to say when it is free. */
  offer(now: Milliseconds, { plan }: Call, uri: Uri): void {
    if (plan.owner.kind !== 'handset' || plan.line === undefined || this.#completion?.state === 'waiting') return;
    this.#drop(now);
    this.#completion = { dialString: plan.dialString, line: plan.line.name, uri, state: 'offered', subscription: undefined };
    this.#ports.alarms.set(this.#alarm, now + offerMs);
    this.#tell();
  }

  /** The person wants to be called back. Throws UsageError when nobody has offered that. */
  ask(now: Milliseconds): void {
    const completion = this.#completion;
    if (completion?.state !== 'offered' || completion.line === undefined) {
      throw new UsageError('nothing-to-complete', 'the last call did not find somebody busy who would say when they are free');
    }
    const { userAgent, alarms } = this.#ports;
    const wish = { event: 'call-completion', target: completion.uri, seconds: patienceSeconds } as const;
    completion.subscription = userAgent.subscriptions.watch(now, completion.line, wish);
    completion.state = 'waiting';
    alarms.set(this.#alarm, now + 1_000 * patienceSeconds);
    this.#tell();
  }

  /** The person no longer wants to. */
  cancel(now: Milliseconds): void {
    this.#drop(now);
  }

  /** True if the event was about this. */
  take(now: Milliseconds, event: CompletionEvent): boolean {
    const completion = this.#completion;
    if (!completion || completion.subscription !== event.subscription) return false;
    if (event.type === 'notified') {
      const told = event.body && callCompletionOf(decodeText(event.body.bytes));
      if (told?.state === 'ready' && completion.state === 'waiting') this.#ring(now, completion);
      else if (told?.state === 'queued' && completion.state === 'ready') this.#wait(now, completion);
    } else if (event.type === 'subscription' && event.state !== 'active') this.#drop(now);
    return true;
  }

  /** The handset was lifted while the bell said that they are free: calls them. */
  callBack(now: Milliseconds): void {
    const completion = this.#completion;
    if (completion?.state !== 'ready') return;
    this.#drop(now);
    this.#ports.handset.call(now, completion.dialString, completion.line);
  }

  #ring(now: Milliseconds, completion: Completion): void {
    completion.state = 'ready';
    this.#ports.alarms.set(this.#alarm, now + recallMs);
    this.#tell();
  }

  /** They are busy again before anybody called. */
  #wait(now: Milliseconds, completion: Completion): void {
    completion.state = 'waiting';
    this.#ports.alarms.set(this.#alarm, now + 1_000 * patienceSeconds);
    this.#tell();
  }

  #drop(now: Milliseconds): void {
    const { userAgent, alarms } = this.#ports;
    const subscription = this.#completion?.subscription;
    if (!this.#completion) return;
    this.#completion = undefined;
    alarms.clear(this.#alarm);
    if (subscription !== undefined) userAgent.subscriptions.close(now, subscription);
    this.#tell();
  }

  #tell(): void {
    const completion = this.#completion;
    this.#ports.outbox.fact('call.completion', { state: completion?.state ?? 'over', remote: completion?.dialString ?? null });
  }
}
