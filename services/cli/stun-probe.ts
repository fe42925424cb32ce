import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIP, isIPv6 } from 'node:net';
import type { Entropy } from '#firmware/core/entropy.ts';
import { bindingRequest, parseStun } from '#firmware/sip/transport/stun-message.ts';

/** How a STUN or TURN server of a line answered a Binding sent from here by UDP. A TURN server is a STUN server too (RFC 8656 §6). */
export interface StunProbe {
  readonly line: string;
  readonly kind: 'STUN' | 'TURN';
  readonly server: string;
  readonly answer: StunAnswer;
}

type StunAnswer = 'response' | 'silence' | 'unreachable' | 'unknown name';

const tries = 3;
const tryMs = 700;
const defaultPort = 3478;

/** `server`: host, or host:port, as in the settings. */
export async function probeStun({ line, kind, server }: Omit<StunProbe, 'answer'>, entropy: Entropy): Promise<StunProbe> {
  const found = /^(\[[0-9a-f:.]+\]|[^:]+|[0-9a-f:.]+)(?::(\d{1,5}))?$/i.exec(server);
  const host = found?.[1]?.replace(/^\[|\]$/g, '') ?? server;
  const port = Number(found?.[2] ?? defaultPort);
  try {
    const address = isIP(host) ? host : (await lookup(host)).address;
    return { line, kind, server, answer: await ask(address, port, entropy) };
  } catch {
    // Whatever the resolver's reason: there is no address.
    return { line, kind, server, answer: 'unknown name' };
  }
}

function ask(address: string, port: number, entropy: Entropy): Promise<StunAnswer> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const timers: NodeJS.Timeout[] = [];
    const finish = (answer: StunAnswer): void => {
      for (const timer of timers) clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const id = entropy.bytes(12);
    const request = bindingRequest(id);
    socket.once('error', () => finish('unreachable'));
    // Connected, so that a refusal by ICMP is told.
    socket.connect(port, address, () => {
      socket.on('message', (bytes) => {
        // An error is an answer too: somebody is there.
        const message = parseStun(bytes);
        if (message?.transactionId === Buffer.from(id).toString('hex')) finish('response');
      });
      for (let n = 0; n < tries; n++) timers.push(setTimeout(() => socket.send(request), n * tryMs));
      timers.push(setTimeout(() => finish('silence'), tries * tryMs));
    });
  });
}
