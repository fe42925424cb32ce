import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock, Milliseconds } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';

/** What is known about a host name. */
export interface NameAnswer {
  /** Best first; empty when there is none. */
  readonly addresses: readonly string[];
  /** Why there is none. */
  readonly failure?: string;
}

/** Addresses of host names; an address stands for itself. */
export interface NameResolver {
  resolve(host: string): Promise<NameAnswer>;
  /** What is known without asking anybody; `undefined` when the answer is not there or too old. */
  peek(host: string): NameAnswer | undefined;
}

/** How a name is asked for; rejects when there is no answer. */
export type NameLookup = (host: string) => Promise<readonly string[]>;

/** How long an answer and a failure are believed, ms: the system's resolver tells no TTL. */
const believedMs = 60_000;
const failureBelievedMs = 5_000;
const namesAtMost = 256;

/** Names by the system's resolver, so /etc/hosts and mDNS count too, with a small cache; a name is asked for once at a time. */
export class DnsResolver implements NameResolver {
  readonly #clock: Clock;
  readonly #lookup: NameLookup;
  readonly #known = new Map<string, { readonly answer: NameAnswer; readonly until: Milliseconds }>();
  readonly #asking = new Map<string, Promise<NameAnswer>>();

  constructor(clock: Clock, nameLookup: NameLookup = systemLookup) {
    this.#clock = clock;
    this.#lookup = nameLookup;
  }

  peek(host: string): NameAnswer | undefined {
    if (isIP(host)) return { addresses: [host] };
    const known = this.#known.get(host);
    return known && known.until > this.#clock.now() ? known.answer : undefined;
  }

  resolve(host: string): Promise<NameAnswer> {
    const known = this.peek(host);
    if (known) return Promise.resolve(known);
    const asking = this.#asking.get(host) ?? this.#ask(host);
    this.#asking.set(host, asking);
    return asking;
  }

  async #ask(host: string): Promise<NameAnswer> {
    const answer = await this.#lookup(host).then(
      (addresses): NameAnswer => (addresses.length > 0 ? { addresses } : { addresses, failure: `${host} has no address` }),
      (thrown: unknown): NameAnswer => ({ addresses: [], failure: messageOf(thrown) }),
    );
    this.#asking.delete(host);
    this.#known.delete(host);
    const oldest = this.#known.keys().next();
    if (this.#known.size >= namesAtMost && !oldest.done) this.#known.delete(oldest.value);
    this.#known.set(host, { answer, until: this.#clock.now() + (answer.failure ? failureBelievedMs : believedMs) });
    return answer;
  }
}

async function systemLookup(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
}
