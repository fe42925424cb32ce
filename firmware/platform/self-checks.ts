import { createSocket } from 'node:dgram';
import { get } from 'node:http';
import { isIPv6 } from 'node:net';
import type { CommandName, Contract } from '../contract/contract.ts';
import type { Clock } from '../core/clock.ts';
import { type Entropy, randomToken } from '../core/entropy.ts';
import { ResourceError } from '../core/errors.ts';
import { silentLogger } from '../core/logger.ts';
import { connectContract } from './unix-socket.ts';

/** Checks that come in by the same door as everybody else: what answers them answers others too. */

/** Asks the daemon on `path` for its `describe` over a new connection. */
export function contractCheck(
  path: string,
  contract: Contract,
  { clock, entropy }: { clock: Clock; entropy: Entropy },
): () => Promise<void> {
  return async () => {
    const link = connectContract(path, contract, {}, { role: 'watchdog', clock, entropy, logger: silentLogger, once: true });
    try {
      await link.whenUp();
      await link.command('describe' as CommandName<Contract>, {});
    } finally {
      await link.stop();
    }
  };
}

/** Fetches the page; any answer will do. `bound` is what the server listens on. */
export function httpCheck(bound: { readonly address: string; readonly port: number }): () => Promise<void> {
  const { port } = bound;
  return () =>
    new Promise<void>((resolve, reject) => {
      const request = get({ host: ownAddress(bound.address), port, agent: false, timeout: 3_000 }, (response) => {
        response.resume();
        resolve();
      });
      request.once('timeout', () => request.destroy(new ResourceError('the page is not served')));
      request.once('error', reject);
    });
}

/** As a UDP peer would send a request again while nothing comes (RFC 3261 §17.1.2.2, timer E), ms after the first. */
const retransmissions = [0, 500, 1_500];
const responseWithinMs = 3_000;

/**
 * Sends an OPTIONS through the network stack to our own SIP port and waits for the response (RFC 3261 §11). An address that is away with its
 * network is no fault of this process: only silence is.
 */
export function optionsCheck(bound: { readonly address: string; readonly port: number }, entropy: Entropy): () => Promise<void> {
  const address = ownAddress(bound.address);
  const { port } = bound;
  const host = isIPv6(address) ? `[${address}]` : address;
  return () =>
    new Promise<void>((resolve, reject) => {
      const callId = randomToken(entropy, 16);
      const branch = `z9hG4bK${randomToken(entropy, 12)}`;
      const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
      const timers = [setTimeout(() => finish(new ResourceError('no response to OPTIONS')), responseWithinMs)];
      const finish = (failure: Error | undefined): void => {
        for (const timer of timers.splice(0)) clearTimeout(timer);
        socket.close();
        if (failure) reject(failure);
        else resolve();
      };
      socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code === 'ECONNREFUSED' ? error : undefined));
      socket.on('message', (bytes) => {
        if (bytes.toString('latin1').includes(callId)) finish(undefined);
      });
      const send = (): void => {
        if (timers.length === 0) return;
        const request = optionsRequest({ host, port, localPort: socket.address().port, branch, callId });
        timers.push(...retransmissions.map((delay) => setTimeout(() => socket.send(request), delay)));
      };
      // Sent from the address itself: one that is away cannot be bound, and nothing of this leaves the machine.
      socket.bind(0, address, () => socket.connect(port, address, send));
    });
}

function optionsRequest(parts: { host: string; port: number; localPort: number; branch: string; callId: string }): string {
  const { host, port, localPort, branch, callId } = parts;
  return [
    `OPTIONS sip:${host}:${port} SIP/2.0`,
    `Via: SIP/2.0/UDP ${host}:${localPort};branch=${branch};rport`,
    'Max-Forwards: 1',
    `From: <sip:watchdog@${host}>;tag=${callId.slice(0, 8)}`,
    `To: <sip:${host}:${port}>`,
    `Call-ID: ${callId}`,
    'CSeq: 1 OPTIONS',
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
}

/** Where this machine reaches what listens on `address`. */
function ownAddress(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  return address === '::' ? '::1' : address;
}
