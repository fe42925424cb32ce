import type { DigitHabits } from './digit-sender.ts';
import type { Outbox, PeerDigits } from './outbox.ts';

const peersAtMost = 256;
const addressAtMost = 256;

/** What was learnt of far ends in calls before; kept on disk. Who has not been met for longest is forgotten. */
export class DigitMemory {
  readonly #outbox: Outbox;
  /** The one met last at the end. */
  readonly #peers = new Map<string, PeerDigits>();

  constructor(outbox: Outbox, kept: readonly PeerDigits[]) {
    this.#outbox = outbox;
    for (const peer of kept.slice(-peersAtMost)) this.#peers.set(peer.peer, peer);
  }

  of(address: string): DigitHabits | undefined {
    return this.#peers.get(keyOf(address));
  }

  learn(address: string, { infoFormat, infoAccepted, formsRefused, heardBy }: DigitHabits): void {
    const peer = keyOf(address);
    const learnt: PeerDigits = { peer, infoFormat, infoAccepted, formsRefused, heardBy };
    const known = this.#peers.get(peer);
    this.#peers.delete(peer);
    this.#peers.set(peer, learnt);
    const [oldest] = this.#peers.keys();
    if (this.#peers.size > peersAtMost && oldest !== undefined) this.#peers.delete(oldest);
    if (JSON.stringify(known) !== JSON.stringify(learnt)) this.#outbox.record({ kind: 'digits', entry: learnt });
  }

  describe(): object {
    return Object.fromEntries(this.#peers);
  }
}

/** Parameters of an address say how it was reached this time, not whose it is. */
function keyOf(address: string): string {
  const semicolon = address.indexOf(';');
  return (semicolon < 0 ? address : address.slice(0, semicolon)).slice(0, addressAtMost);
}
