import { readFileSync } from 'node:fs';
import { BenchMedia } from './media-daemon.ts';
import type { BenchRow } from './row.ts';

const calls = 10_000;
/** Calls until all that is made once is made, and the heap has the size it keeps. */
const warmUp = 5_000;
const atOnce = 20;
/** Time for the engine to move frames of the calls. */
const callMs = 50;

/** What 10,000 calls leave behind in the media daemon: sessions opened on ports of their own, spoken in, and closed. */
export async function leakRows(): Promise<BenchRow[]> {
  const media = await BenchMedia.start();
  try {
    await media.useDevice({ driver: 'silence' });
    await makeCalls(media, warmUp);
    const before = residentMegabytes(media.pid);
    await makeCalls(media, calls);
    const after = residentMegabytes(media.pid);
    const row = (name: string, value: number): BenchRow => ({ area: 'leaks', name, value, unit: 'MB' });
    return [row(`media after ${warmUp} calls, resident`, before), row(`media after ${calls} more`, after), row('growth', after - before)];
  } finally {
    await media.stop();
  }
}

async function makeCalls(media: BenchMedia, count: number): Promise<void> {
  for (let made = 0; made < count; made += atOnce) {
    const names = Array.from({ length: atOnce }, (_, index) => `call ${made + index}`);
    const ports = await Promise.all(names.map((name) => media.openSession(name)));
    // Each speaks with the next.
    await Promise.all(names.map((name, index) => media.joinSession(name, ports[(index + 1) % atOnce] ?? 9, index === 0)));
    await new Promise((resolve) => setTimeout(resolve, callMs));
    await Promise.all(names.map((name) => media.closeSession(name)));
  }
}

function residentMegabytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1024;
}
