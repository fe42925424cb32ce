import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { ForeignProgram } from './foreign-program.ts';
import { kamailioPassword, kamailioRealm } from './kamailio.ts';

export interface BaresipOptions {
  readonly folder: string;
  readonly user: string;
  /** First of 24 free ports: SIP, TLS beside it, control, then RTP. */
  readonly port: number;
  /** Port of the Kamailio it registers with. */
  readonly proxyPort: number;
  /** WAV file its microphone is. */
  readonly speech: string;
  readonly answer: 'auto' | 'manual';
  readonly codecs?: string;
  /** Beyond those for plain calls. */
  readonly modules?: readonly string[];
  /** Parameters of the account, such as `mediaenc=srtp`. */
  readonly account?: readonly string[];
  /** Where it listens and its proxy is, instead of 127.0.0.1. */
  readonly address?: string;
  readonly proxyAddress?: string;
  /** Put before its command, to run it elsewhere. */
  readonly within?: readonly string[];
}

interface BaresipEvent {
  readonly event?: boolean;
  readonly type?: string;
  readonly param?: string;
  readonly response?: boolean;
}

/** Debian's baresip, registered at the test's Kamailio, driven and watched over its control socket. */
export class Baresip {
  readonly #program: ForeignProgram;
  readonly #control: Duplex;
  readonly #folder: string;
  readonly #events: BaresipEvent[] = [];
  readonly #waiters = new Set<() => void>();
  #pending = '';

  private constructor(program: ForeignProgram, control: Duplex, folder: string) {
    this.#program = program;
    this.#control = control;
    this.#folder = folder;
    control.setEncoding('utf8').on('data', (text: string) => this.#receive(text));
  }

  static async start(options: BaresipOptions): Promise<Baresip> {
    await writeConfiguration(options);
    const [command = 'baresip', ...words] = [...(options.within ?? []), 'baresip'];
    const program = new ForeignProgram(command, [...words, '-f', options.folder]);
    await program.saw(/baresip is ready/);
    const control = await connectTo(options);
    const baresip = new Baresip(program, control, options.folder);
    await program.saw(/200 OK .*\[\d+ bindings?\]/);
    return baresip;
  }

  /** One command of baresip's menu, such as `dial`, `accept`, `hangup`, `hold`. */
  command(command: string, params = ''): void {
    const text = JSON.stringify({ command, params, token: command });
    this.#control.write(`${Buffer.byteLength(text)}:${text},`);
  }

  /** Drops the events nobody waited for, so that the next wait is for a new one. */
  forget(): void {
    this.#events.length = 0;
  }

  /** Waits for an event such as `CALL_INCOMING`, `CALL_ESTABLISHED`, `CALL_CLOSED`; each one is handed out once. */
  async saw(type: string, withinMs = 15_000): Promise<BaresipEvent> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const index = this.#events.findIndex((event) => event.type === type);
      const [found] = index >= 0 ? this.#events.splice(index, 1) : [];
      if (found) return found;
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`baresip had no event ${type} within ${withinMs} ms:\n${this.#program.output}`);
      await new Promise<void>((resolve) => {
        const wake = () => {
          clearTimeout(limit);
          this.#waiters.delete(wake);
          resolve();
        };
        const limit = setTimeout(wake, left);
        this.#waiters.add(wake);
      });
    }
  }

  /** What it heard in its last call: a WAV file, complete once the call is over. */
  async heardFile(): Promise<string> {
    const names = (await readdir(this.#folder)).filter((name) => name.endsWith('-dec.wav')).sort();
    const last = names.at(-1);
    if (last === undefined) throw new Error(`baresip recorded nothing:\n${this.#program.output}`);
    return join(this.#folder, last);
  }

  async stop(): Promise<void> {
    this.#control.end();
    await this.#program.stop();
  }

  /** Netstrings: `LENGTH:TEXT,`. */
  #receive(text: string): void {
    this.#pending += text;
    for (;;) {
      const colon = this.#pending.indexOf(':');
      const length = Number(this.#pending.slice(0, colon));
      if (colon < 0 || this.#pending.length < colon + length + 2) break;
      this.#events.push(JSON.parse(this.#pending.slice(colon + 1, colon + 1 + length)) as BaresipEvent);
      this.#pending = this.#pending.slice(colon + length + 2);
    }
    for (const wake of [...this.#waiters]) wake();
  }
}

/** A socket of another network namespace is reached by a shell that is there. */
async function connectTo({ within, address = '127.0.0.1', port }: BaresipOptions): Promise<Duplex> {
  if (within) {
    const [command = '', ...words] = [...within, 'bash', '-c', `exec 3<>/dev/tcp/${address}/${port + 2}; cat <&3 & cat >&3; kill $!`];
    const { stdin, stdout } = spawn(command, words, { stdio: ['pipe', 'pipe', 'ignore'] });
    return Duplex.from({ writable: stdin, readable: stdout });
  }
  const socket = createConnection({ host: address, port: port + 2 });
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
}

async function writeConfiguration(options: BaresipOptions): Promise<void> {
  const { folder, user, port, address = '127.0.0.1', proxyAddress = '127.0.0.1' } = options;
  await mkdir(folder, { recursive: true });
  const modules = ['/usr/lib/baresip/modules', '/usr/lib/x86_64-linux-gnu/baresip/modules', '/usr/lib/aarch64-linux-gnu/baresip/modules'];
  const config = [
    `sip_listen ${address}:${port}`,
    `net_interface ${address}`,
    `rtp_ports ${port + 4}-${port + 23}`,
    'audio_player aufile,/dev/null',
    `audio_source aufile,${options.speech}`,
    'audio_alert aufile,/dev/null',
    // The files have this rate whatever the codec's.
    'ausrc_srate 8000',
    'ausrc_channels 1',
    `module_path ${modules.find((path) => existsSync(path)) ?? modules[0]}`,
    ...['g711', 'g722', 'l16', 'aufile', 'sndfile', ...(options.modules ?? [])].map((name) => `module ${name}.so`),
    `snd_path ${folder}`,
    ...['account', 'contact', 'menu', 'ctrl_tcp'].map((name) => `module_app ${name}.so`),
    `ctrl_tcp_listen ${address}:${port + 2}`,
  ];
  const account = [
    `<sip:${user}@${kamailioRealm};transport=udp>`,
    `auth_pass=${kamailioPassword(user)}`,
    `outbound="sip:${proxyAddress}:${options.proxyPort}"`,
    `answermode=${options.answer}`,
    'regint=60',
    `audio_codecs=${options.codecs ?? 'pcmu,pcma'}`,
    ...(options.account ?? []),
  ];
  await writeFile(join(folder, 'config'), `${config.join('\n')}\n`);
  await writeFile(join(folder, 'accounts'), `${account.join(';')}\n`);
  await writeFile(join(folder, 'contacts'), '');
}
