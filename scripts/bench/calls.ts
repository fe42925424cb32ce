import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../free-ports.ts';
import { CallTaker } from './call-taker.ts';
import { ringingTimesOf } from './ringing-time.ts';
import { type BenchRow, median, percentile } from './row.ts';

const rates = [50, 100, 200, 400, 800, 1200, 1600, 2000, 2400, 3200, 4000, 4800, 5600, 6400];
const secondsEach = 5;

/**
 * Calls per second on loopback, and how soon a caller hears that it rings: the SIP stack in a process of its own, media stubbed at its port,
 * and Debian's baresip, with the same callers in the same run. Rates go up until a call fails; a retransmission is no failure, a call
 * without its 200 is.
 */
export async function callRows(): Promise<BenchRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'hookswitch-bench-'));
  try {
    writeFileSync(join(folder, 'caller.xml'), callerScenario);
    const row = (name: string, value: number, unit: string): BenchRow => ({ area: 'calls', name, value, unit });
    const ours = await fastest(folder, rates.slice(3), CallTaker.start);
    const baresip = await fastest(folder, rates, (port) => CallTaker.startBaresip(port, folder));
    const [ownRinging, theirRinging] = await ringingTimes(folder);
    return [
      row('most calls per second without failure', ours.rate, '1/s'),
      row(`CPU of the stack at ${ours.rate} calls/s`, ours.cpuMs / ours.successful, 'ms a call'),
      row("baresip's most calls per second without failure", baresip.rate, '1/s'),
      row('ahead of baresip', ours.rate / baresip.rate, '×'),
      row(`INVITE → 180 at ${ringingRate} calls/s, p50`, median(ownRinging), 'ms'),
      row(`INVITE → 180 at ${ringingRate} calls/s, p99`, percentile(ownRinging, 0.99), 'ms'),
      row("baresip's INVITE → 180, p50", median(theirRinging), 'ms'),
      row("baresip's INVITE → 180, p99", percentile(theirRinging, 0.99), 'ms'),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Step {
  readonly rate: number;
  readonly successful: number;
  readonly failed: number;
  readonly cpuMs: number;
}

async function fastest(folder: string, steps: readonly number[], start: (port: number) => Promise<CallTaker>): Promise<Step> {
  let best: Step = { rate: 0, successful: 1, failed: 0, cpuMs: Number.NaN };
  for (const rate of steps) {
    const step = await runStep(folder, rate, start);
    if (step.failed > 0 || step.successful < 0.98 * rate * secondsEach) break;
    best = step;
  }
  return best;
}

async function runStep(folder: string, rate: number, start: (port: number) => Promise<CallTaker>): Promise<Step> {
  const [port, ownPort] = [await freePorts(1), await freePorts(1)];
  const taker = await start(port);
  const calls = rate * secondsEach;
  const words = ['-sf', 'caller.xml', '-i', '127.0.0.1', '-p', String(ownPort), '-r', String(rate), '-m', String(calls)];
  const limits = ['-l', '20000', '-timeout', `${secondsEach + 20}s`, '-nostdin', '-trace_stat', '-stf', `stat-${rate}.csv`, '-fd', '1'];
  const sipp = spawn('sipp', [...words, ...limits, `127.0.0.1:${port}`], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'ignore'],
    env: { ...process.env, TERM: 'dumb' },
  });
  await once(sipp, 'close');
  const farewell = await taker.stop();
  const totals = totalsOf(folder, rate);
  rmSync(join(folder, `stat-${rate}.csv`));
  return { rate, ...totals, cpuMs: Number(/cpu (\d+) ms/.exec(farewell)?.[1] ?? Number.NaN) };
}

const ringingRounds = 3;
/** Far less than either can take, and how many calls of it make a round. */
const ringingRate = 100;
const callsPerRound = 400;

/** Ours and baresip's, ms, in turns. */
async function ringingTimes(folder: string): Promise<[ours: number[], theirs: number[]]> {
  const ports = [await freePorts(1), await freePorts(1)] as const;
  const takers = [await CallTaker.start(ports[0]), await CallTaker.startBaresip(ports[1], folder)] as const;
  const figures: [number[], number[]] = [[], []];
  try {
    for (let round = 0; round <= ringingRounds; round++) {
      for (const side of [0, 1] as const) {
        const times = await ringingTimesOf(ports[side], callsPerRound, ringingRate);
        // The first round warms both up.
        if (round > 0) figures[side].push(...times);
      }
    }
  } finally {
    for (const taker of takers) await taker.stop();
  }
  return figures;
}

/** The last line of SIPp's statistics; columns end in (P)eriodic and (C)umulated. */
function totalsOf(folder: string, rate: number): { successful: number; failed: number } {
  const name = readdirSync(folder).find((file) => file === `stat-${rate}.csv`);
  if (name === undefined) throw new Error('SIPp wrote no statistics');
  const [head, ...rows] = readFileSync(join(folder, name), 'utf8').trim().split('\n');
  const columns = head?.split(';') ?? [];
  const last = rows.at(-1)?.split(';') ?? [];
  const total = (column: string) => Number(last[columns.indexOf(column)]);
  return { successful: total('SuccessfulCall(C)'), failed: total('FailedCall(C)') };
}

const headers = (sequence: number, method: string, to = '') => `Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:caller@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:callee@[remote_ip]:[remote_port]>${to}
Call-ID: [call_id]
CSeq: ${sequence} ${method}
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70`;

const callerScenario = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="calls">
<send retrans="500"><![CDATA[
INVITE sip:callee@[remote_ip]:[remote_port] SIP/2.0
${headers(1, 'INVITE')}
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 6000 RTP/AVP 0
]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
${headers(1, 'ACK', '[peer_tag_param]')}
Content-Length: 0

]]></send>
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
${headers(2, 'BYE', '[peer_tag_param]')}
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
`;
