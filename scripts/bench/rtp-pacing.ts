import { createSocket } from 'node:dgram';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { hurry } from '#firmware/platform/priority.ts';
import { PacedLoop } from '#hal/audio/frame-pacer.ts';
import { RivalBaresip } from './baresip.ts';
import { type CallBesideBaresip, inCallBesideBaresip, portsEach } from './call-beside-baresip.ts';
import { plainG711 } from './call-profile.ts';
import { type BenchRow, type BenchScope, percentile, skipped } from './row.ts';
import { RtpCapture } from './rtp-capture.ts';

const ptime = 20;

interface Load {
  readonly name: string;
  /** Does something with the other daemons until told to stop. */
  readonly start: (call: CallBesideBaresip) => () => void;
}

const loads: readonly Load[] = [
  { name: 'idle', start: () => () => undefined },
  { name: 'settings written', start: ({ phone }) => often(50, (turn) => writeSetting(phone, turn)) },
  { name: 'pages loaded', start: ({ phone }) => often(20, () => loadPage(phone)) },
  { name: 'flood of SIP', start: ({ phone }) => floodOf(Number(phone.settingOf('sip.port'))) },
];

/** How far from 20 ms apart packets leave: ours, baresip's in the same call, and those of a loop with nothing behind it: the machine's own share. */
export async function rtpPacingRows({ seconds }: BenchScope): Promise<BenchRow[]> {
  const missing = RivalBaresip.missing() ?? RtpCapture.missing();
  if (missing !== undefined) return [skipped('rtp', 'deviation of RTP from 20 ms', missing)];
  hurry(-10);
  return await inCallBesideBaresip(plainG711, async (call) => {
    const capture = await RtpCapture.start([call.ownPorts, call.rivalPorts], portsEach);
    try {
      const rows: BenchRow[] = [];
      for (const load of loads) rows.push(...(await underLoad(call, capture, load, seconds)));
      return rows;
    } finally {
      await capture.stop();
    }
  });
}

async function underLoad(call: CallBesideBaresip, capture: RtpCapture, load: Load, seconds: number): Promise<BenchRow[]> {
  const stop = load.start(call);
  await pause(2_000);
  capture.restart();
  const bare: number[] = [];
  const loop = new PacedLoop(nodeClock, 'exact', () => bare.push(nodeClock.now()));
  loop.start();
  await pause(seconds * 1_000);
  loop.stop();
  stop();
  // What tcpdump still holds.
  await pause(500);
  return [
    ...rowsOf(`${load.name}: hookswitch`, capture.departures(call.ownPorts, portsEach)),
    ...rowsOf(`${load.name}: baresip`, capture.departures(call.rivalPorts, portsEach)),
    ...rowsOf(`${load.name}: a bare loop`, bare),
  ];
}

function rowsOf(who: string, departures: readonly number[]): BenchRow[] {
  const deviations = departures.slice(1).map((at, index) => Math.abs(at - (departures[index] ?? at) - ptime));
  const row = (what: string, value: number): BenchRow => ({ area: 'rtp', name: `${who}, ${what}`, value, unit: 'ms off 20' });
  return [row('p50', percentile(deviations, 0.5)), row('p99', percentile(deviations, 0.99)), row('max', Math.max(...deviations))];
}

/** Begins the work every `everyMs`, unless the last is still under way; returns how to stop. A refusal is the load's own affair. */
function often(everyMs: number, work: (turn: number) => Promise<unknown>): () => void {
  let busy = false;
  let turn = 0;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    void work(turn++)
      .catch((thrown: unknown) => console.error(`the load fails: ${String(thrown)}`))
      .finally(() => {
        busy = false;
      });
  }, everyMs);
  return () => clearInterval(timer);
}

async function writeSetting(phone: CallBesideBaresip['phone'], turn: number): Promise<void> {
  await phone.link.command('changeSettings', { set: { 'phone.dialPlan': turn % 2 === 0 ? '7xx' : '6xx' }, unset: [] });
}

async function loadPage(phone: CallBesideBaresip['phone']): Promise<void> {
  const place = `http://127.0.0.1:${phone.settingOf('web.port')}`;
  for (const path of ['/', '/main.js']) await (await fetch(place + path)).arrayBuffer();
}

/** 1,000 OPTIONS a second, none of them like another. */
function floodOf(port: number): () => void {
  const socket = createSocket('udp4');
  let sequence = 0;
  const timer = setInterval(() => {
    for (let index = 0; index < 10; index++) {
      sequence++;
      socket.send(
        `OPTIONS sip:x@127.0.0.1:${port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK${sequence}\r\nFrom: <sip:flood@127.0.0.1>;tag=${sequence}\r\n` +
          `To: <sip:x@127.0.0.1>\r\nCall-ID: flood${sequence}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n`,
        port,
        '127.0.0.1',
      );
    }
  }, 10);
  return () => {
    clearInterval(timer);
    socket.close();
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
