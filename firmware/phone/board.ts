import type { EventName, EventOf } from '#firmware/contract/contract.ts';
import type { BoardProfile, BoardState, HookPosition, halContract, LedPattern } from '#firmware/contract/hal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Counters, LimitedLog } from '#firmware/core/counters.ts';
import type { HalCommand, Outbox, Reply } from './outbox.ts';

type Hal = typeof halContract;
/** One event of the hal contract with its name. */
export type HalContractEvent = { [N in EventName<Hal>]: { readonly name: N; readonly fields: EventOf<Hal, N> } }[EventName<Hal>];

/** What the rest of the phone has to know of the board. */
export type BoardNews =
  | { readonly kind: 'hook'; readonly position: HookPosition | 'flash' }
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'input'; readonly name: string; readonly active: boolean }
  /** A relay was closed, or could not be. `purpose` is what `pulseRelay` was given. */
  | { readonly kind: 'relay'; readonly purpose: string; readonly relay: string; readonly problem: string | undefined };

type Pending =
  | { readonly kind: 'configure' }
  | { readonly kind: 'relay'; readonly relay: string; readonly purpose: string }
  | { readonly kind: 'led'; readonly led: string }
  | { readonly kind: 'hook' };

/**
 * The hal daemon as the phone sees it: which profile it is to have, what the LEDs should show, where hook and inputs stand. A daemon that
 * comes back gets all of it again, and an edge that happened meanwhile is made up for.
 */
export class Board {
  readonly #outbox: Outbox;
  readonly #log: LimitedLog;
  readonly #counters: Counters;
  #profile: BoardProfile;
  #link: 'down' | 'asking' | 'up' = 'down';
  #state: BoardState | undefined;
  #hook: HookPosition | null;
  readonly #inputs = new Map<string, boolean>();
  readonly #leds = new Map<string, LedPattern>();
  readonly #pending = new Map<number, Pending>();
  #news: BoardNews[] = [];

  constructor(outbox: Outbox, log: LimitedLog, counters: Counters, profile: BoardProfile) {
    this.#outbox = outbox;
    this.#log = log;
    this.#counters = counters;
    this.#profile = profile;
    this.#hook = profile.hook ? 'onHook' : null;
  }

  get up(): boolean {
    return this.#link === 'up';
  }

  /** `null` = the board has no hook switch. The last position known while hal is away. */
  get hook(): HookPosition | null {
    return this.#hook;
  }

  /** As hal told it last; `undefined` while hal is away. */
  get state(): BoardState | undefined {
    return this.#state;
  }

  takeNews(): BoardNews[] {
    const news = this.#news;
    this.#news = [];
    return news;
  }

  /** A process that died left the handset off the hook: one that lies there now was put down meanwhile. */
  expectLifted(): void {
    this.#hook = 'offHook';
  }

  connected(): void {
    this.#link = 'asking';
    this.#send({ name: 'configure', args: { profile: this.#profile } }, { kind: 'configure' });
  }

  lost(now: Milliseconds): void {
    this.#link = 'down';
    this.#state = undefined;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const one of pending) if (one.kind === 'relay') this.#failed(now, one, 'hal went away');
  }

  /** Another profile is opened anew, with its outputs in their safe state. */
  changeProfile(profile: BoardProfile): void {
    if (JSON.stringify(profile) === JSON.stringify(this.#profile)) return;
    this.#profile = profile;
    this.#inputs.clear();
    if (!profile.hook) this.#hook = null;
    else this.#hook ??= 'onHook';
    if (this.#link !== 'down') this.connected();
  }

  reply(now: Milliseconds, id: number, reply: Reply): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    if (!reply.ok) this.#failed(now, pending, reply.reason);
    else if (pending.kind === 'configure') this.#configured(now, reply.result as BoardState);
    else if (pending.kind === 'relay') {
      this.#outbox.fact('relay', { relay: pending.relay, closed: true, purpose: pending.purpose });
      this.#news.push({ kind: 'relay', purpose: pending.purpose, relay: pending.relay, problem: undefined });
    }
  }

  event(event: HalContractEvent): void {
    switch (event.name) {
      case 'hook':
        if (event.fields.position !== 'flash') this.#hook = event.fields.position;
        this.#outbox.fact('hook', { position: event.fields.position });
        this.#news.push({ kind: 'hook', position: event.fields.position });
        return;
      case 'key':
        this.#outbox.fact('key', { pressed: event.fields.pressed });
        if (event.fields.pressed) this.#news.push({ kind: 'key', key: event.fields.key });
        return;
      case 'input':
        this.#takeInput(event.fields.name, event.fields.active);
        return;
      case 'board':
        this.#state = event.fields;
        return;
      default:
        event satisfies never;
    }
  }

  /** Sets an LED if the board has one of that name. */
  showLed(led: string, pattern: LedPattern): void {
    if ((this.#leds.get(led) ?? 'off') === pattern) return;
    this.#leds.set(led, pattern);
    if (this.up) this.#tellLed(led, pattern);
  }

  /** News `relay` with this purpose follows. */
  pulseRelay(now: Milliseconds, relay: string, durationMs: number, purpose: string): void {
    const pending: Pending = { kind: 'relay', relay, purpose };
    if (this.up) this.#send({ name: 'pulseRelay', args: { relay, durationMs } }, pending);
    else this.#failed(now, pending, 'hal is away');
  }

  describe(): object {
    return { link: this.#link, hook: this.#hook, leds: Object.fromEntries(this.#leds), pending: this.#pending.size };
  }

  #configured(now: Milliseconds, state: BoardState): void {
    this.#link = 'up';
    this.#state = state;
    for (const { element, reason } of state.faults) this.#log.warn(now, 'board-element-failed', { element, reason });
    for (const [led, pattern] of this.#leds) if (pattern !== 'off') this.#tellLed(led, pattern);
    for (const [name, active] of Object.entries(state.inputs)) {
      // Where an input stands at the first look is no edge: nobody rang while nothing listened.
      if (this.#inputs.has(name)) this.#takeInput(name, active);
      else this.#inputs.set(name, active);
    }
    this.#takeHook(state.hook);
  }

  /** A USB handset has a hook switch of its own, which the profile does not name; `null` = there is none. */
  #takeHook(position: HookPosition | null): void {
    const before = this.#hook ?? 'onHook';
    if (position === 'onHook' && before === 'offHook' && this.#profile.hook?.driver === 'virtual') {
      // A virtual handset lies where it was put last; a hal that has started anew does not know.
      this.#send({ name: 'actuate', args: { element: 'hook', position: before } }, { kind: 'hook' });
      return;
    }
    this.#hook = position;
    if (position !== null && position !== before) this.#news.push({ kind: 'hook', position });
  }

  #takeInput(name: string, active: boolean): void {
    if (this.#inputs.get(name) === active) return;
    this.#inputs.set(name, active);
    this.#outbox.fact('input', { name, active });
    this.#news.push({ kind: 'input', name, active });
  }

  #tellLed(led: string, pattern: LedPattern): void {
    if (Object.hasOwn(this.#profile.leds, led)) this.#send({ name: 'setLed', args: { led, pattern } }, { kind: 'led', led });
  }

  #failed(now: Milliseconds, pending: Pending, reason: string): void {
    this.#counters.add(`hal-${pending.kind}-failed`);
    this.#log.warn(now, 'hal-command-failed', { command: pending.kind, reason });
    if (pending.kind === 'relay') this.#news.push({ kind: 'relay', purpose: pending.purpose, relay: pending.relay, problem: reason });
  }

  #send(command: HalCommand, pending: Pending): void {
    this.#pending.set(this.#outbox.hal(command), pending);
  }
}
