import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const linesKept = 400;

/** A real program a test starts on loopback and ends by its pid; its output is what the test waits on. */
export class ForeignProgram {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiters = new Set<(line: string | undefined) => void>();
  readonly exited: Promise<number>;

  /** `typing`: its standard input is what `type` says; otherwise it has none. */
  constructor(command: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv; typing?: boolean } = {}) {
    this.name = command;
    const { typing, ...place } = options;
    this.#child = spawn(command, args, { stdio: [typing ? 'pipe' : 'ignore', 'pipe', 'pipe'], detached: true, ...place });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#take(line));
    }
    const endWithUs = (): void => this.#endGroup();
    process.once('exit', endWithUs);
    this.exited = new Promise((resolve, reject) => {
      this.#child.once('error', (error) => reject(new Error(`${command} cannot be started (scripts/test installs it): ${error.message}`)));
      this.#child.once('close', (code, signal) => {
        process.off('exit', endWithUs);
        for (const waiter of this.#waiters) waiter(undefined);
        resolve(code ?? (signal ? 128 : 1));
      });
    });
    // A failed start is reported by whoever waits; without a waiter it must not end the test run.
    this.exited.catch((error: Error) => this.#take(error.message));
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** The last lines it printed. */
  get output(): string {
    return this.#lines.join('\n');
  }

  /** Waits until a line (printed already, or yet to come) matches. Rejects when the program ends or `withinMs` pass before. */
  async saw(pattern: RegExp, withinMs = 15_000): Promise<string> {
    const known = this.#lines.find((line) => pattern.test(line));
    if (known !== undefined) return known;
    return await new Promise((resolve, reject) => {
      const settle = (line: string | undefined) => {
        if (line !== undefined && !pattern.test(line)) return;
        this.#waiters.delete(settle);
        clearTimeout(limit);
        if (line === undefined) reject(new Error(`${this.name} ended before printing ${pattern}:\n${this.output}`));
        else resolve(line);
      };
      const limit = setTimeout(() => {
        this.#waiters.delete(settle);
        reject(new Error(`${this.name} did not print ${pattern} within ${withinMs} ms:\n${this.output}`));
      }, withinMs);
      this.#waiters.add(settle);
    });
  }

  /** Ends it: SIGTERM, and when that does not help within 5 s, SIGKILL to it and to what it started (its process group). */
  async stop(): Promise<void> {
    const pid = this.#child.pid;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || pid === undefined) return;
    this.#child.kill('SIGTERM');
    const limit = setTimeout(() => this.#endGroup(), 5000);
    await this.exited;
    clearTimeout(limit);
  }

  #endGroup(): void {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGKILL');
  }

  #take(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > linesKept) this.#lines.shift();
    for (const waiter of [...this.#waiters]) waiter(line);
  }
}
