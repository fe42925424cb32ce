import type { CallRecord } from '#firmware/contract/journal.ts';
import type { CallStatus } from '#firmware/contract/phone.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { type Entropy, randomToken } from '#firmware/core/entropy.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { RingName } from '#firmware/core/ring-names.ts';
import { formatUri, parseUri, type Uri } from '#firmware/sip/message/uri.ts';
import type { LocalAddresses } from '#firmware/sip/transport/sip-core.ts';
import type { UserAgent } from '#firmware/sip/user-agent.ts';
import type { Body, SessionId, UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { Call } from './call.ts';
import { headersOf, wishesOf } from './call-features.ts';
import { entryOf } from './call-log.ts';
import type { CallHeader, CallNews, CallOwner, CallPlan, RemoteParty } from './call-plan.ts';
import type { CallPorts } from './call-ports.ts';
import type { CodecName } from './codec-choice.ts';
import { resolveTarget } from './dial-target.ts';
import { DigitMemory } from './digit-memory.ts';
import type { Alarms } from './machine.ts';
import type { MediaDesk } from './media-desk.ts';
import type { MediaNews } from './media-news.ts';
import type { Outbox, PeerDigits } from './outbox.ts';
import type { LineSettings, PhoneSettings } from './phone-settings.ts';

export interface CallDeskPorts {
  readonly userAgent: UserAgent;
  readonly media: MediaDesk;
  /** How far ends take digits, as it was learnt before. */
  readonly digits: readonly PeerDigits[];
  readonly alarms: Alarms;
  readonly entropy: Entropy;
  readonly outbox: Outbox;
  readonly addresses: LocalAddresses;
  settings(): PhoneSettings;
  /** The user agent knows the line's account. */
  hasLine(name: string): boolean;
}

/** What its owner says of a call it wants. */
export interface Placement {
  readonly owner: CallOwner;
  readonly dialString: string;
  readonly line?: string | undefined;
  readonly headers?: readonly CallHeader[] | undefined;
  readonly ringMs: Milliseconds;
}

/** What the user agent and the caller say of a call that came in. */
export interface Arrival {
  readonly session: SessionId;
  readonly line: LineSettings | undefined;
  readonly remote: RemoteParty;
  readonly offer: Body | undefined;
  /** What the caller says of the call, in words for people. */
  readonly remarks: readonly string[];
  /** How the caller or the exchange wants the bell to sound. */
  readonly ring: RingName | undefined;
  /** No person has accepted it. */
  isAutomatic(): boolean;
  /** Host to which our sound address has to be reachable. */
  readonly host: string;
}

/** Calls of all owners at once: every one holds an RTP port. */
const callsAtMost = 32;

/** All calls: makes them, finds whose an event is, and forgets them when they are over. */
export class CallDesk {
  readonly #ports: CallDeskPorts;
  readonly #digitMemory: DigitMemory;
  readonly #calls = new Map<string, Call>();
  readonly #sessions = new Map<SessionId, Call>();
  readonly #reported = new Map<string, CallStatus['state']>();
  #news: CallNews[] = [];
  #closed = false;

  constructor(ports: CallDeskPorts) {
    this.#ports = ports;
    this.#digitMemory = new DigitMemory(ports.outbox, ports.digits);
  }

  /** In the order they began. */
  get all(): readonly Call[] {
    return [...this.#calls.values()];
  }

  get(id: string): Call | undefined {
    return this.#calls.get(id);
  }

  /** What can be spoken on a line, or on none. */
  codecsFor(line: LineSettings | undefined): readonly CodecName[] {
    return this.#ports.media.codecsThere(line?.codecs ?? this.#ports.settings().sound.codecs);
  }

  /** The call whose events are those of `session`. */
  ofSession(session: SessionId): Call | undefined {
    return this.#sessions.get(session);
  }

  takeNews(): CallNews[] {
    const news = this.#news;
    this.#news = [];
    return news;
  }

  /** Calls somebody. Throws UsageError when the dial string is no target, or there are too many calls. */
  place(now: Milliseconds, placement: Placement): Call {
    const { owner, ringMs } = placement;
    const { prefixes } = this.#ports.settings();
    const { rest, wishes } = wishesOf(placement.dialString.trim(), prefixes);
    if (this.#closed) throw new UsageError('stopping', 'the phone is about to stop');
    if (this.#calls.size >= callsAtMost) throw new UsageError('too-many-calls', `there are ${callsAtMost} calls already`);
    const target = resolveTarget(rest, this.#ports.settings(), placement.line);
    const hideNumber = wishes.hideNumber || target.line?.features.hideNumber;
    const headers = [...(placement.headers ?? []), ...headersOf({ ...wishes, hideNumber })];
    return this.#begin(now, {
      id: this.#newId(),
      owner,
      line: target.line,
      remote: { displayName: '', uri: formatUri(target.uri) },
      dialString: placement.dialString.trim(),
      localAddress: this.#localAddress(target.line, hostOf(target.uri)),
      way: { direction: 'outgoing', target: target.uri, headers },
      ringMs,
    });
  }

  /** Takes in a call that may ring. */
  admit(now: Milliseconds, arrival: Arrival): Call {
    const { session, line, remote, offer, host, remarks, ring, isAutomatic } = arrival;
    return this.#begin(now, {
      id: this.#newId(),
      owner: { kind: 'handset' },
      line,
      remote,
      dialString: remote.uri,
      localAddress: this.#localAddress(undefined, host),
      way: { direction: 'incoming', session, offer, isAutomatic },
      remarks,
      ring,
      ringMs: this.#ports.settings().calls.ringMs,
    });
  }

  /** Goes on with a call of a process that died; `undefined` when it is none of ours. The user agent has its session already. */
  adopt(now: Milliseconds, record: CallRecord): Call | undefined {
    const { call: id, owner, remote, dialString, localAddress, direction, session } = record;
    const target = parseUri(remote.uri);
    if (!target || this.#calls.has(id) || !this.hasRoom) return undefined;
    const settings = this.#ports.settings();
    const line = settings.lines.find(({ name }) => name === record.line);
    const way =
      direction === 'incoming'
        ? { direction, session: session.session, offer: undefined, isAutomatic: () => false }
        : { direction, target };
    return this.#begin(now, { id, owner, line, remote, dialString, localAddress, way, ringMs: settings.calls.ringMs }, record);
  }

  /** The line, or without one the network, is back, perhaps at another address of this machine: calls follow. */
  relocate(line: string | undefined): void {
    for (const call of this.#calls.values()) {
      if (call.plan.line?.name !== line) continue;
      const uri = parseUri(call.plan.remote.uri);
      const address = this.#localAddress(call.plan.line, uri ? hostOf(uri) : '');
      const isLost = isLoopback(address) && !isLoopback(call.leg.localAddress);
      if (!isLost) call.relocate(address);
    }
  }

  /** Ends all calls and makes no more. */
  close(now: Milliseconds): void {
    this.#closed = true;
    for (const call of this.#calls.values()) call.hangUp(now);
  }

  /** Room for another call at all. */
  get hasRoom(): boolean {
    return this.#calls.size < callsAtMost;
  }

  /** An event of a session; those of none we know are not ours to mind. */
  take(now: Milliseconds, session: SessionId, event: UserAgentEvent): void {
    const call = this.#sessions.get(session);
    if (!call) return;
    if (event.type === 'failed' || event.type === 'cancelled' || event.type === 'ended') this.#sessions.delete(session);
    call.take(now, event);
  }

  takeMedia(now: Milliseconds, news: MediaNews): void {
    const call = this.#calls.get(news.leg);
    if (!call) return;
    if (news.kind === 'legOpen') call.portReady(now, news);
    else if (news.kind === 'connected') call.leg.connected(news.way);
    else if (news.kind === 'notConnected') call.notConnected(now, news.reason);
    else if (news.kind === 'legFailed') call.portFailed(now, news.reason);
    else if (news.kind === 'digit') call.takeMediaDigit(now, news.digit, news.way);
    else if (news.kind === 'secured') call.leg.secured(news.suite);
    else if (news.kind === 'securityFailed') call.securityFailed(now, news.reason);
    else if (news.kind === 'silence') call.silence(now, news.seconds);
  }

  /** Tells what changed as facts, and forgets what is over. `waiting` says whose ringing is a waiting. */
  settle(now: Milliseconds, waiting: (call: Call) => boolean): void {
    for (const call of this.#calls.values()) {
      const state = call.stateFor(waiting(call));
      if (this.#reported.get(call.plan.id) === state) continue;
      this.#reported.set(call.plan.id, state);
      this.#ports.outbox.fact('call.state', {
        call: call.plan.id,
        state,
        owner: call.plan.owner.kind,
        direction: call.direction,
        remote: call.plan.remote.uri,
        reason: call.times.ending?.reason ?? null,
        statusCode: call.times.ending?.statusCode ?? null,
      });
      if (call.state === 'ended') this.#forget(now, call);
    }
  }

  describe(): object {
    return { calls: this.#calls.size, sessions: this.#sessions.size, digits: this.#digitMemory.describe() };
  }

  #begin(now: Milliseconds, plan: CallPlan, record?: CallRecord): Call {
    const { userAgent, media, alarms, entropy } = this.#ports;
    const { calls, sound } = this.#ports.settings();
    const ports: CallPorts = {
      digitMemory: this.#digitMemory,
      userAgent,
      media,
      alarms,
      entropy,
      calls,
      sound,
      report: (news) => this.#news.push(news),
      bind: (session) => this.#sessions.set(session, call),
      hasLine: (name) => this.#ports.hasLine(name),
    };
    const call: Call = new Call(now, plan, ports, record);
    this.#calls.set(plan.id, call);
    if (call.session !== undefined) this.#sessions.set(call.session, call);
    if (record) call.resume(now);
    else call.start(now);
    return call;
  }

  #forget(now: Milliseconds, call: Call): void {
    const { outbox } = this.#ports;
    this.#calls.delete(call.plan.id);
    this.#reported.delete(call.plan.id);
    if (call.session !== undefined) this.#sessions.delete(call.session);
    outbox.record({ kind: 'call', entry: entryOf(call, now, outbox.wallTimeAt(now, call.times.createdAt)) });
  }

  /** Our address as the server of the line can reach it or, without a line, whoever is at `host`. */
  #localAddress(line: LineSettings | undefined, host: string): string {
    const server = line && this.#ports.userAgent.serverOf(line.name);
    const { host: reached, transport } = server ?? { host: withoutBrackets(host), transport: 'udp' };
    return this.#ports.addresses.towards(reached, transport).address;
  }

  #newId(): string {
    return randomToken(this.#ports.entropy, 8);
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

function hostOf(uri: Uri): string {
  return uri.kind === 'sip' ? uri.host : '';
}

/** `[::1]` in a URI is `::1` to a socket. */
function withoutBrackets(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}
