import type { Milliseconds } from '#firmware/core/clock.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { UserAgent } from '#firmware/sip/user-agent.ts';
import type { UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { accountOf, differsForAccount, Line } from './line.ts';
import type { Outbox } from './outbox.ts';
import type { LineSettings } from './phone-settings.ts';

/** The lines, and the accounts of the user agent that stand for them. */
export class LineDesk {
  readonly #userAgent: UserAgent;
  readonly #outbox: Outbox;
  #lines: Line[] = [];
  #contactUsers: Readonly<Record<string, string>> = {};
  #setUp = false;

  constructor(userAgent: UserAgent, outbox: Outbox) {
    this.#userAgent = userAgent;
    this.#outbox = outbox;
  }

  /** The line that calls out unless another is chosen comes first. */
  get all(): readonly Line[] {
    return this.#lines;
  }

  get(name: string): Line | undefined {
    return this.#lines.find(({ settings }) => settings.name === name);
  }

  /** The first line can make calls, or there is none that could. */
  get ready(): boolean {
    return this.#setUp && (this.#lines[0]?.ready ?? true);
  }

  /** By which names the registrars know us from a process that died: its bindings are refreshed, not doubled. */
  remember(contactUsers: Readonly<Record<string, string>>): void {
    this.#contactUsers = contactUsers;
  }

  /** Lines come, go and change; one that only changed its forward or its name for callers keeps its registration. */
  change(now: Milliseconds, settings: readonly LineSettings[]): void {
    for (const line of this.#lines) {
      if (!settings.some(({ name }) => name === line.settings.name)) this.#userAgent.removeAccount(now, line.settings.name);
    }
    this.#lines = settings.map((one) => this.#lineFor(now, one));
    this.#setUp = true;
  }

  /** For one line, or all. Throws UsageError for a line that is not there. */
  setDoNotDisturb(on: boolean, name?: string): void {
    const lines = name === undefined ? this.#lines : this.#lines.filter(({ settings }) => settings.name === name);
    if (name !== undefined && lines.length === 0) throw new UsageError('unknown-line', `there is no line ${name.slice(0, 40)}`);
    for (const line of lines) {
      if (line.doNotDisturb === on) continue;
      line.setDoNotDisturb(on);
      this.#outbox.setting(`line.${line.settings.name}.doNotDisturb`, String(on));
    }
  }

  take(now: Milliseconds, event: UserAgentEvent & { type: 'registration' | 'messageWaiting' }): void {
    const line = this.get(event.account);
    if (!line) return;
    if (event.type === 'messageWaiting') {
      line.takeMailbox(event.waiting, event.newMessages, event.oldMessages);
      this.#outbox.fact('messages', { line: event.account, waiting: event.waiting, newMessages: event.newMessages });
      return;
    }
    const before = line.state;
    line.takeRegistration(now, event, this.#outbox.wallTime());
    if (before !== 'registered' && event.state === 'registered') this.#userAgent.subscriptions.revive(now, event.account);
    const { state, reason } = line.status(now).registration;
    this.#outbox.fact('registration', { line: event.account, state, statusCode: event.statusCode ?? null, reason });
  }

  #lineFor(now: Milliseconds, settings: LineSettings): Line {
    const known = this.get(settings.name);
    const before = known?.settings;
    const line = known ?? new Line(settings);
    line.change(settings);
    // The user agent ends a subscription only together with its account.
    if (before?.subscribeMessages && !settings.subscribeMessages) this.#userAgent.removeAccount(now, settings.name);
    if (!before || before.subscribeMessages !== settings.subscribeMessages || differsForAccount(before, settings))
      this.#userAgent.setAccount(now, accountOf(settings, this.#contactUserOf(settings.name)));
    if (settings.subscribeMessages && !before?.subscribeMessages) this.#userAgent.subscriptions.watchMailbox(now, settings.name);
    return line;
  }

  #contactUserOf(line: string): string | undefined {
    return Object.hasOwn(this.#contactUsers, line) ? this.#contactUsers[line] : undefined;
  }
}
