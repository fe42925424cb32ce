import type { Milliseconds } from '#firmware/core/clock.ts';
import { type Entropy, randomFraction } from '#firmware/core/entropy.ts';
import { isSecure, isWebSocket, type Transport } from './flow.ts';
import { type NameAnswer, NameCache, type NameQuestion, type NameRecord, type NaptrRecord, type SrvRecord } from './name-records.ts';
import type { Destination } from './sip-core.ts';

/** One address to try. */
export interface Hop {
  /** An address without names in it. */
  readonly destination: Destination;
  /** What was asked for: the destination itself or one of its alternatives. */
  readonly asked: Destination;
}

/** Where to go, best first (empty: nowhere), or what has to be asked before that is known. */
export type Located = { readonly hops: readonly Hop[] } | { readonly questions: readonly NameQuestion[] };

interface Outage {
  readonly until: Milliseconds;
  readonly failures: number;
}

/** How long a server that failed is tried last: doubled with each failure in a row. */
const outageBase: Milliseconds = 30_000;
const outageMaximum: Milliseconds = 300_000;
const outagesAtMost = 256;
const hopsAtMost = 16;

/** RFC 3263 §4.1, RFC 7118: services of NAPTR records. */
const transportOfService: ReadonlyMap<string, Transport> = new Map([
  ['SIP+D2U', 'udp'],
  ['SIP+D2T', 'tcp'],
  ['SIPS+D2T', 'tls'],
  ['SIP+D2W', 'ws'],
  ['SIPS+D2W', 'wss'],
]);

const srvPrefix: Readonly<Record<Transport, string>> = {
  udp: '_sip._udp.',
  tcp: '_sip._tcp.',
  tls: '_sips._tcp.',
  ws: '_sip._ws.',
  wss: '_sips._ws.',
};

/**
 * RFC 3263: names to addresses, best first.
 *
 *   host ─► NAPTR ─► SRV by priority and weight ─► A, AAAA ─► hops; those that failed a short while ago come last
 *
 * A port in the URI leaves out NAPTR and SRV, a transport NAPTR, an address everything. The order of servers of equal priority is drawn
 * once for each answer, so that the requests of a phone stay with one server while it works.
 */
export class ServerLocation {
  readonly #entropy: Entropy;
  /** What we speak; where a domain does not say what it prefers, the first of these it offers. */
  readonly #transports: readonly Transport[];
  readonly #names = new NameCache();
  readonly #orders = new WeakMap<readonly NameRecord[], readonly SrvRecord[]>();
  readonly #outages = new Map<string, Outage>();
  #questions: NameQuestion[] = [];

  constructor(entropy: Entropy, transports: readonly Transport[]) {
    this.#entropy = entropy;
    this.#transports = transports;
  }

  /** The addresses of a destination, then those of its alternatives. */
  locate(now: Milliseconds, destination: Destination): Located {
    this.#questions = [];
    const hops: Hop[] = [];
    for (let asked: Destination | undefined = destination; asked; asked = asked.otherwise) {
      for (const found of this.#addressesOf(now, asked) ?? []) hops.push({ destination: withDomain(found, asked.host), asked });
    }
    return this.#questions.length > 0 ? { questions: this.#questions } : { hops: hops.slice(0, hopsAtMost) };
  }

  /** Those that failed a short while ago last, else as they stand. */
  order(now: Milliseconds, hops: readonly Hop[]): readonly Hop[] {
    const isOut = ({ destination }: Hop): boolean => this.isOut(now, destination);
    return [...hops.filter((hop) => !isOut(hop)), ...hops.filter(isOut)];
  }

  answered(now: Milliseconds, question: NameQuestion, answer: NameAnswer): void {
    this.#names.put(now, question, answer);
  }

  /** Nothing came back from there, or it asked to be left alone for `pause` ms. */
  failed(now: Milliseconds, { destination }: Hop, pause?: Milliseconds): void {
    const key = keyOf(destination);
    const failures = (this.#outages.get(key)?.failures ?? 0) + 1;
    this.#outages.delete(key);
    const oldest = this.#outages.keys().next();
    if (this.#outages.size >= outagesAtMost && !oldest.done) this.#outages.delete(oldest.value);
    const length = pause ?? outageBase * 2 ** Math.min(failures - 1, 10);
    this.#outages.set(key, { until: now + Math.min(length, outageMaximum), failures });
  }

  succeeded({ destination }: Hop): void {
    this.#outages.delete(keyOf(destination));
  }

  /** True while `destination`, an address, is tried last. */
  isOut(now: Milliseconds, destination: Destination): boolean {
    return (this.#outages.get(keyOf(destination))?.until ?? 0) > now;
  }

  /** When one of the servers before `used` is worth another try; `undefined` when none of them has failed. */
  failbackAt(hops: readonly Hop[], used: Destination): Milliseconds | undefined {
    const place = hops.findIndex(({ destination }) => keyOf(destination) === keyOf(used));
    const instants = hops.slice(0, Math.max(0, place)).flatMap(({ destination }) => this.#outages.get(keyOf(destination))?.until ?? []);
    return instants.length > 0 ? Math.min(...instants) : undefined;
  }

  /** The network is another one: every server gets a new chance, every name is asked for again. */
  forget(): void {
    this.#outages.clear();
    this.#names.expire();
  }

  describe(): Readonly<Record<string, number>> {
    return { names: this.#names.size, outages: this.#outages.size };
  }

  /** RFC 3263 §4; `undefined` while a question is open. */
  #addressesOf(now: Milliseconds, asked: Destination): readonly Destination[] | undefined {
    const { transport, host, port, search } = asked;
    if (isNumeric(host)) return [asked];
    if (search === undefined) return this.#hostsOf(now, host, transport, port);
    const services = search === 'service' ? [{ transport, name: `${srvPrefix[transport]}${host}` }] : this.#services(now, host);
    if (!services) return undefined;
    const found = services.map((service) => this.#targetsOf(now, service.name, service.transport));
    if (found.includes(undefined)) return undefined;
    const targets = found.flatMap((list) => list ?? []);
    const isOffered = services.some(({ name }) => (this.#records(now, 'SRV', name) ?? []).length > 0);
    return isOffered ? targets : this.#hostsOf(now, host, transport, port);
  }

  /** RFC 3263 §4.1: the transports of a domain, best first, and the SRV name of each. */
  #services(now: Milliseconds, host: string): readonly { readonly transport: Transport; readonly name: string }[] | undefined {
    const records = this.#records(now, 'NAPTR', host);
    if (!records) return undefined;
    const usable = records
      .filter((record): record is NaptrRecord => record.type === 'NAPTR' && record.flags.toLowerCase() === 's')
      .sort((a, b) => a.order - b.order || a.preference - b.preference)
      .flatMap(({ service, replacement }) => {
        const transport = transportOfService.get(service.toUpperCase());
        return transport && this.#transports.includes(transport) && replacement !== '' ? { transport, name: replacement } : [];
      });
    // A domain that offers TLS or WebSockets to `sip:` addresses says so by NAPTR.
    const open = this.#transports.filter((transport) => !isSecure(transport) && !isWebSocket(transport));
    return usable.length > 0 ? usable : open.map((transport) => ({ transport, name: `${srvPrefix[transport]}${host}` }));
  }

  #targetsOf(now: Milliseconds, name: string, transport: Transport): readonly Destination[] | undefined {
    const records = this.#records(now, 'SRV', name);
    if (!records) return undefined;
    const ordered = this.#orders.get(records) ?? this.#draw(records);
    this.#orders.set(records, ordered);
    const found = ordered.map(({ target, port }) => this.#hostsOf(now, target, transport, port));
    return found.includes(undefined) ? undefined : found.flatMap((list) => list ?? []);
  }

  /** RFC 2782: by priority; among equals each place is drawn by weight. A target of `.` means that the service is not there. */
  #draw(records: readonly NameRecord[]): readonly SrvRecord[] {
    const left = records.filter((record): record is SrvRecord => record.type === 'SRV' && record.target !== '' && record.port > 0);
    const drawn: SrvRecord[] = [];
    while (left.length > 0) {
      const priority = Math.min(...left.map((record) => record.priority));
      const equals = left.filter((record) => record.priority === priority).sort((a, b) => a.weight - b.weight);
      const total = equals.reduce((sum, { weight }) => sum + weight, 0);
      let rest = Math.floor(randomFraction(this.#entropy) * (total + 1));
      const chosen = equals.find(({ weight }) => {
        rest -= weight;
        return rest <= 0;
      });
      if (!chosen) break;
      drawn.push(chosen);
      left.splice(left.indexOf(chosen), 1);
    }
    return drawn;
  }

  #hostsOf(now: Milliseconds, host: string, transport: Transport, port: number): readonly Destination[] | undefined {
    if (isNumeric(host)) return [{ transport, host, port }];
    const six = this.#records(now, 'AAAA', host);
    const four = this.#records(now, 'A', host);
    if (!six || !four) return undefined;
    return [...six, ...four].flatMap((record) => ('address' in record ? { transport, host: record.address, port } : []));
  }

  #records(now: Milliseconds, type: NameRecord['type'], name: string): readonly NameRecord[] | undefined {
    const question = { type, name };
    const known = this.#names.peek(now, question);
    if (!known) this.#questions.push(question);
    return known;
  }
}

function withDomain(found: Destination, host: string): Destination {
  return isNumeric(host) ? found : { ...found, domain: host };
}

function keyOf({ transport, host, port }: Destination): string {
  return `${transport} ${host} ${port}`;
}

/** An IP address, as it stands in a URI or without its brackets. */
export function isNumeric(host: string): boolean {
  return host.includes(':') || /^[0-9.]+$/.test(host);
}
