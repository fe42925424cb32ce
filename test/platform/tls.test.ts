import { mkdtempSync, readFileSync } from 'node:fs';
import { copyFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { silentLogger } from '#firmware/core/logger.ts';
import { DnsResolver } from '#firmware/platform/dns-resolver.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { SipEndpoint, type SipEndpointOptions } from '#firmware/platform/sip-endpoint.ts';
import { SipUri } from '#firmware/sip/message/uri.ts';
import type { Flow } from '#firmware/sip/transport/flow.ts';
import type { Destination, SipCore, Transmit } from '#firmware/sip/transport/sip-core.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import type { UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { type IssuedCertificate, rawDnsName, TestAuthority } from '#test/support/certificates.ts';
import { answer, offer } from '#test/support/sip-agents.ts';

const loopback = '127.0.0.1';
const names = new Set(['pbx.example', 'other.example', 'localhost']);

const folder = mkdtempSync(join(tmpdir(), 'hs-tls-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
const authority = await TestAuthority.make(folder);
const good = await authority.issue('good', { names: 'DNS:pbx.example' });

const bytes = new TextEncoder().encode(
  'OPTIONS sip:x@pbx.example SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n' +
    'Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n',
);

/** A core that sends what it is told to and writes down what comes of it. */
class MuteCore implements SipCore<never> {
  readonly received: { flow: Flow; text: string }[] = [];
  readonly failures: string[] = [];
  readonly deadline = undefined;
  readonly outputs: Transmit[] = [];

  receive(_now: number, flow: Flow, received: Uint8Array): void {
    this.received.push({ flow, text: new TextDecoder().decode(received) });
  }

  transportFailed(_now: number, _destination: Destination, reason: string): void {
    this.failures.push(reason);
  }

  handleTimeout(): void {}

  drain(): Transmit[] {
    return this.outputs.splice(0);
  }
}

async function endpointFor(t: Test, tls: SipEndpointOptions['tls'], limits: SipEndpointOptions['limits'] = {}) {
  const resolver = new DnsResolver(nodeClock, async (host) => (names.has(host.toLowerCase()) ? [loopback] : []));
  const options = { clock: nodeClock, logger: silentLogger, resolver, addresses: [loopback], port: 0, limits };
  const endpoint = new SipEndpoint({ ...options, tls: { port: 0, ...tls } });
  t.teardown(() => endpoint.stop());
  return endpoint;
}

async function muteEndpoint(
  t: Test,
  tls: SipEndpointOptions['tls'] = { caFile: authority.certificate },
  limits: SipEndpointOptions['limits'] = {},
) {
  const core = new MuteCore();
  const endpoint = await endpointFor(t, tls, limits);
  await endpoint.start(core, () => undefined);
  const send = (host: string, port: number): void =>
    endpoint.drive(() => void core.outputs.push({ kind: 'transmit', destination: { transport: 'tls', host, port }, bytes }));
  const until = (condition: () => boolean): Promise<boolean> => endpoint.waitUntil(condition, 3_000);
  return { core, endpoint, send, until };
}

interface TlsServer {
  readonly port: number;
  readonly sockets: TLSSocket[];
  heard(): string;
}

/** A TLS server that keeps what it hears; the keys of `options` are those of node:tls. */
async function serve(t: Test, { certificate, key }: IssuedCertificate, options: object = {}): Promise<TlsServer> {
  const sockets: TLSSocket[] = [];
  let text = '';
  const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key), ...options }, (socket) => {
    sockets.push(socket);
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => undefined);
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, loopback, resolve));
  return { port: (server.address() as { port: number }).port, sockets, heard: () => text };
}

async function eventually(condition: () => boolean): Promise<boolean> {
  for (const end = performance.now() + 3_000; performance.now() < end; ) {
    if (condition()) return true;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return condition();
}

t.test('a server that proves its domain is talked to, over one connection', async (t) => {
  const server = await serve(t, good);
  const { core, send, until } = await muteEndpoint(t);
  send('pbx.example', server.port);
  send('PBX.example', server.port);
  t.ok(await eventually(() => server.heard().length === 2 * bytes.length));
  t.equal(server.sockets.length, 1);
  t.equal(server.sockets[0]?.servername, 'pbx.example', 'which is named to it (RFC 6066 §3)');
  t.equal(server.sockets[0]?.getProtocol(), 'TLSv1.3');
  server.sockets[0]?.write(bytes);
  t.ok(await until(() => core.received.length === 1));
  t.match(core.received[0]?.flow, { transport: 'tls', reliable: true, remote: { address: loopback, port: server.port } });
  t.same(core.failures, []);
});

t.test('who does not prove it gets nothing, and people read why', async (t) => {
  const cases: readonly (readonly [what: string, certificate: IssuedCertificate, words: RegExp])[] = [
    [
      'expired',
      await authority.issue('old', { names: 'DNS:pbx.example', until: '20240615000000Z' }),
      /expired \(its own counts until 2024-06-15; the clock/,
    ],
    [
      'not yet valid',
      await authority.issue('new', { names: 'DNS:pbx.example', from: '20480101000000Z' }),
      /only from 2048-01-01 on; the clock of this device says 20\d\d-\d\d-\d\d: is it set\?/,
    ],
    ['for another domain', await authority.issue('other', { names: 'DNS:other.example' }), /not for pbx\.example but for "other\.example"/],
    ['for a wildcard', await authority.issue('wild', { names: 'DNS:*.example' }), /not for pbx\.example but for/],
    ['without a name but the CN', await authority.issue('cn', {}), /nor for any other name \(no subjectAltName\)/],
    [
      'with a NUL in its name',
      await authority.issue('nul', { names: rawDnsName('pbx.example\0.evil.example') }),
      /but for "pbx\.example\\u0000\.evil\.example"/,
    ],
    ['self-signed', await authority.selfSigned('self', 'DNS:pbx.example'), /self-signed and not in sip\.tls\.caFile/],
    [
      'of another authority',
      await (await TestAuthority.make(join(folder, 'strange'))).issue('good', { names: 'DNS:pbx.example' }),
      /authority that is not trusted/,
    ],
  ];
  for (const [what, certificate, words] of cases) {
    const server = await serve(t, certificate);
    const { core, endpoint, send, until } = await muteEndpoint(t);
    send('pbx.example', server.port);
    t.ok(await until(() => core.failures.length > 0), what);
    t.match(core.failures[0], words, what);
    t.ok(await eventually(() => server.sockets.every((socket) => socket.destroyed)));
    t.equal(server.heard(), '', 'not a byte was sent');
    t.match(endpoint.describe(), { connections: 0 });
  }
});

t.test('without verification anybody is believed, and a self-signed certificate can be an authority of its own', async (t) => {
  const own = await authority.selfSigned('own', 'DNS:pbx.example');
  const server = await serve(t, own);
  const careless = await muteEndpoint(t, { verify: false });
  careless.send('other.example', server.port);
  t.ok(await eventually(() => server.heard().length === bytes.length));
  const careful = await muteEndpoint(t, { caFile: own.certificate });
  careful.send('pbx.example', server.port);
  t.ok(await eventually(() => server.heard().length === 2 * bytes.length));
});

t.test('TLS before 1.2 is refused', async (t) => {
  const server = await serve(t, good, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
  const { core, send, until } = await muteEndpoint(t);
  send('pbx.example', server.port);
  t.ok(await until(() => core.failures.length > 0));
  t.match(core.failures[0], /^TLS: .*(version|protocol)/i);
  const modern = await serve(t, good, { maxVersion: 'TLSv1.2' });
  send('pbx.example', modern.port);
  t.ok(await eventually(() => modern.heard().length === bytes.length));
});

t.test('RFC 5922 §7.4 a connection is not used for another domain; the address alone is the domain that was proven there', async (t) => {
  const both = await authority.issue('both', { names: 'DNS:pbx.example, DNS:other.example' });
  const server = await serve(t, both);
  const { core, send } = await muteEndpoint(t);
  send(loopback, server.port);
  t.ok(await eventually(() => core.failures.length > 0));
  t.match(core.failures[0], /not for 127\.0\.0\.1/, 'nothing was proven there yet');
  send('pbx.example', server.port);
  t.ok(await eventually(() => server.heard().length === bytes.length));
  send('other.example', server.port);
  t.ok(await eventually(() => server.heard().length === 2 * bytes.length));
  const names = (): unknown[] => server.sockets.filter((socket) => !socket.destroyed).map(({ servername }) => servername);
  t.same(names(), ['pbx.example', 'other.example']);
  send(loopback, server.port);
  t.ok(await eventually(() => server.heard().length === 3 * bytes.length));
  t.same(names(), ['pbx.example', 'other.example']);
});

t.test('our certificate is shown to a server that asks; changed files count for the next connection', async (t) => {
  const files = { certificate: join(folder, 'mine.pem'), key: join(folder, 'mine.key') };
  const install = async (issued: IssuedCertificate): Promise<void> => {
    await copyFile(issued.certificate, files.certificate);
    await copyFile(issued.key, files.key);
  };
  await install(await authority.issue('first', { names: 'DNS:first.example' }));
  const strict = { requestCert: true, ca: readFileSync(authority.certificate) };
  const servers = [await serve(t, good, strict), await serve(t, good, strict), await serve(t, good, strict)];
  const { core, send, until } = await muteEndpoint(t, { caFile: authority.certificate, ...files });
  const shownTo = async (server: TlsServer | undefined): Promise<string | undefined> => {
    send('pbx.example', server?.port ?? 0);
    await eventually(() => server?.heard().length === bytes.length);
    return server?.sockets[0]?.getPeerCertificate().subjectaltname;
  };
  t.equal(await shownTo(servers[0]), 'DNS:first.example');
  await install(await authority.issue('second', { names: 'DNS:second.example' }));
  t.equal(await shownTo(servers[1]), 'DNS:second.example');
  await rm(files.key);
  send('pbx.example', servers[2]?.port ?? 0);
  t.ok(await until(() => core.failures.length > 0));
  t.match(core.failures[0], /^TLS certificate files: ENOENT.*mine\.key/);
});

t.test('with a certificate we listen; plain text, half a handshake and missing files end the connection and nothing else', async (t) => {
  const mine = await authority.issue('listener', { names: 'DNS:phone.example' });
  const files = { certificate: join(folder, 'listener-now.pem'), key: mine.key };
  await copyFile(mine.certificate, files.certificate);
  const { core, endpoint, until } = await muteEndpoint(t, { ...files }, { connectMs: 200 });
  const { port } = endpoint.towards(loopback, 'tls');
  t.ok(port > 0 && port !== endpoint.port);
  const ca = readFileSync(authority.certificate);
  const peer = async (): Promise<TLSSocket> => {
    const socket = connect({ host: loopback, port, ca, servername: 'phone.example' });
    t.teardown(() => void socket.destroy());
    await new Promise<void>((resolve, reject) =>
      socket
        .once('secureConnect', resolve)
        .once('error', reject)
        .once('close', () => reject(new Error('closed'))),
    );
    return socket;
  };
  const connections = (): number => (endpoint.describe() as { connections: number }).connections;
  (await peer()).write(bytes);
  t.ok(await until(() => core.received.length === 1));
  t.equal(core.received[0]?.flow.transport, 'tls');
  const { createConnection } = await import('node:net');
  const plain = createConnection(port, loopback).on('error', () => undefined);
  plain.write(bytes);
  const silent = createConnection(port, loopback).on('error', () => undefined);
  t.ok(await eventually(() => plain.destroyed && silent.destroyed && connections() === 1));
  await rm(files.certificate);
  await t.rejects(peer(), 'nobody gets in without a certificate');
  await copyFile(mine.certificate, files.certificate);
  (await peer()).write(bytes);
  t.ok(await until(() => core.received.length === 2));
});

t.test(
  'RFC 5923 §5 a connection that came in carries our requests when its far end asks for it and proves the name, not else',
  async (t) => {
    const mine = await authority.issue('alias-listener', { names: 'DNS:phone.example' });
    const theirs = await authority.issue('alias-peer', { names: 'DNS:pbx.example' });
    const ca = readFileSync(authority.certificate);
    const request = (host: string, params: string): string =>
      `OPTIONS sip:x@phone.example SIP/2.0\r\nVia: SIP/2.0/TLS ${host}:5999;branch=z9hG4bK1${params}\r\nFrom: <sip:a@b>;tag=1\r\n` +
      'To: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n';
    const shown = { cert: readFileSync(theirs.certificate), key: readFileSync(theirs.key) };
    const cases = [
      ['asked for and proven', request('pbx.example', ';alias'), shown, true],
      ['not asked for', request('pbx.example', ''), shown, false],
      ['for a name that the certificate is not for', request('other.example', ';alias'), shown, false],
      ['without a certificate', request('pbx.example', ';alias'), {}, false],
    ] as const;
    for (const [what, text, certificate, isReused] of cases) {
      const { core, endpoint, send, until } = await muteEndpoint(t, { caFile: authority.certificate, ...mine });
      const { port } = endpoint.towards(loopback, 'tls');
      const peer = connect({ host: loopback, port, ca, servername: 'phone.example', ...certificate });
      t.teardown(() => void peer.destroy());
      let heard = 0;
      peer.on('data', (chunk: Uint8Array) => {
        heard += chunk.length;
      });
      peer.on('error', () => undefined);
      await new Promise<void>((resolve) => peer.once('secureConnect', resolve));
      peer.write(text);
      t.ok(await until(() => core.received.length === 1), what);
      send(text.includes('other.example') ? 'other.example' : 'pbx.example', 5999);
      t.ok(await eventually(() => heard === bytes.length || core.failures.length > 0), what);
      t.equal(heard === bytes.length, isReused, what);
    }
  },
);

t.test('RFC 5630 two user agents call each other at sips: addresses', async (t) => {
  const agent = async (user: string, onEvent: (event: UserAgentEvent, ua: UserAgent, endpoint: SipEndpoint) => void) => {
    const issued = await authority.issue(user, { names: `IP:${loopback}` });
    const endpoint = await endpointFor(t, { caFile: authority.certificate, ...issued });
    const events: UserAgentEvent[] = [];
    const ua = new UserAgent({ entropy: nodeEntropy, logger: silentLogger, addresses: endpoint, settings: { acceptDirectCalls: true } });
    await endpoint.start(ua, (event) => {
      events.push(event);
      onEvent(event, ua, endpoint);
    });
    const aor = new SipUri({ scheme: 'sips', user, host: loopback, port: endpoint.towards(loopback, 'tls').port });
    endpoint.drive((now) => ua.setAccount(now, { id: user, aor, transport: 'tls', expires: 3600 }));
    return { endpoint, ua, aor, events, types: () => events.map(({ type }) => type) };
  };
  const bob = await agent('bob', (event, ua, endpoint) => {
    if (event.type === 'incoming') endpoint.drive((now) => ua.accept(now, event.session, answer));
  });
  const alice = await agent('alice', (event, ua, endpoint) => {
    if (event.type === 'accepted') setTimeout(() => endpoint.drive((now) => ua.end(now, event.session)), 50);
  });
  alice.endpoint.drive((now) => alice.ua.invite(now, { account: 'alice', target: bob.aor, body: offer }));
  t.ok(await bob.endpoint.waitUntil(() => bob.types().includes('ended'), 3_000), bob.types().join(' '));
  t.same(bob.types(), ['incoming', 'confirmed', 'ended']);
  t.same(alice.types(), ['accepted', 'ended']);
  const incoming = bob.events[0];
  t.equal(incoming?.type === 'incoming' ? incoming.request.headers.get('Contact')?.startsWith('<sips:') : undefined, true);
});
