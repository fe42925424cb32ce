import t from 'tap';
import type { Transport } from '#firmware/sip/transport/flow.ts';
import type { NameAnswer, NameQuestion, NameRecord } from '#firmware/sip/transport/name-records.ts';
import { ServerLocation } from '#firmware/sip/transport/server-location.ts';
import type { Destination } from '#firmware/sip/transport/sip-core.ts';
import { addressRecord as a, pointerRecord as naptr, serviceRecord as srv } from '#test/support/scripted-names.ts';
import { seededEntropy } from '#test/support/seeded-entropy.ts';

const seconds = 1_000;

/** A location whose questions a zone answers; counts them. */
function scene(
  zone: Readonly<Record<string, readonly NameRecord[]>>,
  options: { seed?: number; ttl?: number; transports?: readonly Transport[] } = {},
) {
  const location = new ServerLocation(seededEntropy(options.seed ?? 1), options.transports ?? ['udp', 'tcp']);
  const asked: string[] = [];
  const answer = (now: number, question: NameQuestion): void => {
    const key = `${question.type} ${question.name}`;
    asked.push(key);
    const said: NameAnswer = { records: zone[key] ?? [], ttl: options.ttl ?? 60, failed: false };
    location.answered(now, question, said);
  };
  const hops = (now: number, destination: Destination) => {
    for (let round = 0; round < 6; round++) {
      const located = location.locate(now, destination);
      if ('hops' in located) return located.hops;
      for (const question of located.questions) answer(now, question);
    }
    throw new Error('it never has enough');
  };
  const places = (now: number, destination: Destination): string[] =>
    location
      .order(now, hops(now, destination))
      .map((hop) => `${hop.destination.transport} ${hop.destination.host}:${hop.destination.port}`);
  return { location, asked, hops, places, zone };
}

const domain: Destination = { transport: 'udp', host: 'house.example', port: 5060, search: 'transport' };

t.test('RFC 3263 §4.1, §4.2 an address is gone to without a question, with its port or that of the transport', async (t) => {
  const { places, asked } = scene({});
  t.same(places(0, { transport: 'tcp', host: '192.0.2.1', port: 5070, search: 'transport' }), ['tcp 192.0.2.1:5070']);
  t.same(places(0, { transport: 'udp', host: '2001:db8::1', port: 5060 }), ['udp 2001:db8::1:5060']);
  t.same(asked, []);
});

t.test('RFC 3263 §4.1, §4.2 a port in the URI leaves out NAPTR and SRV', async (t) => {
  const { places, asked } = scene({ 'A house.example': [a('192.0.2.1'), a('192.0.2.2')] });
  t.same(places(0, { transport: 'tcp', host: 'house.example', port: 5070 }), ['tcp 192.0.2.1:5070', 'tcp 192.0.2.2:5070']);
  t.same(asked, ['AAAA house.example', 'A house.example']);
});

t.test('RFC 3263 §4.1 a transport in the URI leaves out NAPTR', async (t) => {
  const { places, asked } = scene({ 'SRV _sip._tcp.house.example': [srv('a.example', 0, 0, 5080)], 'A a.example': [a('192.0.2.1')] });
  t.same(places(0, { ...domain, transport: 'tcp', search: 'service' }), ['tcp 192.0.2.1:5080']);
  t.notOk(asked.some((one) => one.startsWith('NAPTR')));
});

t.test(
  'RFC 3263 §4.1 NAPTR says which of our transports the domain prefers; others, and rules of other kinds, are passed over',
  async (t) => {
    const { places } = scene({
      'NAPTR house.example': [
        naptr('SIP+D2U', '_sip._udp.other.example', 20),
        naptr('SIP+D2T', '_sip._tcp.other.example', 10, 2),
        naptr('SIPS+D2T', '_sips._tcp.other.example', 10, 1),
        naptr('SIP+D2S', '_sip._sctp.other.example', 1),
        naptr('SIP+D2U', '_sip._udp.wrong.example', 1, 1, 'u'),
        naptr('E2U+sip', '', 1),
      ],
      'SRV _sip._tcp.other.example': [srv('t.example')],
      'SRV _sip._udp.other.example': [srv('u.example')],
      'A t.example': [a('192.0.2.2')],
      'A u.example': [a('192.0.2.1')],
    });
    t.same(places(0, domain), ['tcp 192.0.2.2:5060', 'udp 192.0.2.1:5060']);
  },
);

t.test('RFC 3263 §4.1 without NAPTR the SRV names of our transports are asked for, without SRV the address', async (t) => {
  const { places } = scene({ 'SRV _sip._tcp.house.example': [srv('t.example')], 'A t.example': [a('192.0.2.2')] });
  t.same(places(0, domain), ['tcp 192.0.2.2:5060']);
  const bare = scene({ 'A house.example': [a('192.0.2.3')], 'AAAA house.example': [{ type: 'AAAA', address: '2001:db8::3' }] });
  t.same(bare.places(0, domain), ['udp 2001:db8::3:5060', 'udp 192.0.2.3:5060']);
  t.same(scene({}).places(0, domain), [], 'nowhere');
});

t.test('RFC 2782 a target of the root says that the service is not there, whatever address the name has', async (t) => {
  const { places } = scene({ 'SRV _sip._udp.house.example': [srv('')], 'A house.example': [a('192.0.2.3')] });
  t.same(places(0, { ...domain, search: 'service' }), []);
});

t.test('RFC 2782 priorities come in order, weights share the load, and a weight of 0 is hardly ever first', async (t) => {
  const zone = {
    'SRV _sip._udp.house.example': [srv('d', 2), srv('c', 1, 0), srv('b', 1, 30), srv('a', 1, 70)],
    'A a': [a('192.0.2.1')],
    'A b': [a('192.0.2.2')],
    'A c': [a('192.0.2.3')],
    'A d': [a('192.0.2.4')],
  };
  const first = new Map<string, number>();
  for (let seed = 1; seed <= 1_000; seed++) {
    const found = scene(zone, { seed }).places(0, { ...domain, search: 'service' });
    first.set(found[0] ?? '', (first.get(found[0] ?? '') ?? 0) + 1);
    if (found[3] !== 'udp 192.0.2.4:5060') t.fail(`priority 2 is not last: ${found}`);
  }
  const share = (host: string): number => first.get(`udp ${host}:5060`) ?? 0;
  t.ok(Math.abs(share('192.0.2.1') - 700) < 60, `weight 70 is first in ${share('192.0.2.1')} of 1000`);
  t.ok(Math.abs(share('192.0.2.2') - 300) < 60, `weight 30 in ${share('192.0.2.2')}`);
  t.ok(share('192.0.2.3') < 40, `weight 0 in ${share('192.0.2.3')}`);
});

t.test('the order of equal servers stays as it was drawn while the answer is good', async (t) => {
  const { places } = scene({
    'SRV _sip._udp.house.example': [srv('a', 1, 50), srv('b', 1, 50)],
    'A a': [a('192.0.2.1')],
    'A b': [a('192.0.2.2')],
  });
  const drawn = places(0, domain);
  for (let now = 1; now <= 50 * seconds; now += seconds) t.same(places(now, domain), drawn);
});

t.test('answers are asked for again when their time is over, that there is none too, and at most 256 names are kept', async (t) => {
  const { location, places, asked } = scene({ 'A house.example': [a('192.0.2.1')] }, { ttl: 60 });
  const plain: Destination = { transport: 'udp', host: 'house.example', port: 5060 };
  places(0, plain);
  places(59 * seconds, plain);
  t.equal(asked.length, 2);
  places(60 * seconds, plain);
  t.equal(asked.length, 4, 'the address, and that there is none of the other kind');
  for (let i = 0; i < 1_000; i++) places(0, { ...plain, host: `n${i}.example` });
  t.equal(location.describe().names, 256);
});

t.test('RFC 8767 what was known is used on for a while when no name server answers', async (t) => {
  const { location, places } = scene({ 'A house.example': [a('192.0.2.1')] }, { ttl: 60 });
  const plain: Destination = { transport: 'udp', host: 'house.example', port: 5060 };
  places(0, plain);
  const late = 100 * seconds;
  for (const type of ['A', 'AAAA'] as const)
    location.answered(late, { type, name: 'house.example' }, { records: [], ttl: 0, failed: true });
  t.same(places(late, plain), ['udp 192.0.2.1:5060']);
});

t.test(
  'RFC 3263 §4.3 a server that failed is tried last, ever longer, until it answers; alternatives follow the servers before them',
  async (t) => {
    const { location, hops, places } = scene({ 'A a.example': [a('192.0.2.1'), a('192.0.2.2')], 'A b.example': [a('192.0.2.3')] });
    const destination: Destination = {
      transport: 'udp',
      host: 'a.example',
      port: 5060,
      otherwise: { transport: 'tcp', host: 'b.example', port: 5070 },
    };
    const all = ['udp 192.0.2.1:5060', 'udp 192.0.2.2:5060', 'tcp 192.0.2.3:5070'];
    t.same(places(0, destination), all);
    const [first] = hops(0, destination);
    if (!first) throw new Error('no hop');
    location.failed(0, first);
    t.same(places(0, destination), [all[1], all[2], all[0]]);
    t.same(places(30 * seconds, destination), all, 'half a minute later it gets another chance');
    location.failed(30 * seconds, first);
    t.same(places(89 * seconds, destination), [all[1], all[2], all[0]], 'the second time a minute');
    t.same(places(90 * seconds, destination), all);
    const used = { transport: 'tcp', host: '192.0.2.3', port: 5070 } as const;
    t.equal(location.failbackAt(hops(60 * seconds, destination), used), 90 * seconds);
    t.equal(location.failbackAt(hops(60 * seconds, destination), first.destination), undefined, 'none is better than the first');
    location.succeeded(first);
    t.equal(location.failbackAt(hops(90 * seconds, destination), used), undefined);
    for (let i = 0; i < 1_000; i++) location.failed(0, { ...first, destination: { ...first.destination, port: i + 1 } });
    t.equal(location.describe().outages, 256, 'bounded');
    location.forget();
    t.equal(location.describe().outages, 0);
  },
);

t.test('RFC 3263 §4.1 a sip: address is gone to by TLS only when NAPTR says so, a sips: one always', async (t) => {
  const transports = ['udp', 'tcp', 'tls'] as const;
  const zone = {
    'SRV _sips._tcp.house.example': [srv('s.example', 0, 0, 5061)],
    'A s.example': [a('192.0.2.5')],
    'A house.example': [a('192.0.2.6')],
  };
  const plain = scene(zone, { transports });
  t.same(plain.places(0, domain), ['udp 192.0.2.6:5060']);
  t.notOk(plain.asked.some((question) => question.includes('_sips.')));
  t.same(plain.places(0, { transport: 'tls', host: 'house.example', port: 5061, search: 'service' }), ['tls 192.0.2.5:5061']);
  const [hop] = plain.hops(0, { transport: 'tls', host: 'house.example', port: 5061, search: 'service' });
  t.equal(hop?.destination.domain, 'house.example', 'what the certificate has to prove is the domain, not the name of the server');
  const pointed = scene({ ...zone, 'NAPTR house.example': [naptr('SIPS+D2T', '_sips._tcp.house.example')] }, { transports });
  t.same(pointed.places(0, domain), ['tls 192.0.2.5:5061']);
});
