import { BlockList, isIPv6 } from 'node:net';
import type { ArgsOf } from '#firmware/contract/contract.ts';
import type { mediaContract, OpusEncoding } from '#firmware/contract/media.ts';
import type { Clock } from '#firmware/core/clock.ts';
import { Counters, LimitedLog } from '#firmware/core/counters.ts';
import { messageOf } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import type { MediaEngine } from '#firmware/media/media-engine.ts';
import type { LegCodec, LegParameters, MediaSession } from '#firmware/media/media-session.ts';
import { PageListener } from '#firmware/media/page-listener.ts';
import { type GroupListener, listenToGroup, openGroupSender } from '#firmware/platform/multicast-socket.ts';
import type { EngineDriver, PacketWay } from './engine-driver.ts';

type Configuration = ArgsOf<typeof mediaContract, 'configurePaging'>;
type Group = Configuration['groups'][string];
type Opening = ArgsOf<typeof mediaContract, 'openPage'>;

export interface PagingSurroundings {
  readonly engine: MediaEngine;
  readonly driver: EngineDriver;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Something is about to sound. */
  readonly wake: () => void;
  readonly onBegan: (group: string, source: string) => void;
  readonly onEnded: (group: string) => void;
  readonly onRefused: (group: string, packets: number) => void;
}

interface Place {
  readonly group: Group;
  readonly socket: GroupListener;
  readonly listener: PageListener;
  session: MediaSession | undefined;
  refused: number;
  refusedTold: number;
}

/** How often it is looked whether somebody has fallen silent. */
const lookEveryMs = 100;
/** Payload types that need no agreement (RFC 3551 §6), of which the first stands for what is sent: nothing is. */
const fixedCodecs: readonly [LegCodec, ...LegCodec[]] = [
  { name: 'PCMU', send: 0, receive: 0 },
  { name: 'PCMA', send: 8, receive: 8 },
  { name: 'G722', send: 9, receive: 9 },
];
const opusHeard: OpusEncoding = {
  sampleRate: 48_000,
  bitrate: 32_000,
  constantBitrate: false,
  complexity: 5,
  errorCorrection: false,
  discontinuous: false,
  playbackRate: 48_000,
};
/** Packets leave nowhere. */
const nowhere: PacketWay = { rtpPort: 0, send: () => undefined, follow: () => undefined, close: () => Promise.resolve() };

/**
 * Announcements by multicast: hears the groups it is told to, and sends to them. Who speaks to a group becomes a session of the engine, which phone
 * gives to a device or not; plain RTP, without signalling and without RTCP.
 */
export class Paging {
  readonly #surroundings: PagingSurroundings;
  readonly #log: LimitedLog;
  readonly #counters = new Counters();
  readonly #places = new Map<string, Place>();
  /** Why a group is not heard. */
  readonly #failures = new Map<string, string>();
  #configuration: Configuration = { groups: {}, interface: '', networks: [], silenceMs: 2000 };
  #allowed = new BlockList();
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(surroundings: PagingSurroundings) {
    this.#surroundings = surroundings;
    this.#log = new LimitedLog(surroundings.logger);
  }

  /** Joins the groups that are new and leaves those that are gone; tells of announcements under way again. */
  configure(configuration: Configuration): Promise<Record<string, { ok: boolean; reason?: string }>> {
    return this.#inTurn(async () => {
      const before = this.#configuration;
      this.#configuration = configuration;
      this.#allowed = listOf(configuration.networks);
      const same = before.interface === configuration.interface;
      for (const [name, { group }] of [...this.#places]) {
        if (!same || JSON.stringify(configuration.groups[name]) !== JSON.stringify(group)) await this.#leave(name);
      }
      this.#failures.clear();
      for (const [name, group] of Object.entries(configuration.groups)) if (!this.#places.has(name)) await this.#join(name, group);
      this.#timer ??= this.#places.size > 0 ? setInterval(() => this.#look(), lookEveryMs) : undefined;
      for (const [name, { listener, session }] of this.#places) {
        if (listener.source && session) this.#surroundings.onBegan(name, listener.source.address);
      }
      return this.#health();
    });
  }

  hear(group: string, device: string | null): void {
    if (this.#places.get(group)?.session) this.#surroundings.engine.giveSession(sessionOf(group), device);
  }

  /** Opens a session that sends to a group. */
  async open({ session: name, group, address, port, interface: at, ttl, codec }: Opening): Promise<void> {
    const { clock, driver, engine, wake } = this.#surroundings;
    const sender = await openGroupSender({ address, port, interface: at, ttl }, driver.mark, (error) =>
      this.#log.warn(clock.now(), 'page-not-sent', { group, reason: error.message }),
    );
    let session: MediaSession;
    try {
      session = driver.carrySession(name, {
        rtpPort: sender.port,
        send: (rtcp, bytes, length) => {
          if (!rtcp) sender.send(bytes, length);
        },
        follow: () => undefined,
        close: () => sender.close(),
      });
    } catch (thrown) {
      await sender.close();
      throw thrown;
    }
    for (const { group: known, listener } of this.#places.values()) {
      if (known.address === address && known.port === port) listener.isOurs(session.ssrc);
    }
    try {
      engine.updateSession(clock.now(), name, parametersOf({ address, port }, [codec], 'sendonly'));
    } catch (thrown) {
      await driver.closeSession(name);
      throw thrown;
    }
    wake();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#inTurn(async () => {
      for (const name of [...this.#places.keys()]) await this.#leave(name);
    });
  }

  describe() {
    const groups = [...this.#places].map(([name, { listener, socket, refused }]) => {
      return [name, { source: listener.source?.address ?? null, obstacle: socket.obstacle ?? null, refused }];
    });
    return { groups: Object.fromEntries(groups), counters: this.#counters.describe() };
  }

  #health(): Record<string, { ok: boolean; reason?: string }> {
    const named = Object.keys(this.#configuration.groups).map((name) => {
      const reason = this.#failures.get(name) ?? this.#places.get(name)?.socket.obstacle;
      return [name, reason === undefined ? { ok: true } : { ok: false, reason }];
    });
    return Object.fromEntries(named);
  }

  async #join(name: string, group: Group): Promise<void> {
    const { clock } = this.#surroundings;
    const listener = new PageListener();
    try {
      const socket = await listenToGroup(
        { address: group.address, port: group.port, interface: this.#configuration.interface },
        (bytes, address, port) => this.#receive(name, bytes, address, port),
        (error) => this.#log.warn(clock.now(), 'page-socket-error', { group: name, reason: error.message }),
      );
      this.#places.set(name, { group, socket, listener, session: undefined, refused: 0, refusedTold: 0 });
    } catch (thrown) {
      this.#failures.set(name, messageOf(thrown));
    }
  }

  async #leave(name: string): Promise<void> {
    const place = this.#places.get(name);
    if (!place) return;
    this.#places.delete(name);
    this.#end(name, place);
    await place.socket.close();
  }

  #receive(name: string, bytes: Uint8Array, address: string, port: number): void {
    const place = this.#places.get(name);
    if (!place) return;
    const { clock } = this.#surroundings;
    const now = clock.now();
    if (!this.#allowed.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')) {
      this.#refuse(place, 'page-foreign-network');
      this.#log.warn(now, 'page-from-foreign-network', { group: name, from: address });
      return;
    }
    const verdict = place.listener.receive(now, bytes, address, port);
    if (verdict === 'malformed') this.#counters.add('page-malformed');
    else if (verdict === 'second') this.#refuse(place, 'page-second-sender');
    else if (verdict === 'begun') this.#begin(name, place, address, port);
    if (verdict === 'heard' || verdict === 'begun') place.session?.receiveRtp(now, bytes, address, port);
  }

  #refuse(place: Place, counter: string): void {
    place.refused++;
    this.#counters.add(counter);
  }

  #begin(name: string, place: Place, address: string, port: number): void {
    const { clock, driver, engine, wake, onBegan } = this.#surroundings;
    wake();
    place.session = driver.carrySession(sessionOf(name), nowhere);
    const opus = { name: 'opus', send: place.group.opusPayloadType, receive: place.group.opusPayloadType } as const;
    const [first, ...others] = fixedCodecs;
    const known: [LegCodec, ...LegCodec[]] = [first, ...others];
    if (engine.hasOpus) known.push({ ...opus, encoding: opusHeard });
    engine.updateSession(clock.now(), sessionOf(name), parametersOf({ address, port }, known, 'recvonly'));
    onBegan(name, address);
  }

  #look(): void {
    const now = this.#surroundings.clock.now();
    for (const [name, place] of this.#places) {
      if (place.listener.fellSilent(now, this.#configuration.silenceMs)) this.#end(name, place);
      if (place.refused === place.refusedTold) continue;
      place.refusedTold = place.refused;
      this.#surroundings.onRefused(name, place.refused);
    }
  }

  /** At once: the next announcement may begin with the next datagram. */
  #end(name: string, place: Place): void {
    if (!place.session) return;
    place.session = undefined;
    void this.#surroundings.driver.closeSession(sessionOf(name));
    this.#surroundings.onEnded(name);
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(task);
    // Who asked hears of a failure; the next in turn must not.
    this.#turn = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }
}

function sessionOf(group: string): string {
  return `page:${group}`;
}

function parametersOf(remote: LegParameters['remote'], codecs: LegParameters['codecs'], direction: 'recvonly' | 'sendonly'): LegParameters {
  return {
    remote,
    // RTCP goes nowhere.
    remoteRtcp: remote,
    codecs,
    ptime: 20,
    telephoneEvents: [],
    detectDigits: false,
    comfortNoise: false,
    direction,
    symmetric: false,
    rtcpMux: false,
  };
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of networks) {
    const [address = '', length] = text.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (length === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(length), family);
  }
  return list;
}
