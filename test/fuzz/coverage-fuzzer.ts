import { Session } from 'node:inspector';
import type { FuzzTarget } from './fuzz-target.ts';

/** An input that broke a promise. */
export interface Finding {
  readonly target: string;
  readonly bytes: Uint8Array;
  readonly reason: string;
}

export interface FuzzOutcome {
  readonly runs: number;
  /** Inputs that went where none had gone before. */
  readonly interesting: number;
  /** Blocks of the project's code that were reached. */
  readonly blocks: number;
  readonly seed: number;
  readonly finding: Finding | undefined;
}

const bytesAtMost = 65_536;
/** What reading any input may cost. */
const cpuMsAtMost = 5;
/** Inputs of a target that are measured again, without coverage, which slows code down. */
const slowestKept = 6;
/** Reading the coverage costs as much as some hundred inputs: it is read once for a batch, and for each of a batch that found something. */
const batchSize = 64;

/**
 * A small coverage-guided fuzzer on V8's own block coverage. Coverage must be on before the code under test is compiled, so its modules are
 * loaded by whoever calls `startCoverage` first.
 *
 *   corpus ─► mutate ─► run a batch ─► new blocks? ─► run each alone ─► those that reach them join the corpus
 */
export class CoverageFuzzer {
  readonly #session = new Session();
  readonly #seen = new Set<string>();
  /** What took longest, by target. */
  readonly #slowest = new Map<FuzzTarget, { readonly bytes: Uint8Array; readonly milliseconds: number }[]>();
  /** Begins anew for each target: how far one got makes no difference to the next. */
  #random: () => number;
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = mulberry32(seed);
  }

  startCoverage(): void {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Ends the session; gives what is too slow even without coverage. */
  stopCoverage(): Finding[] {
    this.#session.post('Profiler.stopPreciseCoverage');
    this.#session.post('Profiler.disable');
    this.#session.disconnect();
    return [...this.#slowest].flatMap(([target, inputs]) => inputs.flatMap(({ bytes }) => slowness(target, bytes) ?? []));
  }

  /** Fuzzes one target for so long, or until the first finding. */
  run(target: FuzzTarget, milliseconds: number): FuzzOutcome {
    const corpus: Uint8Array[] = [];
    let runs = 0;
    let finding: Finding | undefined;
    const attempt = (bytes: Uint8Array): void => {
      runs++;
      const started = performance.now();
      finding ??= examine(target, bytes);
      this.#note(target, bytes, performance.now() - started);
    };
    this.#random = mulberry32(this.#seed);
    this.#seen.clear();
    this.#takeNew();
    for (const seed of target.seeds) {
      attempt(seed);
      corpus.push(seed);
    }
    this.#takeNew();
    const end = performance.now() + milliseconds;
    while (!finding && performance.now() < end) {
      const batch = Array.from({ length: batchSize }, () => this.#mutate(corpus, target.words));
      for (const bytes of batch) attempt(bytes);
      if (!finding && this.#takeNew(false)) this.#select(batch, attempt, corpus);
    }
    return { runs, interesting: corpus.length - target.seeds.length, blocks: this.#seen.size, seed: this.#seed, finding };
  }

  /** Those of a batch with news that bring some: halves without any are not looked at one by one. */
  #select(batch: readonly Uint8Array[], attempt: (bytes: Uint8Array) => void, corpus: Uint8Array[]): void {
    for (const bytes of batch) attempt(bytes);
    const isAlone = batch.length === 1;
    if (!this.#takeNew(isAlone)) return;
    if (isAlone) corpus.push(...batch);
    else for (const half of [batch.slice(0, batch.length >> 1), batch.slice(batch.length >> 1)]) this.#select(half, attempt, corpus);
  }

  #note(target: FuzzTarget, bytes: Uint8Array, milliseconds: number): void {
    const slowest = this.#slowest.get(target) ?? [];
    if (milliseconds < 1 || (slowest.length === slowestKept && milliseconds < (slowest.at(-1)?.milliseconds ?? 0))) return;
    slowest.push({ bytes, milliseconds });
    slowest.sort((a, b) => b.milliseconds - a.milliseconds);
    this.#slowest.set(target, slowest.slice(0, slowestKept));
  }

  /** True if blocks were reached since the last look that never were before; `keep` remembers them. */
  #takeNew(keep = true): boolean {
    let isNew = false;
    this.#session.post('Profiler.takePreciseCoverage', (error, taken) => {
      if (error) throw error;
      for (const { url, functions } of taken.result) {
        if (!url.includes('/firmware/')) continue;
        for (const { ranges } of functions) {
          for (const { startOffset, endOffset, count } of ranges) {
            // How often, roughly: a loop that runs longer than ever is news too.
            const key = count === 0 ? '' : `${url}:${startOffset}-${endOffset}x${Math.min(6, Math.trunc(Math.log2(count) / 3))}`;
            if (key === '' || this.#seen.has(key)) continue;
            isNew = true;
            if (keep) this.#seen.add(key);
          }
        }
      }
    });
    return isNew;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #mutate(corpus: readonly Uint8Array[], words: readonly string[]): Uint8Array {
    const pick = (): Uint8Array => corpus[this.#below(corpus.length)] ?? new Uint8Array(0);
    let bytes: Buffer = Buffer.from(pick());
    const changes = 1 + this.#below(4);
    for (let change = 0; change < changes; change++) bytes = this.#change(bytes, pick, words);
    return bytes.length > bytesAtMost ? bytes.subarray(0, bytesAtMost) : bytes;
  }

  #change(bytes: Buffer, pick: () => Uint8Array, words: readonly string[]): Buffer {
    const at = this.#below(bytes.length + 1);
    const length = 1 + this.#below(Math.min(64, bytes.length - at + 1));
    const [head, middle, tail] = [bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at + length)];
    const word = (): Buffer => Buffer.from(words[this.#below(words.length)] ?? '', 'latin1');
    switch (this.#below(8)) {
      case 0: {
        const flipped = Buffer.from(middle);
        flipped[0] = (flipped[0] ?? 0) ^ (1 << this.#below(8));
        return Buffer.concat([head, flipped, tail]);
      }
      case 1:
        return Buffer.concat([head, Buffer.from([this.#below(256)]), tail]);
      case 2:
        return Buffer.concat([head, tail]);
      case 3:
        return Buffer.concat([head, word(), middle, tail]);
      case 4:
        return Buffer.concat([head, word(), tail]);
      case 5: {
        const other = Buffer.from(pick());
        const from = this.#below(other.length + 1);
        return Buffer.concat([head, other.subarray(from, from + 1 + this.#below(200)), tail]);
      }
      case 6:
        return Buffer.concat([head, middle, middle, tail]);
      default: {
        // Seldom a lot of it: what is quadratic shows there.
        const piece = this.#below(2) === 0 ? word() : middle;
        const room = this.#below(16) === 0 ? bytesAtMost - bytes.length : 256;
        return Buffer.concat([head, ...Array<Buffer>(Math.max(1, Math.floor(room / Math.max(1, piece.length)))).fill(piece), tail]);
      }
    }
  }
}

/** What is wrong with what the target makes of the bytes, if anything: it throws, breaks a promise, or marks all objects. */
export function examine(target: FuzzTarget, bytes: Uint8Array): Finding | undefined {
  const finding = (reason: string): Finding => ({ target: target.name, bytes, reason });
  try {
    target.run(bytes);
  } catch (thrown) {
    return finding(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown));
  }
  for (const key in {}) return finding(`Object.prototype has got ${key}`);
  return undefined;
}

/** A finding if reading the bytes takes more than 5 ms of CPU, the best of some. */
export function slowness(target: FuzzTarget, bytes: Uint8Array): Finding | undefined {
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 8 && best > cpuMsAtMost; attempt++) {
    const before = process.cpuUsage();
    target.read(bytes);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1_000);
  }
  return best > cpuMsAtMost ? { target: target.name, bytes, reason: `${best.toFixed(1)} ms of CPU for ${bytes.length} bytes` } : undefined;
}

/** A small generator of even quality: the same seed gives the same inputs. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
