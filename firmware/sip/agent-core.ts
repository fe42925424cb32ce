import type { Milliseconds } from '#firmware/core/clock.ts';
import { Counters, LimitedLog } from '#firmware/core/counters.ts';
import type { Entropy } from '#firmware/core/entropy.ts';
import type { Logger } from '#firmware/core/logger.ts';
import { TimerTable } from '#firmware/core/timer-table.ts';
import type { XmlReader } from '#firmware/core/xml-element.ts';
import type { DialogNames } from './event/dialog-document.ts';
import { hostOf, type Identity } from './identity.ts';
import { buildCancel, buildResponse, type ResponseParts, statelessTag, withTopVia } from './message/build.ts';
import type { Message, Request, Response } from './message/message.ts';
import type { Uri } from './message/uri.ts';
import { newBranch, Via } from './message/via.ts';
import { MessageLog } from './message-log.ts';
import type { Wake } from './state-machine.ts';
import type { ClientTransaction, ServerTransaction } from './transaction/transaction-layer.ts';
import { defaultTransactionSettings, TransactionLayer, type TransactionOutput } from './transaction/transaction-layer.ts';
import type { Flow, Target, Transport } from './transport/flow.ts';
import type { NameAnswer, NameQuestion, NameService } from './transport/name-records.ts';
import { type Hop, ServerLocation } from './transport/server-location.ts';
import { ServerSearch } from './transport/server-search.ts';
import type { Destination, LocalAddresses } from './transport/sip-core.ts';
import { StreamSwitch } from './transport/stream-switch.ts';
import { StunAnswers } from './transport/stun-answers.ts';
import { isStun } from './transport/stun-message.ts';
import { TransportLayer } from './transport/transport-layer.ts';
import type { SessionId, UserAgentEvent, UserAgentOutput } from './user-agent-events.ts';
import { defaultUserAgentSettings, type UserAgentSettings } from './user-agent-settings.ts';

export interface UserAgentPorts {
  readonly entropy: Entropy;
  readonly logger: Logger;
  readonly addresses: LocalAddresses;
  /** Answers by the input `named`; without one the driver looks up the addresses of names. */
  readonly names?: NameService | undefined;
  readonly settings?: Partial<UserAgentSettings>;
  /** Reads what registrars and watched lines tell; without it nothing of theirs is understood. */
  readonly readXml?: XmlReader | undefined;
  /** Where refusals and faults are counted; those of its own unless given. */
  readonly counters?: Counters;
}

/** Who sent a request of ours and is told what becomes of it. */
export interface TransactionUser {
  responded(now: Milliseconds, response: Response, flow: Flow): void;
  /** No final response will come. `obstacle` is what stood in the way of delivery, in words for people. */
  failed(now: Milliseconds, cause: 'timeout' | 'transport', obstacle: string | undefined): void;
}

/** What lives in a dialog (RFC 5057) and takes its requests. */
export interface DialogUsage {
  /** Any request but ACK and CANCEL. */
  receive(now: Milliseconds, transaction: ServerTransaction): void;
  /** The ACK of a 2xx. */
  acknowledged(now: Milliseconds, ack: Request): void;
  /** A 2xx to an INVITE of ours whose transaction is over: its ACK was lost. */
  acceptedAgain(response: Response): void;
  /** What an INVITE with Replaces (RFC 3891) could take the place of; absent where there is nothing of the kind. */
  replaceable?(): Replaceable;
}

/** A call that another may take the place of, by how far it has come. */
export interface Replaceable {
  readonly session: SessionId;
  readonly stage: 'ringingHere' | 'ringingThere' | 'confirmed';
}

/** The REFERs of one accepted call, either way, which may outlive it; or one outside any call. */
export interface Referrals {
  /** What our REFER within another call is to name, so that its target takes the new call for this one; `undefined` when it can't. */
  readonly addressWithReplaces: Uri | undefined;
  refer(now: Milliseconds, target: Uri, follow: boolean): boolean;
  acceptRefer(now: Milliseconds): void;
  rejectRefer(now: Milliseconds, statusCode: number): void;
  tellReferred(now: Milliseconds, statusCode: number): void;
}

/** A call in any state, as its owner outside sees it. */
export interface Call {
  /** The dialog it is in; absent while there is none, or more than one. */
  readonly names?: DialogNames;
  /** CANCEL, BYE or a refusal, whatever the state asks for; again and again without harm. `reason` is a Reason header. */
  end(now: Milliseconds, reason?: string): void;
  /** The Contact of an account is another one; absent where nobody has to be told. */
  readdressed?(now: Milliseconds, identity: Identity): void;
  describe(): object;
}

/** Takes the CANCEL of an INVITE that has no final response yet; the CANCEL itself is answered for it. */
export interface Cancellable {
  /** The To tag of our responses (RFC 3261 §9.2: the CANCEL gets the same). */
  readonly toTag: string | undefined;
  readonly cancelled: (now: Milliseconds, cancel: Request) => void;
}

/** What the driver speaks, in the order in which a domain that has no preference is asked for it. */
const transports: readonly Transport[] = ['udp', 'tcp', 'tls', 'ws', 'wss'];

const ignoresOutcome: TransactionUser = { responded: () => undefined, failed: () => undefined };

/** What all parts of the user agent share: transactions, timers, dialogs, calls and the outputs they make. */
export class AgentCore {
  readonly entropy: Entropy;
  readonly settings: UserAgentSettings;
  readonly addresses: LocalAddresses;
  readonly counters: Counters;
  readonly log: LimitedLog;
  readonly readXml: XmlReader;
  readonly timers = new TimerTable<Wake>();
  /** By `dialogKey`. */
  readonly dialogs = new Map<string, DialogUsage>();
  readonly calls = new Map<SessionId, Call>();
  readonly referrals = new Map<SessionId, Referrals>();
  /** Which servers there are and which have failed (RFC 3263). */
  readonly location: ServerLocation;
  readonly servers: ServerSearch;
  readonly streams: StreamSwitch;
  readonly stun = new StunAnswers();
  readonly messageLog = new MessageLog();
  readonly #transport: TransportLayer;
  readonly #transactions: TransactionLayer;
  readonly #users = new Map<ClientTransaction, TransactionUser>();
  readonly #unanswered = new Set<ClientTransaction>();
  readonly #cancellable = new Map<ServerTransaction, Cancellable>();
  #outputs: UserAgentOutput[] = [];
  #lastInput: Milliseconds = 0;

  constructor({ entropy, logger, addresses, names, settings, readXml, counters = new Counters() }: UserAgentPorts) {
    this.entropy = entropy;
    this.addresses = addresses;
    this.counters = counters;
    this.settings = { ...defaultUserAgentSettings, ...settings };
    this.log = new LimitedLog(logger);
    this.readXml = readXml ?? (() => undefined);
    this.location = new ServerLocation(entropy, transports);
    this.servers = new ServerSearch(this.location, names);
    this.streams = new StreamSwitch(this.settings.largestDatagram);
    this.#transport = new TransportLayer(this.counters, this.log, this.settings.messageLimits);
    const { t1, t2, t4, maximumTransactions } = this.settings;
    this.#transactions = new TransactionLayer(this.counters, {
      ...defaultTransactionSettings,
      times: { t1, t2, t4 },
      clientTransactions: maximumTransactions,
      serverTransactions: maximumTransactions,
    });
  }

  /** 64·T1: how long a request may stay unanswered and a 2xx unacknowledged. */
  get patience(): Milliseconds {
    return 64 * this.settings.t1;
  }

  /** The time of the last input. */
  get lastInput(): Milliseconds {
    return this.#lastInput;
  }

  /** Requests of ours that have no final response yet, or are still to be sent. */
  get unanswered(): number {
    return this.#unanswered.size + this.servers.size;
  }

  /** Sends a request that has no Via yet to an address. */
  send(now: Milliseconds, request: Request, destination: Destination, user: TransactionUser): ClientTransaction {
    this.#lastInput = now;
    const complete = this.#complete(request, destination);
    const transaction = this.#transactions.request(now, complete, targetFor(destination));
    this.#users.set(transaction, user);
    this.#unanswered.add(transaction);
    return transaction;
  }

  /**
   * Nobody waits for the answer any more. `late` hears of an answer that comes nevertheless; without it the request is not sent again either.
   */
  abandon(now: Milliseconds, transaction: ClientTransaction, late?: TransactionUser): void {
    if (!this.#users.has(transaction)) return;
    this.#unanswered.delete(transaction);
    this.#users.set(transaction, late ?? ignoresOutcome);
    if (!late) this.#transactions.transportFailed(now, transaction);
  }

  /** RFC 3261 §9.1; nobody waits for the answer. `reason` is a Reason header (RFC 3326). */
  cancel(now: Milliseconds, invite: ClientTransaction, reason?: string): void {
    const plain = buildCancel(invite.request);
    const cancel = reason === undefined ? plain : plain.with({ headers: plain.headers.append('Reason', reason) });
    const transaction = this.#transactions.request(now, cancel, invite.target);
    this.#users.set(transaction, ignoresOutcome);
    this.#unanswered.add(transaction);
  }

  /** Sends the ACK of a 2xx; gives back how to send the very same once more. */
  acknowledge(ack: Request, destination: Destination): () => void {
    let complete: Request | undefined;
    const send = (_now: Milliseconds, [hop]: readonly Hop[]): void => {
      if (!hop) return;
      complete ??= this.#complete(ack, hop.destination);
      this.#transactions.send(complete, targetFor(hop.destination));
    };
    const again = (): void => this.servers.find(this.#lastInput, destination, send);
    again();
    return again;
  }

  respond(now: Milliseconds, transaction: ServerTransaction, statusCode: number, parts: ResponseParts = {}): Response {
    this.#lastInput = now;
    const { request } = transaction;
    const { product } = this.settings;
    const headers = product === undefined ? parts.headers : [...(parts.headers ?? []), ['Server', product] as const];
    const toTag = parts.toTag ?? statelessTag(request);
    const response = buildResponse(request, statusCode, { ...parts, toTag, ...(headers && { headers }) });
    this.#transactions.respond(now, transaction, response);
    if (statusCode >= 200) this.#cancellable.delete(transaction);
    return response;
  }

  /** Sends a 2xx once more (RFC 3261 §13.3.1.4). */
  repeat(now: Milliseconds, transaction: ServerTransaction, response: Response): void {
    this.#transactions.respond(now, transaction, response);
  }

  /** Sends what is no message: keep-alive. */
  sendBytes(destination: Destination, bytes: Uint8Array): void {
    this.#outputs.push({ kind: 'transmit', destination, bytes });
  }

  /** Says who takes the CANCEL of an INVITE until it has a final response. */
  onCancel(invite: ServerTransaction, cancellable: Cancellable): void {
    this.#cancellable.set(invite, cancellable);
  }

  cancellableOf(invite: ServerTransaction): Cancellable | undefined {
    return this.#cancellable.get(invite);
  }

  userOf(transaction: ClientTransaction): TransactionUser | undefined {
    return this.#users.get(transaction);
  }

  emit(event: UserAgentEvent): void {
    this.#outputs.push({ kind: 'event', event });
  }

  /** A refusal or a fault worth counting and, now and then, a line. */
  note(now: Milliseconds, name: string, fields: Readonly<Record<string, string>> = {}): void {
    this.counters.add(name);
    this.log.warn(now, name, fields);
  }

  receive(now: Milliseconds, flow: Flow, bytes: Uint8Array): void {
    this.#lastInput = now;
    if (flow.transport === 'udp' && isStun(bytes)) {
      if (!this.stun.receive(now, bytes)) this.counters.add('stun-astray');
      return;
    }
    this.servers.cameOver(flow);
    const received = this.#transport.receive(now, flow, bytes);
    if (received?.kind === 'refusal') this.#transactions.sendError(received.broken, received.statusCode, flow);
    else if (received) {
      this.#trace('received', received, flow.transport, flow.remote.address, flow.remote.port);
      // RFC 3261 §8.1.3.3: our requests have one Via, so a response with more of them went astray.
      if (received.kind === 'response' && received.vias.length > 1) this.counters.add('responses-with-several-vias');
      else this.#transactions.receive(now, received, flow);
    }
  }

  transportFailed(now: Milliseconds, destination: Destination): void {
    this.#lastInput = now;
    if (destination.flow) this.#transactions.flowFailed(now, destination.flow);
    this.#transactions.targetFailed(now, targetFor(destination));
  }

  named(now: Milliseconds, question: NameQuestion, answer: NameAnswer): void {
    this.#lastInput = now;
    this.servers.named(now, question, answer);
  }

  handleTimeout(now: Milliseconds): void {
    this.#lastInput = now;
    this.#transactions.handleTimeout(now);
    for (let wake = this.timers.takeDue(now); wake; wake = this.timers.takeDue(now)) wake.fire(now);
  }

  get deadline(): Milliseconds | undefined {
    const deadlines = [this.#transactions.deadline, this.timers.deadline].filter((deadline) => deadline !== undefined);
    return deadlines.length > 0 ? Math.min(...deadlines) : undefined;
  }

  /** What the transactions have to say; what they send becomes output here. Empty when nothing is left. */
  take(): readonly Exclude<TransactionOutput, { type: 'send' }>[] {
    const rest: Exclude<TransactionOutput, { type: 'send' }>[] = [];
    for (const output of this.#transactions.drain()) {
      if (output.type === 'send') this.#transmit(output.bytes, output.target, output.message);
      else rest.push(output);
    }
    return rest;
  }

  /** A request of ours has its final response, or will get none. */
  answered(transaction: ClientTransaction): void {
    this.#unanswered.delete(transaction);
  }

  /** A transaction is over. */
  forget(transaction: ClientTransaction | ServerTransaction): void {
    if (transaction.role === 'server') this.#cancellable.delete(transaction);
    else this.#users.delete(transaction);
  }

  drain(): UserAgentOutput[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  describe(): object {
    return {
      ...this.#transactions.describe(),
      ...this.location.describe(),
      dialogs: this.dialogs.size,
      counters: this.counters.describe(),
    };
  }

  #complete(request: Request, destination: Destination): Request {
    const { address, port } = this.addresses.towards(destination.host, destination.transport);
    const params = new Map([
      ['branch', newBranch(this.entropy)],
      ['rport', ''],
      // RFC 5923 §5: who has a certificate of ours may use the connection for requests to us.
      ...(destination.transport === 'tls' && port !== 0 ? [['alias', ''] as const] : []),
    ]);
    const via = new Via({
      transport: destination.transport.toUpperCase(),
      host: hostOf(address),
      port: port === 0 ? undefined : port,
      params,
    });
    const { product } = this.settings;
    const named = product === undefined ? request : request.with({ headers: request.headers.with('User-Agent', product) });
    return withTopVia(named, via);
  }

  #transmit(bytes: Uint8Array, target: Target, message: Message | undefined): void {
    const { transport, address: host, port, flow, domain } = target;
    this.#trace('sent', message, transport, host, port);
    this.#outputs.push({ kind: 'transmit', destination: { transport, host, port, flow, domain }, bytes });
  }

  #trace(direction: 'sent' | 'received', message: Message | undefined, transport: string, host: string, port: number): void {
    if (!message) return;
    const peer = `${transport}:${hostOf(host)}:${port}`;
    this.messageLog.add(this.#lastInput, direction, message, peer);
    if (!this.settings.trace) return;
    const start = message.kind === 'request' ? message.method : `${message.statusCode} ${message.reasonPhrase}`;
    const { number, method } = message.cSeq;
    const summary = `${start} · ${number} ${method} · ${message.callId} · ${message.body.length} bytes`;
    this.emit({ type: 'message', direction, peer, summary });
  }
}

/** To the transaction layer the address is opaque: without a name service it may be a name. */
function targetFor({ transport, host, port, flow, domain }: Destination): Target {
  return { transport, address: host, port, flow, domain };
}
