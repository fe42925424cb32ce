import type { PhoneStatus } from '#firmware/contract/phone.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Counters, LimitedLog } from '#firmware/core/counters.ts';
import { UsageError } from '#firmware/core/errors.ts';
import { Alert, type AlertPorts } from './alert.ts';
import type { Call } from './call.ts';
import type { CallNews } from './call-plan.ts';
import type { Alarm } from './machine.ts';
import type { AlertRecord, AlertState } from './outbox.ts';
import type { AlertSettings } from './phone-settings.ts';
import { sameSecret } from './secret.ts';

export interface AlertDeskPorts extends AlertPorts {
  readonly counters: Counters;
  readonly log: LimitedLog;
  /** The line that alerts call by is registered. */
  lineReady(): boolean;
}

/** After a power cut the phone is up before its line: calls wait this long for it, then try all the same. */
const linePatienceMs = 30_000;

/** All alerts. One of them calls at a time, so that nobody is called by two at once; who has waited longest comes next. */
export class AlertDesk {
  readonly #ports: AlertDeskPorts;
  readonly #alerts = new Map<string, Alert>();
  /** Names that wait for their turn with the time since when; the first has waited longest. */
  readonly #waiting = new Map<string, Milliseconds>();
  /** Its firing alone makes the phone settle, which asks here again. */
  #suspended = false;
  readonly #wake: Alarm = { fire: () => undefined };

  constructor(ports: AlertDeskPorts, settings: readonly AlertSettings[], records: readonly AlertRecord[]) {
    this.#ports = ports;
    for (const one of settings) {
      const record = records.find(({ alert }) => alert === one.name);
      this.#alerts.set(one.name, new Alert(one, ports, record));
    }
  }

  change(now: Milliseconds, settings: readonly AlertSettings[]): void {
    for (const [name, alert] of this.#alerts) {
      if (settings.some((one) => one.name === name)) continue;
      alert.dispose(now);
      this.#alerts.delete(name);
    }
    for (const one of settings) {
      const known = this.#alerts.get(one.name);
      if (known) known.change(one);
      else this.#alerts.set(one.name, new Alert(one, this.#ports));
    }
  }

  /**
   * Starts an alert by name. A token comes with a wish from the network and must be the alert's; the machine's own CLI brings none.
   * Throws UsageError.
   */
  trigger(now: Milliseconds, name: string, token?: string): AlertState {
    const alert = this.#alerts.get(name);
    if (token !== undefined && !(alert && alert.settings.token !== '' && sameSecret(token, alert.settings.token))) {
      this.#ports.counters.add('alert-token-refused');
      this.#ports.log.warn(now, 'alert-token-refused', { alert: name.slice(0, 64) });
      this.#ports.outbox.fact('alert.refused', { alert: name.slice(0, 64) });
      // Whether such an alert exists is nobody's business without a token.
      throw new UsageError('wrong-token', 'the token is not that of the alert');
    }
    if (!alert) throw new UsageError('unknown-alert', `there is no alert ${name.slice(0, 40)}`);
    if (alert.settings.people.length === 0) throw new UsageError('nobody-to-call', `alert.${name}.people is empty`);
    alert.trigger(now);
    return alert.state;
  }

  /** The phone stops: what becomes of calls now is nobody's fault, so alerts stay as they are on disk. */
  suspend(): void {
    this.#suspended = true;
  }

  /** An input of the board became active. */
  input(now: Milliseconds, name: string): void {
    for (const alert of this.#alerts.values()) {
      if (alert.settings.input === name && alert.settings.people.length > 0) alert.trigger(now);
    }
  }

  /** False when the alert is over, or there is none of that name any more. */
  adopt(now: Milliseconds, name: string, call: Call): boolean {
    return this.#alerts.get(name)?.adopt(now, call) ?? false;
  }

  take(now: Milliseconds, name: string, news: CallNews): void {
    if (!this.#suspended) this.#alerts.get(name)?.take(now, news);
  }

  playbackFailed(name: string): void {
    this.#alerts.get(name)?.playbackFailed();
  }

  /** Lets the next one call if nobody does; true if one began. */
  settle(now: Milliseconds): boolean {
    for (const [name, alert] of this.#alerts) {
      if (alert.state !== 'queued') this.#waiting.delete(name);
      else if (!this.#waiting.has(name)) this.#waiting.set(name, now);
    }
    const [first] = this.#waiting;
    if (!first || this.#suspended || [...this.#alerts.values()].some(({ calling }) => calling)) return false;
    const [name, since] = first;
    if (!this.#ports.lineReady() && now < since + linePatienceMs) {
      this.#ports.alarms.set(this.#wake, since + linePatienceMs);
      return false;
    }
    this.#waiting.delete(name);
    this.#alerts.get(name)?.giveTurn(now);
    return true;
  }

  status(): PhoneStatus['alerts'] {
    return [...this.#alerts.values()].map((alert) => ({
      alert: alert.settings.name,
      state: alert.state,
      startedAt: alert.state === 'idle' ? null : alert.record.startedAt,
      round: alert.state === 'idle' ? 0 : alert.record.round,
      person: alert.person ?? null,
      acknowledgedBy: alert.record.acknowledgedBy,
    }));
  }

  describe(): object {
    return { waiting: [...this.#waiting.keys()], alerts: [...this.#alerts.values()].map((alert) => alert.describe()) };
  }
}
