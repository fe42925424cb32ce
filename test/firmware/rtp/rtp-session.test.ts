import t from 'tap';
import { emptyRtpPacketView, parseRtpPacket } from '#firmware/rtp/packet.ts';
import { parseRtcp } from '#firmware/rtp/rtcp.ts';
import type { RtpParameters } from '#firmware/rtp/rtp-parameters.ts';
import type { ReceivablePayloads } from '#firmware/rtp/rtp-receiver.ts';
import { RtpSession } from '#firmware/rtp/rtp-session.ts';
import { corpusText } from '#test/support/corpus.ts';
import { seededEntropy } from '#test/support/seeded-entropy.ts';
import { fromHex, rtpPacket } from './rtp-fixtures.ts';

const peer = '192.0.2.9';
const port = 4000;
const payloads: ReceivablePayloads = {
  ticksOf: (payloadType, _bytes, start, end) => (payloadType === 0 ? end - start : 0),
  clockRateOf: () => 8000,
  telephoneEvents: new Map([[101, 8000]]),
  noise: 13,
};
const parameters: RtpParameters = {
  remote: { address: peer, port },
  remoteRtcp: { address: peer, port: port + 1 },
  symmetric: false,
  rtcpMux: false,
  sends: true,
  receives: true,
  payloadType: 0,
  clockRate: 8000,
  events: { payloadType: 101, clockRate: 8000 },
  payloads,
};

function session(changes: Partial<RtpParameters> = {}, seed = 1): RtpSession {
  const session = new RtpSession(seededEntropy(seed), 8000, 'cname', { minimum: 20, start: 20, maximum: 200 });
  session.update(0, { ...parameters, ...changes });
  return session;
}

/** Packets `first` to `last`, 20 ms apart, from an address. */
function feed(session: RtpSession, first: number, last: number, { from = peer, at = port, ssrc = 0x1234 } = {}): void {
  for (let sequenceNumber = first; sequenceNumber <= last; sequenceNumber++) {
    session.receiveRtp(sequenceNumber * 20, rtpPacket({ sequenceNumber, ssrc }), from, at);
  }
}

/** The first payload byte of everything that can be played now: `rtpPacket` numbers them. */
function played(session: RtpSession, blocks = 100): number[] {
  const heard: number[] = [];
  for (let block = 0; block < blocks; block++) {
    const packet = session.take();
    if (packet) heard.push(packet.bytes[0] ?? -1);
    else session.pass(160);
  }
  return heard;
}

/** Sends `count` intervals of silence and returns what went out. */
function sent(session: RtpSession, count = 1) {
  return Array.from({ length: count }, () => {
    session.send(160, (bytes, offset) => {
      bytes.fill(0xff, offset, offset + 160);
      return 160;
    });
    return session.drain().map(({ bytes, length, ...rest }) => {
      const view = emptyRtpPacketView();
      parseRtpPacket(bytes.subarray(0, length), view);
      return { ...rest, ...view, bytes: bytes.slice(0, length) };
    });
  }).flat();
}

t.test('RFC 3550 §5.1 starts are random, the time line is one, the marker begins a talk spurt', async (t) => {
  const one = session();
  const packets = sent(one, 3);
  const [first] = packets;
  t.match(first, { rtcp: false, address: peer, port, marker: true, payloadType: 0, payloadStart: 12, payloadEnd: 172, ssrc: one.ssrc });
  for (const [index, packet] of packets.entries()) {
    t.equal(packet.sequenceNumber, ((first?.sequenceNumber ?? 0) + index) & 0xffff);
    t.equal(packet.timestamp, ((first?.timestamp ?? 0) + index * 160) >>> 0);
    t.equal(packet.marker, index === 0);
  }
  const [other] = sent(session({}, 2));
  t.not(other?.ssrc, first?.ssrc);
  t.not(other?.sequenceNumber, first?.sequenceNumber);
  t.not(other?.timestamp, first?.timestamp);
});

t.test('RFC 4733 §2.5.1.2 a digit goes out in place of sound, on the same time line', async (t) => {
  const one = session();
  const [before] = sent(one);
  t.ok(one.sendDigit('4', 60));
  const packets = sent(one, 9);
  t.strictSame(
    packets.map(({ payloadType, marker }) => [payloadType, marker]),
    [...[true, false, false, false, false].map((marker) => [101, marker]), ...[true, false, false, false].map((marker) => [0, marker])],
  );
  const start = ((before?.timestamp ?? 0) + 160) >>> 0;
  t.ok(packets.slice(0, 5).every(({ timestamp }) => timestamp === start));
  t.equal(packets[5]?.timestamp, (start + 5 * 160) >>> 0, 'sound goes on where it would have been');
  t.notOk(session({ events: undefined }).sendDigit('4', 60), 'a peer that takes none');
});

t.test('third parties are dropped and counted, before and after the peer was heard', async (t) => {
  const one = session();
  feed(one, 1, 5, { from: '203.0.113.66' });
  t.strictSame(played(one), []);
  feed(one, 10, 14);
  feed(one, 15, 19, { from: '203.0.113.66', at: port });
  feed(one, 15, 19, { from: peer, at: 9999 });
  t.strictSame(played(one), [10, 11, 12, 13, 14]);
  t.equal(one.counters.get('rtp-foreign-source'), 15);
  t.equal(one.statistics().packetsRefused, 15);
  t.match(sent(one), [{ address: peer, port }]);
});

t.test('latching: a NAT is followed when the account says so, else only listened to from the signalled address', async (t) => {
  const behindNat = session({ symmetric: true });
  feed(behindNat, 1, 1, { from: '203.0.113.5', at: 777 });
  t.match(sent(behindNat), [{ address: peer, port }], 'one packet proves nothing');
  feed(behindNat, 2, 3, { from: '203.0.113.5', at: 777 });
  t.match(sent(behindNat), [{ address: '203.0.113.5', port: 777 }]);
  feed(behindNat, 4, 9, { from: '203.0.113.6', at: 777 });
  t.equal(behindNat.counters.get('rtp-foreign-source'), 6, 'locked');
  feed(behindNat, 20, 22);
  t.match(sent(behindNat), [{ address: peer, port }], 'the signalled address takes over from whoever was quicker');

  const plain = session();
  feed(plain, 1, 3, { at: 5555 });
  t.match(sent(plain), [{ address: peer, port: 5555 }], 'another port of the peer is heard, and sound goes there');
  t.strictSame(played(plain), [1, 2, 3]);
  feed(plain, 4, 9, { at: 6666 });
  feed(plain, 4, 9, { from: '203.0.113.5', at: 5555 });
  t.equal(plain.counters.get('rtp-foreign-source'), 12, 'locked');
  feed(plain, 20, 22);
  t.match(sent(plain), [{ address: peer, port }], 'until the signalled port is heard');
});

t.test('RFC 5952 an IPv6 peer is known however its address is written', async (t) => {
  const cases: readonly [string, string][] = [
    ['2001:DB8:0:0:0:0:0:0001', '2001:db8::1'],
    ['2001:db8::0:1', '2001:db8::1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['fe80::', 'fe80::'],
    ['::FFFF:192.0.2.1', '::ffff:192.0.2.1'],
    ['::ffff:c000:201', '::ffff:192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ];
  for (const [written, printed] of cases) {
    const one = session({ remote: { address: written, port }, remoteRtcp: { address: written, port: port + 1 } });
    feed(one, 1, 3, { from: printed });
    t.strictSame(played(one), [1, 2, 3], `${written} is ${printed}`);
    t.match(sent(one), [{ address: printed }]);
  }
  for (const wrong of ['1:2:3', '1:2:3:4:5:6:7:8:9', 'g::1', '::12345', ':::']) {
    t.match(sent(session({ remote: { address: wrong, port } })), [{ address: wrong }], 'what is no address is left alone');
  }
});

t.test('another SSRC takes over after two packets in a row, a stray one does not; counts go on', async (t) => {
  const one = session();
  feed(one, 1, 10);
  one.receiveRtp(205, rtpPacket({ sequenceNumber: 4711, ssrc: 0xdead, timestamp: 0 }), peer, port);
  feed(one, 11, 12);
  t.equal(one.statistics().packetsReceived, 12);
  t.strictSame(played(one, 20), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  feed(one, 100, 110, { ssrc: 0xbeef });
  t.strictSame(played(one, 20), [100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110], 'the one on probation too');
  t.equal(one.statistics().packetsReceived, 23);
  t.equal(one.statistics().packetsLost, 0);
  t.equal(one.counters.get('rtp-source-changed'), 1);
});

t.test('a sender that restarts is followed, one that jumps once is not', async (t) => {
  const one = session();
  feed(one, 1, 5);
  feed(one, 3001 + 5, 3001 + 5);
  feed(one, 6, 7);
  t.strictSame(played(one, 15), [1, 2, 3, 4, 5, 6, 7]);
  feed(one, 20_000, 20_004);
  t.strictSame(
    played(one, 15),
    [20_001, 20_002, 20_003, 20_004].map((sequence) => sequence & 0xff),
  );
  t.equal(one.counters.get('rtp-sequence-implausible'), 2);
});

t.test('RFC 3264 §8.4 hold: nothing is sent, nothing taken, and the silence is no alarm', async (t) => {
  const one = session();
  feed(one, 1, 5);
  t.equal(one.silentFor(100), 0);
  t.equal(one.silentFor(2100), 2000);
  const before = sent(one)[0];
  one.sendDigit('1', 100);
  one.update(3000, { ...parameters, sends: false, receives: false });
  t.equal(one.silentFor(60_000), undefined);
  t.strictSame(sent(one, 5), []);
  feed(one, 200, 205);
  t.equal(one.counters.get('rtp-not-wanted'), 6);
  one.update(70_000, parameters);
  t.equal(one.silentFor(70_500), 500);
  const after = sent(one)[0];
  t.match(after, { marker: true, payloadType: 0, ssrc: before?.ssrc }, 'digits of before the hold are forgotten');
  t.equal(after?.timestamp, ((before?.timestamp ?? 0) + 6 * 160) >>> 0);
  const nowhere = session({ remote: { address: '0.0.0.0', port } });
  t.strictSame(sent(nowhere), []);
});

t.test('§6 a far end that says nothing but reports is there; one that has said goodbye is not', async (t) => {
  const one = session();
  feed(one, 1, 5);
  const report = fromHex('80c9000111112222');
  one.receiveRtcp(5000, report, peer, port + 1);
  t.equal(one.silentFor(5500), 500);
  one.receiveRtcp(6000, report, '203.0.113.66', port + 1);
  one.receiveRtcp(6000, fromHex('80c9'), peer, port + 1);
  t.equal(one.silentFor(6000), 1000, 'a stranger’s, or what is no report, counts for nothing');
  one.receiveRtcp(7000, fromHex('80c900011111222281cb000111112222'), peer, port + 1);
  t.equal(one.silentFor(7000), 2000, 'BYE');
});

t.test('digits arrive once, comfort noise is proof of life, unknown payloads are refused', async (t) => {
  const one = session();
  feed(one, 1, 3);
  const event = (sequenceNumber: number, hex: string) =>
    rtpPacket({ sequenceNumber, timestamp: 640, payloadType: 101, payload: fromHex(hex) });
  for (const [sequence, hex] of [
    [4, '050a00a0'],
    [5, '050a0140'],
    [6, '058a0190'],
    [7, '058a0190'],
    [8, '058a0190'],
  ] as const) {
    one.receiveRtp(sequence * 20, event(sequence, hex), peer, port);
  }
  t.strictSame(one.drainDigits(), [{ digit: '5', duration: 50 }]);
  one.receiveRtp(180, rtpPacket({ sequenceNumber: 9, payloadType: 13, payload: fromHex('40') }), peer, port);
  t.equal(one.silentFor(180), 0);
  for (const payloadType of [72, 96, 8]) one.receiveRtp(200, rtpPacket({ sequenceNumber: 10, payloadType }), peer, port);
  one.receiveRtp(200, rtpPacket({ sequenceNumber: 10, payload: new Uint8Array(0) }), peer, port);
  one.receiveRtp(200, event(10, '05'), peer, port);
  t.equal(one.statistics().packetsRefused, 5);
  one.receiveRtp(200, rtpPacket({ sequenceNumber: 11, timestamp: 2000, payloadType: 101, payload: fromHex('030a00a0') }), peer, port);
  one.handleTimeout(1000);
  t.strictSame(one.drainDigits(), [{ digit: '3', duration: 20 }], 'its end was lost');
});

t.test('RFC 3550 §6.4 two sessions report to each other: loss, jitter and round trip', async (t) => {
  const [a, b] = [session({}, 11), session({}, 12)];
  let now = 0;
  const oneWay = 30;
  let lost = 0;
  const reports: string[] = [];
  for (let tick = 0; tick < 1500; tick++) {
    now = tick * 20;
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      from.send(160, (_bytes, _offset) => 160);
      if ((from.deadline ?? Number.POSITIVE_INFINITY) <= now) from.handleTimeout(now);
      for (const packet of from.drain()) {
        const bytes = packet.bytes.slice(0, packet.length);
        if (packet.rtcp) {
          const compound = parseRtcp(bytes);
          reports.push(typeof compound === 'string' ? compound : compound.senderReport ? 'SR' : 'RR');
          to.receiveRtcp(now + oneWay, bytes, peer, port + 1);
        } else if (from === b || tick % 10 !== 5) to.receiveRtp(now + oneWay, bytes, peer, port);
        else lost++;
      }
    }
  }
  t.ok(reports.length >= 8 && reports.every((kind) => kind === 'SR'), reports.join(' '));
  t.equal(b.statistics().packetsLost, lost);
  t.equal(a.statistics().packetsLost, 0);
  for (const one of [a, b]) t.ok(Math.abs((one.statistics().roundTripMs ?? 0) - 2 * oneWay) <= 21, `${one.statistics().roundTripMs} ms`);
  a.close(now);
  const [bye] = a.drain();
  t.match(bye && parseRtcp(bye.bytes.slice(0, bye.length)), { byes: [a.ssrc], cname: 'cname' });
  a.close(now);
  t.strictSame(a.drain(), [], 'once');
  b.receiveRtcp(now, new Uint8Array([0x80]), peer, port + 1);
  b.receiveRtcp(now, fromHex('80c9000111223344'), '203.0.113.66', port + 1);
  t.match(b.counters.describe(), { 'rtcp-truncated': 1, 'rtcp-foreign-source': 1 });
});

t.test('hostile packets of the corpus, from the peer and from strangers, leave the running stream as it is', async (t) => {
  const own = [
    { name: 'own', port: 'rtp', hex: '9f000001' },
    { name: 'own', port: 'rtcp', hex: '80c8ffff11223344' },
  ];
  const text = corpusText(t, 'rtp-malformed.json');
  const hostile: { name: string; port: string; hex: string }[] = text === undefined ? own : JSON.parse(text).packets;
  for (const { name, port: kind, hex } of hostile) {
    const one = session();
    const heard: number[] = [];
    for (let sequence = 1; sequence <= 30; sequence++) {
      feed(one, sequence, sequence);
      const bytes = fromHex(hex);
      if (sequence === 10) {
        for (const [from, at] of [
          [peer, port],
          ['203.0.113.66', port],
          [peer, 6666],
        ] as const) {
          if (kind === 'rtcp') one.receiveRtcp(sequence * 20, bytes, from, at);
          else one.receiveRtp(sequence * 20, bytes, from, at);
        }
      }
      heard.push(...played(one, 1));
    }
    t.strictSame(
      heard,
      Array.from({ length: heard.length }, (_, index) => index + 1),
      `${name}: nothing missing, nothing added`,
    );
    t.ok(heard.length >= 27);
    t.ok(one.drainDigits().length <= 1);
  }
});
