import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Flow } from './flow.ts';
import type { NameAnswer, NameQuestion, NameService } from './name-records.ts';
import type { Hop, ServerLocation } from './server-location.ts';
import type { Destination } from './sip-core.ts';

/** Told once where to try, best first; an empty list when there is no way. */
export type SearchOutcome = (now: Milliseconds, hops: readonly Hop[]) => void;

interface Search {
  readonly destination: Destination;
  readonly found: SearchOutcome;
}

const searchesAtMost = 512;
const securedAtMost = 64;

/** Requests that wait until the names of their servers are known. Without a name service the driver resolves names itself. */
export class ServerSearch {
  readonly #location: ServerLocation;
  readonly #names: NameService | undefined;
  readonly #asked = new Set<string>();
  /** WebSocket servers that were reached by TLS, by address and port: a URI says `ws` of all of them (RFC 7118 §5.3). */
  readonly #secured = new Set<string>();
  #open: Search[] = [];

  constructor(location: ServerLocation, names: NameService | undefined) {
    this.#location = location;
    this.#names = names;
  }

  /** `found` is told at once when all is known. */
  find(now: Milliseconds, destination: Destination, found: SearchOutcome): void {
    const hops = this.#known(now, destination);
    if (hops)
      found(
        now,
        this.#location.order(
          now,
          hops.map((hop) => this.#asSecured(hop)),
        ),
      );
    else if (this.#open.length >= searchesAtMost) found(now, []);
    else this.#open.push({ destination, found });
  }

  /** When a server before `used`, which was found for `destination`, is worth another try. */
  failbackAt(now: Milliseconds, destination: Destination, used: Destination): Milliseconds | undefined {
    const hops = this.#known(now, destination);
    return hops && this.#location.failbackAt(hops, used);
  }

  /** Best first, whether they have failed or not; what is not known is asked for. */
  #known(now: Milliseconds, destination: Destination): readonly Hop[] | undefined {
    if (!this.#names) return unlocated(destination);
    const located = this.#location.locate(now, destination);
    if ('hops' in located) return located.hops;
    for (const question of located.questions) this.#ask(question);
    return undefined;
  }

  /** The answer to a question that was asked. */
  named(now: Milliseconds, question: NameQuestion, answer: NameAnswer): void {
    if (!this.#asked.delete(keyOf(question))) return;
    this.#location.answered(now, question, answer);
    const open = this.#open;
    this.#open = [];
    for (const { destination, found } of open) this.find(now, destination, found);
  }

  /** Something came over `flow`. */
  cameOver({ transport, remote }: Flow): void {
    if (transport !== 'wss' || this.#secured.has(placeOf(remote.address, remote.port))) return;
    const [oldest] = this.#secured;
    if (this.#secured.size >= securedAtMost && oldest !== undefined) this.#secured.delete(oldest);
    this.#secured.add(placeOf(remote.address, remote.port));
  }

  #asSecured(hop: Hop): Hop {
    const { transport, host, port } = hop.destination;
    const secured = transport === 'ws' && this.#secured.has(placeOf(host, port));
    return secured ? { ...hop, destination: { ...hop.destination, transport: 'wss' } } : hop;
  }

  /** Requests that wait. */
  get size(): number {
    return this.#open.length;
  }

  #ask(question: NameQuestion): void {
    const key = keyOf(question);
    if (this.#asked.has(key)) return;
    this.#asked.add(key);
    this.#names?.ask(question);
  }
}

/** A destination and its alternatives as they stand. */
function unlocated(destination: Destination): readonly Hop[] {
  const hops: Hop[] = [];
  for (let asked: Destination | undefined = destination; asked; asked = asked.otherwise) hops.push({ destination: asked, asked });
  return hops;
}

function placeOf(address: string, port: number): string {
  return `${address} ${port}`;
}

function keyOf({ type, name }: NameQuestion): string {
  return `${type} ${name}`;
}
