import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deviceSettings } from '#firmware/config/device-settings.ts';
import type { ArgsOf } from '#firmware/contract/contract.ts';
import { type AudioDevice, mediaContract, type SessionParameters, type SessionStatistics } from '#firmware/contract/media.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { socketPathOf } from '#firmware/platform/daemon.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { type ContractLink, connectContract } from '#firmware/platform/unix-socket.ts';

const address = '127.0.0.1';
const role = 'handset';

/** The built media daemon alone, set up as the phone does by default and commanded by a benchmark. */
export class BenchMedia {
  readonly folder = mkdtempSync(join(tmpdir(), 'hookswitch-bench-'));
  /** Of each session, as of the last second. */
  statistics: readonly SessionStatistics[] = [];
  readonly #daemon: ChildProcess;
  readonly #link: ContractLink<typeof mediaContract>;

  private constructor(environment: Readonly<Record<string, string>>) {
    const words = ['dist/services/media/main.js', '--runtime-dir', this.folder, '--state-dir', this.folder, '--log-level', 'error'];
    this.#daemon = spawn(process.execPath, words, { stdio: 'ignore', env: { ...process.env, ...environment } });
    const listeners = {
      statistics: ({ sessions }: { readonly sessions: readonly SessionStatistics[] }) => {
        this.statistics = sessions;
      },
    };
    const parts = { role: 'phone', clock: nodeClock, entropy: nodeEntropy, logger: silentLogger };
    this.#link = connectContract(socketPathOf(this.folder, 'media'), mediaContract, listeners, parts);
  }

  static async start(environment: Readonly<Record<string, string>> = {}): Promise<BenchMedia> {
    const media = new BenchMedia(environment);
    await media.#link.whenUp();
    return media;
  }

  get pid(): number {
    return this.#daemon.pid ?? 0;
  }

  /** Gives the phone one device, with everything else as in the settings' defaults. */
  async useDevice(device: AudioDevice): Promise<void> {
    await this.useDevices({ [role]: device });
  }

  /** Gives it several, by role. */
  async useDevices(wanted: Readonly<Record<string, AudioDevice>>, opus = false): Promise<void> {
    const args: ArgsOf<typeof mediaContract, 'configure'> = {
      devices: wanted,
      rtpPorts: { from: 20_000, to: 29_999 },
      country: 'us',
      jitterBuffer: {
        minimumMs: deviceSettings['jitterBuffer.minimumMs'].default,
        startMs: deviceSettings['jitterBuffer.startMs'].default,
        maximumMs: deviceSettings['jitterBuffer.maximumMs'].default,
      },
      graceSeconds: 1,
      silenceSeconds: 0,
      opus,
      certificate: null,
    };
    const { devices } = await this.#link.command('configure', args);
    const faulty = Object.entries(devices).find(([, health]) => !health.ok);
    if (faulty) throw new Error(`the device does not work: ${faulty[0]}, ${faulty[1].reason}`);
  }

  /** Binds ports; returns the one for RTP. */
  async openSession(session: string): Promise<number> {
    const args = { session, address };
    const { rtpPort } = await this.#link.command('openSession', args);
    return rtpPort;
  }

  /** Lets the session speak G.711 with `port`, and joins it with the device when it is to be heard. */
  async joinSession(session: string, port: number, withDevice: boolean): Promise<void> {
    await this.speakWith(session, port, { name: 'PCMU', send: 0, receive: 0 }, withDevice ? role : undefined);
  }

  /** The same with another codec, and with the device of a role. */
  async speakWith(session: string, port: number, codec: SessionParameters['codecs'][0], device: string | undefined): Promise<void> {
    const parameters: SessionParameters = {
      remote: { address, rtpPort: port, rtcpPort: port + 1 },
      codecs: [codec],
      ptime: 20,
      telephoneEvents: [],
      detectDigits: false,
      comfortNoise: false,
      direction: 'sendrecv',
      symmetric: false,
      rtcpMux: false,
      ice: null,
      security: null,
    };
    await this.#link.command('updateSession', { session, parameters });
    if (device !== undefined) await this.#link.command('connectSession', { session, device });
  }

  async closeSession(session: string): Promise<void> {
    await this.#link.command('closeSession', { session });
  }

  async describe(): Promise<Record<string, unknown>> {
    return await this.#link.command('describe', {});
  }

  async stop(): Promise<void> {
    await this.#link.stop();
    if (this.#daemon.exitCode === null && this.#daemon.signalCode === null) {
      this.#daemon.kill('SIGTERM');
      await once(this.#daemon, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
