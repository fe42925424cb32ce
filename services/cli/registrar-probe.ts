import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP, isIPv6 } from 'node:net';
import { type Entropy, randomToken } from '#firmware/core/entropy.ts';
import type { RegistrarProbe } from './doctor.ts';

const tries = 3;
const tryMs = 700;
const defaultPort = 5060;

/**
 * Sends an OPTIONS by UDP and looks at what comes back. Its Via and From name our own address, which the response must repeat as it is (RFC
 * 3261 §8.2.6.2); what a router has written over comes back changed.
 */
export async function probeRegistrar(line: string, uri: string, entropy: Entropy): Promise<RegistrarProbe | undefined> {
  const target = targetOf(uri);
  if (!target) return undefined;
  const { host, port } = target;
  const registrar = `${host}:${port}`;
  try {
    const address = isIP(host) ? host : (await lookup(host)).address;
    return { line, registrar, ...(await ask(address, port, entropy)) };
  } catch {
    // Whatever the resolver's reason: there is no address.
    return { line, registrar, answer: 'unknown name' };
  }
}

/** Host and port of a SIP URI or of a bare `host:port`; `undefined` when it is reached by TLS or TCP or is none. */
function targetOf(uri: string): { host: string; port: number } | undefined {
  if (/^sips:|transport=(tcp|tls|wss?)/i.test(uri)) return undefined;
  const found = /^(?:sip:)?(?:[^@]*@)?(\[[0-9a-f:.]+\]|[^:;?\s]+)(?::(\d{1,5}))?/i.exec(uri);
  const host = found?.[1]?.replace(/^\[|\]$/g, '');
  if (!host) return undefined;
  return { host, port: found?.[2] === undefined ? defaultPort : Number(found[2]) };
}

function ask(address: string, port: number, entropy: Entropy): Promise<Pick<RegistrarProbe, 'answer' | 'rewritten'>> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const timers: NodeJS.Timeout[] = [];
    const finish = (found: Pick<RegistrarProbe, 'answer' | 'rewritten'>): void => {
      for (const timer of timers) clearTimeout(timer);
      socket.close();
      resolve(found);
    };
    socket.once('error', () => finish({ answer: 'unreachable' }));
    socket.connect(port, address, () => {
      const own = socket.address();
      const ownHost = isIPv6(own.address) ? `[${own.address}]` : own.address;
      const sentBy = `${ownHost}:${own.port}`;
      const callId = randomToken(entropy, 20);
      const request = optionsRequest({
        host: isIPv6(address) ? `[${address}]` : address,
        port,
        ownHost,
        sentBy,
        callId,
        branch: randomToken(entropy, 16),
      });
      socket.on('message', (bytes) => {
        const response = bytes.toString('latin1');
        if (!response.startsWith('SIP/2.0 ') || !response.includes(callId)) return;
        const rewritten = changeIn(response, sentBy, ownHost);
        finish({ answer: 'response', ...(rewritten && { rewritten }) });
      });
      for (let n = 0; n < tries; n++) timers.push(setTimeout(() => socket.send(request), n * tryMs));
      timers.push(setTimeout(() => finish({ answer: 'silence' }), tries * tryMs));
    });
  });
}

function optionsRequest(parts: { host: string; port: number; ownHost: string; sentBy: string; callId: string; branch: string }): string {
  const { host, port, ownHost, sentBy, callId, branch } = parts;
  return [
    `OPTIONS sip:${host}:${port} SIP/2.0`,
    `Via: SIP/2.0/UDP ${sentBy};branch=z9hG4bK${branch};rport`,
    'Max-Forwards: 70',
    `From: <sip:doctor@${ownHost}>;tag=${branch}`,
    `To: <sip:${host}:${port}>`,
    `Contact: <sip:doctor@${sentBy}>`,
    `Call-ID: ${callId}`,
    'CSeq: 1 OPTIONS',
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
}

function changeIn(response: string, sentBy: string, ownHost: string): RegistrarProbe['rewritten'] {
  const via = /^(?:Via|v)\s*:\s*SIP\s*\/\s*2\.0\s*\/\s*UDP\s+([^\s;,]+)/im.exec(response)?.[1];
  if (via !== undefined && via.toLowerCase() !== sentBy.toLowerCase()) return { sent: `Via ${sentBy}`, received: `Via ${via}` };
  const from = /^(?:From|f)\s*:[^\n]*sip:doctor@([^>;\s]+)/im.exec(response)?.[1];
  if (from !== undefined && from.toLowerCase() !== ownHost.toLowerCase()) return { sent: `From ${ownHost}`, received: `From ${from}` };
  return undefined;
}
