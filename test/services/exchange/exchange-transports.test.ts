import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '#firmware/core/logger.ts';
import { DnsResolver } from '#firmware/platform/dns-resolver.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { SipEndpoint } from '#firmware/platform/sip-endpoint.ts';
import type { Transport } from '#firmware/sip/transport/flow.ts';
import { bindingRequest, parseStun } from '#firmware/sip/transport/stun-message.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import type { SessionId, UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { TestAuthority } from '#test/support/certificates.ts';
import { sipUri } from '#test/support/exchange-house.ts';
import { startExchangeProcess } from '#test/support/exchange-process.ts';
import { answer, offer } from '#test/support/sip-agents.ts';
import { freePorts } from '../../../scripts/free-ports.ts';

const folder = mkdtempSync(join(tmpdir(), 'hs-exchange-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
const authority = await TestAuthority.make(folder);

/** A user agent on real sockets, which takes every call at once. */
class Phone {
  readonly events: UserAgentEvent[] = [];
  readonly endpoint: SipEndpoint;
  readonly userAgent: UserAgent;
  readonly #user: string;

  constructor(user: string) {
    this.#user = user;
    const clocked = { clock: nodeClock, logger: silentLogger, resolver: new DnsResolver(nodeClock) };
    this.endpoint = new SipEndpoint({ ...clocked, addresses: ['127.0.0.1'], port: 0, tls: { caFile: authority.certificate } });
    const settings = { instanceId: `00000000-0000-4000-8000-0000000000${user.length}1` };
    this.userAgent = new UserAgent({ entropy: nodeEntropy, logger: silentLogger, addresses: this.endpoint, settings });
  }

  async start(t: Test, transport: Transport, port: number, domain: string): Promise<void> {
    t.teardown(() => this.endpoint.stop());
    await this.endpoint.start(this.userAgent, (event) => {
      this.events.push(event);
      if (event.type === 'incoming') this.endpoint.drive((now) => this.userAgent.accept(now, event.session, answer));
    });
    const account = {
      id: 'main',
      aor: sipUri(`sip:${this.#user}@${domain}`),
      registrar: sipUri(`sip:${domain}`),
      outboundProxy: sipUri(`sip:127.0.0.1:${port}`),
      transport,
      credentials: { username: this.#user, password: `${this.#user}-password` },
      expires: 600,
    };
    this.endpoint.drive((now) => this.userAgent.setAccount(now, account));
    await this.saw((event) => event.type === 'registration' && event.state === 'registered', `${this.#user} registered by ${transport}`);
  }

  call(user: string, domain: string): SessionId {
    const target = sipUri(`sip:${user}@${domain}`);
    return this.endpoint.drive((now) => this.userAgent.invite(now, { account: 'main', target, body: offer }));
  }

  async saw(fits: (event: UserAgentEvent) => boolean, what: string): Promise<void> {
    const found = await this.endpoint.waitUntil(() => this.events.some(fits), 5_000);
    if (!found) throw new Error(`waited in vain: ${what}: ${JSON.stringify(this.events).slice(0, 1_000)}`);
  }
}

t.test('phones reach the exchange by TLS and WebSockets and call each other across transports', async (t) => {
  const certificate = await authority.issue('exchange', { names: 'IP:127.0.0.1' });
  const [tls, ws, wss] = [await freePorts(1), await freePorts(1), await freePorts(1)];
  const domain = 'house.example';
  const exchange = await startExchangeProcess(t, ['tls', 'ws', 'wss', 'udp'], {
    'tls.port': String(tls),
    'tls.certificate': certificate.certificate,
    'tls.key': certificate.key,
    'webSocket.port': String(ws),
    'webSocket.securePort': String(wss),
    domains: JSON.stringify([domain]),
  });
  const { listening } = await exchange.link.command('status', {});
  t.same(
    listening.map(({ transport, port }) => [transport, port]),
    [
      ['udp', exchange.port],
      ['tcp', exchange.port],
      ['ws', ws],
      ['tls', tls],
      ['wss', wss],
    ],
  );
  const ports = { udp: exchange.port, tls, ws, wss } as const;
  const phones = new Map<string, Phone>();
  for (const transport of ['udp', 'tls', 'ws', 'wss'] as const) {
    const phone = new Phone(transport);
    await phone.start(t, transport, ports[transport], domain);
    phones.set(transport, phone);
  }
  const calls = [
    ['wss', 'tls'],
    ['udp', 'wss'],
    ['ws', 'udp'],
    ['tls', 'ws'],
  ] as const;
  for (const [from, to] of calls) {
    const [caller, callee] = [phones.get(from), phones.get(to)];
    if (!caller || !callee) throw new Error('four phones');
    caller.events.length = 0;
    callee.events.length = 0;
    const session = caller.call(to, domain);
    await caller.saw((event) => event.type === 'accepted' && event.session === session, `${from} → ${to} accepted`);
    await callee.saw((event) => event.type === 'confirmed', `${from} → ${to} confirmed`);
    const incoming = callee.events.find((event) => event.type === 'incoming');
    // The other way through the dialog, too.
    callee.endpoint.drive((now) => incoming?.type === 'incoming' && callee.userAgent.end(now, incoming.session));
    await caller.saw((event) => event.type === 'ended', `${to} hangs up on ${from}`);
    t.pass(`${from} → ${to}`);
  }

  const socket = createSocket('udp4');
  t.teardown(() => void socket.close());
  const answered = once(socket, 'message');
  socket.send(bindingRequest(new Uint8Array(12)), exchange.port, '127.0.0.1');
  const [bytes] = (await answered) as [Buffer];
  t.same(parseStun(bytes)?.mapped, { address: '127.0.0.1', port: socket.address().port }, 'RFC 5626 §8 STUN at the SIP port is answered');
});
