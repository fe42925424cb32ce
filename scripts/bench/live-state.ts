import { Answerer, liveBytes, longAfter } from './answerer.ts';
import type { BenchRow } from './row.ts';

const populations = [10, 1_000, 10_000];
const messagesMeasured = 500;
const callsForLeak = 100_000;

/** What calls and transactions cost the user agent while they live: memory, and time for each further message; and what they leave behind. */
export async function liveStateRows(): Promise<BenchRow[]> {
  const row = (name: string, value: number, unit: string): BenchRow => ({ area: 'live state', name, value, unit });
  const rows = [
    row(
      'memory of an idle dialog',
      bytesEach((answerer, index) => answerer.call(index), 10_000, true),
      'bytes',
    ),
    row(
      'memory of a transaction',
      bytesEach((answerer, index) => answerer.options(index), 10_000, false),
      'bytes',
    ),
  ];
  // Collecting all rubbish throws compiled code away too, for which the smallest population would pay.
  microsecondsBeside(4_000, 'transactions');
  microsecondsBeside(4_000, 'dialogs');
  for (const live of populations) {
    rows.push(row(`an OPTIONS beside ${live} transactions`, microsecondsBeside(live, 'transactions'), 'µs'));
    rows.push(row(`an INFO in one of ${live} dialogs`, microsecondsBeside(live, 'dialogs'), 'µs'));
  }
  rows.push(row(`heap after ${callsForLeak} calls`, leftBehind() / 1_024, 'KiB more'));
  return rows;
}

function bytesEach(make: (answerer: Answerer, index: number) => void, count: number, idle: boolean): number {
  const answerer = new Answerer();
  // What is made only once is made before.
  for (let index = 0; index < 100; index++) make(answerer, index);
  const before = liveBytes();
  for (let index = 100; index < 100 + count; index++) make(answerer, index);
  if (idle) answerer.pass(longAfter);
  const each = (liveBytes() - before) / count;
  answerer.options(1_000_000);
  return each;
}

/** CPU time of a message, the best of three. */
function microsecondsBeside(live: number, kind: 'transactions' | 'dialogs'): number {
  const answerer = new Answerer();
  for (let index = 0; index < live; index++) {
    if (kind === 'dialogs') answerer.call(index);
    else answerer.options(index);
  }
  if (kind === 'dialogs') answerer.pass(longAfter);
  let next = live;
  const round = (): number => {
    const started = process.cpuUsage();
    for (let i = 0; i < messagesMeasured; i++, next++) {
      if (kind === 'dialogs') answerer.info((next * 7) % live, next + 10);
      else answerer.options(next);
    }
    const { user, system } = process.cpuUsage(started);
    return (user + system) / messagesMeasured;
  };
  round();
  return Math.min(round(), round(), round());
}

function leftBehind(): number {
  const answerer = new Answerer();
  const calls = (from: number, count: number): void => {
    for (let index = from; index < from + count; index++) {
      answerer.call(index);
      answerer.hangUp(index);
      answerer.pass(20);
    }
    answerer.pass(longAfter);
  };
  calls(0, 1_000);
  const before = liveBytes();
  calls(1_000, callsForLeak);
  return liveBytes() - before;
}
