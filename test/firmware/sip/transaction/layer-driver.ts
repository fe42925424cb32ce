import { Counters } from '#firmware/core/counters.ts';
import { buildRequest, buildResponse, type ResponseParts } from '#firmware/sip/message/build.ts';
import type { Message, Request, Response } from '#firmware/sip/message/message.ts';
import { NameAddr } from '#firmware/sip/message/name-addr.ts';
import { parseMessage } from '#firmware/sip/message/parse.ts';
import { SipUri } from '#firmware/sip/message/uri.ts';
import { newBranch, Via } from '#firmware/sip/message/via.ts';
import {
  type ClientTransaction,
  defaultTransactionSettings,
  type ServerTransaction,
  TransactionLayer,
  type TransactionOutput,
  type TransactionSettings,
} from '#firmware/sip/transaction/transaction-layer.ts';
import type { Flow, Target } from '#firmware/sip/transport/flow.ts';
import { seededEntropy } from '#test/support/seeded-entropy.ts';

const entropy = seededEntropy(17);

export const udp: Flow = {
  id: 'udp-1',
  transport: 'udp',
  reliable: false,
  local: { address: '192.0.2.1', port: 5060 },
  remote: { address: '192.0.2.11', port: 5060 },
};
export const tcp: Flow = { ...udp, id: 'tcp-1', transport: 'tcp', reliable: true, remote: { address: '192.0.2.11', port: 40_000 } };

export const udpTarget: Target = { transport: 'udp', address: '192.0.2.11', port: 5060 };
export const tcpTarget: Target = { transport: 'tcp', address: '192.0.2.11', port: 5060 };

/** Something that came out, as `when what`: `500 send INVITE`, `32000 timeout INVITE`. */
type Told = string;

/** Runs a transaction layer in virtual time and writes down everything it says. */
export class LayerDriver {
  readonly layer: TransactionLayer;
  readonly counters = new Counters();
  readonly told: Told[] = [];
  readonly outputs: TransactionOutput[] = [];
  now = 0;

  constructor(settings: Partial<TransactionSettings> = {}) {
    this.layer = new TransactionLayer(this.counters, { ...defaultTransactionSettings, ...settings });
  }

  /** Lets time pass, stopping at each deadline on the way. */
  runTo(until: number): void {
    for (let next = this.layer.deadline; next !== undefined && next <= until; next = this.layer.deadline) {
      this.now = Math.max(this.now, next);
      this.layer.handleTimeout(this.now);
      this.drain();
    }
    this.now = until;
  }

  /** Takes what has been said since the last time. */
  take(): Told[] {
    this.drain();
    return this.told.splice(0);
  }

  request(request: Request, target: Target): ClientTransaction {
    const transaction = this.layer.request(this.now, request, target);
    this.drain();
    return transaction;
  }

  receive(message: Message, flow: Flow): void {
    this.layer.receive(this.now, message, flow);
    this.drain();
  }

  /** Receives a request that begins a server transaction. */
  accept(request: Request, flow: Flow): ServerTransaction {
    this.receive(request, flow);
    const output = this.outputs.findLast((one) => one.type === 'request' || one.type === 'cancel');
    if (!output) throw new Error('no server transaction');
    return output.transaction;
  }

  respond(transaction: ServerTransaction, statusCode: number, parts: ResponseParts = { toTag: 'p1' }): void {
    this.layer.respond(this.now, transaction, buildResponse(transaction.request, statusCode, parts));
    this.drain();
  }

  /** What has been sent last. */
  get lastSent(): { readonly message: Message; readonly target: Target } {
    const output = this.outputs.findLast((one) => one.type === 'send');
    const result = output && parseMessage(output.bytes);
    if (!output || !result?.ok) throw new Error('nothing was sent');
    return { message: result.message, target: output.target };
  }

  drain(): void {
    for (const output of this.layer.drain()) {
      this.outputs.push(output);
      this.told.push(`${this.now} ${inWords(output)}`);
    }
  }
}

function inWords(output: TransactionOutput): string {
  switch (output.type) {
    case 'send': {
      const result = parseMessage(output.bytes);
      return `send ${result.ok ? nameOf(result.message) : '?'}`;
    }
    case 'request':
      return `request ${output.request.method}${output.merged ? ' merged' : ''}`;
    case 'cancel':
      return `cancel ${output.invite ? 'of an INVITE' : 'of nothing'}`;
    case 'ack':
      return 'ack';
    case 'response':
      return `${output.transaction ? 'response' : 'stray'} ${output.response.statusCode}`;
    case 'timeout':
    case 'transportError':
    case 'terminated':
      return `${output.type} ${output.transaction.request.method}`;
    default:
      return output satisfies never;
  }
}

function nameOf(message: Message): string {
  return message.kind === 'request' ? message.method : String(message.statusCode);
}

export interface RequestChange {
  readonly branch?: string;
  readonly transport?: string;
  readonly host?: string;
  readonly port?: number;
  readonly params?: readonly (readonly [string, string])[];
  readonly sequence?: number;
  readonly toTag?: string;
}

/** A request with a fresh branch, from 192.0.2.11:5060 unless told. */
export function requestOf(method: string, change: RequestChange = {}): Request {
  const { branch = newBranch(entropy), transport = 'UDP', host = '192.0.2.11', port = 5060, params = [], sequence = 1, toTag } = change;
  const to = new NameAddr(new SipUri({ user: 'porter', host: 'house.example' }));
  return buildRequest({
    method,
    requestUri: to.uri,
    from: new NameAddr(new SipUri({ user: 'lobby', host: 'house.example' }), undefined, new Map([['tag', 'l1']])),
    to: toTag === undefined ? to : to.withParam('tag', toTag),
    callId: 'call@192.0.2.11',
    sequence,
    via: new Via({ transport, host, port, params: new Map([['branch', branch] as const, ...params]) }),
  });
}

/** The answer a peer gives to a request of ours. */
export function answerTo(request: Request, statusCode: number, toTag = 'p1'): Response {
  return buildResponse(request, statusCode, { toTag });
}
