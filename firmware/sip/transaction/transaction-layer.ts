import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Counters } from '#firmware/core/counters.ts';
import { InvariantError } from '#firmware/core/errors.ts';
import { buildAck, buildErrorResponse, buildResponse, serializeMessage, statelessTag } from '../message/build.ts';
import type { Message, Request, Response } from '../message/message.ts';
import type { BrokenRequest } from '../message/parse.ts';
import { type Flow, type Target, targetOf } from '../transport/flow.ts';
import { ClientMachine, type Machine, ServerMachine, ServerTicket, type TransactionAction } from './machine.ts';
import { MachineTimers } from './machine-timers.ts';
import { clientKey, mergeKey, responseTarget, serverKey, stampRequest, stampVia } from './matching.ts';
import { defaultTransactionTimes, type TransactionTimer, type TransactionTimes } from './timers.ts';

/** A request of ours on its way, from sending it to the end of its transaction. Compare by identity. */
export interface ClientTransaction {
  readonly role: 'client';
  /** Unique among live transactions; for logs and ladders. */
  readonly id: string;
  readonly request: Request;
  readonly target: Target;
}

/** A request of a peer that wants a final response. Compare by identity. */
export interface ServerTransaction {
  readonly role: 'server';
  readonly id: string;
  /** With `received` and `rport` filled in (RFC 3261 §18.2.1, RFC 3581 §4). */
  readonly request: Request;
  readonly flow: Flow;
}

export interface TransactionSettings {
  readonly times: TransactionTimes;
  /** Live client transactions; beyond it a request fails at once as by transport error. */
  readonly clientTransactions: number;
  /** Live server transactions, answered ones that still swallow retransmissions included; beyond it new requests get 503 or silence. */
  readonly serverTransactions: number;
  /** What a request beyond that gets. */
  readonly overload: 'silence' | { readonly retryAfterSeconds: number };
}

export const defaultTransactionSettings: TransactionSettings = {
  times: defaultTransactionTimes,
  clientTransactions: 10_000,
  serverTransactions: 10_000,
  overload: { retryAfterSeconds: 5 },
};

/** What the driver takes with `drain()`: bytes for the transport, and events for the TransactionUser. */
export type TransactionOutput =
  /**
   * To the transport. If it fails, tell `transportFailed` with the transaction, when there is one. `message` is for traces; not there for an
   * answer to what was no message and for late retransmissions.
   */
  | {
      readonly type: 'send';
      readonly bytes: Uint8Array;
      readonly target: Target;
      readonly message: Message | undefined;
      readonly transaction: ClientTransaction | ServerTransaction | undefined;
    }
  /** A new request other than ACK and CANCEL. `merged`: the same request came by another path and is live (RFC 3261 §8.2.2.2: a UAS answers 482). */
  | { readonly type: 'request'; readonly transaction: ServerTransaction; readonly request: Request; readonly merged: boolean }
  /**
   * A CANCEL. With `invite`, which is unanswered: the TransactionUser answers the CANCEL by 200 and the INVITE by 487. Without: there is none
   * to cancel (481). A CANCEL that comes too late is answered here, for it changes nothing.
   */
  | {
      readonly type: 'cancel';
      readonly transaction: ServerTransaction;
      readonly request: Request;
      readonly invite: ServerTransaction | undefined;
    }
  /** An ACK that ends no transaction here: of a 2xx, or a stray one. */
  | { readonly type: 'ack'; readonly request: Request; readonly flow: Flow }
  /** A response to a request of ours; without `transaction` a stray one (a 2xx after its transaction ended, or a proxy's to forward). */
  | { readonly type: 'response'; readonly transaction: ClientTransaction | undefined; readonly response: Response; readonly flow: Flow }
  /** No final response in time (RFC 3261 §8.1.3.1: as 408), or for an INVITE server transaction no ACK. */
  | { readonly type: 'timeout'; readonly transaction: ClientTransaction | ServerTransaction }
  /** The transport could not deliver (RFC 3261 §8.1.3.1: as 503). */
  | { readonly type: 'transportError'; readonly transaction: ClientTransaction | ServerTransaction }
  /**
   * The transaction is gone: the last output about it. Not told of server transactions that had their final response (and, for one from
   * 300 on to an INVITE, their ACK): nobody has a use for it, and the memory of the request is free long before.
   */
  | { readonly type: 'terminated'; readonly transaction: ClientTransaction | ServerTransaction };

/**
 * RFC 3261 §17 with RFC 6026: finds the transaction a message belongs to, and runs them all. Every message and every timer costs two or
 * three look-ups and O(log n) in one timer table, however many transactions are live.
 *
 *   message ─► key ─► machine: table row × input ─► actions ─► outputs
 *   timer ───────────►
 */
export class TransactionLayer {
  readonly #settings: TransactionSettings;
  readonly #counters: Counters;
  readonly #clients = new Map<string, ClientMachine>();
  readonly #servers = new Map<string, ServerMachine>();
  /** How many live server transactions there are of a request that could be merged. */
  readonly #mergeable = new Map<string, number>();
  readonly #timers: MachineTimers;
  #outputs: TransactionOutput[] = [];

  constructor(counters: Counters, settings: TransactionSettings = defaultTransactionSettings) {
    this.#settings = settings;
    this.#timers = new MachineTimers(settings.times);
    this.#counters = counters;
  }

  /** A well-formed message from the transport, request or response. */
  receive(now: Milliseconds, message: Message, flow: Flow): void {
    if (message.kind === 'request') this.#receiveRequest(now, stampRequest(message, flow), flow);
    else this.#receiveResponse(now, message, flow);
  }

  /**
   * Starts a client transaction and sends the request. Its top Via must be ours, with a branch used by no other request (`withTopVia`,
   * `newBranch`); a CANCEL carries the branch of its INVITE (`buildCancel`), which is given up when no final response comes after it. The
   * ACK of a 2xx is no transaction: `send` it.
   */
  request(now: Milliseconds, request: Request, target: Target): ClientTransaction {
    const key = clientKey(request);
    if (this.#clients.has(key)) throw new InvariantError(`two requests with the branch and method ${key}`);
    const machine = new ClientMachine(key, request, target);
    if (this.#clients.size >= this.#settings.clientTransactions) {
      this.#counters.add('client-transactions-full');
      this.#outputs.push({ type: 'transportError', transaction: machine }, { type: 'terminated', transaction: machine });
      return machine;
    }
    this.#clients.set(key, machine);
    machine.prepare(request);
    this.#transmit(machine);
    this.#startTimers(now, machine, machine.rules.initialTimers);
    if (request.method === 'CANCEL') this.#cancel(now, request);
    return machine;
  }

  /** Sends a response. A final one to an unfinished transaction ends it; a 2xx to an INVITE may be sent again and again (RFC 6026). */
  respond(now: Milliseconds, transaction: ServerTransaction, response: Response): void {
    const machine = machineOf(transaction);
    if (machine?.role !== 'server') return;
    if (!this.#feed(now, machine, machine.inputOf(response), response)) this.#counters.add('responses-out-of-place');
  }

  /** Answers an INVITE with no 100 of its own: this user sends its own provisional responses. */
  withoutTrying(transaction: ServerTransaction): void {
    const machine = machineOf(transaction);
    // No timer starts by this, so the time does not matter.
    if (machine) this.#feed(0, machine, 'withoutTrying');
  }

  /** Ends a non-INVITE transaction without an answer: a proxy that got none must not make one up (RFC 4320 §4.2). */
  abandon(now: Milliseconds, transaction: ServerTransaction): void {
    const machine = machineOf(transaction);
    if (machine) this.#feed(now, machine, 'abandon');
  }

  /** Sends outside any transaction: the ACK of a 2xx, a stateless response. */
  send(message: Message, target: Target): void {
    this.#outputs.push({ type: 'send', bytes: serializeMessage(message), target, message, transaction: undefined });
  }

  /** Answers a request that could not be parsed, as `parseMessage` says; to where it came from, whatever its Via says. */
  sendError(broken: BrokenRequest, statusCode: number, flow: Flow): void {
    const bytes = buildErrorResponse(broken, statusCode, (via) => stampVia(via, flow));
    this.#outputs.push({ type: 'send', bytes, target: targetOf(flow), message: undefined, transaction: undefined });
  }

  /** The transport could not send what this transaction gave it (connection refused, ICMP unreachable). */
  transportFailed(now: Milliseconds, transaction: ClientTransaction | ServerTransaction): void {
    const machine = machineOf(transaction);
    if (machine) this.#feed(now, machine, 'transportError');
  }

  /** The transport could not reach a target: all client transactions that wait for an answer from there fail. */
  targetFailed(now: Milliseconds, target: Target): void {
    const { transport, address, port } = target;
    this.#failClients(now, (own) => own.port === port && own.address === address && own.transport === transport);
  }

  /** A flow closed or broke: its unanswered client transactions fail. */
  flowFailed(now: Milliseconds, flow: Flow): void {
    this.#failClients(now, (own) => own.flow?.id === flow.id);
  }

  handleTimeout(now: Milliseconds): void {
    for (let due = this.#timers.takeDue(now); due; due = this.#timers.takeDue(now)) this.#feed(now, due.machine, `timer ${due.timer}`);
  }

  get deadline(): Milliseconds | undefined {
    return this.#timers.deadline;
  }

  drain(): TransactionOutput[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  describe(): Record<string, number> {
    return { clientTransactions: this.#clients.size, serverTransactions: this.#servers.size, timers: this.#timers.size };
  }

  #receiveRequest(now: Milliseconds, request: Request, flow: Flow): void {
    const key = serverKey(request);
    const known = this.#servers.get(key);
    if (request.method === 'ACK') this.#receiveAck(now, request, flow, known);
    else if (known) this.#feed(now, known, 'request');
    else if (this.#isFull(request)) this.#refuse(request, flow);
    else this.#accept(now, key, request, flow);
  }

  #receiveAck(now: Milliseconds, request: Request, flow: Flow, known: ServerMachine | undefined): void {
    const isOlder = !request.topVia.hasUniqueBranch;
    const isOurs = known !== undefined && (!isOlder || known.toTag === request.to.tag);
    if (isOurs) this.#feed(now, known, 'ack', request, flow);
    else this.#outputs.push({ type: 'ack', request, flow });
  }

  #accept(now: Milliseconds, key: string, request: Request, flow: Flow): void {
    const merged = request.to.tag === undefined && request.method !== 'CANCEL' ? mergeKey(request) : undefined;
    const machine = new ServerMachine(key, request.method, responseTarget(request, flow), merged);
    const transaction = new ServerTicket(request, flow, machine);
    machine.ticket = transaction;
    this.#servers.set(key, machine);
    this.#startTimers(now, machine, machine.rules.initialTimers);
    if (request.method === 'CANCEL') {
      this.#receiveCancel(now, transaction, request);
      return;
    }
    const copies = merged === undefined ? 0 : (this.#mergeable.get(merged) ?? 0);
    if (merged !== undefined) this.#mergeable.set(merged, copies + 1);
    this.#outputs.push({ type: 'request', transaction, request, merged: copies > 0 });
  }

  /** RFC 3261 §9.2. A late CANCEL gets 200 with the To tag of the answer it comes too late for. */
  #receiveCancel(now: Milliseconds, transaction: ServerTicket, request: Request): void {
    const invite = this.#servers.get(serverKey(request, 'INVITE'));
    if (invite?.hasFinal) this.respond(now, transaction, buildResponse(request, 200, { toTag: invite.toTag ?? statelessTag(request) }));
    else this.#outputs.push({ type: 'cancel', transaction, request, invite: invite?.ticket });
  }

  /** What ends a transaction is let in when there is no room for what begins one. */
  #isFull(request: Request): boolean {
    if (this.#servers.size < this.#settings.serverTransactions) return false;
    return request.method !== 'CANCEL' || !this.#servers.has(serverKey(request, 'INVITE'));
  }

  /** Too many transactions: nothing about the request is kept, so each retransmission is answered afresh. */
  #refuse(request: Request, flow: Flow): void {
    this.#counters.add('server-transactions-full');
    const { overload } = this.#settings;
    if (overload === 'silence') return;
    const headers = [['Retry-After', String(overload.retryAfterSeconds)]] as const;
    this.send(buildResponse(request, 503, { toTag: statelessTag(request), headers }), responseTarget(request, flow));
  }

  #receiveResponse(now: Milliseconds, response: Response, flow: Flow): void {
    const machine = this.#clients.get(clientKey(response));
    if (!machine) this.#outputs.push({ type: 'response', transaction: undefined, response, flow });
    else this.#feed(now, machine, machine.inputOf(response), response, flow);
  }

  /** A CANCEL went out: its INVITE gets 64·T1 for a final response. */
  #cancel(now: Milliseconds, cancel: Request): void {
    const invite = this.#clients.get(`${cancel.topVia.branch ?? ''} INVITE`);
    if (invite) this.#feed(now, invite, 'cancel');
  }

  #failClients(now: Milliseconds, concerns: (target: Target) => boolean): void {
    for (const machine of [...this.#clients.values()]) if (concerns(machine.target)) this.#feed(now, machine, 'transportError');
  }

  /** One step of a machine; false if its state ignores the input. */
  #feed(now: Milliseconds, machine: Machine, input: string, message?: Message, flow?: Flow): boolean {
    const step = machine.stepFor(input);
    if (!step) return false;
    machine.state = step.to;
    for (const timer of step.stop) this.#timers.stop(machine, timer);
    for (const action of step.do) this.#act(now, machine, action, message, flow);
    if (machine.role === 'server' && machine.hasNoMoreToSay) machine.letGo();
    if (step.to === 'terminated') this.#remove(machine);
    else this.#startTimers(now, machine, step.start);
    return true;
  }

  #act(now: Milliseconds, machine: Machine, action: TransactionAction, message: Message | undefined, flow: Flow | undefined): void {
    switch (action) {
      case 'sendRequest':
      case 'resendResponse':
        this.#transmit(machine);
        break;
      case 'sendResponse':
        this.#sendResponse(machine, message);
        break;
      case 'sendTrying':
        this.#sendTrying(machine);
        break;
      case 'sendAck':
        this.#sendAck(machine, message);
        break;
      case 'restartTimerA':
        this.#timers.repeat(now, machine, 'A');
        break;
      case 'restartTimerE':
        this.#timers.repeat(now, machine, 'E');
        break;
      case 'restartTimerEAtT2':
        this.#timers.repeatAtT2(now, machine, 'E');
        break;
      case 'restartTimerG':
        this.#timers.repeat(now, machine, 'G');
        break;
      case 'passResponse':
      case 'passAck':
        this.#pass(machine, message, flow);
        break;
      case 'reportTimeout':
        this.#report(machine, 'timeout');
        break;
      case 'reportTransportError':
        this.#report(machine, 'transportError');
        break;
      default:
        action satisfies never;
    }
  }

  #transmit(machine: Machine): void {
    const { lastBytes: bytes, lastMessage: message, target } = machine;
    if (!bytes) return;
    const transaction = machine.role === 'client' ? machine : machine.ticket;
    this.#outputs.push({ type: 'send', bytes, target, message, transaction });
  }

  #sendResponse(machine: Machine, response: Message | undefined): void {
    if (machine.role !== 'server' || response?.kind !== 'response') return;
    machine.prepare(response);
    if (response.isFinal) machine.toTag = response.to.tag;
    this.#transmit(machine);
  }

  #sendTrying(machine: Machine): void {
    if (machine.role === 'server' && machine.ticket) this.#sendResponse(machine, buildResponse(machine.ticket.request, 100));
  }

  /** The first final response decides what the ACK says; later ones only make it go out again. */
  #sendAck(machine: Machine, response: Message | undefined): void {
    if (machine.role !== 'client' || response?.kind !== 'response') return;
    if (machine.lastMessage === machine.request) machine.prepare(buildAck(machine.request, response));
    this.#transmit(machine);
  }

  #pass(machine: Machine, message: Message | undefined, flow: Flow | undefined): void {
    if (!message || !flow) return;
    if (message.kind === 'request') this.#outputs.push({ type: 'ack', request: message, flow });
    else if (machine.role === 'client') this.#outputs.push({ type: 'response', transaction: machine, response: message, flow });
  }

  #report(machine: Machine, type: 'timeout' | 'transportError' | 'terminated'): void {
    const transaction = machine.role === 'client' ? machine : machine.ticket;
    if (transaction) this.#outputs.push({ type, transaction });
  }

  #startTimers(now: Milliseconds, machine: Machine, timers: readonly TransactionTimer[]): void {
    for (const timer of timers) if (this.#timers.start(now, machine, timer)) this.#feed(now, machine, `timer ${timer}`);
  }

  #remove(machine: Machine): void {
    this.#report(machine, 'terminated');
    if (machine.role === 'client') {
      this.#clients.delete(machine.id);
      return;
    }
    this.#servers.delete(machine.id);
    if (machine.mergeKey === undefined) return;
    const others = (this.#mergeable.get(machine.mergeKey) ?? 1) - 1;
    if (others > 0) this.#mergeable.set(machine.mergeKey, others);
    else this.#mergeable.delete(machine.mergeKey);
  }
}

function machineOf(transaction: ClientTransaction | ServerTransaction): Machine | undefined {
  if (transaction instanceof ServerTicket) return transaction.machine;
  return transaction instanceof ClientMachine ? transaction : undefined;
}
