import type { SessionParameters } from '#firmware/contract/media.ts';
import type { Clock } from '#firmware/core/clock.ts';
import { LimitedLog } from '#firmware/core/counters.ts';
import type { Entropy } from '#firmware/core/entropy.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import type { MediaEngine, MediaEvent } from '#firmware/media/media-engine.ts';
import type { LegQuality, LegStatistics, MediaSession } from '#firmware/media/media-session.ts';
import { blockMs } from '#firmware/media/sound-format.ts';
import type { PortRange, RtpSocketPair } from '#firmware/platform/rtp-socket.ts';
import type { TrafficMarker } from '#firmware/platform/traffic-class.ts';
import type { OwnCertificate } from './dtls-handshake.ts';
import type { IceServers } from './ice-component.ts';
import type { IceListener } from './ice-path.ts';
import { LegPath } from './leg-path.ts';
import { type HandshakeOutcome, isHandshake, LegProtection } from './leg-protection.ts';

/** What became of the search for a way: kinds of candidates, or why there is none (`final`), or which server does not help. */
export type WayOutcome =
  | { readonly kind: 'connected'; readonly local: string; readonly remote: string }
  | { readonly kind: 'notConnected'; readonly reason: string; readonly final: boolean };

/** How the packets of a session leave. */
export type PacketWay = Pick<LegPath, 'rtpPort' | 'send' | 'follow' | 'close'>;

/** What a media engine needs to run in a process. */
export interface EngineSurroundings {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly logger: Logger;
  readonly onEvent: (event: MediaEvent) => void;
  /** A handshake between the media ports of a session is over. */
  readonly onHandshake: (session: string, outcome: HandshakeOutcome) => void;
  /** The search for a way through NATs has come to something. */
  readonly onWay: (session: string, outcome: WayOutcome) => void;
  /** No leg and no tone needs frames any more; said every two seconds until they stop. */
  readonly onIdle: () => void;
  /** Called every second while sessions run. */
  readonly onStatistics: (statistics: readonly (LegStatistics & { readonly session: string })[]) => void;
}

/** Between a tone and the next, and while a call is set up, nothing is put to rest. */
const restAfterMs = 2_000;
const reportEveryMs = 1000;

/**
 * The one driver of a media engine: gives its sessions sockets, and with each frame of whatever clock there is moves the sound and
 * sends what came of it. Nothing else wakes the engine.
 */
export class EngineDriver {
  /** Shown in handshakes between media ports. */
  certificate: OwnCertificate | undefined;
  /** Gives packets of sessions opened from now on their class. */
  mark: TrafficMarker | undefined;
  readonly #engine: MediaEngine;
  readonly #surroundings: EngineSurroundings;
  readonly #log: LimitedLog;
  readonly #sockets = new Map<string, PacketWay>();
  /** Packets refused when last looked, by session. */
  readonly #refused = new Map<string, number>();
  readonly #opening = new Set<string>();
  readonly #protections = new Map<string, LegProtection>();
  #sinceReport = 0;
  #framesMoved = 0;
  #idleMs = 0;

  constructor(engine: MediaEngine, surroundings: EngineSurroundings) {
    this.#engine = engine;
    this.#surroundings = surroundings;
    this.#log = new LimitedLog(surroundings.logger);
  }

  /** The sessions with their RTP ports. */
  get ports(): { session: string; rtpPort: number }[] {
    return [...this.#sockets].map(([session, { rtpPort }]) => ({ session, rtpPort })).filter(({ rtpPort }) => rtpPort !== 0);
  }

  /** Frames since the start: they move at 50 a second or more, with sound devices or without. */
  get framesMoved(): number {
    return this.#framesMoved;
  }

  /** Binds ports and opens a session on them. */
  async openSession(name: string, address: string, range: PortRange, servers: IceServers | null) {
    if (this.#opening.has(name) || this.#sockets.has(name)) throw new UsageError('session-exists', `media session ${name} exists`);
    this.#opening.add(name);
    try {
      const { clock, entropy } = this.#surroundings;
      let session: MediaSession | undefined;
      const pair = await LegPath.open(address, range, servers, {
        entropy,
        onDatagram: (rtcp, bytes, from, port) => {
          if (!rtcp && isHandshake(bytes)) this.#protections.get(name)?.receiveHandshake(bytes, from, port);
          else if (rtcp) session?.receiveRtcp(clock.now(), bytes, from, port);
          else session?.receiveRtp(clock.now(), bytes, from, port);
        },
        onError: (error) => this.#log.warn(clock.now(), 'rtp-socket-error', { session: name, reason: error.message }),
        listener: this.#iceListener(name),
        mark: this.mark,
      });
      session = this.#engine.openSession(name);
      this.#sockets.set(name, pair);
      this.#protections.set(name, this.#newProtection(name, session, pair));
      return { rtpPort: pair.rtpPort, rtcpPort: pair.rtcpPort, ice: pair.ice };
    } finally {
      this.#opening.delete(name);
    }
  }

  /** Opens a session whose packets leave by a way of its own; of port 0 where none do, and then it is nobody's to adopt. */
  carrySession(name: string, way: PacketWay): MediaSession {
    const session = this.#engine.openSession(name);
    this.#sockets.set(name, way);
    return session;
  }

  /** The way of a session's packets, and how they are protected, from now on. */
  follow(name: string, { ice, security, remote, symmetric }: SessionParameters): void {
    const target = { address: remote.address, port: remote.rtpPort };
    this.#sockets.get(name)?.follow(ice, target);
    this.#protections.get(name)?.update(security, target, symmetric);
  }

  /** Says goodbye, closes the ports; `undefined` when there is no such session. */
  async closeSession(name: string): Promise<{ readonly statistics: LegStatistics; readonly quality: LegQuality | undefined } | undefined> {
    const session = this.#engine.closeSession(this.#surroundings.clock.now(), name);
    const pair = this.#sockets.get(name);
    if (!session || !pair) return undefined;
    this.#sockets.delete(name);
    this.#refused.delete(name);
    this.#protections.get(name)?.close();
    this.#protections.delete(name);
    this.#flush(session, pair);
    await pair.close();
    return { statistics: session.statistics(), quality: session.quality() };
  }

  async closeAllSessions(): Promise<void> {
    await Promise.all([...this.#sockets.keys()].map((name) => this.closeSession(name)));
  }

  /** So many milliseconds have passed, a multiple of the engine's block. */
  frame(ms: number): void {
    const now = this.#surroundings.clock.now();
    for (let moved = 0; moved < ms; moved += blockMs) this.#engine.tick(now);
    for (const [name, pair] of this.#sockets) {
      const session = this.#engine.sessions.get(name);
      if (session) this.#flush(session, pair);
    }
    for (const event of this.#engine.drain()) this.#surroundings.onEvent(event);
    this.#framesMoved++;
    this.#idleMs = this.#engine.idle ? this.#idleMs + ms : 0;
    if (this.#idleMs >= restAfterMs) {
      this.#idleMs = 0;
      this.#surroundings.onIdle();
    }
    this.#sinceReport += ms;
    if (this.#sinceReport < reportEveryMs) return;
    this.#sinceReport = 0;
    if (this.#sockets.size > 0) this.#reportStatistics(now);
  }

  #newProtection(name: string, session: MediaSession, pair: RtpSocketPair): LegProtection {
    return new LegProtection(session, {
      send: (bytes, address, port) => pair.send(false, bytes, bytes.length, address, port),
      certificate: () => this.certificate,
      report: (outcome) => {
        if (outcome.kind === 'securityFailed') {
          this.#log.warn(this.#surroundings.clock.now(), 'media-handshake-failed', { session: name, reason: outcome.reason });
        }
        this.#surroundings.onHandshake(name, outcome);
      },
    });
  }

  #iceListener(session: string): IceListener {
    const { clock, onWay } = this.#surroundings;
    const failed = (reason: string, final: boolean) => {
      this.#log.warn(clock.now(), 'no-way-by-ice', { session, reason });
      onWay(session, { kind: 'notConnected', reason, final });
    };
    return {
      connected: (local, remote) => onWay(session, { kind: 'connected', local, remote }),
      failed: (reason) => failed(reason, true),
      problem: (reason) => failed(reason, false),
    };
  }

  #flush(session: MediaSession, pair: PacketWay): void {
    for (const { rtcp, bytes, length, address, port } of session.drain()) pair.send(rtcp, bytes, length, address, port);
  }

  #reportStatistics(now: number): void {
    const statistics = this.#engine.statistics();
    for (const { session, packetsRefused } of statistics) {
      const before = this.#refused.get(session) ?? 0;
      if (packetsRefused > before) this.#log.warn(now, 'rtp-refused', { session, packets: packetsRefused - before });
      this.#refused.set(session, packetsRefused);
    }
    this.#surroundings.onStatistics(statistics);
  }
}
