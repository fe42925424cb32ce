import type { Milliseconds } from '#firmware/core/clock.ts';
import type { MessageLimits } from './message/parse.ts';

export interface UserAgentSettings {
  /** RFC 3261 §17.1.1.1: round-trip estimate, ms; T2 and T4 likewise. */
  readonly t1: Milliseconds;
  readonly t2: Milliseconds;
  readonly t4: Milliseconds;
  /** Requests of peers in progress at once, and as many of ours; beyond it 503 with Retry-After, ours fail at once. */
  readonly maximumTransactions: number;
  /** Calls at once, whichever state they are in; beyond it 503 with Retry-After. */
  readonly maximumSessions: number;
  /** User-Agent and Server; absent, neither header is sent. */
  readonly product?: string | undefined;
  /** RFC 5626 §4.1: the UUID of this device, the same for ever; absent, registrars tell our bindings by their Contact alone. */
  readonly instanceId?: string | undefined;
  /** True: an INVITE may come from anyone, not only from the servers of an account. */
  readonly acceptDirectCalls: boolean;
  /** False: instant messages are refused with 403. */
  readonly acceptMessages: boolean;
  /** True: the servers of an account may subscribe to the state of its calls (RFC 4235) and to its presence (RFC 3856). */
  readonly acceptWatchers: boolean;
  /** True: who found us busy may ask to be told when we are free (RFC 6910). */
  readonly offerCompletion: boolean;
  /** Subscriptions of peers at once; beyond it 503 with Retry-After. */
  readonly maximumWatchers: number;
  /** Subscriptions and publications of ours at once. */
  readonly maximumSubscriptions: number;
  /** Who may tell the device to read its settings anew or to restart (NOTIFY check-sync): nobody, the servers of an account, or those of
   * them that know its password. */
  readonly acceptCheckSync: 'never' | 'server' | 'authenticated';
  /** How long a server may be silent before another one of the account or of its domain is tried, ms. */
  readonly failoverAfter: Milliseconds;
  /** How long an INVITE may ring before it is cancelled, ms: longer than a proxy's timer C (RFC 3261 §16.6). */
  readonly noAnswer: Milliseconds;
  /** First and longest wait before a failed registration is tried again, ms; doubled and jittered in between (RFC 5626 §4.5). */
  readonly retryBase: Milliseconds;
  readonly retryMaximum: Milliseconds;
  /** The same for a registration the registrar refused, such as for a wrong password. */
  readonly rejectedRetryBase: Milliseconds;
  readonly rejectedRetryMaximum: Milliseconds;
  /** How long a call lives without a refresh, s (RFC 4028); 0: we ask for no timer, but grant one to a peer that does. */
  readonly sessionExpires: number;
  /** The shortest such time that a peer may ask for, s; less than 90 counts as 90. */
  readonly minimumSessionExpires: number;
  /** Provisional responses that are acknowledged (RFC 3262): not at all, with peers that can, or only so. */
  readonly reliableProvisional: 'off' | 'supported' | 'required';
  /** Messages a second that an address may send us, unless it is a server of ours; four seconds' worth at once; 0 = no limit. */
  readonly messagesPerSecond: number;
  /** How large a message may be; larger ones are refused with 513. */
  readonly messageLimits: Partial<MessageLimits>;
  /** RFC 3261 §18.1.1: octets above which a request goes by TCP instead of UDP. */
  readonly largestDatagram: number;
  /** True: an event `message` for every message sent and received. */
  readonly trace: boolean;
}

export const defaultUserAgentSettings: UserAgentSettings = {
  t1: 500,
  t2: 4_000,
  t4: 5_000,
  maximumTransactions: 10_000,
  maximumSessions: 256,
  acceptDirectCalls: false,
  acceptMessages: true,
  acceptWatchers: false,
  offerCompletion: false,
  maximumWatchers: 64,
  maximumSubscriptions: 128,
  acceptCheckSync: 'never',
  failoverAfter: 4_000,
  noAnswer: 240_000,
  retryBase: 4_000,
  retryMaximum: 300_000,
  rejectedRetryBase: 300_000,
  rejectedRetryMaximum: 3_600_000,
  sessionExpires: 1_800,
  minimumSessionExpires: 90,
  reliableProvisional: 'supported',
  messagesPerSecond: 0,
  messageLimits: {},
  largestDatagram: 1_300,
  trace: false,
};
