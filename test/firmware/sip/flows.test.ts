import t from 'tap';
import { silentLogger } from '#firmware/core/logger.ts';
import type { Account } from '#firmware/sip/account.ts';
import { buildResponse, serializeMessage } from '#firmware/sip/message/build.ts';
import type { Request, Response } from '#firmware/sip/message/message.ts';
import { parseMessage } from '#firmware/sip/message/parse.ts';
import { SipUri } from '#firmware/sip/message/uri.ts';
import { stampRequest } from '#firmware/sip/transaction/matching.ts';
import type { Endpoint, Flow, Transport } from '#firmware/sip/transport/flow.ts';
import { answerToBinding, isStun } from '#firmware/sip/transport/stun-message.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import type { UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import type { UserAgentSettings } from '#firmware/sip/user-agent-settings.ts';
import { seededEntropy } from '#test/support/seeded-entropy.ts';
import { offer } from '#test/support/sip-agents.ts';

const seconds = 1_000;
const ours = { address: '10.0.0.5', port: 5060 };
const instanceId = '6f0d3a54-0000-4000-8000-000000000001';

/** One server of the test: what it knows, and what came to it. */
interface Edge {
  readonly address: string;
  /** Nobody is there while false. */
  isUp: boolean;
  answersStun: boolean;
  headers: readonly (readonly [string, string])[];
  rule: (request: Request) => number;
  readonly registers: Request[];
  readonly stunAt: number[];
}

function edge(address: string, changes: Partial<Edge> = {}): Edge {
  return { address, isUp: true, answersStun: true, headers: [], rule: () => 200, registers: [], stunAt: [], ...changes };
}

/** A user agent behind a NAT whose outside address the test can change, and its servers; virtual time. */
class Scene {
  readonly edges: readonly Edge[];
  readonly userAgent: UserAgent;
  readonly events: UserAgentEvent[] = [];
  readonly raw: { at: number; text: string; host: string }[] = [];
  readonly requests: { host: string; request: Request }[] = [];
  /** Every request but REGISTER gets 200 instead of 404. */
  callsAreTaken = false;
  /** Where SIP, other than STUN, sees us. */
  seenBySip: Endpoint | undefined;
  outside: Endpoint = { address: '203.0.113.1', port: 40_000 };
  now = 0;

  constructor(edges: readonly Edge[], settings: Partial<UserAgentSettings> = {}) {
    this.edges = edges;
    this.userAgent = new UserAgent({
      entropy: seededEntropy(26),
      logger: silentLogger,
      addresses: { towards: () => ours },
      settings: { instanceId, ...settings },
    });
  }

  account(changes: Partial<Account> = {}): void {
    const [first, ...others] = this.edges.map(({ address }) => new SipUri({ host: address }));
    if (!first) throw new Error('a scene has a server');
    const aor = new SipUri({ user: 'alice', host: 'example.org' });
    const registrar = new SipUri({ host: 'example.org' });
    const servers = { registrar, outboundProxy: first, alternatives: others };
    this.userAgent.setAccount(this.now, { id: 'alice', aor, ...servers, transport: 'udp', expires: 3600, ...changes });
    this.run(100);
  }

  states(): string[] {
    return this.events.flatMap((event) => (event.type === 'registration' ? [event.state] : []));
  }

  /** Lets so much time pass. */
  run(milliseconds: number): void {
    const end = this.now + milliseconds;
    this.#settle();
    for (let next = this.userAgent.deadline; next !== undefined && next <= end; next = this.userAgent.deadline) {
      this.now = Math.max(this.now, next);
      this.userAgent.handleTimeout(this.now);
      this.#settle();
    }
    this.now = end;
  }

  receive(from: string, bytes: Uint8Array, transport: Transport = 'udp'): void {
    this.userAgent.receive(this.now, flowFrom(from, transport), bytes);
    this.#settle();
  }

  #settle(): void {
    for (let outputs = this.userAgent.drain(); outputs.length > 0; outputs = this.userAgent.drain()) {
      for (const output of outputs) {
        if (output.kind === 'event') this.events.push(output.event);
        else this.#deliver(output.destination.host, output.destination.transport, output.bytes);
      }
    }
  }

  #deliver(host: string, transport: Transport, bytes: Uint8Array): void {
    const server = this.edges.find(({ address }) => address === host);
    if (!server?.isUp) return;
    const parsed = isStun(bytes) ? undefined : parseMessage(bytes);
    if (parsed?.ok && parsed.message.kind === 'request') this.#answer(server, transport, parsed.message);
    else if (!parsed) {
      server.stunAt.push(this.now);
      const answer = server.answersStun ? answerToBinding(bytes, this.outside) : undefined;
      if (answer) this.userAgent.receive(this.now, flowFrom(host, transport), answer);
    } else this.raw.push({ at: this.now, text: new TextDecoder().decode(bytes), host });
  }

  #answer(server: Edge, transport: Transport, received: Request): void {
    const request = stampRequest(received, { ...flowFrom(server.address, transport), local: ours, remote: this.seenBySip ?? this.outside });
    this.requests.push({ host: server.address, request });
    if (request.method === 'REGISTER') server.registers.push(request);
    const statusCode = request.method === 'REGISTER' ? server.rule(request) : this.callsAreTaken ? 200 : 404;
    const own = request.headerValues('Contact').map((contact) => ['Contact', `${contact};expires=3600`] as const);
    const contacts =
      request.method === 'REGISTER' ? own : [['Contact', `<sip:bob@${server.address}>`] as const, ['Allow', 'UPDATE'] as const];
    const headers = statusCode === 200 ? [...contacts, ...server.headers] : [];
    const response: Response = buildResponse(request, statusCode, { toTag: 'edge', headers });
    if (request.method !== 'ACK') this.userAgent.receive(this.now, flowFrom(server.address, transport), serializeMessage(response));
  }
}

function flowFrom(address: string, transport: Transport): Flow {
  return { id: `${transport} ${address}`, transport, reliable: transport !== 'udp', local: ours, remote: { address, port: 5060 } };
}

function contactOf(request: Request | undefined): string {
  return request?.headerValues('Contact')[0] ?? '';
}

t.test('RFC 5626 §4.4.2 behind a NAT the server gets STUN on the SIP flow, between 23 and 29 s apart', async (t) => {
  const server = edge('192.0.2.10');
  const scene = new Scene([server]);
  scene.account();
  scene.run(300 * seconds);
  t.match(contactOf(server.registers.at(-1)), /@203\.0\.113\.1:40000/, 'the Contact is what the NAT made of it');
  t.ok(server.stunAt.length >= 10 && server.stunAt.length <= 13, `${server.stunAt.length} in five minutes`);
  const gaps = server.stunAt.slice(1).map((at, i) => at - (server.stunAt[i] ?? 0));
  t.ok(
    gaps.every((gap) => gap >= 23 * seconds && gap <= 29 * seconds),
    gaps.join(' '),
  );
  t.equal(server.registers.length, 2, 'and the registration stands');
  t.match(scene.userAgent.describe(), {
    accounts: [{ registration: { keepAlive: { form: 'stun', answered: true, seenAs: '203.0.113.1:40000' } } }],
  });
});

t.test('RFC 5626 §4.4.2 a NAT that forgets us has us registered under the new address at once', async (t) => {
  const server = edge('192.0.2.10');
  const scene = new Scene([server]);
  scene.account();
  scene.run(60 * seconds);
  const before = server.registers.length;
  scene.outside = { address: '203.0.113.1', port: 41_234 };
  scene.run(30 * seconds);
  t.ok(server.registers.length > before);
  t.match(contactOf(server.registers.at(-1)), /@203\.0\.113\.1:41234/);
  t.match(
    server.registers.at(-1)?.headerValues('Contact')[1] ?? contactOf(server.registers.at(-2)),
    /:40000|:5060/,
    'the old one is taken back',
  );
  scene.run(120 * seconds);
  t.equal(scene.states().at(-1), 'registered');
});

t.test('RFC 5626 §4.4.2 a server that answered STUN and no longer does has failed: another gets the registration', async (t) => {
  const servers = [edge('192.0.2.10'), edge('192.0.2.11')];
  const [first, second] = servers;
  const scene = new Scene(servers);
  scene.account();
  scene.run(60 * seconds);
  t.equal(second?.registers.length, 0);
  if (first) first.isUp = false;
  scene.run(29 * seconds + 39.5 * seconds + 10 * seconds);
  t.ok((second?.registers.length ?? 0) > 0, 'within the time of seven tries');
  t.equal(scene.states().at(-1), 'registered');
});

t.test(
  'RFC 5626 §4.4.2 what STUN sees at first is held against what the registrar saw; where they never agree, once is enough',
  async (t) => {
    const server = edge('192.0.2.10');
    const scene = new Scene([server]);
    scene.account();
    const before = server.registers.length;
    scene.outside = { address: '203.0.113.1', port: 41_234 };
    scene.run(30 * seconds);
    t.ok(server.registers.length > before, 'the NAT forgot before the first keep-alive');
    t.match(contactOf(server.registers.at(-1)), /:41234/);

    const other = edge('192.0.2.10');
    const torn = new Scene([other]);
    torn.seenBySip = { address: '203.0.113.9', port: 9 };
    torn.account();
    torn.run(300 * seconds);
    t.ok(other.registers.length <= 4, `${other.registers.length} REGISTER in five minutes`);
  },
);

t.test('RFC 3261 §12.2 a call follows its line to another address: the far end is told the new Contact once', async (t) => {
  const server = edge('192.0.2.10');
  const scene = new Scene([server]);
  scene.account();
  scene.callsAreTaken = true;
  scene.userAgent.invite(scene.now, { account: 'alice', target: new SipUri({ user: 'bob', host: 'example.org' }), body: offer });
  scene.run(60 * seconds);
  const within = (): Request[] => scene.requests.flatMap(({ request }) => (request.method === 'UPDATE' ? [request] : []));
  t.same(within(), []);
  scene.outside = { address: '203.0.113.1', port: 41_234 };
  scene.run(60 * seconds);
  t.equal(within().length, 1);
  t.match(contactOf(within()[0]), /@203\.0\.113\.1:41234/);
  scene.userAgent.networkChanged(scene.now);
  scene.run(60 * seconds);
  t.equal(within().length, 1, 'and not again while it stays');
});

t.test('a server that knows no STUN is not blamed for it, and gets each only once', async (t) => {
  const server = edge('192.0.2.10', { answersStun: false });
  const scene = new Scene([server]);
  scene.account();
  scene.run(300 * seconds);
  t.equal(server.registers.length, 2);
  t.ok(server.stunAt.length >= 10 && server.stunAt.length <= 13, `${server.stunAt.length}`);
});

t.test('keep-alive as it is set: off, empty lines, STUN also without a NAT; by itself none where no NAT is', async (t) => {
  const count = (changes: Partial<Account>, outside: Endpoint) => {
    const server = edge('192.0.2.10');
    const scene = new Scene([server]);
    scene.outside = outside;
    scene.account(changes);
    scene.run(120 * seconds);
    return [server.stunAt.length > 3, scene.raw.filter(({ text }) => text === '\r\n\r\n').length > 3];
  };
  const nat = { address: '203.0.113.1', port: 40_000 };
  t.same(count({ keepAlive: 'off' }, nat), [false, false]);
  t.same(count({ keepAlive: 'crlf' }, nat), [false, true]);
  t.same(count({ keepAlive: 'stun' }, ours), [true, false]);
  t.same(count({}, ours), [false, false]);
});

t.test('stray and broken STUN costs a counter and nothing else', async (t) => {
  const scene = new Scene([edge('192.0.2.10')]);
  scene.account();
  const stray = answerToBinding(Uint8Array.from([0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, ...new Uint8Array(12)]), ours);
  if (stray) scene.receive('192.0.2.66', stray);
  scene.receive('192.0.2.66', Uint8Array.from([0, 1, 0, 99, 0x21, 0x12, 0xa4, 0x42, ...new Uint8Array(16)]));
  t.match(scene.userAgent.describe(), { counters: { 'stun-astray': 2 } });
});

t.test('RFC 5626 §4.2 a REGISTER asks for a flow, and dialogs say ob where the registrar grants it', async (t) => {
  const server = edge('192.0.2.10', { headers: [['Require', 'outbound']] });
  const scene = new Scene([server]);
  scene.account();
  const [register] = server.registers;
  t.match(contactOf(register), /;\+sip\.instance="<urn:uuid:6f0d3a54-0000-4000-8000-000000000001>";reg-id=1$/);
  t.same(register?.supported, ['path', 'outbound']);
  scene.userAgent.invite(scene.now, { account: 'alice', target: new SipUri({ user: 'bob', host: 'example.org' }), body: offer });
  scene.run(100);
  const invite = scene.requests.find(({ request }) => request.method === 'INVITE')?.request;
  t.match(contactOf(invite), /;ob>/);

  const plain = new Scene([edge('192.0.2.10')]);
  plain.account();
  plain.userAgent.invite(plain.now, { account: 'alice', target: new SipUri({ user: 'bob', host: 'example.org' }), body: offer });
  plain.run(100);
  t.notMatch(contactOf(plain.requests.find(({ request }) => request.method === 'INVITE')?.request), /;ob/);
});

t.test('RFC 5626 §11.6 439: the first hop knows no flows, so none is asked for', async (t) => {
  const server = edge('192.0.2.10', { rule: (request) => (contactOf(request).includes('reg-id') ? 439 : 200) });
  const scene = new Scene([server]);
  scene.account();
  t.equal(scene.states().at(-1), 'registered');
  t.notMatch(contactOf(server.registers.at(-1)), /reg-id/);
  t.same(server.registers.at(-1)?.supported, ['path']);
});

t.test('RFC 5626 §4.4 Flow-Timer says how often; within reason', async (t) => {
  const timed = (value: string, transport: 'udp' | 'tcp' = 'udp') => {
    const server = edge('192.0.2.10', { headers: [['Flow-Timer', value]] });
    const scene = new Scene([server]);
    scene.outside = ours;
    scene.account({ transport });
    scene.run(100 * seconds);
    return { stun: server.stunAt.length, lines: scene.raw.filter(({ text }) => text === '\r\n\r\n').length };
  };
  const often = timed('10').stun;
  t.ok(often >= 10 && often <= 13, `${often} within 100 s`);
  const byTcp = timed('20', 'tcp').lines;
  t.ok(byTcp >= 5 && byTcp <= 7, `${byTcp} pings within 100 s`);
  for (const value of ['0', '1', '-5', 'soon', '999999999']) t.equal(timed(value).stun, 0, `${value} is not followed`);
});

t.test('RFC 5626 §4.2.1 several flows stand at once, each by a server of its own; one that fails is made anew by another', async (t) => {
  const servers = [edge('192.0.2.10'), edge('192.0.2.11'), edge('192.0.2.12')];
  const [first, second, spare] = servers;
  if (!first || !second || !spare) throw new Error('three servers');
  const scene = new Scene(servers);
  scene.account({ flows: 2 });
  t.match(contactOf(first.registers.at(-1)), /reg-id=1$/);
  t.match(contactOf(second.registers.at(-1)), /reg-id=2$/);
  t.equal(spare.registers.length, 0);
  const instance = /\+sip\.instance="[^"]+"/;
  t.equal(instance.exec(contactOf(first.registers[0]))?.[0], instance.exec(contactOf(second.registers[0]))?.[0]);
  t.same([...new Set(scene.states())], ['registering', 'registered']);

  const invite = (): string | undefined => {
    scene.userAgent.invite(scene.now, { account: 'alice', target: new SipUri({ user: 'bob', host: 'example.org' }), body: offer });
    scene.run(100);
    return scene.requests.filter(({ request }) => request.method === 'INVITE').at(-1)?.host;
  };
  t.equal(invite(), first.address);
  scene.run(40 * seconds);
  first.isUp = false;
  scene.run(90 * seconds);
  t.ok(spare.registers.length > 0, 'the spare server takes the first flow');
  t.match(contactOf(spare.registers.at(-1)), /reg-id=1$/);
  t.notOk(scene.states().includes('failed'), 'a person hears nothing of it');
  spare.isUp = false;
  scene.run(200 * seconds);
  t.equal(invite(), second.address, 'with the first flow down calls go by the second');
  t.notOk(scene.states().includes('failed'));
  second.isUp = false;
  scene.run(200 * seconds);
  t.ok(scene.states().includes('failed'), 'with all of them down the line is');
  for (const server of servers) server.isUp = true;
  scene.run(400 * seconds);
  t.equal(scene.states().at(-1), 'registered');
  scene.userAgent.stop(scene.now);
  scene.run(10 * seconds);
  t.equal(scene.states().filter((state) => state === 'unregistered').length, 1);
});
