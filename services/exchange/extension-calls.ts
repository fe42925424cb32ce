import { readFile } from 'node:fs/promises';
import { parseWav, type WavLayout } from '#firmware/audio/wav.ts';
import type { ExchangeStatus } from '#firmware/contract/exchange.ts';
import type { Clock, Milliseconds } from '#firmware/core/clock.ts';
import { LimitedLog } from '#firmware/core/counters.ts';
import { type Entropy, randomToken } from '#firmware/core/entropy.ts';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import type { PortRange } from '#firmware/platform/rtp-socket.ts';
import type { Request } from '#firmware/sip/message/message.ts';
import type { UserAgent } from '#firmware/sip/user-agent.ts';
import type { SessionId, UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { PacedLoop } from '#hal/audio/frame-pacer.ts';
import { ExtensionCall } from './extension-call.ts';
import { EchoMedia, type ExtensionMedia, GreetingMedia } from './extension-media.ts';

/** What the exchange answers itself. */
export const echoExtension = '600';
export const greetingExtension = '601';

export interface ExtensionCallsParts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly logger: Logger;
  /** Gives the user agent an input and has done what comes of it. */
  readonly drive: (input: (now: Milliseconds, userAgent: UserAgent) => void) => void;
  /** Our address as a peer there sees it. */
  readonly addressTowards: (host: string) => string;
  readonly ports: () => PortRange;
  /** The WAV file that 601 plays. */
  readonly greeting: () => string;
  /** Something worth showing changed. */
  readonly onChange: () => void;
}

/** Calls at once; a caller beyond them hears that we are busy. */
const callsAtMost = 8;
/** A call is ended after this, whatever it is about: nobody pays for forgotten ones. */
const longestCallMs = 600_000;
/** Calls that status shows. */
const shownAtMost = 16;

/** The calls to 600, which sends back what it hears, and 601, which says its greeting and hangs up. */
export class ExtensionCalls {
  readonly #parts: ExtensionCallsParts;
  readonly #log: LimitedLog;
  readonly #live = new Map<SessionId, ExtensionCall>();
  /** The newest first, ended ones included. */
  #shown: ExtensionCall[] = [];
  readonly #cname: string;
  #frames: PacedLoop | undefined;

  constructor(parts: ExtensionCallsParts) {
    this.#parts = parts;
    this.#log = new LimitedLog(parts.logger);
    // Says nothing about this machine (RFC 7022 §4.2).
    this.#cname = randomToken(parts.entropy, 16);
  }

  get active(): number {
    return this.#live.size;
  }

  /** What status says of the last calls. */
  describe(): ExchangeStatus['extensionCalls'] {
    const now = this.#parts.clock.now();
    return this.#shown.map((call) => call.describe(now));
  }

  take(event: UserAgentEvent): void {
    // Nobody is here to be talked to in somebody else's place.
    if (event.type === 'incoming' && event.replaces !== undefined) this.#reject(event.session, 603);
    else if (event.type === 'incoming') this.#incoming(event.session, event.request);
    else if ('session' in event) this.#about(event.session, event);
  }

  /** Ends every call; their BYEs are on their way when it resolves. */
  async stop(): Promise<void> {
    this.#parts.drive((now, userAgent) => userAgent.stop(now));
    await Promise.all([...this.#live.values()].map((call) => this.#end(call)));
  }

  #incoming(session: SessionId, request: Request): void {
    const { requestUri } = request;
    const extension = requestUri.kind === 'sip' ? requestUri.user : undefined;
    if (extension !== echoExtension && extension !== greetingExtension) this.#reject(session, 404);
    else if (this.#live.size >= callsAtMost) this.#reject(session, 503);
    else void this.#accept(session, extension, request);
  }

  async #accept(session: SessionId, extension: string, request: Request): Promise<void> {
    const { clock, entropy, logger, drive, addressTowards, ports } = this.#parts;
    const call = new ExtensionCall({ session, extension, request, clock, entropy, addressTowards, ports: ports(), log: this.#log });
    this.#live.set(session, call);
    try {
      const media = await this.#mediaOf(extension);
      await call.open(media);
      // The caller may have given up while the ports were opened.
      if (!this.#live.has(session)) return;
      const body = call.answer();
      if (!body) {
        this.#reject(session, 488);
        await this.#end(call);
        return;
      }
      drive((now, userAgent) => userAgent.accept(now, session, body));
      this.#show(call);
    } catch (thrown) {
      logger.error('extension-call-failed', { extension, reason: messageOf(thrown) });
      if (this.#live.has(session)) this.#reject(session, 500);
      await this.#end(call);
    }
  }

  async #mediaOf(extension: string): Promise<ExtensionMedia> {
    const { entropy, greeting } = this.#parts;
    return extension === echoExtension
      ? new EchoMedia(entropy, this.#cname)
      : new GreetingMedia(entropy, this.#cname, await readRecording(greeting()));
  }

  #about(session: SessionId, event: UserAgentEvent): void {
    const call = this.#live.get(session);
    if (!call) return;
    switch (event.type) {
      case 'confirmed':
        if (call.confirm(event.body)) this.#startFrames();
        else this.#hangUp(call, 'no usable answer');
        return;
      case 'reoffered': {
        const body = call.reanswer(event.body);
        this.#parts.drive((now, userAgent) => userAgent.answerReoffer(now, session, body ? { body } : { statusCode: 488 }));
        return;
      }
      case 'info':
        call.takeInfo(event.body);
        this.#parts.onChange();
        return;
      case 'referred':
        this.#parts.drive((now, userAgent) => userAgent.rejectRefer(now, session, 603));
        return;
      case 'cancelled':
      case 'ended':
        void this.#end(call);
        return;
      default:
        // Nothing else happens to a call that came in.
        return;
    }
  }

  /** 20 ms have passed for all calls. */
  #frame(): void {
    const now = this.#parts.clock.now();
    for (const call of this.#live.values()) {
      if (call.frame(now)) this.#parts.onChange();
      if (call.isOver(now, longestCallMs)) this.#hangUp(call, 'it is over');
    }
  }

  #startFrames(): void {
    this.#parts.onChange();
    if (this.#frames) return;
    this.#frames = new PacedLoop(this.#parts.clock, 'roughly', () => this.#frame());
    this.#frames.start();
  }

  #hangUp(call: ExtensionCall, reason: string): void {
    this.#parts.logger.debug('extension-hangs-up', { extension: call.extension, reason });
    this.#parts.drive((now, userAgent) => userAgent.end(now, call.session));
    void this.#end(call);
  }

  async #end(call: ExtensionCall): Promise<void> {
    if (!this.#live.delete(call.session)) return;
    if (this.#live.size === 0) {
      this.#frames?.stop();
      this.#frames = undefined;
    }
    await call.close();
    this.#parts.onChange();
  }

  #show(call: ExtensionCall): void {
    this.#shown = [call, ...this.#shown].slice(0, shownAtMost);
    this.#parts.onChange();
  }

  #reject(session: SessionId, statusCode: number): void {
    this.#log.warn(this.#parts.clock.now(), 'extension-call-refused', { statusCode });
    this.#parts.drive((now, userAgent) => userAgent.reject(now, session, statusCode));
  }
}

/** Read anew for each call: a person who puts another file there hears it at the next. */
async function readRecording(path: string): Promise<{ readonly bytes: Uint8Array; readonly layout: WavLayout }> {
  try {
    const bytes = await readFile(path);
    const parsed = parseWav(bytes);
    if (parsed.outcome === 'unreadable') throw new ResourceError(parsed.reason);
    return { bytes, layout: parsed.layout };
  } catch (thrown) {
    throw new ResourceError(`${path} can not be played: ${messageOf(thrown)}`);
  }
}
