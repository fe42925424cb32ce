import { silentLogger } from '#firmware/core/logger.ts';
import { DnsResolver } from '#firmware/platform/dns-resolver.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { SipEndpoint } from '#firmware/platform/sip-endpoint.ts';
import { parseUri } from '#firmware/sip/message/uri.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import type { SessionId, UserAgentEvent } from '#firmware/sip/user-agent-events.ts';

const answerWithinMs = 10_000;

/** Calls another phone on loopback, for its sound to be sent by somebody else. */
export class RivalCaller {
  readonly #endpoint: SipEndpoint;
  readonly #agent: UserAgent;
  readonly #waiting = new Map<SessionId, (event: UserAgentEvent) => void>();

  private constructor() {
    const resolver = new DnsResolver(nodeClock);
    this.#endpoint = new SipEndpoint({ clock: nodeClock, logger: silentLogger, resolver, addresses: ['127.0.0.1'], port: 0 });
    this.#agent = new UserAgent({ entropy: nodeEntropy, logger: silentLogger, addresses: this.#endpoint });
  }

  static async start(): Promise<RivalCaller> {
    const caller = new RivalCaller();
    await caller.#endpoint.start(caller.#agent, (event) => {
      if ('session' in event) caller.#waiting.get(event.session)?.(event);
    });
    return caller;
  }

  /** Offers sound from `port` in the codec of `media` (the rest of its m line and its attributes); gives the port that listens. */
  async call(sipPort: number, port: number, media: string): Promise<{ readonly session: SessionId; readonly rtpPort: number }> {
    const target = parseUri(`sip:bench@127.0.0.1:${sipPort}`);
    if (!target) throw new Error('no such address');
    const text = `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio ${port} RTP/AVP ${media}\r\na=sendrecv\r\n`;
    const body = { contentType: 'application/sdp', bytes: new TextEncoder().encode(text) };
    const session = this.#endpoint.drive((now) => this.#agent.invite(now, { target, body }));
    const answer = await this.#answerOf(session);
    const rtpPort = Number(/^m=audio (\d+) /m.exec(answer)?.[1] ?? 0);
    if (rtpPort === 0) throw new Error(`the call was answered without sound: ${answer}`);
    return { session, rtpPort };
  }

  async hangUp(session: SessionId): Promise<void> {
    this.#endpoint.drive((now) => this.#agent.end(now, session));
    while (!this.#agent.idle) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  async stop(): Promise<void> {
    await this.#endpoint.stop();
  }

  #answerOf(session: SessionId): Promise<string> {
    return new Promise((resolve, reject) => {
      const settle = (answer: string | Error) => {
        clearTimeout(limit);
        this.#waiting.delete(session);
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
      };
      const limit = setTimeout(() => settle(new Error('nobody took the call')), answerWithinMs);
      this.#waiting.set(session, (event) => {
        if (event.type === 'accepted') settle(new TextDecoder().decode(event.body?.bytes));
        else if (event.type === 'failed') settle(new Error(`the call failed: ${event.statusCode} ${event.reasonPhrase}`));
      });
    });
  }
}
