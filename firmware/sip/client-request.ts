import type { Milliseconds } from '#firmware/core/clock.ts';
import { InvariantError } from '#firmware/core/errors.ts';
import type { AgentCore, TransactionUser } from './agent-core.ts';
import type { AuthenticationTries } from './authenticator.ts';
import type { Identity } from './identity.ts';
import type { Request, Response } from './message/message.ts';
import type { Wake } from './state-machine.ts';
import type { ClientTransaction } from './transaction/transaction-layer.ts';
import type { Flow } from './transport/flow.ts';
import type { Hop } from './transport/server-location.ts';
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
  /** Told of answers to an INVITE that was given up for another server; without it nothing is done about them. */
  readonly late?: (invite: ClientTransaction) => TransactionUser;
}

/** RFC 3263 §4.3: a server that asks with it to be left alone is not asked again so long; seconds. */
const retryAfterAtMost = 300;

/**
 * One request of ours until its final response, however often a challenge makes us send it again (RFC 3261 §22.2) and however many servers
 * have to be tried (RFC 3263 §4.3): one that is silent, out of reach or overloaded is left for the next.
 */
export class ClientRequest implements TransactionUser {
  readonly #parts: ClientRequestParts;
  readonly #tries: AuthenticationTries = new Map();
  readonly #impatience: Wake = { fire: (now) => this.#giveUp(now) };
  /** Those left to try, the one in use first. */
  #hops: readonly Hop[] = [];
  #transaction: ClientTransaction | undefined;
  #isWanted = true;
  #isWithdrawn = false;
  /** Went by a stream because it was too long for a datagram. */
  #isWidened = false;

  constructor(now: Milliseconds, parts: ClientRequestParts) {
    this.#parts = parts;
    parts.core.servers.find(now, parts.destination, (at, hops) => this.#begin(at, hops));
  }

  /** The transaction of the last try; there is one as soon as there was a response. */
  get transaction(): ClientTransaction {
    if (!this.#transaction) throw new InvariantError('a request that is not sent yet has no transaction');
    return this.#transaction;
  }

  get destination(): Destination {
    return this.#parts.destination;
  }

  /** Nobody wants the answer so much any more as to send the request again: challenges are reported like other refusals. */
  stopTrying(): void {
    this.#isWanted = false;
  }

  /** As if it had never been: nothing is reported any more. */
  withdraw(now: Milliseconds): void {
    const { core } = this.#parts;
    this.#isWithdrawn = true;
    core.timers.clear(this.#impatience);
    if (this.#transaction) core.abandon(now, this.#transaction);
  }

  responded(now: Milliseconds, response: Response, flow: Flow): void {
    const { core, identity, destination, onResponse, amends } = this.#parts;
    const [hop] = this.#hops;
    core.timers.clear(this.#impatience);
    identity.answeredBy(destination, flow);
    if (response.isSuccess) identity.authenticator?.succeeded(this.transaction.request, response);
    if (response.statusCode === 503 && this.#moveOn(now, response.retryAfter ?? 0)) return;
    if (hop && response.statusCode !== 503) core.location.succeeded(hop);
    const challenged = response.statusCode === 401 || response.statusCode === 407;
    const again = this.#isWanted && (challenged ? this.#mayAnswer(response) : response.isFinal && amends?.(response));
    if (again) {
      this.#send(now);
      this.#parts.onRetry?.(now);
    } else onResponse(now, response, this, flow);
  }

  failed(now: Milliseconds, cause: 'timeout' | 'transport', obstacle: string | undefined): void {
    if (cause === 'transport' && this.#fallBack(now)) return;
    if (!this.#moveOn(now)) this.#parts.onFailure(now, cause, obstacle);
  }

  #mayAnswer(response: Response): boolean {
    const { identity, destination, inDialog } = this.#parts;
    const { request } = this.transaction;
    const trusts = (realm: string): boolean => identity.trusts(realm, { method: request.method, inDialog, destination });
    return identity.authenticator?.challenged(request, response, this.#tries, trusts) === 'answered';
  }

  #begin(now: Milliseconds, hops: readonly Hop[]): void {
    this.#hops = hops;
    if (this.#isWithdrawn) return;
    if (!this.#isWanted) this.#parts.onFailure(now, 'timeout', undefined);
    else if (hops.length > 0) this.#send(now);
    else this.#parts.onFailure(now, 'transport', `no address is known for ${this.#parts.destination.host}`);
  }

  #send(now: Milliseconds): void {
    const { core, identity, destination, build } = this.#parts;
    const [hop, ...others] = this.#hops;
    if (!hop) throw new InvariantError('a request without a place to go');
    identity.wentBy(hop);
    const request = build();
    const ours = identity.isServer(destination.host);
    const { flow, sips } = destination;
    const along = { ...hop.destination, ...(flow && { flow }), ...(sips && { sips }) };
    const signed = (ours && identity.authenticator?.authorize(request)) || request;
    this.#isWidened = core.streams.suits(now, signed, along);
    this.#transaction = core.send(now, signed, this.#isWidened ? { ...along, transport: 'tcp' } : along, this);
    if (others.length > 0 || this.#isWidened) core.timers.set(this.#impatience, now + core.settings.failoverAfter);
  }

  /** Silence for so long, while there are others to try. */
  #giveUp(now: Milliseconds): void {
    const { core, late } = this.#parts;
    if (!this.#isWanted) return;
    const { transaction } = this;
    core.abandon(now, transaction, late?.(transaction));
    if (!this.#fallBack(now)) this.#moveOn(now);
  }

  /** RFC 3261 §18.1.1: a server that takes no stream gets the request as a datagram, however long. */
  #fallBack(now: Milliseconds): boolean {
    const { core } = this.#parts;
    const [hop] = this.#hops;
    core.timers.clear(this.#impatience);
    if (!this.#isWidened || !hop || !this.#isWanted) return false;
    core.streams.refused(now, hop.destination);
    this.#send(now);
    this.#parts.onRetry?.(now);
    return true;
  }

  /** Leaves the server in use for the next; false when there is none. */
  #moveOn(now: Milliseconds, pauseSeconds?: number): boolean {
    const { core, inDialog } = this.#parts;
    const [hop, ...others] = this.#hops;
    core.timers.clear(this.#impatience);
    const paused = pauseSeconds === undefined || pauseSeconds > 0;
    const pause = pauseSeconds === undefined ? undefined : 1_000 * Math.min(pauseSeconds, retryAfterAtMost);
    // A far end that does not answer within its dialog tells nothing about a server on the way.
    if (hop && paused && (!inDialog || others.length > 0)) core.location.failed(now, hop, pause);
    if (others.length === 0 || !this.#isWanted) return false;
    this.#hops = others;
    this.#tries.clear();
    this.#send(now);
    this.#parts.onRetry?.(now);
    return true;
  }
}
