import t from 'tap';
import { branchTable } from '#firmware/exchange/branch-table.ts';
import { Nonces } from '#firmware/exchange/nonces.ts';
import { RelayTokens } from '#firmware/exchange/relay-token.ts';
import { SourceLimits } from '#firmware/exchange/source-limits.ts';
import { serializeMessage } from '#firmware/sip/message/build.ts';
import { NameAddr } from '#firmware/sip/message/name-addr.ts';
import { parseSipDate, sipDate } from '#firmware/sip/message/sip-date.ts';
import { ExchangeHouse } from '#test/support/exchange-house.ts';
import { seededEntropy, seededRandom } from '#test/support/seeded-entropy.ts';
import { faultsOf } from '#test/support/state-table-walk.ts';

t.test('§20.17 a date is what the calendar says, and absent while the clock is not set', async (t) => {
  const random = seededRandom(7);
  for (let i = 0; i < 2000; i++) {
    const time = 1_577_836_800_000 + Math.floor(random() * 3e12);
    if (sipDate(time) !== new Date(time).toUTCString()) t.fail(`${time}: ${sipDate(time)}`);
  }
  t.equal(sipDate(0), undefined);
  t.equal(sipDate(Number.NaN), undefined);
  t.equal(sipDate(Date.UTC(2100, 1, 28, 23, 59, 59, 999)), 'Sun, 28 Feb 2100 23:59:59 GMT', 'a century that is no leap year');
});

t.test('§16.6 the table of a branch leads through all its states to `completed`, and timer C has its input', async (t) => {
  t.strictSame(faultsOf(branchTable, 'completed'), []);
});

t.test('RFC 7616 §3.3 the memory of nonces is bounded, and what is forgotten does not come back', async (t) => {
  const nonces = new Nonces(seededEntropy(1), 1000, 3);
  const issued = Array.from({ length: 5 }, (_, i) => nonces.issue(i * 10));
  for (const nonce of issued) t.equal(nonces.use(50, nonce, 1), 'fresh');
  t.equal(nonces.remembered, 3);
  t.equal(nonces.use(60, issued[0] ?? '', 2), 'stale', 'forgotten for want of space');
  t.equal(nonces.use(60, issued[4] ?? '', 2), 'fresh');
  t.equal(nonces.use(60, issued[4] ?? '', 2), 'replayed');
  const late = nonces.issue(2000);
  t.equal(nonces.use(2000, late, 1), 'fresh');
  t.equal(nonces.remembered, 1, 'the expired ones make room');
  for (const forged of ['', '.', '..', 'x', `${late}0`, late.replace('.', '..'), 'a'.repeat(500), late.slice(1)]) {
    t.equal(nonces.use(2000, forged, 1), 'stale', `forged: ${forged.slice(0, 40)}`);
  }
});

t.test('a relay token names both places, is good for its dialog alone, and can not be made by others', async (t) => {
  const house = new ExchangeHouse();
  const anna = house.phone('anna', '192.0.2.11');
  const tokens = new RelayTokens('secret');
  const invite = anna.build('INVITE', 'sip:bert@house.example');
  const caller = { transport: 'udp', address: '198.51.100.7', port: 31_000 } as const;
  const callee = { transport: 'tcp', address: '2001:db8::8', port: 5061 } as const;
  const token = tokens.make(invite, { caller, callee });
  t.match(token, /^[A-Za-z0-9._-]+$/, 'nothing that has to be escaped in a URI');
  t.strictSame(tokens.read(token, invite), { to: 'callee', target: callee });
  const back = anna.build('BYE', 'sip:x@y', {
    callId: invite.callId,
    from: new NameAddr(invite.to.uri, undefined, new Map([['tag', 'b']])),
    to: invite.from,
  });
  t.strictSame(tokens.read(token, back), { to: 'caller', target: caller });
  t.strictSame(tokens.read(tokens.make(invite, { caller: undefined, callee: undefined }), back), { to: 'caller', target: undefined });
  t.equal(tokens.read(token, anna.build('BYE', 'sip:x@y', { from: invite.from })), undefined, 'another Call-ID');
  t.equal(tokens.read(token, anna.build('BYE', 'sip:x@y', { callId: invite.callId })), undefined, 'other tags');
  t.equal(new RelayTokens('other').read(token, invite), undefined);
  for (const forged of ['', 'relay', 'relay---', `${token}-`, token.replace('5061', '5062'), token.slice(0, -1), 'relay-x-u.1.1-']) {
    t.equal(tokens.read(forged, invite), undefined, forged);
  }
});

t.test('rates are per source, and as many sources are remembered as may be', async (t) => {
  const limits = new SourceLimits(1, 2, 3);
  const takes = (source: string, now: number): boolean => limits.take(now, source);
  t.strictSame([takes('a', 0), takes('a', 0), takes('a', 0), takes('b', 0)], [true, true, false, true]);
  t.ok(limits.isSpent(500, 'a'));
  t.notOk(limits.isSpent(1000, 'a'));
  t.strictSame([takes('a', 1000), takes('a', 1000)], [true, false]);
  for (const source of ['c', 'd', 'e']) takes(source, 1000);
  t.ok(takes('a', 1000), 'who was quiet longest is forgotten');
});

t.test('whatever bytes come, from whatever message they were made: nothing is thrown, and the next call goes through', async (t) => {
  const seed = 20_261_120;
  t.comment(`seed ${seed}`);
  const random = seededRandom(seed);
  const house = new ExchangeHouse({ settings: { requestsAtOnce: 1e9, wrongPasswordsPerMinute: 1e9 } });
  const [anna, bert, eve] = [house.phone('anna', '192.0.2.11'), house.phone('bert', '192.0.2.21'), house.phone('eve', '203.0.113.5')];
  anna.register();
  bert.register();
  const invite = anna.call('bert');
  bert.respond(bert.one('INVITE'), 200);
  const samples = [invite, bert.one('INVITE'), anna.withinAsCaller('BYE', invite, anna.lastResponse), anna.lastResponse].map(
    serializeMessage,
  );
  for (const phone of [anna, eve]) {
    for (let i = 0; i < 3000; i++) {
      const bytes = samples[Math.floor(random() * samples.length)]?.slice() ?? new Uint8Array();
      for (let changes = 0; changes < 3; changes++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      house.receive(phone.flow, random() < 0.2 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes);
    }
  }
  t.ok(house.unreadable.every((text) => text.startsWith('SIP/2.0 4')));
  for (const phone of [anna, bert]) phone.inbox.length = 0;
  bert.register();
  anna.call('bert');
  t.ok(bert.requests('INVITE').length > 0);
});

t.test('§20.17 a Date read back is the time it was made of; what is none is none', async (t) => {
  for (const time of [1_577_836_800_000, 1_582_934_400_000, 1_709_164_799_000, 1_735_689_599_000, 4_107_542_400_000, 1_795_219_200_000]) {
    t.equal(parseSipDate(sipDate(time) ?? ''), time);
  }
  const good = 'Fri, 20 Nov 2026 22:37:38 GMT';
  t.equal(parseSipDate(good), 1_795_214_258_000);
  for (const bad of [
    '',
    'now',
    good.replace('GMT', 'CET'),
    good.replace('Nov', 'nov'),
    good.replace('20 ', '32 '),
    good.replace('22:', '24:'),
    `${good} x`,
    good.replace('2026', '99999'),
    good.replace(':38', ''),
    good.replace('37', '3x'),
  ]) {
    t.equal(parseSipDate(bad), undefined, bad);
  }
});
