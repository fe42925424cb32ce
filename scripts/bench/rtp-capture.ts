import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';

/**
 * When RTP packets left, by the stamps of the kernel: on loopback it looks at its clock while the sender is still in `send`. So it does not
 * matter how late the receiver is, nor that it is measured on the same machine.
 */
export class RtpCapture {
  readonly #child: ChildProcess;
  readonly #departures = new Map<number, number[]>();

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => this.#take(line));
  }

  /** Why nothing can be captured; `undefined` when it can. */
  static missing(): string | undefined {
    if (process.getuid?.() !== 0) return 'only root may capture packets';
    return ['/usr/bin/tcpdump', '/usr/sbin/tcpdump'].some((path) => existsSync(path)) ? undefined : 'tcpdump is not installed';
  }

  /** Captures what leaves these ranges of ports: their first ones and `count`. */
  static async start(firsts: readonly number[], count: number): Promise<RtpCapture> {
    const filter = firsts.map((first) => `(udp src portrange ${first}-${first + count - 1})`).join(' or ');
    const words = ['-i', 'lo', '-n', '-q', '-tt', '--time-stamp-precision=nano', '-l', '-Z', 'root', filter];
    const child = spawn('tcpdump', words, { stdio: ['ignore', 'pipe', 'pipe'] });
    const listening = child.stderr && createInterface({ input: child.stderr });
    const capture = new RtpCapture(child);
    if (listening) for await (const line of listening) if (line.includes('listening on')) break;
    return capture;
  }

  /** Forgets what left so far. */
  restart(): void {
    this.#departures.clear();
  }

  /** Milliseconds at which packets left the ports from `first` on, RTP only. */
  departures(first: number, count: number): readonly number[] {
    return [...this.#departures].find(([port, times]) => port >= first && port < first + count && times.length > 10)?.[1] ?? [];
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill('SIGTERM');
    await once(this.#child, 'exit');
  }

  /** `1763666666.123456789 IP 127.0.0.1.20010 > 127.0.0.1.20044: UDP, length 172`; RTCP has the odd ports. */
  #take(line: string): void {
    const [, seconds, fraction, port] = /^(\d+)\.(\d{9}) IP6? \S+\.(\d+) > /.exec(line) ?? [];
    if (port === undefined || Number(port) % 2 === 1) return;
    // Seconds of the day keep the fraction exact.
    const at = (Number(seconds) % 86_400) * 1_000 + Number(fraction) / 1e6;
    const times = this.#departures.get(Number(port)) ?? [];
    times.push(at);
    this.#departures.set(Number(port), times);
  }
}
