import { readdirSync, readFileSync } from 'node:fs';
import type { VirtualPhone } from '../virtual-phone.ts';
import { familyOf, nameOf } from './processes.ts';
import type { BenchRow } from './row.ts';

interface Account {
  /** Processor time of all threads, ms. */
  readonly busyMs: number;
  /** Times that a thread was woken after it had waited of its own will. */
  readonly wakeUps: number;
  /** Sent to be written to a disk, bytes. */
  readonly written: number;
}

const secondsPerDay = 86_400;

/** What a registered phone that nobody uses costs: processor, wake-ups, bytes for the card; without the supervisor, which systemd does not need. */
export async function idleRows(phone: VirtualPhone, seconds: number): Promise<BenchRow[]> {
  const daemons = familyOf(phone.pid).flatMap((pid) => (nameOf(pid) === 'supervisor' ? [] : { pid, name: nameOf(pid) }));
  // What a call has left behind is over.
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const before = daemons.map(({ pid }) => accountOf(pid));
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const spent = daemons.map(({ pid }, index) => difference(accountOf(pid), before[index]));
  const row = (name: string, value: number, unit: string): BenchRow => ({ area: 'idle', name, value, unit });
  const rows = daemons.flatMap(({ name }, index) => [
    row(`${name} idle, processor`, (spent[index]?.busyMs ?? 0) / seconds / 10, '% of a core'),
    row(`${name} idle, wake-ups`, (spent[index]?.wakeUps ?? 0) / seconds, '1/s'),
  ]);
  const sum = (of: (account: Account) => number) => spent.reduce((total, account) => total + of(account), 0);
  return [
    ...rows,
    row('all daemons idle, processor', sum(({ busyMs }) => busyMs) / seconds / 10, '% of a core'),
    row('all daemons idle, wake-ups', sum(({ wakeUps }) => wakeUps) / seconds, '1/s'),
    row('all daemons idle, written a day', (sum(({ written }) => written) / seconds) * (secondsPerDay / 1e6), 'MB'),
  ];
}

function accountOf(pid: number): Account {
  let [busyMs, wakeUps] = [0, 0];
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const place = `/proc/${pid}/task/${thread}`;
    busyMs += Number(readFileSync(`${place}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
    wakeUps += numberIn(readFileSync(`${place}/status`, 'utf8'), 'voluntary_ctxt_switches');
  }
  return { busyMs, wakeUps, written: numberIn(readFileSync(`/proc/${pid}/io`, 'utf8'), 'write_bytes') };
}

function difference(after: Account, before: Account | undefined): Account {
  return {
    busyMs: after.busyMs - (before?.busyMs ?? 0),
    wakeUps: after.wakeUps - (before?.wakeUps ?? 0),
    written: after.written - (before?.written ?? 0),
  };
}

function numberIn(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
}
