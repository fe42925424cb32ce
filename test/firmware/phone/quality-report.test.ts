import t from 'tap';
import type { LegQuality } from '#firmware/contract/media.ts';
import { formatQualityReport } from '#firmware/phone/quality-report.ts';
import { SimulatedHouse } from '#test/support/simulated-house.ts';

const heard: LegQuality['local'] = {
  lossRate: 0.05,
  discardRate: 0.02,
  burstDensity: 0.5,
  gapDensity: 0.02,
  burstMs: 240,
  gapMs: 500,
  roundTripMs: 200,
  endSystemMs: 140,
  rating: 85,
  listeningScore: 4.2,
  conversationScore: 4.3,
  jitterBufferMs: 40,
  jitterBufferMaximumMs: 80,
  jitterBufferLimitMs: 120,
};
const call = {
  callId: '6dg37f1890463',
  localId: '"Alice" <sip:alice@example.org>',
  remoteId: '<sip:bill@example.net>',
  outgoing: true,
  localTag: '9123dh311',
  remoteTag: '8472761',
  localAddress: '192.0.2.100',
  localPort: 5000,
  localGroup: 'example.org',
  remoteGroup: 'example.net',
  startedAt: Date.UTC(2024, 1, 29, 18, 23, 43, 700),
  endedAt: Date.UTC(2024, 11, 31, 23, 59, 59),
};
const quality: LegQuality = {
  localSsrc: 0x1a3b5c7d,
  remoteSsrc: 0x468abcd,
  remote: { address: '198.51.100.150', port: 5002 },
  codec: 'PCMU',
  sampleRate: 8000,
  ptime: 20,
  jitterMs: 2,
  maximumJitterMs: 10,
  local: heard,
  far: { ...heard, rating: null, listeningScore: 4, conversationScore: null, roundTripMs: null },
};

t.test('RFC 6035 §4.6.1 a session report line by line', async (t) => {
  const text = [
    'VQSessionReport: CallTerm',
    'CallID: 6dg37f1890463',
    'LocalID: "Alice" <sip:alice@example.org>',
    'RemoteID: <sip:bill@example.net>',
    'OrigID: "Alice" <sip:alice@example.org>',
    'LocalAddr: IP=192.0.2.100 PORT=5000 SSRC=0x1a3b5c7d',
    'RemoteAddr: IP=198.51.100.150 PORT=5002 SSRC=0x0468abcd',
    'LocalGroup: example.org',
    'RemoteGroup: example.net',
    'LocalMetrics:',
    'Timestamps: START=2024-02-29T18:23:43Z STOP=2024-12-31T23:59:59Z',
    'SessionDesc: PD=PCMU SR=8000 FD=20 FPP=1 PPS=50 PLC=2',
    'JitterBuffer: JBA=3 JBR=1 JBN=40 JBM=80 JBX=120',
    'PacketLoss: NLR=5.0 JDR=2.0',
    'BurstGapLoss: BLD=50.0 BD=240 GLD=2.0 GD=500 GMIN=16',
    'Delay: RTD=200 ESD=140 IAJ=2 MAJ=10',
    'QualityEst: RCQ=85 MOSLQ=4.2 MOSCQ=4.3 QoEEstAlg=G.107',
    'RemoteMetrics:',
    'Timestamps: START=2024-02-29T18:23:43Z STOP=2024-12-31T23:59:59Z',
    'JitterBuffer: JBA=3 JBR=1 JBN=40 JBM=80 JBX=120',
    'PacketLoss: NLR=5.0 JDR=2.0',
    'BurstGapLoss: BLD=50.0 BD=240 GLD=2.0 GD=500 GMIN=16',
    'Delay: RTD=0 ESD=140',
    'QualityEst: MOSLQ=4.0 QoEEstAlg=G.107',
    'DialogID: 6dg37f1890463;to-tag=8472761;from-tag=9123dh311',
    '',
  ].join('\r\n');
  t.equal(formatQualityReport(call, quality), text);
  const taken = formatQualityReport({ ...call, outgoing: false }, { ...quality, far: null });
  t.ok(taken.includes('OrigID: <sip:bill@example.net>\r\n'), 'who called is the originator');
  t.notOk(taken.includes('RemoteMetrics'), 'a far end that tells nothing is left out');
});

t.test(
  'RFC 6035 §3 the collector of a line is told at the end of a call, by whoever ends it, and of no call that was not accepted',
  async (t) => {
    const house = new SimulatedHouse();
    const anna = house.phone('anna', { settings: { 'line.1.qualityCollector': 'sip:collector@house.example' } });
    const bert = house.phone('bert');
    const told: string[] = [];
    const reports = () => anna.factsOf('call.qualityReport');
    for (const [index, ends] of [anna, bert].entries()) {
      anna.do((phone, now) => phone.call(now, 'bert'));
      house.run(1_000);
      bert.lift();
      house.run(8_000);
      ends.hangUp();
      house.run(3_000);
      if (ends !== bert) bert.hangUp();
      house.run(1_000);
      t.equal(reports().length, index + 1, 'one report');
      told.push(String(reports().at(-1)?.statusCode));
    }
    t.notOk(told.includes('408') || told.includes('503'), `an answer came: ${told}`);
    t.match(anna.factsOf('call.media').at(-1), { farOpinionScore: Number }, 'the far end told how we sound');
    t.equal(bert.factsOf('call.qualityReport').length, 0, 'a line without collector tells nobody');
    anna.do((phone, now) => phone.call(now, 'bert'));
    house.run(1_000);
    anna.do((phone, now) => phone.hangUp(now));
    house.run(2_000);
    t.equal(reports().length, 2, 'nobody spoke');
  },
);
