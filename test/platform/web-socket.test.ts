import { createHash } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { silentLogger } from '#firmware/core/logger.ts';
import { DnsResolver } from '#firmware/platform/dns-resolver.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { SipEndpoint, type SipEndpointOptions } from '#firmware/platform/sip-endpoint.ts';
import type { Flow, Transport } from '#firmware/sip/transport/flow.ts';
import type { Destination, SipCore, Transmit } from '#firmware/sip/transport/sip-core.ts';
import { TestAuthority } from '#test/support/certificates.ts';

const loopback = '127.0.0.1';
const folder = mkdtempSync(join(tmpdir(), 'hs-ws-'));
t.teardown(() => rm(folder, { recursive: true, force: true }));
const authority = await TestAuthority.make(folder);

/** Sends what it is told to, writes down what comes of it, and answers everything with itself. */
class EchoCore implements SipCore<never> {
  readonly received: { flow: Flow; text: string; bytes: Uint8Array }[] = [];
  readonly failures: string[] = [];
  readonly deadline = undefined;
  readonly outputs: Transmit[] = [];
  echoes = false;

  receive(_now: number, flow: Flow, bytes: Uint8Array): void {
    this.received.push({ flow, text: new TextDecoder().decode(bytes), bytes });
    const { transport, remote } = flow;
    const destination = { transport, host: remote.address, port: remote.port, flow };
    if (this.echoes) this.outputs.push({ kind: 'transmit', destination, bytes });
  }

  transportFailed(_now: number, _destination: Destination, reason: string): void {
    this.failures.push(reason);
  }

  handleTimeout(): void {}

  drain(): Transmit[] {
    return this.outputs.splice(0);
  }
}

async function start(t: Test, options: Partial<SipEndpointOptions> = {}) {
  const core = new EchoCore();
  const resolver = new DnsResolver(nodeClock, async (host) => (host === 'pbx.example' ? [loopback] : []));
  const endpoint = new SipEndpoint({ clock: nodeClock, logger: silentLogger, resolver, addresses: [loopback], port: 0, ...options });
  t.teardown(() => endpoint.stop());
  await endpoint.start(core, () => undefined);
  const send = (transport: Transport, port: number, bytes: Uint8Array, host = loopback): void =>
    endpoint.drive(() => void core.outputs.push({ kind: 'transmit', destination: { transport, host, port }, bytes }));
  const until = (condition: () => boolean): Promise<boolean> => endpoint.waitUntil(condition, 3_000);
  return { core, endpoint, send, until };
}

async function eventually(condition: () => boolean): Promise<boolean> {
  for (const end = performance.now() + 3_000; performance.now() < end; ) {
    if (condition()) return true;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return condition();
}

const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** One frame of RFC 6455 §5.2; what a client sends is masked, here with zeros. */
function frame(kind: keyof typeof opcode, payload: Uint8Array, { fin = true, masked = true } = {}): Buffer {
  const length = payload.length;
  const size =
    length < 126
      ? [length]
      : length < 65_536
        ? [126, length >> 8, length & 255]
        : [127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255];
  const head = [(fin ? 0x80 : 0) | opcode[kind], ...size];
  head[1] = (head[1] ?? 0) | (masked ? 0x80 : 0);
  return Buffer.concat([Buffer.from(head), Buffer.alloc(masked ? 4 : 0), payload]);
}

/** A TCP connection that has asked for a WebSocket, with the octets that came. */
async function browser(t: Test, port: number, protocols: string | undefined = 'sip') {
  const socket = createConnection(port, loopback);
  t.teardown(() => void socket.destroy());
  const heard: Buffer[] = [];
  let closed = false;
  socket.on('data', (chunk) => heard.push(chunk));
  socket.on('error', () => undefined);
  socket.on('close', () => {
    closed = true;
  });
  const lines = ['GET / HTTP/1.1', 'Host: x', 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13'];
  if (protocols !== undefined) lines.push(`Sec-WebSocket-Protocol: ${protocols}`);
  socket.write(`${[...lines, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='].join('\r\n')}\r\n\r\n`);
  await eventually(() => heard.length > 0 || closed);
  const handshake = Buffer.concat(heard.splice(0)).toString('latin1');
  return { socket, handshake, heard: () => Buffer.concat(heard), closed: () => closed };
}

/** A server that takes any WebSocket; `answer` may leave out or change what it says. */
async function webSocketServer(t: Test, protocol: string | undefined = 'sip') {
  const sockets: Socket[] = [];
  const heard: string[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.once('data', (chunk) => {
      heard.push(chunk.toString('latin1'));
      const key = /Sec-WebSocket-Key: (\S+)/i.exec(chunk.toString('latin1'))?.[1] ?? '';
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Accept: ${accept}`];
      if (protocol !== undefined) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
      socket.write(`${lines.join('\r\n')}\r\n\r\n`);
      socket.on('data', (more) => heard.push(more.toString('latin1')));
    });
  });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, loopback, resolve));
  return { port: (server.address() as { port: number }).port, sockets, heard };
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

t.test('RFC 7118 §5.2 one WebSocket carries messages both ways, text or binary as they are', async (t) => {
  const far = await start(t, { webSockets: { port: 0 } });
  far.core.echoes = true;
  const near = await start(t);
  const { port } = far.endpoint.towards(loopback, 'ws');
  t.equal(near.endpoint.towards(loopback, 'ws').port, 0, 'nobody can connect to the one that does not listen');
  near.send('ws', port, bytesOf('one'));
  near.send('ws', port, bytesOf('zwei: ü'));
  near.send('ws', port, new Uint8Array([255, 254, 0]));
  t.ok(await near.until(() => near.core.received.length === 3));
  t.same(
    far.core.received.slice(0, 2).map(({ text }) => text),
    ['one', 'zwei: ü'],
  );
  t.same([...(near.core.received[2]?.bytes ?? [])], [255, 254, 0]);
  t.match(near.core.received[0]?.flow, { transport: 'ws', reliable: true, remote: { address: loopback, port } });
  t.equal(new Set(far.core.received.map(({ flow }) => flow.id)).size, 1);
  await far.endpoint.stop();
  t.ok(await near.until(() => near.core.failures.length > 0), 'the end of the connection is told');
});

t.test('RFC 7118 §5 over TLS the far end must prove its domain, as with TLS alone', async (t) => {
  const issued = await authority.issue('pbx', { names: 'DNS:pbx.example' });
  const far = await start(t, { webSockets: { securePort: 0 }, tls: { ...issued } });
  const { port } = far.endpoint.towards(loopback, 'wss');
  const near = await start(t, { tls: { caFile: authority.certificate } });
  near.send('wss', port, bytesOf('secret'), 'pbx.example');
  t.ok(await far.until(() => far.core.received.length === 1));
  t.equal(far.core.received[0]?.flow.transport, 'wss');
  const careful = await start(t);
  careful.send('wss', port, bytesOf('secret'), 'pbx.example');
  t.ok(await careful.until(() => careful.core.failures.length > 0));
  t.match(careful.core.failures[0], /not trusted|self-signed/);
});

t.test('RFC 7118 §4.1 who does not offer the subprotocol sip is turned away, and a server that does not take it is left', async (t) => {
  const { endpoint, core } = await start(t, { webSockets: { port: 0 } });
  const { port } = endpoint.towards(loopback, 'ws');
  for (const protocols of [undefined, 'chat', 'sipp, xsip']) {
    const peer = await browser(t, port, protocols === undefined ? undefined : protocols);
    if (protocols !== undefined) t.match(peer.handshake, /^HTTP\/1\.1 400 /, protocols);
    if (protocols !== undefined) t.ok(await eventually(peer.closed));
  }
  const several = await browser(t, port, 'chat, sip');
  t.match(several.handshake, /^HTTP\/1\.1 101 [\s\S]*Sec-WebSocket-Protocol: sip\r\n/);
  const plain = createConnection(port, loopback);
  let page = '';
  plain.on('data', (chunk) => {
    page += chunk;
  });
  plain.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  t.ok(await eventually(() => page.startsWith('HTTP/1.1 426 ')));
  t.equal(core.received.length, 0);

  const near = await start(t);
  const chat = await webSocketServer(t, 'chat');
  near.send('ws', chat.port, bytesOf('x'));
  t.ok(await near.until(() => near.core.failures.length === 1));
  t.match(near.core.failures[0], /subprotocol/i);
  t.notMatch(chat.heard.join(''), /x$/, 'and nothing was sent to it');
});

t.test(
  'RFC 7118 §6 bad input: fragments are joined, what is too large, too slow or no WebSocket ends the connection and nothing else',
  async (t) => {
    const limits = { messageMs: 200, message: { messageBytes: 1_000, headerBytes: 500, headerFields: 20 } };
    const { endpoint, core, until } = await start(t, { webSockets: { port: 0 }, limits });
    const { port } = endpoint.towards(loopback, 'ws');
    const good = await browser(t, port);
    const whole = bytesOf('a message in three parts');
    good.socket.write(frame('text', whole.subarray(0, 5), { fin: false }));
    good.socket.write(frame('ping', bytesOf('?')));
    good.socket.write(frame('continuation', whole.subarray(5, 9), { fin: false }));
    good.socket.write(frame('continuation', whole.subarray(9)));
    t.ok(await until(() => core.received.length === 1));
    t.equal(core.received[0]?.text, 'a message in three parts');
    t.ok(await eventually(() => good.heard()[0] === (0x80 | opcode.pong)), 'a ping between fragments is answered');

    const bad: readonly (readonly [what: string, bytes: Uint8Array])[] = [
      ['too large', frame('binary', new Uint8Array(1_001))],
      [
        'too large in parts',
        Buffer.concat([frame('text', new Uint8Array(600), { fin: false }), frame('continuation', new Uint8Array(600))]),
      ],
      ['no UTF-8 in a text', frame('text', new Uint8Array([255, 254]))],
      ['not masked', frame('text', whole, { masked: false })],
      ['an unknown opcode', Buffer.from([0x83, 0x80, 0, 0, 0, 0])],
      ['a continuation of nothing', frame('continuation', whole)],
      ['no WebSocket at all', bytesOf('\0'.repeat(40))],
      ['half a frame and no more', frame('text', whole).subarray(0, 12)],
      ['fragments without end', frame('text', whole, { fin: false })],
    ];
    for (const [what, bytes] of bad) {
      const peer = await browser(t, port);
      peer.socket.write(bytes);
      t.ok(await eventually(peer.closed), what);
    }
    t.equal(core.received.length, 1, 'none of it was taken for a message');
    good.socket.write(frame('binary', bytesOf('still here')));
    t.ok(await until(() => core.received.length === 2));
    good.socket.write(frame('text', bytesOf('\r\n\r\n')));
    t.ok(
      await eventually(() =>
        good
          .heard()
          .subarray(-4)
          .equals(Buffer.from([0x81, 2, 13, 10])),
      ),
      'an empty line gets one back',
    );
    t.equal(core.received.length, 2);
  },
);

t.test('RFC 7118 §6 a server that no longer answers pings is given up; one that does is kept', async (t) => {
  const near = await start(t, { limits: { pingMs: 100, pongMs: 150 } });
  const silent = await webSocketServer(t);
  const lively = await start(t, { webSockets: { port: 0 } });
  near.send('ws', lively.endpoint.towards(loopback, 'ws').port, bytesOf('x'));
  near.send('ws', silent.port, bytesOf('x'));
  t.ok(await near.until(() => near.core.failures.length > 0));
  t.same([...new Set(near.core.failures)], ['no answer to keep-alive']);
  t.match(near.endpoint.describe(), { connections: 1 });
});

t.test('what the server is asked for is a setting', async (t) => {
  const near = await start(t, { webSocketPath: '/sip/ws' });
  const server = await webSocketServer(t);
  near.send('ws', server.port, bytesOf('x'), 'pbx.example');
  t.ok(await eventually(() => server.heard.length > 0));
  t.match(server.heard[0], /^GET \/sip\/ws HTTP\/1\.1\r\n/);
  t.match(server.heard[0], new RegExp(`Host: pbx\\.example:${server.port}\r\n`));
});
