import type { Milliseconds } from '#firmware/core/clock.ts';
import { type DigestAlgorithm, digestAlgorithms } from '#firmware/sip/digest-hash.ts';
import type { MessageLimits } from '#firmware/sip/message/parse.ts';
import { defaultTransactionTimes, type TransactionTimes } from '#firmware/sip/transaction/timers.ts';

export interface ExchangeSettings {
  /** Of digest authentication; the stored proofs of passwords belong to it. */
  readonly realm: string;
  /** Offered in this order, and no others accepted. */
  readonly algorithms: readonly DigestAlgorithm[];
  /** Hosts, with or without a port, whose users are ours, beside the addresses of this machine. */
  readonly domains: readonly string[];
  /** What a registration may ask for, in seconds: less is refused, more is cut. */
  readonly minimumExpires: number;
  readonly maximumExpires: number;
  readonly bindingsPerUser: number;
  readonly maximumUsers: number;
  /** How long a nonce may be used, and how many that were used are remembered. */
  readonly nonceLifetime: Milliseconds;
  readonly nonces: number;
  /** RFC 3261 §16.6 timer C: how long a branch may ring without a word; more than three minutes. */
  readonly timerC: Milliseconds;
  readonly times: TransactionTimes;
  /** How large a message may be; larger ones are refused with 513. */
  readonly messageLimits: Partial<MessageLimits>;
  /** Transactions of peers in progress; beyond it 503. */
  readonly transactions: number;
  /** Requests a second, and at once, from an address where no phone of ours is registered; ten times as many from the others. */
  readonly requestsPerSecond: number;
  readonly requestsAtOnce: number;
  /** Wrong passwords a minute from one address; beyond it 403 without a look at the password. */
  readonly wrongPasswordsPerMinute: number;
  /** Addresses whose rates are remembered. */
  readonly sources: number;
}

export const defaultExchangeSettings: ExchangeSettings = {
  realm: 'hookswitch',
  algorithms: digestAlgorithms,
  domains: [],
  minimumExpires: 60,
  maximumExpires: 3600,
  bindingsPerUser: 10,
  maximumUsers: 1000,
  nonceLifetime: 300_000,
  nonces: 10_000,
  timerC: 185_000,
  times: defaultTransactionTimes,
  messageLimits: {},
  transactions: 10_000,
  requestsPerSecond: 50,
  requestsAtOnce: 200,
  wrongPasswordsPerMinute: 20,
  sources: 4096,
};
