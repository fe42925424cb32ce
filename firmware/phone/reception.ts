import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Counters } from '#firmware/core/counters.ts';
import type { Entropy } from '#firmware/core/entropy.ts';
import { NameAddr } from '#firmware/sip/message/name-addr.ts';
import { descriptionOf } from '#firmware/sip/message-body.ts';
import type { RejectOptions, UserAgent } from '#firmware/sip/user-agent.ts';
import type { Body, UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import type { Call } from './call.ts';
import type { CallDesk } from './call-desk.ts';
import { refusedEntryOf } from './call-log.ts';
import type { RemoteParty } from './call-plan.ts';
import { securityOfIncoming } from './call-security.ts';
import type { Line } from './line.ts';
import { problemOfOffer } from './negotiation.ts';
import type { Outbox } from './outbox.ts';
import type { PhoneSettings } from './phone-settings.ts';

export interface ReceptionPorts {
  readonly userAgent: UserAgent;
  readonly desk: CallDesk;
  readonly outbox: Outbox;
  readonly counters: Counters;
  readonly entropy: Entropy;
  settings(): PhoneSettings;
  lines(): readonly Line[];
  /** What a call finds at the handset. */
  room(): 'free' | 'waiting' | 'full';
  /** The call takes the place of another as soon as it can. */
  replace(replaced: Call, successor: Call): void;
}

/** Why a call may not ring. */
interface Refusal {
  readonly statusCode: number;
  readonly options?: RejectOptions;
}

const displayNameAtMost = 64;
const factAtMost = 256;

/** Decides what becomes of a call that comes in: it rings, or it is turned away with the status that says why. */
export class Reception {
  readonly #ports: ReceptionPorts;

  constructor(ports: ReceptionPorts) {
    this.#ports = ports;
  }

  /** Returns true for a call the person missed. */
  take(now: Milliseconds, event: UserAgentEvent & { type: 'incoming' }): boolean {
    const { userAgent, desk, outbox } = this.#ports;
    const { request, session } = event;
    const line = this.#ports.lines().find(({ settings }) => settings.name === event.account);
    const remote = partyOf(event.asserted ?? request.from);
    const offer = descriptionOf(request);
    const replaced = event.replaces === undefined ? undefined : desk.ofSession(event.replaces);
    const refusal = event.replaces === undefined ? this.#refusalOf(line, offer) : this.#refusalOfSuccessor(replaced, line, offer);
    if (!refusal) {
      const host = request.topVia.received ?? request.topVia.host;
      const call = desk.admit(now, { session, line: line?.settings, remote, offer, host });
      const referredBy = request.header('Referred-By');
      if (referredBy !== undefined) outbox.fact('call.referred', { call: call.plan.id, by: referredBy.slice(0, factAtMost) });
      if (replaced) this.#ports.replace(replaced, call);
      return false;
    }
    this.#ports.counters.add(`call-refused-${refusal.statusCode}`);
    userAgent.reject(now, session, refusal.statusCode, refusal.options);
    const entry = refusedEntryOf(remote, line?.settings, refusal.statusCode, outbox.wallTime());
    outbox.record({ kind: 'call', entry });
    outbox.fact('call.refused', { remote: remote.uri, statusCode: refusal.statusCode });
    return entry.outcome === 'missed';
  }

  #refusalOf(line: Line | undefined, offer: Body | undefined): Refusal | undefined {
    const { calls } = this.#ports.settings();
    if (line?.settings.forward) return { statusCode: 302, options: { contacts: [new NameAddr(line.settings.forward)] } };
    if (this.#isQuiet(line)) return { statusCode: calls.doNotDisturbStatus };
    const useless = this.#refusalOfSound(line, offer);
    if (useless) return useless;
    return !this.#ports.desk.hasRoom || this.#ports.room() === 'full' ? { statusCode: 486 } : undefined;
  }

  /** RFC 3891 §3: the person talks on with somebody else, so neither do not disturb nor a lack of room matters. */
  #refusalOfSuccessor(replaced: Call | undefined, line: Line | undefined, offer: Body | undefined): Refusal | undefined {
    if (!this.#ports.settings().calls.acceptTransfers) return { statusCode: 403 };
    // Doors and alerts talk to nobody but their people.
    if (!replaced?.alive || replaced.plan.owner.kind !== 'handset') return { statusCode: 603 };
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

/** Somebody as From says; the name is for a small display, so what cannot be shown is left out. */
export function partyOf({ displayName = '', uri }: NameAddr): RemoteParty {
  const shown = [...displayName].filter((character) => character >= ' ' && character !== '\u007f').slice(0, displayNameAtMost);
  return { displayName: shown.join('').trim(), uri: uri.toString() };
}
