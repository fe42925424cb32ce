import { RivalBaresip } from './baresip.ts';
import { inCallBesideBaresip } from './call-beside-baresip.ts';
import { type CallProfile, plainG711 } from './call-profile.ts';
import { familyOf, nameOf, ticksOf, ticksPerSecond } from './processes.ts';
import { type BenchRow, type BenchScope, skipped } from './row.ts';

const profiles: readonly CallProfile[] = [plainG711];

/** Processor time of one call by all our daemons, and by baresip at its other end, per cent of a core. */
export async function cpuRows({ seconds }: BenchScope): Promise<BenchRow[]> {
  const missing = RivalBaresip.missing();
  if (missing !== undefined) return [skipped('cpu', 'processor time of a call', missing)];
  const rows: BenchRow[] = [];
  for (const profile of profiles) rows.push(...(await rowsOf(profile, seconds)));
  return rows;
}

async function rowsOf(profile: CallProfile, seconds: number): Promise<BenchRow[]> {
  return await inCallBesideBaresip(profile, async ({ phone, rival }) => {
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const daemons = familyOf(phone.pid).map((pid) => ({ name: nameOf(pid), pid }));
    const before = [...daemons.map(({ pid }) => ticksOf(pid)), ticksOf(rival.pid)];
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    const after = [...daemons.map(({ pid }) => ticksOf(pid)), ticksOf(rival.pid)];
    const shares = after.map((ticks, index) => ((ticks - (before[index] ?? 0)) / ticksPerSecond / seconds) * 100);
    const row = (name: string, value: number, unit = '% of a core'): BenchRow => ({
      area: 'cpu',
      name: `${profile.name} call, ${name}`,
      value,
      unit,
    });
    const rivalShare = shares.at(-1) ?? Number.NaN;
    const ours = shares.slice(0, -1).reduce((sum, share) => sum + share, 0);
    return [
      ...daemons.map(({ name }, index) => row(name, shares[index] ?? Number.NaN)),
      row('all daemons', ours),
      row('baresip', rivalShare),
      row('all daemons beside baresip', ours / rivalShare, 'times'),
    ];
  });
}
