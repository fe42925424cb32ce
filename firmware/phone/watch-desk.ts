import type { LedPattern } from '#firmware/contract/hal.ts';
import type { PhoneStatus } from '#firmware/contract/phone.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Counters } from '#firmware/core/counters.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { XmlReader } from '#firmware/core/xml-element.ts';
import { formatJoin, formatReplaces } from '#firmware/sip/dialog/replaces.ts';
import { formatPresenceDocument, type Presence, presenceDocumentType } from '#firmware/sip/event/presence-document.ts';
import { encodeText } from '#firmware/sip/message/text.ts';
import type { UserAgent } from '#firmware/sip/user-agent.ts';
import type { SubscriptionId, UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import type { Call } from './call.ts';
import type { CallDesk } from './call-desk.ts';
import { resolveTarget } from './dial-target.ts';
import type { Handset } from './handset.ts';
import type { LampPatterns } from './lamp-patterns.ts';
import type { Line } from './line.ts';
import type { Outbox } from './outbox.ts';
import type { PhoneSettings } from './phone-settings.ts';
import { presenceOf } from './shown-state.ts';
import { WatchedLine } from './watched-line.ts';

export interface WatchDeskPorts {
  readonly userAgent: UserAgent;
  readonly desk: CallDesk;
  readonly handset: Handset;
  readonly outbox: Outbox;
  readonly counters: Counters;
  readonly readXml: XmlReader | undefined;
  settings(): PhoneSettings;
  lines(): readonly Line[];
}

/** What the user agent tells of subscriptions and publications. */
export type WatchEvent = Extract<UserAgentEvent, { type: 'notified' | 'notifierGone' | 'subscription' | 'publication' }>;

interface Published {
  readonly publication: SubscriptionId;
  presence: Presence;
}

const watchedAtMost = 64;
/** The pattern for what is known of them; nothing for who is free or unknown. */
const patternNames: Readonly<Partial<Record<PhoneStatus['watched'][number]['state'], keyof LampPatterns>>> = {
  ringing: 'watchedRinging',
  busy: 'watchedBusy',
  away: 'watchedAway',
};

/**
 * Lines of others that are watched (RFC 4235, 3856): their lamps, taking a call that rings there, and what others may see of us by way of a
 * presence server (RFC 3903).
 */
export class WatchDesk {
  readonly #ports: WatchDeskPorts;
  readonly #watched = new Map<SubscriptionId, WatchedLine>();
  /** By name of line. */
  readonly #published = new Map<string, Published>();

  constructor(ports: WatchDeskPorts) {
    this.#ports = ports;
  }

  /** Those of the settings, in their order. */
  get all(): readonly WatchedLine[] {
    return [...this.#watched.values()];
  }

  /** Subscribes to what the settings name and leaves the rest; a line that was made anew has lost its subscriptions. */
  change(now: Milliseconds): void {
    const { userAgent } = this.#ports;
    const { subscriptions } = userAgent;
    const known = [...this.#watched];
    this.#watched.clear();
    for (const wished of this.#wishes()) {
      const [id] = known.find(([, one]) => one.line === wished.line && one.name === wished.name && one.kind === wished.kind) ?? [];
      const alive = id !== undefined && subscriptions.has(id);
      if (alive) this.#watched.set(id, known.find(([name]) => name === id)?.[1] ?? wished);
      else this.#watch(now, wished);
    }
    for (const [id] of known) if (!this.#watched.has(id)) subscriptions.close(now, id);
    this.#publish(now);
  }

  /** True if the event was about what is watched or published here. */
  take(event: WatchEvent): boolean {
    if (event.type === 'publication') return this.#tellPublished(event);
    const watched = this.#watched.get(event.subscription);
    if (!watched) return false;
    const before = watched.state;
    if (event.type === 'notified') this.#notified(watched, event);
    else if (event.type === 'notifierGone') watched.lose(event.branch);
    else watched.explain(event.state === 'active' ? '' : [event.statusCode || '', event.reason].join(' ').trim());
    const { line, name, kind, state } = watched;
    if (state !== before) this.#ports.outbox.fact('watched', { line, name, kind, state });
    return true;
  }

  /** What has changed in us is published. */
  settle(now: Milliseconds): void {
    const { userAgent, lines, desk } = this.#ports;
    for (const line of lines()) {
      const published = this.#published.get(line.settings.name);
      const presence = presenceOf(line, desk.all);
      if (!published || published.presence === presence) continue;
      published.presence = presence;
      userAgent.subscriptions.republish(now, published.publication, bodyOf(line, presence));
    }
  }

  /**
   * Takes a call that rings at a watched line: by the code of the exchange, else in place of the phone that rings (RFC 3891). Without a name
   * the first that rings. Throws UsageError when none does.
   */
  pickUp(now: Milliseconds, name?: string): Call {
    const found = this.all.find((one) => one.ringing && (name === undefined || one.name === name));
    const dialog = found?.ringing;
    if (!found || !dialog)
      throw new UsageError('no-call', name === undefined ? 'no watched line rings' : `${name.slice(0, 60)} does not ring`);
    const { handset, outbox, settings } = this.#ports;
    const { pickupCode } = settings().calls;
    outbox.fact('call.pickup', { line: found.line, name: found.name, remote: dialog.remote?.uri ?? null });
    if (pickupCode !== '') return handset.callOnBehalf(now, pickupCode + userOf(found.name), found.line, []);
    if (!dialog.names || !dialog.remote) {
      throw new UsageError('no-pickup', 'the line does not say which call rings: set phone.pickupCode to the code of the exchange');
    }
    const replaces = ['Replaces', `${formatReplaces(dialog.names)};early-only`] as const;
    return handset.callOnBehalf(now, dialog.remote.uri, found.line, [replaces]);
  }

  /** Asks to be let into the call of a watched line (RFC 3911). Without a name the first that is in one. Throws UsageError when none is. */
  join(now: Milliseconds, name?: string): Call {
    const found = this.all.find((one) => one.conversation && (name === undefined || one.name === name));
    const dialog = found?.conversation;
    if (!found || !dialog)
      throw new UsageError('no-call', name === undefined ? 'no watched line is in a call' : `${name.slice(0, 60)} is in no call`);
    if (!dialog.names) throw new UsageError('no-join', 'the line does not say which call it is in');
    this.#ports.outbox.fact('call.join', { line: found.line, name: found.name, remote: dialog.remote?.uri ?? null });
    // A phone that does not know the header would take it for one more call.
    const headers = [['Join', formatJoin(dialog.names)] as const, ['Require', 'join'] as const];
    return this.#ports.handset.callOnBehalf(now, found.name, found.line, headers);
  }

  /** A key beside the lamp of a watched line: takes the call that rings there, joins the one that is talked in where that is wished, else calls the line. True if there is such a line. */
  press(now: Milliseconds, key: string): boolean {
    const found = /^watch\d{1,2}$/.test(key) ? this.all[Number(key.slice('watch'.length)) - 1] : undefined;
    if (!found) return false;
    const joins = this.#ports.settings().calls.joinByKey && found.conversation !== undefined;
    if (found.ringing) this.pickUp(now, found.name);
    else if (joins) this.join(now, found.name);
    else this.#ports.handset.call(now, found.name, found.line);
    return true;
  }

  /** Lamps `watch1`, `watch2` … in the order of the settings. */
  lamps(): readonly (readonly [led: string, pattern: LedPattern])[] {
    const { lamps } = this.#ports.settings();
    return this.all.map(({ state }, index) => {
      const name = patternNames[state];
      return [`watch${index + 1}`, name ? lamps[name] : 'off'];
    });
  }

  #wishes(): readonly WatchedLine[] {
    const { readXml, settings } = this.#ports;
    const { lines } = settings();
    const wishes = lines.flatMap(({ name, events }) => [
      ...events.watch.map((target) => new WatchedLine(name, target, 'calls')),
      ...events.watchPresence.map((target) => new WatchedLine(name, target, 'presence')),
    ]);
    return readXml ? wishes.slice(0, watchedAtMost) : [];
  }

  #watch(now: Milliseconds, watched: WatchedLine): void {
    const { userAgent, settings } = this.#ports;
    const { line, name, kind } = watched;
    this.#attempt(line, name, () => {
      const { uri } = resolveTarget(name, settings(), line);
      const event = kind === 'calls' ? 'dialog' : 'presence';
      this.#watched.set(userAgent.subscriptions.watch(now, line, { event, target: uri }), watched);
    });
  }

  #notified(watched: WatchedLine, { branch, body }: Extract<WatchEvent, { type: 'notified' }>): void {
    const { counters, readXml } = this.#ports;
    if (!body) {
      watched.takeNothing(branch);
      return;
    }
    const document = readXml?.(body.bytes);
    if (!document || !watched.take(branch, document)) counters.add('event-document-unreadable');
  }

  #publish(now: Milliseconds): void {
    const { userAgent, lines, desk } = this.#ports;
    for (const line of lines()) {
      const { name, events } = line.settings;
      const published = this.#published.get(name);
      if (published && (!events.publishPresence || !userAgent.subscriptions.has(published.publication))) {
        this.#published.delete(name);
        userAgent.subscriptions.close(now, published.publication);
      }
      if (!events.publishPresence || this.#published.has(name)) continue;
      const presence = presenceOf(line, desk.all);
      this.#attempt(name, 'presence', () => {
        const publication = userAgent.subscriptions.publish(now, name, { event: 'presence', body: bodyOf(line, presence) });
        this.#published.set(name, { publication, presence });
      });
    }
  }

  /** A wish of the settings that can't be is told, and keeps no other from coming true. */
  #attempt(line: string, name: string, work: () => void): void {
    try {
      work();
    } catch (thrown) {
      if (!(thrown instanceof UsageError)) throw thrown;
      this.#ports.counters.add('watch-impossible');
      this.#ports.outbox.fact('watched', { line, name, state: thrown.message });
    }
  }

  #tellPublished({ publication, state, statusCode }: Extract<WatchEvent, { type: 'publication' }>): boolean {
    const [line] = [...this.#published].find(([, one]) => one.publication === publication) ?? [];
    if (line === undefined) return false;
    this.#ports.outbox.fact('presence.published', { line, state, statusCode });
    return true;
  }
}

function bodyOf({ settings }: Line, presence: Presence) {
  const address = settings.aor.toString();
  return { contentType: presenceDocumentType, bytes: encodeText(formatPresenceDocument(address, presence, address)) };
}

/** `bob` of `sip:bob@example.org`, for a code that is dialled before a number. */
function userOf(name: string): string {
  const start = name.indexOf(':') + 1;
  const end = name.indexOf('@');
  return end < 0 ? name : name.slice(start, end);
}
