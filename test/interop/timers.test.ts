import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '#firmware/core/logger.ts';
import { DnsResolver } from '#firmware/platform/dns-resolver.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { SipEndpoint } from '#firmware/platform/sip-endpoint.ts';
import { SipUri } from '#firmware/sip/message/uri.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import { makeFolder } from '#test/support/interop-house.ts';
import { Sipp } from '#test/support/sipp.ts';
import { freePorts } from '../../scripts/free-ports.ts';

/**
 * The timers of RFC 3261 Table 4 in real time, as SIPp captures them: T1 is 100 ms and T2 800 ms here, so that all are over in seven seconds.
 */

const t1 = 100;
const t2 = 800;
const silenceMs = 64 * t1 + 900;
const folder = makeFolder(t);

const port = await freePorts(1);
const endpoint = new SipEndpoint({
  clock: nodeClock,
  logger: silentLogger,
  resolver: new DnsResolver(nodeClock),
  addresses: ['127.0.0.1'],
  port,
});
const agent = new UserAgent({
  entropy: nodeEntropy,
  logger: silentLogger,
  addresses: endpoint,
  settings: { acceptDirectCalls: true, t1, t2 },
});
const told: { readonly type: string; readonly at: number }[] = [];
await endpoint.start(agent, (event) => {
  told.push({ type: event.type, at: performance.now() });
  if (event.type === 'incoming') endpoint.drive((now) => agent.reject(now, event.session, 486));
});
t.teardown(() => endpoint.stop());

/** When SIPp noted messages whose first line matches, ms since the first of them. */
function captured(log: string, firstLine: RegExp): number[] {
  const times = log.split(/^-{20,}/m).flatMap((entry) => {
    const [, hours, minutes, seconds] = /(\d\d):(\d\d):(\d\d\.\d+)/.exec(entry) ?? [];
    const line = /message received[^\n]*\n\s*\n([^\n]*)/.exec(entry)?.[1];
    return line !== undefined && firstLine.test(line) ? [((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000] : [];
  });
  return times.map((time) => Math.round(time - (times[0] ?? 0)));
}

/** That it came at these times: never sooner, and later only as a busy machine is late. */
function keepsTime(t: Test, times: readonly number[], wanted: readonly number[], what: string): void {
  t.equal(times.length, wanted.length, `${what}: ${times.join(', ')} ms`);
  const wrong = times.filter((time, index) => time < (wanted[index] ?? 0) - 30 || time > (wanted[index] ?? 0) + 500);
  t.strictSame(wrong, [], `${what} keeps its times: ${wanted.join(', ')} ms`);
}

/** Sums of intervals that double from T1, up to `most`, within 64·T1. */
function doubling(most: number): number[] {
  const times = [0];
  for (let at = t1, next = t1; at < 64 * t1; next = Math.min(2 * next, most), at += next) times.push(at);
  return times;
}

const scenario = (steps: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n<scenario name="silence">\n${steps}\n</scenario>\n`;
const silent = (method: string): string => scenario(`<recv request="${method}"/>\n<pause milliseconds="${silenceMs}"/>`);
const impolite = scenario(`<send><![CDATA[
INVITE sip:porter@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:caller@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:porter@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
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
<recv response="486"/>
<pause milliseconds="${silenceMs}"/>`);

t.test('Table 4 in real time: A and B, E and F, G and H as SIPp captures them', async (t) => {
  const [mute, registrar, caller] = [await freePorts(1), await freePorts(1), await freePorts(1)];
  const peers = await Promise.all([
    Sipp.start({ folder: join(folder, 'mute'), port: mute, scenario: silent('INVITE') }),
    Sipp.start({ folder: join(folder, 'registrar'), port: registrar, scenario: silent('REGISTER') }),
  ]);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const started = performance.now();
  const offer = new TextEncoder().encode(
    'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6002 RTP/AVP 0\r\n',
  );
  const aor = new SipUri({ user: 'porter', host: '127.0.0.1' });
  endpoint.drive((now) => {
    agent.setAccount(now, { id: 'direct', aor, transport: 'udp', expires: 3_600 });
    agent.setAccount(now, {
      id: 'line',
      aor,
      registrar: new SipUri({ host: '127.0.0.1', port: registrar }),
      transport: 'udp',
      expires: 3_600,
    });
    const target = new SipUri({ user: 'mute', host: '127.0.0.1', port: mute });
    agent.invite(now, { account: 'direct', target, body: { contentType: 'application/sdp', bytes: offer } });
  });
  const impatient = await Sipp.start({ folder: join(folder, 'caller'), port: caller, target: `127.0.0.1:${port}`, scenario: impolite });
  await Promise.all([...peers, impatient].map((peer) => peer.succeeded()));
  const [muteLog = '', registrarLog = '', callerLog = ''] = await Promise.all([...peers, impatient].map((peer) => peer.messages()));
  keepsTime(t, captured(muteLog, /^INVITE /), doubling(Number.POSITIVE_INFINITY), 'timer A doubles');
  keepsTime(t, captured(registrarLog, /^REGISTER /).slice(0, doubling(t2).length), doubling(t2), 'timer E doubles up to T2');
  keepsTime(t, captured(callerLog, /^SIP\/2\.0 486 /), doubling(t2), 'timer G doubles up to T2, until timer H');
  const failed = told.find(({ type }) => type === 'failed');
  t.ok(failed, 'timer B gives the call up');
  const took = (failed?.at ?? 0) - started;
  t.ok(took > 64 * t1 - 30 && took < 64 * t1 + 1_000, `after 64·T1: ${Math.round(took)} ms`);
});
