import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePorts } from '../free-ports.ts';
import type { BenchRow } from './row.ts';

const rates = [200, 400, 800, 1200, 1600, 2000, 2400, 3200];
const secondsEach = 5;

/**
 * Calls per second on loopback: SIPp calls the SIP stack in a process of its own (INVITE → 180 → 200 → ACK, BYE), faster and faster, until
 * a call fails. A retransmission is no failure, a call without its 200 is.
 */
export async function callRows(): Promise<BenchRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'hookswitch-bench-'));
  try {
    writeFileSync(join(folder, 'caller.xml'), callerScenario);
    let best: Step | undefined;
    for (const rate of rates) {
      const step = await runStep(folder, rate);
      if (step.failed > 0 || step.successful < 0.98 * rate * secondsEach) break;
      best = step;
    }
    if (!best) throw new Error(`SIPp made no call without failure at ${rates[0]} calls/s`);
    return [
      { area: 'calls', name: 'most calls per second without failure', value: best.rate, unit: '1/s' },
      { area: 'calls', name: `CPU of the stack at ${best.rate} calls/s`, value: best.cpuMs / best.successful, unit: 'ms a call' },
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

async function runStep(folder: string, rate: number): Promise<Step> {
  const [port, ownPort] = [await freePorts(1), await freePorts(1)];
  const responder = spawn(process.execPath, ['--import', 'tsx', join(import.meta.dirname, 'responder.ts'), String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: responder.stdout });
  await once(lines, 'line');
  const calls = rate * secondsEach;
  const words = ['-sf', 'caller.xml', '-i', '127.0.0.1', '-p', String(ownPort), '-r', String(rate), '-m', String(calls)];
  const limits = ['-l', '20000', '-timeout', `${secondsEach + 20}s`, '-nostdin', '-trace_stat', '-stf', `stat-${rate}.csv`, '-fd', '1'];
  const sipp = spawn('sipp', [...words, ...limits, `127.0.0.1:${port}`], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'ignore'],
    env: { ...process.env, TERM: 'dumb' },
  });
  await ended(sipp);
  const farewell = once(lines, 'line');
  responder.kill('SIGTERM');
  const [text] = (await farewell) as [string];
  return { rate, ...totalsOf(folder, rate), cpuMs: Number(/cpu (\d+) ms/.exec(text)?.[1]) };
}

async function ended(child: ChildProcess): Promise<void> {
  await once(child, 'close');
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
