import { isIPv4, isIPv6 } from 'node:net';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import type { TrafficMarker } from '#firmware/platform/traffic-class.ts';
import type { Werift } from './werift.ts';

type TurnProtocol = InstanceType<Werift['TurnProtocol']>;
type Message = InstanceType<Werift['Message']>;
/** What of the library's end of a relay is put right here, or asked beside its declared face. */
interface RelayInternals {
  refresh(seconds: number): void;
  close(): Promise<void>;
  getPermission(peer: readonly [string, number]): Promise<void>;
  requestWithRetry(request: Message, server: TurnProtocol['server']): Promise<unknown>;
}

/** What a relay needs around it. */
export interface RelayPorts {
  readonly onError: (error: Error) => void;
  readonly mark: TrafficMarker | undefined;
}

export interface RelayAccount {
  readonly server: readonly [string, number];
  readonly username: string;
  readonly password: string;
}

const lifetimeSeconds = 600;
/** A permission lasts five minutes, and binding a channel renews it (RFC 8656 §9, §12). */
const channelRefreshSeconds = 240;
const unauthenticated = 401;
const goodbyeMs = 500;

/** One relayed address at a TURN server (RFC 8656): asked for once, kept, and given back. The library would keep its timers, and the server the relay. */
export class TurnRelay {
  readonly #werift: Werift;
  readonly #turn: TurnProtocol;
  readonly #ports: RelayPorts;
  #keeping: NodeJS.Timeout | undefined;
  #allocated = false;
  #closed = false;

  private constructor(werift: Werift, turn: TurnProtocol, ports: RelayPorts) {
    this.#werift = werift;
    this.#turn = turn;
    this.#ports = ports;
    Object.assign(turn, { refresh: (seconds: number) => this.#keep(seconds), close: () => this.close() } satisfies Partial<RelayInternals>);
  }

  /** On a port of its own: that of RTP talks with the far end. */
  static async open(werift: Werift, address: string, { server, username, password }: RelayAccount, ports: RelayPorts): Promise<TurnRelay> {
    const family = isIPv4(address) ? 'udp4' : 'udp6';
    const transport = await werift.UdpTransport.init(family, { interfaceAddresses: { [family]: address } });
    ports.mark?.(transport.socket, isIPv6(address));
    const options = { channelRefreshTime: channelRefreshSeconds };
    return new TurnRelay(werift, new werift.TurnProtocol([...server], username, password, lifetimeSeconds, transport, options), ports);
  }

  /** Rejects with what the server has against it. */
  async allocate(): Promise<TurnProtocol> {
    const made = this.#turn.connectionMade();
    await Promise.race([made, this.#refusal()]);
    this.#allocated = true;
    if (this.#closed) this.#giveBack();
    return this.#turn;
  }

  /** Lets through what comes from there. The library asks for it only where it checks a way itself, and not once it has found another. */
  permit(host: string, port: number): void {
    if (this.#closed || !this.#allocated) return;
    this.#internals.getPermission([host, port]).catch((thrown) => {
      if (!this.#closed) this.#ports.onError(new Error(`the relay does not let ${host} through: ${messageOf(thrown)}`));
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#keeping);
    if (this.#allocated) this.#giveBack();
    else await this.#end();
  }

  /** A wrong password is answered without a signature, which the library passes over and asks on. */
  #refusal(): Promise<never> {
    const { transport } = this.#turn;
    const receive = transport.onData;
    return new Promise((_, reject) => {
      transport.onData = (data, address) => {
        const code = this.#turn.integrityKey && this.#werift.parseMessage(data)?.getAttributeValue('ERROR-CODE')?.[0];
        if (code === unauthenticated) reject(new ResourceError('user name or password are wrong'));
        receive(data, address);
      };
    });
  }

  #keep(seconds: number): void {
    this.#keeping = setInterval(() => this.#renew(seconds).catch(this.#ports.onError), (seconds * 5000) / 6);
  }

  /** What the library does not declare. */
  get #internals(): RelayInternals {
    return this.#turn as unknown as RelayInternals;
  }

  #giveBack(): void {
    const patience = new Promise((resolve) => setTimeout(resolve, goodbyeMs));
    Promise.race([this.#renew(0), patience])
      .catch((thrown) => this.#ports.onError(new Error(`a relay was not given back: ${messageOf(thrown)}`)))
      .finally(() => this.#end().catch(this.#ports.onError));
  }

  async #renew(seconds: number): Promise<void> {
    const { Message, methods, classes } = this.#werift;
    const request = new Message(methods.REFRESH, classes.REQUEST).setAttribute('LIFETIME', seconds);
    await this.#internals.requestWithRetry(request, this.#turn.server);
  }

  async #end(): Promise<void> {
    for (const transaction of Object.values(this.#turn.transactions)) transaction.cancel();
    await this.#turn.transport.close();
  }
}
