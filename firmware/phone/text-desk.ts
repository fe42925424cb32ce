import type { TextEntry } from '#firmware/contract/phone.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { formatUri } from '#firmware/sip/message/uri.ts';
import type { UserAgent } from '#firmware/sip/user-agent.ts';
import type { UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { resolveTarget } from './dial-target.ts';
import type { Alarm, Alarms } from './machine.ts';
import type { Outbox } from './outbox.ts';
import type { PhoneMemory } from './phone-ports.ts';
import type { PhoneSettings } from './phone-settings.ts';
import { partyOf } from './remote-party.ts';

export interface TextDeskPorts {
  readonly userAgent: UserAgent;
  readonly outbox: Outbox;
  readonly alarms: Alarms;
  settings(): PhoneSettings;
}

export interface TextWish {
  readonly target: string;
  readonly text: string;
  readonly line?: string | undefined;
}

type TextEvent = Extract<UserAgentEvent, { type: 'textReceived' | 'textAnswered' | 'composing' }>;

/** Those that are at hand; the disk holds more. */
const entriesAtMost = 200;
const writersAtMost = 16;
/** RFC 3994 §3.2: who writes on is told again no sooner. */
const composingAgain: Milliseconds = 60_000;

/** Text messages (RFC 3428) in and out: the last of them, which a person has not read, and who is writing (RFC 3994). */
export class TextDesk {
  readonly #ports: TextDeskPorts;
  readonly #entries: TextEntry[];
  /** Who writes to us, with the alarm that forgets it. */
  readonly #writers = new Map<string, Alarm>();
  /** Whom we have told that a person writes, and when. */
  readonly #told = new Map<string, Milliseconds>();
  /** Of those that came in, the last so many. */
  #unread: number;
  #last = 0;

  constructor(ports: TextDeskPorts, { texts = [], unreadTexts = 0 }: Pick<PhoneMemory, 'texts' | 'unreadTexts'>) {
    this.#ports = ports;
    this.#entries = texts.slice(-entriesAtMost);
    this.#unread = unreadTexts;
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

  /** Addresses of those who are writing. */
  writing(): string[] {
    return [...this.#writers.keys()];
  }

  /** Gives the name of the message. Throws UsageError when the target is none or the text too long. */
  send(now: Milliseconds, { target, text, line }: TextWish): string {
    const { userAgent, settings } = this.#ports;
    const found = resolveTarget(target, settings(), line);
    const account = found.line?.name;
    const id = userAgent.sendText(now, { account, target: found.uri, text });
    const remote = { displayName: '', uri: formatUri(found.uri) };
    this.#told.delete(remote.uri);
    this.#add({ id, direction: 'outgoing', line: account ?? null, remote, text, statusCode: null });
    return id;
  }

  /** A person writes, or has stopped to without sending. Only those hear of it who have written to us: others may not know what it is. */
  composing(now: Milliseconds, { target, line }: Omit<TextWish, 'text'>, active: boolean): void {
    const { userAgent, settings } = this.#ports;
    const found = resolveTarget(target, settings(), line);
    const uri = formatUri(found.uri);
    const toldAt = this.#told.get(uri);
    const isNews = active ? toldAt === undefined || now - toldAt >= composingAgain : toldAt !== undefined;
    const known = this.#entries.some(({ direction, remote }) => direction === 'incoming' && remote.uri === uri);
    if (!isNews || !known) return;
    if (active) this.#told.set(uri, now);
    else this.#told.delete(uri);
    userAgent.sendComposing(now, { account: found.line?.name, target: found.uri }, active);
  }

  take(now: Milliseconds, event: TextEvent): void {
    const { outbox } = this.#ports;
    if (event.type === 'composing') this.#composing(now, event);
    else if (event.type === 'textReceived') {
      const remote = partyOf(event.from);
      this.#forgetWriter(remote.uri);
      this.#countUnread(Math.min(this.#unread + 1, entriesAtMost));
      const id = `in-${outbox.wallTime()}-${++this.#last}`;
      this.#add({ id, direction: 'incoming', line: event.account ?? null, remote, text: event.text, statusCode: null });
      outbox.fact('text.received', { remote: remote.uri, line: event.account ?? null, text: event.text });
    } else this.#answered(event);
  }

  markRead(): void {
    this.#countUnread(0);
  }

  #answered({ message, statusCode, reasonPhrase }: Extract<TextEvent, { type: 'textAnswered' }>): void {
    const { outbox } = this.#ports;
    const at = this.#entries.findIndex(({ id }) => id === message);
    const entry = this.#entries[at];
    if (!entry) return;
    const answered = { ...entry, statusCode };
    this.#entries[at] = answered;
    outbox.record({ kind: 'text', entry: answered });
    outbox.fact('text.sent', { remote: entry.remote.uri, statusCode, reason: reasonPhrase });
  }

  /** A stranger who says that he writes is not shown: only who has written before, or is written to. */
  #composing(now: Milliseconds, { from, active, seconds }: Extract<TextEvent, { type: 'composing' }>): void {
    const { uri } = partyOf(from);
    const known = this.#entries.some(({ remote }) => remote.uri === uri);
    if (!active || !known) {
      this.#forgetWriter(uri);
      return;
    }
    if (this.#writers.size >= writersAtMost && !this.#writers.has(uri)) return;
    const alarm = this.#writers.get(uri) ?? { fire: () => this.#writers.delete(uri) };
    this.#writers.set(uri, alarm);
    this.#ports.alarms.set(alarm, now + 1_000 * seconds);
  }

  #forgetWriter(uri: string): void {
    const alarm = this.#writers.get(uri);
    if (alarm) this.#ports.alarms.clear(alarm);
    this.#writers.delete(uri);
  }

  #countUnread(count: number): void {
    if (count === this.#unread) return;
    this.#unread = count;
    this.#ports.outbox.record({ kind: 'unreadTexts', count });
  }

  #add(entry: Omit<TextEntry, 'at'>): void {
    const added = { at: this.#ports.outbox.wallTime(), ...entry };
    this.#entries.push(added);
    if (this.#entries.length > entriesAtMost) this.#entries.shift();
    this.#ports.outbox.record({ kind: 'text', entry: added });
  }
}
