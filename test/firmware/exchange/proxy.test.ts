import t from 'tap';
import type { Request, Response } from '#firmware/sip/message/message.ts';
import { NameAddr } from '#firmware/sip/message/name-addr.ts';
import { Via } from '#firmware/sip/message/via.ts';
import { ExchangeHouse, type ScriptedPhone, sipUri, userNamed } from '#test/support/exchange-house.ts';

/** Anna who calls, and phones of Bert (two) and Carl, all registered. */
function houseOfThree(ports: ConstructorParameters<typeof ExchangeHouse>[0] = {}) {
  const house = new ExchangeHouse(ports);
  const anna = house.phone('anna', '192.0.2.11');
  const desk = house.phone('bert', '192.0.2.21');
  const kitchen = house.phone('bert', '192.0.2.22');
  for (const phone of [anna, desk, kitchen]) {
    phone.register();
    phone.inbox.length = 0;
  }
  return { house, anna, desk, kitchen };
}

function names(requests: readonly Request[]): string[] {
  return requests.map(({ method }) => method);
}

function last(phone: ScriptedPhone): Response {
  return phone.lastResponse;
}

t.test('§16.7 a forked call: all phones ring, the first to accept has it, the others are cancelled', async (t) => {
  const { house, anna, desk, kitchen } = houseOfThree();
  const sent = anna.call('bert');
  const [atDesk, atKitchen] = [desk.one('INVITE'), kitchen.one('INVITE')];
  t.equal(atDesk.requestUri.toString(), 'sip:bert-phone@192.0.2.21:5060', '§16.6 step 2 the Contact is the Request-URI');
  t.equal(atDesk.maxForwards, 69, '§16.6 step 3');
  t.equal(atDesk.vias.length, 2);
  t.not(atDesk.topVia.branch, atKitchen.topVia.branch);
  t.equal(new TextDecoder().decode(atDesk.body), 'v=0');
  t.notOk(atDesk.headers.has('Proxy-Authorization'), '§22.3 credentials stay here');
  t.equal(house.exchange.describe().pendingInvites, 1);

  desk.respond(atDesk, 180);
  kitchen.respond(atKitchen, 183);
  t.strictSame(anna.codes.slice(1), [180, 183], '§16.7 step 5 provisional responses are passed');
  t.equal(last(anna).vias.length, 1, '§16.7 step 3 without our Via');
  kitchen.respond(atKitchen, 200);
  t.equal(last(anna).statusCode, 200);
  t.equal(desk.one('CANCEL').topVia.branch, atDesk.topVia.branch, '§9.1');
  t.match(desk.one('CANCEL').header('Reason'), /cause=200/, 'RFC 3326 no missed call there');
  desk.respond(desk.one('CANCEL'), 200);
  desk.respond(atDesk, 487);
  t.strictSame(names(desk.requests()), ['INVITE', 'CANCEL', 'ACK']);
  t.equal(house.exchange.describe().pendingInvites, 0);

  anna.send(anna.withinAsCaller('ACK', sent, last(anna)));
  t.equal(kitchen.one('ACK').requestUri.toString(), 'sip:bert-phone@192.0.2.22:5060', 'the ACK of the 2xx passes');
  t.equal(kitchen.one('ACK').routes.length, 0, '§16.4 our Route is taken away');
  kitchen.send(kitchen.withinAsCallee('BYE', atKitchen));
  anna.respond(anna.one('BYE'), 200);
  t.equal(last(kitchen).statusCode, 200, '§16.12 requests of either side find the other');
  house.advance(40_000);
  t.strictSame(house.lost, []);
  t.equal(house.exchange.describe().counters['response-stray'], undefined);
});

t.test('§16.7 step 5 a second 2xx is passed on, and repeated ones too', async (t) => {
  const { anna, desk, kitchen } = houseOfThree();
  anna.call('bert');
  desk.respond(desk.one('INVITE'), 200);
  kitchen.respond(kitchen.one('INVITE'), 200);
  desk.respond(desk.one('INVITE'), 200);
  t.strictSame(
    anna.responses.filter(({ statusCode }) => statusCode === 200).map(({ to }) => to.tag),
    ['bert-5060', 'bert-5060', 'bert-5060'],
  );
  t.strictSame(
    anna.responses.filter(({ statusCode }) => statusCode === 200).map(({ contacts }) => String(contacts)),
    ['<sip:bert-phone@192.0.2.21:5060>', '<sip:bert-phone@192.0.2.22:5060>', '<sip:bert-phone@192.0.2.21:5060>'],
  );
  t.strictSame(names(kitchen.requests()), ['INVITE'], 'who accepted is not cancelled');
});

t.test('§16.7 step 6 the best answer: busy before unreachable, 6xx before all, credentials of all branches', async (t) => {
  const cases: [number, number, number][] = [
    [486, 486, 486],
    [486, 408, 486],
    [404, 480, 480],
    [302, 486, 302],
    [503, 486, 486],
    [503, 503, 500],
    [500, 486, 486],
    [407, 486, 407],
  ];
  for (const [first, second, expected] of cases) {
    const { anna, desk, kitchen } = houseOfThree();
    anna.call('bert');
    desk.respond(desk.one('INVITE'), first);
    t.strictSame(anna.codes.slice(1), [], 'nothing before all have answered');
    kitchen.respond(kitchen.one('INVITE'), second);
    t.strictSame(anna.codes.slice(1), [expected], `${first} and ${second}`);
    t.strictSame(names(desk.requests()), ['INVITE', 'ACK'], '§17.1.1.3 each branch gets its ACK from us');
  }
  const { anna, desk, kitchen } = houseOfThree();
  anna.call('bert');
  desk.respond(desk.one('INVITE'), 401, { headers: [['WWW-Authenticate', 'Digest realm="one", nonce="1"']] });
  kitchen.respond(kitchen.one('INVITE'), 407, { headers: [['Proxy-Authenticate', 'Digest realm="two", nonce="2"']] });
  const { statusCode, authenticate, proxyAuthenticate } = last(anna);
  t.ok(statusCode === 401 || statusCode === 407, '§16.7 step 7');
  t.strictSame(
    [...authenticate, ...proxyAuthenticate].map(({ params }) => params.get('realm')),
    ['one', 'two'],
  );
});

t.test('§16.7 step 5 a 6xx stops the search, but a 2xx that was quicker wins', async (t) => {
  const { anna, desk, kitchen } = houseOfThree();
  anna.call('bert');
  kitchen.respond(kitchen.one('INVITE'), 180);
  desk.respond(desk.one('INVITE'), 603);
  t.strictSame(anna.codes.slice(1), [180], 'not before the others have ended');
  t.equal(kitchen.requests('CANCEL').length, 1);
  kitchen.respond(kitchen.one('INVITE'), 487);
  t.strictSame(anna.codes.slice(1), [180, 603]);

  const other = houseOfThree();
  other.anna.call('bert');
  other.kitchen.respond(other.kitchen.one('INVITE'), 180);
  other.desk.respond(other.desk.one('INVITE'), 603);
  other.kitchen.respond(other.kitchen.one('INVITE'), 200);
  t.strictSame(other.anna.codes.slice(1), [180, 200]);
});

t.test('§16.10 CANCEL of the caller goes to every branch that has answered provisionally, and to the others when they do', async (t) => {
  const { anna, desk, kitchen } = houseOfThree();
  const sent = anna.call('bert');
  desk.respond(desk.one('INVITE'), 180);
  anna.cancel(sent, 'SIP;cause=600');
  t.equal(last(anna).statusCode, 200);
  t.equal(last(anna).cSeq.method, 'CANCEL');
  t.equal(desk.one('CANCEL').header('Reason'), 'SIP;cause=600', 'RFC 3326 the reason is handed on');
  t.strictSame(names(kitchen.requests()), ['INVITE'], '§9.1 not before it has said anything');
  kitchen.respond(kitchen.one('INVITE'), 100);
  t.equal(kitchen.requests('CANCEL').length, 1);
  for (const phone of [desk, kitchen]) {
    phone.respond(phone.one('CANCEL'), 200);
    phone.respond(phone.one('INVITE'), 487);
  }
  t.equal(last(anna).statusCode, 487);

  const accepted = houseOfThree();
  const call = accepted.anna.call('bert');
  accepted.anna.cancel(call);
  accepted.desk.respond(accepted.desk.one('INVITE'), 200);
  t.equal(last(accepted.anna).statusCode, 200, 'a 2xx that crosses the CANCEL is passed');
  t.equal(last(accepted.anna).cSeq.method, 'INVITE');
  accepted.anna.cancel(accepted.anna.build('INVITE', 'sip:bert@house.example'));
  t.equal(last(accepted.anna).statusCode, 481, '§9.2 a CANCEL of nothing');
});

t.test('§16.8 silent phones: 408 after timer B, timer C cancels one that only rings, 487 when the caller had given up', async (t) => {
  const silent = houseOfThree();
  silent.anna.call('bert');
  silent.house.advance(33_000);
  t.strictSame([...new Set(silent.anna.codes)], [407, 408]);
  t.equal(silent.desk.requests('INVITE').length, 7, '§17.1.1.2 retransmitted until then');

  const ringing = houseOfThree({ settings: { timerC: 185_000 } });
  ringing.anna.call('bert');
  ringing.desk.respond(ringing.desk.one('INVITE'), 180);
  ringing.kitchen.respond(ringing.kitchen.one('INVITE'), 486);
  ringing.house.advance(100_000);
  ringing.desk.respond(ringing.desk.one('INVITE'), 183);
  ringing.house.advance(184_000);
  t.equal(ringing.desk.requests('CANCEL').length, 0, '§16.7 step 2 a 183 starts timer C anew');
  ringing.house.advance(2_000);
  t.ok(ringing.desk.requests('CANCEL').length > 0);
  ringing.house.advance(40_000);
  t.strictSame([...new Set(ringing.anna.codes)], [407, 180, 183, 486], 'a branch that never ends is given up');

  const given = houseOfThree();
  const call = given.anna.call('bert');
  given.anna.cancel(call);
  given.house.advance(33_000);
  t.equal(last(given.anna).statusCode, 487);
});

t.test(
  'RFC 4320 §4.2 a request other than INVITE that nobody answers gets no 408; §16.9 an unreachable place is a 503, told as 500',
  async (t) => {
    const { house, anna, desk, kitchen } = houseOfThree();
    anna.ask('MESSAGE', 'sip:bert@house.example');
    house.advance(40_000);
    t.ok(desk.requests('MESSAGE').length > 1);
    t.strictSame(anna.codes, [407]);
    t.strictSame(house.exchange.describe().pendingInvites, 0);

    anna.inbox.length = 0;
    anna.ask('MESSAGE', 'sip:bert@house.example');
    desk.respond(desk.requests('MESSAGE').at(-1) ?? desk.one('none'), 200);
    kitchen.respond(kitchen.requests('MESSAGE').at(-1) ?? kitchen.one('none'), 200);
    t.strictSame(anna.codes, [407, 200], 'the first answer counts, once');

    const tcp = new ExchangeHouse();
    const caller = tcp.phone('anna', '192.0.2.11');
    const called = tcp.phone('bert', '192.0.2.21', { port: 40_000, transport: 'tcp' });
    called.register();
    caller.call('bert');
    tcp.remove(called);
    t.strictSame(caller.codes, [407, 500]);
  },
);

t.test('§16.5 where to: unknown user 404, nobody registered 480, forwarded 302, an own phone called by itself', async (t) => {
  const { house, anna, desk } = houseOfThree({
    users: [userNamed('anna'), userNamed('bert'), userNamed('carl'), userNamed('dora', 'carl')],
  });
  anna.call('nobody');
  t.equal(last(anna).statusCode, 404);
  anna.ask('INVITE', 'sip:house.example');
  t.equal(last(anna).statusCode, 404);
  anna.call('carl');
  t.equal(last(anna).statusCode, 480);
  anna.call('dora');
  t.equal(last(anna).statusCode, 302);
  t.equal(String(last(anna).contacts), '<sip:carl@house.example>');
  house.exchange.setForward('dora', 'sip:+49301234@gateway.example;transport=tcp');
  anna.call('dora');
  t.equal(String(last(anna).contacts), '<sip:+49301234@gateway.example;transport=tcp>');
  house.exchange.setForward('bert', 'carl');
  anna.call('bert');
  t.equal(last(anna).statusCode, 302, 'forwarded although registered');
  t.equal(desk.requests().length, 0);
  house.exchange.setForward('bert', undefined);
  anna.call('bert');
  t.equal(desk.requests('INVITE').length, 1);
  anna.call('anna');
  t.equal(anna.requests('INVITE').length, 1);
});

t.test('§22.3 no relay: who calls must be a user here and prove it, and calls users here only', async (t) => {
  const { house, anna, desk } = houseOfThree();
  const stranger = house.phone('mallory', '203.0.113.5');
  const from = (uri: string): NameAddr => new NameAddr(sipUri(uri), undefined, new Map([['tag', '1']]));
  stranger.call('bert', { from: from('sip:mallory@elsewhere.example') });
  t.equal(last(stranger).statusCode, 403, 'a foreign caller');
  stranger.call('bert');
  t.equal(last(stranger).statusCode, 407, 'an unknown user of ours can not answer the challenge');
  stranger.ask('INVITE', 'sip:bert@house.example', { from: from('sip:anna@house.example') }, 'guess');
  t.equal(last(stranger).statusCode, 407, 'nor one who does not know the password');
  anna.ask('INVITE', 'sip:bert@house.example', { from: from('sip:carl@house.example') });
  t.equal(last(anna).statusCode, 403, 'nor may a user call as another');
  anna.ask('INVITE', 'sip:victim@elsewhere.example');
  t.equal(last(anna).statusCode, 403, 'nor call out');
  const route = [new NameAddr(sipUri('sip:victim.example;lr'))];
  anna.call('bert', { routes: route });
  t.equal(last(anna).statusCode, 403, 'nor by a route of his own');
  for (const method of ['MESSAGE', 'SUBSCRIBE', 'REFER', 'BYE', 'FLY']) {
    stranger.send(stranger.build(method, 'sip:victim@elsewhere.example', { from: from('sip:anna@house.example') }));
    t.equal(last(stranger).statusCode, 407, method);
  }
  stranger.send(stranger.build('ACK', 'sip:victim@elsewhere.example'));
  t.equal(house.exchange.describe().counters['ack-stray'], 1);
  t.strictSame(house.lost, []);
  t.equal(desk.requests().length, 0);
});

t.test('a Route of ours opens nothing but the dialog it was made for', async (t) => {
  const { house, anna, desk, kitchen } = houseOfThree();
  const sent = anna.call('bert');
  desk.respond(desk.one('INVITE'), 200);
  kitchen.respond(kitchen.one('INVITE'), 486);
  const accepted = anna.responses.filter(({ statusCode }) => statusCode === 200)[0] ?? last(anna);
  const routes = accepted.recordRoutes;
  t.equal(routes.length, 1);
  t.match(String(routes[0]), /^<sip:relay-[0-9a-f]{32}--@192\.0\.2\.1:5070;lr>$/);

  const stranger = house.phone('mallory', '203.0.113.5');
  const steal = stranger.build('MESSAGE', 'sip:victim@198.51.100.1', {
    routes,
    to: new NameAddr(sipUri('sip:x@y'), undefined, new Map([['tag', 'z']])),
  });
  stranger.send(steal);
  t.equal(last(stranger).statusCode, 407);
  stranger.send(stranger.build('ACK', 'sip:victim@198.51.100.1', { routes }));
  t.strictSame(house.lost, []);

  const restarted = houseOfThree();
  const info = restarted.anna.withinAsCaller('INFO', sent, accepted);
  restarted.anna.send(info);
  t.equal(restarted.desk.requests('INFO').length, 1, 'calls go on over a restart of the exchange');
  const forgetful = houseOfThree({ relaySecret: 'another' });
  forgetful.anna.send(info);
  t.equal(last(forgetful.anna).statusCode, 407);
});

t.test('§16.3 what can not be forwarded: no hops left, loops, unknown options, foreign schemes', async (t) => {
  const { house, anna } = houseOfThree();
  anna.call('bert', { maxForwards: 0 });
  t.equal(last(anna).statusCode, 483);
  anna.call('bert', { headers: [['Proxy-Require', 'foo, bar']] });
  t.equal(last(anna).statusCode, 420);
  t.equal(last(anna).header('Unsupported'), 'foo, bar');
  for (const uri of ['tel:+49301234', 'sips:bert@house.example', 'soap.beep://192.0.2.103:3002']) {
    anna.send(anna.build('INVITE', uri, { to: new NameAddr(sipUri('sip:bert@house.example')) }));
    t.equal(last(anna).statusCode, 416, uri);
  }
  t.equal(house.exchange.describe().pendingInvites, 0);

  const looping = houseOfThree();
  looping.desk.inbox.length = 0;
  const sent = looping.anna.call('bert');
  const copy = looping.desk.one('INVITE');
  const again = copy.with({ requestUri: sent.requestUri, headers: copy.headers.prepend('Via', viaOf(looping.desk).toString()) });
  looping.desk.send(again);
  t.equal(last(looping.desk).statusCode, 482, 'RFC 5393 the same request back again');
  const spiral = again.with({
    requestUri: sipUri('sip:carl@house.example'),
    headers: again.headers.with('Via', viaOf(looping.desk, 'z9hG4bKother').toString()).append('Via', copy.topVia.toString()),
  });
  looping.desk.send(spiral);
  t.equal(last(looping.desk).statusCode, 407, 'a spiral is no loop');
});

function viaOf(phone: ScriptedPhone, branch = 'z9hG4bKloop'): Via {
  return new Via({ transport: 'UDP', host: phone.address, port: phone.port, params: new Map([['branch', branch]]) });
}

t.test('§16.4 §16.6 strict routers on either side, pre-loaded routes', async (t) => {
  const { anna, desk, kitchen } = houseOfThree();
  const sent = anna.call('bert', { routes: [new NameAddr(sipUri('sip:192.0.2.1:5070;lr'))] });
  t.equal(desk.one('INVITE').routes.length, 0, 'an outbound proxy that is us');
  desk.respond(desk.one('INVITE'), 200);
  kitchen.respond(kitchen.one('INVITE'), 487);
  const accepted = anna.responses.filter(({ statusCode }) => statusCode === 200)[0] ?? last(anna);
  const [own] = accepted.recordRoutes;
  const remote = accepted.contacts === '*' ? undefined : accepted.contacts[0];
  if (!own || !remote || own.uri.kind !== 'sip') throw new Error('no dialog');
  const strict = anna.build('BYE', own.uri, { from: sent.from, to: accepted.to, callId: sent.callId, routes: [remote] });
  anna.send(strict);
  t.equal(desk.one('BYE').requestUri.toString(), 'sip:bert-phone@192.0.2.21:5060', 'a caller that routes strictly');
  t.equal(desk.one('BYE').routes.length, 0);

  const strictNext = new NameAddr(sipUri('sip:192.0.2.21:5060'));
  anna.send(anna.withinAsCaller('INFO', sent, accepted, { routes: [own, strictNext] }));
  const info = desk.one('INFO');
  t.equal(info.requestUri.toString(), 'sip:192.0.2.21:5060', 'a strict router after us');
  t.equal(String(info.routes), '<sip:bert-phone@192.0.2.21:5060>');
});

t.test('phones behind a NAT are reached the way their REGISTER came, in the dialog too', async (t) => {
  const house = new ExchangeHouse();
  const anna = house.phone('anna', '198.51.100.7', { port: 31_000, contact: 'sip:anna@10.0.0.5:5060' });
  const bert = house.phone('bert', '198.51.100.8', { port: 32_000, contact: 'sip:bert@10.0.0.5:5060' });
  bert.register();
  const sent = anna.call('bert');
  const invite = bert.one('INVITE');
  t.equal(invite.requestUri.toString(), 'sip:bert@10.0.0.5:5060');
  t.equal(invite.vias[1]?.received, '198.51.100.7', '§18.2.1');
  t.equal(invite.vias[1]?.rport, 31_000, 'RFC 3581');
  bert.respond(invite, 200);
  const accepted = last(anna);
  anna.send(anna.withinAsCaller('ACK', sent, accepted));
  t.equal(bert.requests('ACK').length, 1);
  bert.send(bert.withinAsCallee('BYE', invite));
  t.equal(anna.requests('BYE').length, 1, 'though she never registered');
  t.strictSame(house.lost, []);

  const moved = house.phone('bert', '198.51.100.9', { port: 33_000, contact: 'sip:bert@10.0.0.5:5060' });
  moved.register();
  anna.send(anna.withinAsCaller('INFO', sent, accepted));
  t.equal(moved.requests('INFO').length, 1, 'a phone that registers from a new place is found there');
});

t.test('UDP and TCP: each side by its own transport, RFC 5658 with a Record-Route for each', async (t) => {
  const house = new ExchangeHouse();
  const anna = house.phone('anna', '192.0.2.11');
  const bert = house.phone('bert', '192.0.2.21', { port: 40_000, transport: 'tcp', contact: 'sip:bert@192.0.2.21:5060;transport=tcp' });
  bert.register();
  const sent = anna.call('bert');
  const invite = bert.one('INVITE');
  t.equal(invite.topVia.transport, 'TCP');
  t.strictSame(
    invite.recordRoutes.map(({ uri }) => (uri.kind === 'sip' ? uri.params.get('transport') : '')),
    ['tcp', undefined],
  );
  bert.respond(invite, 200);
  anna.send(anna.withinAsCaller('ACK', sent, last(anna)));
  t.equal(bert.one('ACK').routes.length, 0, 'both are taken away');
  bert.send(bert.withinAsCallee('BYE', invite));
  t.equal(anna.one('BYE').topVia.transport, 'UDP');

  house.remove(bert);
  const listening = house.phone('bert', '192.0.2.21', { transport: 'tcp' });
  anna.call('bert');
  t.equal(listening.requests('INVITE').length, 1, 'without its connection a phone is called at its Contact');
});

t.test('a Contact that names a third party makes us call nobody but the phone', async (t) => {
  const house = new ExchangeHouse();
  const anna = house.phone('anna', '192.0.2.11');
  const bert = house.phone('bert', '192.0.2.21', { contact: 'sip:bert@198.51.100.99:5060' });
  bert.register();
  anna.call('bert');
  t.equal(bert.requests('INVITE').length, 1);
  t.strictSame(house.lost, []);
});

t.test('a user who registers the Contact of another gets none of the requests inside his dialogs', async (t) => {
  const { house, anna, desk, kitchen } = houseOfThree();
  const sent = anna.call('bert');
  desk.respond(desk.one('INVITE'), 200);
  kitchen.respond(kitchen.one('INVITE'), 486);
  const accepted = anna.responses.filter(({ statusCode }) => statusCode === 200)[0] ?? last(anna);
  const carl = house.phone('carl', '192.0.2.31');
  carl.register({ contact: new NameAddr(desk.contact) });
  anna.send(anna.withinAsCaller('BYE', sent, accepted));
  t.equal(desk.requests('BYE').length, 1);
  t.equal(carl.requests().length, 0);
});

t.test('of a thousand calls, accepted, cancelled, refused and unheard, nothing is left', async (t) => {
  const { house, anna, desk, kitchen } = houseOfThree({ settings: { requestsAtOnce: 1e9 } });
  for (let call = 0; call < 1000; call++) {
    const sent = anna.call('bert');
    const atDesk = desk.requests('INVITE').at(-1) ?? sent;
    const atKitchen = kitchen.requests('INVITE').at(-1) ?? sent;
    desk.respond(atDesk, 180);
    if (call % 4 === 0) anna.cancel(sent);
    if (call % 4 === 1) desk.respond(atDesk, 200);
    if (call % 4 === 2) desk.respond(atDesk, 486);
    if (call % 4 !== 3) kitchen.respond(atKitchen, 486);
    if (call % 100 === 99) house.advance(5_000);
    for (const phone of [anna, desk, kitchen]) phone.inbox.length = 0;
  }
  house.advance(300_000);
  const { pendingInvites, branches, transactions } = house.exchange.describe();
  t.strictSame([pendingInvites, branches], [0, 0]);
  t.strictSame(transactions, { clientTransactions: 0, serverTransactions: 0, timers: 0 });
  t.equal(house.exchange.bindingsOf('anna').length, 1);
});

t.test('RFC 3327 §5.4 a request follows the Path of its binding', async (t) => {
  const house = new ExchangeHouse();
  const anna = house.phone('anna', '192.0.2.11');
  const edge = house.phone('bert', '192.0.2.50', { contact: 'sip:bert@10.1.1.1:5060' });
  edge.register({
    headers: [
      ['Supported', 'path'],
      ['Path', '<sip:edge.example;lr>'],
    ],
  });
  anna.call('bert');
  t.equal(edge.one('INVITE').requestUri.toString(), 'sip:bert@10.1.1.1:5060');
  t.equal(String(edge.one('INVITE').routes), '<sip:edge.example;lr>');
});

t.test('RFC 5393 §5 Max-Breadth bounds the copies', async (t) => {
  const { anna, desk } = houseOfThree();
  anna.call('bert', { headers: [['Max-Breadth', '1']] });
  t.equal(last(anna).statusCode, 440);
  anna.call('bert', { headers: [['Max-Breadth', '9']] });
  t.equal(desk.one('INVITE').header('Max-Breadth'), '4');
});

t.test('§11 OPTIONS to the exchange itself is answered without a password', async (t) => {
  const house = new ExchangeHouse();
  const anyone = house.phone('anyone', '192.0.2.77');
  anyone.send(anyone.build('OPTIONS', 'sip:192.0.2.1:5070'));
  t.equal(last(anyone).statusCode, 200);
  t.ok(last(anyone).allow.includes('REGISTER'));
});

t.test('§18.3 bad input: garbage is counted, what can be answered is, and the call goes on', async (t) => {
  const { house, anna, desk, kitchen } = houseOfThree();
  anna.call('bert');
  const eve = house.phone('eve', '203.0.113.5');
  for (const text of ['', '\r\n\r\n', 'hello', 'INVITE\r\n', `${'x'.repeat(70_000)}\r\n\r\n`, 'SIP/2.0 200 OK\r\n\r\n']) eve.sendText(text);
  t.strictSame(eve.codes, []);
  const invite = new TextDecoder().decode(desk.one('INVITE').body);
  t.equal(invite, 'v=0');
  const valid = [
    'INVITE sip:bert@house.example SIP/2.0',
    'Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bK1;rport',
    'From: <sip:eve@x>;tag=1',
    'To: <sip:bert@house.example>',
    'Call-ID: 1',
    'CSeq: 1 OPTIONS',
    'Content-Length: -1',
  ];
  eve.sendText(`${valid.join('\r\n')}\r\n\r\n`);
  t.strictSame(eve.codes, [400]);
  desk.respond(desk.one('INVITE'), 180);
  kitchen.respond(kitchen.one('INVITE'), 200);
  t.strictSame(anna.codes.slice(1), [180, 200]);
});
