import type { ArgsOf, CommandName } from '#firmware/contract/contract.ts';
import type { halContract } from '#firmware/contract/hal.ts';
import type { Journal } from '#firmware/contract/journal.ts';
import type { mediaContract } from '#firmware/contract/media.ts';
import type { CallLogEntry, DoorLogEntry, Fact, PhoneStatus, TextEntry } from '#firmware/contract/phone.ts';
import type { Clock, Milliseconds } from '#firmware/core/clock.ts';
import type { CoreEvent, Transmit } from '#firmware/sip/transport/sip-core.ts';
import type { DigitHabits } from './digit-sender.ts';

type CommandsOf<C extends typeof halContract | typeof mediaContract> = {
  [N in CommandName<C>]: { readonly name: N; readonly args: ArgsOf<C, N> };
}[CommandName<C>];

/** One command of the hal contract. */
export type HalCommand = CommandsOf<typeof halContract>;
/** One command of the media contract. */
export type MediaCommand = CommandsOf<typeof mediaContract>;

/** How a command ended, as its driver tells. */
export type Reply = { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly reason: string };

/** What an alert has come to; kept on disk so that a restart goes on where it was. */
export interface AlertRecord {
  readonly alert: string;
  readonly state: AlertState;
  /** Wall time of the trigger. */
  readonly startedAt: number;
  /** From 1 on. */
  readonly round: number;
  /** Place in the list of people, from 0 on. */
  readonly person: number;
  /** Calls made so far. */
  readonly attempts: number;
  readonly acknowledgedBy: string | null;
}

/** How one far end takes and sends digits, as it was found out; kept on disk for the next call. */
export interface PeerDigits extends DigitHabits {
  /** Its address. */
  readonly peer: string;
}

export type AlertState = 'idle' | 'queued' | 'calling' | 'pausing' | 'acknowledged' | 'exhausted';

/** Something to keep on disk. */
export type PhoneRecord =
  | { readonly kind: 'call'; readonly entry: Omit<CallLogEntry, 'id'> }
  | { readonly kind: 'door'; readonly entry: Omit<DoorLogEntry, 'id'> }
  | { readonly kind: 'alert'; readonly entry: AlertRecord }
  | { readonly kind: 'missedCalls'; readonly count: number }
  | { readonly kind: 'unreadTexts'; readonly count: number }
  /** A text message, or what has become of one that went out. */
  | { readonly kind: 'text'; readonly entry: TextEntry }
  | { readonly kind: 'digits'; readonly entry: PeerDigits };

/** What the phone wants of its driver beside SIP on the wire. */
export type PhoneEvent =
  | { readonly type: 'hal'; readonly id: number; readonly command: HalCommand }
  | { readonly type: 'media'; readonly id: number; readonly command: MediaCommand }
  | { readonly type: 'record'; readonly record: PhoneRecord }
  /** A person changed a setting at the phone itself; it has taken effect. */
  | { readonly type: 'setting'; readonly key: string; readonly text: string }
  /** What a successor needs to go on with the calls, should this process die. */
  | { readonly type: 'journal'; readonly journal: Journal }
  | { readonly type: 'fact'; readonly fact: Fact }
  /** The settings are to be taken up anew, or the process to begin anew. */
  | { readonly type: 'maintain'; readonly work: 'reload' | 'restart' }
  | { readonly type: 'status'; readonly status: PhoneStatus };

export type PhoneOutput = Transmit | CoreEvent<PhoneEvent>;

export type FactFields = Fact['fields'];

/** Collects what the driver is to do until it drains. */
export class Outbox {
  readonly #clock: Pick<Clock, 'wallTime'>;
  #outputs: PhoneOutput[] = [];
  #lastCommand = 0;
  #lastFact = 0;
  #journal = '';

  constructor(clock: Pick<Clock, 'wallTime'>) {
    this.#clock = clock;
  }

  /** For records that people read. */
  wallTime(): number {
    return this.#clock.wallTime();
  }

  /** The wall time of an instant that was or will be. */
  wallTimeAt(now: Milliseconds, instant: Milliseconds): number {
    return Math.round(this.#clock.wallTime() - (now - instant));
  }

  transmit(output: Transmit): void {
    this.#outputs.push(output);
  }

  /** Returns the id that the reply will carry. */
  hal(command: HalCommand): number {
    const id = ++this.#lastCommand;
    this.#event({ type: 'hal', id, command });
    return id;
  }

  /** Returns the id that the reply will carry. */
  media(command: MediaCommand): number {
    const id = ++this.#lastCommand;
    this.#event({ type: 'media', id, command });
    return id;
  }

  record(record: PhoneRecord): void {
    this.#event({ type: 'record', record });
  }

  setting(key: string, text: string): void {
    this.#event({ type: 'setting', key, text });
  }

  /** Only what changed is told. */
  journal(journal: Journal): void {
    const text = JSON.stringify(journal);
    if (text === this.#journal) return;
    this.#journal = text;
    this.#event({ type: 'journal', journal });
  }

  fact(kind: string, fields: FactFields): void {
    this.#event({ type: 'fact', fact: { sequence: ++this.#lastFact, at: this.#clock.wallTime(), kind, fields } });
  }

  maintain(work: 'reload' | 'restart'): void {
    this.#event({ type: 'maintain', work });
  }

  status(status: PhoneStatus): void {
    this.#event({ type: 'status', status });
  }

  drain(): PhoneOutput[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  #event(event: PhoneEvent): void {
    this.#outputs.push({ kind: 'event', event });
  }
}
