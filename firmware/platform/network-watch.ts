import { networkInterfaces } from 'node:os';
import type { Milliseconds } from '../core/clock.ts';

/** The addresses this machine has now; tests give their own. */
export type AddressSource = () => readonly string[];

export interface NetworkWatchOptions {
  readonly addresses: AddressSource;
  readonly onChange: () => void;
  readonly intervalMs: Milliseconds;
}

/** Notices that addresses of this machine have come or gone, with a link, a lease or a network: looks every now and then. */
export class NetworkWatch {
  readonly #options: NetworkWatchOptions;
  #known = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(options: NetworkWatchOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#timer) return;
    this.#known = this.#look();
    this.#timer = setInterval(() => this.#compare(), this.#options.intervalMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #compare(): void {
    const found = this.#look();
    if (found === this.#known) return;
    this.#known = found;
    this.#options.onChange();
  }

  #look(): string {
    return [...this.#options.addresses()].sort().join(' ');
  }
}

/** Of the interfaces that are up and have a carrier. */
export function machineAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
}
