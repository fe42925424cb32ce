import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Account } from './account.ts';
import type { AgentCore } from './agent-core.ts';
import { Identity } from './identity.ts';
import type { SipUri } from './message/uri.ts';
import { Registration } from './registration.ts';
import type { Destination } from './transport/sip-core.ts';
import type { RegistrationEvent } from './user-agent-events.ts';

interface AccountFlow {
  readonly identity: Identity;
  readonly registration: Registration;
}

/** RFC 5626 §4.2.1: more flows than this serve nobody. */
const flowsAtMost = 4;

/**
 * RFC 5626 §4.2: an account registered by one or several flows, each to a server of its own. Requests come by any of them; ours go by the
 * first that stands. To people the account is registered while one of them is.
 */
export class AccountFlows {
  readonly #core: AgentCore;
  readonly #flows: readonly AccountFlow[];

  constructor(core: AgentCore, account: Account & { readonly registrar: SipUri }) {
    this.#core = core;
    this.#flows = accountsByFlow(account).map((one, i) => {
      const identity = new Identity(core.entropy, core.addresses, one);
      const { registrar, expires, keepAlive = 'auto' } = one;
      const others = { report: (event: RegistrationEvent) => this.#report(i, event), hasOthers: () => this.#stands(i) };
      return { identity, registration: new Registration({ core, identity, registrar, expires, keepAlive, flow: i + 1, ...others }) };
    });
  }

  /** By which requests of ours go. */
  get identity(): Identity {
    const best = this.#flows.find(({ registration }) => registration.stands) ?? this.#flows[0];
    if (!best) throw new Error('an account has at least one flow');
    return best.identity;
  }

  get identities(): readonly Identity[] {
    return this.#flows.map(({ identity }) => identity);
  }

  start(now: Milliseconds): void {
    for (const { registration } of this.#flows) registration.start(now);
  }

  stop(now: Milliseconds): void {
    for (const { registration } of this.#flows) registration.stop(now);
  }

  /** Another speaks for the account from now on. */
  replaced(now: Milliseconds): void {
    for (const { registration } of this.#flows) registration.replaced(now);
  }

  /** Addresses of this machine have come or gone. */
  networkChanged(now: Milliseconds): void {
    for (const { identity, registration } of this.#flows) {
      identity.moved();
      registration.networkChanged(now);
    }
  }

  /** A connection is gone: those that were by it are made anew. */
  connectionLost(now: Milliseconds, { transport, host, port }: Destination): void {
    for (const { identity, registration } of this.#flows) {
      const { place } = identity;
      const same = place?.transport === transport && place.host === host && place.port === port;
      if (same && transport !== 'udp') registration.connectionLost(now);
    }
  }

  /** Other requests have found that a server does not answer. */
  followLoss(now: Milliseconds): void {
    for (const { registration } of this.#flows) registration.followLoss(now);
  }

  /** The registrar says that it has let the binding go. */
  removed(now: Milliseconds): void {
    for (const { registration } of this.#flows) registration.removed(now);
  }

  get isOver(): boolean {
    return this.#flows.every(({ registration }) => registration.isOver);
  }

  describe(): object {
    const [first, ...others] = this.#flows.map(({ registration }) => registration.describe());
    return others.length > 0 ? { ...first, otherFlows: others } : (first ?? {});
  }

  #stands(besides: number): boolean {
    return this.#flows.some(({ registration }, i) => i !== besides && registration.stands);
  }

  /** What one flow lacks is no news while another stands; the account is gone when all of them are. */
  #report(flow: number, event: RegistrationEvent): void {
    const others = this.#flows.filter((_, i) => i !== flow);
    const quiet = event.state === 'unregistered' ? others.some(({ registration }) => !registration.isOver) : this.#stands(flow);
    if (event.state === 'registered' || !quiet) this.#core.emit(event);
  }
}

/** The account as each of its flows has it: with a first server of its own, and those that no flow begins with for when that fails. */
function accountsByFlow(account: Account & { readonly registrar: SipUri }): readonly (Account & { readonly registrar: SipUri })[] {
  const { outboundProxy, registrar, alternatives = [], flows = 1 } = account;
  const servers = [outboundProxy ?? registrar, ...alternatives];
  const count = Math.min(flows, flowsAtMost, servers.length);
  if (count <= 1) return [account];
  const spare = servers.slice(count);
  return servers.slice(0, count).map((server) => {
    return { ...account, alternatives: spare, ...(outboundProxy ? { outboundProxy: server } : { registrar: server }) };
  });
}
