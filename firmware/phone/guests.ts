import type { Milliseconds } from '#firmware/core/clock.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { Call } from './call.ts';
import type { CallNews, RemoteParty } from './call-plan.ts';
import type { Handset } from './handset.ts';
import type { Line } from './line.ts';
import type { Outbox } from './outbox.ts';
import type { LineSettings, PhoneSettings } from './phone-settings.ts';

export interface GuestsPorts {
  readonly handset: Handset;
  readonly outbox: Outbox;
  settings(): PhoneSettings;
  lines(): readonly Line[];
}

/** Callers who ask to be let into a call that is talked in (RFC 3911): the phone mixes them in by its own conference. */
export class Guests {
  readonly #ports: GuestsPorts;
  /** Those on their way, with the call they are to come into. */
  readonly #expected = new Map<Call, Call>();

  constructor(ports: GuestsPorts) {
    this.#ports = ports;
  }

  /** The status that says why somebody may not come in; `undefined` when they may. */
  refusalOf(host: Call | undefined, line: LineSettings | undefined, guest: RemoteParty): 403 | 486 | 603 | undefined {
    const policy = line?.features.acceptJoin ?? 'off';
    if (policy === 'off' || (policy === 'own' && !this.#isOwn(guest))) return 403;
    // The server of one line has no say about the calls of another.
    if (host && host.plan.line?.name !== line?.name) return 403;
    // Doors and alerts talk to nobody but their people.
    if (!host?.alive || host.plan.owner.kind !== 'handset') return 603;
    return this.#isTalkedIn(host) && this.#hasPlaceWith(host) ? undefined : 486;
  }

  /** `guest` may come into the call `host` as soon as it can be accepted. */
  expect(guest: Call, host: Call): void {
    this.#expected.set(guest, host);
  }

  takeCall(now: Milliseconds, call: Call, news: CallNews): void {
    const host = this.#expected.get(call);
    if (!host) return;
    if (news.kind === 'ringing') this.#letIn(now, call, host);
    if (!call.alive || call.talking) this.#expected.delete(call);
  }

  #letIn(now: Milliseconds, guest: Call, host: Call): void {
    const { handset, outbox } = this.#ports;
    if (host.alive && this.#isTalkedIn(host)) guest.accept(now);
    try {
      handset.unite(now, guest.plan.id);
      outbox.fact('call.joined', { call: guest.plan.id, with: host.plan.id, remote: guest.remote.uri });
    } catch (thrown) {
      if (!(thrown instanceof UsageError)) throw thrown;
      guest.hangUp(now);
    }
  }

  /** By the person, who listens now. */
  #isTalkedIn(host: Call): boolean {
    const { focus, conference } = this.#ports.handset;
    const together = focus === host || (conference.includes(host) && conference.some((call) => call === focus));
    return together && host.talking && !host.onHold;
  }

  #hasPlaceWith(host: Call): boolean {
    const { handset, settings } = this.#ports;
    const far = handset.conference.includes(host) ? handset.conference.length : 1;
    return far + this.#expected.size < settings().mixing.conferenceLegs;
  }

  #isOwn({ uri }: RemoteParty): boolean {
    return this.#ports.lines().some(({ settings: { aor } }) => uri === aor.toString());
  }
}
