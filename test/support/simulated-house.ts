import { silentLogger } from '#firmware/core/logger.ts';
import { Exchange } from '#firmware/exchange/exchange.ts';
import { NameAddr } from '#firmware/sip/message/name-addr.ts';
import { parseUri } from '#firmware/sip/message/uri.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import type { Body, SessionId, UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { realm, userNamed } from './exchange-house.ts';
import { seededEntropy } from './seeded-entropy.ts';
import type { RtpSwitch } from './simulated-media.ts';
import { type NetworkQuality, type SimulatedHost, SimulatedNetwork } from './simulated-network.ts';
import { SimulatedPhone, type SimulatedPhoneOptions } from './simulated-phone.ts';

const exchangeAddress = '10.0.0.1';
const domain = 'house.example';
/** Users the exchange knows; the password of each is `NAME-password`. */
const names = ['anna', 'bert', 'carl', 'dora'] as const;
type Name = (typeof names)[number];

/** A house in virtual time: an exchange, phones registered with it, and far ends that do what a test tells them. */
export class SimulatedHouse {
  readonly network: SimulatedNetwork;
  readonly rtp: RtpSwitch = new Map();
  readonly exchange: Exchange;
  readonly exchangeHost: SimulatedHost;
  #peers = 0;

  constructor(quality: Partial<NetworkQuality> = {}) {
    this.network = new SimulatedNetwork(quality);
    this.exchangeHost = this.network.host(exchangeAddress);
    this.exchange = new Exchange({
      entropy: seededEntropy(99),
      logger: silentLogger,
      addresses: { towards: () => this.exchangeHost.towards(), isOwn: (host) => host === exchangeAddress },
      wallTime: () => this.network.now + this.network.wallShift,
      relaySecret: 'of the simulated house',
      users: names.map((name) => userNamed(name)),
      settings: { realm, domains: [domain] },
    });
    this.startExchange();
  }

  startExchange(): void {
    this.exchangeHost.attach(this.exchange, () => undefined);
  }

  /** A phone that is registered as that user, unless the settings say otherwise. */
  phone(name: Name, options: Partial<SimulatedPhoneOptions> = {}): SimulatedPhone {
    const address = options.address ?? `10.0.0.${10 + names.indexOf(name)}`;
    const settings = {
      'line.1.aor': `sip:${name}@${domain}`,
      'line.1.displayName': name,
      'line.1.outboundProxy': `sip:${exchangeAddress}`,
      'line.1.registrar': `sip:${domain}`,
      'line.1.password': `${name}-password`,
      'phone.interDigitMs': '2000',
      ...options.settings,
    };
    const phone = new SimulatedPhone(this.network, this.rtp, { ...options, address, settings }).start();
    this.run(1_000);
    return phone;
  }

  /** A phone without any line that takes calls from everybody. */
  barePhone(options: Partial<SimulatedPhoneOptions> = {}): SimulatedPhone {
    const phone = new SimulatedPhone(this.network, this.rtp, { address: '10.0.0.50', acceptDirectCalls: true, ...options }).start();
    this.run(100);
    return phone;
  }

  /** A far end of the test's own making at `10.0.1.N`. */
  peer(): ScriptedPeer {
    return new ScriptedPeer(this, `10.0.1.${++this.#peers}`);
  }

  run(duration: number): void {
    this.network.run(duration);
  }
}

export interface PeerSound {
  readonly port?: number;
  readonly direction?: string;
  readonly formats?: string;
  readonly address?: string;
  readonly lines?: readonly string[];
}

/** A user agent whose every step is a test's. */
export class ScriptedPeer {
  readonly #house: SimulatedHouse;
  readonly host: SimulatedHost;
  readonly agent: UserAgent;
  readonly events: UserAgentEvent[] = [];
  #version = 1;

  constructor(house: SimulatedHouse, address: string) {
    this.#house = house;
    this.host = house.network.host(address);
    const seed = Number(address.split('.').at(-1)) + 500;
    const settings = { acceptDirectCalls: true };
    this.agent = new UserAgent({ entropy: seededEntropy(seed), logger: silentLogger, addresses: this.host, settings });
    this.host.attach(this.agent, (event) => this.events.push(event));
  }

  get address(): string {
    return this.host.address;
  }

  /** `sip:peer@ADDRESS`. */
  get uri(): string {
    return `sip:peer@${this.address}`;
  }

  do<T>(input: (agent: UserAgent, now: number) => T): T {
    const result = input(this.agent, this.#house.network.now);
    this.host.settle();
    return result;
  }

  call(target: string, body: Body | undefined = this.sdp()): SessionId {
    const uri = parseUri(target);
    if (!uri) throw new Error(`${target} is no URI`);
    return this.do((agent, now) => agent.invite(now, { target: uri, body }));
  }

  /** The session of the last call that came in. */
  get incoming(): SessionId {
    const event = this.eventsOf('incoming').at(-1);
    if (!event) throw new Error('no call came');
    return event.session;
  }

  accept(session = this.incoming, body: Body = this.sdp()): void {
    this.do((agent, now) => agent.accept(now, session, body));
  }

  reject(statusCode: number, contacts: readonly string[] = []): void {
    const session = this.incoming;
    const named = contacts.map((text) => {
      const uri = parseUri(text);
      if (!uri) throw new Error(`${text} is no URI`);
      return uri;
    });
    this.do((agent, now) => agent.reject(now, session, statusCode, { contacts: named.map((uri) => new NameAddr(uri)) }));
  }

  ring(statusCode = 180, body?: Body): void {
    const session = this.incoming;
    this.do((agent, now) => agent.ring(now, session, statusCode, body));
  }

  end(session: SessionId): void {
    this.do((agent, now) => agent.end(now, session));
  }

  info(session: SessionId, contentType: string, text: string): void {
    this.do((agent, now) => agent.info(now, session, { contentType, bytes: new TextEncoder().encode(text) }));
  }

  eventsOf<T extends UserAgentEvent['type']>(type: T): Extract<UserAgentEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<UserAgentEvent, { type: T }> => event.type === type);
  }

  /** A description of this end's sound, for an offer or an answer. */
  sdp({ port = 40_000, direction = 'sendrecv', formats = '0 8 101', address = this.address, lines = [] }: PeerSound = {}): Body {
    const text = [
      'v=0',
      `o=- 1 ${this.#version++} IN IP4 ${this.address}`,
      's=-',
      `c=IN IP4 ${address}`,
      't=0 0',
      `m=audio ${port} RTP/AVP ${formats}`,
      'a=rtpmap:101 telephone-event/8000',
      `a=${direction}`,
      ...lines,
    ];
    return { contentType: 'application/sdp', bytes: new TextEncoder().encode(`${text.join('\r\n')}\r\n`) };
  }
}
