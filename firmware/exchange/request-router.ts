import type { Milliseconds } from '#firmware/core/clock.ts';
import { type Entropy, randomToken } from '#firmware/core/entropy.ts';
import { isAnonymous } from '#firmware/sip/call-remarks.ts';
import { parseAuth } from '#firmware/sip/message/auth.ts';
import { type HeaderField, HeaderList, headerField } from '#firmware/sip/message/headers.ts';
import type { Request } from '#firmware/sip/message/message.ts';
import { type NameAddr, parseNameAddr } from '#firmware/sip/message/name-addr.ts';
import { SipUri, type Uri } from '#firmware/sip/message/uri.ts';
import { magicCookie, Via } from '#firmware/sip/message/via.ts';
import { type Flow, type Target, type Transport, targetOf } from '#firmware/sip/transport/flow.ts';
import type { CredentialChecker } from './credential-checker.ts';
import { type Extension, extensionHost } from './extensions.ts';
import type { BranchPlan } from './forking.ts';
import type { GruuRegister } from './gruu.ts';
import { type Binding, flowsByPhone, type LocationService, leadsTo, targetOfBinding, targetOfUri } from './location-service.ts';
import { isLoop, loopMark } from './loop-detection.ts';
import type { OwnDomain, SentBy } from './own-domain.ts';
import { forwardContact } from './redirect.ts';
import type { Relay, RelayTokens } from './relay-token.ts';
import type { UserDirectory } from './user-directory.ts';

export interface RequestRouterParts {
  readonly domain: OwnDomain;
  readonly users: UserDirectory;
  readonly location: LocationService;
  readonly gruus: GruuRegister;
  readonly credentials: CredentialChecker;
  readonly tokens: RelayTokens;
  readonly entropy: Entropy;
  /** Numbers that are answered in this process, with the place to send their requests to. */
  readonly extensions: ReadonlyMap<string, Extension>;
}

/** What is to become of a request. */
export type Decision = Refusal | { readonly type: 'forward'; readonly plans: readonly BranchPlan[] };

export interface Refusal {
  readonly type: 'refuse';
  readonly statusCode: number;
  readonly reasonPhrase?: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly contact?: NameAddr;
}

/** A request after route pre-processing: ours taken away; `relay` when one of them proved that it belongs to a dialog we set up. */
interface Routed {
  readonly request: Request;
  readonly relay: Relay | undefined;
}

/** Where one copy goes. */
interface Leg {
  readonly requestUri: SipUri;
  readonly target: Target;
  /** RFC 3327: Routes put in front. */
  readonly path: readonly NameAddr[];
  /** Where it goes when the way there has failed. */
  readonly otherwise?: readonly Leg[];
}

/** Requests that may begin a dialog, in which the exchange then stays. */
const dialogMakers: ReadonlySet<string> = new Set(['INVITE', 'SUBSCRIBE', 'REFER']);
const usualMaxForwards = 70;
/** RFC 5393 §5.3: copies of one request that may run at once, over all proxies on its way. */
const usualBreadth = 60;

/** RFC 3261 §16: decides where requests go, and prepares their copies. Keeps no state of its own. */
export class RequestRouter {
  readonly #parts: RequestRouterParts;

  constructor(parts: RequestRouterParts) {
    this.#parts = parts;
  }

  /** For every request but REGISTER, ACK and CANCEL. */
  decide(now: Milliseconds, request: Request, flow: Flow): Decision {
    const mark = loopMark(request);
    const refused = this.#validate(request, flow, mark);
    if (refused) return refused;
    const { request: routed, relay } = this.#preprocess(request, flow);
    if (relay) return this.#withinDialog(routed, flow, relay, mark);
    return this.#admit(now, request, flow) ?? this.#outsideDialog(routed, flow, mark);
  }

  /** The ACK of a 2xx: `undefined` unless it belongs to a dialog we set up. */
  ack(request: Request, flow: Flow): BranchPlan | undefined {
    if (request.maxForwards === 0) return undefined;
    const { request: routed, relay } = this.#preprocess(request, flow);
    const decision = relay && this.#withinDialog(routed, flow, relay, loopMark(request));
    return decision?.type === 'forward' ? decision.plans[0] : undefined;
  }

  /** §16.3. */
  #validate(request: Request, flow: Flow, mark: string): Refusal | undefined {
    if (request.requestUri.kind !== 'sip' || request.requestUri.scheme !== 'sip') return refuse(416);
    if (request.maxForwards === 0) return refuse(483);
    const { domain } = this.#parts;
    if (isLoop(request, mark, (host, port) => domain.isOwn(new SipUri({ host, port }), flow))) return refuse(482);
    const unsupported = request.proxyRequire;
    return unsupported.length > 0 ? { ...refuse(420), headers: [['Unsupported', unsupported.join(', ')]] } : undefined;
  }

  /** §16.4: takes our own Routes away, and gives the request of a strict router the Request-URI back that it put last. */
  #preprocess(request: Request, flow: Flow): Routed {
    const { domain, tokens } = this.#parts;
    const read = (uri: SipUri): Relay | undefined => (domain.isOwn(uri, flow) ? tokens.read(uri.user ?? '', request) : undefined);
    let relay = request.requestUri.kind === 'sip' ? read(request.requestUri) : undefined;
    let routed = relay ? withoutStrictRoute(request) : request;
    for (let route = routed.routes[0]?.uri; route?.kind === 'sip' && domain.isOwn(route, flow); route = routed.routes[0]?.uri) {
      relay ??= read(route);
      routed = routed.with({ headers: routed.headers.withoutFirstValue('Route') });
    }
    return { request: routed, relay };
  }

  /** Who calls from here must be a user here, and prove it (§22.3). Nobody else is served: an open relay is a free ride to any network. */
  #admit(now: Milliseconds, request: Request, flow: Flow): Refusal | undefined {
    const { domain, credentials } = this.#parts;
    const from = callerOf(request);
    if (from.kind !== 'sip' || !domain.isOwn(from, flow)) return refuse(403, 'Not a User Here');
    const verdict = credentials.check(now, request, request.proxyAuthorization, flow.remote.address);
    switch (verdict.type) {
      case 'known':
        return verdict.user.name === from.user ? undefined : refuse(403, 'Not Your Address');
      case 'unknown':
        return { ...refuse(407), headers: verdict.challenges.map((challenge) => ['Proxy-Authenticate', challenge]) };
      case 'malformed':
        return refuse(400, 'Bad Credentials');
      case 'barred':
        return refuse(403, 'Too Many Wrong Passwords');
      default:
        return verdict satisfies never;
    }
  }

  /** §16.5: the users of this exchange and its extensions, and nobody else. */
  #outsideDialog(request: Request, flow: Flow, mark: string): Decision {
    const { domain, users, location, extensions } = this.#parts;
    const called = request.requestUri;
    if (called.kind !== 'sip' || !domain.isOwn(called, flow) || request.routes.length > 0) return refuse(403, 'Not Relayed');
    const name = called.user ?? '';
    const extension = extensions.get(name);
    if (extension) return this.#fork(request, flow, [{ requestUri: extension.contact, target: extension.target, path: [] }], mark);
    const user = users.get(name);
    // RFC 5627 §6: to that phone alone, whatever its user wants of calls.
    const aim = this.#parts.gruus.find(called, user !== undefined);
    if (aim === 'away') return refuse(480);
    if (aim !== undefined && aim !== 'unknown') return this.#fork(request, flow, legsTo(aim), mark);
    if (!user || aim === 'unknown') return refuse(404);
    if (user.forward !== undefined && request.method === 'INVITE') {
      return { ...refuse(302), contact: forwardContact(user.forward, called) };
    }
    const legs = legsTo(location.bindingsOf(name));
    return legs.length > 0 ? this.#fork(request, flow, legs, mark) : refuse(480);
  }

  #fork(request: Request, flow: Flow, legs: readonly Leg[], mark: string): Decision {
    const breadth = breadthOf(request);
    if (breadth < legs.length) return refuse(440);
    const share = legs.length > 1 ? Math.floor(breadth / legs.length) : undefined;
    const beginsDialog = dialogMakers.has(request.method) && request.to.tag === undefined;
    const planOf = (leg: Leg): BranchPlan => {
      const recordRoutes = beginsDialog ? this.#recordRoutes(request, flow, leg) : [];
      const routes = leg.path.map((hop) => ['Route', hop.toString()] as const);
      return { ...this.#copy(request, leg, mark, [...recordRoutes, ...routes], share), otherwise: leg.otherwise?.map(planOf) ?? [] };
    };
    return { type: 'forward', plans: legs.map(planOf) };
  }

  /** §16.6 step 6 and §16.12: along the route set, or to the Request-URI. */
  #withinDialog(request: Request, flow: Flow, relay: Relay, mark: string): Decision {
    const next = request.routes[0]?.uri;
    const leg = next === undefined ? this.#legOfGruu(request, flow) : undefined;
    if (leg) {
      const routes = leg.path.map((hop) => ['Route', hop.toString()] as const);
      return { type: 'forward', plans: [this.#copy(request, leg, mark, routes)] };
    }
    const { requestUri } = request;
    if (requestUri.kind !== 'sip' || (next && next.kind !== 'sip')) return refuse(416);
    const target = this.#targetWithinDialog(request, next ?? requestUri, flow, relay);
    if (!target) return refuse(404);
    if (!next || next.isLooseRouter) return { type: 'forward', plans: [this.#copy(request, { requestUri, target, path: [] }, mark)] };
    const headers = request.headers.withoutFirstValue('Route').append('Route', `<${requestUri}>`);
    return { type: 'forward', plans: [this.#copy(request.with({ headers }), { requestUri: next, target, path: [] }, mark)] };
  }

  /** RFC 5627 §6: an end that is known by a GRUU is wherever it is registered now. */
  #legOfGruu({ requestUri }: Request, flow: Flow): Leg | undefined {
    const { domain, users, gruus } = this.#parts;
    if (requestUri.kind !== 'sip' || !domain.isOwn(requestUri, flow)) return undefined;
    const aim = gruus.find(requestUri, users.get(requestUri.user ?? '') !== undefined);
    return aim === undefined || typeof aim === 'string' ? undefined : legsTo(aim)[0];
  }

  /** The phone's present flow if it is registered; else where it was when the dialog began; else where its URI leads, if not to us. */
  #targetWithinDialog({ to }: Request, uri: SipUri, flow: Flow, relay: Relay): Target | undefined {
    // Only a phone of the person it is for: another user may register the same Contact.
    const user = to.uri.kind === 'sip' ? to.uri.user : undefined;
    const binding = user === undefined ? undefined : this.#parts.location.findByContact(user, uri);
    if (binding) return targetOfBinding(binding);
    return relay.target ?? (this.#parts.domain.isOwn(uri, flow) ? undefined : targetOfUri(uri));
  }

  /** §16.6 step 4. Where the two sides know us by different names or transports, each gets its own (RFC 5658 §5). */
  #recordRoutes(request: Request, flow: Flow, leg: Leg): (readonly [string, string])[] {
    const { domain, tokens } = this.#parts;
    const contact = request.contacts === '*' ? undefined : request.contacts[0]?.uri;
    const callerTarget = targetOf(flow);
    const caller = contact?.kind === 'sip' && leadsTo(contact, callerTarget) ? undefined : callerTarget;
    const callee = leg.path.length > 0 || leadsTo(leg.requestUri, leg.target) ? undefined : leg.target;
    const token = tokens.make(request, { caller, callee });
    const inward = recordRoute(token, domain.sentBy(callerTarget), flow.transport);
    // Within this process nothing has to be found.
    const outward = leg.target.address === extensionHost ? inward : recordRoute(token, domain.sentBy(leg.target), leg.target.transport);
    return (inward === outward ? [inward] : [outward, inward]).map((value) => ['Record-Route', value]);
  }

  /** §16.6 steps 1 to 8: one copy. What was meant for us (our credentials) stays here. */
  #copy(request: Request, leg: Leg, mark: string, additions: readonly (readonly [string, string])[] = [], breadth?: number): BranchPlan {
    const { target, requestUri } = leg;
    const { domain, entropy } = this.#parts;
    const { host, port } = domain.sentBy(target);
    const branch = `${magicCookie}${randomToken(entropy, 16)}.${mark}`;
    const params = new Map([
      ['branch', branch],
      ['rport', ''],
    ]);
    const via = new Via({ transport: target.transport.toUpperCase(), host, port, params });
    const fields: HeaderField[] = [headerField('Via', via.toString()), ...additions.map(([name, value]) => headerField(name, value))];
    for (const field of request.headers.fields) if (!this.#stays(field)) fields.push(field);
    let headers = new HeaderList(fields).with('Max-Forwards', String((request.maxForwards ?? usualMaxForwards + 1) - 1));
    if (breadth !== undefined) headers = headers.with('Max-Breadth', String(breadth));
    return { request: request.with({ requestUri, headers }), target };
  }

  #stays(field: HeaderField): boolean {
    // RFC 3325 §5: what a user says of who calls is for us; whom we call takes it for our word.
    if (field.key === 'p-preferred-identity' || field.key === 'p-asserted-identity') return true;
    if (field.key !== 'proxy-authorization') return false;
    const value = field.as(parseAuth);
    return value !== undefined && this.#parts.credentials.isOurs(value);
  }
}

/** One for each phone, with its other flows. */
function legsTo(bindings: readonly Binding[]): readonly Leg[] {
  return flowsByPhone(bindings).map(([best, ...others]) => ({ ...legTo(best), otherwise: others.map(legTo) }));
}

function legTo(binding: Binding): Leg {
  return { requestUri: binding.uri, target: targetOfBinding(binding), path: binding.path };
}

/** RFC 3325 §9.2: who hides behind an anonymous From says to us who calls. */
function callerOf(request: Request): Uri {
  if (!isAnonymous(request)) return request.from.uri;
  return request.headers.firstOf('p-preferred-identity')?.as(parseNameAddr)?.uri ?? request.from.uri;
}

function withoutStrictRoute(request: Request): Request {
  const last = request.routes.at(-1);
  if (!last) return request;
  let headers = request.headers.without('Route');
  for (const route of request.routes.slice(0, -1)) headers = headers.append('Route', route.toString());
  return request.with({ requestUri: last.uri, headers });
}

function recordRoute(token: string, { host, port }: SentBy, transport: Transport): string {
  // RFC 7118 §5.3: what stands in a URI is `ws`, secured or not.
  const named = transport === 'wss' ? 'ws' : transport;
  const params = new Map<string, string>(named === 'udp' ? [] : [['transport', named]]);
  return `<${new SipUri({ user: token, host, port, params: params.set('lr', '') })}>`;
}

/** RFC 5393 §5.3.3: a header that can not be read limits nothing more than the usual one. */
function breadthOf(request: Request): number {
  const breadth = Number(request.header('Max-Breadth') ?? usualBreadth);
  return Number.isInteger(breadth) && breadth >= 0 ? breadth : usualBreadth;
}

function refuse(statusCode: number, reasonPhrase?: string): Refusal {
  return { type: 'refuse', statusCode, ...(reasonPhrase === undefined ? {} : { reasonPhrase }) };
}
