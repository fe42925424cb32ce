import type { Milliseconds } from '#firmware/core/clock.ts';
import { type StateTable, type Step, stepOf } from '#firmware/core/state-table.ts';
import { serializeMessage } from '../message/build.ts';
import type { Message, Request, Response } from '../message/message.ts';
import { type Flow, isReliable, type Target } from '../transport/flow.ts';
import { type InviteClientAction, inviteClientTable } from './invite-client.ts';
import { type InviteServerAction, inviteServerTable } from './invite-server.ts';
import { type NonInviteClientAction, nonInviteClientTable } from './non-invite-client.ts';
import { type NonInviteServerAction, nonInviteServerTable } from './non-invite-server.ts';
import type { TransactionTimer } from './timers.ts';

export type TransactionAction = InviteClientAction | NonInviteClientAction | InviteServerAction | NonInviteServerAction;

type TransactionStep = Step<string, TransactionAction, TransactionTimer>;

/** One of the four tables with its steps worked out beforehand: there is one for every message and every timer. */
interface Rules {
  readonly initial: string;
  readonly initialTimers: readonly TransactionTimer[];
  /** By state, then by input. */
  readonly steps: ReadonlyMap<string, ReadonlyMap<string, TransactionStep>>;
}

function rulesOf(table: StateTable<string, string, TransactionAction, TransactionTimer>, initial: string): Rules {
  const stepsFrom = (state: string, inputs: readonly string[]) =>
    new Map(
      inputs
        .flatMap((input) => [[input, stepOf(table, state, input)] as const])
        .filter((entry): entry is [string, TransactionStep] => !!entry[1]),
    );
  const steps = new Map(Object.entries(table).map(([state, row]) => [state, stepsFrom(state, Object.keys(row.on))]));
  return { initial, initialTimers: table[initial]?.timers ?? [], steps };
}

const inviteClient = rulesOf(inviteClientTable, 'calling');
const nonInviteClient = rulesOf(nonInviteClientTable, 'trying');
const inviteServer = rulesOf(inviteServerTable, 'trying');
const nonInviteServer = rulesOf(nonInviteServerTable, 'trying');

export type Machine = ClientMachine | ServerMachine;

/** What both sides keep while a transaction lives. */
abstract class TransactionMachine {
  readonly rules: Rules;
  state: string;
  /** Key in the layer's map. */
  readonly id: string;
  /** Interval of the retransmission timer that runs, ms. */
  interval: Milliseconds = 0;
  /** The keys of the timers this machine has had so far. */
  readonly timers: { readonly machine: Machine; readonly timer: TransactionTimer }[] = [];
  /** What goes out again when a timer or a retransmission asks for it. */
  lastBytes: Uint8Array | undefined = undefined;
  lastMessage: Message | undefined = undefined;

  constructor(id: string, rules: Rules) {
    this.id = id;
    this.rules = rules;
    this.state = rules.initial;
  }

  /** What `input` causes now; `undefined` if the state ignores it. */
  stepFor(input: string): TransactionStep | undefined {
    return this.rules.steps.get(this.state)?.get(input);
  }

  /** Makes `message` what is sent from now on. */
  prepare(message: Message): void {
    this.lastMessage = message;
    this.lastBytes = serializeMessage(message);
  }
}

/** The machine of a request of ours; for the TransactionUser it is the transaction itself. */
export class ClientMachine extends TransactionMachine {
  readonly role = 'client';
  readonly request: Request;
  readonly target: Target;
  readonly reliable: boolean;

  constructor(id: string, request: Request, target: Target) {
    super(id, request.method === 'INVITE' ? inviteClient : nonInviteClient);
    this.request = request;
    this.target = target;
    this.reliable = isReliable(target.transport);
  }

  inputOf(response: Response): string {
    if (response.isProvisional) return '1xx';
    if (this.rules !== inviteClient) return '200-699';
    return response.isSuccess ? '2xx' : '300-699';
  }
}

/** What the TransactionUser holds of a request of a peer. */
export class ServerTicket {
  readonly role = 'server';
  readonly id: string;
  readonly request: Request;
  readonly flow: Flow;
  readonly machine: ServerMachine;

  constructor(request: Request, flow: Flow, machine: ServerMachine) {
    this.id = machine.id;
    this.request = request;
    this.flow = flow;
    this.machine = machine;
  }
}

/**
 * The machine of a request of a peer. It outlives the answer by half a minute over UDP, in a busy phone by the ten thousand, so it does not
 * hold on to the request: that is with the ticket, which it lets go once nothing more can be said about it.
 */
export class ServerMachine extends TransactionMachine {
  readonly role = 'server';
  readonly target: Target;
  readonly reliable: boolean;
  /** Key among requests that may be merged; `undefined` for those inside dialogs. */
  readonly mergeKey: string | undefined;
  ticket: ServerTicket | undefined = undefined;
  /** The To tag of the final response, which an RFC 2543 ACK must carry. */
  toTag: string | undefined = undefined;

  constructor(id: string, method: string, target: Target, merged: string | undefined) {
    super(id, method === 'INVITE' ? inviteServer : nonInviteServer);
    this.target = target;
    this.reliable = isReliable(target.transport);
    this.mergeKey = merged;
  }

  get hasFinal(): boolean {
    return this.state !== 'trying' && this.state !== 'proceeding';
  }

  /** True when neither a response nor a report can come any more: all but an INVITE still waiting for the ACK of a refusal. */
  get hasNoMoreToSay(): boolean {
    return this.hasFinal && this.state !== 'terminated' && !(this.state === 'completed' && this.rules === inviteServer);
  }

  letGo(): void {
    this.ticket = undefined;
    this.lastMessage = undefined;
  }

  inputOf(response: Response): string {
    if (response.isProvisional) return 'tu 1xx';
    if (this.rules !== inviteServer) return 'tu 200-699';
    return response.isSuccess ? 'tu 2xx' : 'tu 300-699';
  }
}
