import type { HookPosition } from '#firmware/contract/hal.ts';
import type { HandsetRecord } from '#firmware/contract/journal.ts';
import type { Digit } from '#firmware/contract/media.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { Call } from './call.ts';
import type { CallDesk } from './call-desk.ts';
import type { CallHeader, CallNews } from './call-plan.ts';
import { Conference } from './conference.ts';
import { ConferenceFarewell, type FarewellPorts } from './conference-farewell.ts';
import { type Dialed, Dialing } from './dialing.ts';
import { Ear, type EarRole, type HandsFreeRole } from './ear.ts';
import { toneAfter } from './failure.ts';
import { handsetDelay } from './handset-delays.ts';
import { type HandsetAction, type HandsetInput, type HandsetState, type HandsetTimer, handsetTable } from './handset-table.ts';
import { Machine } from './machine.ts';
import type { PhoneSettings } from './phone-settings.ts';

export interface HandsetPorts extends FarewellPorts {
  readonly desk: CallDesk;
  settings(): PhoneSettings;
  /** `null` = the board has no hook switch. */
  hook(): HookPosition | null;
  /** Speaks to the group that has what was dialled for its code; false when none has. */
  page(now: Milliseconds, code: string): boolean;
  /** A sound device is set up in this role. */
  hasDevice(role: EarRole): boolean;
}

/** A person talks in one call, or with a conference, and may keep another. */
const conversationsAtMost = 2;

/**
 * The person at the phone: hook, keys, and the one call of theirs that has the handset (the focus). Other calls of theirs wait or are
 * held. Commands of the page and the CLI act on the same person; with the handset on the hook, or with no hook at all, hands-free.
 */
export class Handset {
  readonly #ports: HandsetPorts;
  readonly #machine: Machine<HandsetState, HandsetInput, HandsetAction, HandsetTimer>;
  /** How the person takes part: not at all, by the lifted handset, by commands alone. */
  #grip: 'none' | 'lifted' | 'handsFree' = 'none';
  #focus: Call | undefined;
  /** Held for another call, so they ring back when the person hangs up. A call put on hold by name stays quiet. */
  readonly #putAside = new Set<Call>();
  readonly #conference = new Conference();
  /** Far ends of a conference whose person has hung up, on their way to each other. */
  readonly farewell: ConferenceFarewell;
  /** Where the person listens and speaks. */
  readonly ear: Ear;
  /** Calls that come in to take the place of another (RFC 3891), with that one. */
  readonly #successors = new Map<Call, Call>();
  readonly dialing: Dialing;

  constructor(ports: HandsetPorts, last: Dialed | undefined) {
    this.#ports = ports;
    this.farewell = new ConferenceFarewell(ports);
    this.ear = new Ear((role) => ports.hasDevice(role));
    this.dialing = new Dialing(last);
    this.#machine = new Machine<HandsetState, HandsetInput, HandsetAction, HandsetTimer>(handsetTable, 'idle', ports.alarms, {
      delayOf: (timer) => handsetDelay(timer, ports.settings(), this.#grip === 'handsFree'),
      actions: {
        dial: (now) => this.#dial(now),
        loseDialTone: () => this.dialing.refuse('nothing was dialled'),
        toneOver: (now) => {
          if (this.#grip === 'handsFree') this.#release(now);
        },
      },
    });
  }

  get state(): HandsetState {
    return this.#machine.state;
  }

  get focus(): Call | undefined {
    return this.#focus;
  }

  /** The person's calls that are not over, in the order they began. */
  get calls(): readonly Call[] {
    return this.#ports.desk.all.filter((call) => call.plan.owner.kind === 'handset' && call.alive);
  }

  /** Rings, or is about to; the oldest first. */
  get knocking(): Call | undefined {
    return this.calls.find((call) => call.knocking);
  }

  /** A call that was put aside for another and calls the person back. */
  get recalling(): boolean {
    return this.state === 'idle' && [...this.#putAside].some((call) => call.alive);
  }

  /** What a call that comes in now finds. */
  get room(): 'free' | 'waiting' | 'full' {
    const { callWaiting } = this.#ports.settings().calls;
    if (this.state === 'idle' && this.calls.length === 0) return 'free';
    return callWaiting && this.#conversations < conversationsAtMost ? 'waiting' : 'full';
  }

  get conference(): readonly Call[] {
    return this.#conference.calls;
  }

  hook(now: Milliseconds, position: HookPosition | 'flash'): void {
    if (position === 'offHook') this.#lift(now);
    else if (position === 'flash') this.#flash(now);
    // Who has gone on without the handset lays it down and talks on.
    else if (this.#grip !== 'handsFree' || this.ear.role === 'handset') this.#release(now);
  }

  /**
   * The key of the loudspeaker or of the headset: takes the sound there, from the handset or the other of the two, and back where the handset
   * is lifted; else it begins and ends what lifting and hanging up do. Throws UsageError when there is no such device.
   */
  handsFree(now: Milliseconds, role: HandsFreeRole): void {
    this.ear.require(role);
    const begins = this.#grip === 'none';
    const isThere = !begins && this.ear.role === role;
    const lifted = this.#ports.hook() === 'offHook';
    if (isThere && !lifted) {
      this.#release(now);
      return;
    }
    this.#grip = isThere ? 'lifted' : 'handsFree';
    this.ear.move(isThere ? 'handset' : role);
    if (begins) this.#begin(now);
  }

  /** A digit of the keypad. Throws UsageError when there is nothing it could be for. */
  digit(now: Milliseconds, digit: Digit): void {
    const { state } = this;
    if (state === 'engaged') this.#pressInCall(now, digit);
    else if (state === 'failed' || state === 'howling' || state === 'silent') throw new UsageError('hang-up-first', 'hang up first');
    else if (digit === 'flash') this.#flash(now);
    else if (state === 'idle' && this.#ports.hook() !== null) throw new UsageError('on-hook', 'lift the handset first');
    else this.#collect(now, digit);
  }

  // ── what a person wants by name ──

  call(now: Milliseconds, dialString: string, line?: string, headers?: readonly CallHeader[]): Call {
    const { focus } = this;
    if (focus && !focus.onHold) throw new UsageError('busy', 'a call is going on: hold it or hang up first');
    const call = this.#place(now, dialString, line, headers);
    this.dialing.last = { dialString: call.plan.dialString, line: call.plan.line?.name };
    this.#switchTo(now, call);
    return call;
  }

  redial(now: Milliseconds): Call {
    const { last } = this.dialing;
    if (!last) throw new UsageError('nothing-to-redial', 'nothing has been dialled yet');
    return this.call(now, last.dialString, last.line);
  }

  accept(now: Milliseconds, id?: string): void {
    const call = id === undefined ? this.calls.find(({ state }) => state === 'ringing') : this.#named(id);
    if (!call) throw new UsageError('no-call', 'no call is ringing');
    if (call.state !== 'ringing') throw new UsageError('wrong-state', `the call is not ringing, it is ${call.stateFor(false)}`);
    this.#switchTo(now, call);
  }

  /** Ends the call of that name, else the focus, else declines what rings, else gives up what is held. */
  hangUp(now: Milliseconds, id?: string): void {
    const call = id === undefined ? (this.#focus ?? this.knocking ?? this.#otherHeld()) : this.#ports.desk.get(id);
    if (call?.alive && id !== undefined && this.#conference.has(call)) {
      this.#takeOut(call);
      call.hangUp(now);
    } else if (call?.alive) {
      const party = call === this.#focus ? this.#party : [];
      if (party.length > 0) this.#leaveFocus();
      for (const one of party.length > 0 ? party : this.#conference.around(call)) one.hangUp(now);
      if (party.length > 0) this.#done(now);
    } else if (id !== undefined) throw new UsageError('unknown-call', `there is no call ${id.slice(0, 40)}`);
    else if (this.#grip === 'handsFree' || this.#machine.takes('done')) this.#done(now);
    else throw new UsageError('no-call', 'there is no call');
  }

  hold(now: Milliseconds, id?: string): void {
    const call = id === undefined ? this.#focus : this.#named(id);
    if (!call) throw new UsageError('no-call', 'there is no call to hold');
    if (call.onHold) throw new UsageError('wrong-state', 'the call is on hold already');
    if (!call.talking) throw new UsageError('wrong-state', `only an accepted call can be held, this one is ${call.stateFor(false)}`);
    if (id !== undefined) this.#takeOut(call);
    for (const one of this.#conference.around(call)) one.setHold(now, true);
  }

  /** Brings all accepted calls together, or the one of that name to those that talk. */
  unite(now: Milliseconds, id?: string): void {
    const { focus } = this;
    const chosen = id === undefined ? this.calls.filter(({ talking }) => talking) : [...this.#party, this.#named(id)];
    this.#conference.unite(chosen, this.#ports.settings().mixing.conferenceLegs);
    const speaker = focus && this.#conference.has(focus) ? focus : this.#conference.calls[0];
    if (speaker) this.#switchTo(now, speaker);
  }

  /** Takes a held call back, or changes to the other one. */
  resume(now: Milliseconds, id?: string): void {
    const call = id === undefined ? (this.#otherHeld() ?? (this.#focus?.onHold ? this.#focus : undefined)) : this.#named(id);
    if (!call?.onHold) throw new UsageError(call ? 'wrong-state' : 'no-call', call ? 'the call is not on hold' : 'no call is on hold');
    this.#switchTo(now, call);
  }

  /** The person speaks to others than the far end of a call, until they hang up or go on to a call. */
  occupy(now: Milliseconds): void {
    if (this.#focus) throw new UsageError('busy', 'a call is going on: hold it or hang up first');
    if (this.#grip === 'none') this.#grip = 'handsFree';
    this.dialing.clear();
    this.#machine.input(now, 'engage');
  }

  /** They are done with it. */
  vacate(now: Milliseconds): void {
    if (this.state === 'engaged' && !this.#focus) this.#done(now);
  }

  /** The far end of the focus wants us to call somebody else: puts it aside for a call to them. */
  callOnBehalf(now: Milliseconds, dialString: string, line: string | undefined, headers: readonly CallHeader[]): Call {
    const call = this.#place(now, dialString, line, headers);
    this.#switchTo(now, call);
    return call;
  }

  /** Back to a call that was put aside, if the person has not gone on to something else. */
  goBackTo(now: Milliseconds, call: Call): void {
    if (this.#grip !== 'none' && !this.#focus && call.talking) this.#switchTo(now, call);
  }

  /** `successor` takes the place of `call` as soon as it can be accepted. */
  expectSuccessor(call: Call, successor: Call): void {
    this.#successors.set(successor, call);
  }

  /** What one of their calls has to say. */
  take(now: Milliseconds, news: CallNews): void {
    if (news.kind === 'ringing') this.#succeed(now, news.call);
    if (news.kind !== 'ended') return;
    for (const calls of [this.#successors, this.#putAside]) for (const call of [...calls.keys()]) if (!call.alive) calls.delete(call);
    const { focus } = this;
    const other = this.#conference.forget();
    if (!focus || focus.plan.id !== news.call) return;
    if (other) {
      this.#focus = other;
      return;
    }
    this.dialing.failure = { tone: toneAfter(focus.times.ending), reason: focus.times.ending?.reason ?? '' };
    this.#leaveFocus();
    this.#machine.input(now, 'lost');
  }

  /** For a successor of this process. */
  record(): HandsetRecord {
    const named = (calls: Iterable<Call>) => [...calls].map(({ plan }) => plan.id);
    const [putAside, conference] = [named(this.#putAside), named(this.conference)];
    return { grip: this.#grip, ear: this.ear.role, focus: this.#focus?.plan.id ?? null, putAside, conference };
  }

  /** The person is where they were when a process died. */
  adopt(now: Milliseconds, { grip, ear = 'handset', focus, putAside, conference }: HandsetRecord): void {
    const { desk } = this.#ports;
    for (const id of putAside) {
      const call = desk.get(id);
      if (call) this.#putAside.add(call);
    }
    this.#conference.adopt(conference.flatMap((id) => desk.get(id) ?? []));
    this.#focus = focus === null ? undefined : desk.get(focus);
    this.ear.move(ear);
    this.listen();
    if (this.#focus || grip === 'lifted') this.#grip = grip;
    if (this.#focus) this.#machine.input(now, 'engage');
    else if (grip === 'lifted') this.#machine.input(now, 'lift');
  }

  /** The person hears who talks with them, wherever they listen: follows far ends of a conference that hold it, and come back. */
  listen(): void {
    this.#conference.listen(this.#party, this.ear.role);
  }

  describe(): object {
    return { state: this.state, ...this.record() };
  }

  get #party(): readonly Call[] {
    return this.#focus ? this.#conference.around(this.#focus) : [];
  }

  get #conversations(): number {
    return this.#conference.conversations(this.calls);
  }

  #place(now: Milliseconds, dialString: string, line: string | undefined, headers?: readonly CallHeader[]): Call {
    if (this.#conversations >= conversationsAtMost) throw new UsageError('too-many-calls', 'there are two calls already');
    const ringMs = this.#ports.settings().calls.noAnswerMs;
    return this.#ports.desk.place(now, { owner: { kind: 'handset' }, dialString, line, headers, ringMs });
  }

  /** Accepts a call that replaces another, which ends; the person stays where they were: talking, or with a call on hold. */
  #succeed(now: Milliseconds, id: string): void {
    const [successor, call] = [...this.#successors].find(([one]) => one.plan.id === id) ?? [];
    if (!successor || !call) return;
    this.#successors.delete(successor);
    if (!call.alive) return;
    this.#conference.replace(call, successor);
    if (call === this.#focus) {
      call.connect(null);
      this.#focus = successor;
      successor.connect(this.ear.role);
      successor.accept(now);
      successor.setHold(now, call.onHold);
    } else {
      successor.accept(now);
      successor.setHold(now, true);
      if (this.#putAside.delete(call)) this.#putAside.add(successor);
    }
    // Others that it rings at learn why it stops to.
    call.hangUp(now, call.talking ? undefined : 'acceptedElsewhere');
  }

  #lift(now: Milliseconds): void {
    this.#grip = 'lifted';
    this.ear.move('handset');
    if (this.state === 'idle') this.#begin(now);
  }

  /** The call that rings or was put aside, else a dial tone. */
  #begin(now: Milliseconds): void {
    const call = this.calls.find(({ state }) => state === 'ringing') ?? this.#otherHeld();
    if (call) this.#switchTo(now, call);
    else this.#machine.input(now, 'lift');
  }

  #release(now: Milliseconds): void {
    const party = this.#party;
    const goOn = this.#ports.settings().mixing.conferenceEnd === 'connect' && this.farewell.connect(now, party);
    this.#leaveFocus();
    if (goOn) for (const call of party) this.#conference.leave(call);
    this.#grip = 'none';
    this.ear.move('handset');
    this.dialing.clear();
    this.#machine.input(now, 'release');
    if (!goOn) for (const call of party) if (!call.onHold) call.hangUp(now);
  }

  /** The others of the conference talk on. */
  #takeOut(call: Call): void {
    const other = this.#conference.leave(call);
    if (!other) return;
    call.connect(null);
    if (call === this.#focus) this.#focus = other;
  }

  /** Like a person who hung up and lifted again at once, or who is hands-free and done. */
  #done(now: Milliseconds): void {
    this.dialing.clear();
    if (this.#grip === 'handsFree') this.#release(now);
    else this.#machine.input(now, 'done');
  }

  /** The flash key or a short press on the hook: to the waiting or the held call, else holds and gives a dial tone for another. */
  #flash(now: Milliseconds): void {
    const other = this.calls.find(({ state }) => state === 'ringing') ?? this.#otherHeld();
    const { focus } = this;
    if (this.state === 'idle') return;
    const { flashUnites, conferenceLegs } = this.#ports.settings().mixing;
    const canUnite = flashUnites && focus?.talking && other?.onHold && this.calls.filter(({ talking }) => talking).length <= conferenceLegs;
    if (canUnite) this.unite(now);
    else if (other) this.#switchTo(now, other);
    else if (focus?.onHold) this.#switchTo(now, focus);
    else if (focus?.talking) {
      this.#putAsideFocus(now);
      this.#machine.input(now, 'lift');
    }
  }

  #switchTo(now: Milliseconds, call: Call): void {
    const { focus } = this;
    const together = this.#conference.around(call);
    if (focus && !together.includes(focus)) {
      if (focus.talking) this.#putAsideFocus(now);
      else {
        this.#leaveFocus();
        focus.hangUp(now);
      }
    }
    if (this.#grip === 'none') {
      this.#grip = 'handsFree';
      // Nobody hears a handset that lies on its hook.
      if (this.#ports.hook() === 'onHook' && this.ear.has('speaker')) this.ear.move('speaker');
    }
    this.#focus = call;
    this.dialing.clear();
    this.#machine.input(now, 'engage');
    this.#conference.listen(together, this.ear.role);
    for (const one of together) {
      this.#putAside.delete(one);
      if (one.state === 'ringing') one.accept(now);
      else one.setHold(now, false);
    }
  }

  #putAsideFocus(now: Milliseconds): void {
    for (const call of this.#party) {
      call.setHold(now, true);
      this.#putAside.add(call);
    }
    this.#leaveFocus();
  }

  #leaveFocus(): void {
    for (const call of this.#party) call.connect(null);
    this.#focus = undefined;
  }

  #otherHeld(): Call | undefined {
    const party = this.#party;
    return this.calls.filter((call) => call.onHold && !party.includes(call)).at(-1);
  }

  #pressInCall(now: Milliseconds, digit: Digit): void {
    if (!this.#focus?.talking) throw new UsageError('wrong-state', 'nobody has accepted the call yet');
    if (!this.#conference.press(now, this.#party, digit))
      throw new UsageError('too-many-digits', 'too many digits wait for an answer of the far end');
  }

  #collect(now: Milliseconds, digit: Digit): void {
    if (this.#grip === 'none') this.#grip = 'handsFree';
    if (this.state === 'collecting') this.#machine.restart(now, 'interDigit');
    else this.#machine.input(now, 'digit');
    if (this.dialing.add(digit, this.#ports.settings().dialing.plan)) this.#dial(now);
  }

  #dial(now: Milliseconds): void {
    const dialed = this.dialing.digits;
    try {
      if (!this.#ports.page(now, dialed)) this.call(now, dialed);
    } catch (thrown) {
      if (!(thrown instanceof UsageError)) throw thrown;
      this.dialing.refuse(thrown.message);
      this.#machine.input(now, 'refused');
    }
  }

  #named(id: string): Call {
    const call = this.calls.find(({ plan }) => plan.id === id);
    if (!call) throw new UsageError('unknown-call', `there is no call ${id.slice(0, 40)} at the handset`);
    return call;
  }
}
