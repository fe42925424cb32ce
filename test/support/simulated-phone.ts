import { changeSettings } from '#firmware/config/changes.ts';
import { Settings } from '#firmware/config/settings.ts';
import type { BoardProfile } from '#firmware/contract/hal.ts';
import type { Journal } from '#firmware/contract/journal.ts';
import type { Digit } from '#firmware/contract/media.ts';
import type { CallLogEntry, CallStatus, DoorLogEntry, Fact, PhoneStatus, TextEntry } from '#firmware/contract/phone.ts';
import { type Logger, silentLogger } from '#firmware/core/logger.ts';
import type { AlertRecord, PeerDigits, PhoneEvent } from '#firmware/phone/outbox.ts';
import { Phone } from '#firmware/phone/phone.ts';
import type { PhoneMemory } from '#firmware/phone/phone-ports.ts';
import { type PhoneSettings, phoneSettingsOf } from '#firmware/phone/phone-settings.ts';
import { xmlReader } from '#firmware/platform/xml-reader.ts';
import type { Flow } from '#firmware/sip/transport/flow.ts';
import type { Destination, SipCore, Transmit } from '#firmware/sip/transport/sip-core.ts';
import type { UserAgentSettings } from '#firmware/sip/user-agent-settings.ts';
import { seededEntropy } from './seeded-entropy.ts';
import { SimulatedBoard, virtualProfile } from './simulated-board.ts';
import { type RtpSwitch, SimulatedMedia } from './simulated-media.ts';
import type { SimulatedHost, SimulatedNetwork } from './simulated-network.ts';

export interface SimulatedPhoneOptions {
  readonly address: string;
  /** Settings that differ from the defaults, by key. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly board?: BoardProfile;
  readonly acceptDirectCalls?: boolean;
  readonly acceptWatchers?: boolean;
  readonly userAgentSettings?: Partial<UserAgentSettings>;
  readonly logger?: Logger;
}

/** Wall time of a phone whose monotonic clock shows 0. */
const wallTimeZero = Date.UTC(2030, 0, 1);

/**
 * A whole phone in virtual time: the phone core with its user agent on a host of the simulated network, the real media engine, a board
 * whose hook, keys and inputs a test moves. Drives all three as the daemons would.
 */
export class SimulatedPhone implements SipCore<never> {
  readonly #options: SimulatedPhoneOptions;
  readonly #network: SimulatedNetwork;
  readonly host: SimulatedHost;
  readonly media: SimulatedMedia;
  readonly board = new SimulatedBoard();
  readonly facts: Fact[] = [];
  readonly callLog: Omit<CallLogEntry, 'id'>[] = [];
  readonly doorLog: Omit<DoorLogEntry, 'id'>[] = [];
  /** Alerts as they are on disk, with every state they were in. */
  readonly alertsOnDisk = new Map<string, AlertRecord>();
  readonly alertHistory: AlertRecord[] = [];
  readonly settingsOnDisk = new Map<string, string>();
  /** How far ends take digits. */
  readonly digitsOnDisk = new Map<string, PeerDigits>();
  readonly statuses: PhoneStatus[] = [];
  missedOnDisk = 0;
  readonly textsOnDisk = new Map<string, TextEntry>();
  unreadTextsOnDisk = 0;
  /** What the phone has asked of its process. */
  readonly maintained: string[] = [];
  /** What the phone has left for a successor, as it lies in its file. */
  journal: Journal | undefined;
  /** The phone process is dead; media and hal run. */
  #dead = false;
  #diedAt = 0;
  /** Commands that media has not answered yet, for a test to answer. */
  readonly #waiting: number[] = [];
  #settings: Settings;
  #phone: Phone;
  #transmits: Transmit[] = [];

  constructor(network: SimulatedNetwork, rtp: RtpSwitch, options: SimulatedPhoneOptions) {
    this.#network = network;
    this.#options = options;
    this.#settings = new Settings();
    if (options.settings) this.#settings = changeSettings(this.#settings, { set: options.settings }, 'phone').next;
    this.host = network.host(options.address);
    this.media = new SimulatedMedia(rtp, options.address);
    this.#phone = this.#newPhone({ alerts: [], missedCalls: 0 });
    this.host.attach(this, () => undefined);
  }

  get phone(): Phone {
    return this.#phone;
  }

  get settings(): PhoneSettings {
    return phoneSettingsOf(this.#settings, this.#options.board ?? virtualProfile);
  }

  // ── a phone's life ──

  /** All daemons come up. */
  start(): this {
    this.connectHal();
    this.connectMedia();
    this.do((phone, now) => phone.start(now));
    return this;
  }

  connectHal(): void {
    this.board.up = true;
    this.do((phone, now) => phone.halConnected(now));
  }

  connectMedia(): void {
    this.media.up = true;
    this.do((phone, now) => phone.mediaConnected(now));
  }

  crashHal(): void {
    this.board.crash();
    this.do((phone, now) => phone.halLost(now));
  }

  crashMedia(): void {
    this.media.crash();
    this.do((phone, now) => phone.mediaLost(now));
  }

  /** The link to media breaks, but media runs on. */
  loseMediaLink(): void {
    this.media.up = false;
    this.do((phone, now) => phone.mediaLost(now));
  }

  /** The power fails and comes back: what is on disk is all that is left. */
  powerCut(): void {
    this.media.crash();
    this.board.crash();
    this.#transmits = [];
    this.#phone = this.#newPhone({
      alerts: [...this.alertsOnDisk.values()],
      missedCalls: this.missedOnDisk,
      digits: [...this.digitsOnDisk.values()],
      texts: [...this.textsOnDisk.values()],
      unreadTexts: this.unreadTextsOnDisk,
    });
    this.start();
  }

  /** The phone process is killed; the board makes its outputs safe, media goes on. */
  crashPhone(): void {
    this.#dead = true;
    this.#diedAt = this.#network.now;
    this.#transmits = [];
    this.board.up = false;
    this.board.leds.clear();
    this.media.up = false;
    this.media.tones.delete('handset');
    this.media.tones.delete('ringer');
  }

  /** A new phone process, which finds what the old one has left. */
  restartPhone(): void {
    const { now } = this.#network;
    const left = this.journal && (JSON.parse(JSON.stringify(this.journal)) as Journal);
    this.#phone = this.#newPhone({
      alerts: [...this.alertsOnDisk.values()],
      missedCalls: this.missedOnDisk,
      digits: [...this.digitsOnDisk.values()],
      texts: [...this.textsOnDisk.values()],
      unreadTexts: this.unreadTextsOnDisk,
    });
    this.#dead = false;
    this.do((phone) => phone.start(now, left && { journal: left, clockShift: 0, awayMs: now - this.#diedAt }));
    this.connectHal();
    this.connectMedia();
  }

  changeSettings(set: Readonly<Record<string, string>>, unset: readonly string[] = []): void {
    this.#settings = changeSettings(this.#settings, { set, unset }, 'phone').next;
    this.do((phone, now) => phone.changeSettings(now, this.settings));
  }

  // ── a person at the phone ──

  lift(): void {
    this.#moveHook('offHook');
  }

  hangUp(): void {
    this.#moveHook('onHook');
  }

  flash(): void {
    this.do((phone, now) => phone.halEvent(now, { name: 'hook', fields: { position: 'flash', at: now } }));
  }

  /** Presses keys one after the other, each character one, 100 ms apart. */
  press(keys: string): void {
    for (const key of keys) {
      this.pressKey(key);
      this.#network.run(100);
    }
  }

  pressKey(key: string): void {
    for (const pressed of [true, false]) this.do((phone, now) => phone.halEvent(now, { name: 'key', fields: { key, pressed, at: now } }));
  }

  input(name: string, active: boolean): void {
    this.board.inputs.set(name, active);
    this.do((phone, now) => phone.halEvent(now, { name: 'input', fields: { name, active, at: now } }));
  }

  /** Presses a button and lets go. */
  pushButton(name: string): void {
    this.input(name, true);
    this.#network.run(200);
    this.input(name, false);
  }

  digit(digit: Digit): void {
    this.do((phone, now) => phone.digit(now, digit));
  }

  /** A command, as CLI and page give it. */
  do<T>(input: (phone: Phone, now: number) => T): T {
    try {
      return input(this.#phone, this.#network.now);
    } finally {
      this.host.settle();
    }
  }

  // ── what there is to see and hear ──

  get status(): PhoneStatus {
    return this.#phone.status(this.#network.now);
  }

  get calls(): readonly CallStatus[] {
    return this.status.calls;
  }

  /** The states of all calls, in the order they began. */
  get callStates(): readonly string[] {
    return this.calls.map(({ state }) => state);
  }

  /** What the handset gives. */
  get ear(): string | undefined {
    return this.media.tones.get('handset');
  }

  get bell(): string | undefined {
    return this.media.tones.get('ringer');
  }

  led(name: string): string | undefined {
    return this.board.leds.get(name);
  }

  factsOf(kind: string): readonly Fact['fields'][] {
    return this.facts.filter((fact) => fact.kind === kind).map(({ fields }) => fields);
  }

  // ── the driver of the core ──

  receive(now: number, flow: Flow, bytes: Uint8Array): void {
    if (this.#dead) return;
    this.#phone.receive(now, flow, bytes);
  }

  transportFailed(now: number, destination: Destination, reason: string): void {
    this.#phone.transportFailed(now, destination, reason);
  }

  handleTimeout(now: number): void {
    const frame = this.media.deadline;
    if (frame !== undefined && frame <= now) this.media.frame(now, this.#dead ? undefined : this.#phone);
    if (this.#dead) return;
    const { deadline } = this.#phone;
    if (deadline !== undefined && deadline <= now) this.#phone.handleTimeout(now);
  }

  get deadline(): number | undefined {
    const deadlines = [this.#dead ? undefined : this.#phone.deadline, this.media.deadline].filter((one) => one !== undefined);
    return deadlines.length > 0 ? Math.min(...deadlines) : undefined;
  }

  drain(): Transmit[] {
    for (let outputs = this.#phone.drain(); outputs.length > 0; outputs = this.#phone.drain()) {
      for (const output of outputs) {
        if (output.kind === 'transmit') this.#transmits.push(output);
        else this.#act(output.event);
      }
    }
    const transmits = this.#transmits;
    this.#transmits = [];
    return transmits;
  }

  #act(event: PhoneEvent): void {
    const { now } = this.#network;
    switch (event.type) {
      case 'hal':
        if (this.board.up) this.#phone.halReply(now, event.id, this.board.command(now, event.command));
        return;
      case 'media': {
        const reply = this.media.up ? this.media.command(now, event.command) : undefined;
        if (reply) this.#phone.mediaReply(now, event.id, reply);
        else this.#waiting.push(event.id);
        return;
      }
      case 'journal':
        this.journal = event.journal;
        return;
      case 'fact':
        this.facts.push(event.fact);
        return;
      case 'setting':
        this.settingsOnDisk.set(event.key, event.text);
        return;
      case 'maintain':
        this.maintained.push(event.work);
        return;
      case 'status':
        this.statuses.push(event.status);
        return;
      case 'record':
        this.#keep(event.record);
        return;
      default:
        event satisfies never;
    }
  }

  #keep(record: Extract<PhoneEvent, { type: 'record' }>['record']): void {
    if (record.kind === 'call') this.callLog.push(record.entry);
    else if (record.kind === 'door') this.doorLog.push(record.entry);
    else if (record.kind === 'missedCalls') this.missedOnDisk = record.count;
    else if (record.kind === 'unreadTexts') this.unreadTextsOnDisk = record.count;
    else if (record.kind === 'text') this.textsOnDisk.set(record.entry.id, record.entry);
    else if (record.kind === 'digits') this.digitsOnDisk.set(record.entry.peer, record.entry);
    else {
      this.alertsOnDisk.set(record.entry.alert, record.entry);
      this.alertHistory.push(record.entry);
    }
  }

  #moveHook(position: 'onHook' | 'offHook'): void {
    this.board.hook = position;
    if (this.board.up) this.do((phone, now) => phone.halEvent(now, { name: 'hook', fields: { position, at: now } }));
  }

  #newPhone(memory: PhoneMemory): Phone {
    const network = this.#network;
    const { acceptDirectCalls = false, acceptWatchers = false, logger = silentLogger } = this.#options;
    const seed = [...this.#options.address].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) >>> 0, Math.round(network.now));
    return new Phone(
      {
        clock: { wallTime: () => wallTimeZero + network.now + network.wallShift },
        entropy: seededEntropy(seed),
        logger,
        addresses: this.host,
        version: '0.0.0-test',
        readXml: xmlReader(),
        userAgentSettings: { acceptDirectCalls, acceptWatchers, ...this.#options.userAgentSettings },
      },
      this.settings,
      memory,
    );
  }
}
