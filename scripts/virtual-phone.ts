import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type ExchangeStatus, exchangeContract } from '#firmware/contract/exchange.ts';
import { type PhoneStatus, phoneContract } from '#firmware/contract/phone.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { socketPathOf } from '#firmware/platform/daemon.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { type ContractLink, connectContract } from '#firmware/platform/unix-socket.ts';
import { findPlace } from '#services/cli/place.ts';

export interface VirtualPhoneOptions {
  /** Data directory; its databases are made when they are not there. */
  readonly data: string;
  /** Settings that hold from the start, by key. */
  readonly settings: Readonly<Record<string, string>>;
  /** Runs the exchange beside the phone. */
  readonly exchange: boolean;
  /** Added to the environment of all its processes. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Put before its command, to run it elsewhere: `ip netns exec NAME`. */
  readonly within?: readonly string[];
  /** Every line the daemons log. */
  readonly onLine?: (line: string) => void;
}

export interface CommandOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const program = join(import.meta.dirname, '../dist/services/cli/main.js');
const linesKept = 300;
const startLimitMs = 30_000;

/**
 * A whole phone as it runs on a device, from `dist`, in processes of its own: `hookswitch run` on a data directory, and the links a page or
 * the CLI would open. The demo, the benchmarks and the tests against real peers are made of it.
 */
export class VirtualPhone {
  readonly #data: string;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #lines: string[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #run: ChildProcess;
  readonly #ended: Promise<void>;
  readonly link: ContractLink<typeof phoneContract>;
  readonly exchange: ContractLink<typeof exchangeContract> | undefined;
  #status: PhoneStatus | undefined;
  #exited = false;

  private constructor({ data, settings, exchange, environment, within = [], onLine }: VirtualPhoneOptions) {
    this.#data = data;
    this.#settings = settings;
    const [command = process.execPath, ...words] = [...within, process.execPath];
    this.#run = spawn(command, [...words, program, 'run', '--data', data, ...(exchange ? ['--exchange'] : [])], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    for (const stream of [this.#run.stdout, this.#run.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#takeLine(line, onLine));
    }
    this.#ended = new Promise((resolve) => this.#run.once('close', () => resolve()));
    void this.#ended.then(() => this.#end());
    const { runtimeDirectory } = findPlace(data, {});
    const options = { role: 'cli', clock: nodeClock, entropy: nodeEntropy, logger: silentLogger };
    const listeners = { status: (status: PhoneStatus) => this.#take(status) };
    this.link = connectContract(socketPathOf(runtimeDirectory, 'phone'), phoneContract, listeners, {
      ...options,
      onUp: () => void this.#refresh(),
      onDown: () => this.#take(undefined),
    });
    if (exchange) this.exchange = connectContract(socketPathOf(runtimeDirectory, 'exchange'), exchangeContract, {}, options);
  }

  /** Starts it and waits until phone, hal and media (and the exchange) answer. */
  static async start(options: VirtualPhoneOptions): Promise<VirtualPhone> {
    const words = Object.entries(options.settings).map(([key, value]) => `${key}=${value}`);
    const set = await hookswitch(options.data, ['config', '--offline', 'set', ...words]);
    if (set.code !== 0) throw new Error(`the settings were refused: ${set.stderr}`);
    const phone = new VirtualPhone(options);
    try {
      await phone.until('all daemons answer', ({ daemons }) => daemons.hal && daemons.media, startLimitMs);
      await phone.exchange?.whenUp();
    } catch (thrown) {
      await phone.stop();
      throw thrown;
    }
    return phone;
  }

  /** The newest snapshot; `undefined` while the phone daemon is away. */
  get status(): PhoneStatus | undefined {
    return this.#status;
  }

  /** The last lines of the daemons' logs. */
  get log(): string {
    return this.#lines.join('\n');
  }

  /** A setting it was started with. */
  settingOf(key: string): string {
    return this.#settings[key] ?? '';
  }

  /** Process id of the supervisor, whose children the daemons are. */
  get pid(): number {
    return this.#run.pid ?? 0;
  }

  /** Waits for a snapshot that fits; rejects with the last one when none comes in time. */
  async until(what: string, fits: (status: PhoneStatus) => boolean, withinMs = 15_000): Promise<PhoneStatus> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      if (this.#status && fits(this.#status)) return this.#status;
      if (this.#exited) throw new Error(`the phone ended while waiting until ${what}:\n${this.log}`);
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`waited ${withinMs} ms in vain until ${what}:\n${JSON.stringify(this.#status)}\n${this.log}`);
      await this.#change(left);
    }
  }

  /** Waits for a state of the exchange, asked every 50 ms: it tells its changes only once a second. */
  async untilExchange(what: string, fits: (status: ExchangeStatus) => boolean, withinMs = 15_000): Promise<ExchangeStatus> {
    if (!this.exchange) throw new Error('this phone runs without the exchange');
    const deadline = performance.now() + withinMs;
    for (;;) {
      const status = await this.exchange.command('status', {});
      if (fits(status)) return status;
      if (performance.now() > deadline)
        throw new Error(`waited ${withinMs} ms in vain until ${what}:\n${JSON.stringify(status)}\n${this.log}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async hook(position: 'onHook' | 'offHook' | 'flash'): Promise<void> {
    await this.link.command('actuate', { element: 'hook', position });
  }

  /** Presses and releases keys one after the other. */
  async press(keys: string): Promise<void> {
    for (const key of keys) {
      await this.link.command('actuate', { element: 'key', key, pressed: true });
      await this.link.command('actuate', { element: 'key', key, pressed: false });
    }
  }

  /** Runs the `hookswitch` command line against this phone. */
  async cli(...args: string[]): Promise<CommandOutcome> {
    return await hookswitch(this.#data, args);
  }

  /** Stops it as Ctrl-C does and waits until every process is gone. */
  async stop(): Promise<void> {
    await Promise.all([this.link.stop(), this.exchange?.stop()]);
    if (!this.#exited) this.#run.kill('SIGTERM');
    await this.#ended;
  }

  #change(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(limit);
        this.#watchers.delete(wake);
        resolve();
      };
      const limit = setTimeout(wake, withinMs);
      this.#watchers.add(wake);
    });
  }

  async #refresh(): Promise<void> {
    try {
      this.#take(await this.link.command('status', {}));
    } catch (thrown) {
      this.#takeLine(`status not read: ${String(thrown)}`, undefined);
    }
  }

  #take(status: PhoneStatus | undefined): void {
    this.#status = status;
    for (const wake of [...this.#watchers]) wake();
  }

  #takeLine(line: string, onLine: ((line: string) => void) | undefined): void {
    this.#lines.push(line);
    if (this.#lines.length > linesKept) this.#lines.shift();
    onLine?.(line);
  }

  #end(): void {
    this.#exited = true;
    for (const wake of [...this.#watchers]) wake();
  }
}

/** Runs the built `hookswitch` command on a data directory. */
function hookswitch(data: string, args: readonly string[]): Promise<CommandOutcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, '--data', data, ...args], { timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : 1) : 0, stdout, stderr });
    });
  });
}
