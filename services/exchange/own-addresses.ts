import { hostname, networkInterfaces } from 'node:os';
import type { Clock, Milliseconds } from '#firmware/core/clock.ts';
import type { OwnAddresses } from '#firmware/exchange/own-domain.ts';
import type { Transport } from '#firmware/sip/transport/flow.ts';
import type { LocalAddresses } from '#firmware/sip/transport/sip-core.ts';

/** Interfaces change by cable and DHCP: often enough, and far from once a message. */
const freshMs: Milliseconds = 2_000;
const peersAtMost = 1024;

/** The addresses and names of this machine. Asking the kernel is dear, so its answers are kept for a moment. */
export class MachineAddresses implements OwnAddresses {
  readonly #clock: Clock;
  readonly #routes: LocalAddresses;
  #freshUntil: Milliseconds = Number.NEGATIVE_INFINITY;
  #hosts = new Set<string>();
  readonly #towards = new Map<string, { readonly address: string; readonly port: number }>();

  /** `routes` knows which address a peer sees. */
  constructor(clock: Clock, routes: LocalAddresses) {
    this.#clock = clock;
    this.#routes = routes;
  }

  isOwn(host: string): boolean {
    this.#refresh();
    return this.#hosts.has(host);
  }

  towards(host: string, transport: Transport): { readonly address: string; readonly port: number } {
    this.#refresh();
    const key = `${transport} ${host}`;
    const known = this.#towards.get(key);
    if (known) return known;
    const found = this.#routes.towards(host, transport);
    if (this.#towards.size >= peersAtMost) this.#towards.clear();
    this.#towards.set(key, found);
    return found;
  }

  #refresh(): void {
    const now = this.#clock.now();
    if (now < this.#freshUntil) return;
    this.#freshUntil = now + freshMs;
    this.#towards.clear();
    const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address.toLowerCase()));
    const name = hostname().toLowerCase();
    this.#hosts = new Set([...addresses, name, `${name}.local`, 'localhost']);
  }
}
