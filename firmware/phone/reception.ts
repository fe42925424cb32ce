import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Counters } from '#firmware/core/counters.ts';
import type { Entropy } from '#firmware/core/entropy.ts';
import { wishedRing } from '#firmware/sip/alert-ring.ts';
import { type CallRemarks, isAnonymous, remarksOf } from '#firmware/sip/call-remarks.ts';
import { diversionLines } from '#firmware/sip/diversion.ts';
import type { Request } from '#firmware/sip/message/message.ts';
import { NameAddr } from '#firmware/sip/message/name-addr.ts';
import { descriptionOf } from '#firmware/sip/message-body.ts';
import type { RejectOptions } from '#firmware/sip/refusal.ts';
import type { UserAgent } from '#firmware/sip/user-agent.ts';
import type { Body, UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { AutoAnswer } from './auto-answer.ts';
import type { Call } from './call.ts';
import type { CallDesk } from './call-desk.ts';
import { remarkTexts } from './call-features.ts';
import { refusedEntryOf } from './call-log.ts';
import type { CallNews, RemoteParty } from './call-plan.ts';
import { securityOfIncoming } from './call-security.ts';
import { Guests } from './guests.ts';
import type { Handset } from './handset.ts';
import type { Line } from './line.ts';
import type { Alarms } from './machine.ts';
import type { MediaDesk } from './media-desk.ts';
import { problemOfOffer } from './negotiation.ts';
import type { Outbox } from './outbox.ts';
import type { PhoneSettings } from './phone-settings.ts';
import { partyOf } from './remote-party.ts';

export interface ReceptionPorts {
  readonly userAgent: UserAgent;
  readonly desk: CallDesk;
  readonly outbox: Outbox;
  readonly counters: Counters;
  readonly entropy: Entropy;
  readonly handset: Handset;
  readonly media: MediaDesk;
  readonly alarms: Alarms;
  settings(): PhoneSettings;
  lines(): readonly Line[];
}

/** Why a call may not ring. */
interface Refusal {
  readonly statusCode: number;
  readonly options?: RejectOptions;
}

const factAtMost = 256;

/** Decides what becomes of a call that comes in: it rings, or it is turned away with the status that says why. */
export class Reception {
  readonly #ports: ReceptionPorts;
  readonly #autoAnswer: AutoAnswer;
  readonly #guests: Guests;

  constructor(ports: ReceptionPorts) {
    this.#ports = ports;
    this.#autoAnswer = new AutoAnswer(ports);
    this.#guests = new Guests(ports);
  }

  /** A call that was let in may accept itself. */
  takeCall(now: Milliseconds, call: Call, news: CallNews): void {
    this.#autoAnswer.takeCall(now, call, news);
    this.#guests.takeCall(now, call, news);
  }

  /** Returns true for a call the person missed. */
  take(now: Milliseconds, event: UserAgentEvent & { type: 'incoming' }): boolean {
    const { userAgent, desk, outbox } = this.#ports;
    const { request, session } = event;
    const line = this.#ports.lines().find(({ settings }) => settings.name === event.account);
    const remote = partyOf(event.asserted ?? request.from);
    const offer = descriptionOf(request);
    const replaced = event.replaces === undefined ? undefined : desk.ofSession(event.replaces);
    const host = event.joins === undefined ? undefined : desk.ofSession(event.joins);
    const autoAnswer = this.#autoAnswer;
    const remarks = remarksOf(request);
    const isPlain = event.replaces === undefined && event.joins === undefined;
    const verdict = isPlain ? autoAnswer.judge(request, remote, line?.settings) : ({ kind: 'ring' } as const);
    const refusal =
      event.replaces !== undefined
        ? this.#refusalOfSuccessor(replaced, line, offer)
        : event.joins !== undefined
          ? this.#refusalOfGuest(host, line, remote, offer)
          : (this.#refusalOf(line, request, remarks) ??
            (verdict.kind === 'refuse' ? { statusCode: 403, options: { reasonPhrase: 'Automatic Answer Forbidden' } } : undefined));
    if (!refusal) {
      const { received, host: sender } = request.topVia;
      const isAutomatic = (): boolean => autoAnswer.hasAccepted(call);
      const ring = line?.settings.features.callerRing ? wishedRing(request) : undefined;
      const said = { session, line: line?.settings, remote, offer, remarks: remarkTexts(remarks), ring };
      const call = desk.admit(now, { ...said, host: received ?? sender, isAutomatic });
      if (verdict.kind === 'accept') autoAnswer.expect(call, verdict.afterMs);
      const referredBy = request.header('Referred-By');
      if (referredBy !== undefined) outbox.fact('call.referred', { call: call.plan.id, by: referredBy.slice(0, factAtMost) });
      if (replaced) this.#ports.handset.expectSuccessor(replaced, call);
      if (host) this.#guests.expect(call, host);
      return false;
    }
    this.#ports.counters.add(`call-refused-${refusal.statusCode}`);
    userAgent.reject(now, session, refusal.statusCode, refusal.options);
    const entry = refusedEntryOf(remote, line?.settings, refusal.statusCode, outbox.wallTime());
    outbox.record({ kind: 'call', entry });
    outbox.fact('call.refused', { remote: remote.uri, statusCode: refusal.statusCode });
    return entry.outcome === 'missed';
  }

  #refusalOf(line: Line | undefined, request: Request, { priority }: CallRemarks): Refusal | undefined {
    const { calls } = this.#ports.settings();
    // RFC 5079 §4: only who asks for it is not known; whoever has no number at all is.
    if (line?.settings.features.rejectAnonymous && isAnonymous(request)) return { statusCode: 433 };
    const urgent = line?.settings.features.urgentRings === true && (priority === 'urgent' || priority === 'emergency');
    const { forward, aor } = line?.settings ?? {};
    if (forward && aor && !urgent) {
      return { statusCode: 302, options: { contacts: [new NameAddr(forward)], headers: diversionLines(request, new NameAddr(aor)) } };
    }
    if (this.#isQuiet(line) && !urgent) return { statusCode: calls.doNotDisturbStatus };
    const useless = this.#refusalOfSound(line, descriptionOf(request));
    if (useless) return useless;
    return !this.#ports.desk.hasRoom || this.#ports.handset.room === 'full' ? { statusCode: 486 } : undefined;
  }

  /** RFC 3891 §3: the person talks on with somebody else, so neither do not disturb nor a lack of room matters. */
  #refusalOfSuccessor(replaced: Call | undefined, line: Line | undefined, offer: Body | undefined): Refusal | undefined {
    if (!this.#ports.settings().calls.acceptTransfers) return { statusCode: 403 };
    // Doors and alerts talk to nobody but their people.
    if (!replaced?.alive || replaced.plan.owner.kind !== 'handset') return { statusCode: 603 };
    return this.#ports.desk.hasRoom ? this.#refusalOfSound(line, offer) : { statusCode: 486 };
  }

  /** RFC 3911 §4: who comes into a call disturbs nobody whom it would not disturb to be overheard. */
  #refusalOfGuest(host: Call | undefined, line: Line | undefined, guest: RemoteParty, offer: Body | undefined): Refusal | undefined {
    const statusCode = this.#guests.refusalOf(host, line?.settings, guest);
    if (statusCode !== undefined) return { statusCode };
    return this.#ports.desk.hasRoom ? this.#refusalOfSound(line, offer) : { statusCode: 486 };
  }

  #refusalOfSound(line: Line | undefined, offer: Body | undefined): Refusal | undefined {
    const { sound } = this.#ports.settings();
    const problem =
      offer &&
      problemOfOffer(
        offer,
        sound,
        this.#ports.desk.codecsFor(line?.settings),
        securityOfIncoming(line?.settings, sound, this.#ports.entropy),
      );
    return problem === undefined ? undefined : { statusCode: 488, options: { warning: `no usable sound: ${problem}` } };
  }

  /** A call that came straight to our address disturbs as much as one to any line. */
  #isQuiet(line: Line | undefined): boolean {
    const meant = line ? [line] : this.#ports.lines();
    return meant.length > 0 && meant.every(({ doNotDisturb }) => doNotDisturb);
  }
}
