import type { Milliseconds } from '#firmware/core/clock.ts';
import { buildResponse, type ResponseParts, statelessTag } from '#firmware/sip/message/build.ts';
import type { Request, Response } from '#firmware/sip/message/message.ts';
import { type NameAddr, parseNameAddrList } from '#firmware/sip/message/name-addr.ts';
import { sipDate } from '#firmware/sip/message/sip-date.ts';
import { parseViaList } from '#firmware/sip/message/via.ts';
import type { Flow } from '#firmware/sip/transport/flow.ts';
import type { CredentialChecker, Verdict } from './credential-checker.ts';
import type { ExchangeSettings } from './exchange-settings.ts';
import type { GruuRegister } from './gruu.ts';
import { type Binding, type LocationService, preferenceOf } from './location-service.ts';
import type { OwnDomain } from './own-domain.ts';

export interface RegistrarParts {
  readonly settings: () => ExchangeSettings;
  readonly domain: OwnDomain;
  readonly location: LocationService;
  readonly gruus: GruuRegister;
  readonly credentials: CredentialChecker;
  /** Wall-clock ms, for Date. */
  readonly wallTime: () => number;
}

/** One Contact of a REGISTER, its lifetime worked out. */
interface Wish {
  readonly contact: NameAddr;
  readonly seconds: number;
}

const supportedExtensions = ['path', 'outbound', 'gruu'];
/** RFC 5626 §6: how often a flow is to be kept alive, s; datagrams often enough for the NATs of homes. */
const flowTimer = { datagrams: 25, stream: 120 };
/** What a phone gets that says nothing. */
const usualExpires = 3600;
const userAgentLength = 128;

/** RFC 3261 §10.3: takes REGISTER requests for the users of this exchange. */
export class Registrar {
  readonly #parts: RegistrarParts;

  constructor(parts: RegistrarParts) {
    this.#parts = parts;
  }

  /** The answer to a REGISTER whose Request-URI is ours. */
  register(now: Milliseconds, request: Request, flow: Flow): Response {
    const { credentials, domain } = this.#parts;
    const refused = refusalOf(request);
    if (refused) return refused;
    const verdict = credentials.check(now, request, request.authorization, flow.remote.address);
    if (verdict.type !== 'known') return unauthorized(request, verdict);
    const aor = request.to.uri;
    if (aor.kind !== 'sip' || !domain.isOwn(aor, flow)) return respond(request, 404);
    // Who asks for the address of another user is not told whether that one exists.
    if (aor.user !== verdict.user.name) return respond(request, 403, { reasonPhrase: 'Not Your Address' });
    return request.contacts === '*' ? this.#removeAll(now, request, aor.user) : this.#update(now, request, aor.user, flow);
  }

  /** §10.3 step 6: `*` alone, and only to remove. */
  #removeAll(now: Milliseconds, request: Request, user: string): Response {
    if (request.expires !== 0 || request.headers.all('contact').length > 1) return respond(request, 400, { reasonPhrase: 'Bad Contact' });
    const { location } = this.#parts;
    if (location.bindingsOf(user).some((binding) => isOutOfOrder(request, binding))) return outOfOrder(request);
    location.removeAll(user);
    return this.#listing(now, request, user);
  }

  /** §10.3 steps 7 and 8: all Contacts or none. */
  #update(now: Milliseconds, request: Request, user: string, flow: Flow): Response {
    const { bindingsPerUser, minimumExpires, maximumExpires } = this.#parts.settings();
    const contacts = request.contacts === '*' ? [] : request.contacts;
    if (contacts.length > bindingsPerUser) return respond(request, 403, { reasonPhrase: 'Too Many Contacts' });
    const wishes: Wish[] = [];
    for (const contact of contacts) {
      if (contact.uri.kind !== 'sip' || preferenceOf(contact) === undefined) {
        return respond(request, 400, { reasonPhrase: 'Bad Contact' });
      }
      const seconds = askedSeconds(request, contact);
      if (seconds > 0 && seconds < minimumExpires) return respond(request, 423, { headers: [['Min-Expires', String(minimumExpires)]] });
      const known = this.#parts.location.find(user, contact.uri);
      if (known && isOutOfOrder(request, known)) return outOfOrder(request);
      wishes.push({ contact, seconds: Math.min(seconds, maximumExpires) });
    }
    const asksForFlow = wishes.some(({ contact }) => contact.params.has('reg-id') && contact.params.has('+sip.instance'));
    const outbound = asksForFlow && request.supported.includes('outbound');
    if (outbound && !cameStraight(request)) return respond(request, 439, { reasonPhrase: 'First Hop Lacks Outbound Support' });
    for (const wish of wishes) this.#commit(now, request, user, wish, flow);
    return this.#listing(now, request, user, outbound ? flow : undefined);
  }

  #commit(now: Milliseconds, request: Request, user: string, wish: Wish, flow: Flow): void {
    const { location } = this.#parts;
    const { uri } = wish.contact;
    if (uri.kind !== 'sip') return;
    if (wish.seconds === 0) {
      const known = location.find(user, uri);
      if (known) location.remove(known);
      return;
    }
    location.store(now, {
      user,
      contact: wish.contact.withoutParam('expires'),
      uri,
      callId: request.callId,
      sequence: request.cSeq.number,
      q: preferenceOf(wish.contact) ?? 1,
      path: pathOf(request),
      source: { transport: flow.transport, address: flow.remote.address, port: flow.remote.port },
      flow,
      userAgent: (request.header('User-Agent') ?? '').slice(0, userAgentLength),
      expiresAt: now + wish.seconds * 1000,
      granted: wish.seconds * 1000,
    });
  }

  /** RFC 5627 §5.1: only for who knows what they are, and the temporary one only for the phone it belongs to. */
  #withGruus(request: Request, binding: Binding, contact: NameAddr): NameAddr {
    const understood = request.supported.includes('gruu') || request.require.includes('gruu');
    const aor = request.to.uri;
    const given = understood && aor.kind === 'sip' ? this.#parts.gruus.giveTo(binding, aor) : undefined;
    if (!given) return contact;
    const known = contact.withParam('pub-gruu', given.publicUri.toString());
    return binding.callId === request.callId ? known.withParam('temp-gruu', given.temporaryUri.toString()) : known;
  }

  /** The 200: every binding of the user with what is left of it. */
  #listing(now: Milliseconds, request: Request, user: string, keptAlive?: Flow): Response {
    const headers: (readonly [string, string])[] = this.#parts.location.bindingsOf(user).map((binding) => {
      const contact = binding.contact.withParam('expires', String(secondsLeft(now, binding)));
      return ['Contact', this.#withGruus(request, binding, contact).toString()];
    });
    const path = pathOf(request);
    if (path.length > 0) headers.push(['Path', path.join(', ')]);
    if (keptAlive)
      headers.push(['Require', 'outbound'], ['Flow-Timer', String(keptAlive.reliable ? flowTimer.stream : flowTimer.datagrams)]);
    const date = sipDate(this.#parts.wallTime());
    if (date !== undefined) headers.push(['Date', date]);
    return respond(request, 200, { headers });
  }
}

/** §10.3 step 2, before anyone is asked who they are. */
function refusalOf(request: Request): Response | undefined {
  const unsupported = request.require.filter((tag) => !supportedExtensions.includes(tag));
  if (unsupported.length > 0) return respond(request, 420, { headers: [['Unsupported', unsupported.join(', ')]] });
  return request.to.uri.kind === 'sip' ? undefined : respond(request, 416);
}

function unauthorized(request: Request, verdict: Exclude<Verdict, { type: 'known' }>): Response {
  if (verdict.type === 'malformed') return respond(request, 400, { reasonPhrase: 'Bad Credentials' });
  if (verdict.type === 'barred') return respond(request, 403, { reasonPhrase: 'Too Many Wrong Passwords' });
  return respond(request, 401, { headers: verdict.challenges.map((challenge) => ['WWW-Authenticate', challenge]) });
}

/** Whole seconds until a binding expires, for people and phones: never 0 while it lives. */
export function secondsLeft(now: Milliseconds, binding: Binding): number {
  return Math.max(1, Math.ceil((binding.expiresAt - now) / 1000));
}

/** §10.2.1.1: the Contact's own parameter, else the header; a malformed one counts as the usual time (§20.19). */
function askedSeconds(request: Request, contact: NameAddr): number {
  const own = contact.params.get('expires');
  if (own === undefined) return request.expires ?? usualExpires;
  const seconds = Number(own);
  return own !== '' && Number.isInteger(seconds) && seconds >= 0 ? seconds : usualExpires;
}

/** §10.3 step 7: within one Call-ID only a higher CSeq may change a binding; an older one was overtaken on its way. */
function isOutOfOrder(request: Request, binding: Binding): boolean {
  return request.callId === binding.callId && request.cSeq.number <= binding.sequence;
}

function outOfOrder(request: Request): Response {
  return respond(request, 500, { reasonPhrase: 'Registration Overtaken' });
}

/** RFC 3327 §5.3: only from those who say that they know what it means. */
function pathOf(request: Request): readonly NameAddr[] {
  const understood = request.supported.includes('path') || request.require.includes('path');
  return understood ? request.headers.listOf('path', parseNameAddrList) : [];
}

/** RFC 5626 §6: from the phone itself, or by proxies of which the first keeps its flow. */
function cameStraight(request: Request): boolean {
  const first = request.headers.listOf('path', parseNameAddrList).at(-1)?.uri;
  return request.headers.listOf('via', parseViaList).length === 1 || (first?.kind === 'sip' && first.params.has('ob'));
}

function respond(request: Request, statusCode: number, parts: ResponseParts = {}): Response {
  return buildResponse(request, statusCode, { ...parts, toTag: statelessTag(request) });
}
