import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ExchangeStatus } from '#firmware/contract/exchange.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import type { BindingRecord } from '#firmware/exchange/location-service.ts';
import type { Daemon } from '#firmware/platform/daemon.ts';
import { DnsResolver } from '#firmware/platform/dns-resolver.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { openRtpSocketPair, type RtpSocketPair } from '#firmware/platform/rtp-socket.ts';
import { SipEndpoint } from '#firmware/platform/sip-endpoint.ts';
import { openStore } from '#firmware/platform/sqlite-store.ts';
import { emptyRtpPacketView, parseRtpPacket, writeRtpHeader } from '#firmware/rtp/packet.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import type { SessionId, UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { ExchangeRepository } from '#services/exchange/exchange-repository.ts';
import { ExchangeService } from '#services/exchange/exchange-service.ts';
import { exchangeMigrations } from '#services/exchange/migrations.ts';
import { WallClockWatch } from '#services/exchange/wall-clock-watch.ts';
import { freePorts } from '../../../scripts/free-ports.ts';
import { sipUri } from '../../support/exchange-house.ts';
import { prepareExchange } from '../../support/exchange-process.ts';

/** A daemon's surroundings without its process. */
class Surroundings implements Daemon {
  readonly name = 'exchange';
  readonly runtimeDirectory: string;
  readonly stateDirectory: string;
  readonly logger = { ...silentLogger, setLevel: () => undefined };
  readonly clock = nodeClock;
  readonly entropy = nodeEntropy;
  readonly #steps: (() => void | Promise<void>)[] = [];

  constructor(directory: string) {
    this.runtimeDirectory = directory;
    this.stateDirectory = directory;
  }

  onStop(_title: string, step: () => void | Promise<void>): void {
    this.#steps.push(step);
  }

  addHealthCheck(): void {}

  ready(): void {}

  async stop(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) await step();
  }
}

interface RunningExchange {
  readonly service: ExchangeService;
  readonly port: number;
  readonly directory: string;
  stop(): Promise<void>;
}

const nobody = { id: 0, role: 'test' };

async function startExchange(t: Test, directory = mkdtempSync(join(tmpdir(), 'exchange-'))): Promise<RunningExchange> {
  const port = await prepareExchange(directory);
  const surroundings = new Surroundings(directory);
  const service = await ExchangeService.start(surroundings);
  t.teardown(async () => {
    await surroundings.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  return { service, port, directory, stop: () => surroundings.stop() };
}

async function until<T>(what: string, look: () => T | undefined | false): Promise<T> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A user agent on real sockets with one account at the exchange. */
class Phone {
  readonly events: UserAgentEvent[] = [];
  readonly endpoint: SipEndpoint;
  readonly userAgent: UserAgent;
  readonly #exchange: RunningExchange;
  readonly #user: string;

  constructor(exchange: RunningExchange, user: string) {
    this.#exchange = exchange;
    this.#user = user;
    const resolver = new DnsResolver(nodeClock);
    this.endpoint = new SipEndpoint({ clock: nodeClock, logger: silentLogger, resolver, addresses: ['127.0.0.1'], port: 0 });
    this.userAgent = new UserAgent({ entropy: nodeEntropy, logger: silentLogger, addresses: this.endpoint });
  }

  async start(t: Test, transport: 'udp' | 'tcp'): Promise<void> {
    await this.endpoint.start(this.userAgent, (event) => this.events.push(event));
    t.teardown(() => this.endpoint.stop());
    const { port } = this.#exchange;
    this.endpoint.drive((now) =>
      this.userAgent.setAccount(now, {
        id: 'main',
        aor: sipUri(`sip:${this.#user}@127.0.0.1:${port}`),
        registrar: sipUri(`sip:127.0.0.1:${port};transport=${transport}`),
        transport,
        credentials: { username: this.#user, password: `${this.#user}-password` },
        expires: 600,
      }),
    );
    await this.event('registration', (event) => event.state === 'registered');
  }

  async event<Type extends UserAgentEvent['type']>(
    type: Type,
    fits: (event: Extract<UserAgentEvent, { type: Type }>) => boolean = () => true,
  ): Promise<Extract<UserAgentEvent, { type: Type }>> {
    const isIt = (event: UserAgentEvent): event is Extract<UserAgentEvent, { type: Type }> => event.type === type;
    try {
      return await until(`${this.#user} sees ${type}`, () => this.events.filter(isIt).find(fits));
    } catch (thrown) {
      throw new Error(`${String(thrown)}: ${JSON.stringify(this.events).slice(0, 2000)}`);
    }
  }

  call(user: string, rtpPort: number | undefined): SessionId {
    let session = '';
    const target = sipUri(`sip:${user}@127.0.0.1:${this.#exchange.port}`);
    const body = rtpPort === undefined ? {} : { body: sdp(rtpPort) };
    this.endpoint.drive((now) => {
      session = this.userAgent.invite(now, { account: 'main', target, ...body });
    });
    return session;
  }
}

function sdp(rtpPort: number) {
  const text = [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    'c=IN IP4 127.0.0.1',
    't=0 0',
    `m=audio ${rtpPort} RTP/AVP 8 0 101`,
    'a=rtpmap:101 telephone-event/8000',
    '',
  ].join('\r\n');
  return { contentType: 'application/sdp', bytes: new TextEncoder().encode(text) };
}

/** Sends A-law packets and keeps what comes. */
class Sound {
  readonly heard: { sequence: number; timestamp: number; ssrc: number; payloadType: number; payload: string }[] = [];
  readonly #pair: RtpSocketPair;
  readonly #view = emptyRtpPacketView();

  private constructor(pair: RtpSocketPair) {
    this.#pair = pair;
  }

  static async open(t: Test): Promise<Sound> {
    const from = await freePorts(2);
    let sound: Sound | undefined;
    const listen = (rtcp: boolean, bytes: Uint8Array) => !rtcp && sound?.hear(bytes);
    const pair = await openRtpSocketPair('127.0.0.1', { from, to: from + 1 }, nodeEntropy, listen, (error) => t.error(error));
    t.teardown(() => pair.close());
    sound = new Sound(pair);
    return sound;
  }

  get port(): number {
    return this.#pair.rtpPort;
  }

  hear(bytes: Uint8Array): void {
    if (parseRtpPacket(bytes, this.#view)) return;
    const { sequenceNumber, timestamp, ssrc, payloadType, payloadStart, payloadEnd } = this.#view;
    const payload = Buffer.from(bytes.subarray(payloadStart, payloadEnd)).toString('hex');
    this.heard.push({ sequence: sequenceNumber, timestamp, ssrc, payloadType, payload });
  }

  send(to: number, sequence: number, payloadType: number, timestamp: number, payload: Uint8Array): void {
    const bytes = new Uint8Array(12 + payload.length);
    writeRtpHeader(bytes, false, payloadType, sequence, timestamp, 77);
    bytes.set(payload, 12);
    this.#pair.send(false, bytes, bytes.length, '127.0.0.1', to);
  }
}

function portOf(body: { readonly bytes: Uint8Array } | undefined): number {
  return Number(/m=audio (\d+)/.exec(new TextDecoder().decode(body?.bytes))?.[1]);
}

async function user(exchange: RunningExchange, name: string): Promise<void> {
  await exchange.service.commands.setUser({ user: name, password: `${name}-password` }, nobody);
}

function extensionCall(exchange: RunningExchange): ExchangeStatus['extensionCalls'][number] | undefined {
  return exchange.service.status().extensionCalls[0];
}

t.test('600 sends back what it hears, in order and with its own SSRC; digits count by every way', async (t) => {
  const exchange = await startExchange(t);
  await user(exchange, 'anna');
  const anna = new Phone(exchange, 'anna');
  await anna.start(t, 'udp');
  const sound = await Sound.open(t);
  const session = anna.call('600', sound.port);
  const { body } = await anna.event('accepted');
  t.match(new TextDecoder().decode(body?.bytes), /m=audio \d+ RTP\/AVP 8 101\r\n/, 'the first codec offered, alone');
  const to = portOf(body);

  const payloadOf = (index: number): Uint8Array => new Uint8Array(160).fill(index);
  for (let index = 0; index < 60; index++) {
    // One is lost and two change places.
    const place = index === 20 ? undefined : index === 30 ? 31 : index === 31 ? 30 : index;
    if (place !== undefined) sound.send(to, 1000 + place, 8, 160 * place, payloadOf(place));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await until('all came back', () => sound.heard.length >= 58);
  t.strictSame(
    sound.heard.map(({ payload }) => Number.parseInt(payload.slice(0, 2), 16)),
    Array.from({ length: 59 }, (_, index) => index + 1).filter((index) => index !== 20),
    'what was lost is missing, and the packet that a new source proves itself with; the rest is in order',
  );
  t.ok(sound.heard.every(({ ssrc, payloadType }) => ssrc !== 77 && payloadType === 8));
  t.ok(sound.heard.every(({ sequence }, index) => index === 0 || sequence === (((sound.heard[index - 1]?.sequence ?? 0) + 1) & 0xffff)));

  const info = (contentType: string, text: string): void =>
    anna.endpoint.drive((now) => anna.userAgent.info(now, session, { contentType, bytes: new TextEncoder().encode(text) }));
  info('application/dtmf-relay', 'Signal=1\r\nDuration=160\r\n');
  await anna.event('infoAnswered');
  info('application/dtmf', '11');
  for (let packet = 0; packet < 5; packet++) {
    const block = Uint8Array.of(5, packet >= 2 ? 0x8a : 0x0a, 0, Math.min(packet + 1, 3) * 160);
    sound.send(to, 1060 + packet, 101, 160 * 60, block);
  }
  await until('three digits', () => extensionCall(exchange)?.digits.length === 3);
  t.strictSame([...(extensionCall(exchange)?.digits ?? '')].sort(), ['#', '1', '5']);
  t.match(extensionCall(exchange)?.digitsBy, /INFO application\/dtmf-relay/);
  t.match(extensionCall(exchange)?.digitsBy, /RFC 4733/);
  t.equal(exchange.service.status().transactions, 1);

  anna.endpoint.drive((now) => anna.userAgent.end(now, session));
  await anna.event('ended');
  await until('it has ended there', () => extensionCall(exchange)?.state === 'ended');
  const { packetsReceived, packetsSent, packetsLost, from, extension } = extensionCall(exchange) ?? {};
  t.strictSame([packetsReceived, packetsSent, packetsLost], [64, 58, 1]);
  t.strictSame([extension, from], ['600', `sip:anna@127.0.0.1:${exchange.port}`]);
  t.equal(exchange.service.status().transactions, 0);
});

t.test('601 says its greeting and hangs up, to a caller over TCP too', async (t) => {
  const exchange = await startExchange(t);
  await user(exchange, 'bert');
  const bert = new Phone(exchange, 'bert');
  await bert.start(t, 'tcp');
  const sound = await Sound.open(t);
  const session = bert.call('601', sound.port);
  const { body } = await bert.event('accepted', (event) => event.session === session);
  t.ok(portOf(body) > 0);
  const ended = await bert.event('ended', (event) => event.session === session);
  t.equal(ended.by, 'remote');
  t.ok(sound.heard.length >= 260 && sound.heard.length <= 280, `${sound.heard.length} packets: 5.4 s`);
  const loud = sound.heard.filter(({ payload }) => !/^(?:d5|55)+$/.test(payload));
  t.ok(loud.length > 150, 'there is a voice in it');
  t.ok((extensionCall(exchange)?.seconds ?? 0) > 5);
});

t.test(
  'a call to a user with two phones, over UDP and TCP: both ring, one accepts, the other stops; hanging up reaches the far end',
  async (t) => {
    const exchange = await startExchange(t);
    await user(exchange, 'anna');
    await user(exchange, 'bert');
    const [anna, desk, kitchen] = [new Phone(exchange, 'anna'), new Phone(exchange, 'bert'), new Phone(exchange, 'bert')];
    await anna.start(t, 'tcp');
    await desk.start(t, 'udp');
    await kitchen.start(t, 'tcp');
    t.equal(exchange.service.status().users.find((one) => one.user === 'bert')?.bindings.length, 2);

    const session = anna.call('bert', 9);
    const [atDesk, atKitchen] = [await desk.event('incoming'), await kitchen.event('incoming')];
    desk.endpoint.drive((now) => desk.userAgent.ring(now, atDesk.session));
    t.equal((await anna.event('progress')).statusCode, 180);
    t.equal(exchange.service.status().transactions, 1);
    kitchen.endpoint.drive((now) => kitchen.userAgent.accept(now, atKitchen.session, sdp(9)));
    await anna.event('accepted');
    await kitchen.event('confirmed');
    await desk.event('cancelled');
    anna.endpoint.drive((now) => anna.userAgent.end(now, session));
    t.equal((await kitchen.event('ended')).by, 'remote');

    const again = anna.call('bert', 9);
    const second = await desk.event('incoming', (event) => event.session !== atDesk.session);
    anna.endpoint.drive((now) => anna.userAgent.end(now, again));
    await desk.event('cancelled', (event) => event.session === second.session);
    t.equal((await anna.event('failed')).statusCode, 487);
  },
);

t.test('an offer of no use is refused with 488; so many calls at once and no more', async (t) => {
  const exchange = await startExchange(t);
  await user(exchange, 'anna');
  const anna = new Phone(exchange, 'anna');
  await anna.start(t, 'udp');
  const target = sipUri(`sip:600@127.0.0.1:${exchange.port}`);
  const useless = {
    contentType: 'application/sdp',
    bytes: new TextEncoder().encode('v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 3\r\n'),
  };
  anna.endpoint.drive((now) => anna.userAgent.invite(now, { account: 'main', target, body: useless }));
  t.equal((await anna.event('failed')).statusCode, 488);
  const sound = await Sound.open(t);
  for (let call = 0; call < 9; call++) anna.call('600', sound.port);
  t.equal((await anna.event('failed', ({ statusCode }) => statusCode !== 488)).statusCode, 503);
  await until('eight are accepted', () => anna.events.filter(({ type }) => type === 'accepted').length === 8);
  await exchange.stop();
  await until('all are ended as it stops', () => anna.events.filter(({ type }) => type === 'ended').length === 8);
});

t.test('users, forwards and bindings outlive a restart; passwords are not on the disk', async (t) => {
  const first = await startExchange(t);
  await user(first, 'anna');
  await user(first, 'bert');
  await first.service.commands.setForward({ user: 'bert', target: 'sip:anna@127.0.0.1' }, nobody);
  const anna = new Phone(first, 'anna');
  await anna.start(t, 'udp');
  const before = first.service.status().users;
  t.equal(before[0]?.bindings.length, 1);
  await anna.endpoint.stop();
  await first.stop();

  t.notOk(readFileSync(join(first.directory, 'exchange.db')).includes('anna-password'));
  const second = await startExchange(t, first.directory);
  const after = second.service.status().users;
  t.strictSame(
    after.map(({ user, forward, bindings }) => [user, forward, bindings[0]?.contact]),
    before.map(({ user, forward, bindings }) => [user, forward, bindings[0]?.contact]),
  );
  t.ok(Math.abs((after[0]?.bindings[0]?.expiresInSeconds ?? 0) - 600) < 20);
  await second.service.commands.removeUser({ user: 'anna' }, nobody);
  await t.rejects(async () => await second.service.commands.removeUser({ user: 'anna' }, nobody), { code: 'unknown-user' });
  t.strictSame(
    second.service.status().users.map((one) => one.user),
    ['bert'],
  );
});

t.test('settings: listed, changed at once where they may, refused where they make no sense', async (t) => {
  const { service } = await startExchange(t);
  const outcome = await service.commands.changeSettings({ set: { 'exchange.maximumExpires': '120', 'exchange.realm': 'home' } }, nobody);
  t.strictSame(outcome, { changed: ['exchange.maximumExpires', 'exchange.realm'], restartNeeded: ['exchange.realm'] });
  const { settings } = await service.commands.listSettings({ reveal: false }, nobody);
  t.equal(settings.find(({ key }) => key === 'exchange.maximumExpires')?.value, '120');
  await t.rejects(async () => await service.commands.changeSettings({ set: { 'exchange.port': '0' } }, nobody), {
    code: 'invalid-setting',
  });
  t.equal(service.status().realm, 'hookswitch', 'not before the restart');
});

t.test(
  'bindings on disk when the wall clock is wrong: none lives longer than granted, none dies for a clock that was not set',
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'exchange-'));
    t.teardown(() => rmSync(directory, { recursive: true, force: true }));
    const store = await openStore(join(directory, 'exchange.db'), exchangeMigrations);
    t.teardown(() => store.close());
    let wallTime = Date.UTC(2026, 0, 1);
    const parts = { store, logger: silentLogger, entropy: nodeEntropy, wallTime: () => wallTime, realm: 'home' };
    const repository = new ExchangeRepository(parts);
    const record: BindingRecord = {
      user: 'anna',
      uri: 'sip:a@192.0.2.11',
      contact: '<sip:a@192.0.2.11>',
      callId: '1',
      sequence: 1,
      path: ['<sip:edge;lr>'],
      transport: 'tcp',
      address: '192.0.2.11',
      port: 5060,
      userAgent: 'phone',
      grantedMs: 600_000,
      expiresInMs: 500_000,
    };
    repository.keep({ type: 'bindingStored', record });
    await repository.flush();
    const left = async (): Promise<number | undefined> => (await repository.bindings())[0]?.expiresInMs;
    t.strictSame(await repository.bindings(), [record]);
    wallTime += 100_000;
    t.equal(await left(), 400_000);
    wallTime = 0;
    t.equal(await left(), 600_000, 'a machine without a clock, just booted');
    wallTime = Date.UTC(2040, 0, 1);
    t.ok(((await left()) ?? 0) < 0);

    const clock = { time: 0, wall: 1_000_000, now: () => clock.time, wallTime: () => clock.wall };
    let steps = 0;
    const watch = new WallClockWatch(clock, () => steps++);
    watch.start();
    t.teardown(() => watch.stop());
    clock.time += 10_000;
    clock.wall += 10_500;
    watch.look();
    t.equal(steps, 0, 'slewing is no step');
    clock.wall += 3_600_000;
    watch.look();
    watch.look();
    t.equal(steps, 1);
  },
);
