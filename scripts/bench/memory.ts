import { readFileSync } from 'node:fs';
import type { VirtualPhone } from '../virtual-phone.ts';
import { familyOf, nameOf } from './processes.ts';
import type { BenchRow } from './row.ts';

/** Memory of every process of a running phone, from the kernel's own account; `when` is `idle` or `in a call`. */
export function memoryRows(phone: VirtualPhone, when: string): BenchRow[] {
  const rows: BenchRow[] = [];
  let [rss, pss] = [0, 0];
  for (const pid of familyOf(phone.pid)) {
    const account = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const [processRss, processPss] = [megabytesOf(account, 'Rss'), megabytesOf(account, 'Pss')];
    rss += processRss;
    pss += processPss;
    rows.push({ area: 'memory', name: `${nameOf(pid)} ${when}, PSS`, value: processPss, unit: 'MB' });
  }
  rows.push({ area: 'memory', name: `all processes ${when}, PSS`, value: pss, unit: 'MB' });
  rows.push({ area: 'memory', name: `all processes ${when}, sum of RSS`, value: rss, unit: 'MB' });
  return rows;
}

function megabytesOf(account: string, field: string): number {
  const [, kilobytes] = new RegExp(`^${field}: +(\\d+) kB`, 'm').exec(account) ?? [];
  return Number(kilobytes) / 1024;
}
