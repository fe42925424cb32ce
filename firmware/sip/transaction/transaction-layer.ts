import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Counters } from '#firmware/core/counters.ts';
import { InvariantError } from '#firmware/core/errors.ts';
import type { Message, Request, Response } from '../message/message.ts';
import type { Flow, Target } from '../transport/flow.ts';
import { defaultTransactionTimes, type TransactionTimes } from './timers.ts';

/** A request of ours on its way, from sending it to the end of its transaction. Compare by identity. */
export interface ClientTransaction {
  readonly role: 'client';
  /** Unique among live transactions; for logs and ladders. */
  readonly id: string;
  readonly request: Request;
  readonly target: Target;
}

/** A request of a peer that wants a final response. Compare by identity. */
export interface ServerTransaction {
  readonly role: 'server';
  readonly id: string;
  /** With `received` and `rport` filled in (RFC 3261 §18.2.1, RFC 3581 §4). */
  readonly request: Request;
  readonly flow: Flow;
}

export interface TransactionSettings {
  readonly times: TransactionTimes;
  /** Live server transactions; beyond it new requests get 503 or silence. */
  readonly serverTransactions: number;
  /** What a request beyond that gets. */
  readonly overload: 'silence' | { readonly retryAfterSeconds: number };
}

export const defaultTransactionSettings: TransactionSettings = {
  times: defaultTransactionTimes,
  serverTransactions: 10_000,
  overload: { retryAfterSeconds: 5 },
};

/** What the driver takes with `drain()`: bytes for the transport, and events for the TransactionUser. */
export type TransactionOutput =
  /** To the transport. If it fails, tell `transportFailed` with the transaction, when there is one. `message` is for traces. */
  | {
      readonly type: 'send';
      readonly bytes: Uint8Array;
      readonly target: Target;
      readonly message: Message;
      readonly transaction: ClientTransaction | ServerTransaction | undefined;
    }
  /** A new request other than ACK and CANCEL. `merged`: the same request came by another path and is live (RFC 3261 §8.2.2.2: a UAS answers 482). */
  | { readonly type: 'request'; readonly transaction: ServerTransaction; readonly request: Request; readonly merged: boolean }
  /** A CANCEL: the TransactionUser answers it (200 or 481) and, if `invite` is there and unanswered, that one (487). */
  | {
      readonly type: 'cancel';
      readonly transaction: ServerTransaction;
      readonly request: Request;
      readonly invite: ServerTransaction | undefined;
    }
  /** An ACK that ends no transaction here: of a 2xx, or a stray one. */
  | { readonly type: 'ack'; readonly request: Request; readonly flow: Flow }
  /** A response to a request of ours; without `transaction` a stray one (a 2xx after its transaction ended, or a proxy's to forward). */
  | { readonly type: 'response'; readonly transaction: ClientTransaction | undefined; readonly response: Response; readonly flow: Flow }
  /** No final response in time (RFC 3261 §8.1.3.1: as 408), or for an INVITE server transaction no ACK. */
  | { readonly type: 'timeout'; readonly transaction: ClientTransaction | ServerTransaction }
  /** The transport could not deliver (RFC 3261 §8.1.3.1: as 503). */
  | { readonly type: 'transportError'; readonly transaction: ClientTransaction | ServerTransaction }
  /** The transaction is gone. Always the last output about it. */
  | { readonly type: 'terminated'; readonly transaction: ClientTransaction | ServerTransaction };

/** RFC 3261 §17 with RFC 6026: finds the transaction a message belongs to, and runs them all. */
export class TransactionLayer {
  readonly #settings: TransactionSettings;
  readonly #counters: Counters;

  constructor(counters: Counters, settings: TransactionSettings = defaultTransactionSettings) {
    this.#settings = settings;
    this.#counters = counters;
  }

  /** A well-formed message from the transport, request or response. */
  receive(now: Milliseconds, message: Message, flow: Flow): void {
    throw new InvariantError(`not built: ${now} ${message.kind} ${flow.id} ${this.#settings} ${this.#counters}`);
  }

  /**
   * Starts a client transaction and sends the request. Its top Via must be ours, with a branch used by no other request (`withTopVia`,
   * `newBranch`); a CANCEL carries the branch of its INVITE (`buildCancel`). The ACK of a 2xx is no transaction: `send` it.
   */
  request(now: Milliseconds, request: Request, target: Target): ClientTransaction {
    throw new InvariantError(`not built: ${now} ${request.method} ${target.address}`);
  }

  /** Sends a response. A final one to an unfinished transaction ends it; a 2xx to an INVITE may be sent again and again (RFC 6026). */
  respond(now: Milliseconds, transaction: ServerTransaction, response: Response): void {
    throw new InvariantError(`not built: ${now} ${transaction.id} ${response.statusCode}`);
  }

  /** Answers an INVITE with no 100 of its own: this user sends its own provisional responses. */
  withoutTrying(transaction: ServerTransaction): void {
    throw new InvariantError(`not built: ${transaction.id}`);
  }

  /** Sends outside any transaction: the ACK of a 2xx, a stateless response. */
  send(message: Message, target: Target): void {
    throw new InvariantError(`not built: ${message.kind} ${target.address}`);
  }

  /** The transport could not send what this transaction gave it (connection refused, ICMP unreachable). */
  transportFailed(now: Milliseconds, transaction: ClientTransaction | ServerTransaction): void {
    throw new InvariantError(`not built: ${now} ${transaction.id}`);
  }

  /** A flow closed or broke: its unanswered client transactions fail. */
  flowFailed(now: Milliseconds, flow: Flow): void {
    throw new InvariantError(`not built: ${now} ${flow.id}`);
  }

  handleTimeout(now: Milliseconds): void {
    throw new InvariantError(`not built: ${now}`);
  }

  get deadline(): Milliseconds | undefined {
    return undefined;
  }

  drain(): TransactionOutput[] {
    return [];
  }
}

/** Where a response goes: RFC 3261 §18.2.2 and RFC 3581, by the request's stamped top Via and the flow it came by. `maddr` is not followed. */
export function responseTarget(request: Request, flow: Flow): Target {
  throw new InvariantError(`not built: ${request.method} ${flow.id}`);
}
