import type { Milliseconds } from '#firmware/core/clock.ts';
import { TimerTable } from '#firmware/core/timer-table.ts';
import { type NameAddr, parseNameAddr } from '#firmware/sip/message/name-addr.ts';
import { type SipUri, sameUri } from '#firmware/sip/message/uri.ts';
import { defaultPortOf, type Flow, type Target, type Transport } from '#firmware/sip/transport/flow.ts';
import { bare } from './own-domain.ts';

/** RFC 3261 §10.1: one place where a user can be reached, until it expires. */
export interface Binding {
  readonly user: string;
  /** The Contact as registered, without `expires`. */
  readonly contact: NameAddr;
  readonly uri: SipUri;
  readonly callId: string;
  readonly sequence: number;
  /** Preference 0 to 1 (§20.10). */
  readonly q: number;
  /** RFC 3327: the proxies between us and the phone, nearest first. */
  readonly path: readonly NameAddr[];
  /** Where its REGISTER came from; requests go back there. */
  readonly source: { readonly transport: Transport; readonly address: string; readonly port: number };
  /** The way its REGISTER came, while that is open. */
  readonly flow: Flow | undefined;
  readonly userAgent: string;
  readonly expiresAt: Milliseconds;
  /** What it was granted when last refreshed. */
  readonly granted: Milliseconds;
}

/** A binding as it lies on disk: text and numbers only; the time left is counted from the moment of the record. */
export interface BindingRecord {
  readonly user: string;
  /** Names the binding among those of its user. */
  readonly uri: string;
  /** The Contact with its parameters. */
  readonly contact: string;
  readonly callId: string;
  readonly sequence: number;
  readonly path: readonly string[];
  readonly transport: Transport;
  readonly address: string;
  readonly port: number;
  readonly userAgent: string;
  readonly grantedMs: Milliseconds;
  readonly expiresInMs: Milliseconds;
}

export type BindingChange =
  | { readonly type: 'bindingStored'; readonly record: BindingRecord }
  | { readonly type: 'bindingRemoved'; readonly user: string; readonly uri: string };

const noBindings: readonly Binding[] = [];
const q = 'q';
const instance = '+sip.instance';

/** RFC 3261 §10: who can be reached where. Every change is handed out once, for the disk. */
export class LocationService {
  readonly #byUser = new Map<string, Binding[]>();
  readonly #byAddress = new Map<string, number>();
  readonly #timers = new TimerTable<string>();
  readonly #byKey = new Map<string, Binding>();
  readonly #bindingsPerUser: number;
  #changes: BindingChange[] = [];

  constructor(bindingsPerUser: number) {
    this.#bindingsPerUser = bindingsPerUser;
  }

  get size(): number {
    return this.#byKey.size;
  }

  get deadline(): Milliseconds | undefined {
    return this.#timers.deadline;
  }

  /** Best first: by preference, then the latest refreshed. */
  bindingsOf(user: string): readonly Binding[] {
    return this.#byUser.get(user) ?? noBindings;
  }

  /** The binding of that user whose Contact is the same by RFC 3261 §19.1.4. */
  find(user: string, uri: SipUri): Binding | undefined {
    return this.bindingsOf(user).find((binding) => sameUri(binding.uri, uri));
  }

  /** The binding of that user that a request inside a dialog is meant for: parameters may differ from those that were registered. */
  findByContact(user: string, uri: SipUri): Binding | undefined {
    return this.bindingsOf(user).find(({ uri: own }) => own.user === uri.user && own.host === uri.host && own.port === uri.port);
  }

  /** True if some binding came from this IP address: no stranger. */
  knowsAddress(address: string): boolean {
    return this.#byAddress.has(address);
  }

  /**
   * Stores or refreshes a binding. It takes the place of an older one of the same user that is the same phone: same Contact, same instance
   * (RFC 5626 §6), or another Call-ID from the very same socket, which is a phone that was restarted and lost its old Contact. Past the cap
   * the one that expires first goes.
   */
  store(now: Milliseconds, binding: Binding): void {
    const superseded = this.bindingsOf(binding.user).filter((known) => replaces(binding, known));
    for (const known of superseded) this.#remove(known, known.uri.toString() !== binding.uri.toString());
    const own = [...this.bindingsOf(binding.user)];
    if (own.length >= this.#bindingsPerUser) {
      const oldest = own.reduce((first, other) => (other.expiresAt < first.expiresAt ? other : first));
      this.#remove(oldest, true);
    }
    this.#add(binding);
    this.#changes.push({ type: 'bindingStored', record: recordOf(now, binding) });
  }

  remove(binding: Binding): void {
    this.#remove(binding, true);
  }

  removeAll(user: string): void {
    for (const binding of this.bindingsOf(user)) this.#remove(binding, true);
  }

  /** A connection is gone: its phones are tried at their Contact from here on. */
  flowClosed(flow: Flow): void {
    for (const binding of [...this.#byKey.values()]) {
      if (binding.flow?.id !== flow.id) continue;
      this.#remove(binding, false);
      this.#add({ ...binding, flow: undefined });
    }
  }

  handleTimeout(now: Milliseconds): void {
    for (let key = this.#timers.takeDue(now); key !== undefined; key = this.#timers.takeDue(now)) {
      const binding = this.#byKey.get(key);
      if (binding) this.#remove(binding, true);
    }
  }

  /** Takes up a binding from the disk; false if it makes no sense. */
  restore(now: Milliseconds, record: BindingRecord): boolean {
    const contact = parseNameAddr(record.contact);
    if (contact?.uri.kind !== 'sip' || record.expiresInMs <= 0) return false;
    const path = record.path.map((hop) => parseNameAddr(hop));
    if (this.bindingsOf(record.user).length >= this.#bindingsPerUser) return false;
    this.#add({
      user: record.user,
      contact,
      uri: contact.uri,
      callId: record.callId,
      sequence: record.sequence,
      q: preferenceOf(contact) ?? 1,
      path: path.filter((hop) => hop !== undefined),
      source: { transport: record.transport, address: record.address, port: record.port },
      flow: undefined,
      userAgent: record.userAgent,
      expiresAt: now + Math.min(record.expiresInMs, record.grantedMs),
      granted: record.grantedMs,
    });
    return true;
  }

  /** Every binding as it should lie on disk now: after the wall clock has been set, what lies there is wrong. */
  records(now: Milliseconds): readonly BindingRecord[] {
    return [...this.#byKey.values()].map((binding) => recordOf(now, binding));
  }

  /** What changed since the last call, in order. */
  drain(): BindingChange[] {
    const changes = this.#changes;
    if (changes.length > 0) this.#changes = [];
    return changes;
  }

  #add(binding: Binding): void {
    const own = [binding, ...this.bindingsOf(binding.user)];
    own.sort((a, b) => b.q - a.q);
    this.#byUser.set(binding.user, own);
    this.#byKey.set(keyOf(binding), binding);
    this.#byAddress.set(binding.source.address, (this.#byAddress.get(binding.source.address) ?? 0) + 1);
    this.#timers.set(keyOf(binding), binding.expiresAt);
  }

  #remove(binding: Binding, forGood: boolean): void {
    const rest = this.bindingsOf(binding.user).filter((other) => other !== binding);
    if (rest.length > 0) this.#byUser.set(binding.user, rest);
    else this.#byUser.delete(binding.user);
    this.#byKey.delete(keyOf(binding));
    this.#timers.clear(keyOf(binding));
    const left = (this.#byAddress.get(binding.source.address) ?? 1) - 1;
    if (left > 0) this.#byAddress.set(binding.source.address, left);
    else this.#byAddress.delete(binding.source.address);
    if (forGood) this.#changes.push({ type: 'bindingRemoved', user: binding.user, uri: binding.uri.toString() });
  }
}

/** The q of a Contact: 1 when there is none, `undefined` when it is none of the numbers of §25.1. */
export function preferenceOf(contact: NameAddr): number | undefined {
  const text = contact.params.get(q);
  if (text === undefined) return 1;
  const value = Number(text);
  return text !== '' && text.length <= 5 && value >= 0 && value <= 1 ? value : undefined;
}

/**
 * Where a request for this phone goes: over the flow of its REGISTER, which passes any NAT in between. Over UDP where nothing rewrote the
 * address, its Contact says the port. Never to a host the REGISTER did not come from: a Contact that names a third party must not make us
 * call it.
 */
export function targetOfBinding(binding: Binding): Target {
  const { source, flow, uri, path } = binding;
  if (path.length > 0) return { ...source, flow };
  const atContact: Target = { ...targetOfUri(uri), address: source.address };
  if (source.transport === 'udp' && leadsTo(uri, source)) return uri.port === source.port ? { ...source, flow } : atContact;
  if (flow || source.transport === 'udp') return { ...source, flow };
  // The connection is gone; a phone that is no client alone listens at the port of its Contact.
  return { ...atContact, transport: source.transport };
}

/** Where a URI says that it leads; a host name is left to the driver. */
export function targetOfUri(uri: SipUri): Target {
  const named = uri.params.get('transport')?.toLowerCase();
  const transport = named === 'tcp' || named === 'tls' || named === 'ws' ? named : 'udp';
  return { transport, address: bare(uri.host), port: uri.port ?? defaultPortOf(transport) };
}

/** True if the URI is as good as the place a message came from: the same host and transport, and over a stream the same port too. */
export function leadsTo(uri: SipUri, { transport, address, port }: Target): boolean {
  const named = targetOfUri(uri);
  const same = named.transport === (transport === 'wss' ? 'ws' : transport);
  return same && named.address === address && (transport === 'udp' || named.port === port);
}

/**
 * RFC 5626 §5.3: of the flows of one phone only one gets a request, the others when that one fails: the latest that is open, then the others as
 * they came. The phones best first.
 */
export function flowsByPhone(bindings: readonly Binding[]): readonly (readonly [best: Binding, ...others: Binding[]])[] {
  const phones = new Map<string, Binding[]>();
  for (const binding of bindings) {
    const id = flowOwner(binding);
    phones.set(id, [...(phones.get(id) ?? []), binding]);
  }
  return [...phones.values()].flatMap((flows) => {
    const [best, ...others] = [...flows.filter(isOpen), ...flows.filter((flow) => !isOpen(flow))];
    return best ? [[best, ...others] as const] : [];
  });
}

/** Without a reg-id every binding is a phone of its own. */
function flowOwner({ contact, uri }: Binding): string {
  const id = contact.params.get(instance);
  return id !== undefined && contact.params.has('reg-id') ? id : uri.toString();
}

function isOpen({ source, flow }: Binding): boolean {
  return flow !== undefined || source.transport === 'udp';
}

function replaces(fresh: Binding, known: Binding): boolean {
  if (sameUri(fresh.uri, known.uri)) return true;
  const id = fresh.contact.params.get(instance);
  if (id !== undefined && id === known.contact.params.get(instance)) {
    return fresh.contact.params.get('reg-id') === known.contact.params.get('reg-id');
  }
  if (fresh.path.length > 0 || fresh.callId === known.callId) return false;
  const { transport, address, port } = fresh.source;
  return known.source.transport === transport && known.source.address === address && known.source.port === port;
}

function recordOf(now: Milliseconds, binding: Binding): BindingRecord {
  return {
    user: binding.user,
    uri: binding.uri.toString(),
    contact: binding.contact.toString(),
    callId: binding.callId,
    sequence: binding.sequence,
    path: binding.path.map(String),
    ...binding.source,
    userAgent: binding.userAgent,
    grantedMs: binding.granted,
    expiresInMs: Math.max(0, binding.expiresAt - now),
  };
}

function keyOf(binding: Binding): string {
  return `${binding.user} ${binding.uri}`;
}
