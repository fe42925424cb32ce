import fc from 'fast-check';
import t from 'tap';
import { TimerTable } from '#firmware/core/timer-table.ts';

t.test('the earliest timer is due first and only when its deadline has come', async (t) => {
  const timers = new TimerTable<string>();
  t.equal(timers.deadline, undefined, 'nothing runs at first');
  timers.set('B', 32_000);
  timers.set('A', 500);
  t.equal(timers.deadline, 500);
  t.equal(timers.takeDue(499.9), undefined, 'not a moment early');
  t.equal(timers.takeDue(500), 'A');
  t.equal(timers.has('A'), false, 'a timer that fired is gone');
  t.equal(timers.takeDue(500), undefined);
  t.equal(timers.deadline, 32_000);
});

t.test('timers with the same deadline fire in the order they were set', async (t) => {
  const timers = new TimerTable<string>();
  for (const key of ['first', 'second', 'third']) timers.set(key, 10);
  timers.set('first', 10);
  t.strictSame(takeAll(timers, 10), ['second', 'third', 'first'], 'setting again goes to the end of the row');
});

t.test('setting a running timer moves it, clearing it stops it', async (t) => {
  const timers = new TimerTable<string>();
  timers.set('moved', 10);
  timers.set('stopped', 20);
  timers.set('moved', 30);
  t.equal(timers.size, 2);
  t.equal(timers.deadlineOf('moved'), 30);
  t.equal(timers.deadline, 20);
  t.equal(timers.clear('stopped'), true);
  t.equal(timers.clear('stopped'), false, 'a timer stops once');
  t.equal(timers.deadlineOf('stopped'), undefined);
  t.strictSame(takeAll(timers, 1000), ['moved']);
  t.equal(timers.size, 0);
});

type Move = { kind: 'set'; key: number; deadline: number } | { kind: 'clear'; key: number } | { kind: 'take'; now: number };

const key = fc.nat(12);
const instant = fc.nat(40);
const moves = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('set' as const), key, deadline: instant }),
    fc.record({ kind: fc.constant('clear' as const), key }),
    fc.record({ kind: fc.constant('take' as const), now: instant }),
  ),
  { maxLength: 120 },
);

t.test('any sequence of set, clear and take behaves as a sorted list would', async (t) => {
  const seed = 20;
  t.comment(`fast-check seed ${seed}`);
  fc.assert(
    fc.property(moves, (sequence) => {
      const timers = new TimerTable<number>();
      const list = new SortedList();
      for (const move of sequence) {
        if (!sameOutcome(timers, list, move)) return false;
        if (timers.size !== list.rows.length || timers.deadline !== list.rows[0]?.deadline) return false;
      }
      return list.rows.every((row) => timers.deadlineOf(row.key) === row.deadline && timers.has(row.key));
    }),
    { seed, numRuns: 500 },
  );
  t.pass('500 sequences agree');
});

function sameOutcome(timers: TimerTable<number>, list: SortedList, move: Move): boolean {
  switch (move.kind) {
    case 'set':
      timers.set(move.key, move.deadline);
      list.set(move.key, move.deadline);
      return true;
    case 'clear':
      return timers.clear(move.key) === list.clear(move.key);
    case 'take':
      return timers.takeDue(move.now) === list.takeDue(move.now);
    default:
      return move satisfies never;
  }
}

/** What a timer table is, without the heap: rows in order of deadline, then of setting. */
class SortedList {
  rows: { key: number; deadline: number }[] = [];

  set(key: number, deadline: number): void {
    this.clear(key);
    const later = this.rows.findIndex((row) => row.deadline > deadline);
    this.rows.splice(later < 0 ? this.rows.length : later, 0, { key, deadline });
  }

  clear(key: number): boolean {
    const before = this.rows.length;
    this.rows = this.rows.filter((row) => row.key !== key);
    return this.rows.length < before;
  }

  takeDue(now: number): number | undefined {
    const first = this.rows[0];
    return first && first.deadline <= now ? this.rows.shift()?.key : undefined;
  }
}

function takeAll<Key>(timers: TimerTable<Key>, now: number): Key[] {
  const taken: Key[] = [];
  for (let due = timers.takeDue(now); due !== undefined; due = timers.takeDue(now)) taken.push(due);
  return taken;
}
