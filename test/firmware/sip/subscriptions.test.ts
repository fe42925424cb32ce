import t from 'tap';
import type { Account } from '#firmware/sip/account.ts';
import { digestResponse } from '#firmware/sip/digest.ts';
import type { Request } from '#firmware/sip/message/message.ts';
import { SipUri } from '#firmware/sip/message/uri.ts';
import type { UserAgentSettings } from '#firmware/sip/user-agent-settings.ts';
import { ScriptedRegistrar } from '#test/support/scripted-registrar.ts';
import { SimulatedNetwork } from '#test/support/simulated-network.ts';
import { accountAt, ScriptedPeer, TestAgent } from '#test/support/sip-agents.ts';

const seconds = 1_000;
const minutes = 60 * seconds;
const target = new SipUri({ user: 'bob', host: 'example.org' });

interface Notified {
  readonly state: string;
  readonly tag?: string;
  readonly sequence?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly of?: Request | undefined;
}

/** Alice is registered; the server answers SUBSCRIBE and PUBLISH by the statuses given, then with 200. */
function scene(settings: Partial<UserAgentSettings> = {}, changes: Partial<Account> = {}) {
  const network = new SimulatedNetwork();
  const server = new ScriptedRegistrar(network);
  server.algorithms = [];
  const alice = new TestAgent(network, '192.0.2.2', settings);
  const answers: [statusCode: number, headers?: readonly (readonly [string, string])[]][] = [];
  let granted = '3600';
  let entityTags = 0;
  server.rule = (request) => {
    if (request.method !== 'SUBSCRIBE' && request.method !== 'PUBLISH') return undefined;
    const [statusCode, headers = []] = answers.shift() ?? [200];
    const etag = request.method === 'PUBLISH' ? [['SIP-ETag', `e${++entityTags}`] as const] : [];
    return server.refuse(
      request,
      statusCode,
      statusCode === 200 ? [['Expires', granted], ['Contact', '<sip:n@192.0.2.10>'], ...etag] : headers,
    );
  };
  alice.userAgent.setAccount(network.now, accountAt(server.host, 'alice', changes));
  alice.host.settle();
  network.run(1 * seconds);
  const watch = (wish: { event?: 'dialog' | 'presence'; seconds?: number } = {}) => {
    const id = alice.userAgent.subscriptions.watch(network.now, 'alice', { event: 'dialog', target, ...wish });
    alice.host.settle();
    network.run(100);
    return id;
  };
  let branches = 0;
  const notify = ({ state, tag = 'n1', sequence = ++branches, headers = {}, body = '', of }: Notified) => {
    const subscribe = of ?? server.requests('SUBSCRIBE').at(-1);
    const fields = {
      Via: `SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKn${++branches}`,
      'Max-Forwards': '70',
      From: `<sip:bob@example.org>;tag=${tag}`,
      To: subscribe?.from.toString() ?? '',
      'Call-ID': subscribe?.callId ?? '',
      CSeq: `${sequence} NOTIFY`,
      Contact: `<sip:${tag}@192.0.2.10>`,
      Event: 'dialog',
      'Subscription-State': state,
      ...(body && { 'Content-Type': 'application/dialog-info+xml' }),
      'Content-Length': String(body.length),
      ...headers,
    };
    const lines = Object.entries(fields).flatMap(([name, value]) => (value === '' ? [] : [`${name}: ${value}`]));
    server.host.sendText(alice.host, `NOTIFY sip:alice@192.0.2.2 SIP/2.0\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
    network.run(100);
    return server.responses().at(-1)?.statusCode;
  };
  const subscribes = () => server.requests('SUBSCRIBE');
  const grant = (value: string) => {
    granted = value;
  };
  const dialogs = () => (alice.userAgent.describe() as { dialogs: number }).dialogs;
  return { network, server, alice, answers, watch, notify, subscribes, grant, dialogs };
}

t.test('RFC 6665 §4.1.2.1, §4.4.1 a NOTIFY makes the dialog; refreshed in it, ended by Expires 0 and the last NOTIFY', async (t) => {
  const { network, alice, watch, notify, subscribes, dialogs, grant } = scene();
  grant('600');
  const id = watch();
  t.match(subscribes()[0]?.header('Accept'), 'application/dialog-info+xml');
  t.equal(alice.all('subscription').length, 0, 'the answer alone is none');
  t.equal(notify({ state: 'active;expires=600', body: '<x/>' }), 200);
  t.match(alice.last('notified'), { subscription: id, branch: 'n1' });
  t.match(alice.last('subscription'), { state: 'active' });
  network.run(550 * seconds);
  t.equal(subscribes().length, 2);
  t.equal(subscribes()[1]?.to.tag, 'n1');
  t.equal(subscribes()[1]?.requestUri.toString(), 'sip:n1@192.0.2.10', 'to the Contact of the NOTIFY');
  alice.userAgent.subscriptions.close(network.now, id);
  alice.host.settle();
  network.run(100);
  t.equal(subscribes().at(-1)?.expires, 0);
  t.equal(notify({ state: 'terminated;reason=timeout' }), 200);
  t.equal(dialogs(), 0);
});

t.test('RFC 6665 §4.4.1, RFC 4235 §3.9 each branch of a fork tells by a dialog of its own; presence has one alone', async (t) => {
  const { network, alice, watch, notify, subscribes, dialogs } = scene();
  const id = watch();
  t.equal(notify({ state: 'active', tag: 'n1', sequence: 1 }), 200);
  t.equal(notify({ state: 'active', tag: 'n2', sequence: 1 }), 200);
  t.same(
    alice.all('notified').map(({ branch }) => branch),
    ['n1', 'n2'],
  );
  for (let count = 3; count <= 8; count++) t.equal(notify({ state: 'active', tag: `n${count}` }), 200);
  t.equal(notify({ state: 'active', tag: 'n9' }), 481, 'there is an end to it');
  notify({ state: 'terminated;reason=noresource', tag: 'n2' });
  t.match(alice.last('notifierGone'), { subscription: id, branch: 'n2' });
  t.equal(alice.all('subscription').length, 1, 'the others stand');
  network.run(55 * minutes);
  t.equal(subscribes().length, 1 + 7, 'each is refreshed');
  alice.userAgent.stop(network.now);
  network.run(40 * seconds);
  t.equal(subscribes().filter(({ expires }) => expires === 0).length, 7);
  t.equal(dialogs(), 0, 'after Timer N nobody waits for the last words');
  const one = scene();
  one.watch({ event: 'presence' });
  t.equal(one.notify({ state: 'active', tag: 'n1', headers: { Event: 'presence' } }), 200);
  t.equal(one.notify({ state: 'active', tag: 'n2', headers: { Event: 'presence' } }), 481);
});

t.test('RFC 6665 §4.1.2.4 without a NOTIFY the subscription has failed after Timer N, and is tried again later', async (t) => {
  const { network, alice, watch, subscribes } = scene();
  watch();
  network.run(31 * seconds);
  t.equal(alice.all('subscription').length, 0);
  network.run(2 * seconds);
  t.match(alice.last('subscription'), { state: 'waiting', reason: 'no NOTIFY' });
  network.run(31 * seconds);
  t.equal(subscribes().length, 2);
});

t.test('RFC 6665 §4.1.2.1 423 is asked again for longer; Retry-After is waited for; 489 and 404 are the last word', async (t) => {
  const { network, alice, answers, watch, subscribes } = scene();
  answers.push([423, [['Min-Expires', '7200']]], [503, [['Retry-After', '120']]]);
  watch();
  t.equal(subscribes()[1]?.expires, 7200);
  t.match(alice.last('subscription'), { state: 'waiting', statusCode: 503 });
  network.run(119 * seconds);
  t.equal(subscribes().length, 2);
  network.run(2 * minutes);
  t.equal(subscribes().length, 3);
  for (const status of [489, 404]) {
    const refused = scene();
    refused.answers.push([status]);
    refused.watch();
    t.match(refused.alice.last('subscription'), { state: 'refused', statusCode: status });
    refused.network.run(24 * 60 * minutes);
    t.equal(refused.subscribes().length, 1);
    refused.alice.userAgent.subscriptions.revive(refused.network.now, 'alice');
    refused.alice.host.settle();
    refused.network.run(100);
    t.equal(refused.subscribes().length, 2, 'but a registration that comes back is a new chance');
  }
});

t.test(
  'RFC 6665 §4.1.3 what an end means: deactivated and timeout at once, probation and giveup later, rejected and noresource never',
  async (t) => {
    const after = (state: string, wait: number, lived = 5 * minutes): number => {
      const { network, watch, notify, subscribes } = scene();
      watch();
      notify({ state: 'active;expires=3600' });
      network.run(lived);
      notify({ state });
      network.run(wait);
      return subscribes().length;
    };
    for (const reason of ['deactivated', 'timeout']) t.equal(after(`terminated;reason=${reason}`, 3 * seconds), 2, reason);
    t.equal(after('terminated;reason=deactivated', 3 * seconds, 1 * seconds), 1, 'not in a circle');
    for (const reason of ['probation', 'giveup', 'sunspots']) {
      t.equal(after(`terminated;reason=${reason};retry-after=300`, 299 * seconds), 1, `${reason} waits`);
      t.equal(after(`terminated;reason=${reason};retry-after=300`, 302 * seconds), 2, reason);
    }
    for (const reason of ['rejected', 'noresource', 'invariant'])
      t.equal(after(`terminated;reason=${reason}`, 6 * 60 * minutes), 1, reason);
  },
);

t.test(
  'RFC 6665 §4.1.2.2 a refresh that gets 481 begins anew; one that fails otherwise leaves the subscription until it expires',
  async (t) => {
    const { network, answers, watch, notify, subscribes, grant, alice } = scene();
    grant('600');
    watch();
    notify({ state: 'active;expires=600' });
    answers.push([481]);
    network.run(545 * seconds);
    t.equal(subscribes().length, 3);
    t.equal(subscribes()[2]?.to.tag, undefined);
    notify({ state: 'active;expires=600', tag: 'm1' });
    answers.push([500], [500], [500], [500], [500]);
    network.run(545 * seconds);
    t.match(alice.last('subscription'), { state: 'active' }, 'it stands');
    network.run(40 * seconds);
    t.ok(subscribes().length > 4, 'and is tried again');
    network.run(30 * seconds);
    t.equal(subscribes().at(-1)?.to.tag, undefined, 'until it has run out');
  },
);

t.test('RFC 6665 §4.4.3 asked once, for Expires 0: the state comes and that is all', async (t) => {
  const { network, alice, watch, notify, subscribes, dialogs } = scene();
  watch({ seconds: 0 });
  t.equal(subscribes()[0]?.expires, 0);
  t.equal(notify({ state: 'terminated;reason=timeout', body: '<x/>' }), 200);
  t.match(alice.last('subscription'), { state: 'ended' });
  network.run(60 * minutes);
  t.equal(subscribes().length, 1);
  t.equal(dialogs(), 0);
});

t.test('a NOTIFY that is wrong is refused and changes nothing: 400, 415, 481, 489, 500', async (t) => {
  const { alice, server, network, watch, notify } = scene();
  watch();
  t.equal(notify({ state: '', sequence: 5 }), 400);
  t.equal(notify({ state: 'active', headers: { Event: 'presence' } }), 489);
  t.equal(notify({ state: 'active', headers: { Event: 'dialog;id=7' } }), 489);
  t.equal(notify({ state: 'active', body: 'x', headers: { 'Content-Type': 'text/plain' } }), 415);
  t.equal(alice.all('notified').length, 0);
  t.equal(notify({ state: 'active', sequence: 9 }), 200);
  t.equal(notify({ state: 'active', sequence: 8 }), 500);
  const [subscribe] = server.requests('SUBSCRIBE');
  t.equal(notify({ state: 'active', of: subscribe, headers: { To: `${subscribe?.from.uri};tag=other` } }), 481);
  const stranger = new ScriptedPeer(network, '192.0.2.66');
  const lines = [
    'Via: SIP/2.0/UDP 192.0.2.66;branch=z9hG4bKx',
    'From: <sip:x@x>;tag=1',
    'To: <sip:alice@192.0.2.2>',
    'Call-ID: x',
    'CSeq: 1 NOTIFY',
  ];
  const more = ['Max-Forwards: 70', 'Event: dialog', 'Subscription-State: active', 'Content-Length: 0'];
  stranger.host.sendText(alice.host, `NOTIFY sip:alice@192.0.2.2 SIP/2.0\r\n${[...lines, ...more].join('\r\n')}\r\n\r\n`);
  network.run(100);
  t.same(stranger.statuses(), [489], 'nobody has subscribed to it');
});

t.test('there is an end to subscriptions', async (t) => {
  const { watch } = scene({ maximumSubscriptions: 2 });
  watch();
  watch();
  t.throws(() => watch(), { code: 'too-many-subscriptions' });
});

t.test('RFC 3903 §4 published, refreshed without a body, changed, taken back; 412 begins anew, 423 is asked for longer', async (t) => {
  const { network, alice, server, answers, grant } = scene();
  grant('600');
  const { subscriptions } = alice.userAgent;
  const body = (text: string) => ({ contentType: 'application/pidf+xml', bytes: new TextEncoder().encode(text) });
  answers.push([423, [['Min-Expires', '4000']]]);
  const id = subscriptions.publish(network.now, 'alice', { event: 'presence', body: body('one') });
  alice.host.settle();
  network.run(100);
  const published = () => server.requests('PUBLISH');
  const seen = () =>
    published().map((one) => [one.header('SIP-If-Match') ?? '', String(one.expires), new TextDecoder().decode(one.body)].join(' '));
  t.same(seen(), [' 3600 one', ' 4000 one']);
  t.equal(published()[0]?.event?.value, 'presence');
  t.equal(published()[0]?.header('Contact'), undefined);
  t.match(alice.last('publication'), { publication: id, state: 'published' });
  network.run(545 * seconds);
  t.equal(seen()[2], 'e2 4000 ', 'refreshed');
  subscriptions.republish(network.now, id, body('two'));
  subscriptions.republish(network.now, id, body('three'));
  alice.host.settle();
  network.run(100);
  t.same(seen().slice(3), ['e3 4000 two', 'e4 4000 three'], 'one after the other');
  answers.push([412]);
  subscriptions.republish(network.now, id, body('four'));
  alice.host.settle();
  network.run(100);
  t.same(seen().slice(5), ['e5 4000 four', ' 4000 four'], 'the server had forgotten');
  answers.push([503, [['Retry-After', '60']]]);
  subscriptions.republish(network.now, id, body('five'));
  alice.host.settle();
  network.run(1 * seconds);
  t.match(alice.last('publication'), { state: 'waiting', statusCode: 503 });
  network.run(2 * minutes);
  t.match(alice.last('publication'), { state: 'published' });
  alice.userAgent.stop(network.now);
  network.run(1 * seconds);
  t.match(seen().at(-1), /^e\d+ 0 $/, 'taken back');
  t.ok(alice.userAgent.idle);
});

t.test('RFC 3903 a server that wants no state of ours is not told it again', async (t) => {
  const { network, alice, server, answers } = scene();
  answers.push([489]);
  const bytes = new TextEncoder().encode('x');
  alice.userAgent.subscriptions.publish(network.now, 'alice', { event: 'presence', body: { contentType: 'text/plain', bytes } });
  alice.host.settle();
  network.run(24 * 60 * minutes);
  t.match(alice.last('publication'), { state: 'refused', statusCode: 489 });
  t.equal(server.requests('PUBLISH').length, 1);
});

t.test(
  'RFC 3680 §4 a binding that the registrar has let go is made anew, unless it was rejected; only what was seen is missed',
  async (t) => {
    const { network, server, alice, notify, subscribes } = scene({}, { watchRegistration: true });
    const [subscribe] = subscribes();
    t.equal(subscribe?.event?.value, 'reg');
    const user = /sip:([^@]+)@/.exec(server.registers[0]?.header('Contact') ?? '')?.[1];
    const tell = (state: string, event: string, contactUser = user, scope = 'full') => {
      const contact = `<contact id="c1" state="${state}" event="${event}"><uri>sip:${contactUser}@192.0.2.2:5060</uri></contact>`;
      const registration = `<registration aor="sip:alice@example.org" id="r1" state="active">${contact}</registration>`;
      const body = `<?xml version="1.0"?><reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0" state="${scope}">${registration}</reginfo>`;
      const headers = { Event: 'reg', 'Content-Type': 'application/reginfo+xml' };
      const status = notify({ state: 'active;expires=3600', body, headers, of: subscribe });
      network.run(40 * seconds);
      return status;
    };
    tell('active', 'registered', 'rewritten');
    t.equal(server.registers.length, 1, 'a Contact of another form was never seen');
    t.equal(tell('active', 'registered'), 200);
    t.equal(server.registers.length, 1);
    tell('terminated', 'deactivated');
    t.equal(server.registers.length, 2);
    tell('terminated', 'rejected');
    t.equal(server.registers.length, 2, 'who was put out does not force the door');
    tell('active', 'registered');
    tell('active', 'registered', 'somebody', 'partial');
    t.equal(server.registers.length, 2, 'news of others');
    tell('active', 'registered');
    tell('active', 'registered', 'somebody');
    t.equal(server.registers.length, 3, 'we are not among them any more');
    t.equal(
      notify({ state: 'active', body: '<reginfo', headers: { Event: 'reg', 'Content-Type': 'application/reginfo+xml' }, of: subscribe }),
      415,
    );
    t.match(alice.userAgent.describe(), { counters: { 'registration-removed': 2 } });
  },
);

t.test('check-sync: never unless it is set; from the own server; with a password only from who knows it', async (t) => {
  const ask = (built: ReturnType<typeof scene>, event: string, headers: Readonly<Record<string, string>> = {}) =>
    built.notify({ state: 'terminated', headers: { Event: event, To: '<sip:alice@example.org>', 'Call-ID': 'check', ...headers } });
  const never = scene();
  t.equal(ask(never, 'check-sync'), 489);
  const open = scene({ acceptCheckSync: 'server' });
  t.equal(ask(open, 'check-sync;reboot=true'), 200);
  t.match(open.alice.last('checkSync'), { account: 'alice', reboot: true });
  t.equal(ask(open, 'check-sync;reboot=false'), 200);
  t.match(open.alice.last('checkSync'), { reboot: false });
  const strict = scene({ acceptCheckSync: 'authenticated' });
  const challenge = (): string => {
    t.equal(ask(strict, 'check-sync;reboot=true'), 401);
    const asked = strict.server.responses(401).at(-1)?.authenticate ?? [];
    return asked.find(({ params }) => params.get('algorithm') === 'SHA-256')?.params.get('nonce') ?? '';
  };
  const credentials = (password: string, nonce: string) => {
    const uri = 'sip:alice@192.0.2.2';
    const qop = { quality: 'auth', nonceCount: '00000001', clientNonce: 'c' } as const;
    const inputs = { algorithm: 'SHA-256', username: 'alice', realm: 'example.org', password, method: 'NOTIFY', uri, nonce, qop } as const;
    const said = `username="alice", realm="example.org", nonce="${nonce}", uri="${uri}", response="${digestResponse(inputs)}"`;
    return { Authorization: `Digest ${said}, algorithm=SHA-256, qop=auth, nc=00000001, cnonce="c"` };
  };
  const nonce = challenge();
  t.equal(ask(strict, 'check-sync', credentials('guessed', nonce)), 401);
  t.equal(ask(strict, 'check-sync', credentials('alice-password', nonce)), 401, 'a nonce that was tried is no more');
  t.equal(strict.alice.all('checkSync').length, 0);
  t.equal(ask(strict, 'check-sync', credentials('alice-password', challenge())), 200);
  t.equal(strict.alice.all('checkSync').length, 1);
});
