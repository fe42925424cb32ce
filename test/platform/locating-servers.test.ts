import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '#firmware/core/logger.ts';
import { DnsResolver } from '#firmware/platform/dns-resolver.ts';
import { NameQuery } from '#firmware/platform/name-query.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { RefusalProbe } from '#firmware/platform/refusal-probe.ts';
import { SipEndpoint, type SipEndpointOptions } from '#firmware/platform/sip-endpoint.ts';
import { buildResponse, serializeMessage } from '#firmware/sip/message/build.ts';
import { SipUri } from '#firmware/sip/message/uri.ts';
import type { SipCore } from '#firmware/sip/transport/sip-core.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import type { RegistrationEvent, UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { NameServer } from '#test/support/name-server.ts';
import { parsed } from '#test/support/sip-agents.ts';

const loopback = '127.0.0.1';

function endpointFor(t: Test, options: Partial<SipEndpointOptions> = {}): SipEndpoint {
  const resolver = new DnsResolver(nodeClock, async () => []);
  const endpoint = new SipEndpoint({ clock: nodeClock, logger: silentLogger, resolver, addresses: [loopback], port: 0, ...options });
  t.teardown(() => endpoint.stop());
  return endpoint;
}

/** A UDP socket on a free port. */
async function bound(t: Test): Promise<{ socket: Socket; port: number; close: () => Promise<void> }> {
  const socket = createSocket('udp4');
  socket.bind(0, loopback);
  await once(socket, 'listening');
  let open = true;
  const close = async (): Promise<void> => {
    if (!open) return;
    open = false;
    socket.close();
    await once(socket, 'close');
  };
  t.teardown(close);
  return { socket, port: socket.address().port, close };
}

/** Says 200 to every REGISTER. */
async function registrar(t: Test) {
  const { socket, port, close } = await bound(t);
  const seen: string[] = [];
  socket.on('message', (bytes, remote) => {
    const text = bytes.toString();
    if (text.trim() === '') return;
    const request = parsed(text);
    seen.push(text);
    if (request.kind !== 'request') return;
    const headers = request.headerValues('Contact').map((contact) => ['Contact', `${contact};expires=3600`] as const);
    socket.send(serializeMessage(buildResponse(request, 200, { toTag: 'x', headers })), remote.port, remote.address);
  });
  return { port, seen, close };
}

t.test(
  'RFC 3263 by real DNS: NAPTR and SRV name two servers, nobody listens at the first, ICMP says so and the second takes the line',
  async (t) => {
    const dns = await NameServer.start(t);
    const gone = await bound(t);
    const alive = await registrar(t);
    const service = (port: number, priority: number) => ({ priority, weight: 0, port, target: 'pbx.house.example' });
    const naptr = { order: 1, preference: 1, flags: 'S', services: 'SIP+D2U', regexp: '', replacement: '_sip._udp.house.example' };
    dns.add(
      { type: 'NAPTR', name: 'house.example', ttl: 60, data: naptr },
      { type: 'SRV', name: '_sip._udp.house.example', ttl: 60, data: service(gone.port, 1) },
      { type: 'SRV', name: '_sip._udp.house.example', ttl: 60, data: service(alive.port, 2) },
      { type: 'A', name: 'pbx.house.example', ttl: 60, data: loopback },
    );
    await gone.close();
    const names = new NameQuery({ entropy: nodeEntropy, servers: [dns.address], hostsFile: join(t.testdir(), 'none') });
    const endpoint = endpointFor(t, { names });
    const agent = new UserAgent({ entropy: nodeEntropy, logger: silentLogger, addresses: endpoint, names: endpoint });
    const events: RegistrationEvent[] = [];
    await endpoint.start(agent, (event: UserAgentEvent) => event.type === 'registration' && events.push(event));
    const domain = new SipUri({ host: 'house.example' });
    const began = performance.now();
    endpoint.drive((now) =>
      agent.setAccount(now, { id: 'a', aor: new SipUri({ user: 'a', host: 'house.example' }), registrar: domain, expires: 600 }),
    );
    t.ok(await endpoint.waitUntil(() => events.at(-1)?.state === 'registered', 5_000));
    const took = performance.now() - began;
    t.ok(took < 2_500, `${Math.round(took)} ms: half a second until the request is repeated, then at once`);
    t.match(alive.seen[0], /^REGISTER sip:house\.example SIP\/2\.0\r\n/);
    t.notOk(
      dns.asked.some((question) => question.startsWith('AAAA')),
      'no socket of ours reaches such an address',
    );
  },
);

t.test('a probe tells of a port where nobody listens, once; where somebody listens there is silence', async (t) => {
  const gone = await bound(t);
  const there = await bound(t);
  await gone.close();
  const probe = new RefusalProbe();
  t.teardown(() => probe.close());
  const refused: string[] = [];
  const heard = once(there.socket, 'message');
  const told = new Promise<void>((resolve) => {
    probe.look({ address: loopback, port: gone.port }, (reason) => {
      refused.push(reason);
      resolve();
    });
  });
  probe.look({ address: loopback, port: there.port }, () => refused.push('there'));
  probe.look({ address: loopback, port: there.port }, () => refused.push('there'));
  await told;
  const [bytes] = (await heard) as [Buffer];
  t.equal(bytes.toString(), '\r\n\r\n');
  t.equal(refused.length, 1);
  t.match(refused[0], /ECONNREFUSED/);
});

t.test('the core hears that addresses came or went, and connections of those that went are given up', async (t) => {
  let addresses = [loopback];
  const changes: number[] = [];
  const failures: string[] = [];
  const core: SipCore<never> = {
    receive: () => undefined,
    transportFailed: (_now, _destination, reason) => failures.push(reason),
    networkChanged: (now) => changes.push(now),
    handleTimeout: () => undefined,
    deadline: undefined,
    drain: () => outputs.splice(0),
  };
  const server = createServer((socket) => socket.on('error', () => socket.destroy()));
  server.listen(0, loopback);
  await once(server, 'listening');
  t.teardown(() => server.close());
  const place = server.address();
  const port = place !== null && typeof place === 'object' ? place.port : 0;
  const outputs: ReturnType<SipCore<never>['drain']>[number][] = [];
  const endpoint = endpointFor(t, { machineAddresses: () => addresses });
  await endpoint.start(core, () => undefined);
  const bytes = new TextEncoder().encode('hello');
  endpoint.drive(() => outputs.push({ kind: 'transmit', destination: { transport: 'tcp', host: loopback, port }, bytes }));
  await once(server, 'connection');
  addresses = [loopback, '192.0.2.7'];
  const began = performance.now();
  t.ok(await endpoint.waitUntil(() => changes.length === 1, 4_000));
  t.ok(performance.now() - began < 3_000, 'within three seconds');
  t.same(failures, [], 'a connection whose address is still there stays');
  addresses = ['192.0.2.7'];
  t.ok(await endpoint.waitUntil(() => changes.length === 2 && failures.length === 1, 4_000));
  t.match(failures[0], 'the address of this machine is gone');
});
