import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { bundled } from './bundled.ts';

/** A process that rings and takes every call: our SIP stack, or Debian's baresip without sound. */
export class CallTaker {
  readonly #child: ChildProcess;
  #lastLine = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Our stack, without media. */
  static async start(port: number): Promise<CallTaker> {
    return await CallTaker.#started(process.execPath, [await bundled('responder'), String(port)], 'ready');
  }

  static startBaresip(port: number, folder: string): Promise<CallTaker> {
    const place = join(folder, `baresip-${port}`);
    mkdirSync(place);
    const config = [
      `sip_listen 127.0.0.1:${port}`,
      'net_interface 127.0.0.1',
      'rtp_ports 10000-32000',
      // It takes four at once otherwise.
      'call_max_calls 20000',
      `module_path ${moduleFolders.find((path) => existsSync(path)) ?? moduleFolders[0]}`,
      'module g711.so',
      ...['account', 'contact', 'menu'].map((name) => `module_app ${name}.so`),
    ];
    writeFileSync(join(place, 'config'), `${config.join('\n')}\n`);
    writeFileSync(join(place, 'accounts'), `<sip:callee@127.0.0.1:${port};transport=udp>;regint=0;answermode=auto\n`);
    writeFileSync(join(place, 'contacts'), '');
    return CallTaker.#started('baresip', ['-f', place], 'baresip is ready');
  }

  static async #started(program: string, words: readonly string[], greeting: string): Promise<CallTaker> {
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'ignore'] });
    const taker = new CallTaker(child);
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        taker.#lastLine = line;
        if (line.includes(greeting)) resolve();
      });
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`${program} did not start`)));
    });
    return taker;
  }

  /** Ends it; gives what it said last. */
  async stop(): Promise<string> {
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGTERM');
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    await closed;
    clearTimeout(killer);
    return this.#lastLine;
  }
}

const moduleFolders = [
  '/usr/lib/baresip/modules',
  '/usr/lib/x86_64-linux-gnu/baresip/modules',
  '/usr/lib/aarch64-linux-gnu/baresip/modules',
];
