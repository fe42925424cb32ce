import t from 'tap';
import type { BindingRecord } from '#firmware/exchange/location-service.ts';
import { digestAlgorithms } from '#firmware/sip/digest-hash.ts';
import type { Response } from '#firmware/sip/message/message.ts';
import { NameAddr } from '#firmware/sip/message/name-addr.ts';
import { Via } from '#firmware/sip/message/via.ts';
import { ExchangeHouse, realm, type ScriptedPhone, sipUri, userNamed } from '#test/support/exchange-house.ts';

function contactsOf(response: Response): string[] {
  return response.contacts === '*' ? ['*'] : response.contacts.map(({ uri, params }) => `${uri} ${params.get('expires')}`);
}

function contact(uri: string, params: Readonly<Record<string, string>> = {}): NameAddr {
  return new NameAddr(sipUri(uri), undefined, new Map(Object.entries(params)));
}

/** The records on disk after these events, by user and URI. */
function onDisk(house: ExchangeHouse): Map<string, BindingRecord> {
  const disk = new Map<string, BindingRecord>();
  for (const event of house.events) {
    if (event.type === 'bindingStored') disk.set(`${event.record.user} ${event.record.uri}`, event.record);
    if (event.type === 'bindingRemoved') disk.delete(`${event.user} ${event.uri}`);
  }
  return disk;
}

t.test('§22.1, RFC 8760 §2.3 a REGISTER without credentials is challenged, the strongest algorithm first', async (t) => {
  const house = new ExchangeHouse();
  const anna = house.phone('anna', '192.0.2.11');
  anna.send(anna.build('REGISTER', 'sip:house.example', { to: new NameAddr(anna.aor), contact: new NameAddr(anna.contact) }));
  const { statusCode, authenticate } = anna.lastResponse;
  t.equal(statusCode, 401);
  t.strictSame(
    authenticate.map(({ params }) => params.get('algorithm')),
    ['SHA-256', 'MD5'],
  );
  t.ok(authenticate.every(({ params }) => params.get('realm') === realm && params.get('qop') === 'auth' && !params.has('stale')));
  t.strictSame([...house.exchange.bindingsOf('anna')], [], 'nothing is registered yet');
});

t.test('§10.3 a REGISTER with the right answer, by either algorithm, with qop or without, is accepted', async (t) => {
  for (const algorithm of digestAlgorithms) {
    for (const qop of [true, false]) {
      const house = new ExchangeHouse();
      const anna = house.phone('anna', '192.0.2.11');
      const first = anna.build('REGISTER', 'sip:house.example', { to: new NameAddr(anna.aor), contact: new NameAddr(anna.contact) });
      anna.send(first);
      anna.send(anna.authorize(anna.again(first), anna.lastResponse, { algorithm, qop }));
      t.equal(anna.lastResponse.statusCode, 200, `${algorithm} ${qop ? 'with' : 'without'} qop`);
      t.strictSame(contactsOf(anna.lastResponse), ['sip:anna-phone@192.0.2.11:5060 3600']);
      t.equal(anna.lastResponse.header('Date'), 'Tue, 29 Feb 2028 23:05:09 GMT', '§20.17 with the date');
    }
  }
});

t.test('RFC 8760 a phone that gives up at SHA-256 and comes back is offered MD5 alone, then and later', async (t) => {
  const house = new ExchangeHouse();
  const offered = (phone: ReturnType<typeof house.phone>) => phone.lastResponse.authenticate.map(({ params }) => params.get('algorithm'));
  const old = house.phone('anna', '192.0.2.11');
  const first = old.build('REGISTER', 'sip:house.example', { to: new NameAddr(old.aor), contact: new NameAddr(old.contact) });
  old.send(first);
  t.strictSame(offered(old), ['SHA-256', 'MD5']);
  const second = old.again(first);
  old.send(second);
  t.strictSame(offered(old), ['MD5'], 'it came back with nothing');
  old.send(old.authorize(old.again(second), old.lastResponse, { algorithm: 'MD5' }));
  t.equal(old.lastResponse.statusCode, 200);
  old.send(old.build('REGISTER', 'sip:house.example', { to: new NameAddr(old.aor) }));
  t.strictSame(offered(old), ['MD5'], 'it is known by now');

  const modern = house.phone('anna', '192.0.2.12');
  const own = modern.build('REGISTER', 'sip:house.example', { to: new NameAddr(modern.aor) });
  modern.send(own);
  t.strictSame(offered(modern), ['SHA-256', 'MD5'], 'another phone of the same user');
  modern.send(modern.authorize(modern.again(own), modern.lastResponse));
  t.equal(modern.lastResponse.statusCode, 200);
  for (const request of [modern.again(own), modern.again(modern.again(own))]) modern.send(request);
  t.strictSame(offered(modern), ['SHA-256', 'MD5'], 'who can do better is never offered less');

  const strict = new ExchangeHouse();
  strict.exchange.configure({ algorithms: ['SHA-256'] });
  const refused = strict.phone('anna', '192.0.2.11');
  const asked = refused.build('REGISTER', 'sip:house.example', { to: new NameAddr(refused.aor) });
  refused.send(asked);
  refused.send(refused.again(asked));
  t.strictSame(offered(refused), ['SHA-256'], 'unless MD5 is forbidden');
});

t.test('RFC 8760 the algorithms may be fewer, and no others are accepted then', async (t) => {
  const house = new ExchangeHouse();
  const anna = house.phone('anna', '192.0.2.11');
  const first = anna.build('REGISTER', 'sip:house.example', { to: new NameAddr(anna.aor) });
  anna.send(first);
  const strongest = anna.lastResponse;
  house.exchange.configure({ algorithms: ['SHA-256'] });
  anna.send(anna.authorize(anna.again(first), strongest, { algorithm: 'MD5' }));
  t.equal(anna.lastResponse.statusCode, 401);
  t.strictSame(
    anna.lastResponse.authenticate.map(({ params }) => params.get('algorithm')),
    ['SHA-256'],
  );
  anna.send(anna.authorize(anna.again(first), anna.lastResponse));
  t.equal(anna.lastResponse.statusCode, 200);
});

t.test('§10.3 step 8 the 200 lists every binding with what is left of it; without Contact it only asks', async (t) => {
  const house = new ExchangeHouse();
  const desk = house.phone('anna', '192.0.2.11');
  const kitchen = house.phone('anna', '192.0.2.12');
  desk.register({ expires: 600 });
  house.advance(100_400);
  t.strictSame(contactsOf(kitchen.register({ contact: contact('sip:k@192.0.2.12', { q: '0.5', expires: '120' }) })), [
    'sip:anna-phone@192.0.2.11:5060 500',
    'sip:k@192.0.2.12 120',
  ]);
  kitchen.ask('REGISTER', 'sip:house.example', { to: new NameAddr(kitchen.aor) });
  t.strictSame(
    contactsOf(kitchen.lastResponse),
    ['sip:anna-phone@192.0.2.11:5060 500', 'sip:k@192.0.2.12 120'],
    'a question changes nothing',
  );
  house.advance(120_000);
  t.equal(house.exchange.bindingsOf('anna').length, 1, 'one has expired');
  t.equal(onDisk(house).size, 1, 'on the disk too');
  house.advance(400_000);
  t.strictSame([...house.exchange.bindingsOf('anna')], []);
});

t.test('§10.3 step 7 lifetimes: Contact before header, 423 below the minimum, cut above the maximum, 0 removes', async (t) => {
  const house = new ExchangeHouse({ settings: { minimumExpires: 60, maximumExpires: 1800 } });
  const anna = house.phone('anna', '192.0.2.11');
  const tooShort = anna.register({ expires: 59 });
  t.equal(tooShort.statusCode, 423);
  t.equal(tooShort.minExpires, 60);
  t.strictSame(contactsOf(anna.register({ expires: 60 })), ['sip:anna-phone@192.0.2.11:5060 60']);
  t.strictSame(contactsOf(anna.register({ expires: 7200 })), ['sip:anna-phone@192.0.2.11:5060 1800']);
  t.strictSame(
    contactsOf(anna.register({ contact: contact(anna.contact.toString(), { expires: '90' }), expires: 1000 })),
    ['sip:anna-phone@192.0.2.11:5060 90'],
    'what the Contact says goes before the header',
  );
  t.strictSame(contactsOf(anna.register({ expires: 0 })), []);
  t.equal(onDisk(house).size, 0);
});

t.test('§10.3 step 6 an asterisk removes all bindings, and only with Expires: 0 and alone', async (t) => {
  const house = new ExchangeHouse();
  const desk = house.phone('anna', '192.0.2.11');
  const kitchen = house.phone('anna', '192.0.2.12');
  desk.register();
  kitchen.register();
  t.equal(desk.register({ contact: '*' }).statusCode, 400, 'without Expires');
  t.equal(desk.register({ contact: '*', expires: 10 }).statusCode, 400, 'with another Expires');
  t.equal(desk.register({ contact: '*', expires: 0, headers: [['Contact', '<sip:a@192.0.2.3>']] }).statusCode, 400, 'not alone');
  t.equal(house.exchange.bindingsOf('anna').length, 2);
  t.equal(desk.register({ contact: '*', expires: 0 }).statusCode, 200);
  t.equal(house.exchange.bindingsOf('anna').length, 0);
});

t.test('§10.3 step 7 within a Call-ID an older CSeq changes nothing', async (t) => {
  const house = new ExchangeHouse();
  const anna = house.phone('anna', '192.0.2.11');
  anna.register({ callId: 'boot-1', sequence: 20 });
  const overtaken = anna.ask('REGISTER', 'sip:house.example', {
    to: new NameAddr(anna.aor),
    callId: 'boot-1',
    sequence: 3,
    contact: contact(anna.contact.toString(), { expires: '0' }),
  });
  t.ok(overtaken.cSeq.number < 20);
  t.equal(anna.lastResponse.statusCode, 500);
  anna.ask('REGISTER', 'sip:house.example', {
    to: new NameAddr(anna.aor),
    callId: 'boot-1',
    sequence: 3,
    contact: '*',
    headers: [['Expires', '0']],
  });
  t.equal(anna.lastResponse.statusCode, 500, 'an asterisk neither');
  t.equal(house.exchange.bindingsOf('anna').length, 1);
});

t.test('§10.3 step 7 all Contacts of a REGISTER or none', async (t) => {
  const house = new ExchangeHouse();
  const anna = house.phone('anna', '192.0.2.11');
  const both = anna.register({ contact: contact('sip:one@192.0.2.11'), headers: [['Contact', '<tel:+4930>']] });
  t.equal(both.statusCode, 400);
  t.equal(house.exchange.bindingsOf('anna').length, 0);
  const bad = anna.register({ contact: contact('sip:one@192.0.2.11', { q: '7' }) });
  t.equal(bad.statusCode, 400, 'a q that is none');
});

t.test('a user has a bounded number of bindings; the one nearest its end makes room', async (t) => {
  const house = new ExchangeHouse({ settings: { bindingsPerUser: 3 } });
  for (const [index, expires] of [300, 200, 400, 500].entries()) house.phone('anna', `192.0.2.${20 + index}`).register({ expires });
  t.strictSame(
    house.exchange
      .bindingsOf('anna')
      .map(({ source }) => source.address)
      .sort(),
    ['192.0.2.20', '192.0.2.22', '192.0.2.23'],
  );
  const anna = house.phone('anna', '192.0.2.30');
  const many = Array.from({ length: 4 }, (_, index) => ['Contact', `<sip:${index}@192.0.2.30>`] as const);
  t.equal(anna.register({ headers: many }).statusCode, 403, 'more at once than a user may have');
  t.equal(onDisk(house).size, 3);
});

t.test('a phone that restarts takes the place of its old self', async (t) => {
  const house = new ExchangeHouse();
  const anna = house.phone('anna', '192.0.2.11');
  anna.register({ contact: contact('sip:x1@192.0.2.11:5060'), callId: 'first' });
  anna.register({ contact: contact('sip:x2@192.0.2.11:5060'), callId: 'second' });
  t.strictSame(
    house.exchange.bindingsOf('anna').map(({ uri }) => uri.user),
    ['x2'],
    'same socket, other Call-ID',
  );
  const moved = house.phone('anna', '192.0.2.99');
  const id = { '+sip.instance': '<urn:uuid:00000000-0000-1000-8000-000A95A0E128>' };
  moved.register({ contact: contact('sip:y1@192.0.2.99', id) });
  house.phone('anna', '192.0.2.98').register({ contact: contact('sip:y2@192.0.2.98', id) });
  t.strictSame(
    house.exchange
      .bindingsOf('anna')
      .map(({ uri }) => uri.user)
      .sort(),
    ['x2', 'y2'],
    'RFC 5626 §6 same instance',
  );
  t.equal(onDisk(house).size, 2);
});

t.test('RFC 3327 §5.3 Path is kept and given back, if the phone knows what it is', async (t) => {
  const house = new ExchangeHouse();
  const anna = house.phone('anna', '192.0.2.11');
  const path = [['Path', '<sip:edge.example;lr>']] as const;
  t.equal(anna.register({ headers: [...path, ['Supported', 'path']] }).header('Path'), '<sip:edge.example;lr>');
  t.equal(house.exchange.bindingsOf('anna')[0]?.path.join(), '<sip:edge.example;lr>');
  t.equal(anna.register({ headers: path }).header('Path'), undefined);
});

t.test('§10.3 steps 1, 2 and 5 a foreign domain, an unknown extension and an unknown user are refused', async (t) => {
  const house = new ExchangeHouse();
  const anna = house.phone('anna', '192.0.2.11');
  anna.ask('REGISTER', 'sip:elsewhere.example', { to: new NameAddr(anna.aor), contact: new NameAddr(anna.contact) });
  t.equal(anna.lastResponse.statusCode, 403, 'not relayed to another registrar');
  const unsupported = anna.register({ headers: [['Require', 'resource-priority, path']] });
  t.equal(unsupported.statusCode, 420);
  t.equal(unsupported.header('Unsupported'), 'resource-priority');
  t.equal(anna.register({ to: new NameAddr(sipUri('sip:anna@elsewhere.example')) }).statusCode, 404);
  t.equal(anna.register({ to: new NameAddr(sipUri('sip:anna@192.0.2.1:5070')) }).statusCode, 200, 'the address of this machine is ours');
  t.equal(anna.register({ to: new NameAddr(sipUri('sip:anna@192.0.2.1:5060')) }).statusCode, 404, 'another port of it is not');
});

t.test('hostile registrations: a wrong password, an unknown user, the address of another user', async (t) => {
  const house = new ExchangeHouse();
  const eve = house.phone('bert', '192.0.2.66');
  eve.ask('REGISTER', 'sip:house.example', { to: new NameAddr(eve.aor), contact: new NameAddr(eve.contact) }, 'guess');
  t.equal(eve.lastResponse.statusCode, 401);
  t.notOk(eve.lastResponse.authenticate[0]?.params.has('stale'));
  const nobody = house.phone('nobody', '192.0.2.66', { port: 5062 });
  t.equal(nobody.register().statusCode, 401, 'a user that does not exist looks the same');
  t.equal(eve.register({ to: new NameAddr(sipUri('sip:anna@house.example')) }).statusCode, 403);
  t.equal(eve.register({ to: new NameAddr(sipUri('sip:ghost@house.example')) }).statusCode, 403, 'whether it exists or not');
  t.equal(house.exchange.describe().bindings, 0);
  t.equal(house.exchange.describe().counters['credentials-wrong'], 2);
});

t.test(
  'RFC 7616 §3.3 a nonce: replayed it is stale, its counts may overtake each other, it expires, and a forged one is stale',
  async (t) => {
    const house = new ExchangeHouse({ settings: { nonceLifetime: 300_000 } });
    const anna = house.phone('anna', '192.0.2.11');
    const first = anna.build('REGISTER', 'sip:house.example', { to: new NameAddr(anna.aor), contact: new NameAddr(anna.contact) });
    anna.send(first);
    const challenge = anna.lastResponse;
    const registerWith = (nonceCount: number): Response => {
      anna.send(anna.authorize(anna.again(first), challenge, { nonceCount }));
      return anna.lastResponse;
    };
    t.equal(registerWith(1).statusCode, 200);
    const replayed = registerWith(1);
    t.equal(replayed.statusCode, 401);
    t.equal(replayed.authenticate[0]?.params.get('stale'), 'true');
    t.strictSame(
      [registerWith(5), registerWith(3), registerWith(4)].map(({ statusCode }) => statusCode),
      [200, 200, 200],
    );
    t.equal(registerWith(3).statusCode, 401, 'a count in between is good once too');
    t.equal(registerWith(100).statusCode, 200);
    t.equal(registerWith(50).statusCode, 401, 'too far behind to be remembered');
    house.advance(300_001);
    t.equal(registerWith(101).authenticate[0]?.params.get('stale'), 'true', 'too old');
    const restarted = new ExchangeHouse({}, 2).phone('anna', '192.0.2.11');
    restarted.send(restarted.authorize(first, challenge));
    t.equal(restarted.lastResponse.authenticate[0]?.params.get('stale'), 'true', 'of an earlier life, but with the right password');
  },
);

t.test('RFC 7616 §3.4 credentials that are none, or for another place, are refused', async (t) => {
  const house = new ExchangeHouse();
  const anna = house.phone('anna', '192.0.2.11');
  const first = anna.build('REGISTER', 'sip:house.example', { to: new NameAddr(anna.aor) });
  anna.send(first);
  anna.send(anna.authorize(anna.again(first), anna.lastResponse, { uri: 'sip:elsewhere.example' }));
  t.equal(anna.lastResponse.statusCode, 400);
  const value = `Digest username="anna", realm="${realm}", nonce="x", uri="sip:house.example", response="y"`;
  for (const more of [', algorithm=SHA-512-256', ', qop=auth-int, nc=00000001, cnonce="a"', ', qop=auth', ', qop=auth, nc=1, cnonce="a"']) {
    anna.send(anna.build('REGISTER', 'sip:house.example', { to: new NameAddr(anna.aor), headers: [['Authorization', value + more]] }));
    t.equal(anna.lastResponse.statusCode, 400, more);
  }
});

t.test('a flood: wrong passwords bar their source for a while, strangers get so many requests a second', async (t) => {
  const house = new ExchangeHouse({ settings: { wrongPasswordsPerMinute: 6, requestsPerSecond: 10, requestsAtOnce: 30 } });
  const eve = house.phone('anna', '192.0.2.66');
  const guess = (): number => {
    eve.ask('REGISTER', 'sip:house.example', { to: new NameAddr(eve.aor) }, 'guess');
    return eve.lastResponse.statusCode;
  };
  t.strictSame(Array.from({ length: 8 }, guess), [401, 401, 401, 401, 401, 401, 403, 403]);
  t.equal(eve.register().statusCode, 403, 'the right password neither, for now');
  t.equal(house.phone('anna', '192.0.2.11').register().statusCode, 200, 'from elsewhere it is good');
  house.advance(10_001);
  t.equal(eve.register().statusCode, 200, 'later it is good again');

  const flood: ScriptedPhone = house.phone('dora', '192.0.2.67');
  for (let i = 0; i < 100; i++) flood.send(flood.build('OPTIONS', 'sip:house.example'));
  t.equal(flood.responses.length, 30, 'the rest is dropped unread');
  house.advance(1000);
  for (let i = 0; i < 100; i++) flood.send(flood.build('OPTIONS', 'sip:house.example'));
  t.equal(flood.responses.length, 40);
  t.equal(house.exchange.describe().counters['source-limited'], 160);
});

t.test('a restart keeps the bindings; none lives longer than it was granted', async (t) => {
  const before = new ExchangeHouse();
  before.phone('anna', '192.0.2.11').register({ contact: contact('sip:a@192.0.2.11:5060', { q: '0.3' }), expires: 600 });
  before.phone('bert', '192.0.2.12', { transport: 'tcp' }).register({ expires: 300 });
  before.advance(100_000);
  const records = before.exchange.bindingRecords(before.now);
  t.strictSame(
    [...onDisk(before).values()].map(({ expiresInMs }) => expiresInMs),
    [600_000, 300_000],
  );
  t.strictSame(
    records.map(({ expiresInMs }) => expiresInMs),
    [500_000, 200_000],
    'as they stand now',
  );

  const after = new ExchangeHouse({ users: [userNamed('anna')] });
  t.strictSame(
    records.map((record) => after.exchange.restore(after.now, record)),
    [true, false],
    'a user who is gone has no bindings',
  );
  const [binding] = after.exchange.bindingsOf('anna');
  t.equal(binding?.q, 0.3);
  t.equal(binding?.source.address, '192.0.2.11');
  t.notOk(after.exchange.restore(after.now, { ...onDisk(before).values().next().value, expiresInMs: -1 } as BindingRecord), 'expired');
  after.advance(500_001);
  t.strictSame([...after.exchange.bindingsOf('anna')], []);
});

t.test('users: added, changed, forwarded and removed; every change for the disk once', async (t) => {
  const house = new ExchangeHouse({ users: [], settings: { maximumUsers: 2 } });
  house.exchange.setUser('anna', 'first password');
  house.exchange.setUser('anna', 'anna-password');
  house.exchange.setUser('bert', 'bert-password');
  t.throws(() => house.exchange.setUser('carl', 'x'), { code: 'too-many-users' });
  t.throws(() => house.exchange.removeUser('carl'), { code: 'unknown-user' });
  t.throws(() => house.exchange.setForward('carl', 'anna'), { code: 'unknown-user' });
  t.throws(() => house.exchange.setForward('anna', 'not a target'), { code: 'forward-target' });
  t.throws(() => house.exchange.setForward('anna', 'anna'), { code: 'forward-target' });
  house.exchange.setForward('anna', 'bert');
  house.phone('anna', '192.0.2.11').register();
  house.exchange.setUser('anna', 'anna-password');
  t.equal(house.exchange.describe().bindings, 1, 'the same password again changes nothing');
  house.exchange.setUser('anna', 'another password');
  t.equal(house.exchange.describe().bindings, 0, 'another one ends what the old one registered');
  house.exchange.setUser('anna', 'anna-password');
  house.phone('anna', '192.0.2.11').register();
  house.settle();
  house.events.length = 0;
  house.exchange.removeUser('anna');
  house.settle();
  t.strictSame(
    [...house.exchange.users].map(({ name, proofs }) => [name, proofs]),
    [['bert', userNamed('bert').proofs]],
  );
  t.strictSame(
    house.events.map((event) => event.type),
    ['userRemoved', 'bindingRemoved'],
  );
  t.equal(onDisk(house).size, 0, 'with a user his bindings go');
});

t.test('RFC 5626 §6 a flow is granted to who comes straight, and refused with 439 where the first proxy keeps none', async (t) => {
  const house = new ExchangeHouse();
  const anna = house.phone('anna', '192.0.2.11');
  const named = contact(`${anna.contact}`, { '+sip.instance': '"<urn:uuid:1>"', 'reg-id': '1' });
  const supported = [['Supported', 'path, outbound']] as const;
  const to = new NameAddr(anna.aor);
  anna.ask('REGISTER', 'sip:house.example', { to, contact: named, headers: supported });
  t.equal(anna.lastResponse.statusCode, 200);
  t.same(anna.lastResponse.require, ['outbound']);
  t.equal(anna.lastResponse.header('Flow-Timer'), '25');
  anna.ask('REGISTER', 'sip:house.example', { to, contact: named });
  t.same(anna.lastResponse.require, [], 'not to who does not know it');
  const vias = [new Via({ transport: 'UDP', host: 'phone.example', params: new Map([['branch', 'z9hG4bKx']]) })];
  const byProxy = (headers: readonly (readonly [string, string])[]): number => {
    const parts = { to, contact: named, headers, vias };
    anna.send(anna.build('REGISTER', 'sip:house.example', parts));
    anna.send(anna.authorize(anna.build('REGISTER', 'sip:house.example', parts), anna.lastResponse));
    return anna.lastResponse.statusCode;
  };
  t.equal(byProxy(supported), 439);
  t.equal(byProxy([...supported, ['Path', '<sip:token@proxy.example;lr;ob>']]), 200);
});

t.test('RFC 5626 §5.3 of two flows of one phone one gets the call: the one that is open', async (t) => {
  const house = new ExchangeHouse();
  const [bert, anna] = [house.phone('bert', '192.0.2.12'), house.phone('anna', '192.0.2.11')];
  bert.register();
  const supported = [['Supported', 'path, outbound']] as const;
  for (const flow of ['1', '2']) {
    const uri = `sip:anna-${flow}@192.0.2.11:5060`;
    const named = contact(uri, { '+sip.instance': '"<urn:uuid:1>"', 'reg-id': flow });
    anna.ask('REGISTER', 'sip:house.example', { to: new NameAddr(anna.aor), contact: named, headers: supported });
  }
  t.equal(house.exchange.bindingsOf('anna').length, 2);
  bert.ask('INVITE', 'sip:anna@house.example', { contact: new NameAddr(bert.contact) });
  t.equal(anna.inbox.filter((message) => message.kind === 'request' && message.method === 'INVITE').length, 1);
});

t.test(
  'RFC 5626 §5.3 a flow that has failed (430, or a lost connection) is followed by the next of the same phone; without one 480',
  async (t) => {
    const house = new ExchangeHouse();
    const bert = house.phone('bert', '192.0.2.12');
    bert.register();
    const edges = [1, 2].map((number) => house.phone('anna', '192.0.2.11', { port: 5060 + number, transport: 'tcp' }));
    for (const [index, edge] of edges.entries()) {
      const params = { '+sip.instance': '"<urn:uuid:1>"', 'reg-id': String(index + 1) };
      edge.ask('REGISTER', 'sip:house.example', {
        to: new NameAddr(edge.aor),
        contact: contact(edge.contact.toString(), params),
        headers: [['Supported', 'path, outbound']],
      });
    }
    const [older, latest] = edges;
    if (!older || !latest) throw new Error('two flows');
    const call = () => {
      for (const phone of [bert, older, latest]) phone.inbox.length = 0;
      return bert.call('anna');
    };
    call();
    latest.respond(latest.one('INVITE'), 430);
    t.same(bert.codes.slice(1), [], 'nothing of it reaches the caller');
    older.respond(older.one('INVITE'), 180);
    older.respond(older.one('INVITE'), 200);
    t.same(bert.codes.slice(1), [180, 200]);
    t.same(
      latest.requests().map(({ method }) => method),
      ['INVITE', 'ACK'],
    );
    t.equal(house.exchange.describe().counters['flow-failed-over'], 1);
    call();
    latest.respond(latest.one('INVITE'), 430);
    older.respond(older.one('INVITE'), 430);
    t.same(bert.codes.slice(1), [480], '§11.5 no caller is told 430');
    call();
    house.remove(latest);
    older.respond(older.one('INVITE'), 486);
    t.same(bert.codes.slice(1), [486], 'the connection broke while it rang');
    const cancelled = call();
    bert.cancel(cancelled);
    older.respond(older.one('INVITE'), 430);
    t.equal(older.requests('INVITE').length, 1, 'nobody waits any more');
  },
);

/** Bert at two phones that ask for GRUUs, and Anna. */
function houseWithGruus(ports: ConstructorParameters<typeof ExchangeHouse>[0] = {}) {
  const house = new ExchangeHouse(ports);
  const anna = house.phone('anna', '192.0.2.11');
  const desk = house.phone('bert', '192.0.2.21');
  const kitchen = house.phone('bert', '192.0.2.22');
  anna.register();
  const given = (phone: ScriptedPhone, callId = phone.address, supported = 'gruu') => {
    const named = new NameAddr(phone.contact, undefined, new Map([['+sip.instance', `<urn:uuid:${phone.address}>`]]));
    const { contacts } = phone.register({ contact: named, callId, headers: [['Supported', supported]] });
    const own = contacts === '*' ? undefined : contacts.find(({ uri }) => uri.toString() === phone.contact.toString());
    return { public: own?.params.get('pub-gruu') ?? '', temporary: own?.params.get('temp-gruu') ?? '', contacts: String(contacts) };
  };
  return { house, anna, desk, kitchen, given };
}

t.test('RFC 5627 §5.1 a phone that names its instance gets a public GRUU, always the same, and a temporary one, ever new', async (t) => {
  const { desk, kitchen, given } = houseWithGruus();
  const first = given(desk);
  t.equal(first.public, 'sip:bert@house.example;gr=urn:uuid:192.0.2.21');
  t.match(first.temporary, /^sip:tgruu-[0-9a-f]{32}@house\.example;gr$/);
  const second = given(desk);
  t.equal(second.public, first.public);
  t.not(second.temporary, first.temporary);
  const other = given(kitchen);
  t.match(other.contacts, /gr=urn:uuid:192\.0\.2\.21/, 'phones of one person may know each other');
  t.equal(other.contacts.split('temp-gruu').length - 1, 1, 'but not what hides the other');
  t.same(given(desk, '192.0.2.21', 'path').public, '', 'nobody asked');
  t.notMatch(String(desk.register().contacts.toString()), /192\.0\.2\.21:5060>;pub-gruu/, 'without an instance there is none');
});

t.test('RFC 5627 §6 a GRUU leads to that phone alone, within dialogs and out of them, wherever it is now', async (t) => {
  const { house, anna, desk, kitchen, given } = houseWithGruus();
  const [atDesk] = [given(desk), given(kitchen)];
  for (const phone of [anna, desk, kitchen]) phone.inbox.length = 0;
  for (const gruu of [atDesk.public, atDesk.temporary]) {
    const sent = anna.ask('INVITE', gruu, { contact: new NameAddr(anna.contact), body: 'v=0' });
    const invite = desk.requests('INVITE').at(-1);
    if (!invite) throw new Error(`${gruu} leads nowhere`);
    t.equal(invite.requestUri.toString(), desk.contact.toString(), 'by its Contact');
    t.same(kitchen.requests(), []);
    desk.respond(invite, 200, { contact: new NameAddr(sipUri(gruu)) });
    anna.send(anna.withinAsCaller('ACK', sent, anna.lastResponse));
    t.equal(desk.requests('ACK').at(-1)?.requestUri.toString(), desk.contact.toString(), 'requests within the dialog too');
    anna.send(anna.withinAsCaller('BYE', sent, anna.lastResponse));
    t.equal(desk.requests('BYE').at(-1)?.requestUri.toString(), desk.contact.toString());
  }
  const outcome = (uri: string) => {
    anna.ask('INVITE', uri, { contact: new NameAddr(anna.contact), body: 'v=0' });
    return anna.lastResponse.statusCode;
  };
  t.equal(outcome('sip:bert@house.example;gr=urn:uuid:none'), 480, 'not there now');
  t.equal(outcome('sip:nobody@house.example;gr=urn:uuid:192.0.2.21'), 404);
  t.equal(outcome('sip:bert@house.example;gr'), 404);
  t.equal(outcome(`sip:tgruu-${'0'.repeat(32)}@house.example;gr`), 404);
  t.equal(outcome('sip:tgruu-@house.example;gr'), 404);
  given(desk, 'another');
  t.equal(outcome(atDesk.temporary), 480, '§3.1.2 a phone that has started anew has new ones');
  house.exchange.removeUser('bert');
  t.equal(outcome(atDesk.public), 404);
});

t.test('RFC 5627 §5.1 a temporary GRUU outlives a restart of the exchange, with the registration it came with', async (t) => {
  const before = houseWithGruus();
  const { temporary } = before.given(before.desk);
  const [record] = before.house.exchange.bindingRecords(before.house.now).filter(({ user }) => user === 'bert');
  if (!record) throw new Error('nothing on disk');
  const { house, anna, desk } = houseWithGruus();
  t.ok(house.exchange.restore(house.now, record));
  anna.ask('INVITE', temporary, { contact: new NameAddr(anna.contact), body: 'v=0' });
  t.equal(desk.requests('INVITE').length, 1);
});
