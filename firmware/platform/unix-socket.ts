import { connect, createServer, type Server, type Socket } from 'node:net';
import type { ArgsOf, CommandName, Contract, EventName, EventOf, ResultOf } from '../contract/contract.ts';
import type { Clock, Milliseconds } from '../core/clock.ts';
import { LimitedLog } from '../core/counters.ts';
import { type Entropy, randomFraction } from '../core/entropy.ts';
import { messageOf, RemoteError, ResourceError, UsageError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { errorOf } from '../ipc/complaint.ts';
import { Peer, type PeerOutput } from '../ipc/peer.ts';
import { PeerSocket } from './peer-socket.ts';
import { checkSocketPath, listenOn } from './socket-path.ts';

/** Who commands: an id that lives as long as its socket, and the role of its hello (`phone`, `web`, `cli` …). */
export interface Caller {
  readonly id: number;
  readonly role: string;
}

/** One function per command. What it throws goes back as an error; anything but our error classes is logged as a bug. */
export type Implementation<C extends Contract> = {
  readonly [N in CommandName<C>]: (args: ArgsOf<C, N>, caller: Caller) => ResultOf<C, N> | Promise<ResultOf<C, N>>;
};

/** One optional function per event. */
export type Listeners<C extends Contract> = { readonly [N in EventName<C>]?: (data: EventOf<C, N>) => void };

export interface ServeOptions {
  /** What this end calls itself, such as `hal`. */
  readonly role: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onPeerUp?: (caller: Caller) => void;
  readonly onPeerLost?: (caller: Caller) => void;
  /** Bytes that may wait for a slow reader before it is dropped. */
  readonly queueBytes?: number;
  readonly maximumPeers?: number;
}

export interface ConnectOptions {
  /** What this end calls itself, such as `phone`. */
  readonly role: string;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly logger: Logger;
  readonly onUp?: () => void;
  /** The link was up and is lost. It comes back by itself unless `once`. */
  readonly onDown?: (reason: string) => void;
  /** One attempt, and no other after a loss. For commands from a terminal. */
  readonly once?: boolean;
}

/** A contract that is being served. */
export interface ServedContract<C extends Contract> {
  /** To every peer that has said its hello. */
  emit<N extends EventName<C>>(event: N, data: EventOf<C, N>): void;
  stop(): Promise<void>;
  describe(): object;
}

/** The commanding end of a contract. */
export interface ContractLink<C extends Contract> {
  readonly up: boolean;
  /** Resolves once the link is up; rejects with the reason when a `once` link cannot come up, or at `stop`. */
  whenUp(): Promise<void>;
  /** Rejects with the error class that was thrown at the other end, or ResourceError when nobody is there. */
  command<N extends CommandName<C>>(name: N, args: ArgsOf<C, N>, timeoutMs?: Milliseconds): Promise<ResultOf<C, N>>;
  stop(): Promise<void>;
  describe(): object;
}

const defaultQueueBytes = 1024 * 1024;
/** A daemon that died is back within a second, and calls wait for it: at first the pause grows by little. */
const firstRetryMs = 40;
const retryGrowth = 1.25;
const lastRetryMs = 5_000;

/** Listens on `path` (mode 0660) and carries out commands. A stale socket file is replaced, a live one is refused with ResourceError. */
export async function serveContract<C extends Contract>(
  path: string,
  contract: C,
  implementation: Implementation<C>,
  options: ServeOptions,
): Promise<ServedContract<C>> {
  const served = new Serving(contract, implementation, options);
  const listener = createServer((socket) => served.accept(socket));
  await listenOn(listener, path);
  listener.on('error', (error) => served.troubled(error));
  return {
    emit: (event, data) => served.emit(event, data),
    stop: () => served.stop(listener),
    describe: () => ({ path, ...served.describe() }),
  };
}

/** Commands the process that serves `path`, now and whenever it comes back. */
export function connectContract<C extends Contract>(
  path: string,
  contract: C,
  listeners: Listeners<C>,
  options: ConnectOptions,
): ContractLink<C> {
  const link = new Commanding(path, contract, listeners, options);
  link.start();
  return {
    get up() {
      return link.up;
    },
    whenUp: () => link.whenUp(),
    command: async (name, args, timeoutMs) => (await link.command(name, args, timeoutMs)) as ResultOf<C, typeof name>,
    stop: () => link.stop(),
    describe: () => ({ path, ...link.describe() }),
  };
}

/** The serving end: one peer per socket. */
class Serving {
  readonly #contract: Contract;
  readonly #implementation: Readonly<Record<string, (args: never, caller: Caller) => unknown>>;
  readonly #options: ServeOptions;
  readonly #log: LimitedLog;
  readonly #peers = new Map<PeerSocket, { readonly peer: Peer; caller: Caller | undefined }>();
  #lastId = 0;

  constructor(
    contract: Contract,
    implementation: Readonly<Record<string, (args: never, caller: Caller) => unknown>>,
    options: ServeOptions,
  ) {
    this.#contract = contract;
    this.#implementation = implementation;
    this.#options = options;
    this.#log = new LimitedLog(options.logger);
  }

  accept(socket: Socket): void {
    const { clock, role, queueBytes = defaultQueueBytes, maximumPeers = 32 } = this.#options;
    if (this.#peers.size >= maximumPeers) {
      this.#log.warn(clock.now(), 'ipc-too-many-peers', { contract: this.#contract.name, peers: this.#peers.size });
      socket.destroy();
      return;
    }
    const peer = new Peer(this.#contract, 'serving', role);
    const entry: { readonly peer: Peer; caller: Caller | undefined } = { peer, caller: undefined };
    const driver: PeerSocket = new PeerSocket({
      socket,
      peer,
      clock,
      log: this.#log,
      queueBytes,
      onOutput: (output) => this.#take(output, driver, entry),
      onClosed: (reason) => this.#lost(driver, entry, reason),
    });
    this.#peers.set(driver, entry);
    driver.start();
  }

  emit(event: string, data: unknown): void {
    for (const [driver, { peer }] of this.#peers) {
      const problem = peer.emit(event, data);
      if (problem) this.#log.warn(this.#options.clock.now(), 'ipc-event-not-sent', { event, reason: problem });
      driver.pump();
    }
  }

  /** Out of file descriptors, most likely: those who are connected are served on. */
  troubled(error: Error): void {
    this.#log.warn(this.#options.clock.now(), 'ipc-accept-failed', { contract: this.#contract.name, reason: error.message });
  }

  async stop(listener: Server): Promise<void> {
    if (!listener.listening) return;
    const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
    for (const driver of this.#peers.keys()) driver.end('this daemon stops');
    await closed;
  }

  describe(): object {
    const peers = [...this.#peers].map(([driver, { caller }]) => ({ role: caller?.role ?? null, ...driver.describe() }));
    return { contract: this.#contract.name, version: this.#contract.version, peers };
  }

  #take(output: PeerOutput, driver: PeerSocket, entry: { readonly peer: Peer; caller: Caller | undefined }): void {
    const { clock, onPeerUp } = this.#options;
    if (output.kind === 'up') {
      entry.caller = { id: ++this.#lastId, role: output.role };
      onPeerUp?.(entry.caller);
    } else if (output.kind === 'command' && entry.caller) {
      const { id, name, args } = output;
      void this.#carryOut(name, args, entry.caller)
        .then(
          (result) => entry.peer.reply(id, result),
          (thrown: unknown) => entry.peer.refuse(id, thrown),
        )
        .then(() => driver.pump());
    } else if (output.kind === 'fault') {
      const { by, complaint } = output;
      this.#log.warn(clock.now(), 'ipc-fault', { contract: this.#contract.name, by, code: complaint.code, reason: complaint.message });
    }
  }

  async #carryOut(name: string, args: unknown, caller: Caller): Promise<unknown> {
    try {
      // The peer has checked that the contract has this command and that the arguments fit its schema.
      return await this.#implementation[name]?.(args as never, caller);
    } catch (thrown) {
      if (!(thrown instanceof UsageError || thrown instanceof ResourceError || thrown instanceof RemoteError)) {
        const stack = thrown instanceof Error ? thrown.stack : undefined;
        this.#options.logger.error('ipc-command-failed', {
          contract: this.#contract.name,
          command: name,
          reason: messageOf(thrown),
          stack,
        });
      }
      throw thrown;
    }
  }

  #lost(driver: PeerSocket, entry: { readonly caller: Caller | undefined }, reason: string): void {
    this.#peers.delete(driver);
    if (!entry.caller) return;
    this.#options.logger.debug('ipc-peer-lost', { contract: this.#contract.name, role: entry.caller.role, reason });
    this.#options.onPeerLost?.(entry.caller);
  }
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The commanding end: one socket at a time, opened again with a growing, jittered pause. */
class Commanding {
  readonly #path: string;
  readonly #contract: Contract;
  readonly #listeners: Readonly<Record<string, ((data: never) => void) | undefined>>;
  readonly #options: ConnectOptions;
  readonly #log: LimitedLog;
  readonly #waiting = new Map<number, Waiting>();
  readonly #upWaiters: { resolve: () => void; reject: (error: Error) => void }[] = [];
  #peer: Peer | undefined;
  #driver: PeerSocket | undefined;
  #up = false;
  #stopped = false;
  #lastReason = '';
  #retryMs = firstRetryMs;
  #retry: NodeJS.Timeout | undefined;

  constructor(
    path: string,
    contract: Contract,
    listeners: Readonly<Record<string, ((data: never) => void) | undefined>>,
    options: ConnectOptions,
  ) {
    this.#path = path;
    this.#contract = contract;
    this.#listeners = listeners;
    this.#options = options;
    this.#log = new LimitedLog(options.logger);
  }

  get up(): boolean {
    return this.#up;
  }

  start(): void {
    checkSocketPath(this.#path);
    this.#open();
  }

  whenUp(): Promise<void> {
    if (this.#up) return Promise.resolve();
    if (this.#stopped) return Promise.reject(this.#unreachable());
    return new Promise((resolve, reject) => this.#upWaiters.push({ resolve, reject }));
  }

  command(name: string, args: unknown, timeoutMs?: Milliseconds): Promise<unknown> {
    const { clock } = this.#options;
    return new Promise((resolve, reject) => {
      if (!this.#peer || !this.#up) return reject(this.#unreachable());
      const id = this.#peer.command(clock.now(), name, args, timeoutMs);
      this.#waiting.set(id, { resolve, reject });
      this.#driver?.pump();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#giveUp();
    const driver = this.#driver;
    if (!driver) return;
    await new Promise<void>((resolve) => {
      this.#onClosed = resolve;
      driver.end('this end stops');
    });
  }

  describe(): object {
    return { contract: this.#contract.name, up: this.#up, reason: this.#up ? null : this.#lastReason, ...this.#driver?.describe() };
  }

  #onClosed: () => void = () => undefined;

  #open(): void {
    const { role, clock } = this.#options;
    const peer = new Peer(this.#contract, 'commanding', role);
    this.#lastReason = '';
    this.#peer = peer;
    const socket = connect(this.#path);
    const driver = new PeerSocket({
      socket,
      peer,
      clock,
      log: this.#log,
      queueBytes: defaultQueueBytes,
      onOutput: (output) => this.#take(output),
      onClosed: (reason) => this.#closed(reason),
    });
    this.#driver = driver;
    driver.start();
  }

  #take(output: PeerOutput): void {
    const { clock, onUp } = this.#options;
    if (output.kind === 'up') {
      this.#up = true;
      this.#retryMs = firstRetryMs;
      for (const waiter of this.#upWaiters.splice(0)) waiter.resolve();
      onUp?.();
    } else if (output.kind === 'settled') this.#takeWaiting(output.id)?.resolve(output.result);
    else if (output.kind === 'failed') this.#takeWaiting(output.id)?.reject(errorOf(output.complaint));
    else if (output.kind === 'event') this.#listeners[output.name]?.(output.data as never);
    else if (output.kind === 'fault') {
      const { by, complaint } = output;
      if (!this.#up) this.#lastReason = complaint.message;
      this.#log.warn(clock.now(), 'ipc-fault', { contract: this.#contract.name, by, code: complaint.code, reason: complaint.message });
    }
  }

  #takeWaiting(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #closed(reason: string): void {
    const { once, onDown, entropy } = this.#options;
    const wasUp = this.#up;
    this.#up = false;
    this.#driver = undefined;
    this.#peer = undefined;
    if (this.#lastReason === '') this.#lastReason = reason;
    if (once) this.#stopped = true;
    if (this.#stopped) this.#giveUp();
    else {
      this.#retry = setTimeout(() => this.#open(), this.#retryMs * (0.75 + randomFraction(entropy) / 2));
      this.#retryMs = Math.min(lastRetryMs, retryGrowth * this.#retryMs);
    }
    if (wasUp) onDown?.(reason);
    this.#onClosed();
  }

  #giveUp(): void {
    for (const waiter of this.#upWaiters.splice(0)) waiter.reject(this.#unreachable());
  }

  #unreachable(): ResourceError {
    return new ResourceError(`${this.#contract.name} is not reachable${this.#lastReason ? `: ${this.#lastReason}` : ''}`);
  }
}
