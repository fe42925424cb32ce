import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { silentLogger } from '#firmware/core/logger.ts';
import { DnsResolver } from '#firmware/platform/dns-resolver.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { SipEndpoint, type SipEndpointOptions } from '#firmware/platform/sip-endpoint.ts';
import { SipUri } from '#firmware/sip/message/uri.ts';
import type { Flow } from '#firmware/sip/transport/flow.ts';
import type { CoreEvent, Destination, SipCore, Transmit } from '#firmware/sip/transport/sip-core.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import type { UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { answer, offer } from '#test/support/sip-agents.ts';
import { socketClasses } from '#test/support/socket-classes.ts';

const loopback = '127.0.0.1';

/** A core that writes down what it is told and sends back each message it gets. */
class EchoCore implements SipCore<string> {
  readonly received: { flow: Flow; text: string }[] = [];
  readonly failures: { destination: Destination; reason: string }[] = [];
  readonly woken: number[] = [];
  outputs: (Transmit | CoreEvent<string>)[] = [];
  deadline: number | undefined;
  /** Called for each message; may throw. */
  onReceive: (text: string) => void = () => undefined;

  receive(_now: number, flow: Flow, bytes: Uint8Array): void {
    const text = new TextDecoder().decode(bytes);
    this.received.push({ flow, text });
    this.onReceive(text);
    const destination = { transport: flow.transport, host: flow.remote.address, port: flow.remote.port, flow };
    this.outputs.push({ kind: 'transmit', destination, bytes }, { kind: 'event', event: text });
  }

  transportFailed(_now: number, destination: Destination, reason: string): void {
    this.failures.push({ destination, reason });
    this.outputs.push({ kind: 'event', event: `failed ${destination.host}` });
  }

  handleTimeout(now: number): void {
    this.woken.push(now);
    this.deadline = undefined;
    this.outputs.push({ kind: 'event', event: 'woken' });
  }

  drain(): (Transmit | CoreEvent<string>)[] {
    return this.outputs.splice(0);
  }
}

const message = (text: string): string =>
  `OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: ${text}\r\nCSeq: 1 OPTIONS\r\nContent-Length: ${text.length}\r\n\r\n${text}`;

async function endpointFor<Event>(t: Test, options: Partial<SipEndpointOptions> = {}) {
  const resolver = new DnsResolver(nodeClock, async (host) => (host === 'phone.example' ? [loopback] : []));
  const endpoint = new SipEndpoint({ clock: nodeClock, logger: silentLogger, resolver, addresses: [loopback], port: 0, ...options });
  t.teardown(() => endpoint.stop());
  const events: Event[] = [];
  return { endpoint, events };
}

async function echo(t: Test, options: Partial<SipEndpointOptions> = {}) {
  const core = new EchoCore();
  const { endpoint, events } = await endpointFor<string>(t, options);
  await endpoint.start(core, (event) => events.push(event));
  const until = (condition: () => boolean): Promise<boolean> => endpoint.waitUntil(condition, 3_000);
  return { core, endpoint, events, until };
}

async function client(t: Test, port: number): Promise<{ socket: Socket; heard: () => string; closed: () => boolean }> {
  const socket = connect(port, loopback);
  t.teardown(() => void socket.destroy());
  let text = '';
  let closed = false;
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    closed = true;
  });
  await once(socket, 'connect');
  return { socket, heard: () => text, closed: () => closed };
}

async function eventually(condition: () => boolean): Promise<boolean> {
  for (const end = performance.now() + 3_000; performance.now() < end; ) {
    if (condition()) return true;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return condition();
}

t.test('UDP and TCP share one port; a datagram reaches the core and its answer goes back the same way', async (t) => {
  const { core, endpoint, events, until } = await echo(t);
  t.ok(endpoint.port > 0);
  const socket = createSocket('udp4');
  t.teardown(() => void socket.close());
  const answered = once(socket, 'message');
  socket.send('hello', endpoint.port, loopback);
  const [bytes, from] = (await answered) as [Buffer, { port: number }];
  t.equal(bytes.toString(), 'hello');
  t.equal(from.port, endpoint.port);
  t.ok(await until(() => events.includes('hello')));
  t.match(core.received[0]?.flow, { transport: 'udp', reliable: false, local: { address: loopback, port: endpoint.port } });
  const tcp = await client(t, endpoint.port);
  tcp.socket.write(message('one'));
  t.ok(await eventually(() => tcp.heard() === message('one')));
  t.match(core.received[1]?.flow, { transport: 'tcp', reliable: true, remote: { address: loopback, port: tcp.socket.localPort } });
});

t.test('RFC 3261 §18.3 a stream is cut into messages wherever the writes were cut', async (t) => {
  const { core, endpoint, until } = await echo(t);
  const { socket } = await client(t, endpoint.port);
  socket.setNoDelay(true);
  for (const character of message('byte by byte')) {
    socket.write(character);
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.write(`${message('two')}\r\n${message('in one')}${message('and a half').slice(0, -4)}`);
  t.ok(await until(() => core.received.length === 3));
  socket.write('half');
  t.ok(await until(() => core.received.length === 4));
  t.same(
    core.received.map(({ text }) => text.slice(text.indexOf('\r\n\r\n') + 4)),
    ['byte by byte', 'two', 'in one', 'and a half'],
  );
  t.equal(new Set(core.received.map(({ flow }) => flow.id)).size, 1, 'all of one flow');
});

t.test('RFC 5626 §4.4.1 a ping between messages is answered by a pong', async (t) => {
  const { core, endpoint } = await echo(t);
  const { socket, heard } = await client(t, endpoint.port);
  socket.write('\r\n\r\n');
  t.ok(await eventually(() => heard() === '\r\n'));
  t.equal(core.received.length, 0);
});

t.test('bytes that are no SIP end the connection, and nothing else', async (t) => {
  const { core, endpoint, until } = await echo(t);
  const good = await client(t, endpoint.port);
  const bad = await client(t, endpoint.port);
  bad.socket.write('x'.repeat(100_000));
  t.ok(await eventually(bad.closed));
  const worse = await client(t, endpoint.port);
  worse.socket.write(message('x').replace('Content-Length: 1', 'Content-Length: -1'));
  t.ok(await eventually(worse.closed));
  t.match(worse.heard(), /^SIP\/2\.0 400 /, 'what can be answered is, before');
  good.socket.write(message('still here'));
  t.ok(await until(() => core.received.length === 1));
});

t.test('how large a message may be is a setting: larger ones get 513, and the connection ends', async (t) => {
  const { core, endpoint, until } = await echo(t, { limits: { message: { messageBytes: 600, headerBytes: 400 } } });
  const small = await client(t, endpoint.port);
  small.socket.write(message('fits'));
  t.ok(await until(() => core.received.length === 1));
  for (const [what, text] of [
    ['body', message('x'.repeat(600))],
    ['header', message('x').replace('Content-Length', `Subject: ${'x'.repeat(400)}\r\nContent-Length`)],
  ] as const) {
    const large = await client(t, endpoint.port);
    large.socket.write(text);
    t.ok(await eventually(large.closed), what);
    t.match(large.heard(), /^SIP\/2\.0 513 /, what);
  }
  t.equal(core.received.length, 1);
});

t.test('a message that takes too long ends its connection; many quick ones in a row do not', async (t) => {
  const { core, endpoint, until } = await echo(t, { limits: { messageMs: 200 } });
  const slow = await client(t, endpoint.port);
  slow.socket.write('OPTIONS sip:');
  const steady = await client(t, endpoint.port);
  const whole = message('steady');
  steady.socket.write(whole.slice(0, 50));
  for (let i = 0; i < 8; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    steady.socket.write(whole.slice(50) + whole.slice(0, 50));
  }
  t.ok(await eventually(slow.closed));
  t.notOk(steady.closed());
  t.ok(await until(() => core.received.length === 8));
});

t.test('a source has its share of connections, strangers theirs in all, and the rest is ours', async (t) => {
  const { core, endpoint, until } = await echo(t, { limits: { perSource: 3, total: 5, reserved: 1 } });
  const clients = await Promise.all([1, 2, 3, 4, 5].map(() => client(t, endpoint.port)));
  t.ok(await eventually(() => clients.filter(({ closed }) => closed()).length === 2));
  const open = clients.filter(({ closed }) => !closed());
  t.equal(open.length, 3);
  open[0]?.socket.write(message('still served'));
  t.ok(await until(() => core.received.length === 1));
  open[1]?.socket.destroy();
  await eventually(() => (endpoint.describe() as { connections: number }).connections === 2);
  const next = await client(t, endpoint.port);
  next.socket.write(message('a place was free'));
  t.ok(await until(() => core.received.length === 2));
});

t.test('a refused connection is told for the destination as it was named', async (t) => {
  const { core, endpoint, until } = await echo(t);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, loopback, resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  const destination: Destination = { transport: 'tcp', host: 'phone.example', port };
  endpoint.drive(() => core.outputs.push({ kind: 'transmit', destination, bytes: new Uint8Array([1]) }));
  t.ok(
    await until(() => core.failures.some((failure) => failure.destination.host === 'phone.example' && failure.destination.port === port)),
  );
  t.match(core.failures[0]?.reason, /ECONNREFUSED/);
});

t.test('names are resolved; one that has no address and a transport that is not there are failures', async (t) => {
  const { core, endpoint, events, until } = await echo(t);
  const listener = createSocket('udp4');
  t.teardown(() => void listener.close());
  listener.bind(0, loopback);
  await once(listener, 'listening');
  const arrived = once(listener, 'message');
  const { port } = listener.address();
  const send = (destination: Destination): void => {
    endpoint.drive(() => core.outputs.push({ kind: 'transmit', destination, bytes: new TextEncoder().encode('named') }));
  };
  send({ transport: 'udp', host: 'phone.example', port });
  t.equal(String(((await arrived) as [Buffer])[0]), 'named');
  send({ transport: 'udp', host: 'nowhere.example', port });
  send({ transport: 'wss', host: loopback, port });
  send({ transport: 'udp', host: '2001:db8::1', port });
  send({ transport: 'udp', host: loopback, port: 0 });
  send({ transport: 'tcp', host: loopback, port: 70_000 });
  t.ok(await until(() => core.failures.length === 5));
  const hosts = core.failures.map(({ destination }) => destination.host).sort();
  t.same(hosts, ['127.0.0.1', '127.0.0.1', '127.0.0.1', '2001:db8::1', 'nowhere.example']);
  t.ok(await until(() => events.includes('failed nowhere.example')), 'what the core says to it is drained');
});

t.test('a connection that we opened carries the answers too, and breaking it is told', async (t) => {
  const { core, endpoint, until } = await echo(t);
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
  });
  t.teardown(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, loopback, resolve));
  const { port } = server.address() as { port: number };
  const destination: Destination = { transport: 'tcp', host: loopback, port };
  const bytes = new TextEncoder().encode(message('out'));
  endpoint.drive(() => core.outputs.push({ kind: 'transmit', destination, bytes }, { kind: 'transmit', destination, bytes }));
  t.ok(await eventually(() => sockets.length === 1));
  sockets[0]?.write(message('back'));
  t.ok(await until(() => core.received.length === 1));
  t.equal(sockets.length, 1, 'one connection for all of it');
  t.match(core.received[0]?.flow.remote, { address: loopback, port });
  sockets[0]?.destroy();
  t.ok(await until(() => core.failures.some((failure) => failure.destination.flow?.id === core.received[0]?.flow.id)));
});

t.test('RFC 5626 §4.4.1 a server that has answered pings and falls silent is given up; one that never did is not', async (t) => {
  const { core, endpoint, until } = await echo(t, { limits: { pingMs: 40, pongMs: 60 } });
  const serve = async (onPing: (socket: Socket, count: number) => void) => {
    let pings = 0;
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        if (String(chunk).endsWith('\r\n\r\n\r\n\r\n') || String(chunk) === '\r\n\r\n') onPing(socket, ++pings);
      });
    });
    t.teardown(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, loopback, resolve));
    const { port } = server.address() as { port: number };
    const bytes = new TextEncoder().encode(message('out'));
    endpoint.drive(() => core.outputs.push({ kind: 'transmit', destination: { transport: 'tcp', host: loopback, port }, bytes }));
    return { pings: () => pings, port, sockets };
  };
  const mute = await serve(() => undefined);
  const polite = await serve((socket) => void socket.write('\r\n'));
  const failing = await serve((socket, count) => void (count < 3 && socket.write('\r\n')));
  t.ok(await until(() => core.failures.length > 0));
  t.match(core.failures, [{ destination: { port: failing.port }, reason: 'no answer to keep-alive' }]);
  t.ok(failing.pings() >= 3, 'the first two were answered');
  t.ok(await eventually(() => mute.pings() >= 8 && polite.pings() >= 8));
  t.equal(core.failures.length, 1);
  for (const { sockets } of [mute, polite, failing]) for (const socket of sockets) socket.destroy();
});

t.test('the core is woken at its deadline, not before, and only once', async (t) => {
  const { core, endpoint, until } = await echo(t);
  const from = nodeClock.now();
  endpoint.drive(() => {
    core.deadline = from + 60_000;
  });
  endpoint.drive((now) => {
    core.deadline = now + 50;
  });
  t.ok(await until(() => core.woken.length > 0));
  t.ok((core.woken[0] ?? 0) - from >= 50, `${(core.woken[0] ?? 0) - from} ms`);
  await new Promise((resolve) => setTimeout(resolve, 30));
  t.equal(core.woken.length, 1);
});

t.test('a core that throws on a message is logged, and gets the next one', async (t) => {
  const errors: string[] = [];
  const logger = { ...silentLogger, error: (event: string) => errors.push(event) };
  const { core, endpoint, until } = await echo(t, { logger });
  core.onReceive = (text) => {
    if (text === 'poison') throw new Error('a fault');
  };
  const socket = createSocket('udp4');
  t.teardown(() => void socket.close());
  socket.send('poison', endpoint.port, loopback);
  socket.send('fine', endpoint.port, loopback);
  t.ok(await until(() => core.received.length === 2));
  t.same(errors, ['sip-core-fault']);
});

t.test('a port that is taken is a clear error; stop frees it, again and again without harm', async (t) => {
  const { endpoint } = await echo(t);
  const { port } = endpoint;
  const { endpoint: second } = await endpointFor(t, { port });
  await t.rejects(
    second.start(new EchoCore(), () => undefined),
    { name: 'ResourceError', message: /EADDRINUSE/ },
  );
  await endpoint.stop();
  await endpoint.stop();
  await second.start(new EchoCore(), () => undefined);
  t.equal(second.port, port);
});

t.test('the local address is the bound one, or the one that faces the peer', async (t) => {
  const { endpoint } = await echo(t);
  t.same(endpoint.towards('192.0.2.1', 'udp'), { address: loopback, port: endpoint.port });
  const { endpoint: open } = await echo(t, { addresses: ['0.0.0.0'] });
  t.same(open.towards('127.0.0.5', 'udp'), { address: loopback, port: open.port });
  t.notOk(['0.0.0.0', ''].includes(open.towards('192.0.2.1', 'tcp').address));
  t.ok(open.towards('a-name-nobody-asked-for.example', 'udp').address.length > 0);
});

t.test(':: is every address of both families, on one port; a name goes by the family we have', async (t) => {
  const { core, endpoint, until } = await echo(t, { addresses: ['::'] });
  t.same(endpoint.towards('127.0.0.5', 'udp'), { address: loopback, port: endpoint.port });
  t.same(endpoint.towards('::1', 'udp'), { address: '::1', port: endpoint.port });
  for (const [type, address] of [
    ['udp4', loopback],
    ['udp6', '::1'],
  ] as const) {
    const socket = createSocket(type);
    t.teardown(() => void socket.close());
    const answered = once(socket, 'message');
    socket.send(type, endpoint.port, address);
    const [bytes, from] = (await answered) as [Buffer, { address: string; port: number }];
    t.equal(bytes.toString(), type);
    t.match(from, { address, port: endpoint.port });
    t.match(core.received.at(-1)?.flow, { remote: { address } }, 'IPv4 under its own name');
  }
  const resolver = new DnsResolver(nodeClock, async () => ['::1', loopback]);
  const four = await echo(t, { resolver });
  await resolver.resolve('both.example');
  t.same(four.endpoint.towards('both.example', 'tcp'), { address: loopback, port: four.endpoint.port });
  const destination: Destination = { transport: 'udp', host: 'both.example', port: endpoint.port };
  four.endpoint.drive(() => four.core.outputs.push({ kind: 'transmit', destination, bytes: new TextEncoder().encode('by IPv4') }));
  t.ok(await until(() => core.received.some(({ flow, text }) => text === 'by IPv4' && flow.remote.address === loopback)));
});

t.test('names are asked for once at a time, believed a while, and failures shorter', async (t) => {
  let now = 0;
  const asked: string[] = [];
  const lookup = async (host: string): Promise<string[]> => {
    asked.push(host);
    if (host === 'bad.example') throw new Error('ENOTFOUND');
    return ['192.0.2.1'];
  };
  const resolver = new DnsResolver({ now: () => now, wallTime: () => 0 }, lookup);
  t.equal(resolver.peek('good.example'), undefined);
  const both = await Promise.all([resolver.resolve('good.example'), resolver.resolve('good.example')]);
  t.same(both, [{ addresses: ['192.0.2.1'] }, { addresses: ['192.0.2.1'] }]);
  t.same(resolver.peek('good.example'), { addresses: ['192.0.2.1'] });
  t.same(await resolver.resolve('bad.example'), { addresses: [], failure: 'ENOTFOUND' });
  t.same(asked, ['good.example', 'bad.example']);
  now = 6_000;
  t.equal(resolver.peek('bad.example'), undefined);
  t.ok(resolver.peek('good.example'));
  now = 61_000;
  t.equal(resolver.peek('good.example'), undefined);
  t.same(resolver.peek('192.0.2.7'), { addresses: ['192.0.2.7'] });
});

for (const transport of ['udp', 'tcp'] as const) {
  t.test(`two user agents call each other over ${transport} on loopback`, async (t) => {
    const agent = async (user: string, onEvent: (event: UserAgentEvent, ua: UserAgent, endpoint: SipEndpoint) => void) => {
      const { endpoint, events } = await endpointFor<UserAgentEvent>(t);
      const settings = { acceptDirectCalls: true };
      const ua = new UserAgent({ entropy: nodeEntropy, logger: silentLogger, addresses: endpoint, settings });
      await endpoint.start(ua, (event) => {
        events.push(event);
        onEvent(event, ua, endpoint);
      });
      const aor = new SipUri({ user, host: loopback, port: endpoint.port, params: new Map([['transport', transport]]) });
      endpoint.drive((now) => ua.setAccount(now, { id: user, aor, transport, expires: 3600 }));
      return { endpoint, ua, aor, types: () => events.map(({ type }) => type) };
    };
    const bob = await agent('bob', (event, ua, endpoint) => {
      if (event.type === 'incoming') endpoint.drive((now) => ua.accept(now, event.session, answer));
    });
    const alice = await agent('alice', (event, ua, endpoint) => {
      if (event.type === 'accepted') setTimeout(() => endpoint.drive((now) => ua.end(now, event.session)), 50);
    });
    alice.endpoint.drive((now) => alice.ua.invite(now, { account: 'alice', target: bob.aor, body: offer }));
    t.ok(await bob.endpoint.waitUntil(() => bob.types().includes('ended'), 3_000));
    t.same(bob.types(), ['incoming', 'confirmed', 'ended']);
    t.same(alice.types(), ['accepted', 'ended']);
    t.ok(await alice.endpoint.waitUntil(() => alice.ua.idle, 3_000));
  });
}

t.test('RFC 2474 SIP leaves with its class, by datagram and by connection, whoever opened it', async (t) => {
  const classes = await socketClasses();
  const before = classes.open();
  const { endpoint, core, until } = await echo(t, { dscp: 24 });
  const [udp] = classes.open().filter((descriptor) => !before.includes(descriptor) && classes.ipv4(descriptor) === 24);
  t.type(udp, 'number', 'the socket of datagrams');
  const listener = createServer();
  listener.listen(0, loopback);
  await once(listener, 'listening');
  t.teardown(() => void listener.close());
  const address = listener.address() as { port: number };
  const known = classes.open();
  const fresh = () => classes.open().filter((descriptor) => !known.includes(descriptor));
  const marked = () => fresh().filter((descriptor) => classes.ipv4(descriptor) === 24).length;
  const caller = await client(t, endpoint.port);
  caller.socket.write(message('hello'));
  await until(() => core.received.length === 1);
  t.equal(marked(), 1, 'a connection that came in, and not the end of who opened it');
  const destination = { transport: 'tcp', host: loopback, port: address.port } as const;
  const accepted = once(listener, 'connection');
  endpoint.drive(() => core.outputs.push({ kind: 'transmit', destination, bytes: new TextEncoder().encode(message('out')) }));
  const [socket] = (await accepted) as [Socket];
  t.teardown(() => void socket.destroy());
  t.ok(await eventually(() => marked() === 2), 'and one that we opened');
  t.strictSame(endpoint.notices, [], 'nothing is amiss');
});
