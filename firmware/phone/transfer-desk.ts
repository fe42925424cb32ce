import type { Milliseconds } from '#firmware/core/clock.ts';
import { UsageError } from '#firmware/core/errors.ts';
import { formatUri, type Uri } from '#firmware/sip/message/uri.ts';
import type { UserAgent } from '#firmware/sip/user-agent.ts';
import type { SessionId, UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import type { Call } from './call.ts';
import type { CallDesk } from './call-desk.ts';
import type { CallHeader, CallNews } from './call-plan.ts';
import { resolveTarget } from './dial-target.ts';
import type { Handset } from './handset.ts';
import type { Outbox } from './outbox.ts';
import type { PhoneSettings } from './phone-settings.ts';

export interface TransferDeskPorts {
  readonly userAgent: UserAgent;
  readonly desk: CallDesk;
  readonly handset: Handset;
  readonly outbox: Outbox;
  settings(): PhoneSettings;
}

export interface TransferWish {
  /** Whose far end is sent on; the call that is talked in unless told, of two calls the one that was held for the other. */
  readonly call?: string | undefined;
  /** Where to; without one the two far ends are connected with each other. */
  readonly target?: string | undefined;
}

/** A transfer we asked for. */
interface Asked {
  /** Whose far end was asked. */
  readonly call: Call;
  /** The call it is to take over, when the person has talked to the target first. */
  readonly consultation: Call | undefined;
  readonly target: string;
  /** They tell how it goes. */
  readonly followed: boolean;
}

/** A call we make because the far end of another asked for it. */
interface Obeyed {
  readonly session: SessionId;
  /** Absent when a server asked, outside any call. */
  readonly asker: Call | undefined;
}

type Referred = Extract<UserAgentEvent, { type: 'referred' }>;
type Progress = Extract<UserAgentEvent, { type: 'referProgress' }>;

/** Of a text of theirs that is passed on or told. */
const textAtMost = 512;

/**
 * Calls passed on, from both ends (RFC 5589): our person sends a far end on, blindly or after talking to the target, and hangs up once it
 * has worked; or the far end of the person's call sends us on, and gets the call back when that has failed.
 */
export class TransferDesk {
  readonly #ports: TransferDeskPorts;
  readonly #asked = new Map<SessionId, Asked>();
  readonly #failed = new WeakSet<Call>();
  readonly #obeyed = new Map<Call, Obeyed>();

  constructor(ports: TransferDeskPorts) {
    this.#ports = ports;
  }

  /** Throws UsageError when there is nothing to transfer, or nobody to transfer to. */
  transfer(now: Milliseconds, wish: TransferWish): void {
    const { userAgent, outbox, settings } = this.#ports;
    const { call: id, target } = this.#withoutWaiting(now, wish);
    const consultation = target === undefined ? this.#consultation(id) : undefined;
    const call = consultation ? this.#otherThan(consultation) : this.#chosen(id);
    const { session } = call;
    if (session === undefined || !call.talking) {
      throw new UsageError('wrong-state', `only an accepted call can be transferred, this one is ${call.stateFor(false)}`);
    }
    const uri = consultation ? this.#addressOf(consultation) : resolveTarget(target ?? '', settings(), call.plan.line?.name).uri;
    const text = consultation?.remote.uri ?? formatUri(uri);
    // The user agent may answer at once, with what it makes of the address.
    const followed = call.plan.line?.features.followTransfers ?? true;
    this.#asked.set(session, { call, consultation, target: text, followed });
    this.#failed.delete(call);
    if (!userAgent.refer(now, session, uri, followed)) {
      this.#asked.delete(session);
      throw new UsageError('wrong-state', 'the far end can not be asked now: it has just been asked, or the call is not settled yet');
    }
    outbox.fact('call.transfer', { call: call.plan.id, stage: 'asked', target: text, attended: consultation !== undefined });
  }

  take(now: Milliseconds, event: Referred | Progress): void {
    if (event.type === 'referred') this.#referred(now, event);
    else this.#progress(now, event);
  }

  /** A call that somebody else asked for: they are told how it goes. */
  takeCall(now: Milliseconds, call: Call, news: CallNews): void {
    const obeyed = this.#obeyed.get(call);
    if (!obeyed) return;
    const { userAgent, handset } = this.#ports;
    if (news.kind === 'progress') userAgent.tellReferred(now, obeyed.session, 180);
    else if (news.kind === 'accepted') {
      this.#obeyed.delete(call);
      userAgent.tellReferred(now, obeyed.session, 200);
    } else if (news.kind === 'ended') {
      this.#obeyed.delete(call);
      userAgent.tellReferred(now, obeyed.session, call.times.ending?.statusCode ?? 503);
      if (obeyed.asker) handset.goBackTo(now, obeyed.asker);
    }
  }

  stageOf(call: Call): 'underWay' | 'failed' | undefined {
    if (call.session !== undefined && this.#asked.has(call.session)) return 'underWay';
    return this.#failed.has(call) ? 'failed' : undefined;
  }

  /** For the display. */
  textOf(call: Call): string | undefined {
    const stage = this.stageOf(call);
    return stage && (stage === 'underWay' ? 'Transferring …' : 'Transfer failed');
  }

  /**
   * RFC 5589 §7.5: a target that only rings yet can't be told whose place the new call takes, so ours to it is given up, and the far end is sent
   * there like blindly.
   */
  #withoutWaiting(now: Milliseconds, wish: TransferWish): TransferWish {
    const { handset } = this.#ports;
    const { focus } = handset;
    if (wish.target !== undefined || focus?.plan.way.direction !== 'outgoing' || focus.talking || !focus.alive) return wish;
    const call = handset.calls.find((one) => one.onHold && (wish.call === undefined || one.plan.id === wish.call));
    if (!call) return wish;
    const target = formatUri(focus.plan.way.target);
    // The one that was held is talked in again, as with any other transfer until it has worked.
    handset.resume(now, call.plan.id);
    return { call: call.plan.id, target };
  }

  /** Of two accepted calls the one with whom the other is to be connected. */
  #consultation(id: string | undefined): Call {
    const calls = this.#ports.handset.calls.filter(({ talking }) => talking);
    const sentOn = id === undefined ? calls.find((call) => call !== this.#ports.handset.focus) : calls.find(({ plan }) => plan.id === id);
    const other = calls.find((call) => call !== sentOn);
    if (!sentOn || !other) throw new UsageError('no-call', 'say where to, or have two accepted calls to connect with each other');
    return other;
  }

  #otherThan(consultation: Call): Call {
    const call = this.#ports.handset.calls.find((one) => one !== consultation && one.talking);
    if (!call) throw new UsageError('no-call', 'there is no other call');
    return call;
  }

  #chosen(id: string | undefined): Call {
    const { handset } = this.#ports;
    const call = id === undefined ? handset.focus : handset.calls.find(({ plan }) => plan.id === id);
    if (call) return call;
    throw id === undefined
      ? new UsageError('no-call', 'there is no call to transfer')
      : new UsageError('unknown-call', `there is no call ${id.slice(0, 40)} at the handset`);
  }

  #addressOf({ session }: Call): Uri {
    const address = session === undefined ? undefined : this.#ports.userAgent.addressWithReplaces(session);
    if (!address) throw new UsageError('wrong-state', 'the call to connect with is not settled yet');
    return address;
  }

  #progress(now: Milliseconds, { session, stage, statusCode, reasonPhrase }: Progress): void {
    const asked = this.#asked.get(session);
    if (!asked) return;
    const { call, consultation, target, followed } = asked;
    const worked = stage === 'concluded' && statusCode < 300;
    const shown = stage !== 'concluded' ? stage : worked ? 'done' : 'failed';
    this.#ports.outbox.fact('call.transfer', { call: call.plan.id, stage: shown, target, statusCode, reason: reasonPhrase });
    if (stage !== 'concluded' && stage !== 'unknown') return;
    this.#asked.delete(session);
    if (stage === 'concluded' && !worked) this.#failed.add(call);
    if (!worked) this.#ports.handset.farewell.giveUp(now);
    // The target hangs up the call that was replaced; whoever knows no Replaces does not. It may not have been replaced yet if nobody tells.
    if (worked) for (const one of followed ? [call, consultation] : [call]) if (one?.alive) this.#ports.handset.hangUp(now, one.plan.id);
  }

  /** RFC 3515 §5: the person has allowed it by the setting, and only whoever they are talking to may ask. */
  #referred(now: Milliseconds, event: Referred): void {
    const { handset, desk, settings } = this.#ports;
    const asker = desk.ofSession(event.session);
    const wanted = wantedCall(event);
    if (event.account !== undefined) {
      if (wanted) this.#obey(now, event, undefined, wanted);
      else this.#refuse(now, event, 603, 'nobody can be called there');
    } else if (!settings().calls.acceptTransfers) this.#refuse(now, event, 403, 'transfers are not accepted');
    else if (!asker?.talking || asker !== handset.focus) this.#refuse(now, event, 603, 'nobody is talking in that call');
    else if (!wanted) this.#refuse(now, event, 603, 'nobody can be called there');
    else this.#obey(now, event, asker, wanted);
  }

  #obey(now: Milliseconds, event: Referred, asker: Call | undefined, wanted: WantedCall): void {
    const { userAgent, handset } = this.#ports;
    const { session } = event;
    try {
      const call = asker
        ? handset.callOnBehalf(now, wanted.dialString, asker.plan.line?.name, wanted.headers)
        : handset.call(now, wanted.dialString, event.account, wanted.headers);
      this.#obeyed.set(call, { session, asker });
      userAgent.acceptRefer(now, session);
      this.#tellReferral(event, 'accepted', null);
    } catch (thrown) {
      if (!(thrown instanceof UsageError)) throw thrown;
      this.#refuse(now, event, 486, thrown.message);
    }
  }

  #refuse(now: Milliseconds, event: Referred, statusCode: number, reason: string): void {
    this.#ports.userAgent.rejectRefer(now, event.session, statusCode);
    this.#tellReferral(event, 'refused', reason);
  }

  #tellReferral({ session, target }: Referred, stage: string, reason: string | null): void {
    const call = this.#ports.desk.ofSession(session)?.plan.id ?? null;
    this.#ports.outbox.fact('call.referral', { call, stage, target: formatUri(target).slice(0, textAtMost), reason });
  }
}

interface WantedCall {
  readonly dialString: string;
  readonly headers: readonly CallHeader[];
}

/** Of the headers that a Refer-To may ask for, those of a transfer alone: others could make us say what nobody has said. */
function wantedCall({ target, referredBy }: Referred): WantedCall | undefined {
  const by: readonly CallHeader[] = referredBy === undefined ? [] : [['Referred-By', referredBy.slice(0, textAtMost)]];
  if (target.kind !== 'sip') return target.scheme === 'tel' ? { dialString: formatUri(target), headers: by } : undefined;
  if ((target.params.get('method') ?? 'INVITE').toUpperCase() !== 'INVITE') return undefined;
  const named = (name: string) => target.headers.find(([known]) => known.toLowerCase() === name)?.[1];
  const replaces = named('replaces');
  const headers: CallHeader[] = replaces === undefined ? [...by] : [...by, ['Replaces', replaces]];
  if (replaces !== undefined && named('require')?.toLowerCase() === 'replaces') headers.push(['Require', 'replaces']);
  return { dialString: formatUri(target.withoutParam('method').with({ headers: [] })), headers };
}
