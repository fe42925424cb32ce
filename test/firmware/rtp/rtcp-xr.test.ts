import t from 'tap';
import { BurstGap } from '#firmware/rtp/burst-gap.ts';
import { parseRtcp, writeReport } from '#firmware/rtp/rtcp.ts';
import { readVoiceMetrics, type VoiceMetrics, writeVoiceMetrics } from '#firmware/rtp/rtcp-xr.ts';
import { SimulatedCall, SimulatedHandset, SimulatedMedia } from '#test/support/simulated-rtp.ts';

const metrics: VoiceMetrics = {
  lossRate: 0.125,
  discardRate: 0.25,
  burstDensity: 0.5,
  gapDensity: 0.0625,
  burstMs: 240,
  gapMs: 4000,
  roundTripMs: 80,
  endSystemMs: 60,
  rating: 82,
  listeningScore: 4.2,
  conversationScore: 4.1,
  jitterBufferMs: 40,
  jitterBufferMaximumMs: 90,
  jitterBufferLimitMs: 200,
};

/** Feeds a pattern: `.` came, `x` did not, `l` came too late. */
function measured(pattern: string) {
  const bursts = new BurstGap();
  let sequence = 1;
  // What lies so near the end might still be overtaken, so it is not judged.
  for (const one of pattern + '.'.repeat(32)) {
    if (one !== 'x') bursts.arrived(sequence, one === 'l');
    sequence++;
  }
  return bursts.measure(20);
}

t.test('RFC 3611 §4.7 voice metrics are written octet for octet, and read again', async (t) => {
  const bytes = new Uint8Array(128);
  const length = writeVoiceMetrics(bytes, 0, 0x01020304, { ssrc: 0x0a0b0c0d, metrics });
  t.equal(
    Buffer.from(bytes.subarray(0, length)).toString('hex'),
    '80cf000a' +
      '01020304' +
      '07000008' +
      '0a0b0c0d' +
      '20408010' +
      '00f00fa0' +
      '0050003c' +
      '7f7f7f10' +
      '527f2a29' +
      'b1000028' +
      '005a00c8',
  );
  t.strictSame(readVoiceMetrics(bytes, 8, length), [{ ssrc: 0x0a0b0c0d, metrics }]);
  const unknown = { ...metrics, rating: null, listeningScore: null, conversationScore: null, roundTripMs: null };
  writeVoiceMetrics(bytes, 0, 1, { ssrc: 2, metrics: unknown });
  t.strictSame(readVoiceMetrics(bytes, 8, length)?.[0]?.metrics, unknown, 'what is not known stays so');
  writeVoiceMetrics(bytes, 0, 1, { ssrc: 2, metrics: { ...metrics, lossRate: 1, gapMs: 1e9, rating: 120 } });
  t.match(
    readVoiceMetrics(bytes, 8, length)?.[0]?.metrics,
    { lossRate: 255 / 256, gapMs: 65_535, rating: 100 },
    'and what is too much is cut',
  );
});

t.test('RFC 3611 §3 blocks of other kinds are passed over, those that do not fit cost the packet', async (t) => {
  const bytes = new Uint8Array(256);
  const report = writeReport(bytes, 1, undefined, undefined, 'cname');
  const length = writeVoiceMetrics(bytes, report, 1, { ssrc: 2, metrics });
  const parse = () => parseRtcp(bytes.subarray(0, length));
  t.match(parse(), { voiceMetrics: [{ ssrc: 2, metrics: { rating: 82 } }] });
  bytes[report + 8] = 4;
  t.match(parse(), { ssrc: 1, voiceMetrics: [] }, 'a receiver reference time, as far as we know');
  bytes[report + 8] = 7;
  bytes[report + 11] = 7;
  t.equal(parse(), 'rtcp-length', 'a block that ends in the middle of another');
  bytes[report + 11] = 9;
  t.equal(parse(), 'rtcp-length', 'one that is longer than the packet');
  for (const [type, what] of [
    [205, 'transport feedback'],
    [206, 'payload feedback'],
    [204, 'APP'],
    [210, 'a type nobody knows'],
  ] as const) {
    bytes[report + 1] = type;
    t.match(parse(), { ssrc: 1, voiceMetrics: [], byes: [] }, `${what} is passed over`);
  }
});

t.test('RFC 3611 §4.7.2 what is missing close together is a burst, what stands alone is in a gap', async (t) => {
  t.strictSame(measured('.'.repeat(100)), { burstDensity: 0, gapDensity: 0, burstMs: 0, gapMs: 2000 });
  const alone = measured(`${'.'.repeat(50)}x${'.'.repeat(50)}l${'.'.repeat(48)}`);
  t.match(alone, { burstDensity: 0, burstMs: 0 });
  t.ok(Math.abs(alone.gapDensity - 2 / 150) < 0.001, String(alone.gapDensity));
  const burst = measured(`${'.'.repeat(40)}xx..xl${'.'.repeat(60)}`);
  t.match(burst, { burstMs: 120 });
  t.ok(Math.abs(burst.burstDensity - 4 / 6) < 0.001, String(burst.burstDensity));
  const overtaken = new BurstGap();
  for (let sequence = 0; sequence < 400; sequence += 2) {
    overtaken.arrived(sequence + 1, false);
    overtaken.arrived(sequence, false);
  }
  t.match(overtaken.measure(20), { burstDensity: 0, gapDensity: 0 }, 'who overtakes is not missing');
  overtaken.arrived(900_000, false);
  t.match(overtaken.measure(20), { burstDensity: 0 }, 'another count begins anew');
});

t.test('RFC 3611 §5 both ends of a lossy call tell each other how they hear, if they asked', async (t) => {
  const call = (extendedReports: boolean) => {
    const [a, b] = [new SimulatedMedia(1, new SimulatedHandset()), new SimulatedMedia(2, new SimulatedHandset())];
    const both = new SimulatedCall(7, a, b).connect({ extendedReports });
    both.network = { delayMs: 20, jitterMs: 0, loss: 0.05, duplication: 0 };
    both.run(30_000);
    return both;
  };
  const told = call(true);
  for (const end of [told.a, told.b]) {
    const quality = end.session.quality();
    t.ok(quality?.far && Math.abs(quality.far.lossRate - 0.05) < 0.03, `the other end lost ${quality?.far?.lossRate}`);
    t.ok(quality && Math.abs(quality.local.lossRate - 0.05) < 0.03, `this one ${quality?.local.lossRate}`);
    const score = end.session.statistics().farOpinionScore ?? 0;
    t.ok(score > 2 && score < 4.2, `we sound like ${score} there`);
    t.match(quality, { codec: 'PCMU', sampleRate: 8000, ptime: 20, remote: { port: 4000 } });
  }
  t.equal(call(false).a.session.statistics().farOpinionScore, null, 'nobody asked');
});
