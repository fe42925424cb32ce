import type { ToneName } from '#firmware/contract/media.ts';
import type { DoorLogEntry } from '#firmware/contract/phone.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { StateTable } from '#firmware/core/state-table.ts';
import type { Call } from './call.ts';
import type { CallDesk } from './call-desk.ts';
import type { CallNews } from './call-plan.ts';
import { DoorCode } from './door-code.ts';
import { type Alarms, Machine } from './machine.ts';
import type { MediaDesk } from './media-desk.ts';
import type { Outbox } from './outbox.ts';
import type { DoorSettings } from './phone-settings.ts';
import type { DigitWay } from './press-filter.ts';

type State = 'idle' | 'calling' | 'talking' | 'unanswered';
type Input = 'rung' | 'adopted' | 'accepted' | 'allGone' | 'nobody';
type Action = 'callAll' | 'chooseOne' | 'endAll';
type Timer = 'ring' | 'talk' | 'tone';

/** One visitor: everyone on the list is called at once, the first who accepts gets the visitor, the others are let go. */
export const doorTable: StateTable<State, Input | `timer ${Timer}`, Action, Timer> = {
  /** A process that died may leave a visitor who talks. */
  idle: { timers: [], on: { rung: { to: 'calling', do: ['callAll'] }, adopted: { to: 'talking', do: [] } } },
  calling: {
    timers: ['ring'],
    on: {
      accepted: { to: 'talking', do: ['chooseOne'] },
      nobody: { to: 'unanswered', do: [] },
      allGone: { to: 'unanswered', do: [] },
      'timer ring': { to: 'unanswered', do: ['endAll'] },
    },
  },
  talking: {
    timers: ['talk'],
    on: { allGone: { to: 'idle', do: [] }, 'timer talk': { to: 'idle', do: ['endAll'] } },
  },
  /** The visitor hears that nobody comes. */
  unanswered: {
    timers: ['tone'],
    on: { rung: { to: 'calling', do: ['callAll'] }, 'timer tone': { to: 'idle', do: [] } },
  },
};

export interface DoorPorts {
  readonly desk: CallDesk;
  readonly media: MediaDesk;
  readonly alarms: Alarms;
  readonly outbox: Outbox;
  /** Closes the relay; `relayDone` of the door of that name follows. */
  pulseRelay(now: Milliseconds, relay: string, durationMs: number, door: string): void;
}

const unansweredToneMs = 4_000;
const confirmationMs = 1_000;

/** A door station: a button that calls people, and a code of theirs that opens. */
export class Door {
  readonly #ports: DoorPorts;
  readonly #machine: Machine<State, Input, Action, Timer>;
  readonly #codes = new Map<string, DoorCode>();
  #settings: DoorSettings;
  #calls: Call[] = [];
  /** Who entered the code that is being carried out. */
  #releasing: { readonly by: string; readonly via: DigitWay; readonly call: string }[] = [];

  constructor(settings: DoorSettings, ports: DoorPorts) {
    this.#settings = settings;
    this.#ports = ports;
    this.#machine = new Machine<State, Input, Action, Timer>(doorTable, 'idle', ports.alarms, {
      delayOf: (timer) => {
        if (timer === 'tone') return unansweredToneMs;
        return timer === 'ring' ? this.#settings.ringMs : this.#settings.maximumCallMs;
      },
      actions: {
        callAll: (now) => this.#callAll(now),
        chooseOne: (now) => this.#chooseOne(now),
        endAll: (now) => this.#endAll(now),
      },
    });
  }

  get settings(): DoorSettings {
    return this.#settings;
  }

  /** Holds from the next visitor on. */
  change(settings: DoorSettings): void {
    this.#settings = settings;
  }

  /** What the visitor hears on the door's device besides people. */
  get tone(): ToneName | null {
    if (this.#machine.state === 'calling') return 'ringback';
    return this.#machine.state === 'unanswered' ? 'congestion' : null;
  }

  /** Somebody pressed the button; while people are being called or talk, pressing again changes nothing. */
  ring(now: Milliseconds): void {
    if (this.#machine.takes('rung')) this.#log('rung', `input ${this.#settings.input}`, '', this.#settings.people.join(', '));
    this.#machine.input(now, 'rung');
  }

  /** Goes on with an accepted call of a process that died. */
  adopt(now: Milliseconds, call: Call): void {
    this.#calls.push(call);
    call.connect(this.#settings.device);
    this.#machine.input(now, 'adopted');
  }

  take(now: Milliseconds, news: CallNews): void {
    if (news.kind === 'digit') this.#digit(now, news);
    else if (news.kind === 'accepted') this.#machine.input(now, 'accepted');
    else if (news.kind === 'ended') {
      this.#calls = this.#calls.filter((call) => call.alive);
      this.#codes.delete(news.call);
      if (this.#calls.length === 0) this.#machine.input(now, 'allGone');
    }
  }

  /** The relay was closed, or could not be. */
  relayDone(now: Milliseconds, problem: string | undefined): void {
    const release = this.#releasing.shift();
    if (!release) return;
    if (problem === undefined) this.#log('released', release.by, release.via, `relay ${this.#settings.relay}`);
    else this.#log('refused', release.by, release.via, problem);
    if (problem === undefined) this.#confirm(now, release.call);
  }

  /** The door is taken away. */
  dispose(now: Milliseconds): void {
    this.#endAll(now);
    this.#machine.dispose();
  }

  describe(): object {
    return { door: this.#settings.name, state: this.#machine.state, calls: this.#calls.length };
  }

  #callAll(now: Milliseconds): void {
    const { name, people, ringMs } = this.#settings;
    for (const person of people) {
      try {
        this.#calls.push(this.#ports.desk.place(now, { owner: { kind: 'door', name }, dialString: person, ringMs }));
      } catch (thrown) {
        if (!(thrown instanceof UsageError)) throw thrown;
        // One wrong address must not keep the others from being called.
        this.#ports.outbox.fact('door.personNotCalled', { door: name, person, reason: thrown.message });
      }
    }
    if (this.#calls.length === 0) this.#machine.input(now, 'nobody');
  }

  #chooseOne(now: Milliseconds): void {
    const [winner, ...late] = this.#calls.filter((call) => call.talking);
    if (!winner) return;
    const others = [...late, ...this.#calls.filter((call) => !call.talking)];
    this.#calls = [winner];
    winner.connect(this.#settings.device);
    for (const call of others) call.hangUp(now, 'acceptedElsewhere');
  }

  #endAll(now: Milliseconds): void {
    for (const call of this.#calls.splice(0)) call.hangUp(now);
  }

  #digit(now: Milliseconds, news: CallNews & { kind: 'digit' }): void {
    const call = this.#calls.find(({ plan }) => plan.id === news.call);
    if (!call?.talking) return;
    const { code, mayRelease, relay, pulseMs, name } = this.#settings;
    const entry = this.#codes.get(news.call) ?? new DoorCode(code);
    this.#codes.set(news.call, entry);
    const verdict = entry.press(now, news.digit);
    if (verdict === 'open') return;
    const by = call.remote.uri;
    if (verdict === 'wrong') this.#log('refused', by, news.way, 'wrong code');
    else if (mayRelease.length > 0 && !mayRelease.includes(call.plan.dialString)) this.#log('refused', by, news.way, 'not allowed to open');
    else {
      this.#releasing.push({ by, via: news.way, call: news.call });
      this.#ports.pulseRelay(now, relay, pulseMs, name);
    }
  }

  /** Whoever opened the door hears that it worked. */
  #confirm(now: Milliseconds, call: string): void {
    const { media, alarms } = this.#ports;
    media.toneToLeg(call, 'confirmation');
    alarms.set({ fire: () => media.toneToLeg(call, null) }, now + confirmationMs);
  }

  #log(event: DoorLogEntry['event'], by: string, via: string, detail: string): void {
    const { outbox } = this.#ports;
    const { name } = this.#settings;
    outbox.record({ kind: 'door', entry: { at: outbox.wallTime(), door: name, event, by, via, detail } });
    outbox.fact(`door.${event}`, { door: name, by, via, detail });
  }
}
