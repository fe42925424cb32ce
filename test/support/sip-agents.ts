import { silentLogger } from '#firmware/core/logger.ts';
import { xmlReader } from '#firmware/platform/xml-reader.ts';
import type { Account } from '#firmware/sip/account.ts';
import type { Message, Request, Response } from '#firmware/sip/message/message.ts';
import { parseMessage } from '#firmware/sip/message/parse.ts';
import { SipUri } from '#firmware/sip/message/uri.ts';
import type { Flow } from '#firmware/sip/transport/flow.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import type { Body, UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import type { UserAgentSettings } from '#firmware/sip/user-agent-settings.ts';
import type { ScriptedNames } from './scripted-names.ts';
import { seededEntropy } from './seeded-entropy.ts';
import type { SimulatedHost, SimulatedNetwork } from './simulated-network.ts';

type EventOf<Type extends UserAgentEvent['type']> = Extract<UserAgentEvent, { type: Type }>;

/** A user agent on a host of a simulated network, which writes down what it hears from it. */
export class TestAgent {
  readonly network: SimulatedNetwork;
  readonly host: SimulatedHost;
  readonly userAgent: UserAgent;
  readonly events: UserAgentEvent[] = [];
  /** Called for each event, to react to it. */
  onEvent: (event: UserAgentEvent) => void = () => undefined;

  constructor(network: SimulatedNetwork, address: string, settings: Partial<UserAgentSettings> = {}, names?: ScriptedNames) {
    this.network = network;
    this.host = network.host(address);
    const seed = [...address].reduce((sum, character) => 31 * sum + character.charCodeAt(0), 7);
    this.userAgent = new UserAgent({
      entropy: seededEntropy(seed),
      logger: silentLogger,
      addresses: this.host,
      names,
      settings,
      readXml: xmlReader(),
    });
    if (names) names.core = this.userAgent;
    this.host.attach(this.userAgent, (event) => {
      this.events.push(event);
      this.onEvent(event);
    });
  }

  get now(): number {
    return this.network.now;
  }

  /** `sip:user@address` of this agent. */
  uri(user: string): SipUri {
    return new SipUri({ user, host: this.host.address });
  }

  all<Type extends UserAgentEvent['type']>(type: Type): EventOf<Type>[] {
    return this.events.filter((event): event is EventOf<Type> => event.type === type);
  }

  /** The last event of that type; throws when there is none. */
  last<Type extends UserAgentEvent['type']>(type: Type): EventOf<Type> {
    const event = this.all(type).at(-1);
    if (!event) throw new Error(`no event ${type}, but ${this.events.map((one) => one.type).join(', ') || 'none'}`);
    return event;
  }

  types(): string[] {
    return this.events.map(({ type }) => type);
  }
}

/** An agent that takes calls from anybody, for the account `user`. */
export function directAgent(
  network: SimulatedNetwork,
  address: string,
  user: string,
  settings: Partial<UserAgentSettings> = {},
): TestAgent {
  const agent = new TestAgent(network, address, { acceptDirectCalls: true, ...settings });
  agent.userAgent.setAccount(network.now, { id: user, aor: agent.uri(user), transport: 'udp', expires: 3600 });
  return agent;
}

export function accountAt(server: SimulatedHost, user: string, changes: Partial<Account> = {}): Account {
  const registrar = new SipUri({ host: server.address, ...(server.port !== 5060 && { port: server.port }) });
  return {
    id: user,
    aor: new SipUri({ user, host: 'example.org' }),
    registrar,
    transport: 'udp',
    credentials: { username: user, password: `${user}-password` },
    expires: 3600,
    ...changes,
  };
}

export const offer = sdp('offer');
export const answer = sdp('answer');

/** A body that says its name. */
export function sdp(name: string): Body {
  const bytes = new TextEncoder().encode(
    `v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=${name}\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n`,
  );
  return { contentType: 'application/sdp', bytes };
}

export function textOf(body: Body | undefined): string {
  return body ? new TextDecoder().decode(body.bytes) : '';
}

/** What stands in `s=` of a body of `sdp`. */
export function nameOf(body: Body | undefined): string {
  return /s=(.*)\r/.exec(textOf(body))?.[1] ?? '';
}

export function parsed(text: string): Message {
  const result = parseMessage(new TextEncoder().encode(text));
  if (!result.ok) throw new Error(`not a message (${result.reason}): ${text}`);
  return result.message;
}

/** A peer played by the test: sends text, keeps what arrives. */
export class ScriptedPeer {
  readonly host: SimulatedHost;
  readonly messages: Message[] = [];
  onRequest: (request: Request, flow: Flow) => void = () => undefined;

  constructor(network: SimulatedNetwork, address: string, port = 5060) {
    this.host = network.host(address, port);
    this.host.listen((text, flow) => {
      // Keep-alive: a Binding request of STUN, or an empty line.
      if (text.startsWith('\0\u0001') || text === '\r\n\r\n') return;
      const message = parsed(text);
      this.messages.push(message);
      if (message.kind === 'request') this.onRequest(message, flow);
    });
  }

  requests(method: string): Request[] {
    return this.messages.filter((message): message is Request => message.kind === 'request' && message.method === method);
  }

  responses(statusCode?: number): Response[] {
    return this.messages.filter(
      (message): message is Response => message.kind === 'response' && (statusCode === undefined || message.statusCode === statusCode),
    );
  }

  /** The status codes of the responses that came. */
  statuses(): number[] {
    return this.responses().map((response) => response.statusCode);
  }
}
