import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { join, relative } from 'node:path';
import { ForeignProgram } from './foreign-program.ts';
import { kamailioPassword, kamailioRealm } from './kamailio.ts';

interface LinphoneOptions {
  readonly folder: string;
  readonly user: string;
  /** First of 24 free ports: SIP, then RTP from the fourth on. */
  readonly port: number;
  /** Port of the Kamailio it registers with. */
  readonly proxyPort: number;
  /** Sections of its configuration beyond those of a plain account, `sip` for one, with their lines. */
  readonly configuration?: Readonly<Record<string, readonly string[]>>;
}

/** Where linphone-daemon puts its control sockets. */
const socketRoot = '/tmp';
const pollMs = 50;

/** Debian's linphone-daemon (of linphone-cli) without a sound card, registered at the test's Kamailio and driven over its control socket. */
export class Linphone {
  readonly #program: ForeignProgram;
  readonly #control: Socket;
  readonly #logFile: string;

  private constructor(program: ForeignProgram, control: Socket, logFile: string) {
    this.#program = program;
    this.#logFile = logFile;
    this.#control = control;
    control.setEncoding('utf8');
  }

  static async start(options: LinphoneOptions): Promise<Linphone> {
    const { folder } = options;
    // Without a place for its database it never gets to its first REGISTER.
    await mkdir(join(folder, '.local/share/linphone'), { recursive: true });
    const file = join(folder, 'linphonerc');
    await writeFile(file, configuration(options));
    const path = join(folder, 'control');
    const log = join(folder, 'log');
    const args = ['--config', file, '--pipe', relative(socketRoot, path), '--log', log, '--disable-stats-events'];
    const program = new ForeignProgram('linphone-daemon', args, { cwd: folder, env: { ...process.env, HOME: folder } });
    const linphone = new Linphone(program, await connectTo(path, program), log);
    await linphone.until('it is registered', 'register-status ALL', /State: LinphoneRegistrationOk/);
    return linphone;
  }

  /** One command of linphone-daemon and its answer; throws when that is an error. */
  async command(words: string): Promise<string> {
    const answer = await this.#ask(words);
    if (!answer.startsWith('Status: Ok')) throw new Error(`linphone, asked to ${words}: ${answer}`);
    return answer;
  }

  /** Waits for a call to come to this state, such as `IncomingReceived` or `StreamsRunning`, and gives its number; each event counts once. */
  async saw(state: string, withinMs?: number): Promise<string> {
    const event = await this.until(`a call is ${state}`, 'pop-event', new RegExp(`Event: LinphoneCall${state}\\n`), withinMs);
    return /Id: (\d+)/.exec(event)?.[1] ?? '';
  }

  /** Drops the events nobody waited for, so that the next wait is for a new one. */
  async forget(): Promise<void> {
    await this.until('no event is left', 'pop-event', /^Status: Ok\s*(Size: 0\s*)?$/);
  }

  /** What it sent, received and made of it, in the order of time. */
  async log(): Promise<string> {
    return await readFile(this.#logFile, 'utf8');
  }

  /** Waits until the answer to a command matches. */
  async until(what: string, words: string, fits: RegExp, withinMs = 15_000): Promise<string> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const answer = await this.#ask(words);
      if (fits.test(answer)) return answer;
      // Waiting for an event, the next one is asked for at once.
      if (/\nEvent: /.test(answer)) continue;
      if (performance.now() > deadline)
        throw new Error(`linphone: waited ${withinMs} ms until ${what}:\n${answer}\n${this.#program.output}`);
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  async stop(): Promise<void> {
    await this.#ask('quit');
    this.#control.destroy();
    await this.#program.stop();
  }

  /** It writes each answer at once, and a test asks one thing at a time. */
  async #ask(words: string): Promise<string> {
    this.#control.write(`${words}\n`);
    const [answer] = (await once(this.#control, 'data')) as [string];
    return answer;
  }
}

async function connectTo(path: string, program: ForeignProgram): Promise<Socket> {
  const deadline = performance.now() + 15_000;
  for (;;) {
    const socket = createConnection(path);
    const failure = await new Promise<Error | undefined>((resolve) =>
      socket.once('connect', () => resolve(undefined)).once('error', resolve),
    );
    if (!failure) return socket;
    if (performance.now() > deadline) throw new Error(`linphone-daemon has no control socket: ${failure.message}\n${program.output}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

function configuration({ user, port, proxyPort, configuration: more = {} }: LinphoneOptions): string {
  const sections: Record<string, readonly string[]> = {
    ...more,
    sip: [
      `sip_port=${port}`,
      'sip_tcp_port=0',
      'sip_tls_port=0',
      'use_ipv6=0',
      'supported=replaces, outbound',
      'default_proxy=0',
      ...(more.sip ?? []),
    ],
    // It ends calls in which it hears nothing, unless told to have patience (s).
    rtp: [`audio_rtp_port=${port + 4}-${port + 23}`, 'nortp_timeout=300', ...(more.rtp ?? [])],
    proxy_0: [
      `reg_proxy=<sip:127.0.0.1:${proxyPort};transport=udp>`,
      `reg_route=<sip:127.0.0.1:${proxyPort};transport=udp;lr>`,
      `reg_identity=sip:${user}@${kamailioRealm}`,
      'reg_sendregister=1',
      'reg_expires=600',
    ],
    auth_info_0: [`username=${user}`, `passwd=${kamailioPassword(user)}`, `realm=${kamailioRealm}`],
  };
  return Object.entries(sections)
    .map(([name, lines]) => `[${name}]\n${lines.join('\n')}\n`)
    .join('\n');
}
