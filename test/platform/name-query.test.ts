import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { NameQuery } from '#firmware/platform/name-query.ts';
import { NameServer } from '#test/support/name-server.ts';
import { seededEntropy } from '#test/support/seeded-entropy.ts';

async function scene(t: Test, hosts = '') {
  const server = await NameServer.start(t);
  const hostsFile = join(t.testdir(), 'hosts');
  writeFileSync(hostsFile, hosts);
  const entropy = seededEntropy(5);
  const query = new NameQuery({ entropy, servers: [server.address], hostsFile, patienceMs: 100 });
  return { server, hostsFile, entropy, query };
}

t.test('records of all four types come with the time they are good', async (t) => {
  const { server, query } = await scene(t);
  const naptr = { order: 10, preference: 20, flags: 's', services: 'SIP+D2U', regexp: '', replacement: '_sip._udp.house.example' };
  server.add(
    { type: 'NAPTR', name: 'house.example', ttl: 300, data: naptr },
    { type: 'SRV', name: '_sip._udp.house.example', ttl: 120, data: { priority: 1, weight: 2, port: 5070, target: 'a.house.example' } },
    { type: 'SRV', name: '_sip._udp.house.example', ttl: 60, data: { priority: 2, weight: 0, port: 5060, target: '.' } },
    { type: 'A', name: 'a.house.example', ttl: 30, data: '192.0.2.7' },
    { type: 'AAAA', name: 'a.house.example', ttl: 40, data: '2001:db8::7' },
  );
  t.same(await query.query({ type: 'NAPTR', name: 'house.example' }), {
    records: [{ type: 'NAPTR', order: 10, preference: 20, flags: 's', service: 'SIP+D2U', replacement: '_sip._udp.house.example' }],
    ttl: 300,
    failed: false,
  });
  const services = await query.query({ type: 'SRV', name: '_sip._udp.house.example' });
  t.equal(services.ttl, 60, 'the shortest life counts');
  t.same(services.records, [
    { type: 'SRV', priority: 1, weight: 2, port: 5070, target: 'a.house.example' },
    { type: 'SRV', priority: 2, weight: 0, port: 5060, target: '' },
  ]);
  t.same(await query.query({ type: 'A', name: 'A.house.example' }), {
    records: [{ type: 'A', address: '192.0.2.7' }],
    ttl: 30,
    failed: false,
  });
  t.same((await query.query({ type: 'AAAA', name: 'a.house.example' })).records, [{ type: 'AAAA', address: '2001:db8::7' }]);
});

t.test('a name behind a CNAME has the addresses of the name it leads to', async (t) => {
  const { server, query } = await scene(t);
  server.add(
    { type: 'CNAME', name: 'pbx.example', ttl: 50, data: 'real.example' },
    { type: 'A', name: 'pbx.example', ttl: 80, data: '192.0.2.8' },
  );
  t.same(await query.query({ type: 'A', name: 'pbx.example' }), { records: [{ type: 'A', address: '192.0.2.8' }], ttl: 50, failed: false });
});

t.test('RFC 2308 that there is no such name is an answer, good for as long as the zone says', async (t) => {
  const { query } = await scene(t);
  t.same(await query.query({ type: 'SRV', name: '_sip._tcp.house.example' }), { records: [], ttl: 17, failed: false });
});

t.test('an answer that is too long for a datagram is asked for by TCP', async (t) => {
  const { server, query } = await scene(t);
  server.truncates = true;
  server.add({ type: 'A', name: 'a.house.example', ttl: 30, data: '192.0.2.7' });
  t.same((await query.query({ type: 'A', name: 'a.house.example' })).records, [{ type: 'A', address: '192.0.2.7' }]);
  t.same(server.transports, ['udp', 'tcp']);
});

t.test('the next name server is asked when one is silent, fails or talks nonsense; nobody left is no answer', async (t) => {
  const { server, query, hostsFile, entropy } = await scene(t);
  const other = await NameServer.start(t);
  other.add({ type: 'A', name: 'a.house.example', ttl: 30, data: '192.0.2.7' });
  const both = new NameQuery({ entropy, servers: [server.address, other.address], hostsFile, patienceMs: 100 });
  const address = async (): Promise<unknown> => (await both.query({ type: 'A', name: 'a.house.example' })).records[0];
  const right = { type: 'A', address: '192.0.2.7' };
  server.isSilent = true;
  t.same(await address(), right, 'silence');
  server.isSilent = false;
  server.missing = 'SERVFAIL';
  t.same(await address(), right, 'SERVFAIL');
  server.garbage = Uint8Array.from([1, 2, 3]);
  t.same(await address(), right, 'three bytes');
  server.garbage = new Uint8Array(600).fill(0xc0);
  t.same(await address(), right, 'pointers to themselves');
  const began = performance.now();
  t.same(await query.query({ type: 'A', name: 'a.house.example' }), { records: [], ttl: 0, failed: true });
  t.ok(performance.now() - began < 1_000, 'bounded');
});

t.test('the hosts file comes before any name server', async (t) => {
  const hosts = '# ours\n192.0.2.9\tpbx.house.example pbx # the box\n2001:db8::9 pbx\nnonsense pbx\n';
  const { server, query } = await scene(t, hosts);
  t.same((await query.query({ type: 'A', name: 'PBX' })).records, [{ type: 'A', address: '192.0.2.9' }]);
  t.same((await query.query({ type: 'AAAA', name: 'pbx' })).records, [{ type: 'AAAA', address: '2001:db8::9' }]);
  t.same(server.asked, []);
});

t.test('without servers of its own it asks those of the system, and the system itself for addresses', async (t) => {
  const query = new NameQuery({ entropy: seededEntropy(6), hostsFile: join(t.testdir(), 'none'), patienceMs: 100 });
  t.same((await query.query({ type: 'A', name: 'localhost' })).records, [{ type: 'A', address: '127.0.0.1' }]);
});
