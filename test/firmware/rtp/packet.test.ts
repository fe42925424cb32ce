import t from 'tap';
import { emptyRtpPacketView, parseRtpPacket, timestampDifference } from '#firmware/rtp/packet.ts';
import { Reception } from '#firmware/rtp/reception.ts';
import { parseRtcp, writeBye, writeReport } from '#firmware/rtp/rtcp.ts';
import { RtcpSchedule } from '#firmware/rtp/rtcp-schedule.ts';
import { corpusText } from '#test/support/corpus.ts';
import { seededEntropy } from '#test/support/seeded-entropy.ts';
import { fromHex, rtpPacket } from './rtp-fixtures.ts';

t.test('RFC 3550 §5.1 a packet is read in place: CSRC, extension and padding are stepped over', async (t) => {
  const view = emptyRtpPacketView();
  const packet = rtpPacket({ sequenceNumber: 65_535, timestamp: 4_294_967_295, ssrc: 0xdeadbeef, payloadType: 101, marker: true });
  t.equal(parseRtpPacket(packet, view), undefined);
  t.strictSame(view, {
    marker: true,
    payloadType: 101,
    sequenceNumber: 65_535,
    timestamp: 4_294_967_295,
    ssrc: 0xdeadbeef,
    payloadStart: 12,
    payloadEnd: 172,
  });
  // V=2, P, X, CC=2; extension of one word; payload of two bytes; padding of three.
  const dressed = fromHex('b20000010000000200000003aaaaaaaabbbbbbbbbede000111223344abcd000003');
  t.equal(parseRtpPacket(dressed, view), undefined);
  t.strictSame([...dressed.subarray(view.payloadStart, view.payloadEnd)], [0xab, 0xcd]);
});

t.test('malformed RTP has a fault and is never read past its end', async (t) => {
  const view = emptyRtpPacketView();
  const cases: readonly [string, string][] = [
    ['rtp-truncated', ''],
    ['rtp-truncated', '8000000100000002000000'],
    ['rtp-version', '000000010000000200000003ff'],
    ['rtp-version', 'c00000010000000200000003ff'],
    ['rtp-truncated', '8f0000010000000200000003ff'],
    ['rtp-extension', '900000010000000200000003be'],
    ['rtp-extension', '900000010000000200000003bedeffffff'],
    ['rtp-padding', 'a00000010000000200000003ff00'],
    ['rtp-padding', 'a00000010000000200000003ffff'],
  ];
  for (const [fault, hex] of cases) t.equal(parseRtpPacket(fromHex(hex), view), fault, hex);
});

t.test('RFC 3550 A.1 a source passes probation with two packets in a row, wraps, restarts and shrugs off strays', async (t) => {
  const reception = new Reception(1);
  t.equal(reception.update(65_530), 'probation');
  t.equal(reception.update(65_533), 'probation', 'not the next');
  t.notOk(reception.received);
  t.equal(reception.update(65_534), 'accepted');
  for (const sequence of [65_535, 0, 1, 3, 2]) t.equal(reception.update(sequence), 'accepted');
  t.equal(reception.extendedHighest, 65_536 + 3, 'one cycle');
  t.equal(reception.extend(65_535), 65_535);
  t.equal(reception.extend(2), 65_538);
  t.strictSame([reception.expected, reception.received, reception.lost], [7, 7, 0]);
  t.equal(reception.update(3000 + 10), 'implausible', 'a jump is not believed');
  t.equal(reception.update(4), 'accepted', 'the stream goes on');
  t.equal(reception.update(30_000), 'implausible');
  t.equal(reception.update(30_001), 'restarted', 'a second one in a row is');
  t.strictSame([reception.expected, reception.lost, reception.missing], [1, 0, 0]);
});

t.test('RFC 3550 A.3 loss: cumulative, by interval, negative with duplicates', async (t) => {
  const reception = new Reception(1);
  for (const sequence of [1, 2, 3, 5, 6, 8, 9, 10]) reception.update(sequence);
  t.equal(reception.lost, 2);
  t.equal(reception.takeFractionLost(), Math.floor((2 * 256) / 10));
  t.equal(reception.takeFractionLost(), 0, 'a new interval');
  for (let copy = 0; copy < 3; copy++) reception.update(10);
  t.equal(reception.lost, -1);
  t.equal(reception.missing, 2, 'what came twice makes up for nothing');
  t.equal(reception.takeFractionLost(), 0);
});

t.test('RFC 3550 A.8 interarrival jitter', async (t) => {
  const own = {
    name: 'own: 5 ms late every other packet',
    packets: Array.from({ length: 40 }, (_, n) => [n * 160 + (n % 2) * 40, n * 160]),
  };
  const reception = new Reception(1);
  for (const [arrival = 0, timestamp = 0] of own.packets) reception.updateJitter(arrival, timestamp);
  t.ok(reception.jitter > 34 && reception.jitter <= 40, 'goes towards the mean deviation of 40 ticks');
  const vectors = corpusText(t, 'vectors/rtp-jitter-rfc3550.json');
  if (vectors === undefined) return;
  for (const { name, packets, integer } of JSON.parse(vectors).cases) {
    const reception = new Reception(1);
    const measured = packets.map(([arrival, timestamp]: [number, number]) => {
      reception.updateJitter(arrival, timestamp);
      return reception.jitter;
    });
    t.strictSame(measured, integer, name);
  }
});

t.test('timestamps compare across their wrap', async (t) => {
  t.equal(timestampDifference(10, 4_294_967_290), 16);
  t.equal(timestampDifference(4_294_967_290, 10), -16);
});

const report = {
  ssrc: 2,
  fractionLost: 51,
  packetsLost: -3,
  extendedHighest: 70_000,
  jitter: 40,
  lastSenderReport: 0xffff_0001,
  delaySinceLastSenderReport: 65_536,
};

t.test('RFC 3550 §6 reports, SDES and BYE come back as they were written', async (t) => {
  const bytes = new Uint8Array(256);
  const sender = { ntpSeconds: 4_000_000_000, ntpFraction: 0x8000_0000, rtpTimestamp: 123, packets: 456, octets: 789 };
  const length = writeBye(bytes, writeReport(bytes, 1, sender, report, 'name-of-16-chars'), 1);
  t.equal(length % 4, 0);
  t.strictSame(parseRtcp(bytes.subarray(0, length)), {
    ssrc: 1,
    senderReport: sender,
    reports: [report],
    cname: 'name-of-16-chars',
    byes: [1],
    voiceMetrics: [],
  });
  const empty = writeReport(bytes, 7, undefined, undefined, 'x');
  t.strictSame(parseRtcp(bytes.subarray(0, empty)), {
    ssrc: 7,
    senderReport: undefined,
    reports: [],
    cname: 'x',
    byes: [],
    voiceMetrics: [],
  });
});

t.test('RFC 3550 A.2 malformed RTCP has a fault; unknown packets in a compound are passed over', async (t) => {
  const cases: readonly [string, string][] = [
    ['rtcp-truncated', '80'],
    ['rtcp-truncated', '80c80006'],
    ['rtcp-length', '80c8ffff112233440000000000000000000000000000000000000000'],
    ['rtcp-length', '9fc80006112233440000000000000000000000000000000000000000'],
    ['rtcp-type', '81cb000211223344ff616263'],
    ['rtcp-type', '80480001000000a0'],
    ['rtcp-version', '80c900011122334440ca0001'],
    ['rtcp-length', '80c900011122334481cb000211223344ff616263'],
    ['rtcp-length', '80c900011122334481ca00021122334401ff6162'],
    ['rtcp-padding', 'a0c900011122334480c9000111223344'],
    ['rtcp-padding', 'a0c9000111223300'],
  ];
  for (const [fault, hex] of cases) t.equal(parseRtcp(fromHex(hex)), fault, hex);
  t.match(parseRtcp(fromHex('80c900011122334480cc00021122334461626364')), { ssrc: 0x11223344 }, 'an APP packet');
  t.match(parseRtcp(fromHex('80c900011122334481cb000111223344')), { byes: [0x11223344] });
});

t.test('RFC 3550 §6.3 the first report after 1.2 to 3.1 s, later ones each 2.5 to 6.2 s, randomly', async (t) => {
  const schedule = new RtcpSchedule(seededEntropy(5));
  let now = 1000;
  schedule.start(now);
  schedule.heard(120);
  const sent: number[] = [];
  while (sent.length < 200) {
    now = schedule.deadline ?? now;
    if (!schedule.expire(now)) continue;
    sent.push(now);
    schedule.sent(now, 120);
  }
  const gaps = sent.map((at, index) => at - (sent[index - 1] ?? 1000));
  const [first = 0, ...later] = gaps;
  t.ok(first >= 1250 / 1.219 && first <= 3750 / 1.218, `first after ${first}`);
  t.ok(later.every((gap) => gap >= 2500 / 1.219 && gap <= 7500 / 1.218));
  const mean = later.reduce((sum, gap) => sum + gap, 0) / later.length;
  t.ok(mean > 4300 && mean < 5700, `mean ${Math.round(mean)} ms: reconsideration is made up for`);
});

t.test('RFC 3550 §6.3.4 when the peer leaves the next report comes sooner; stopped there is none', async (t) => {
  const schedule = new RtcpSchedule(seededEntropy(6));
  schedule.start(0);
  schedule.heard(120);
  const before = schedule.deadline ?? 0;
  schedule.left(100);
  t.equal(schedule.deadline, 100 + (before - 100) / 2);
  schedule.stop();
  t.notOk(schedule.expire(1e9));
});
