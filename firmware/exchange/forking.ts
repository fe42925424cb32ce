import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Counters } from '#firmware/core/counters.ts';
import { stepOf } from '#firmware/core/state-table.ts';
import { TimerTable } from '#firmware/core/timer-table.ts';
import { buildCancel, buildResponse, statelessTag } from '#firmware/sip/message/build.ts';
import type { Request, Response } from '#firmware/sip/message/message.ts';
import type { ClientTransaction, ServerTransaction, TransactionLayer } from '#firmware/sip/transaction/transaction-layer.ts';
import type { Target } from '#firmware/sip/transport/flow.ts';
import { type BranchAction, type BranchInput, type BranchState, branchTable } from './branch-table.ts';
import { extensionHost } from './extensions.ts';
import { bestResponse } from './response-choice.ts';

/** One copy of a request, ready to go: top Via and routes in place. */
export interface BranchPlan {
  readonly request: Request;
  readonly target: Target;
  /** Other flows of the same phone (RFC 5626 §5.3), for when this one has failed. */
  readonly otherwise?: readonly BranchPlan[];
}

export interface ForkingParts {
  readonly transactions: TransactionLayer;
  readonly counters: Counters;
  /** RFC 3261 §16.6 step 11. */
  readonly timerC: Milliseconds;
}

interface Branch {
  readonly context: ResponseContext;
  readonly transaction: ClientTransaction;
  readonly otherwise: readonly BranchPlan[];
  state: BranchState;
  /** Its final response as the caller would get it. */
  final: Response | undefined;
  /** The Reason its CANCEL will give. */
  reason: string | undefined;
}

/**
 * `searching` until a final response goes to the caller (`answered`); `cancelled` in between when the caller gave up; `gone` when his
 * transaction is over and nothing more can be sent.
 */
type ContextState = 'searching' | 'cancelled' | 'answered' | 'gone';

/** RFC 3261 §16.7: a request on its way to one or many. */
interface ResponseContext {
  readonly transaction: ServerTransaction;
  readonly request: Request;
  readonly branches: Branch[];
  state: ContextState;
}

/** RFC 5626 §11.5: between proxies; no caller can do anything about it. */
const flowFailed = 430;

/** RFC 3326: keeps phones that rang in vain from showing a missed call. */
const answeredElsewhere = 'SIP;cause=200;text="Call completed elsewhere"';

/** The stateful heart of the proxy: sends the copies of a request, and makes one answer of theirs. */
export class Forking {
  readonly #parts: ForkingParts;
  /** Those without a final response. */
  readonly #contexts = new Map<ServerTransaction, ResponseContext>();
  readonly #branches = new Map<ClientTransaction, Branch>();
  readonly #timers = new TimerTable<Branch>();

  constructor(parts: ForkingParts) {
    this.#parts = parts;
  }

  get deadline(): Milliseconds | undefined {
    return this.#timers.deadline;
  }

  /** Copies that are still known. */
  get branches(): number {
    return this.#branches.size;
  }

  /** Calls that ring or wait for their answer. */
  get pendingInvites(): number {
    let pending = 0;
    for (const { request } of this.#contexts.values()) if (request.method === 'INVITE') pending++;
    return pending;
  }

  /** Sends all copies at once; there is at least one. */
  start(now: Milliseconds, transaction: ServerTransaction, plans: readonly BranchPlan[]): void {
    const { request } = transaction;
    const context: ResponseContext = { transaction, request, branches: [], state: 'searching' };
    this.#contexts.set(transaction, context);
    for (const plan of plans) this.#send(now, context, plan);
  }

  /** The caller gave up; `reason` is the Reason of the CANCEL (RFC 3326), handed on. */
  cancel(now: Milliseconds, invite: ServerTransaction, reason: string | undefined): void {
    const context = this.#contexts.get(invite);
    if (context?.state !== 'searching') return;
    context.state = 'cancelled';
    this.#cancelRest(now, context, reason);
  }

  /** A response to one of the copies; false if it is to something else. */
  receive(now: Milliseconds, transaction: ClientTransaction, response: Response): boolean {
    const branch = this.#branches.get(transaction);
    if (!branch) return false;
    if (response.isProvisional) this.#step(now, branch, 'provisional', response);
    else if (response.isSuccess) this.#accept(now, branch, upstream(response));
    else if (response.statusCode !== flowFailed) this.#step(now, branch, 'final', upstream(response));
    else if (!this.#tryNext(now, branch)) this.#step(now, branch, 'final', localResponse(branch.context.request, 480));
    return true;
  }

  /** A copy had no answer (408) or could not be sent (503), RFC 3261 §16.8 and §16.9. */
  fail(now: Milliseconds, transaction: ClientTransaction | ServerTransaction, statusCode: 408 | 503): void {
    const branch = transaction.role === 'client' ? this.#branches.get(transaction) : undefined;
    if (!branch || (statusCode === 503 && this.#tryNext(now, branch))) return;
    this.#step(now, branch, 'final', localResponse(branch.context.request, statusCode));
  }

  terminated(transaction: ClientTransaction | ServerTransaction): void {
    if (transaction.role === 'client') {
      this.#branches.delete(transaction);
      return;
    }
    const context = this.#contexts.get(transaction);
    if (context) this.#close(context, 'gone');
  }

  handleTimeout(now: Milliseconds): void {
    for (let branch = this.#timers.takeDue(now); branch; branch = this.#timers.takeDue(now)) {
      this.#step(now, branch, 'timer C');
    }
  }

  #send(now: Milliseconds, context: ResponseContext, { request, target, otherwise = [] }: BranchPlan): void {
    const transaction = this.#parts.transactions.request(now, request, target);
    const branch: Branch = { context, transaction, otherwise, state: 'calling', final: undefined, reason: undefined };
    context.branches.push(branch);
    this.#branches.set(transaction, branch);
    if (context.request.method === 'INVITE') this.#startTimerC(now, branch);
  }

  /** RFC 5626 §5.3: the way to the phone is broken, not the phone: by its next flow, if there is one. */
  #tryNext(now: Milliseconds, branch: Branch): boolean {
    const { context, otherwise } = branch;
    const [next, ...rest] = otherwise;
    if (!next || context.state !== 'searching' || branch.state === 'completed') return false;
    this.#timers.clear(branch);
    branch.state = 'completed';
    this.#parts.counters.add('flow-failed-over');
    this.#send(now, context, { ...next, otherwise: rest });
    return true;
  }

  /**
   * §16.7 step 5: every 2xx to an INVITE goes to the caller at once, who ends the dialogs he does not want; a repeated or late one too, or
   * nobody would acknowledge it (RFC 6026). Phones that still ring are told that it is over.
   */
  #accept(now: Milliseconds, branch: Branch, response: Response): void {
    const { context } = branch;
    this.#timers.clear(branch);
    branch.state = 'completed';
    branch.final = response;
    if (isOpen(context.state) || (context.state === 'answered' && context.request.method === 'INVITE'))
      this.#answer(now, context, response);
    else this.#parts.counters.add('late-2xx');
    this.#cancelRest(now, context, answeredElsewhere);
  }

  #step(now: Milliseconds, branch: Branch, input: BranchInput, response?: Response): void {
    const step = stepOf(branchTable, branch.state, input);
    if (!step) return;
    branch.state = step.to;
    // Timer C is the only one, and no state but the first starts it.
    if (step.stop.length > 0) this.#timers.clear(branch);
    for (const action of step.do) this.#carryOut(now, branch, action, response);
  }

  #carryOut(now: Milliseconds, branch: Branch, action: BranchAction, response: Response | undefined): void {
    const { context } = branch;
    const tells = response !== undefined && response.statusCode > 100;
    switch (action) {
      case 'passProvisional':
        if (tells && context.state === 'searching') this.#parts.transactions.respond(now, context.transaction, upstream(response));
        return;
      case 'restartTimerC':
        if (tells && context.request.method === 'INVITE') this.#startTimerC(now, branch);
        return;
      case 'sendCancel':
        this.#sendCancel(now, branch);
        return;
      case 'keepFinal':
        this.#keep(now, branch, response ?? localResponse(context.request, 408));
        return;
      default:
        action satisfies never;
    }
  }

  /** §16.7 steps 4 and 5: a 6xx ends the search, but goes to the caller only when no branch can bring a 2xx any more. */
  #keep(now: Milliseconds, branch: Branch, response: Response): void {
    const { context } = branch;
    // §16.7 step 6: a 503 of a place behind us is about that place; the caller would take it to be about us.
    const isOurs = response.statusCode !== 503 || branch.transaction.target.address === extensionHost;
    branch.final = isOurs ? response : localResponse(context.request, 500);
    if (response.statusCode >= 600) this.#cancelRest(now, context, undefined);
    if (isOpen(context.state) && context.branches.every(({ state }) => state === 'completed')) this.#conclude(now, context);
  }

  #conclude(now: Milliseconds, context: ResponseContext): void {
    const { request, transaction } = context;
    const finals = context.branches.map(({ final }) => final).filter((final) => final !== undefined);
    const best = bestResponse(finals) ?? localResponse(request, 408);
    const { statusCode } = best;
    if (statusCode === 408 && request.method !== 'INVITE') {
      // RFC 4320 §4.2: who asked has given up at the same moment.
      this.#close(context, 'gone');
      this.#parts.transactions.abandon(now, transaction);
    } else if (context.state === 'cancelled' && (statusCode === 408 || (statusCode >= 500 && statusCode < 600))) {
      this.#answer(now, context, localResponse(request, 487));
    } else this.#answer(now, context, best);
  }

  #answer(now: Milliseconds, context: ResponseContext, response: Response): void {
    this.#close(context, 'answered');
    this.#parts.transactions.respond(now, context.transaction, response);
  }

  /** From here on there is nothing left that a CANCEL could stop. */
  #close(context: ResponseContext, state: 'answered' | 'gone'): void {
    context.state = state;
    this.#contexts.delete(context.transaction);
  }

  #cancelRest(now: Milliseconds, context: ResponseContext, reason: string | undefined): void {
    if (context.request.method !== 'INVITE') return;
    for (const branch of context.branches) {
      branch.reason ??= reason;
      this.#step(now, branch, 'cancel');
    }
  }

  #sendCancel(now: Milliseconds, branch: Branch): void {
    const { request, target } = branch.transaction;
    const cancel = buildCancel(request);
    const { reason } = branch;
    const headers = reason === undefined ? cancel.headers : cancel.headers.append('Reason', reason);
    this.#parts.transactions.request(now, cancel.with({ headers }), target);
  }

  #startTimerC(now: Milliseconds, branch: Branch): void {
    this.#timers.set(branch, now + this.#parts.timerC);
  }
}

function isOpen(state: ContextState): boolean {
  return state === 'searching' || state === 'cancelled';
}

/** §16.7 step 3: without our Via. */
function upstream(response: Response): Response {
  return response.with({ headers: response.headers.withoutFirstValue('Via') });
}

function localResponse(request: Request, statusCode: number): Response {
  return buildResponse(request, statusCode, { toTag: statelessTag(request) });
}
