import type { PhoneStatus } from '#firmware/contract/phone.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Account } from '#firmware/sip/account.ts';
import type { RegistrationEvent } from '#firmware/sip/user-agent-events.ts';
import { securityNotices } from './call-security.ts';
import type { LineSettings } from './phone-settings.ts';

type LineStatus = PhoneStatus['lines'][number];

const clockMinutesAtLeast = 5;

/** One line: what is set for it, and how it stands with its registrar and its mailbox. */
export class Line {
  #settings: LineSettings;
  #doNotDisturb: boolean;
  #registration: RegistrationEvent | undefined;
  /** When the registration is refreshed or tried again. */
  #nextAt: Milliseconds | undefined;
  /** By how much the clock of the registrar is ahead of ours, ms. */
  #clockAheadMs = 0;
  #mailbox = { waiting: false, newMessages: 0, oldMessages: 0 };

  constructor(settings: LineSettings) {
    this.#settings = settings;
    this.#doNotDisturb = settings.doNotDisturb;
  }

  get settings(): LineSettings {
    return this.#settings;
  }

  get doNotDisturb(): boolean {
    return this.#doNotDisturb;
  }

  get messageWaiting(): boolean {
    return this.#mailbox.waiting;
  }

  get state(): LineStatus['registration']['state'] {
    if (!this.#settings.registrar) return 'none';
    return this.#registration?.state ?? 'registering';
  }

  /** Calls can be made: registered, or not meant to be. */
  get ready(): boolean {
    return this.state === 'registered' || this.state === 'none';
  }

  change(settings: LineSettings): void {
    if (settings.doNotDisturb !== this.#settings.doNotDisturb) this.#doNotDisturb = settings.doNotDisturb;
    this.#settings = settings;
  }

  setDoNotDisturb(on: boolean): void {
    this.#doNotDisturb = on;
  }

  /** What people should know of the line. */
  get notices(): readonly string[] {
    return [...securityNotices(this.#settings), ...clockNotices(this.#settings.name, this.#clockAheadMs)];
  }

  /** `wallTime` is that of this device. */
  takeRegistration(now: Milliseconds, event: RegistrationEvent, wallTime: number): void {
    if (event.wallTime !== undefined) this.#clockAheadMs = event.wallTime - wallTime;
    // Trying again says nothing new about why the last try failed.
    const known = this.#registration;
    this.#registration = { ...(event.state === 'registering' && known && whyOf(known)), ...event };
    const nextInMs = event.retryInMs ?? event.expiresInMs;
    this.#nextAt = nextInMs === undefined ? undefined : now + nextInMs;
  }

  takeMailbox(waiting: boolean, newMessages: number, oldMessages: number): void {
    this.#mailbox = { waiting, newMessages, oldMessages };
  }

  status(now: Milliseconds): LineStatus {
    const { name, aor, forward } = this.#settings;
    const registration = this.#registration;
    return {
      line: name,
      aor: aor.toString(),
      registration: {
        state: this.state,
        statusCode: registration?.statusCode ?? null,
        reason: registration ? registrationReason(registration) : null,
        nextInMs: this.#nextAt === undefined ? null : Math.max(0, Math.round(this.#nextAt - now)),
        elapsedMs: registration?.elapsedMs ?? null,
      },
      doNotDisturb: this.#doNotDisturb,
      forward: forward?.toString() ?? null,
      messageWaiting: this.#mailbox,
    };
  }
}

/** A clock that is wrong spoils certificates and logs; it is for the system to set, not for whoever answers a REGISTER. */
function clockNotices(line: string, aheadMs: number): readonly string[] {
  const minutes = Math.round(Math.abs(aheadMs) / 60_000);
  if (minutes < clockMinutesAtLeast) return [];
  const much =
    minutes < 120 ? `${minutes} minutes` : minutes < 2_880 ? `${Math.round(minutes / 60)} hours` : `${Math.round(minutes / 1_440)} days`;
  const order = aheadMs > 0 ? 'behind' : 'ahead of';
  return [
    `the clock of this device is ${much} ${order} that of the server of line ${line}: see to it that time is synchronised (timedatectl)`,
  ];
}

/** What the user agent has to know of a line. */
export function accountOf(settings: LineSettings, contactUser?: string): Account {
  const { name, aor, displayName, registrar, outboundProxy, otherServers, transport, username, password, expires } = settings;
  const { gruu, flows, keepAlive, events, features } = settings;
  return {
    id: name,
    aor,
    displayName: displayName === '' ? undefined : displayName,
    registrar,
    outboundProxy,
    alternatives: otherServers,
    transport,
    gruu,
    watchRegistration: events.watchRegistration,
    flows,
    keepAlive,
    acceptRefer: features.acceptRefer === 'off' ? undefined : features.acceptRefer,
    contactUser,
    credentials: password === '' ? undefined : { username, password },
    expires,
  };
}

/** True if the user agent would act otherwise with the one than with the other. */
export function differsForAccount(a: LineSettings, b: LineSettings): boolean {
  const text = ({ aor, registrar, outboundProxy, otherServers, ...rest }: LineSettings) => {
    const { displayName, transport, username, password, gruu, flows, keepAlive, expires, events, features } = rest;
    const uris = [aor, registrar, outboundProxy, ...otherServers].map(String);
    const rights = [events.watchRegistration, features.acceptRefer];
    return JSON.stringify([uris, displayName, transport, username, password, gruu, flows, keepAlive, expires, rights]);
  };
  return text(a) !== text(b);
}

/** The status in words that say what to do about it. */
function registrationReason({ statusCode, reasonPhrase, obstacle, state }: RegistrationEvent): string | null {
  if (obstacle !== undefined) return `the registrar cannot be reached: ${obstacle}`;
  if (statusCode === undefined) return state === 'failed' ? 'the registrar cannot be reached' : null;
  const phrase = `${statusCode} ${reasonPhrase ?? ''}`.trim();
  if (state === 'registered' || state === 'unregistered') return phrase;
  switch (statusCode) {
    case 401:
    case 403:
    case 407:
      return `wrong user name or password (${phrase})`;
    case 404:
      return `the registrar does not know this address (${phrase})`;
    case 408:
      return `the registrar does not answer (${phrase})`;
    default:
      return phrase;
  }
}

function whyOf({ statusCode, reasonPhrase, obstacle }: RegistrationEvent): Partial<RegistrationEvent> {
  return {
    ...(statusCode === undefined ? {} : { statusCode }),
    ...(reasonPhrase === undefined ? {} : { reasonPhrase }),
    ...(obstacle === undefined ? {} : { obstacle }),
  };
}
