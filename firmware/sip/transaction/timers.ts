import type { Milliseconds } from '#firmware/core/clock.ts';

/** RFC 3261 §17.1.1.1: the three times all others follow from. */
export interface TransactionTimes {
  /** Round-trip time estimate, 500 ms. */
  readonly t1: Milliseconds;
  /** Longest interval between retransmissions of non-INVITE requests and INVITE responses, 4 s. */
  readonly t2: Milliseconds;
  /** How long a message may stay in the network, 5 s. */
  readonly t4: Milliseconds;
}

export const defaultTransactionTimes: TransactionTimes = { t1: 500, t2: 4_000, t4: 5_000 };

/** The timers of RFC 3261 Table 4 and RFC 6026 §7, and `trying`: 200 ms until an INVITE gets its 100 (§17.2.1). */
export type TransactionTimer = 'A' | 'B' | 'D' | 'E' | 'F' | 'G' | 'H' | 'I' | 'J' | 'K' | 'L' | 'M' | 'trying';
