import { spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AudioDevice, mediaContract } from '#firmware/contract/media.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { socketPathOf } from '#firmware/platform/daemon.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { connectContract } from '#firmware/platform/unix-socket.ts';
import { type BenchRow, percentile } from './row.ts';

const ptime = 20;
/** Packets before the measure begins: the daemon warms up. */
const warmUp = 50;

/** How far apart from 20 ms the packets of the built media daemon leave, over `seconds`, paced by the monotonic clock. */
export async function rtpPacingRows(seconds = 10): Promise<BenchRow[]> {
  const directory = await mkdtemp(join(tmpdir(), 'hookswitch-bench-'));
  const daemon = spawn(process.execPath, ['dist/services/media/main.js', '--runtime-dir', directory, '--state-dir', directory], {
    stdio: 'ignore',
  });
  const receiver = createSocket('udp4');
  try {
    receiver.bind(0, '127.0.0.1');
    await once(receiver, 'listening');
    const arrivals = await arrivalsOf(directory, receiver, warmUp + (seconds * 1000) / ptime);
    return rowsOf(arrivals.slice(warmUp));
  } finally {
    receiver.close();
    daemon.kill('SIGTERM');
    if (daemon.exitCode === null) await once(daemon, 'exit');
    await rm(directory, { recursive: true, force: true });
  }
}

/** When `count` packets arrived of a session that sends silence to `receiver`. */
async function arrivalsOf(directory: string, receiver: Socket, count: number): Promise<number[]> {
  const arrivals: number[] = [];
  const enough = new Promise<void>((resolve) => {
    receiver.on('message', () => {
      arrivals.push(nodeClock.now());
      if (arrivals.length === count) resolve();
    });
  });
  const parts = { role: 'phone', clock: nodeClock, entropy: nodeEntropy, logger: silentLogger };
  const link = connectContract(socketPathOf(directory, 'media'), mediaContract, {}, parts);
  await link.whenUp();
  const silence: AudioDevice = { driver: 'silence' };
  await link.command('configure', {
    devices: { handset: silence },
    rtpPorts: { from: 30_000, to: 31_000 },
    country: 'us',
    jitterBuffer: { minimumMs: 20, startMs: 60, maximumMs: 200 },
    graceSeconds: 1,
    silenceSeconds: 0,
  });
  await link.command('openSession', { session: 'bench', address: '127.0.0.1' });
  const { port } = receiver.address();
  await link.command('updateSession', {
    session: 'bench',
    parameters: {
      remote: { address: '127.0.0.1', rtpPort: port, rtcpPort: 9 },
      codecs: [{ name: 'PCMU', send: 0, receive: 0 }],
      ptime,
      telephoneEvent: null,
      direction: 'sendrecv',
      symmetric: false,
    },
  });
  await link.command('connectSession', { session: 'bench', device: 'handset' });
  await enough;
  await link.stop();
  return arrivals;
}

function rowsOf(arrivals: readonly number[]): BenchRow[] {
  const intervals = arrivals.slice(1).map((at, index) => at - (arrivals[index] ?? at));
  const deviations = intervals.map((interval) => Math.abs(interval - ptime));
  const mean = intervals.reduce((sum, interval) => sum + interval, 0) / intervals.length;
  const row = (name: string, value: number, unit: string): BenchRow => ({ area: 'rtp pacing', name, value, unit });
  return [
    row('deviation from 20 ms, p50', percentile(deviations, 0.5), 'ms'),
    row('deviation from 20 ms, p99', percentile(deviations, 0.99), 'ms'),
    row('deviation from 20 ms, max', Math.max(...deviations), 'ms'),
    row('drift of the clock', (mean / ptime - 1) * 1e6, 'ppm'),
  ];
}
