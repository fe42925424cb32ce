import type { Milliseconds } from '#firmware/core/clock.ts';
import { type Entropy, randomToken } from '#firmware/core/entropy.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { Exchange, type ExchangeEvent, type ExchangePorts } from '#firmware/exchange/exchange.ts';
import { digestResponse } from '#firmware/sip/digest.ts';
import { type DigestAlgorithm, digestAlgorithms, digestHash } from '#firmware/sip/digest-hash.ts';
import { formatAuth } from '#firmware/sip/message/auth.ts';
import { buildRequest, buildResponse, type ResponseParts, serializeMessage } from '#firmware/sip/message/build.ts';
import type { Message, Request, Response } from '#firmware/sip/message/message.ts';
import { NameAddr } from '#firmware/sip/message/name-addr.ts';
import { parseMessage } from '#firmware/sip/message/parse.ts';
import { parseUri, type SipUri, type Uri } from '#firmware/sip/message/uri.ts';
import { newBranch, Via } from '#firmware/sip/message/via.ts';
import type { Flow, Transport } from '#firmware/sip/transport/flow.ts';
import type { Destination } from '#firmware/sip/transport/sip-core.ts';
import { seededEntropy } from './seeded-entropy.ts';

const exchangeAddress = '192.0.2.1';
const exchangePort = 5070;
export const realm = 'house';

/** The user of a name whose password is `NAME-password`, as the exchange keeps it. */
export function userNamed(name: string, forward?: string) {
  const secret = `${name}:${realm}:${name}-password`;
  return { name, proofs: { 'SHA-256': digestHash('SHA-256', secret), MD5: digestHash('MD5', secret) }, forward };
}

/** An exchange in virtual time, with scripted phones on a network that loses nothing and needs no time. */
export class ExchangeHouse {
  now: Milliseconds = 1_000;
  /** What the machine believes. */
  wallTime = Date.UTC(2028, 1, 29, 23, 5, 9);
  readonly entropy: Entropy;
  readonly exchange: Exchange;
  readonly events: ExchangeEvent[] = [];
  /** Messages to places where nobody is. */
  readonly lost: { readonly to: string; readonly message: Message }[] = [];
  /** What the exchange sent and nobody can read: answers to requests that lack what every message must have. */
  readonly unreadable: string[] = [];
  readonly #phones = new Map<string, ScriptedPhone>();

  constructor(ports: Partial<ExchangePorts> = {}, seed = 1) {
    this.entropy = seededEntropy(seed);
    this.exchange = new Exchange({
      entropy: this.entropy,
      logger: silentLogger,
      addresses: { towards: () => ({ address: exchangeAddress, port: exchangePort }), isOwn: (host) => host === exchangeAddress },
      wallTime: () => this.wallTime,
      relaySecret: 'kept over restarts',
      users: ['anna', 'bert', 'carl', 'dora'].map((name) => userNamed(name)),
      ...ports,
      settings: { realm, domains: ['house.example'], ...ports.settings },
    });
  }

  /** A phone at an address of its own; `contact` when its Contact says something else (NAT). */
  phone(user: string, address: string, options: { port?: number; transport?: 'udp' | 'tcp'; contact?: string } = {}): ScriptedPhone {
    const phone = new ScriptedPhone(this, user, address, options);
    this.#phones.set(placeOf(phone.transport, address, phone.port), phone);
    return phone;
  }

  /** Takes a phone off the network: what is sent to it is lost, and over TCP the exchange is told. */
  remove(phone: ScriptedPhone): void {
    this.#phones.delete(placeOf(phone.transport, phone.address, phone.port));
    const destination = { transport: phone.transport, host: phone.address, port: phone.port, flow: phone.flow };
    if (phone.transport !== 'udp') this.exchange.transportFailed(this.now, destination);
    this.settle();
  }

  /** Brings bytes to the exchange as if from `flow`. */
  receive(flow: Flow, bytes: Uint8Array): void {
    this.exchange.receive(this.now, flow, bytes);
    this.settle();
  }

  /** Lets time pass, stopping at each deadline on the way. */
  advance(ms: Milliseconds): void {
    const end = this.now + ms;
    for (let deadline = this.exchange.deadline; deadline !== undefined && deadline <= end; deadline = this.exchange.deadline) {
      this.now = Math.max(this.now, deadline);
      this.exchange.handleTimeout(this.now);
      this.settle();
    }
    this.now = end;
  }

  settle(): void {
    for (let outputs = this.exchange.drain(); outputs.length > 0; outputs = this.exchange.drain()) {
      for (const output of outputs) {
        if (output.kind === 'event') this.events.push(output.event);
        else this.#deliver(output.destination, output.bytes);
      }
    }
  }

  /** Over the flow while its phone is there, as a driver does, else to the address. */
  #deliver({ transport, host, port, flow }: Destination, bytes: Uint8Array): void {
    const along = flow && placeOf(transport, flow.remote.address, flow.remote.port);
    const to = along !== undefined && this.#phones.has(along) ? along : placeOf(transport, host, port);
    const parsed = parseMessage(bytes);
    if (!parsed.ok) {
      this.unreadable.push(new TextDecoder().decode(bytes));
      return;
    }
    const phone = this.#phones.get(to);
    if (phone) phone.inbox.push(parsed.message);
    else this.lost.push({ to, message: parsed.message });
  }
}

export interface ScriptedRequest {
  readonly to?: NameAddr;
  readonly from?: NameAddr;
  readonly callId?: string;
  readonly sequence?: number;
  readonly routes?: readonly NameAddr[];
  readonly contact?: NameAddr | '*';
  readonly headers?: Iterable<readonly [name: string, value: string]>;
  readonly maxForwards?: number;
  readonly body?: string;
  readonly vias?: readonly Via[];
}

/** Sends what it is told, answers when it is told, remembers what came. */
export class ScriptedPhone {
  readonly user: string;
  readonly address: string;
  readonly port: number;
  readonly transport: Transport;
  readonly flow: Flow;
  readonly contact: SipUri;
  /** Everything that came, oldest first; tests may empty it. */
  readonly inbox: Message[] = [];
  readonly #house: ExchangeHouse;
  #sequence = 0;
  #nonceCount = 0;

  constructor(
    house: ExchangeHouse,
    user: string,
    address: string,
    options: { port?: number; transport?: 'udp' | 'tcp'; contact?: string },
  ) {
    const { port = 5060, transport = 'udp', contact } = options;
    this.#house = house;
    this.user = user;
    this.address = address;
    this.port = port;
    this.transport = transport;
    const local = { address: exchangeAddress, port: exchangePort };
    this.flow = { id: `${transport}-${address}-${port}`, transport, reliable: transport !== 'udp', local, remote: { address, port } };
    const suffix = transport === 'udp' ? '' : `;transport=${transport}`;
    this.contact = sipUri(contact ?? `sip:${user}-phone@${address}:${port}${suffix}`);
  }

  get aor(): SipUri {
    return sipUri(`sip:${this.user}@house.example`);
  }

  get responses(): Response[] {
    return this.inbox.filter((message) => message.kind === 'response');
  }

  /** Status codes that came, 100 aside. */
  get codes(): number[] {
    return this.responses.map(({ statusCode }) => statusCode).filter((code) => code !== 100);
  }

  requests(method?: string): Request[] {
    return this.inbox.filter((message) => message.kind === 'request').filter((request) => !method || request.method === method);
  }

  /** The only request of that method that came, else an error. */
  one(method: string): Request {
    const [request, ...more] = this.requests(method);
    if (!request || more.length > 0) throw new Error(`${this.user} has ${more.length + (request ? 1 : 0)} ${method} requests`);
    return request;
  }

  get lastResponse(): Response {
    const last = this.responses.at(-1);
    if (!last) throw new Error(`${this.user} got no response`);
    return last;
  }

  build(method: string, uri: Uri | string, parts: ScriptedRequest = {}): Request {
    const { entropy } = this.#house;
    const requestUri = typeof uri === 'string' ? parseUri(uri) : uri;
    if (!requestUri) throw new Error(`no URI: ${uri}`);
    const { vias = [], body, ...rest } = parts;
    this.#sequence = parts.sequence ?? this.#sequence + 1;
    const request = buildRequest({
      method,
      requestUri,
      from: parts.from ?? new NameAddr(this.aor, undefined, new Map([['tag', randomToken(entropy, 8)]])),
      to: parts.to ?? new NameAddr(requestUri),
      callId: parts.callId ?? randomToken(entropy, 16),
      sequence: this.#sequence,
      via: this.#via(),
      ...rest,
      ...(body === undefined ? {} : { body: { type: 'application/sdp', content: body } }),
    });
    return vias.reduce((built, via) => built.with({ headers: built.headers.append('Via', via.toString()) }), request);
  }

  send(message: Message): void {
    this.#house.receive(this.flow, serializeMessage(message));
  }

  sendText(text: string): void {
    this.#house.receive(this.flow, new TextEncoder().encode(text));
  }

  /** Sends a request and, if it is challenged, sends it again with credentials; gives the request that was sent last. */
  ask(method: string, uri: Uri | string, parts: ScriptedRequest = {}, password = `${this.user}-password`): Request {
    const first = this.build(method, uri, parts);
    const before = this.responses.length;
    this.send(first);
    const challenged = this.responses.slice(before).find(({ statusCode }) => statusCode === 401 || statusCode === 407);
    if (!challenged) return first;
    if (method === 'INVITE') this.ack(first, challenged);
    const second = this.authorize(this.again(first), challenged, { password });
    this.send(second);
    return second;
  }

  /** The same request anew: next CSeq, another branch. */
  again(request: Request): Request {
    const headers = request.headers.with('CSeq', `${++this.#sequence} ${request.method}`).with('Via', this.#via().toString());
    return request.with({ headers });
  }

  authorize(
    request: Request,
    challenged: Response,
    options: { password?: string; username?: string; algorithm?: DigestAlgorithm; nonceCount?: number; uri?: string; qop?: boolean } = {},
  ): Request {
    const isProxy = challenged.statusCode === 407;
    const challenges = isProxy ? challenged.proxyAuthenticate : challenged.authenticate;
    const { algorithm = digestAlgorithms[0], username = this.user, password = `${this.user}-password`, qop: protects = true } = options;
    const challenge = challenges.find(({ params }) => params.get('algorithm') === algorithm);
    const nonce = challenge?.params.get('nonce') ?? '';
    const nonceCount = (options.nonceCount ?? 1).toString(16).padStart(8, '0');
    const clientNonce = `c${++this.#nonceCount}`;
    const uri = options.uri ?? request.requestUri.toString();
    const qop = protects ? ({ quality: 'auth', nonceCount, clientNonce } as const) : undefined;
    const response = digestResponse({ algorithm, username, realm, password, method: request.method, uri, nonce, qop });
    const params = new Map([
      ['username', username],
      ['realm', realm],
      ['nonce', nonce],
      ['uri', uri],
      ['response', response],
      ['algorithm', algorithm],
    ]);
    if (protects) params.set('qop', 'auth').set('nc', nonceCount).set('cnonce', clientNonce);
    const value = formatAuth({ scheme: 'digest', params }, 'credentials');
    return request.with({ headers: request.headers.append(isProxy ? 'Proxy-Authorization' : 'Authorization', value) });
  }

  /** Registers at the exchange, credentials and all. */
  register(parts: ScriptedRequest & { readonly expires?: number } = {}): Response {
    const { expires, ...rest } = parts;
    const contact = parts.contact ?? new NameAddr(this.contact);
    const headers = [...(parts.headers ?? []), ...(expires === undefined ? [] : [['Expires', String(expires)] as const])];
    this.ask('REGISTER', 'sip:house.example', { to: new NameAddr(this.aor), ...rest, contact, headers });
    return this.lastResponse;
  }

  /** Calls a user; gives the INVITE that carried the credentials. */
  call(user: string, parts: ScriptedRequest = {}): Request {
    return this.ask('INVITE', `sip:${user}@house.example`, { contact: new NameAddr(this.contact), body: 'v=0', ...parts });
  }

  respond(request: Request, statusCode: number, parts: ResponseParts = {}): void {
    const answer = { toTag: `${this.user}-${this.port}`, ...(statusCode < 300 ? { contact: new NameAddr(this.contact) } : {}), ...parts };
    this.send(buildResponse(request, statusCode, answer));
  }

  cancel(invite: Request, reason?: string): void {
    const headers: [string, string][] = reason === undefined ? [] : [['Reason', reason]];
    const { from, to, callId, cSeq } = invite;
    const cancel = this.build('CANCEL', invite.requestUri, { from, to, callId, sequence: cSeq.number, headers });
    this.send(cancel.with({ headers: cancel.headers.with('Via', invite.topVia.toString()) }));
  }

  /** ACK of a response from 300 on: within the INVITE's transaction. */
  ack(invite: Request, response: Response): void {
    const { from, callId, cSeq, requestUri } = invite;
    const ack = this.build('ACK', requestUri, { from, to: response.to, callId, sequence: cSeq.number });
    this.send(ack.with({ headers: ack.headers.with('Via', invite.topVia.toString()) }));
  }

  /** A request inside the dialog that `response` made, by who sent the INVITE. */
  withinAsCaller(method: string, invite: Request, response: Response, parts: ScriptedRequest = {}): Request {
    const remote = response.contacts === '*' ? undefined : response.contacts[0];
    const dialog = { from: invite.from, to: response.to, callId: invite.callId, routes: [...response.recordRoutes].reverse() };
    return this.build(method, remote?.uri ?? '', { ...dialog, ...parts });
  }

  /** The same by who accepted it; `invite` as it came there. */
  withinAsCallee(method: string, invite: Request, parts: ScriptedRequest = {}): Request {
    const remote = invite.contacts === '*' ? undefined : invite.contacts[0];
    const from = invite.to.withParam('tag', `${this.user}-${this.port}`);
    const dialog = { from, to: invite.from, callId: invite.callId, routes: invite.recordRoutes };
    return this.build(method, remote?.uri ?? '', { ...dialog, ...parts });
  }

  #via(): Via {
    const params = new Map([
      ['branch', newBranch(this.#house.entropy)],
      ['rport', ''],
    ]);
    return new Via({ transport: this.transport.toUpperCase(), host: this.contact.host, port: this.contact.port, params });
  }
}

export function sipUri(text: string): SipUri {
  const uri = parseUri(text);
  if (uri?.kind !== 'sip') throw new Error(`no SIP URI: ${text}`);
  return uri;
}

function placeOf(transport: Transport, address: string, port: number): string {
  return `${transport} ${address}:${port}`;
}
