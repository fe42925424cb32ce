import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Entropy } from '#firmware/core/entropy.ts';
import { InvariantError } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import type { Account, AccountId } from './account.ts';
import type { NameAddr } from './message/name-addr.ts';
import type { Uri } from './message/uri.ts';
import type { Flow } from './transport/flow.ts';
import type { Destination, LocalAddresses, SipCore } from './transport/sip-core.ts';
import type { Body, SessionId, UserAgentEvent, UserAgentOutput } from './user-agent-events.ts';
import { defaultUserAgentSettings, type UserAgentSettings } from './user-agent-settings.ts';

export interface UserAgentPorts {
  readonly entropy: Entropy;
  readonly logger: Logger;
  readonly addresses: LocalAddresses;
  readonly settings?: Partial<UserAgentSettings>;
}

export interface InviteOptions {
  /** The account that calls; without one the INVITE goes straight to `target`, from an anonymous address of ours. */
  readonly account?: AccountId;
  readonly target: Uri;
  /** The offer; without one the far end makes it. */
  readonly body?: Body;
  /** Further header fields in order. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

export interface RejectOptions {
  readonly reasonPhrase?: string;
  /** Of a 302: where to call instead. */
  readonly contacts?: readonly NameAddr[];
  /** The text of a Warning 399. */
  readonly warning?: string;
}

/** RFC 3261 UAC and UAS core of a phone: registrations, calls, message-waiting. Sans-IO: mutate, then drain. */
export class UserAgent implements SipCore<UserAgentEvent> {
  readonly #ports: UserAgentPorts;
  readonly #settings: UserAgentSettings;

  constructor(ports: UserAgentPorts) {
    this.#ports = ports;
    this.#settings = { ...defaultUserAgentSettings, ...ports.settings };
  }

  /** Adds or replaces an account; registers at once when it has a registrar. */
  setAccount(now: Milliseconds, account: Account): void {
    throw new InvariantError(`not built: ${now} ${account.id} ${this.#ports} ${this.#settings}`);
  }

  /** Un-registers. */
  removeAccount(now: Milliseconds, id: AccountId): void {
    throw new InvariantError(`not built: ${now} ${id}`);
  }

  /** The network came back, or a person asks: registers without waiting for refresh or back-off. */
  registerNow(now: Milliseconds, id: AccountId): void {
    throw new InvariantError(`not built: ${now} ${id}`);
  }

  /** Ends every session and un-registers; `idle` says when all of it is done. */
  stop(now: Milliseconds): void {
    throw new InvariantError(`not built: ${now}`);
  }

  /** True when nothing waits for an answer of the network. */
  get idle(): boolean {
    throw new InvariantError('not built');
  }

  invite(now: Milliseconds, options: InviteOptions): SessionId {
    throw new InvariantError(`not built: ${now} ${options.target}`);
  }

  /** Incoming: a provisional response, 101 to 199. */
  ring(now: Milliseconds, session: SessionId, statusCode = 180, body?: Body): void {
    throw new InvariantError(`not built: ${now} ${session} ${statusCode} ${body}`);
  }

  /** Incoming: 200 with the answer, or with an offer when the INVITE had none. */
  accept(now: Milliseconds, session: SessionId, body: Body): void {
    throw new InvariantError(`not built: ${now} ${session} ${body}`);
  }

  /** Incoming: a final response from 300 on. */
  reject(now: Milliseconds, session: SessionId, statusCode: number, options: RejectOptions = {}): void {
    throw new InvariantError(`not built: ${now} ${session} ${statusCode} ${options}`);
  }

  /** CANCEL, BYE or 603, whatever the state asks for. Idempotent. */
  end(now: Milliseconds, session: SessionId): void {
    throw new InvariantError(`not built: ${now} ${session}`);
  }

  /** Sends a re-INVITE; false when another offer is pending or the session is not confirmed: try again later. */
  reoffer(now: Milliseconds, session: SessionId, body: Body): boolean {
    throw new InvariantError(`not built: ${now} ${session} ${body}`);
  }

  answerReoffer(now: Milliseconds, session: SessionId, answer: { readonly body: Body } | { readonly statusCode: number }): void {
    throw new InvariantError(`not built: ${now} ${session} ${answer}`);
  }

  /** Sends an INFO; its outcome comes as `infoAnswered`. */
  info(now: Milliseconds, session: SessionId, body: Body): void {
    throw new InvariantError(`not built: ${now} ${session} ${body}`);
  }

  /** Subscribes to message-summary (RFC 3842) at the account's server and keeps the subscription fresh. */
  subscribeMessageSummary(now: Milliseconds, account: AccountId): void {
    throw new InvariantError(`not built: ${now} ${account}`);
  }

  receive(now: Milliseconds, flow: Flow, bytes: Uint8Array): void {
    throw new InvariantError(`not built: ${now} ${flow} ${bytes}`);
  }

  transportFailed(now: Milliseconds, destination: Destination, reason: string): void {
    throw new InvariantError(`not built: ${now} ${destination} ${reason}`);
  }

  handleTimeout(now: Milliseconds): void {
    throw new InvariantError(`not built: ${now}`);
  }

  get deadline(): Milliseconds | undefined {
    throw new InvariantError('not built');
  }

  drain(): UserAgentOutput[] {
    throw new InvariantError('not built');
  }

  describe(): object {
    throw new InvariantError('not built');
  }
}
