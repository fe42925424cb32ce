import type { Milliseconds } from './clock.ts';

interface Entry<Key> {
  key: Key;
  deadline: Milliseconds;
  /** Breaks ties: timers set first fire first. */
  order: number;
  /** Position in the heap. */
  index: number;
}

/**
 * Deadlines by key, the earliest first. A binary heap with positions: set, clear and take cost O(log n), so ten thousand transactions with
 * a timer or two each stay cheap. Pure: the owner asks `deadline` and calls `takeDue` with its own `now`.
 */
export class TimerTable<Key> {
  readonly #entries = new Map<Key, Entry<Key>>();
  readonly #heap: Entry<Key>[] = [];
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** The earliest deadline, or `undefined` when no timer runs. */
  get deadline(): Milliseconds | undefined {
    return this.#heap[0]?.deadline;
  }

  /** Starts the timer `key`, or moves it. */
  set(key: Key, deadline: Milliseconds): void {
    const known = this.#entries.get(key);
    const entry = known ?? { key, deadline, order: 0, index: this.#heap.length };
    entry.deadline = deadline;
    entry.order = this.#order++;
    if (!known) {
      this.#entries.set(key, entry);
      this.#heap.push(entry);
    }
    this.#rise(entry);
    this.#sink(entry);
  }

  /** Stops the timer `key`; true if it ran. */
  clear(key: Key): boolean {
    const entry = this.#entries.get(key);
    if (!entry) return false;
    this.#remove(entry);
    return true;
  }

  has(key: Key): boolean {
    return this.#entries.has(key);
  }

  deadlineOf(key: Key): Milliseconds | undefined {
    return this.#entries.get(key)?.deadline;
  }

  /** Takes out the earliest timer whose deadline is not after `now`; `undefined` when none is due. */
  takeDue(now: Milliseconds): Key | undefined {
    const first = this.#heap[0];
    if (!first || first.deadline > now) return undefined;
    this.#remove(first);
    return first.key;
  }

  #remove(entry: Entry<Key>): void {
    this.#entries.delete(entry.key);
    const last = this.#heap.pop();
    if (!last || last === entry) return;
    last.index = entry.index;
    this.#heap[last.index] = last;
    this.#rise(last);
    this.#sink(last);
  }

  #rise(entry: Entry<Key>): void {
    while (entry.index > 0) {
      const parent = this.#heap[(entry.index - 1) >> 1];
      if (!parent || !before(entry, parent)) return;
      this.#swap(entry, parent);
    }
  }

  #sink(entry: Entry<Key>): void {
    for (;;) {
      const left = this.#heap[2 * entry.index + 1];
      const right = this.#heap[2 * entry.index + 2];
      const child = left && right && before(right, left) ? right : left;
      if (!child || !before(child, entry)) return;
      this.#swap(child, entry);
    }
  }

  #swap(a: Entry<Key>, b: Entry<Key>): void {
    const index = a.index;
    a.index = b.index;
    b.index = index;
    this.#heap[a.index] = a;
    this.#heap[b.index] = b;
  }
}

function before<Key>(a: Entry<Key>, b: Entry<Key>): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
}
