import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { hurry } from '#firmware/platform/priority.ts';
import { BenchMedia } from './media-daemon.ts';
import { ticksOf, ticksPerSecond } from './processes.ts';
import type { BenchRow, BenchScope } from './row.ts';

const ptime = 20;
const steps = [50, 100, 200, 300, 400, 500];
/** A packet this much behind the beat has missed its frame, ms. */
const lateBy = ptime / 2;
const lateShareAtMost = 0.01;
const settleMs = 3_000;

interface Step {
  readonly legs: number;
  readonly lateShare: number;
  readonly cpuShare: number;
}

/**
 * How many G.711 legs one media daemon carries until 1 % of frames are late: legs that speak with each other in pairs over loopback, both ways,
 * and one that speaks with us and so tells when frames move.
 */
export async function capacityRows({ seconds }: BenchScope): Promise<BenchRow[]> {
  hurry(-15);
  const media = await BenchMedia.start();
  const row = (name: string, value: number, unit: string): BenchRow => ({ area: 'capacity', name, value, unit });
  try {
    await media.useDevice({ driver: 'silence' });
    const probe = await Probe.open(media);
    const done: Step[] = [];
    for (const legs of steps) {
      const before = (done.at(-1)?.legs ?? 0) / 2;
      for (let pair = before; pair < legs / 2; pair++) await openPair(media, pair);
      const step = await measure(media, probe, legs, Math.min(seconds, 10));
      done.push(step);
      if (step.lateShare > lateShareAtMost) break;
    }
    probe.close();
    const carried = done.filter(({ lateShare }) => lateShare <= lateShareAtMost).at(-1)?.legs ?? 0;
    return [
      row('legs in G.711 without 1 % of frames late', carried, `legs, of at most ${steps.at(-1)} tried`),
      ...done.flatMap(({ legs, lateShare, cpuShare }) => [
        row(`${legs} legs, late frames`, lateShare * 100, '%'),
        row(`${legs} legs, processor time`, cpuShare * 100, '% of a core'),
      ]),
    ];
  } finally {
    await media.stop();
  }
}

async function openPair(media: BenchMedia, pair: number): Promise<void> {
  const [a, b] = [`${pair}a`, `${pair}b`];
  const [portA, portB] = [await media.openSession(a), await media.openSession(b)];
  await media.joinSession(a, portB, false);
  await media.joinSession(b, portA, false);
}

async function measure(media: BenchMedia, probe: Probe, legs: number, seconds: number): Promise<Step> {
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const [lost, ticks] = [lateOrLost(media), ticksOf(media.pid)];
  probe.restart();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const frames = (legs * seconds * 1_000) / ptime;
  const missing = (lateOrLost(media) - lost) / frames;
  return {
    legs,
    lateShare: Math.max(probe.lateShare, missing),
    cpuShare: (ticksOf(media.pid) - ticks) / ticksPerSecond / seconds,
  };
}

function lateOrLost({ statistics }: BenchMedia): number {
  return statistics.reduce((sum, { packetsLate, packetsLost }) => sum + packetsLate + Math.max(0, packetsLost), 0);
}

/** The far end of one leg. */
class Probe {
  #arrivals: number[] = [];
  readonly close: () => void;

  private constructor(close: () => void) {
    this.close = close;
  }

  static async open(media: BenchMedia): Promise<Probe> {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const probe = new Probe(() => socket.close());
    socket.on('message', () => probe.#arrivals.push(nodeClock.now()));
    await media.openSession('probe');
    await media.joinSession('probe', socket.address().port, false);
    return probe;
  }

  restart(): void {
    this.#arrivals = [];
  }

  /** Of the frames since then, against the beat that the quickest of them show. */
  get lateShare(): number {
    const offsets = this.#arrivals.map((at, index) => at - index * ptime);
    const beat = Math.min(...offsets);
    return offsets.filter((offset) => offset - beat > lateBy).length / Math.max(1, offsets.length);
  }
}
