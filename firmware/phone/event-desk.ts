import type { Milliseconds } from '#firmware/core/clock.ts';
import type { UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { CompletionDesk, type CompletionDeskPorts } from './completion-desk.ts';
import { WatchDesk, type WatchDeskPorts } from './watch-desk.ts';

type EventNews = Extract<UserAgentEvent, { type: 'notified' | 'notifierGone' | 'subscription' | 'publication' | 'checkSync' }>;

/** What comes of event packages: lines that are watched, calls that are completed, and words of the exchange to the device. */
export class EventDesk {
  readonly watches: WatchDesk;
  readonly completion: CompletionDesk;
  readonly #ports: WatchDeskPorts;
  /** The device is to start anew as soon as nobody talks. */
  #restarts = false;

  constructor(ports: WatchDeskPorts & CompletionDeskPorts) {
    this.#ports = ports;
    this.watches = new WatchDesk(ports);
    this.completion = new CompletionDesk(ports);
  }

  take(now: Milliseconds, event: EventNews): void {
    if (event.type === 'checkSync') this.#checkSync(event);
    else if (!this.watches.take(event) && event.type !== 'publication') this.completion.take(now, event);
  }

  /** A call of ours was not accepted: who was busy may say when they are free. */
  callFailed(now: Milliseconds, { session, completion }: Extract<UserAgentEvent, { type: 'failed' }>): void {
    const call = this.#ports.desk.ofSession(session);
    if (call && completion) this.completion.offer(now, call, completion);
  }

  settle(now: Milliseconds): void {
    this.watches.settle(now);
    if (!this.#restarts || this.#ports.desk.all.length > 0) return;
    this.#restarts = false;
    this.#ports.outbox.maintain('restart');
  }

  #checkSync({ account, reboot }: Extract<EventNews, { type: 'checkSync' }>): void {
    this.#ports.outbox.fact('checkSync', { line: account, restart: reboot });
    if (reboot) this.#restarts = true;
    else this.#ports.outbox.maintain('reload');
  }
}
