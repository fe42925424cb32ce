import { type Entropy, randomToken } from '#firmware/core/entropy.ts';
import type { Account, AccountTransport } from './account.ts';
import { Authenticator } from './authenticator.ts';
import { NameAddr } from './message/name-addr.ts';
import { SipUri, type Uri } from './message/uri.ts';
import { defaultPortOf, type Endpoint, type Flow, isSecure, isWebSocket, type Transport } from './transport/flow.ts';
import { type Hop, isNumeric } from './transport/server-location.ts';
import type { Destination, LocalAddresses } from './transport/sip-core.ts';

const serversAtMost = 16;
const realmsAtMost = 8;
const routesAtMost = 8;

/**
 * Who we are towards a peer: an account, or nobody in particular for direct calls. Keeps what was learnt about the account's servers:
 * from which addresses they answer, under which realms they ask, and as which address they see us.
 */
export class Identity {
  readonly account: Account | undefined;
  /** Random, so that a stranger who does not ask the registrar can't guess where we are to be called. */
  readonly contactUser: string;
  readonly authenticator: Authenticator | undefined;
  /**
   * Where requests of the account go first: its outbound proxy, else its registrar, then the alternatives; `undefined` when it has none, or
   * when its address is a `sips:` one and no server is reached by TLS (RFC 5630 §5.1.1).
   */
  readonly server: Destination | undefined;
  readonly #ways: readonly Way[];
  readonly #local: LocalAddresses;
  readonly #servers = new Set<string>();
  readonly #realms = new Set<string>();
  /** By which server and address the last request went. */
  #hop: Hop | undefined;
  #serviceRoute: readonly NameAddr[] = [];
  #serviceDestination: Destination | undefined;
  #gruu: SipUri | undefined;
  #temporaryGruu: SipUri | undefined;
  #isOutbound = false;
  #seenAs: (Endpoint & { readonly transport: Transport }) | undefined;

  constructor(entropy: Entropy, local: LocalAddresses, account?: Account) {
    this.account = account;
    this.contactUser = account?.contactUser ?? randomToken(entropy, 12);
    this.#local = local;
    this.#ways = account ? waysOf(account) : [];
    this.server = this.#ways[0]?.destination;
    this.authenticator = account?.credentials && new Authenticator(entropy, account.credentials);
  }

  /** RFC 3261 §8.1.2: the outbound proxy in use as a pre-loaded route. */
  get proxyRoute(): readonly NameAddr[] {
    const proxy = this.account?.outboundProxy && (this.#wayOf(this.#hop) ?? this.#ways[0])?.uri;
    return proxy ? [new NameAddr(proxy.withParam('lr', ''))] : [];
  }

  /** The routes of a request that begins a dialog: by the outbound proxy to what the registrar has said, once each (RFC 3608 §6.1). */
  get routes(): readonly NameAddr[] {
    const [proxy] = this.proxyRoute;
    const [first] = this.#serviceRoute;
    const same = proxy && first && sameServer(proxy.uri, first.uri);
    return proxy && !same ? [proxy, ...this.#serviceRoute] : this.#serviceRoute;
  }

  /** Where a request that begins a dialog goes: without an outbound proxy to the first route. */
  get outgoing(): Destination | undefined {
    return this.account?.outboundProxy ? this.server : (this.#serviceDestination ?? this.server);
  }

  /** RFC 3608 §6.1: what a registrar says with the binding counts as long as that; what is no loose router of SIP's is not used. */
  learnServiceRoute(routes: readonly NameAddr[]): void {
    const { account } = this;
    const usable = routes.length <= routesAtMost && routes.every(({ uri }) => uri.kind === 'sip' && uri.isLooseRouter);
    const [first] = usable ? routes : [];
    const destination = first && destinationOf(first.uri, account?.transport);
    const open = account && isSips(account.aor) && destination && !isSecure(destination.transport);
    this.#serviceRoute = destination && !open ? routes : [];
    this.#serviceDestination = this.#serviceRoute.length > 0 ? destination : undefined;
  }

  /** The From of a request to `destination`, without a tag. */
  from(destination: Destination): NameAddr {
    if (this.account) return new NameAddr(this.account.aor, this.account.displayName);
    const { address } = this.#local.towards(destination.host, destination.transport);
    return new NameAddr(new SipUri({ user: this.contactUser, host: hostOf(address) }));
  }

  /**
   * What dialogs with peers reached by way of `way` know us by: a GRUU that came with the binding, by our servers (RFC 5627 §4.4); the temporary
   * one where nobody is to learn who we are.
   */
  contact(way: Pick<Destination, 'host' | 'transport' | 'sips' | 'isPrivate'>): NameAddr {
    const binding = this.binding(way);
    const gruu = way.isPrivate ? this.#temporaryGruu : this.#gruu;
    const fits = gruu && binding.uri.kind === 'sip' && binding.uri.scheme === gruu.scheme && this.isServer(way.host);
    if (gruu && fits) return new NameAddr(gruu);
    const { uri } = binding;
    return this.#isOutbound && uri.kind === 'sip' && this.isServer(way.host) ? new NameAddr(uri.withParam('ob', '')) : binding;
  }

  /** RFC 5626 §4.3: a registrar that knows flows wants dialogs to say that requests are to come by the one they were begun by. */
  learnOutbound(isOutbound: boolean): void {
    this.#isOutbound = isOutbound;
  }

  /** The registrar sees us under another address than ours. */
  get isBehindNat(): boolean {
    return this.#seenAs !== undefined;
  }

  /** RFC 5627 §4.2: a registrar names with the binding addresses that lead to this device from everywhere; they must be of the account's domain. */
  learnGruus(gruu: Uri | undefined, temporary: Uri | undefined): void {
    const aor = this.account?.aor;
    const isOurs = (uri: Uri | undefined): uri is SipUri => {
      return this.account?.gruu === true && uri?.kind === 'sip' && uri.params.has('gr') && uri.host === aor?.host;
    };
    this.#gruu = isOurs(gruu) && gruu.user === aor?.user ? gruu : undefined;
    this.#temporaryGruu = isOurs(temporary) ? temporary : undefined;
  }

  /** Where a peer reached by way of `way` can reach us. */
  binding(way: Pick<Destination, 'host' | 'transport' | 'sips'>): NameAddr {
    const { sips = false } = way;
    const { host, transport } = this.#ways.some(({ destination }) => destination.host === way.host) ? (this.#hop?.destination ?? way) : way;
    const local = this.#local.towards(host, transport);
    const { address, port } = this.#seenAs?.transport === transport && this.isServer(way.host) ? this.#seenAs : local;
    const scheme = isSecure(transport) && (sips || (this.account !== undefined && isSips(this.account.aor))) ? 'sips' : 'sip';
    // RFC 7118 §5.3: what stands in a URI is `ws`, secured or not.
    const named = isWebSocket(transport) ? 'ws' : transport;
    const params = new Map(named === 'udp' || (scheme === 'sips' && named !== 'ws') ? [] : [['transport', named]]);
    const parts = { scheme, user: this.contactUser, host: hostOf(address), port: port === 0 ? undefined : port, params } as const;
    return new NameAddr(new SipUri(parts));
  }

  /** True for the host the account registers with or sends by, and for the addresses that have answered for it. */
  isServer(host: string): boolean {
    const named = this.#ways.some(({ destination }) => destination.host === host) || this.#serviceDestination?.host === host;
    return named || this.#servers.has(host);
  }

  /** A request goes out by `hop`. */
  wentBy(hop: Hop): void {
    if (this.#wayOf(hop)) this.#hop = hop;
  }

  /** The server in use: its address once a request has gone there. */
  get place(): Destination | undefined {
    return this.#hop?.destination ?? this.server;
  }

  /** The network is another one: nobody has seen us there yet. */
  moved(): void {
    this.#seenAs = undefined;
  }

  /** A request sent to `destination` was answered over `flow`. */
  answeredBy(destination: Destination, flow: Flow): void {
    if (!this.isServer(destination.host)) return;
    const [oldest] = this.#servers;
    if (this.#servers.size >= serversAtMost && oldest !== undefined) this.#servers.delete(oldest);
    this.#servers.add(flow.remote.address);
  }

  /**
   * RFC 3581: the registrar saw our request come from there. True if that changes the Contact. A connection of ours has another port than the
   * one we listen on, so what is seen of it counts only where nobody listens: then that connection is the only way to us.
   */
  seenAs(endpoint: Endpoint): boolean {
    const server = this.place;
    const listening = server && this.#local.towards(server.host, server.transport);
    if (!server || !listening || (server.transport !== 'udp' && listening.port !== 0)) return false;
    const local = this.#seenAs ?? listening;
    if (local.address === endpoint.address && local.port === endpoint.port) return false;
    this.#seenAs = { ...endpoint, transport: server.transport };
    return true;
  }

  /**
   * Whether a challenge of `realm` to a request for `destination` may be answered. Only what goes by the account's own servers may; a
   * REGISTER teaches the realms. Others must be known, so that a far end can't collect answers through the proxy; only an account whose
   * registrar has never asked believes the first proxy that does, and never within a call.
   */
  trusts(realm: string, request: { readonly method: string; readonly inDialog: boolean; readonly destination: Destination }): boolean {
    if (!this.account || !this.isServer(request.destination.host)) return false;
    const { aor, registrar, outboundProxy, alternatives = [] } = this.account;
    const named = [aor, registrar, outboundProxy, ...alternatives].some((uri) => uri?.host === realm.toLowerCase());
    const first = this.#realms.size === 0 && !request.inDialog;
    const believed = named || this.#realms.has(realm) || request.method === 'REGISTER' || first;
    if (believed && this.#realms.size < realmsAtMost) this.#realms.add(realm);
    return believed;
  }

  #wayOf(hop: Hop | undefined): Way | undefined {
    return hop && this.#ways.find(({ destination }) => sameEndpoint(destination, hop.asked));
  }
}

/** A server of the account with the URI that names it. */
interface Way {
  readonly uri: SipUri;
  readonly destination: Destination;
}

/** Each with those after it as alternatives. */
function waysOf({ aor, registrar, outboundProxy, alternatives = [], transport }: Account): readonly Way[] {
  const first = outboundProxy ?? registrar;
  const ways: Way[] = [];
  for (const uri of first ? [...alternatives.toReversed(), first] : []) {
    const found = destinationOf(uri, transport);
    if (!found || (isSips(aor) && !isSecure(found.transport))) continue;
    const otherwise = ways[0]?.destination;
    ways.unshift({ uri, destination: { ...found, ...(otherwise && { otherwise }) } });
  }
  return ways;
}

function sameServer(one: Uri, other: Uri): boolean {
  const [a, b] = [destinationOf(one), destinationOf(other)];
  return a !== undefined && b !== undefined && sameEndpoint(a, b);
}

function sameEndpoint(one: Destination, other: Destination): boolean {
  return one.host === other.host && one.port === other.port && one.transport === other.transport;
}

/** RFC 3261 §8.1.2: the host and port a SIP URI names, and what is left for DNS to say. `undefined` for other schemes. */
export function destinationOf(uri: Uri, preferred?: AccountTransport): Destination | undefined {
  if (uri.kind !== 'sip') return undefined;
  const sips = uri.scheme === 'sips';
  const named = uri.params.get('transport')?.toLowerCase() ?? preferred;
  const open = transportOf(named ?? 'udp');
  const transport = sips ? (open && isWebSocket(open) ? 'wss' : 'tls') : open;
  const search = uri.port !== undefined || isNumeric(uri.host) ? undefined : sips || named !== undefined ? 'service' : 'transport';
  const host = uri.host.startsWith('[') ? uri.host.slice(1, -1) : uri.host;
  return transport && { transport, host, port: uri.port ?? defaultPortOf(transport), ...(sips && { sips }), ...(search && { search }) };
}

/** RFC 5630 §3.1.3: how to go to `destination` with a request for `target`; `undefined` when that is a `sips:` URI and the way is open to all. */
export function securedFor(target: Uri, destination: Destination): Destination | undefined {
  if (!isSips(target)) return destination;
  return isSecure(destination.transport) ? { ...destination, sips: true } : undefined;
}

function isSips(uri: Uri): boolean {
  return uri.kind === 'sip' && uri.scheme === 'sips';
}

/** An address as it stands in a URI or a Via. */
export function hostOf(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

function transportOf(name: string): Transport | undefined {
  const transports: readonly Transport[] = ['udp', 'tcp', 'tls', 'ws', 'wss'];
  return transports.find((transport) => transport === name);
}
