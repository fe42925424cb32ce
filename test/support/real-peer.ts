import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { silentLogger } from '#firmware/core/logger.ts';
import { DnsResolver } from '#firmware/platform/dns-resolver.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { SipEndpoint } from '#firmware/platform/sip-endpoint.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import type { UserAgentEvent } from '#firmware/sip/user-agent-events.ts';

const eventPayload = 101;
const silence = new Uint8Array(160).fill(0xff);

/** A far end on real sockets in the process of a test, which accepts every call, and writes down when each RTP packet came. */
export class RealPeer {
  readonly #endpoint: SipEndpoint;
  readonly #agent: UserAgent;
  readonly #rtp: Socket;
  #speaking: NodeJS.Timeout | undefined;
  #sequence = 0;
  /** Where sound comes from, and goes to. */
  #port = 0;
  readonly events: UserAgentEvent[] = [];
  /** Instants of arrival, ms. */
  arrivals: number[] = [];
  /** Instants at which a digit began: the first packet of its event (RFC 4733), or its INFO. */
  readonly digits: number[] = [];
  /** Streams that came (RFC 3550 §3 SSRC). */
  readonly sources = new Set<number>();

  private constructor(rtp: Socket) {
    this.#rtp = rtp;
    this.#endpoint = new SipEndpoint({
      clock: nodeClock,
      logger: silentLogger,
      resolver: new DnsResolver(nodeClock),
      addresses: ['127.0.0.1'],
      port: 0,
    });
    const settings = { acceptDirectCalls: true };
    this.#agent = new UserAgent({ entropy: nodeEntropy, logger: silentLogger, addresses: this.#endpoint, settings });
  }

  static async start(): Promise<RealPeer> {
    const rtp = createSocket('udp4');
    rtp.bind(0, '127.0.0.1');
    await once(rtp, 'listening');
    const peer = new RealPeer(rtp);
    rtp.on('message', (bytes, from) => peer.#hear(bytes, from.port));
    await peer.#endpoint.start(peer.#agent, (event) => peer.#take(event));
    return peer;
  }

  get uri(): string {
    return `sip:peer@127.0.0.1:${this.#endpoint.towards('127.0.0.1', 'udp').port}`;
  }

  /** The longest time between two packets since `since`, ms; now counts as one. */
  longestGap(since: number): number {
    const instants = [since, ...this.arrivals.filter((at) => at > since), performance.now()];
    return Math.max(...instants.map((at, index) => at - (instants[index - 1] ?? at)));
  }

  async stop(): Promise<void> {
    this.#hush();
    this.#rtp.close();
    await this.#endpoint.stop();
  }

  #take(event: UserAgentEvent): void {
    this.events.push(event);
    // The endpoint drains what this makes as well.
    if (event.type === 'incoming') this.#agent.accept(nodeClock.now(), event.session, this.#sdp());
    else if (event.type === 'reoffered') this.#agent.answerReoffer(nodeClock.now(), event.session, { body: this.#sdp() });
    else if (event.type === 'info') this.digits.push(performance.now());
    else if (event.type === 'ended') this.#hush();
  }

  #hush(): void {
    clearInterval(this.#speaking);
    this.#speaking = undefined;
  }

  #hear(bytes: Buffer, port: number): void {
    if ((bytes[1] ?? 0) >= 200 && (bytes[1] ?? 0) <= 207) return;
    this.arrivals.push(performance.now());
    // The marker is set in the first packet of an event.
    if (bytes[1] === (0x80 | eventPayload)) this.digits.push(performance.now());
    this.sources.add(bytes.readUInt32BE(8));
    this.#port = port;
    this.#speaking ??= setInterval(() => this.#speak(), 20);
  }

  #speak(): void {
    const head = Buffer.alloc(12);
    head[0] = 0x80;
    head.writeUInt16BE(++this.#sequence & 0xffff, 2);
    head.writeUInt32BE((this.#sequence * 160) >>> 0, 4);
    head.writeUInt32BE(4711, 8);
    this.#rtp.send([head, silence], this.#port, '127.0.0.1');
  }

  #sdp() {
    const { port } = this.#rtp.address();
    const text = `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio ${port} RTP/AVP 0 ${eventPayload}\r\na=rtpmap:${eventPayload} telephone-event/8000\r\n`;
    return { contentType: 'application/sdp', bytes: new TextEncoder().encode(text) };
  }
}
