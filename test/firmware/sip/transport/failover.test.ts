import t from 'tap';
import type { Account } from '#firmware/sip/account.ts';
import { buildResponse } from '#firmware/sip/message/build.ts';
import { NameAddr } from '#firmware/sip/message/name-addr.ts';
import { SipUri } from '#firmware/sip/message/uri.ts';
import { addressRecord, pointerRecord, ScriptedNames, serviceRecord } from '#test/support/scripted-names.ts';
import { ScriptedRegistrar } from '#test/support/scripted-registrar.ts';
import { type Packet, SimulatedNetwork } from '#test/support/simulated-network.ts';
import { answer, offer, TestAgent } from '#test/support/sip-agents.ts';

const seconds = 1_000;
const first = '192.0.2.10';
const second = '192.0.2.11';

/** A domain with two servers, the first preferred, and a phone that knows the domain alone. */
function scene(changes: Partial<Account> = {}) {
  const network = new SimulatedNetwork();
  const names = new ScriptedNames(network)
    .add('_sip._udp.house.example', serviceRecord('one.house.example', 1), serviceRecord('two.house.example', 2))
    .add('one.house.example', addressRecord(first))
    .add('two.house.example', addressRecord(second));
  const one = new ScriptedRegistrar(network, first);
  const two = new ScriptedRegistrar(network, second);
  const agent = new TestAgent(network, '192.0.2.20', {}, names);
  const domain = new SipUri({ host: 'house.example' });
  const account: Account = {
    id: 'alice',
    aor: new SipUri({ user: 'alice', host: 'house.example' }),
    registrar: domain,
    credentials: { username: 'alice', password: 'alice-password' },
    expires: 3600,
    ...changes,
  };
  const register = (): void => agent.userAgent.setAccount(network.now, account);
  const states = (): string[] => agent.all('registration').map(({ state, statusCode }) => (statusCode ? `${state} ${statusCode}` : state));
  /** From now on nothing arrives at that address; gives back how to mend it. */
  const silence = (address: string): (() => void) => network.intercept(({ to }) => (to === `${address}:5060` ? 'drop' : undefined));
  const sent = (method: string): Packet[] => network.packets.filter(({ text }) => text.startsWith(`${method} `));
  const invite = (): string =>
    agent.userAgent.invite(network.now, { account: 'alice', target: new SipUri({ user: 'bob', host: 'house.example' }), body: offer });
  return { network, names, one, two, agent, account, register, states, silence, sent, invite };
}

/** How a server takes every INVITE: the far end is behind it. */
function accepting(server: ScriptedRegistrar): void {
  server.rule = (request) => {
    if (request.method !== 'INVITE') return request.method === 'BYE' ? server.refuse(request, 200) : undefined;
    const contact = new NameAddr(new SipUri({ user: 'bob', host: server.host.address }));
    const body = { type: answer.contentType, content: answer.bytes };
    return buildResponse(request, 200, { toTag: `of-${server.host.address}`, contact, body });
  };
}

t.test('RFC 3263 §4 a line that knows its domain alone finds the server, its transport and its port', async (t) => {
  const { network, names, register, states, sent, agent } = scene();
  names.add('house.example', pointerRecord('SIP+D2T', '_sip._tcp.house.example'));
  names.add('_sip._tcp.house.example', serviceRecord('one.house.example', 1));
  register();
  network.run(1 * seconds);
  t.same(states(), ['registering', 'registered 200']);
  t.same([...new Set(sent('REGISTER').map(({ transport, to }) => `${transport} ${to}`))], [`tcp ${first}:5060`]);
  t.match(sent('REGISTER')[0]?.text, /\r\nContact: <sip:[^>]*;transport=tcp>/, 'the Contact says the transport that was found');
  t.equal(names.asked.length, new Set(names.asked).size, 'nothing is asked twice');
  const before = names.asked.length;
  agent.userAgent.registerNow(network.now, 'alice');
  network.run(1 * seconds);
  t.equal(names.asked.length, before, 'nor while the answers are good');
});

t.test('RFC 3263 §4.3 a silent server is left for the next after four seconds, and taken up again when it is back', async (t) => {
  const { network, register, states, silence, sent } = scene();
  const mend = silence(first);
  register();
  network.run(6 * seconds);
  t.same(states(), ['registering', 'registered 200']);
  const toSecond = sent('REGISTER').find(({ to }) => to === `${second}:5060`);
  t.ok((toSecond?.sentAt ?? 0) < 5.5 * seconds, `${toSecond?.sentAt} ms`);
  const toFirst = sent('REGISTER').filter(({ to }) => to === `${first}:5060`);
  t.equal(toFirst.length, 4, 'four copies, no more');
  mend();
  network.run(31 * seconds);
  t.equal(sent('REGISTER').at(-1)?.to, `${first}:5060`, 'failback');
  const count = sent('REGISTER').length;
  network.run(600 * seconds);
  t.equal(sent('REGISTER').length, count, 'and there it stays until the refresh is due');
  t.same(states().slice(2), ['registered 200'], 'a person sees nothing of it');
});

t.test('RFC 3263 §4.3 a server that stays away is asked ever more rarely while another one serves', async (t) => {
  const { network, register, states, silence, sent } = scene();
  silence(first);
  register();
  network.run(30 * 60 * seconds);
  t.notOk(states().some((state) => state.startsWith('failed')));
  const tries = sent('REGISTER').filter(({ to, text }) => to === `${first}:5060` && /branch/.test(text));
  const rounds = tries.filter(({ sentAt }, i) => sentAt - (tries[i - 1]?.sentAt ?? Number.NEGATIVE_INFINITY) > 20 * seconds);
  t.ok(rounds.length >= 6 && rounds.length <= 10, `${rounds.length} rounds in half an hour`);
});

t.test('RFC 3263 §4.3 a refused connection and a 503 lead to the next server at once', async (t) => {
  const tcp = scene({ transport: 'tcp' });
  tcp.names.add('_sip._tcp.house.example', serviceRecord('one.house.example', 1), serviceRecord('two.house.example', 2));
  tcp.one.host.detach();
  tcp.register();
  tcp.network.run(200);
  t.same(tcp.states(), ['registering', 'registered 200']);
  const busy = scene();
  busy.one.rule = (request) => busy.one.refuse(request, 503, [['Retry-After', '120']]);
  busy.register();
  busy.network.run(200);
  t.same(busy.states(), ['registering', 'registered 200']);
  busy.network.run(100 * seconds);
  t.equal(busy.one.registers.length, 1, 'it is left alone for as long as it asked');
  busy.network.run(30 * seconds);
  t.equal(busy.one.registers.length, 2);
});

t.test('an ICMP refusal leads to the next server at once', async (t) => {
  const { network, agent, register, states, silence } = scene();
  silence(first);
  register();
  network.run(600);
  agent.host.refused({ transport: 'udp', host: first, port: 5060 });
  network.run(200);
  t.same(states(), ['registering', 'registered 200']);
});

t.test('all servers away: the line says so after all were tried, waits longer each time and comes back by itself', async (t) => {
  const { network, register, states, silence } = scene();
  const mend = [silence(first), silence(second)];
  register();
  network.run(37 * seconds);
  t.same(states(), ['registering', 'failed 408']);
  network.run(200 * seconds);
  for (const one of mend) one();
  network.run(120 * seconds);
  t.equal(states().at(-1), 'registered 200');
});

t.test('a name that leads nowhere is said in the reason, and asked for again with the next try', async (t) => {
  const { network, names, register, states, agent } = scene();
  names.isDown = true;
  register();
  network.run(1 * seconds);
  t.same(states(), ['registering', 'failed 503']);
  t.match(agent.last('registration').obstacle, 'no address is known for house.example');
  names.isDown = false;
  network.run(20 * seconds);
  t.equal(states().at(-1), 'registered 200');
});

t.test('RFC 3263 §4.3 a call goes by the next server when the first is silent, and the registration follows', async (t) => {
  const { network, two, agent, register, silence, sent, invite } = scene();
  register();
  network.run(1 * seconds);
  accepting(two);
  silence(first);
  const session = invite();
  network.run(5 * seconds);
  t.match(agent.last('accepted'), { session });
  t.equal(sent('ACK').at(-1)?.to, `${second}:5060`);
  t.equal(sent('REGISTER').at(-1)?.to, `${second}:5060`, 'incoming calls are taken there too');
});

t.test('an INVITE given up that is taken after all is cancelled, or ended at once', async (t) => {
  const late = scene();
  late.register();
  late.network.run(1 * seconds);
  accepting(late.two);
  // What the first server says is six seconds late.
  late.network.intercept(({ from }) => (from === `${first}:5060` ? { delay: 6 * seconds } : undefined));
  late.one.rule = (request) => (request.method === 'INVITE' ? late.one.refuse(request, 180) : undefined);
  late.invite();
  late.network.run(8 * seconds);
  t.equal(late.agent.all('accepted').length, 1);
  t.same([...new Set(late.sent('CANCEL').map(({ to }) => to))], [`${first}:5060`]);
  const taken = scene();
  taken.register();
  taken.network.run(1 * seconds);
  accepting(taken.one);
  accepting(taken.two);
  taken.network.intercept(({ from }) => (from === `${first}:5060` ? { delay: 6 * seconds } : undefined));
  taken.invite();
  taken.network.run(8 * seconds);
  t.equal(taken.agent.all('accepted').length, 1);
  t.equal(taken.agent.all('ended').length, 0);
  t.same([...new Set(taken.sent('BYE').map(({ to }) => to))], [`${first}:5060`]);
  t.ok(taken.sent('ACK').some(({ to }) => to === `${first}:5060`));
});

t.test('a call that is hung up while its server is looked for is never sent', async (t) => {
  const { network, names, agent, sent, invite, account } = scene({
    registrar: undefined,
    outboundProxy: new SipUri({ host: 'house.example' }),
  });
  agent.userAgent.setAccount(network.now, account);
  names.delay = 500;
  const session = invite();
  network.run(100);
  t.notOk(agent.userAgent.idle);
  agent.userAgent.end(network.now, session);
  network.run(5 * seconds);
  t.match(agent.last('failed'), { session, statusCode: 487 });
  t.equal(sent('INVITE').length, 0);
  t.ok(agent.userAgent.idle);
});

t.test('servers named for the line one by one: the route is that of the one in use', async (t) => {
  const proxies = [new SipUri({ host: first }), new SipUri({ host: second })] as const;
  const { network, two, agent, register, states, silence, sent, invite } = scene({ outboundProxy: proxies[0], alternatives: [proxies[1]] });
  const mend = silence(first);
  register();
  network.run(6 * seconds);
  t.equal(states().at(-1), 'registered 200');
  t.match(sent('REGISTER').at(-1)?.text, `Route: <sip:${second};lr>`);
  accepting(two);
  invite();
  network.run(1 * seconds);
  t.equal(agent.all('accepted').length, 1);
  t.match(sent('INVITE').at(-1)?.text, `Route: <sip:${second};lr>`);
  mend();
  network.run(40 * seconds);
  t.match(sent('REGISTER').at(-1)?.text, `Route: <sip:${first};lr>`);
});

t.test('the second server is asked for the password anew', async (t) => {
  const { network, two, register, states, silence } = scene();
  two.nonce = 'of the second';
  register();
  network.run(1 * seconds);
  silence(first);
  network.run(3600 * seconds);
  t.notOk(
    states().some((state) => state.startsWith('rejected') || state.startsWith('failed')),
    states().join(),
  );
  t.ok(two.contacts.length > 0);
});

t.test('another network: registered anew at once under the new address, the old binding taken away, whatever was under way', async (t) => {
  const { network, one, agent, register, states, sent } = scene();
  register();
  network.run(1 * seconds);
  const [before] = one.contacts.at(-1) ?? [];
  agent.host.towards = () => ({ address: '192.0.2.21', port: 5060 });
  agent.userAgent.networkChanged(network.now);
  network.run(100);
  const [contact, stale] = one.contacts.findLast(([said]) => said?.includes('@192.0.2.21:')) ?? [];
  t.match(contact, /@192\.0\.2\.21:5060>$/);
  t.equal(stale, `${before};expires=0`);
  t.equal(states().at(-1), 'registered 200');
  const cut = network.intercept(() => 'drop');
  agent.userAgent.registerNow(network.now, 'alice');
  network.run(1 * seconds);
  cut();
  agent.userAgent.networkChanged(network.now);
  const count = sent('REGISTER').length;
  network.run(200);
  t.equal(states().at(-1), 'registered 200', 'a request that went out into nothing is not waited for');
  network.run(60 * seconds);
  t.ok(sent('REGISTER').length <= count + 2, 'nor sent again');
});

t.test('a link that is away for long: tries come ever more rarely, and the line is back as soon as the network is', async (t) => {
  const { network, agent, register, states } = scene();
  register();
  network.run(1 * seconds);
  const cut = network.intercept(() => 'drop');
  agent.userAgent.networkChanged(network.now);
  network.run(3_600 * seconds);
  t.match(states().at(-1), /^failed|^registering/);
  cut();
  const back = network.now;
  agent.userAgent.networkChanged(network.now);
  t.ok(
    network.runUntil(() => states().at(-1) === 'registered 200', 1 * seconds),
    `after ${network.now - back} ms`,
  );
});
