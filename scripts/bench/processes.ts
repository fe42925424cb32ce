import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/** USER_HZ of every Linux that matters. */
export const ticksPerSecond = 100;

/** A process and all that it started, and those. */
export function familyOf(pid: number): number[] {
  return [pid, ...descendantsOf(pid)];
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
export function nameOf(pid: number): string {
  const main = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    .split('\0')
    .find((word) => word.endsWith('main.js'));
  const name = main === undefined ? String(pid) : basename(dirname(main));
  return name === 'cli' ? 'supervisor' : name;
}

/** Processor time so far, in ticks: utime + stime; the name in parentheses before them may hold anything. */
export function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
