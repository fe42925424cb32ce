import { isIP } from 'node:net';
import t from 'tap';
import type { LegQuality } from '#firmware/contract/media.ts';
import { formatQualityReport } from '#firmware/phone/quality-report.ts';
import { seededRandom } from '#test/support/seeded-entropy.ts';
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
    'Delay: RTD=200 ESD=140 IAJ=2',
    'QualityEst: RCQ=85 MOSLQ=4.2 MOSCQ=4.3 QoEEstAlg=G.107',
    'RemoteMetrics:',
    'Timestamps: START=2024-02-29T18:23:43Z STOP=2024-12-31T23:59:59Z',
    'JitterBuffer: JBA=3 JBR=1 JBN=40 JBM=80 JBX=120',
    'PacketLoss: NLR=5.0 JDR=2.0',
    'BurstGapLoss: BLD=50.0 BD=240 GLD=2.0 GD=500 GMIN=16',
    'Delay: ESD=140',
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

/** A line of the grammar: its name, its parameters in their order, each with what it may say. */
interface Rule {
  readonly name: string;
  readonly isOptional?: boolean;
  readonly parameters?: readonly (readonly [name: string, value: (text: string) => boolean])[];
  readonly whole?: (text: string) => boolean;
}

const matches = (pattern: RegExp) => (text: string) => pattern.test(text);
const digits = (count: number, most: number) => (text: string) => new RegExp(`^\\d{1,${count}}$`).test(text) && Number(text) <= most;
const decimal = (count: number, most: number) => (text: string) =>
  new RegExp(`^\\d{1,${count}}(\\.\\d{1,2})?$`).test(text) && Number(text) <= most;
/** RFC 3261 §25.1 word. */
const word = /[\w\-.!%*+`'~()<>:\\"/[\]?{}]+/;
const callId = new RegExp(`${word.source}(@${word.source})?`);
const nameAddress = matches(/^("([^"\\]|\\.)*" ?)?<sips?:[^<>\s]+>$|^sips?:[^<>\s;?,]+$/);
const instant = matches(/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]\d\d:\d\d)$/);
const wordOnly = matches(new RegExp(`^${word.source}$`));
const time = digits(5, 65_535);
const address: Rule['parameters'] = [
  ['IP', (text) => isIP(text) > 0],
  ['PORT', digits(5, 65_535)],
  ['SSRC', matches(/^0x[\da-fA-F]{1,8}$/)],
];
const metricRules: readonly Rule[] = [
  {
    name: 'Timestamps',
    parameters: [
      ['START', instant],
      ['STOP', instant],
    ],
  },
  {
    name: 'SessionDesc',
    isOptional: true,
    parameters: [
      ['PT', digits(3, 127)],
      ['PD', wordOnly],
      ['SR', digits(6, 999_999)],
      ['FD', digits(4, 9999)],
      ['FO', digits(5, 65_535)],
      ['FPP', digits(2, 99)],
      ['PPS', digits(5, 65_535)],
      ['FMTP', matches(/^".*"$/)],
      ['PLC', digits(1, 3)],
      ['SSUP', matches(/^(on|off)$/)],
    ],
  },
  {
    name: 'JitterBuffer',
    isOptional: true,
    parameters: [
      ['JBA', digits(1, 3)],
      ['JBR', digits(2, 15)],
      ['JBN', time],
      ['JBM', time],
      ['JBX', time],
    ],
  },
  {
    name: 'PacketLoss',
    isOptional: true,
    parameters: [
      ['NLR', decimal(3, 100)],
      ['JDR', decimal(3, 100)],
    ],
  },
  {
    name: 'BurstGapLoss',
    isOptional: true,
    parameters: [
      ['BLD', decimal(3, 100)],
      ['BD', digits(7, 3_600_000)],
      ['GLD', decimal(3, 100)],
      ['GD', digits(7, 3_600_000)],
      ['GMIN', digits(3, 255)],
    ],
  },
  {
    name: 'Delay',
    isOptional: true,
    parameters: ['RTD', 'ESD', 'OWD', 'SOWD', 'IAJ', 'MAJ'].map((name) => [name, time] as const),
  },
  {
    name: 'QualityEst',
    isOptional: true,
    parameters: [
      ['RLQ', digits(3, 120)],
      ['RCQ', digits(3, 120)],
      ['EXTRI', digits(3, 120)],
      ['EXTRO', digits(3, 120)],
      ['MOSLQ', decimal(1, 4.9)],
      ['MOSCQ', decimal(1, 4.9)],
      ['QoEEstAlg', wordOnly],
    ],
  },
];
const rules: readonly Rule[] = [
  { name: 'VQSessionReport', whole: matches(/^CallTerm$/) },
  { name: 'CallID', whole: matches(new RegExp(`^${callId.source}$`)) },
  { name: 'LocalID', whole: nameAddress },
  { name: 'RemoteID', whole: nameAddress },
  { name: 'OrigID', whole: nameAddress },
  { name: 'LocalAddr', parameters: address },
  { name: 'RemoteAddr', parameters: address },
  { name: 'LocalGroup', whole: wordOnly },
  { name: 'RemoteGroup', whole: wordOnly },
  { name: 'LocalMetrics', whole: matches(/^$/) },
  ...metricRules,
];
const farRules: readonly Rule[] = [{ name: 'RemoteMetrics', whole: matches(/^$/) }, ...metricRules];
const dialogRule: Rule = {
  name: 'DialogID',
  isOptional: true,
  whole: matches(new RegExp(`^${callId.source}(;(to|from)-tag=[\\w\\-.!%*+\`'~]+)*$`)),
};

/** Takes a report apart line by line; what is wrong with it. */
function faultsOf(report: string): string[] {
  const lines = report.split('\r\n');
  if (lines.pop() !== '') return ['the last line has no end'];
  const faults: string[] = [];
  const take = ({ name, isOptional, parameters, whole }: Rule) => {
    const [, found, value = ''] = /^([A-Za-z]+):[ \t]*(.*)$/.exec(lines[0] ?? '') ?? [];
    if (found !== name) {
      if (!isOptional) faults.push(`no ${name}, but ${lines[0]}`);
      return;
    }
    lines.shift();
    if (whole && !whole(value)) faults.push(`${name}: ${value}`);
    if (parameters) faults.push(...parameterFaults(name, value, parameters));
  };
  for (const rule of rules) take(rule);
  if (lines[0]?.startsWith('RemoteMetrics')) for (const rule of farRules) take(rule);
  take(dialogRule);
  return [...faults, ...lines.map((line) => `too much: ${line}`)];
}

/** Any of them may be missing, but their order is fixed, and one is there. */
function parameterFaults(name: string, value: string, parameters: NonNullable<Rule['parameters']>): string[] {
  let place = -1;
  return value.split(' ').flatMap((part) => {
    const [key = '', text = ''] = [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)];
    const next = parameters.findIndex(([known]) => known === key);
    const isRight = next > place && parameters[next]?.[1](text);
    place = Math.max(place, next);
    return isRight ? [] : [`${name}: ${part}`];
  });
}

t.test('RFC 6035 §4.6.1 every line of every report is of the grammar, whatever was measured', async (t) => {
  const random = seededRandom(6035);
  const among = <T>(...values: readonly T[]) => values[Math.floor(random() * values.length)] as T;
  const share = () => among(0, 1, 1.02, -0.01, random(), random() / 1000);
  const time = () => among(0, 0.4, 65_534.6, 1e9, random() * 100, random() * 1e5, random() * 1e8);
  const metrics = (): LegQuality['local'] => ({
    ...{ lossRate: share(), discardRate: share(), burstDensity: share(), gapDensity: share(), burstMs: time(), gapMs: time() },
    ...{ roundTripMs: among(null, time()), endSystemMs: time(), rating: among(null, 0, 100, 93.2 * random()) },
    ...{ listeningScore: among(null, 1, 4.5, 1 + 3.5 * random()), conversationScore: among(null, 1, 4.41) },
    ...{ jitterBufferMs: time(), jitterBufferMaximumMs: time(), jitterBufferLimitMs: time() },
  });
  for (let turn = 0; turn < 300; turn++) {
    const id = among('"A \\"B\\" C" <sip:a@example.org>', '<sips:+49@[2001:db8::1]:5061>', '<sip:anonymous@anonymous.invalid>');
    const report = formatQualityReport(
      {
        ...call,
        ...{
          callId: among('a@b', '1', "x.y~z'!@[::1]"),
          localId: id,
          remoteId: among(id, '<sip:b@192.0.2.1>'),
          outgoing: among(true, false),
        },
        ...{
          localAddress: among('192.0.2.1', '2001:db8::1'),
          startedAt: Math.floor(random() * 4e12),
          endedAt: Math.floor(random() * 4e12),
        },
      },
      {
        ...quality,
        ...{
          codec: among('PCMU', 'G722', 'L16/44100', 'opus'),
          sampleRate: among(8000, 48_000),
          ptime: among(10, 20, 30, 60),
          jitterMs: time(),
        },
        ...{ localSsrc: Math.floor(random() * 2 ** 32), remoteSsrc: among(0, 2 ** 32 - 1), local: metrics(), far: among(null, metrics()) },
        remote: { address: among('198.51.100.1', '2001:db8::2'), port: among(1, 65_535) },
      },
    );
    const faults = faultsOf(report);
    if (faults.length > 0) t.fail(`${faults.join(' | ')}\n${report}`);
  }
  const good = formatQualityReport(call, quality);
  t.strictSame(faultsOf(good), []);
  for (const [from, to] of [
    ['JBA=3', 'JBA=4'],
    ['NLR=5.0', 'NLR=105.0'],
    ['RTD=200 ESD=140', 'ESD=140 RTD=200'],
    ['CallID: ', 'Call-ID: '],
    ['T18:23:43Z', ' 18:23:43'],
    ['SSRC=0x', 'SSRC='],
    ['\r\nLocalGroup', '\nLocalGroup'],
  ] as const) {
    t.ok(faultsOf(good.replace(from, to)).length > 0, `${to} is noticed`);
  }
});
