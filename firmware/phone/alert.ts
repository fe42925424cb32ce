import type { Milliseconds } from '#firmware/core/clock.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { StateTable } from '#firmware/core/state-table.ts';
import type { Call } from './call.ts';
import type { CallDesk } from './call-desk.ts';
import type { CallNews } from './call-plan.ts';
import { type Alarms, Machine } from './machine.ts';
import type { MediaDesk } from './media-desk.ts';
import type { AlertRecord, AlertState, Outbox } from './outbox.ts';
import type { AlertSettings } from './phone-settings.ts';

type State = 'idle' | 'queued' | 'calling' | 'listening' | 'choosing' | 'pausing' | 'thanking' | 'acknowledged' | 'exhausted';
type Input = 'trigger' | 'turn' | 'adopted' | 'accepted' | 'gone' | 'acknowledge' | 'next' | 'roundOver' | 'giveUp';
type Action = 'begin' | 'callPerson' | 'play' | 'endCall' | 'choose' | 'nextRound' | 'thank' | 'keep';
type Timer = 'listen' | 'pause' | 'thanks';

/**
 * One alert: people are called one after the other until somebody presses the digit. To accept is not enough, for answering machines
 * accept too. After the last person comes a pause, then the next round.
 */
export const alertTable: StateTable<State, Input | `timer ${Timer}`, Action, Timer> = {
  idle: { timers: [], on: { trigger: { to: 'queued', do: ['begin'] } } },
  /** Somebody may be listening to a process that died: then the message begins anew. */
  queued: { timers: [], on: { turn: { to: 'calling', do: ['callPerson'] }, adopted: { to: 'listening', do: ['play'] } } },
  calling: {
    timers: [],
    on: { accepted: { to: 'listening', do: ['play'] }, gone: { to: 'choosing', do: ['choose'] } },
  },
  listening: {
    timers: ['listen'],
    on: {
      acknowledge: { to: 'thanking', do: ['thank'] },
      gone: { to: 'choosing', do: ['choose'] },
      'timer listen': { to: 'choosing', do: ['endCall', 'choose'] },
    },
  },
  choosing: {
    timers: [],
    on: {
      next: { to: 'calling', do: ['callPerson'] },
      roundOver: { to: 'pausing', do: ['keep'] },
      giveUp: { to: 'exhausted', do: ['keep'] },
    },
  },
  pausing: { timers: ['pause'], on: { 'timer pause': { to: 'queued', do: ['nextRound'] } } },
  thanking: {
    timers: ['thanks'],
    on: { gone: { to: 'acknowledged', do: [] }, 'timer thanks': { to: 'acknowledged', do: ['endCall'] } },
  },
  acknowledged: { timers: [], on: { trigger: { to: 'queued', do: ['begin'] } } },
  exhausted: { timers: [], on: { trigger: { to: 'queued', do: ['begin'] } } },
};

export interface AlertPorts {
  readonly desk: CallDesk;
  readonly media: MediaDesk;
  readonly alarms: Alarms;
  readonly outbox: Outbox;
}

/** The confirmation somebody hears before the call ends. */
const thanksMs = 1_500;
/** Between two plays of the message. */
const messageGapMs = 1_000;

/** What an alert does and how far it has come. Its record goes to disk whenever that changes. */
export class Alert {
  readonly #ports: AlertPorts;
  readonly #machine: Machine<State, Input, Action, Timer>;
  #settings: AlertSettings;
  #record: AlertRecord;
  #call: Call | undefined;

  /** A record of an alert that was not over is taken up: whoever was being called is called again. */
  constructor(settings: AlertSettings, ports: AlertPorts, record?: AlertRecord) {
    const empty: AlertRecord = {
      alert: settings.name,
      state: 'idle',
      startedAt: 0,
      round: 1,
      person: 0,
      attempts: 0,
      acknowledgedBy: null,
    };
    this.#settings = settings;
    this.#ports = ports;
    this.#record = record ?? empty;
    this.#machine = new Machine<State, Input, Action, Timer>(alertTable, stateAfterRestart(this.#record.state), ports.alarms, {
      delayOf: (timer) => {
        if (timer === 'thanks') return thanksMs;
        return timer === 'listen' ? this.#settings.listenMs : this.#settings.pauseMs;
      },
      actions: {
        begin: () => this.#keep({ ...empty, startedAt: ports.outbox.wallTime() }),
        callPerson: (now) => this.#callPerson(now),
        play: () => this.#play(),
        endCall: (now) => this.#endCall(now),
        choose: (now) => this.#choose(now),
        nextRound: () => this.#keep({ round: this.#record.round + 1, person: 0 }),
        thank: () => this.#thank(),
        keep: () => this.#keep({}),
      },
    });
  }

  get settings(): AlertSettings {
    return this.#settings;
  }

  get state(): AlertState {
    const { state } = this.#machine;
    if (state === 'listening' || state === 'choosing') return 'calling';
    return state === 'thanking' ? 'acknowledged' : state;
  }

  /** Has the one call that alerts may make at a time. */
  get calling(): boolean {
    return this.#call !== undefined || this.state === 'calling';
  }

  get record(): AlertRecord {
    return this.#record;
  }

  /** Who is being called. */
  get person(): string | undefined {
    return this.calling ? this.#settings.people[this.#record.person] : undefined;
  }

  /** Holds from the next call on. */
  change(settings: AlertSettings): void {
    this.#settings = settings;
  }

  /** Starts it; an alert that runs goes on as it is. */
  trigger(now: Milliseconds): void {
    if (!this.#machine.input(now, 'trigger')) this.#ports.outbox.fact('alert.repeated', { alert: this.#settings.name, state: this.state });
  }

  /** The line is free of other alerts. */
  giveTurn(now: Milliseconds): void {
    this.#machine.input(now, 'turn');
  }

  /** Goes on with an accepted call of a process that died; false when it was over for this alert. */
  adopt(now: Milliseconds, call: Call): boolean {
    if (!this.#machine.takes('adopted')) return false;
    this.#call = call;
    this.#machine.input(now, 'adopted');
    return true;
  }

  take(now: Milliseconds, news: CallNews): void {
    if (!this.#call || news.call !== this.#call.plan.id) return;
    if (news.kind === 'accepted') this.#machine.input(now, 'accepted');
    else if (news.kind === 'digit' && news.digit === this.#settings.acknowledgeDigit) this.#machine.input(now, 'acknowledge');
    else if (news.kind === 'ended') {
      this.#call = undefined;
      this.#machine.input(now, 'gone');
    }
  }

  /** The message cannot be played: a bell is better than silence. */
  playbackFailed(): void {
    if (this.#call) this.#ports.media.toneToLeg(this.#call.plan.id, 'ring');
  }

  /** The alert is taken away. */
  dispose(now: Milliseconds): void {
    this.#endCall(now);
    this.#machine.dispose();
    this.#ports.outbox.record({ kind: 'alert', entry: { ...this.#record, state: 'idle' } });
  }

  describe(): object {
    return { ...this.#record, machine: this.#machine.state };
  }

  #callPerson(now: Milliseconds): void {
    const { name, people, ringMs } = this.#settings;
    const person = people[this.#record.person];
    this.#keep({ attempts: this.#record.attempts + 1 });
    try {
      if (person === undefined) throw new UsageError('nobody', 'there is nobody to call');
      this.#call = this.#ports.desk.place(now, { owner: { kind: 'alert', name }, dialString: person, ringMs });
    } catch (thrown) {
      if (!(thrown instanceof UsageError)) throw thrown;
      // The next person may be called all the same.
      this.#ports.outbox.fact('alert.personNotCalled', { alert: name, person: person ?? null, reason: thrown.message });
      this.#machine.input(now, 'gone');
    }
  }

  #play(): void {
    if (!this.#call) return;
    if (this.#settings.file === '') this.playbackFailed();
    else this.#ports.media.playToLeg(this.#call.plan.id, this.#settings.file, messageGapMs);
  }

  #choose(now: Milliseconds): void {
    const { people, rounds } = this.#settings;
    if (this.#record.person + 1 < people.length) {
      this.#record = { ...this.#record, person: this.#record.person + 1 };
      this.#machine.input(now, 'next');
    } else this.#machine.input(now, this.#record.round < rounds ? 'roundOver' : 'giveUp');
  }

  #thank(): void {
    this.#keep({ acknowledgedBy: this.#settings.people[this.#record.person] ?? null });
    if (!this.#call) return;
    this.#ports.media.stopPlayback(this.#call.plan.id);
    this.#ports.media.toneToLeg(this.#call.plan.id, 'confirmation');
  }

  #endCall(now: Milliseconds): void {
    const call = this.#call;
    this.#call = undefined;
    call?.hangUp(now);
  }

  #keep(change: Partial<AlertRecord>): void {
    this.#record = { ...this.#record, ...change, state: this.state };
    const { outbox } = this.#ports;
    const { alert, state, round, attempts, acknowledgedBy } = this.#record;
    outbox.record({ kind: 'alert', entry: this.#record });
    outbox.fact('alert.state', { alert, state, round, attempts, person: this.person ?? null, acknowledgedBy });
  }
}

function stateAfterRestart(state: AlertState): State {
  return state === 'calling' || state === 'pausing' ? 'queued' : state;
}
