import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { VirtualPhone } from '../virtual-phone.ts';
import type { BenchRow } from './row.ts';

/** Memory of every process of a running phone, from the kernel's own account; `when` is `idle` or `in a call`. */
export function memoryRows(phone: VirtualPhone, when: string): BenchRow[] {
  const rows: BenchRow[] = [];
  let [rss, pss] = [0, 0];
  for (const pid of [phone.pid, ...descendantsOf(phone.pid)]) {
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

function descendantsOf(parent: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === parent);
  return children.flatMap((pid) => [pid, ...descendantsOf(pid)]);
}

/** 0 when the process is gone meanwhile. */
function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; the state and the parent come after its end.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}

/** `phone` of `node …/dist/services/phone/main.js`. */
function nameOf(pid: number): string {
  const main = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    .split('\0')
    .find((word) => word.endsWith('main.js'));
  const name = main === undefined ? String(pid) : basename(dirname(main));
  return name === 'cli' ? 'supervisor' : name;
}

function megabytesOf(account: string, field: string): number {
  const [, kilobytes] = new RegExp(`^${field}: +(\\d+) kB`, 'm').exec(account) ?? [];
  return Number(kilobytes) / 1024;
}
