import { silentLogger } from '#firmware/core/logger.ts';
import { DnsResolver } from '#firmware/platform/dns-resolver.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { SipEndpoint } from '#firmware/platform/sip-endpoint.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';

/**
 * The SIP stack of the phone, from socket to call, with nobody behind it: every call rings and is accepted at once with the same answer.
 * A process of its own, so that its caller does not share its core. Argument: the port. Prints `ready`, and at SIGTERM its CPU time.
 */

const body = {
  contentType: 'application/sdp',
  bytes: new TextEncoder().encode('v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n'),
};

const endpoint = new SipEndpoint({
  clock: nodeClock,
  logger: silentLogger,
  resolver: new DnsResolver(nodeClock),
  addresses: ['127.0.0.1'],
  port: Number(process.argv[2]),
});
const agent = new UserAgent({
  entropy: nodeEntropy,
  logger: silentLogger,
  addresses: endpoint,
  settings: { acceptDirectCalls: true, maximumSessions: 100_000, maximumTransactions: 200_000 },
});
await endpoint.start(agent, (event) => {
  if (event.type !== 'incoming') return;
  endpoint.drive((now) => {
    agent.ring(now, event.session);
    agent.accept(now, event.session, body);
  });
});
process.once('SIGTERM', () => {
  const { user, system } = process.cpuUsage();
  console.log(`cpu ${Math.round((user + system) / 1000)} ms, heap ${Math.round(process.memoryUsage().heapUsed / 1e6)} MB`);
  process.exit(0);
});
console.log('ready');
