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

/**
 * The timers of RFC 3261 Table 4 and RFC 6026 §7; `trying`: until an INVITE gets its 100 (§17.2.1); `cancel`: until a cancelled INVITE is
 * given up (§9.1).
 */
export type TransactionTimer = 'A' | 'B' | 'D' | 'E' | 'F' | 'G' | 'H' | 'I' | 'J' | 'K' | 'L' | 'M' | 'trying' | 'cancel';

/** The timers that send something again, each time a while later. */
export type RetransmissionTimer = 'A' | 'E' | 'G';

const tryingDelay: Milliseconds = 200;
/** Table 4 asks timer D for 32 s at least, whatever T1 is. */
const leastTimerD: Milliseconds = 32_000;

/** How long a timer runs when its state is entered, RFC 3261 Table 4; `undefined` when it does not run over a reliable transport. */
export function durationOf(timer: TransactionTimer, times: TransactionTimes, reliable: boolean): Milliseconds | undefined {
  switch (timer) {
    case 'A':
    case 'E':
    case 'G':
      return reliable ? undefined : times.t1;
    case 'B':
    case 'F':
    case 'H':
    case 'L':
    case 'M':
    case 'cancel':
      return 64 * times.t1;
    case 'D':
      return reliable ? 0 : Math.max(leastTimerD, 64 * times.t1);
    case 'I':
    case 'K':
      return reliable ? 0 : times.t4;
    case 'J':
      return reliable ? 0 : 64 * times.t1;
    case 'trying':
      return tryingDelay;
    default:
      return timer satisfies never;
  }
}

/** The next interval of a retransmission timer: A doubles without end (B ends it), E and G double up to T2. */
export function nextInterval(timer: RetransmissionTimer, interval: Milliseconds, times: TransactionTimes): Milliseconds {
  return timer === 'A' ? 2 * interval : Math.min(2 * interval, times.t2);
}
