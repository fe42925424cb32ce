import { readFileSync } from 'node:fs';
import type { VirtualPhone } from '../virtual-phone.ts';
import { familyOf, nameOf } from './processes.ts';
import type { BenchRow } from './row.ts';

/**
 * Memory of every process of a running phone, from the kernel's own account; `when` is `idle` or `in a call`. What processes share is
 * divided among all that share it, other programs of Node as well: `alone` counts it whole, once, as on a device where there are no others.
 */
export function memoryRows(phone: VirtualPhone, when: string): BenchRow[] {
  const accounts = familyOf(phone.pid).map((pid) => ({ name: nameOf(pid), text: readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8') }));
  // systemd needs no supervisor.
  const daemons = accounts.filter(({ name }) => name !== 'supervisor');
  const sum = (of: typeof accounts, field: string) => of.reduce((total, { text }) => total + megabytesOf(text, field), 0);
  const files = daemons.map(({ text }) => megabytesOf(text, 'Rss') - megabytesOf(text, 'Pss_Anon'));
  const row = (name: string, value: number): BenchRow => ({ area: 'memory', name, value, unit: 'MB' });
  return [
    ...accounts.map(({ name, text }) => row(`${name} ${when}, PSS`, megabytesOf(text, 'Pss'))),
    row(`all daemons ${when}, PSS`, sum(daemons, 'Pss')),
    row(`all daemons and the supervisor of hookswitch run ${when}, PSS`, sum(accounts, 'Pss')),
    row(`all daemons ${when}, alone on the machine`, sum(daemons, 'Pss_Anon') + Math.max(...files)),
    row(`all daemons ${when}, sum of RSS`, sum(daemons, 'Rss')),
  ];
}

function megabytesOf(account: string, field: string): number {
  const [, kilobytes] = new RegExp(`^${field}: +(\\d+) kB`, 'm').exec(account) ?? [];
  return Number(kilobytes) / 1024;
}
