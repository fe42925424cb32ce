import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { CallProfile } from './call-profile.ts';

const moduleFolders = [
  '/usr/lib/baresip/modules',
  '/usr/lib/x86_64-linux-gnu/baresip/modules',
  '/usr/lib/aarch64-linux-gnu/baresip/modules',
];
const startWithinMs = 15_000;

/** Debian's baresip, the phone that we measure ourselves by: takes every call and speaks a file into it. */
export class RivalBaresip {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Why it cannot take part; `undefined` when it can. */
  static missing(): string | undefined {
    return existsSync('/usr/bin/baresip') ? undefined : 'baresip is not installed';
  }

  /** `port` is the first of 24 free ones: SIP, then from the fifth on RTP. What it hears goes to `loudspeaker`, a card of `environment`, or nowhere. */
  static async start(
    folder: string,
    port: number,
    speech: string,
    profile: CallProfile,
    loudspeaker?: { readonly card: string; readonly environment: Readonly<Record<string, string>> },
  ): Promise<RivalBaresip> {
    mkdirSync(folder, { recursive: true });
    const config = [
      `sip_listen 127.0.0.1:${port}`,
      'net_interface 127.0.0.1',
      `rtp_ports ${port + 4}-${port + 23}`,
      `audio_player ${loudspeaker ? `alsa,${loudspeaker.card}` : 'aufile,/dev/null'}`,
      `audio_source aufile,${speech}`,
      'audio_alert aufile,/dev/null',
      `ausrc_srate ${profile.rivalRate}`,
      `auplay_srate ${profile.rivalRate}`,
      `module_path ${moduleFolders.find((path) => existsSync(path)) ?? moduleFolders[0]}`,
      ...['aufile', ...(loudspeaker ? ['alsa'] : []), ...profile.rivalModules].map((name) => `module ${name}.so`),
      ...['account', 'contact', 'menu'].map((name) => `module_app ${name}.so`),
    ];
    const account = `<sip:bench@127.0.0.1:${port};transport=udp>;regint=0;answermode=auto;${profile.rivalAccount}`;
    writeFileSync(join(folder, 'config'), `${config.join('\n')}\n`);
    writeFileSync(join(folder, 'accounts'), `${account}\n`);
    writeFileSync(join(folder, 'contacts'), '');
    const child = spawn('baresip', ['-f', folder], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, ...loudspeaker?.environment },
    });
    const rival = new RivalBaresip(child);
    await rival.#ready();
    return rival;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGTERM');
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), 3_000);
    await once(this.#child, 'exit');
    clearTimeout(killer);
  }

  async #ready(): Promise<void> {
    const { stdout } = this.#child;
    if (!stdout) throw new Error('baresip has no output');
    const lines = createInterface({ input: stdout });
    await new Promise<void>((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error('baresip was not ready in time')), startWithinMs);
      lines.on('line', (line) => {
        if (!line.includes('baresip is ready')) return;
        clearTimeout(limit);
        resolve();
      });
      this.#child.once('error', reject);
    });
  }
}
