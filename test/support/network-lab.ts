import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Three network namespaces of this machine: a phone behind a router that masquerades, and the world outside.
 *
 *     inside 192.168.50.2 ─── 192.168.50.1 router 203.0.113.1 ─── 203.0.113.2 outside
 */
export class NetworkLab {
  static readonly outsideAddress = '203.0.113.2';
  readonly #prefix: string;

  private constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** `undefined` with the reason where namespaces can't be made: that takes root, iproute2 and nftables. */
  static async make(): Promise<NetworkLab | string> {
    const lab = new NetworkLab(`hs${process.pid}`);
    try {
      await lab.#make();
      return lab;
    } catch (thrown) {
      await lab.remove();
      return thrown instanceof Error ? thrown.message.split('\n').slice(0, 2).join(' ') : String(thrown);
    }
  }

  /** What comes before a command to run it there. */
  within(place: 'inside' | 'outside'): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name(place)];
  }

  /** The phone's machine gets another address instead of the one it has. */
  async readdress(from: string, to: string): Promise<void> {
    const inside = this.#name('inside');
    await run('ip', ['-n', inside, 'addr', 'del', `${from}/24`, 'dev', 'lan0']);
    await run('ip', ['-n', inside, 'addr', 'add', `${to}/24`, 'dev', 'lan0']);
    await run('ip', ['-n', inside, 'route', 'replace', 'default', 'via', '192.168.50.1']);
  }

  /** The cable of the phone's machine. */
  async plug(isIn: boolean): Promise<void> {
    const inside = this.#name('inside');
    await run('ip', ['-n', inside, 'link', 'set', 'lan0', isIn ? 'up' : 'down']);
    if (isIn) await run('ip', ['-n', inside, 'route', 'replace', 'default', 'via', '192.168.50.1']);
  }

  /** The router forgets what it has translated, and translates to other ports from now on. */
  async forget(ports: string): Promise<void> {
    const router = this.#name('router');
    await this.#translate(ports);
    // Its entries go with their table of connections, which leaves with the interface.
    await run('ip', ['-n', router, 'link', 'set', 'wan0', 'down']);
    await run('ip', ['-n', router, 'link', 'set', 'wan0', 'up']);
  }

  async remove(): Promise<void> {
    for (const place of ['inside', 'router', 'outside'] as const) {
      try {
        await run('ip', ['netns', 'del', this.#name(place)]);
      } catch {
        // It was never made.
      }
    }
  }

  #name(place: 'inside' | 'router' | 'outside'): string {
    return `${this.#prefix}-${place}`;
  }

  async #make(): Promise<void> {
    const [inside, router, outside] = [this.#name('inside'), this.#name('router'), this.#name('outside')];
    for (const name of [inside, router, outside]) {
      await run('ip', ['netns', 'add', name]);
      await run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    }
    await run('ip', ['link', 'add', 'lan0', 'netns', inside, 'type', 'veth', 'peer', 'name', 'lan1', 'netns', router]);
    await run('ip', ['link', 'add', 'wan0', 'netns', router, 'type', 'veth', 'peer', 'name', 'wan1', 'netns', outside]);
    const addresses = [
      [inside, 'lan0', '192.168.50.2/24'],
      [router, 'lan1', '192.168.50.1/24'],
      [router, 'wan0', '203.0.113.1/24'],
      [outside, 'wan1', `${NetworkLab.outsideAddress}/24`],
    ] as const;
    for (const [name, device, address] of addresses) {
      await run('ip', ['-n', name, 'addr', 'add', address, 'dev', device]);
      await run('ip', ['-n', name, 'link', 'set', device, 'up']);
    }
    await run('ip', ['-n', inside, 'route', 'add', 'default', 'via', '192.168.50.1']);
    await run('ip', ['netns', 'exec', router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    await this.#translate('20000-29999');
  }

  async #translate(ports: string): Promise<void> {
    const rules = `table ip nat
delete table ip nat
table ip nat { chain post { type nat hook postrouting priority 100; oifname "wan0" meta l4proto { tcp, udp } masquerade to :${ports}; }; }`;
    await run('ip', ['netns', 'exec', this.#name('router'), 'nft', rules]);
  }
}
