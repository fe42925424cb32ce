import type { Milliseconds } from '#firmware/core/clock.ts';
import { Counters, LimitedLog } from '#firmware/core/counters.ts';
import type { Entropy } from '#firmware/core/entropy.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import { buildResponse, type ResponseParts, statelessTag } from '#firmware/sip/message/build.ts';
import type { Request, Response } from '#firmware/sip/message/message.ts';
import {
  type ClientTransaction,
  defaultTransactionSettings,
  type ServerTransaction,
  TransactionLayer,
  type TransactionOutput,
} from '#firmware/sip/transaction/transaction-layer.ts';
import type { Flow, Target } from '#firmware/sip/transport/flow.ts';
import type { CoreEvent, Destination, SipCore, Transmit } from '#firmware/sip/transport/sip-core.ts';
import { answerToBinding, isStun } from '#firmware/sip/transport/stun-message.ts';
import { destinationAlong, TransportLayer } from '#firmware/sip/transport/transport-layer.ts';
import { AlgorithmChoice } from './algorithm-choice.ts';
import { CredentialChecker } from './credential-checker.ts';
import { defaultExchangeSettings, type ExchangeSettings } from './exchange-settings.ts';
import { type Extension, extensionHost } from './extensions.ts';
import { Forking } from './forking.ts';
import { GruuRegister } from './gruu.ts';
import { type Binding, type BindingChange, type BindingRecord, LocationService } from './location-service.ts';
import { Nonces } from './nonces.ts';
import { type OwnAddresses, OwnDomain } from './own-domain.ts';
import { checkForward } from './redirect.ts';
import { Registrar } from './registrar.ts';
import { RelayTokens } from './relay-token.ts';
import { RequestRouter } from './request-router.ts';
import { SourceLimits } from './source-limits.ts';
import { type User, type UserChange, UserDirectory } from './user-directory.ts';

export interface ExchangePorts {
  readonly entropy: Entropy;
  readonly logger: Logger;
  readonly addresses: OwnAddresses;
  /** Wall-clock ms, for the Date of registrations. */
  readonly wallTime: () => number;
  /** Seals what the exchange writes into dialogs; kept over restarts, or running calls lose their way. */
  readonly relaySecret: string;
  readonly users: Iterable<User>;
  readonly extensions?: ReadonlyMap<string, Extension>;
  readonly settings?: Partial<ExchangeSettings>;
}

/** What should be on disk as soon as may be. */
export type ExchangeEvent = BindingChange | UserChange;

export type ExchangeOutput = Transmit | CoreEvent<ExchangeEvent>;

/** Someone with a registered phone has more calls and refreshes than a stranger has business here. */
const neighbourFactor = 10;
const allowed = 'INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, INFO, UPDATE, PRACK, REFER, SUBSCRIBE, NOTIFY, MESSAGE, PUBLISH';

/**
 * The exchange of a house without a PBX: registrar, forking proxy and redirect server in one SIP element.
 *
 *     bytes ─► limits ─► parse ─► transactions ─┬─ REGISTER ─► registrar ─► location service
 *                                               ├─ others ───► proxy: where to? ─► forking: copies, best answer
 *                                               └─ ACK of 2xx, responses ─► passed on
 */
export class Exchange implements SipCore<ExchangeEvent> {
  readonly #ports: ExchangePorts;
  readonly #counters = new Counters();
  readonly #log: LimitedLog;
  readonly #transport: TransportLayer;
  readonly #transactions: TransactionLayer;
  readonly #users: UserDirectory;
  readonly #location: LocationService;
  readonly #gruus: GruuRegister;
  readonly #domain: OwnDomain;
  readonly #registrar: Registrar;
  readonly #router: RequestRouter;
  readonly #forking: Forking;
  readonly #strangers: SourceLimits;
  readonly #neighbours: SourceLimits;
  #settings: ExchangeSettings;
  #outputs: ExchangeOutput[] = [];

  constructor(ports: ExchangePorts) {
    const settings = { ...defaultExchangeSettings, ...ports.settings };
    const { times, sources, requestsPerSecond, requestsAtOnce } = settings;
    const counters = this.#counters;
    this.#ports = ports;
    this.#settings = settings;
    this.#log = new LimitedLog(ports.logger);
    this.#transport = new TransportLayer(counters, this.#log, settings.messageLimits);
    this.#strangers = new SourceLimits(requestsPerSecond, requestsAtOnce, sources);
    this.#neighbours = new SourceLimits(requestsPerSecond * neighbourFactor, requestsAtOnce * neighbourFactor, sources);
    const layerSettings = { ...defaultTransactionSettings, times, serverTransactions: settings.transactions };
    this.#transactions = new TransactionLayer(counters, layerSettings);
    this.#users = new UserDirectory(ports.users, settings.maximumUsers);
    this.#location = new LocationService(settings.bindingsPerUser);
    this.#domain = new OwnDomain(ports.addresses, () => this.#settings.domains);
    const credentials = new CredentialChecker({
      realm: settings.realm,
      algorithms: new AlgorithmChoice(() => this.#settings.algorithms),
      users: this.#users,
      nonces: new Nonces(ports.entropy, settings.nonceLifetime, settings.nonces),
      wrongPasswords: new SourceLimits(settings.wrongPasswordsPerMinute / 60, settings.wrongPasswordsPerMinute, sources),
      counters,
    });
    this.#gruus = new GruuRegister(ports.relaySecret, this.#location);
    const shared = { domain: this.#domain, users: this.#users, location: this.#location, gruus: this.#gruus, credentials };
    this.#registrar = new Registrar({ ...shared, settings: () => this.#settings, wallTime: ports.wallTime });
    const tokens = new RelayTokens(ports.relaySecret);
    this.#router = new RequestRouter({ ...shared, tokens, entropy: ports.entropy, extensions: ports.extensions ?? new Map() });
    this.#forking = new Forking({ transactions: this.#transactions, counters, timerC: settings.timerC });
  }

  receive(now: Milliseconds, flow: Flow, bytes: Uint8Array): void {
    if (!this.#admits(now, flow)) return;
    if (flow.transport === 'udp' && isStun(bytes)) {
      this.#answerStun(flow, bytes);
      return;
    }
    const message = this.#transport.receive(now, flow, bytes);
    if (message?.kind === 'refusal') this.#transactions.sendError(message.broken, message.statusCode, flow);
    else if (message) this.#transactions.receive(now, message, flow);
    this.#settle(now);
  }

  transportFailed(now: Milliseconds, destination: Destination): void {
    this.#counters.add('transport-failed');
    const { transport, host: address, port } = destination;
    this.#transactions.targetFailed(now, { transport, address, port });
    if (destination.flow && destination.transport !== 'udp') {
      this.#transactions.flowFailed(now, destination.flow);
      this.#location.flowClosed(destination.flow);
    }
    this.#settle(now);
  }

  handleTimeout(now: Milliseconds): void {
    this.#transactions.handleTimeout(now);
    this.#forking.handleTimeout(now);
    this.#location.handleTimeout(now);
    this.#settle(now);
  }

  get deadline(): Milliseconds | undefined {
    const deadlines = [this.#transactions.deadline, this.#forking.deadline, this.#location.deadline];
    return deadlines.reduce((first, other) => (first === undefined || (other !== undefined && other < first) ? other : first), undefined);
  }

  drain(): ExchangeOutput[] {
    for (const event of this.#users.drain()) this.#outputs.push({ kind: 'event', event });
    for (const event of this.#location.drain()) this.#outputs.push({ kind: 'event', event });
    const outputs = this.#outputs;
    if (outputs.length > 0) this.#outputs = [];
    return outputs;
  }

  /** Adds a user or changes the password, which ends what was registered with the old one. Throws UsageError `too-many-users`, `name-taken`. */
  setUser(name: string, password: string): void {
    if (this.#ports.extensions?.has(name)) throw new UsageError('name-taken', `${name} is an extension of the exchange itself`);
    if (this.#users.setPassword(name, this.#settings.realm, password)) this.#location.removeAll(name);
  }

  /** Throws UsageError `unknown-user`. */
  removeUser(name: string): void {
    this.#users.remove(name);
    this.#location.removeAll(name);
  }

  /** Throws UsageError `unknown-user`, `forward-target`. */
  setForward(name: string, target: string | undefined): void {
    if (target !== undefined) checkForward(name, target);
    this.#users.setForward(name, target);
  }

  /** Takes effect for what comes from now on. */
  configure(change: Partial<Pick<ExchangeSettings, 'algorithms' | 'domains' | 'minimumExpires' | 'maximumExpires'>>): void {
    this.#settings = { ...this.#settings, ...change };
  }

  /** Takes up a binding from the disk; false if its user is gone or it makes no sense. */
  restore(now: Milliseconds, record: BindingRecord): boolean {
    if (this.#users.get(record.user) === undefined || !this.#location.restore(now, record)) return false;
    for (const binding of this.#location.bindingsOf(record.user)) {
      if (binding.callId === record.callId) this.#gruus.restore(binding);
    }
    return true;
  }

  /** Every binding as it should lie on disk now. */
  bindingRecords(now: Milliseconds): readonly BindingRecord[] {
    return this.#location.records(now);
  }

  get users(): Iterable<User> {
    return this.#users;
  }

  bindingsOf(user: string): readonly Binding[] {
    return this.#location.bindingsOf(user);
  }

  /** Live state; `pendingInvites` wait for their final answer. */
  describe() {
    const { realm } = this.#settings;
    const { branches, pendingInvites } = this.#forking;
    const live = { bindings: this.#location.size, pendingInvites, branches, transactions: this.#transactions.describe() };
    return { realm, ...live, counters: this.#counters.describe() };
  }

  /** Before anything is read: a flood costs as little as can be. */
  #admits(now: Milliseconds, flow: Flow): boolean {
    const { address } = flow.remote;
    if (address === extensionHost) return true;
    const limits = this.#location.knowsAddress(address) ? this.#neighbours : this.#strangers;
    if (limits.take(now, address)) return true;
    this.#counters.add('source-limited');
    this.#log.warn(now, 'exchange-source-limited', { address });
    return false;
  }

  /** RFC 5626 §8: who keeps a flow alive is told where it comes from. */
  #answerStun(flow: Flow, bytes: Uint8Array): void {
    const answer = answerToBinding(bytes, flow.remote);
    this.#counters.add(answer ? 'stun-answered' : 'malformed-stun');
    if (answer) this.#outputs.push({ kind: 'transmit', destination: destinationAlong(flow), bytes: answer });
  }

  /** What the transactions hand out may make them hand out more; ends when they have nothing left. */
  #settle(now: Milliseconds): void {
    for (let outputs = this.#transactions.drain(); outputs.length > 0; outputs = this.#transactions.drain()) {
      for (const output of outputs) this.#take(now, output);
    }
  }

  #take(now: Milliseconds, output: TransactionOutput): void {
    switch (output.type) {
      case 'send':
        this.#transmit(output.bytes, output.target);
        return;
      case 'request':
        this.#request(now, output.transaction, output.request);
        return;
      case 'cancel':
        this.#transactions.respond(now, output.transaction, localResponse(output.request, output.invite ? 200 : 481));
        if (output.invite) this.#forking.cancel(now, output.invite, output.request.header('Reason'));
        return;
      case 'ack':
        this.#ack(output.request, output.flow);
        return;
      case 'response':
        this.#response(now, output.transaction, output.response);
        return;
      case 'timeout':
        this.#forking.fail(now, output.transaction, 408);
        return;
      case 'transportError':
        this.#forking.fail(now, output.transaction, 503);
        return;
      case 'terminated':
        this.#forking.terminated(output.transaction);
        return;
      default:
        output satisfies never;
    }
  }

  #request(now: Milliseconds, transaction: ServerTransaction, request: Request): void {
    const { flow } = transaction;
    const uri = request.requestUri;
    const own = uri.kind === 'sip' && this.#domain.isOwn(uri, flow);
    if (request.method === 'REGISTER') {
      const response = own ? this.#registrar.register(now, request, flow) : localResponse(request, 403, { reasonPhrase: 'Not Relayed' });
      this.#count('register', response.statusCode);
      this.#transactions.respond(now, transaction, response);
    } else if (request.method === 'OPTIONS' && own && uri.user === undefined) {
      this.#transactions.respond(
        now,
        transaction,
        localResponse(request, 200, {
          headers: [
            ['Allow', allowed],
            ['Supported', 'path, outbound, gruu'],
          ],
        }),
      );
    } else this.#proxyRequest(now, transaction, request);
  }

  #proxyRequest(now: Milliseconds, transaction: ServerTransaction, request: Request): void {
    const decision = this.#router.decide(now, request, transaction.flow);
    if (decision.type === 'forward') {
      this.#forking.start(now, transaction, decision.plans);
      return;
    }
    const { type: _, statusCode, ...parts } = decision;
    this.#count('proxy', statusCode);
    this.#transactions.respond(now, transaction, localResponse(request, statusCode, parts));
  }

  #ack(request: Request, flow: Flow): void {
    const plan = this.#router.ack(request, flow);
    if (plan) this.#transactions.send(plan.request, plan.target);
    else this.#counters.add('ack-stray');
  }

  #response(now: Milliseconds, transaction: ClientTransaction | undefined, response: Response): void {
    if (transaction && this.#forking.receive(now, transaction, response)) return;
    // Answers to our CANCELs change nothing: the INVITE gets its own.
    if (transaction?.request.method !== 'CANCEL') this.#counters.add('response-stray');
  }

  #transmit(bytes: Uint8Array, { transport, address, port, flow }: Target): void {
    this.#outputs.push({ kind: 'transmit', destination: { transport, host: address, port, flow }, bytes });
  }

  #count(what: string, statusCode: number): void {
    this.#counters.add(`${what}-${statusCode}`);
  }
}

function localResponse(request: Request, statusCode: number, parts: ResponseParts = {}): Response {
  return buildResponse(request, statusCode, { ...parts, toTag: statelessTag(request) });
}
