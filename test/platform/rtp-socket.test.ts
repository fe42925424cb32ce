import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import t from 'tap';
import { ResourceError } from '#firmware/core/errors.ts';
import { openRtpSocketPair, type PortRange, type RtpSocketPair } from '#firmware/platform/rtp-socket.ts';
import { openTrafficMarker } from '#firmware/platform/traffic-class.ts';
import { seededEntropy } from '#test/support/seeded-entropy.ts';
import { socketClasses } from '#test/support/socket-classes.ts';

const entropy = seededEntropy(process.pid);

interface Received {
  readonly rtcp: boolean;
  readonly text: string;
  readonly address: string;
  readonly port: number;
}

/** A pair in `range` and a promise for each datagram. */
async function open(range: PortRange, address = '127.0.0.1') {
  const waiting: ((received: Received) => void)[] = [];
  const errors: Error[] = [];
  const pair = await openRtpSocketPair(
    address,
    range,
    entropy,
    (rtcp, bytes, from, port) => waiting.shift()?.({ rtcp, text: new TextDecoder().decode(bytes), address: from, port }),
    (error) => errors.push(error),
  );
  t.teardown(() => pair.close());
  return { pair, errors, next: () => new Promise<Received>((resolve) => waiting.push(resolve)) };
}

/** A range of `pairs` free pairs, found by binding. */
async function freeRange(pairs: number): Promise<PortRange> {
  const { pair } = await open({ from: 20_000 + (process.pid % 1000) * 20, to: 60_000 });
  await pair.close();
  return { from: pair.rtpPort, to: pair.rtpPort + 2 * pairs - 1 };
}

function send(pair: RtpSocketPair, rtcp: boolean, text: string, port: number): void {
  const bytes = new TextEncoder().encode(`${text} and what lies behind it`);
  pair.send(rtcp, bytes, text.length, '127.0.0.1', port);
}

t.test('RFC 3550 §11 RTP has an even port of the range, RTCP the next, and datagrams pass both ways', async (t) => {
  const range = await freeRange(200);
  const [a, b] = [await open(range), await open(range)];
  for (const { pair } of [a, b]) {
    t.equal(pair.rtpPort % 2, 0);
    t.equal(pair.rtcpPort, pair.rtpPort + 1);
    t.ok(pair.rtpPort >= range.from && pair.rtcpPort <= range.to);
  }
  const rtp = b.next();
  send(a.pair, false, 'sound', b.pair.rtpPort);
  t.strictSame(await rtp, { rtcp: false, text: 'sound', address: '127.0.0.1', port: a.pair.rtpPort });
  const rtcp = a.next();
  send(b.pair, true, 'report', a.pair.rtcpPort);
  t.strictSame(await rtcp, { rtcp: true, text: 'report', address: '127.0.0.1', port: b.pair.rtcpPort });
});

t.test('a pair of which one port is taken is passed over; a full range is a resource error', async (t) => {
  const range = await freeRange(2);
  const stranger = createSocket('udp4').bind({ port: range.from + 1, address: '127.0.0.1', exclusive: true });
  await once(stranger, 'listening');
  const { pair } = await open(range);
  t.equal(pair.rtpPort, range.from + 2, 'its RTCP port is the stranger’s');
  await t.rejects(open(range), ResourceError);
  stranger.close();
  await pair.close();
  await pair.close();
  const again = await open({ from: range.from + 2, to: range.from + 3 });
  t.equal(again.pair.rtpPort, range.from + 2, 'a closed pair is free at once');
});

t.test('what cannot be bound is said in plain words', async (t) => {
  await t.rejects(open({ from: 4001, to: 4001 }), { message: /holds no even port/ });
  await t.rejects(open({ from: 0, to: 0 }), { message: /holds no even port/ });
  await t.rejects(open({ from: 30_000, to: 31_000 }, '192.0.2.77'), { message: /cannot bind RTP to 192\.0\.2\.77/ });
});

t.test('a datagram that cannot be sent is reported, and the pair goes on', async (t) => {
  const range = await freeRange(200);
  const [a, b] = [await open(range), await open(range)];
  a.pair.send(false, new Uint8Array(70_000), 70_000, '127.0.0.1', b.pair.rtpPort);
  const rtp = b.next();
  send(a.pair, false, 'later', b.pair.rtpPort);
  t.match(await rtp, { text: 'later' });
  t.match(a.errors, [{ code: 'EMSGSIZE' }]);
  await a.pair.close();
  send(a.pair, false, 'after the end', b.pair.rtpPort);
  t.equal(a.errors.length, 1, 'a closed pair sends nothing');
});

t.test('RFC 2474 packets leave with their class, as the kernel shows it: RTP and RTCP, IPv4 and IPv6', async (t) => {
  const classes = await socketClasses();
  const mark = await openTrafficMarker(46);
  t.equal(await openTrafficMarker(0), undefined, 'no class is what packets have anyway');
  for (const [address, family] of [
    ['127.0.0.1', 'ipv4'],
    ['::1', 'ipv6'],
  ] as const) {
    const before = classes.open();
    const pair = await openRtpSocketPair(address, { from: 30_000, to: 60_000 }, entropy, () => undefined, t.fail, mark);
    const opened = classes.open().filter((descriptor) => !before.includes(descriptor));
    t.strictSame(opened.map(classes[family]), [46, 46], family);
    await pair.close();
  }
  const refusals: Error[] = [];
  const refuse = () => {
    throw new ResourceError('packets are not marked: EPERM');
  };
  const unmarked = await openRtpSocketPair(
    '127.0.0.1',
    { from: 30_000, to: 60_000 },
    entropy,
    () => undefined,
    (error) => refusals.push(error),
    refuse,
  );
  t.equal(refusals.length, 1, 'a kernel that refuses is told of, and the call is made all the same');
  await unmarked.close();
  const listener = createSocket('udp4');
  t.throws(() => mark?.(listener, false), ResourceError, 'a socket that is not bound shows no descriptor, which is said');
  listener.close();
});
