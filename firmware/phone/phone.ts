import type { Ladder } from '#firmware/contract/ladder.ts';
import type { Digit } from '#firmware/contract/media.ts';
import type { PhoneStatus } from '#firmware/contract/phone.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { Counters, LimitedLog } from '#firmware/core/counters.ts';
import { TimerTable } from '#firmware/core/timer-table.ts';
import type { Flow } from '#firmware/sip/transport/flow.ts';
import type { NameAnswer, NameQuestion } from '#firmware/sip/transport/name-records.ts';
import type { Destination, SipCore } from '#firmware/sip/transport/sip-core.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import type { UserAgentEvent } from '#firmware/sip/user-agent-events.ts';
import { adoptCalls, type Heirs, type Inheritance, journalOf } from './adoption.ts';
import { AlertDesk } from './alert-desk.ts';
import { Board, type BoardNews, type HalContractEvent } from './board.ts';
import { CallDesk } from './call-desk.ts';
import { type CallWishes, headersOf } from './call-features.ts';
import type { CallNews } from './call-plan.ts';
import { DoorDesk } from './door-desk.ts';
import type { EarRole, HandsFreeRole } from './ear.ts';
import { EventDesk } from './event-desk.ts';
import { Handset } from './handset.ts';
import { type KeyPorts, pressKey } from './key-press.ts';
import { laddersOf } from './ladders.ts';
import { LineDesk } from './line-desk.ts';
import type { Alarm } from './machine.ts';
import { MediaDesk } from './media-desk.ts';
import type { MediaContractEvent } from './media-news.ts';
import { Outbox, type PhoneEvent, type PhoneOutput, type Reply } from './outbox.ts';
import type { PhoneMemory, PhonePorts } from './phone-ports.ts';
import type { PhoneSettings } from './phone-settings.ts';
import { present } from './presentation.ts';
import { QualityDesk } from './quality-desk.ts';
import { Reception } from './reception.ts';
import { showState } from './shown-state.ts';
import { SoundDesk } from './sound-desk.ts';
import { isWaiting, statusOf } from './status.ts';
import { StatusTeller } from './status-teller.ts';
import { TextDesk } from './text-desk.ts';
import { TransferDesk, type TransferWish } from './transfer-desk.ts';

/**
 * The phone: one user agent, one board, one media daemon, and the people who use them. Every input is fed in, then all parts settle, then
 * the driver drains what is to be done:
 *
 *   SIP bytes ─► UserAgent ─► events ─┐
 *   hal, media: events and replies ───┼─► lines, calls ─► handset, doors, alerts ─► tones, lamps, status ─► drain()
 *   commands of page and CLI, timers ─┘
 */
export class Phone implements SipCore<PhoneEvent> {
  /** What is asked of these three goes through `act`. */
  readonly texts: TextDesk;
  readonly events: EventDesk;
  readonly sounds: SoundDesk;
  readonly #ports: PhonePorts;
  readonly #alarms = new TimerTable<Alarm>();
  readonly #counters = new Counters();
  readonly #outbox: Outbox;
  readonly #userAgent: UserAgent;
  readonly #board: Board;
  readonly #media: MediaDesk;
  readonly #lines: LineDesk;
  readonly #desk: CallDesk;
  readonly #handset: Handset;
  readonly #doors: DoorDesk;
  readonly #alerts: AlertDesk;
  readonly #reception: Reception;
  readonly #transfers: TransferDesk;
  readonly #quality: QualityDesk;
  readonly #keyPorts: KeyPorts;
  readonly #teller: StatusTeller;
  #settings: PhoneSettings;
  #startedAt = 0;
  #missedCalls: number;
  #tone: string | null = null;

  constructor(ports: PhonePorts, settings: PhoneSettings, memory: PhoneMemory) {
    const { entropy, logger, addresses } = ports;
    const log = new LimitedLog(logger);
    const alarms = this.#alarms;
    const counters = this.#counters;
    const current = () => this.#settings;
    this.#ports = ports;
    this.#settings = settings;
    this.#missedCalls = memory.missedCalls;
    const outbox = new Outbox(ports.clock);
    const userAgent = new UserAgent({ ...ports, counters, settings: ports.userAgentSettings ?? {} });
    const media = new MediaDesk(outbox, log, counters, settings.sound);
    const board = new Board(outbox, log, counters, settings.board);
    const lines = new LineDesk(userAgent, outbox);
    const desk = new CallDesk({
      userAgent,
      media,
      alarms,
      entropy,
      outbox,
      addresses,
      settings: current,
      digits: memory.digits ?? [],
      hasLine: (name) => lines.get(name) !== undefined,
    });
    const connectOthers = (now: Milliseconds) => this.#transfers.transfer(now, {});
    const hasDevice = (role: EarRole) => media.hasDevice(role);
    const page = (now: Milliseconds, code: string) => this.sounds.paging.dial(now, code);
    const hook = () => board.hook;
    const handset = new Handset({ desk, alarms, settings: current, hook, hasDevice, page, connectOthers }, memory.lastDialed);
    this.#outbox = outbox;
    this.#teller = new StatusTeller(alarms, outbox, (now) => this.status(now));
    this.#userAgent = userAgent;
    this.#media = media;
    this.#board = board;
    this.#lines = lines;
    this.#desk = desk;
    this.#handset = handset;
    this.#doors = new DoorDesk({ desk, media, alarms, outbox, board }, settings.doors);
    this.#alerts = new AlertDesk(
      { desk, media, alarms, outbox, counters, log, lineReady: () => lines.ready },
      settings.alerts,
      memory.alerts,
    );
    const parts = { userAgent, desk, handset, alarms, outbox, counters, settings: current, lines: () => lines.all };
    this.#reception = new Reception({ ...parts, media, entropy });
    this.texts = new TextDesk({ userAgent, outbox, alarms, settings: current }, memory);
    this.events = new EventDesk({ ...parts, readXml: ports.readXml });
    this.#transfers = new TransferDesk({ userAgent, desk, handset, outbox, settings: current });
    this.#quality = new QualityDesk({ userAgent, outbox, calls: () => desk.all, hasLine: (name) => lines.get(name) !== undefined });
    const doNotDisturb = () => lines.all.some((line) => line.doNotDisturb);
    this.sounds = new SoundDesk({ desk, handset, media, outbox, doNotDisturb, alerts: this.#alerts, settings: current });
    this.#keyPorts = { handset, sounds: this.sounds, media, transfers: this.#transfers, events: this.events, logger };
  }

  /** Registers the lines, takes up alerts that were not over, and the calls of a process that died. Comes before hal and media connect. */
  start(now: Milliseconds, inheritance?: Inheritance): void {
    this.#startedAt = this.#outbox.wallTime();
    if (inheritance) this.#lines.remember(inheritance.journal.contactUsers);
    this.#lines.change(now, this.#settings.lines);
    if (inheritance) adoptCalls(now, inheritance, this.#heirs);
    this.events.watches.change(now);
    this.#settle(now);
  }

  /** Ends every call and signs off; `idle` says when nothing is left to wait for. */
  stop(now: Milliseconds): void {
    this.#alerts.suspend();
    this.#desk.close(now);
    this.#userAgent.stop(now);
    this.#settle(now);
  }

  get idle(): boolean {
    return this.#userAgent.idle;
  }

  /** Lines, doors, alerts, tones and sound follow at once; a call goes on with what it began with. */
  changeSettings(now: Milliseconds, settings: PhoneSettings): void {
    this.#settings = settings;
    this.#lines.change(now, settings.lines);
    this.events.watches.change(now);
    this.#media.changeSettings(settings.sound);
    this.#board.changeProfile(settings.board);
    this.#doors.change(now, settings.doors);
    this.#alerts.change(now, settings.alerts);
    this.#settle(now);
  }

  // ── SIP ──

  receive(now: Milliseconds, flow: Flow, bytes: Uint8Array): void {
    this.act(now, () => this.#userAgent.receive(now, flow, bytes));
  }

  transportFailed(now: Milliseconds, destination: Destination, reason: string): void {
    this.act(now, () => this.#userAgent.transportFailed(now, destination, reason));
  }

  named(now: Milliseconds, question: NameQuestion, answer: NameAnswer): void {
    this.act(now, () => this.#userAgent.named(now, question, answer));
  }

  networkChanged(now: Milliseconds): void {
    this.act(now, () => {
      this.#userAgent.networkChanged(now);
      this.#desk.relocate(undefined);
    });
  }

  halConnected(now: Milliseconds): void {
    this.act(now, () => this.#board.connected());
  }

  halLost(now: Milliseconds): void {
    this.act(now, () => this.#board.lost(now));
  }

  halReply(now: Milliseconds, id: number, reply: Reply): void {
    this.act(now, () => this.#board.reply(now, id, reply));
  }

  halEvent(now: Milliseconds, event: HalContractEvent): void {
    this.act(now, () => this.#board.event(event));
  }

  mediaConnected(now: Milliseconds): void {
    this.act(now, () => this.sounds.mediaConnected());
  }

  mediaLost(now: Milliseconds): void {
    this.act(now, () => this.sounds.mediaLost(now));
  }

  mediaReply(now: Milliseconds, id: number, reply: Reply): void {
    this.act(now, () => this.sounds.mediaReply(now, id, reply));
  }

  mediaEvent(now: Milliseconds, event: MediaContractEvent): void {
    this.act(now, () => this.sounds.mediaEvent(now, event));
  }

  // ── commands; each throws UsageError when it cannot be ──

  call(now: Milliseconds, target: string, line?: string, wishes: CallWishes = {}): string {
    return this.act(now, () => this.#handset.call(now, target, line, headersOf(wishes)).plan.id);
  }

  redial(now: Milliseconds): string {
    return this.act(now, () => this.#handset.redial(now).plan.id);
  }

  accept(now: Milliseconds, call?: string): void {
    this.act(now, () => this.#handset.accept(now, call));
  }

  hangUp(now: Milliseconds, call?: string): void {
    this.act(now, () => this.#handset.hangUp(now, call));
  }

  digit(now: Milliseconds, digit: Digit): void {
    this.act(now, () => this.sounds.press(now, digit));
  }

  handsFree(now: Milliseconds, role: HandsFreeRole): void {
    this.act(now, () => this.#handset.handsFree(now, role));
  }

  hold(now: Milliseconds, call?: string): void {
    this.act(now, () => this.#handset.hold(now, call));
  }

  resume(now: Milliseconds, call?: string): void {
    this.act(now, () => this.#handset.resume(now, call));
  }

  transfer(now: Milliseconds, wish: TransferWish): void {
    this.act(now, () => this.#transfers.transfer(now, wish));
  }

  /** Asks one of the desks for something, and lets all parts follow. */
  act<T>(now: Milliseconds, work: (phone: this) => T): T {
    const result = work(this);
    this.#settle(now);
    return result;
  }

  setDoNotDisturb(now: Milliseconds, on: boolean, line?: string): void {
    this.act(now, () => this.#lines.setDoNotDisturb(on, line));
  }

  alert(now: Milliseconds, name: string, token?: string): string {
    return this.act(now, () => this.#alerts.trigger(now, name, token));
  }

  clearMissed(now: Milliseconds): void {
    this.act(now, () => this.#countMissed(0));
  }

  handleTimeout(now: Milliseconds): void {
    const sip = this.#userAgent.deadline;
    let changes = sip !== undefined && sip <= now;
    if (changes) this.#userAgent.handleTimeout(now);
    for (let due = this.#alarms.takeDue(now); due; due = this.#alarms.takeDue(now)) {
      due.fire(now);
      // Without this the phone would wake itself ten times a second for ever.
      if (due !== this.#teller.alarm) changes = true;
    }
    if (changes) this.#settle(now);
  }

  get deadline(): Milliseconds | undefined {
    const own = this.#alarms.deadline;
    const sip = this.#userAgent.deadline;
    return own === undefined ? sip : sip === undefined ? own : Math.min(own, sip);
  }

  drain(): PhoneOutput[] {
    return this.#outbox.drain();
  }

  status(now: Milliseconds): PhoneStatus {
    return statusOf(now, {
      version: this.#ports.version,
      startedAt: this.#startedAt,
      board: this.#board,
      media: this.#media,
      desk: this.#desk,
      handset: this.#handset,
      lines: this.#lines.all,
      alerts: this.#alerts,
      transfers: this.#transfers,
      texts: this.texts,
      events: this.events,
      sounds: this.sounds,
      missedCalls: this.#missedCalls,
      notices: [
        ...(this.#ports.notices?.() ?? []),
        ...this.#media.notices,
        ...this.sounds.notices,
        ...this.#lines.all.flatMap(({ notices }) => notices),
      ],
      tone: this.#tone,
      counters: this.#counters,
    });
  }

  ladders(now: Milliseconds): Ladder[] {
    return laddersOf(this.#userAgent, this.#outbox, now);
  }

  describe(now: Milliseconds): object {
    return {
      status: this.status(now),
      calls: this.#desk.describe(),
      handset: this.#handset.describe(),
      board: this.#board.describe(),
      media: this.#media.describe(),
      doors: this.#doors.describe(),
      alerts: this.#alerts.describe(),
      timers: this.#alarms.size,
      userAgent: this.#userAgent.describe(),
    };
  }

  get #heirs(): Heirs {
    const graceMs = 1_000 * this.#settings.sound.graceSeconds;
    const parts = { userAgent: this.#userAgent, desk: this.#desk, handset: this.#handset, doors: this.#doors };
    return { ...parts, alerts: this.#alerts, board: this.#board, outbox: this.#outbox, graceMs };
  }

  /** Passes on what each part has to say until nobody has anything more, then makes sounds, lamps and status follow. */
  #settle(now: Milliseconds): void {
    for (let busy = true; busy; ) {
      busy = false;
      for (const output of this.#userAgent.drain()) {
        busy = true;
        if (output.kind === 'transmit') this.#outbox.transmit(output);
        else this.#takeSip(now, output.event);
      }
      for (const news of this.#media.takeNews()) {
        busy = true;
        if (news.kind === 'quality') this.#quality.take(now, news.leg, news.quality);
        else this.sounds.take(now, news);
      }
      for (const news of this.#board.takeNews()) {
        busy = true;
        this.#takeBoard(now, news);
      }
      for (const news of this.#desk.takeNews()) {
        busy = true;
        this.#takeCall(now, news);
      }
      if (!busy) busy = this.#alerts.settle(now);
      this.events.settle(now);
      this.#quality.settle(now);
      this.sounds.settle(now);
      if (!busy) busy = showState(now, this.#userAgent, this.#lines.all, this.#desk.all);
    }
    this.#present(now);
  }

  #takeSip(now: Milliseconds, event: UserAgentEvent): void {
    if (event.type === 'registration' && event.state === 'registered') this.#desk.relocate(event.account);
    if (event.type === 'registration' || event.type === 'messageWaiting') this.#lines.take(now, event);
    else if (event.type === 'message') {
      this.#outbox.fact('sip.message', { direction: event.direction, peer: event.peer, summary: event.summary });
    } else if (event.type === 'incoming') {
      if (this.#reception.take(now, event)) this.#countMissed(this.#missedCalls + 1);
    } else if (event.type === 'referred' || event.type === 'referProgress') this.#transfers.take(now, event);
    else if (event.type === 'textReceived' || event.type === 'textAnswered' || event.type === 'composing') this.texts.take(now, event);
    else if (!('session' in event)) this.events.take(now, event);
    else {
      if (event.type === 'failed') this.events.callFailed(now, event);
      this.#desk.take(now, event.session, event);
    }
  }

  #takeBoard(now: Milliseconds, news: BoardNews): void {
    if (news.kind === 'hook') {
      this.#handset.hook(now, news.position);
      if (this.#handset.state === 'dialTone') this.events.completion.callBack(now);
    } else if (news.kind === 'key') pressKey(now, news.key, this.#keyPorts);
    else if (news.kind === 'relay') this.#doors.relayDone(now, news.purpose, news.problem);
    else if (news.active) {
      this.#doors.input(now, news.name);
      this.#alerts.input(now, news.name);
    }
  }

  #takeCall(now: Milliseconds, news: CallNews): void {
    const call = this.#desk.get(news.call);
    if (!call) return;
    const { owner } = call.plan;
    if (owner.kind === 'handset') this.#handset.take(now, news);
    else if (owner.kind === 'door') this.#doors.take(now, owner.name, news);
    else this.#alerts.take(now, owner.name, news);
    this.#transfers.takeCall(now, call, news);
    this.#reception.takeCall(now, call, news);
    if (news.kind === 'digit') this.#outbox.fact('call.digit', { call: news.call, way: news.way });
    if (news.kind === 'ended' && call.missed) this.#countMissed(this.#missedCalls + 1);
  }

  #countMissed(count: number): void {
    if (count === this.#missedCalls) return;
    this.#missedCalls = count;
    this.#outbox.record({ kind: 'missedCalls', count });
  }

  /** Tones, bell, lamps and snapshot follow from the state; only what changed is told. */
  #present(now: Milliseconds): void {
    const { lamps } = this.#settings;
    const shown = {
      events: this.events,
      lines: this.#lines.all,
      missedCalls: this.#missedCalls,
      media: this.#media,
      sounds: this.sounds,
      lamps,
    };
    this.#tone = present({ ...this.#heirs, ...shown });
    this.#desk.settle(now, (call) => isWaiting(this.#handset, call));
    this.#teller.expect(now);
    this.#outbox.journal(journalOf(this.#heirs));
  }
}
