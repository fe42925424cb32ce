import type { Milliseconds } from '#firmware/core/clock.ts';

/** What DNS is asked. */
export interface NameQuestion {
  readonly type: NameRecord['type'];
  /** Without a dot at its end. */
  readonly name: string;
}

/** RFC 3403 §4.1: by which transport a domain wants its requests, and the name to ask for SRV records. */
export interface NaptrRecord {
  readonly type: 'NAPTR';
  readonly order: number;
  readonly preference: number;
  readonly flags: string;
  readonly service: string;
  readonly replacement: string;
}

/** RFC 2782. */
export interface SrvRecord {
  readonly type: 'SRV';
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

export interface AddressRecord {
  readonly type: 'A' | 'AAAA';
  readonly address: string;
}

export type NameRecord = NaptrRecord | SrvRecord | AddressRecord;

/** What DNS says to a question. */
export interface NameAnswer {
  /** Of the type asked for; empty when there are none, or nobody could be asked. */
  readonly records: readonly NameRecord[];
  /** How long the answer is good, in seconds; also that there are none. */
  readonly ttl: number;
  /** True when nobody could be asked: says nothing about the name. */
  readonly failed: boolean;
}

/** Asks DNS for a core. Each question is answered by the input `named`, also when there is no answer. */
export interface NameService {
  ask(question: NameQuestion): void;
}

interface Known {
  readonly records: readonly NameRecord[];
  readonly until: Milliseconds;
}

const second: Milliseconds = 1_000;
/** An answer is believed at least until the names it leads to are known too, and at most a day. */
const leastBelieved = 10 * second;
const mostBelieved = 86_400 * second;
const mostBelievedMissing = 300 * second;
const failureBelieved = 5 * second;
/** RFC 8767: how long an answer that should be renewed is used on when nobody can be asked. */
const staleBelieved = 30 * second;
const namesAtMost = 256;
/** Of one answer. */
const recordsAtMost = 32;

/** What DNS has said, for as long as it is good. */
export class NameCache {
  readonly #known = new Map<string, Known>();

  /** `undefined` when the question has to be asked. */
  peek(now: Milliseconds, question: NameQuestion): readonly NameRecord[] | undefined {
    const known = this.#known.get(keyOf(question));
    return known && known.until > now ? known.records : undefined;
  }

  put(now: Milliseconds, question: NameQuestion, answer: NameAnswer): void {
    const key = keyOf(question);
    const before = this.#known.get(key);
    this.#known.delete(key);
    const oldest = this.#known.keys().next();
    if (this.#known.size >= namesAtMost && !oldest.done) this.#known.delete(oldest.value);
    const stale = answer.failed && before && before.records.length > 0;
    if (stale) this.#known.set(key, { records: before.records, until: now + staleBelieved });
    else this.#known.set(key, { records: answer.records.slice(0, recordsAtMost), until: now + believedFor(answer) });
  }

  /** The network is another one: what was not to be had may be there now, and names may lead elsewhere. */
  expire(): void {
    for (const [key, { records }] of this.#known) this.#known.set(key, { records, until: Number.NEGATIVE_INFINITY });
  }

  get size(): number {
    return this.#known.size;
  }
}

function believedFor({ records, ttl, failed }: NameAnswer): Milliseconds {
  if (failed) return failureBelieved;
  const most = records.length > 0 ? mostBelieved : mostBelievedMissing;
  return Math.min(Math.max(leastBelieved, ttl * second), most);
}

function keyOf({ type, name }: NameQuestion): string {
  return `${type} ${name.toLowerCase()}`;
}
