import t from 'tap';
import type { Account } from '#firmware/sip/account.ts';
import { SipUri } from '#firmware/sip/message/uri.ts';
import type { UserAgentSettings } from '#firmware/sip/user-agent-settings.ts';
import { ScriptedRegistrar } from '#test/support/scripted-registrar.ts';
import { type NetworkQuality, SimulatedNetwork } from '#test/support/simulated-network.ts';
import { accountAt, offer, TestAgent } from '#test/support/sip-agents.ts';

const seconds = 1_000;
const minutes = 60 * seconds;

function scene(changes: Partial<Account> = {}, quality: Partial<NetworkQuality> = {}, settings: Partial<UserAgentSettings> = {}) {
  const network = new SimulatedNetwork(quality);
  const registrar = new ScriptedRegistrar(network);
  const agent = new TestAgent(network, '192.0.2.20', settings);
  const account = accountAt(registrar.host, 'alice', changes);
  const register = (): void => agent.userAgent.setAccount(network.now, account);
  const states = (): string[] => agent.all('registration').map(({ state }) => state);
  return { network, registrar, agent, account, register, states };
}

t.test('RFC 3261 §10.2 a challenge is answered with the strongest algorithm and the account is registered', async (t) => {
  const { network, registrar, agent, register, states } = scene();
  register();
  network.run(1 * seconds);
  t.same(states(), ['registering', 'registered']);
  t.equal(registrar.registers.length, 2);
  const [first, second] = registrar.registers;
  t.equal(second?.authorization[0]?.params.get('algorithm'), 'SHA-256');
  t.equal(first?.callId, second?.callId);
  t.equal(second?.cSeq.number, (first?.cSeq.number ?? 0) + 1);
  t.equal(first?.requestUri.toString(), 'sip:192.0.2.10');
  t.equal(first?.to.uri.toString(), 'sip:alice@example.org');
  const event = agent.last('registration');
  t.equal(event.statusCode, 200);
  t.equal(event.expiresInMs, 3600 * seconds);
  t.ok((event.elapsedMs ?? 0) > 0 && (event.elapsedMs ?? 0) < 100, 'the time it took is told');
  t.match(registrar.contacts[0]?.[0], /^<sip:[a-z2-7]{12}@192\.0\.2\.20:5060>$/, 'the Contact has a random user');
});

t.test('RFC 3261 §10.2.4 a binding is refreshed before it expires, for as long as time lasts, with the known nonce', async (t) => {
  const { network, registrar, register } = scene();
  registrar.granted = 120;
  register();
  network.run(20 * minutes);
  const times = network.packets.filter(({ text }) => text.startsWith('REGISTER')).map(({ sentAt }) => sentAt);
  const gaps = times.slice(2).map((at, i) => at - (times[i + 1] ?? 0));
  t.ok(gaps.length >= 12, `${gaps.length} refreshes in 20 minutes`);
  t.ok(
    gaps.every((gap) => gap >= 60 * seconds && gap <= 90 * seconds),
    `each between a half and three quarters of 120 s: ${gaps.map((gap) => Math.round(gap / seconds))}`,
  );
  t.equal(registrar.responses().length, 0);
  const counts = registrar.registers.slice(1).map((request) => Number.parseInt(request.authorization[0]?.params.get('nc') ?? '', 16));
  t.same(
    counts,
    counts.map((_, i) => i + 1),
    'nonce counts go up by one and no refresh is challenged',
  );
});

t.test('RFC 7616 §3.3 a stale nonce is replaced without a person noticing', async (t) => {
  const { network, registrar, register, states } = scene();
  registrar.granted = 100;
  register();
  network.run(10 * seconds);
  registrar.nonce = 'nonce-2';
  network.run(2 * minutes);
  t.same([...new Set(states())], ['registering', 'registered']);
  t.equal(registrar.registers.at(-1)?.authorization[0]?.params.get('nonce'), 'nonce-2');
});

t.test('a registrar that forgets to say stale is believed once', async (t) => {
  const { network, registrar, register, states } = scene();
  registrar.granted = 100;
  registrar.admitsStale = false;
  register();
  network.run(10 * seconds);
  registrar.nonce = 'nonce-2';
  network.run(2 * minutes);
  t.same([...new Set(states())], ['registering', 'registered']);
});

t.test('RFC 3261 §22.2 a wrong password is told and not tried again for minutes', async (t) => {
  const { network, registrar, agent, register, states } = scene();
  registrar.password = 'another one';
  register();
  network.run(10 * seconds);
  t.same(states(), ['registering', 'rejected']);
  t.equal(agent.last('registration').statusCode, 401);
  t.equal(registrar.registers.length, 2, 'one try without and one with the password');
  const retryInMs = agent.last('registration').retryInMs ?? 0;
  t.ok(retryInMs >= 150 * seconds, `tried again in ${retryInMs} ms`);
  network.run(60 * minutes);
  t.ok(registrar.registers.length <= 16, `${registrar.registers.length} REGISTER within the hour`);
  registrar.password = 'alice-password';
  agent.userAgent.registerNow(network.now, 'alice');
  network.run(1 * seconds);
  t.equal(states().at(-1), 'registered', 'a person who mends it need not wait');
});

t.test('endless stale challenges end as a refusal', async (t) => {
  const { network, registrar, register, states } = scene();
  let count = 0;
  registrar.rule = (request) => registrar.refuse(request, 401, [['WWW-Authenticate', `Digest realm="r", nonce="${count++}", stale=true`]]);
  register();
  network.run(30 * seconds);
  t.same(states(), ['registering', 'rejected']);
  t.equal(registrar.registers.length, 3, 'one unasked and two tries');
});

t.test('without credentials a challenge is a refusal', async (t) => {
  const { network, registrar, register, states } = scene({ credentials: undefined });
  register();
  network.run(30 * seconds);
  t.same(states(), ['registering', 'rejected']);
  t.equal(registrar.registers.length, 1);
});

t.test('RFC 3261 §10.2.8 423 is answered with the Min-Expires it names, within reason', async (t) => {
  const { network, registrar, register, states } = scene({ expires: 60 });
  registrar.algorithms = [];
  registrar.rule = (request) => ((request.expires ?? 0) < 900 ? registrar.refuse(request, 423, [['Min-Expires', '900']]) : undefined);
  register();
  network.run(5 * seconds);
  t.same(states(), ['registering', 'registered']);
  t.same(
    registrar.registers.map(({ expires }) => expires),
    [60, 900],
  );
  const greedy = scene();
  greedy.registrar.rule = (request) => greedy.registrar.refuse(request, 423, [['Min-Expires', '4000000000']]);
  greedy.register();
  greedy.network.run(1 * seconds);
  t.equal(greedy.registrar.registers.length, 1);
  t.equal(greedy.states().at(-1), 'failed');
});

t.test('RFC 5626 §4.5 a registrar that is down is tried with growing, jittered pauses and found again', async (t) => {
  const { network, registrar, agent, register, states } = scene();
  registrar.rule = (request) => registrar.refuse(request, 500);
  register();
  network.run(30 * minutes);
  const pauses = agent.all('registration').flatMap(({ state, retryInMs }) => (state === 'failed' && retryInMs ? [retryInMs] : []));
  t.ok(pauses.length >= 8 && pauses.length <= 14, `${pauses.length} tries in half an hour`);
  pauses.forEach((pause, i) => {
    const bound = Math.min(4_000 * 2 ** i, 300_000);
    t.ok(pause >= bound / 2 && pause <= bound, `pause ${i + 1}: ${Math.round(pause)} ms within ${bound / 2} and ${bound}`);
  });
  registrar.rule = () => undefined;
  network.run(5 * minutes + 1 * seconds);
  t.equal(states().at(-1), 'registered');
});

t.test('a registrar that says nothing is a time-out after 64·T1, and then tried again', async (t) => {
  const { network, registrar, agent, register, states } = scene();
  registrar.host.detach();
  register();
  network.run(33 * seconds);
  t.same(states(), ['registering', 'failed']);
  t.equal(agent.last('registration').statusCode, 408);
  t.ok((agent.last('registration').retryInMs ?? 0) <= 4 * seconds);
  const sent = network.packets.filter(({ text }) => text.startsWith('REGISTER')).length;
  t.equal(sent, 11, 'timer E: 0, 0.5, 1.5, 3.5, 7.5 … 31.5 s');
});

t.test('Retry-After is honoured, but an absurd one not for more than an hour', async (t) => {
  const { network, registrar, agent, register } = scene();
  registrar.rule = (request) => registrar.refuse(request, 503, [['Retry-After', '120']]);
  register();
  network.run(1 * seconds);
  t.equal(agent.last('registration').retryInMs, 120 * seconds);
  const absurd = scene();
  absurd.registrar.rule = (request) => absurd.registrar.refuse(request, 503, [['Retry-After', '4294967295']]);
  absurd.register();
  absurd.network.run(1 * seconds);
  t.equal(absurd.agent.last('registration').retryInMs, 3600 * seconds);
});

t.test('a TCP registrar that refuses connections is a failure at once, and registered when it is there', async (t) => {
  const { network, registrar, agent, account, states } = scene({ transport: 'tcp' });
  const address = registrar.host.address;
  registrar.host.detach();
  agent.userAgent.setAccount(network.now, account);
  network.run(1 * seconds);
  t.same(states(), ['registering', 'failed']);
  t.equal(agent.last('registration').statusCode, 503);
  const revived = new ScriptedRegistrar(network, address);
  network.run(10 * seconds);
  t.equal(states().at(-1), 'registered');
  t.match(revived.contacts[0]?.[0], /;transport=tcp>$/);
  t.match(revived.registers[0]?.topVia.transport, 'TCP');
});

t.test('RFC 3581 behind a NAT the Contact becomes what the registrar sees, and the old one goes away', async (t) => {
  const { network, registrar, register, states } = scene();
  registrar.algorithms = [];
  registrar.rule = (request) => {
    const natted = request.headers.with(
      'Via',
      request.topVia.toString().replace('rport=5060', 'rport=40000').replace('received=192.0.2.20', 'received=203.0.113.9'),
    );
    registrar.contacts.push([...request.headerValues('Contact')]);
    return registrar.refuse(request.with({ headers: natted }), 200, [['Expires', '3600']]);
  };
  register();
  network.run(5 * seconds);
  t.same(states(), ['registering', 'registered']);
  t.equal(registrar.contacts.length, 2);
  t.match(registrar.contacts[1]?.[0], /@203\.0\.113\.9:40000>$/);
  t.match(registrar.contacts[1]?.[1], /@192\.0\.2\.20:5060>;expires=0$/);
  network.run(120 * minutes);
  t.ok(
    registrar.contacts.slice(2).every((contacts) => contacts.length === 1 && contacts[0]?.includes('@203.0.113.9:40000')),
    'refreshed under that address alone',
  );
});

t.test('an address that changes with every answer is not chased for ever', async (t) => {
  const { network, registrar, register } = scene();
  registrar.algorithms = [];
  let port = 40_000;
  registrar.rule = (request) => {
    const via = request.topVia.toString().replace('rport=5060', `rport=${port++}`);
    return registrar.refuse(request.with({ headers: request.headers.with('Via', via) }), 200, [['Expires', '3600']]);
  };
  register();
  network.run(1 * minutes);
  t.ok(registrar.registers.length <= 5, `${registrar.registers.length} REGISTER in a minute`);
});

t.test('RFC 3261 §10.2.2 stop takes the binding away and says when that is done', async (t) => {
  const { network, registrar, agent, register, states } = scene();
  register();
  network.run(1 * seconds);
  t.ok(agent.userAgent.idle, 'idle between refreshes');
  agent.userAgent.stop(network.now);
  t.notOk(agent.userAgent.idle);
  network.run(1 * seconds);
  t.equal(states().at(-1), 'unregistered');
  t.equal(registrar.registers.at(-1)?.expires, 0);
  t.ok(agent.userAgent.idle);
  const before = registrar.registers.length;
  network.run(120 * minutes);
  t.equal(registrar.registers.length, before, 'and no refresh comes any more');
  t.equal(agent.userAgent.deadline, undefined, 'nothing is left to do');
});

t.test('a stop in the middle of a registration waits for its answer, then takes it back', async (t) => {
  const { network, registrar, agent, register, states } = scene();
  register();
  network.run(1);
  agent.userAgent.stop(network.now);
  network.run(2 * seconds);
  t.equal(states().at(-1), 'unregistered');
  t.equal(registrar.registers.at(-1)?.expires, 0);
  t.ok(agent.userAgent.idle);
});

t.test('an account that is set again as it was changes nothing; a new registrar replaces the old binding', async (t) => {
  const { network, registrar, agent, account, register } = scene();
  register();
  network.run(1 * seconds);
  const before = registrar.registers.length;
  register();
  network.run(1 * seconds);
  t.equal(registrar.registers.length, before);
  const other = new ScriptedRegistrar(network, '192.0.2.11');
  agent.userAgent.setAccount(network.now, { ...account, registrar: accountAt(other.host, 'alice').registrar });
  network.run(1 * seconds);
  t.equal(registrar.registers.at(-1)?.expires, 0, 'gone from the old');
  t.ok(other.registers.length >= 1, 'known to the new');
  t.equal(agent.last('registration').state, 'registered', 'and nothing is told of the old one any more');
});

t.test('RFC 5626 §4.5 a broken connection to the registrar is opened again by registering anew', async (t) => {
  const { network, registrar, agent, register, states } = scene({ transport: 'tcp' });
  register();
  network.run(60 * seconds);
  const before = registrar.registers.length;
  network.breakStream(agent.host, registrar.host);
  network.run(1 * seconds);
  t.equal(registrar.registers.length, before + 1, 'the known nonce still serves');
  t.equal(states().at(-1), 'registered');
  network.breakStream(agent.host, registrar.host);
  network.run(1 * seconds);
  t.equal(registrar.registers.length, before + 1, 'not for one that closes right after its answer');
});

t.test('a registrar known by name is trusted under the address it answers from', async (t) => {
  const network = new SimulatedNetwork();
  const registrar = new ScriptedRegistrar(network);
  network.name('registrar.example', registrar.host.address);
  const agent = new TestAgent(network, '192.0.2.20');
  agent.userAgent.setAccount(network.now, accountAt(registrar.host, 'alice', { registrar: new SipUri({ host: 'registrar.example' }) }));
  const invite = (call: string): string =>
    `INVITE sip:alice@192.0.2.20 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK${call}\r\nMax-Forwards: 70\r\nFrom: <sip:bob@example.org>;tag=b\r\nTo: <sip:alice@example.org>\r\nCall-ID: ${call}\r\nCSeq: 1 INVITE\r\nContact: <sip:bob@192.0.2.10>\r\nContent-Length: 0\r\n\r\n`;
  registrar.host.sendText(agent.host, invite('early'));
  network.run(1);
  t.equal(agent.all('incoming').length, 0, 'a stranger before it has answered');
  network.run(1 * seconds);
  t.equal(agent.last('registration').state, 'registered');
  registrar.host.sendText(agent.host, invite('later'));
  network.run(50);
  t.equal(agent.all('incoming').length, 1);
});

t.test('an outbound proxy gets the REGISTER, with a route to itself', async (t) => {
  const network = new SimulatedNetwork();
  const proxy = new ScriptedRegistrar(network, '192.0.2.30');
  const far = network.host('192.0.2.31');
  const agent = new TestAgent(network, '192.0.2.20');
  const outboundProxy = accountAt(proxy.host, 'x').registrar;
  agent.userAgent.setAccount(network.now, accountAt(far, 'alice', { outboundProxy }));
  network.run(1 * seconds);
  t.equal(proxy.registers[0]?.requestUri.toString(), 'sip:192.0.2.31');
  t.equal(proxy.registers[0]?.routes[0]?.toString(), '<sip:192.0.2.30;lr>');
  t.equal(agent.last('registration').state, 'registered');
});

for (const seed of [1, 2, 3, 4, 5]) {
  t.test(`registered in spite of 30 % loss, doubles and overtaking (seed ${seed})`, async (t) => {
    const { network, registrar, register, states } = scene({}, { seed, loss: 0.3, duplication: 0.2, reordering: 0.3 });
    registrar.granted = 300;
    register();
    network.run(60 * minutes);
    t.equal(states().filter((state) => state === 'failed' || state === 'rejected').length, 0, states().join(' '));
    t.ok(registrar.contacts.length >= 14);
  });
}

t.test('neither logs nor describe show the password', async (t) => {
  const { network, agent, register } = scene({}, {}, { trace: true });
  register();
  network.run(1 * seconds);
  const shown = JSON.stringify([agent.userAgent.describe(), agent.events]);
  t.notMatch(shown, 'alice-password');
  t.notMatch(shown, /response=/);
  t.ok(agent.all('message').length >= 4, 'the ladder has every message');
});

t.test('RFC 3327 §5.1 a REGISTER says that proxies on the way may stay on the way back', async (t) => {
  const { network, registrar, register, states } = scene();
  const inner = registrar.rule;
  registrar.rule = (request) =>
    request.supported.includes('path') ? inner(request) : registrar.refuse(request, 420, [['Unsupported', 'path']]);
  register();
  network.run(1 * seconds);
  t.equal(states().at(-1), 'registered');
});

/** A registrar that names routes with its 200, and what the phone sends then. */
function routed(serviceRoute: readonly string[], changes: Partial<Account> = {}) {
  const all = scene(changes);
  const { registrar, network, agent } = all;
  registrar.algorithms = [];
  let said = serviceRoute;
  registrar.rule = (request) => {
    if (request.method !== 'REGISTER') return undefined;
    const bindings = request.headerValues('Contact').map((contact) => ['Contact', `${contact};expires=3600`] as const);
    return registrar.refuse(request, 200, [...bindings, ...said.map((route) => ['Service-Route', route] as const)]);
  };
  const invite = () => {
    agent.userAgent.invite(network.now, { account: 'alice', target: new SipUri({ user: 'bob', host: 'example.org' }), body: offer });
    network.run(100);
    const sent = network.packets.filter(({ text }) => text.startsWith('INVITE')).at(-1);
    return { to: sent?.to, routes: sent?.text.split('\r\n').filter((line) => line.startsWith('Route: ')) };
  };
  const say = (routes: readonly string[]): void => {
    said = routes;
    agent.userAgent.registerNow(network.now, 'alice');
    network.run(1 * seconds);
  };
  all.register();
  network.run(1 * seconds);
  return { ...all, invite, say };
}

t.test('RFC 3608 §6.1 calls take the routes that came with the binding, REGISTER does not', async (t) => {
  const { network, invite, say } = routed(['<sip:192.0.2.30;lr>', '<sip:192.0.2.31;lr>']);
  t.same(invite(), { to: '192.0.2.30:5060', routes: ['Route: <sip:192.0.2.30;lr>', 'Route: <sip:192.0.2.31;lr>'] });
  say(['<sip:192.0.2.32;lr>']);
  t.notOk(network.packets.some(({ text }) => text.startsWith('REGISTER') && text.includes('\r\nRoute:')));
  t.same(invite(), { to: '192.0.2.32:5060', routes: ['Route: <sip:192.0.2.32;lr>'] }, 'the latest binding counts');
  say([]);
  t.same(invite(), { to: '192.0.2.10:5060', routes: [] }, 'without, calls go straight again');
});

t.test('RFC 3608 §6.1 the outbound proxy stays first, and is not named twice', async (t) => {
  const outboundProxy = new SipUri({ host: '192.0.2.10' });
  const { invite, say } = routed(['<sip:192.0.2.30;lr>'], { outboundProxy });
  t.same(invite(), { to: '192.0.2.10:5060', routes: ['Route: <sip:192.0.2.10;lr>', 'Route: <sip:192.0.2.30;lr>'] });
  say(['<sip:192.0.2.10:5060;lr>', '<sip:192.0.2.30;lr>']);
  t.same(invite(), { to: '192.0.2.10:5060', routes: ['Route: <sip:192.0.2.10:5060;lr>', 'Route: <sip:192.0.2.30;lr>'] });
});

t.test('a Service-Route that makes no sense is not used', async (t) => {
  const { invite, say } = routed(['<sip:192.0.2.30>']);
  const straight = { to: '192.0.2.10:5060', routes: [] };
  t.same(invite(), straight, 'a strict router');
  for (const odd of ['<tel:1>', 'nonsense <', '', Array.from({ length: 9 }, (_, i) => `<sip:192.0.2.${i};lr>`).join(', ')]) {
    say([odd]);
    t.same(invite(), straight, odd);
  }
});

t.test('RFC 5626 §4.1 the Contact names the instance of the device, under every account', async (t) => {
  const instanceId = 'f81d4fae-7dec-81d0-a765-00a0c91e6bf6';
  const { network, registrar, register, agent } = scene({}, {}, { instanceId });
  register();
  network.run(1 * seconds);
  t.match(registrar.contacts.at(-1)?.[0], new RegExp(`@192\\.0\\.2\\.20:5060>;\\+sip\\.instance="<urn:uuid:${instanceId}>";reg-id=1$`));
  agent.userAgent.removeAccount(network.now, 'alice');
  network.run(1 * seconds);
  t.match(registrar.contacts.at(-1), [/sip\.instance/], 'also when the binding goes');
});

t.test('RFC 5627 §4.2, §4.4 with a GRUU from the registrar dialogs know us by it; REGISTER and strangers do not', async (t) => {
  const own = 'sip:alice@example.org;gr=urn:uuid:f81d4fae-7dec-81d0-a765-00a0c91e6bf6';
  const withGruu = (gruu: string, changes: Partial<Account> = { gruu: true }) => {
    const all = scene(changes);
    const { registrar, network, agent } = all;
    registrar.algorithms = [];
    let given = gruu;
    registrar.rule = (request) => {
      if (request.method !== 'REGISTER') return undefined;
      const contacts = request.headerValues('Contact').map((contact) => ['Contact', `${contact};expires=3600${given}`] as const);
      return registrar.refuse(request, 200, contacts);
    };
    all.register();
    network.run(1 * seconds);
    const contact = (headers: readonly (readonly [string, string])[] = []): string | undefined => {
      const target = new SipUri({ user: 'bob', host: 'example.org' });
      agent.userAgent.invite(network.now, { account: 'alice', target, body: offer, headers });
      network.run(100);
      const sent = network.packets.filter(({ text }) => text.startsWith('INVITE')).at(-1);
      return sent?.text.split('\r\n').find((line) => line.startsWith('Contact: '));
    };
    const give = (next: string): void => {
      given = next;
      agent.userAgent.registerNow(network.now, 'alice');
      network.run(1 * seconds);
    };
    return { ...all, contact, give };
  };
  const { registrar, contact, give } = withGruu(`;pub-gruu="${own}"`);
  t.same(registrar.registers.at(-1)?.supported, ['path', 'gruu']);
  t.equal(contact(), `Contact: <${own}>`);
  give(`;pub-gruu="${own}"`);
  t.match(registrar.registers.at(-1)?.headerValues('Contact')[0], /@192\.0\.2\.20:5060>$/, 'a REGISTER binds the address itself');
  give('');
  t.match(contact(), /@192\.0\.2\.20:5060>$/, 'it counts as long as the binding it came with');
  for (const odd of ['sip:mallory@example.org;gr', 'sip:alice@192.0.2.66;gr', 'sip:alice@example.org', 'tel:1', '<', '']) {
    give(`;pub-gruu="${odd}"`);
    t.match(contact(), /@192\.0\.2\.20:5060>$/, `not ours: ${odd}`);
  }
  const temporary = 'sip:tgruu.7hs==jd7vnzga5w7fajsc7-ajd6fabz0f8g5@example.org;gr';
  give(`;pub-gruu="${own}";temp-gruu="${temporary}"`);
  t.equal(contact(), `Contact: <${own}>`);
  t.equal(contact([['Privacy', 'id']]), `Contact: <${temporary}>`, '§3.1.2 who hides is known by the temporary one');
  for (const odd of ['', ';temp-gruu="sip:x@192.0.2.66;gr"', ';temp-gruu="sip:x@example.org"', ';temp-gruu="<<"']) {
    give(`;pub-gruu="${own}"${odd}`);
    t.match(contact([['Privacy', 'id']]), /@192\.0\.2\.20:5060>$/, 'and by nothing that has the name, when there is none');
  }
  const without = withGruu(`;pub-gruu="${own}"`, {});
  t.same(without.registrar.registers.at(-1)?.supported, ['path']);
  t.match(without.contact(), /@192\.0\.2\.20:5060>$/, 'only when the line is set to');
});
