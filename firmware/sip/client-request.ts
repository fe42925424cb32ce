import type { Milliseconds } from '#firmware/core/clock.ts';
import type { AgentCore, TransactionUser } from './agent-core.ts';
import type { AuthenticationTries } from './authenticator.ts';
import type { Identity } from './identity.ts';
import type { Request, Response } from './message/message.ts';
import type { ClientTransaction } from './transaction/transaction-layer.ts';
import type { Flow } from './transport/flow.ts';
import type { Destination } from './transport/sip-core.ts';

export interface ClientRequestParts {
  readonly core: AgentCore;
  readonly identity: Identity;
  readonly destination: Destination;
  readonly inDialog: boolean;
  /** The request with a fresh CSeq number, without Via; asked for again for every try. */
  readonly build: () => Request;
  /** Every response but the challenges that were answered. */
  readonly onResponse: (now: Milliseconds, response: Response, request: ClientRequest, flow: Flow) => void;
  readonly onFailure: (now: Milliseconds, cause: 'timeout' | 'transport', obstacle: string | undefined) => void;
  /** True if a refusal has been made up for, so that the request is to be built and sent again (RFC 4028 §7.4). */
  readonly amends?: (response: Response) => boolean;
  /** A challenge was answered or a refusal amended: the request is on its way anew. */
  readonly onRetry?: (now: Milliseconds) => void;
}

/** One request of ours until its final response, however often a challenge makes us send it again (RFC 3261 §22.2). */
export class ClientRequest implements TransactionUser {
  readonly #parts: ClientRequestParts;
  readonly #tries: AuthenticationTries = new Map();
  #transaction: ClientTransaction;
  #isWanted = true;

  constructor(now: Milliseconds, parts: ClientRequestParts) {
    this.#parts = parts;
    this.#transaction = this.#send(now);
  }

  /** The transaction of the last try. */
  get transaction(): ClientTransaction {
    return this.#transaction;
  }

  get destination(): Destination {
    return this.#parts.destination;
  }

  /** Nobody wants the answer so much any more as to send the request again: challenges are reported like other refusals. */
  stopTrying(): void {
    this.#isWanted = false;
  }

  responded(now: Milliseconds, response: Response, flow: Flow): void {
    const { identity, destination, onResponse, amends } = this.#parts;
    identity.answeredBy(destination, flow);
    if (response.isSuccess) identity.authenticator?.succeeded(this.#transaction.request, response);
    const challenged = response.statusCode === 401 || response.statusCode === 407;
    const again = this.#isWanted && (challenged ? this.#mayAnswer(response) : response.isFinal && amends?.(response));
    if (again) {
      this.#transaction = this.#send(now);
      this.#parts.onRetry?.(now);
    } else onResponse(now, response, this, flow);
  }

  failed(now: Milliseconds, cause: 'timeout' | 'transport', obstacle: string | undefined): void {
    this.#parts.onFailure(now, cause, obstacle);
  }

  #mayAnswer(response: Response): boolean {
    const { identity, destination, inDialog } = this.#parts;
    const { request } = this.#transaction;
    const trusts = (realm: string): boolean => identity.trusts(realm, { method: request.method, inDialog, destination });
    return identity.authenticator?.challenged(request, response, this.#tries, trusts) === 'answered';
  }

  #send(now: Milliseconds): ClientTransaction {
    const { core, identity, destination, build } = this.#parts;
    const request = build();
    const ours = identity.isServer(destination.host);
    return core.send(now, (ours && identity.authenticator?.authorize(request)) || request, destination, this);
  }
}
