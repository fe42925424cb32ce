import type { EventOf, ResultOf } from '#firmware/contract/contract.ts';
import type { AudioTarget, Digit, mediaContract, SessionParameters, SessionStatistics, ToneName } from '#firmware/contract/media.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Counters, LimitedLog } from '#firmware/core/counters.ts';
import { type CodecName, codecsThere } from './codec-choice.ts';
import { emptyLeg, type Leg, type Playback, tellingOf } from './media-leg.ts';
import type { MediaContractEvent, MediaNews } from './media-news.ts';
import type { MediaCommand, Outbox, Reply } from './outbox.ts';
import type { IceServers, SoundSettings } from './phone-settings.ts';
import { SoundRoles } from './sound-roles.ts';

type Media = typeof mediaContract;

type Pending =
  | { readonly kind: 'sessions' }
  | { readonly kind: 'configure' }
  | { readonly kind: 'open'; readonly leg: string }
  | { readonly kind: 'close'; readonly leg: string }
  | { readonly kind: 'playback'; readonly leg: string }
  | { readonly kind: 'plain'; readonly name: string };

const noSpeech =
  'Echo is avoided by letting one side speak at a time, and noise stays: libspeexdsp is missing (sudo apt-get install libspeexdsp1)';

/**
 * What the phone wants of the media daemon, and what the daemon has been told. Media keeps nothing over its own restart, so everything
 * wanted is kept here and said again when it comes back: devices, the RTP sessions of running calls, tones, playback.
 *
 *   down ── connected ─► asking (configure, then which sessions run) ── reply ─► up
 */
export class MediaDesk {
  readonly roles = new SoundRoles();
  readonly #outbox: Outbox;
  readonly #log: LimitedLog;
  readonly #counters: Counters;
  #settings: SoundSettings;
  #link: 'down' | 'asking' | 'up' = 'down';
  readonly #legs = new Map<string, Leg>();
  readonly #tones = new Map<string, ToneName>();
  readonly #muted = new Set<string>();
  readonly #pending = new Map<number, Pending>();
  #news: MediaNews[] = [];
  /** Why a server does not help in the search for ways. */
  #obstacle: string | undefined;
  #speech: ResultOf<Media, 'configure'>['speech'];
  /** As media said last. */
  #opus: ResultOf<Media, 'configure'>['opus'] = { ok: false };
  #marked: ResultOf<Media, 'configure'>['marked'];

  constructor(outbox: Outbox, log: LimitedLog, counters: Counters, settings: SoundSettings) {
    this.#outbox = outbox;
    this.#log = log;
    this.#counters = counters;
    this.#settings = settings;
  }

  get up(): boolean {
    return this.#link === 'up';
  }

  /** Those of `wanted` that can be spoken; those of everybody when there is none. */
  codecsThere(wanted: readonly CodecName[]): readonly CodecName[] {
    return codecsThere(wanted, this.#opus.ok);
  }

  /** What people should know and mend. */
  get notices(): string[] {
    const unmarked = this.up && this.#marked?.ok === false;
    const obstacles = [
      ...(this.#obstacle === undefined ? [] : [this.#obstacle]),
      ...(unmarked ? [`packets of sound go without their class (rtp.dscp): ${this.#marked?.reason ?? ''}`] : []),
    ];
    if (this.up && this.#speech?.ok === false) obstacles.push(noSpeech);
    if (!this.#settings.usesOpus || this.#opus.ok || !this.up) return obstacles;
    return ['Opus is left out of calls: its library is missing (sudo apt-get install libopus0)', ...obstacles];
  }

  takeNews(): MediaNews[] {
    const news = this.#news;
    this.#news = [];
    return news;
  }

  // ── the link ──

  connected(): void {
    this.#link = 'asking';
    this.#configure();
  }

  lost(): void {
    this.#link = 'down';
    this.#pending.clear();
    for (const leg of this.#legs.values()) {
      // An open leg keeps its ports: media goes on for its grace period, and may be found running.
      if (leg.state === 'opening') leg.state = 'wanted';
      leg.statistics = undefined;
    }
  }

  changeSettings(settings: SoundSettings): void {
    this.#obstacle = undefined;
    const same = JSON.stringify(settings) === JSON.stringify(this.#settings);
    this.#settings = settings;
    if (!same && this.#link !== 'down') this.#configure();
  }

  reply(now: Milliseconds, id: number, reply: Reply): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    if (!reply.ok) this.#failed(now, pending, reply.reason);
    else if (pending.kind === 'sessions') this.#restore(reply.result as ResultOf<Media, 'sessions'>);
    else if (pending.kind === 'open') this.#opened(pending.leg, reply.result as ResultOf<Media, 'openSession'>);
    else if (pending.kind === 'close') this.#closed(pending.leg, reply.result as ResultOf<Media, 'closeSession'>);
    else if (pending.kind === 'configure') this.#configured(now, reply.result as ResultOf<Media, 'configure'>);
  }

  event(now: Milliseconds, event: MediaContractEvent): void {
    switch (event.name) {
      case 'digit':
        if (this.#legs.has(event.fields.session)) {
          const { session: leg, digit, way } = event.fields;
          this.#news.push({ kind: 'digit', leg, digit, way });
        }
        return;
      case 'statistics':
        for (const statistics of event.fields.sessions) {
          const leg = this.#legs.get(statistics.session);
          if (leg) leg.statistics = statistics;
        }
        return;
      case 'rtpSilence':
        if (this.#legs.has(event.fields.session)) {
          this.#news.push({ kind: 'silence', leg: event.fields.session, seconds: event.fields.seconds });
        }
        return;
      case 'connected': {
        const { session, local, remote } = event.fields;
        if (this.#legs.has(session)) this.#news.push({ kind: 'connected', leg: session, way: `${local}–${remote}` });
        return;
      }
      case 'notConnected':
        this.#notConnected(event.fields);
        return;
      case 'secured':
        if (this.#legs.has(event.fields.session))
          this.#news.push({ kind: 'secured', leg: event.fields.session, suite: event.fields.suite });
        return;
      case 'securityFailed':
        if (this.#legs.has(event.fields.session)) {
          this.#news.push({ kind: 'securityFailed', leg: event.fields.session, reason: event.fields.reason });
        }
        return;
      case 'playbackEnded':
        for (const leg of this.#legs.values())
          if (event.fields.completed && leg.playback?.name === event.fields.playback) leg.playback = undefined;
        this.#outbox.fact('media.playbackEnded', { ...event.fields });
        return;
      case 'deviceChanged':
        this.roles.changed(event.fields);
        this.#deviceState(now, event.fields);
        return;
      case 'recordingEnded':
      case 'pageBegan':
      case 'pageEnded':
      case 'pageRefused':
        return;
      default:
        event satisfies never;
    }
  }

  // ── RTP sessions ──

  /** Media has its sound. */
  hasLeg(name: string): boolean {
    return this.up && this.#legs.get(name)?.state === 'open';
  }

  /** `legOpen` or `legFailed` follows; while media is away, once it has come back. */
  openLeg(name: string, address: string, ice: IceServers | null): void {
    const leg = emptyLeg(address, ice);
    this.#legs.set(name, leg);
    if (this.up) this.#open(name, leg);
  }

  /** A leg of a process that died, on that port; if media has it no longer, it is opened anew. */
  adoptLeg(name: string, address: string, rtpPort: number, ice: IceServers | null): void {
    this.#legs.set(name, { ...emptyLeg(address, ice), state: 'open', rtpPort });
  }

  updateLeg(name: string, parameters: SessionParameters): void {
    const leg = this.#legs.get(name);
    if (!leg) return;
    leg.parameters = parameters;
    if (this.#isOpen(leg)) this.#plain({ name: 'updateSession', args: { session: name, parameters } });
  }

  /** Joins the leg with a device; `null` = with nothing. */
  connectLeg(name: string, device: string | null): void {
    const leg = this.#legs.get(name);
    if (!leg || leg.device === device) return;
    leg.device = device;
    if (this.#isOpen(leg)) this.#plain({ name: 'connectSession', args: { session: name, device } });
  }

  /** How much louder than received it is heard, dB. */
  setLevel(name: string, decibels: number): void {
    const leg = this.#legs.get(name);
    if (!leg) return;
    leg.level = decibels;
    if (this.#isOpen(leg)) this.#plain({ name: 'setLevel', args: { session: name, decibels } });
  }

  levelOf(name: string): number {
    return this.#legs.get(name)?.level ?? 0;
  }

  /** Opens the leg anew on another address of this machine; all that is wanted of it stays. `legOpen` follows. */
  moveLeg(name: string, address: string): void {
    const leg = this.#legs.get(name);
    if (!leg) return;
    const told = leg.state !== 'wanted';
    Object.assign(leg, { address, state: 'wanted' });
    if (!this.up) return;
    if (told) this.#tellClosed(name);
    this.#open(name, leg);
  }

  closeLeg(name: string): void {
    const leg = this.#legs.get(name);
    if (!leg) return;
    this.#legs.delete(name);
    if (this.up && leg.state !== 'wanted') this.#tellClosed(name);
  }

  statisticsOf(name: string): SessionStatistics | undefined {
    return this.#legs.get(name)?.statistics;
  }

  sendDigit(name: string, digit: Digit, durationMs: number, way: 'event' | 'sound'): void {
    const leg = this.#legs.get(name);
    if (leg && this.#isOpen(leg)) this.#plain({ name: 'sendDigit', args: { session: name, digit, durationMs, way } });
  }

  /** Plays a file to the far end `repeat` times, 0 = until the leg closes or plays something else. */
  playToLeg(name: string, file: string, gapMs: number, repeat = 0): void {
    const leg = this.#legs.get(name);
    if (!leg) return;
    // Named after the leg, so that another takes its place, whoever began it.
    leg.playback = { name: `playback-${name}`, file, gapMs, repeat };
    if (this.#isOpen(leg)) this.#startPlayback(name, leg.playback);
  }

  stopPlayback(name: string): void {
    const leg = this.#legs.get(name);
    if (!leg?.playback) return;
    if (this.#isOpen(leg)) this.#plain({ name: 'stopPlayback', args: { playback: leg.playback.name } });
    leg.playback = undefined;
  }

  /** A tone for the far end; `null` = none. */
  toneToLeg(name: string, tone: ToneName | null): void {
    const leg = this.#legs.get(name);
    if (!leg || leg.tone === tone) return;
    leg.tone = tone;
    if (this.#isOpen(leg)) this.#tellTone({ kind: 'session', session: name }, tone);
  }

  // ── devices ──

  /** The tone a device gives; `null` = none. */
  toneOn(device: string, tone: ToneName | null): void {
    if ((this.#tones.get(device) ?? null) === tone) return;
    if (tone) this.#tones.set(device, tone);
    else this.#tones.delete(device);
    if (this.up) this.#tellTone({ kind: 'device', device }, tone);
  }

  /** Lets the person at a device hear a key. */
  playKey(device: string, digit: Digit, durationMs: number): void {
    if (this.up) this.#plain({ name: 'playKey', args: { device, digit, durationMs } });
  }

  mute(device: string, muted: boolean): void {
    if (this.#muted.has(device) === muted) return;
    if (muted) this.#muted.add(device);
    else this.#muted.delete(device);
    if (this.up) this.#plain({ name: 'setMuted', args: { device, muted } });
  }

  /** 0–100 by role. */
  get volumes(): Readonly<Record<string, number>> {
    return this.#settings.volumes;
  }

  setVolume(device: string, volume: number): void {
    this.#settings = { ...this.#settings, volumes: { ...this.#settings.volumes, [device]: volume } };
    if (this.up) this.#plain({ name: 'setVolume', args: { device, volume } });
  }

  /** A device is set up in this role, and media knows. */
  hasDevice(role: string): boolean {
    return Object.hasOwn(this.#settings.devices, role) && this.roles.has(role);
  }

  isMuted(device: string): boolean {
    return this.#muted.has(device);
  }

  describe(): object {
    const legs = [...this.#legs].map(([name, { state, rtpPort, device, tone }]) => ({ name, state, rtpPort, device, tone }));
    return { link: this.#link, pending: this.#pending.size, legs, tones: Object.fromEntries(this.#tones) };
  }

  #isOpen(leg: Leg): boolean {
    return this.up && leg.state === 'open';
  }

  #configure(): void {
    const { devices, rtpPorts, country, jitterBuffer, usesOpus: opus, graceSeconds, silenceSeconds, dscp } = this.#settings;
    const certificate = this.#settings.certificate && {
      certificate: this.#settings.certificate.certificate,
      privateKey: this.#settings.certificate.privateKey,
    };
    const args = { devices, rtpPorts, country, jitterBuffer, opus, certificate, graceSeconds, silenceSeconds, dscp };
    this.#send({ name: 'configure', args }, { kind: 'configure' });
  }

  /** Devices are opened while others wait, so nothing that names one is said before. */
  #configured(now: Milliseconds, result: ResultOf<Media, 'configure'>): void {
    this.#opus = result.opus;
    this.#marked = result.marked;
    this.#speech = result.speech;
    if (this.#settings.usesOpus && !result.opus.ok) this.#log.warn(now, 'no-opus', { reason: result.opus.reason });
    this.roles.configured(result.devices);
    for (const [device, health] of Object.entries(result.devices)) if (!health.ok) this.#deviceState(now, { device, ...health });
    for (const [device, volume] of Object.entries(this.#settings.volumes)) this.#plain({ name: 'setVolume', args: { device, volume } });
    this.#askSessions();
  }

  #askSessions(): void {
    if (this.#link === 'asking') this.#send({ name: 'sessions', args: {} }, { kind: 'sessions' });
  }

  #notConnected({ session, reason, final }: EventOf<Media, 'notConnected'>): void {
    if (!this.#legs.has(session)) return;
    this.#outbox.fact('call.way', { call: session, reason, final });
    if (final) this.#news.push({ kind: 'notConnected', leg: session, reason });
    else this.#obstacle = reason;
  }

  #deviceState(now: Milliseconds, { device, ok, reason, standIn }: EventOf<Media, 'deviceChanged'>): void {
    this.#outbox.fact('media.device', { device, ok, reason: reason ?? null, standIn: standIn ?? null });
    if (!ok) this.#log.warn(now, 'sound-device-failed', { device, reason, standIn });
  }

  /** Adopts the sessions that ran on, closes those nobody knows, opens those that are gone. */
  #restore(running: ResultOf<Media, 'sessions'>): void {
    this.#link = 'up';
    const ports = new Map(running.sessions.map(({ session, rtpPort }) => [session, rtpPort]));
    const isAdopted = (name: string, leg: Leg | undefined) => leg?.state === 'open' && leg.rtpPort === ports.get(name);
    for (const name of ports.keys()) {
      // Also one whose opening was under way when the link broke: we never learnt its port.
      if (!isAdopted(name, this.#legs.get(name))) this.#tellClosed(name);
    }
    for (const [name, leg] of this.#legs) {
      if (isAdopted(name, leg)) this.#tellAdopted(name, leg);
      else this.#open(name, leg);
    }
    for (const [device, tone] of this.#tones) this.#tellTone({ kind: 'device', device }, tone);
    for (const device of this.#muted) this.#plain({ name: 'setMuted', args: { device, muted: true } });
  }

  #open(name: string, leg: Leg): void {
    leg.state = 'opening';
    // One that was open before asks for the port that its far end sends to.
    const wish = leg.rtpPort === 0 ? {} : { rtpPort: leg.rtpPort };
    this.#send(
      { name: 'openSession', args: { session: name, address: leg.address, ...wish, ...(leg.ice && { ice: leg.ice }) } },
      { kind: 'open', leg: name },
    );
  }

  #opened(name: string, ports: ResultOf<Media, 'openSession'>): void {
    const leg = this.#legs.get(name);
    if (!leg) return;
    leg.state = 'open';
    leg.rtpPort = ports.rtpPort;
    this.#tellLeg(name, leg);
    this.#news.push({ kind: 'legOpen', leg: name, ...ports });
  }

  /** Everything the leg should be doing, to a media that has just got it. */
  #tellLeg(name: string, leg: Leg): void {
    for (const command of tellingOf(name, leg)) this.#plain(command);
    if (leg.playback) this.#startPlayback(name, leg.playback);
  }

  /** As above, to a media that has been doing something all the while: what ended meanwhile must be said too. */
  #tellAdopted(name: string, leg: Leg): void {
    this.#tellLeg(name, leg);
    if (leg.device === null) this.#plain({ name: 'connectSession', args: { session: name, device: null } });
    if (leg.tone === null) this.#tellTone({ kind: 'session', session: name }, null);
  }

  #closed(name: string, result: ResultOf<Media, 'closeSession'>): void {
    const { statistics, quality } = result;
    if (statistics) {
      const { farOpinionScore = null, voice, ...rest } = statistics;
      this.#outbox.fact('call.media', { call: name, ...rest, farOpinionScore, echoReductionDb: voice?.echoReductionDb ?? null });
    }
    if (quality) this.#news.push({ kind: 'quality', leg: name, quality });
  }

  #startPlayback(leg: string, playback: Playback): void {
    const args = { playback: playback.name, target: { kind: 'session' as const, session: leg }, file: playback.file };
    this.#send({ name: 'startPlayback', args: { ...args, gapMs: playback.gapMs, repeat: playback.repeat } }, { kind: 'playback', leg });
  }

  #tellClosed(name: string): void {
    this.#send({ name: 'closeSession', args: { session: name } }, { kind: 'close', leg: name });
  }

  #tellTone(target: AudioTarget, tone: ToneName | null): void {
    this.#plain(tone ? { name: 'startTone', args: { target, tone } } : { name: 'stopTone', args: { target } });
  }

  #failed(now: Milliseconds, pending: Pending, reason: string): void {
    this.#counters.add(`media-${pending.kind}-failed`);
    const name = pending.kind === 'plain' ? pending.name : pending.kind;
    this.#log.warn(now, 'media-command-failed', { command: name, reason });
    if (pending.kind === 'open' && this.#legs.delete(pending.leg)) this.#news.push({ kind: 'legFailed', leg: pending.leg, reason });
    else if (pending.kind === 'configure') this.#askSessions();
    else if (pending.kind === 'playback') this.#news.push({ kind: 'playbackFailed', leg: pending.leg, reason });
    // Without the list nothing can be adopted, so every leg is opened anew.
    else if (pending.kind === 'sessions') this.#restore({ sessions: [] });
  }

  #plain(command: MediaCommand): void {
    this.#send(command, { kind: 'plain', name: command.name });
  }

  #send(command: MediaCommand, pending: Pending): void {
    this.#pending.set(this.#outbox.media(command), pending);
  }
}
