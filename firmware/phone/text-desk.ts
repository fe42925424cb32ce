import type { TextEntry } from '#firmware/contract/phone.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { formatUri } from '#firmware/sip/message/uri.ts';
import type { UserAgent } from '#firmware/sip/user-agent.ts';
import type { UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { resolveTarget } from './dial-target.ts';
import type { Outbox } from './outbox.ts';
import type { PhoneSettings } from './phone-settings.ts';
import { partyOf } from './reception.ts';

export interface TextDeskPorts {
  readonly userAgent: UserAgent;
  readonly outbox: Outbox;
  settings(): PhoneSettings;
}

export interface TextWish {
  readonly target: string;
  readonly text: string;
  readonly line?: string | undefined;
}

const entriesAtMost = 50;

/** Text messages (RFC 3428) in and out: the last of them, and which a person has not read. */
export class TextDesk {
  readonly #ports: TextDeskPorts;
  readonly #entries: TextEntry[] = [];
  /** Of those that came in, the last so many. */
  #unread = 0;

  constructor(ports: TextDeskPorts) {
    this.#ports = ports;
  }

  /** Oldest first. */
  get all(): readonly TextEntry[] {
    return this.#entries;
  }

  get unread(): number {
    return this.#unread;
  }

  /** The last one that came in, unless it has been read. */
  get newest(): TextEntry | undefined {
    return this.#unread > 0 ? this.#entries.findLast(({ direction }) => direction === 'incoming') : undefined;
  }

  /** Gives the name of the message. Throws UsageError when the target is none or the text too long. */
  send(now: Milliseconds, { target, text, line }: TextWish): string {
    const { userAgent, settings } = this.#ports;
    const found = resolveTarget(target, settings(), line);
    const account = found.line?.name;
    const id = userAgent.sendText(now, { account, target: found.uri, text });
    const remote = { displayName: '', uri: formatUri(found.uri) };
    this.#add({ id, direction: 'outgoing', line: account ?? null, remote, text, statusCode: null });
    return id;
  }

  take(event: Extract<UserAgentEvent, { type: 'textReceived' | 'textAnswered' }>): void {
    const { outbox } = this.#ports;
    if (event.type === 'textReceived') {
      const remote = partyOf(event.from);
      this.#unread = Math.min(this.#unread + 1, entriesAtMost);
      const id = `in-${outbox.wallTime()}-${this.#entries.length}`;
      this.#add({ id, direction: 'incoming', line: event.account ?? null, remote, text: event.text, statusCode: null });
      outbox.fact('text.received', { remote: remote.uri, line: event.account ?? null, text: event.text });
      return;
    }
    const at = this.#entries.findIndex(({ id }) => id === event.message);
    const entry = this.#entries[at];
    if (!entry) return;
    this.#entries[at] = { ...entry, statusCode: event.statusCode };
    outbox.fact('text.sent', { remote: entry.remote.uri, statusCode: event.statusCode, reason: event.reasonPhrase });
  }

  markRead(): void {
    this.#unread = 0;
  }

  #add(entry: Omit<TextEntry, 'at'>): void {
    this.#entries.push({ at: this.#ports.outbox.wallTime(), ...entry });
    if (this.#entries.length > entriesAtMost) this.#entries.shift();
  }
}
