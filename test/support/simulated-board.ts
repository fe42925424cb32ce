import type { BoardProfile, BoardState } from '#firmware/contract/hal.ts';
import type { HalCommand, Reply } from '#firmware/phone/outbox.ts';
import virtual from '#hal/boards/virtual.json' with { type: 'json' };

/** The virtual board that comes with the firmware, as hal would read it. */
export const virtualProfile: BoardProfile = {
  ...virtual,
  description: '',
  gpio: 'auto',
  sound: 'none',
  hook: { driver: 'virtual', debounceMs: 0 },
  keypad: { driver: 'virtual' },
  leds: Object.fromEntries(Object.keys(virtual.leds).map((name) => [name, { driver: 'virtual', debounceMs: 0 }])),
  relays: { door: { line: { driver: 'virtual', debounceMs: 0 }, maximumMs: 10_000 } },
  inputs: Object.fromEntries(Object.keys(virtual.inputs).map((name) => [name, { driver: 'virtual', debounceMs: 0 }])),
};

/** The hal daemon of one simulated phone: elements as the profile names them, outputs dark and open until told otherwise. */
export class SimulatedBoard {
  #profile: BoardProfile | undefined;
  hook: 'onHook' | 'offHook' = 'onHook';
  leds = new Map<string, string>();
  readonly inputs = new Map<string, boolean>();
  /** Every pulse that was carried out. */
  readonly pulses: { readonly at: number; readonly relay: string; readonly durationMs: number }[] = [];
  /** Relays that do not work, with the reason. */
  readonly broken = new Map<string, string>();
  up = false;

  command(now: number, command: HalCommand): Reply {
    switch (command.name) {
      case 'configure':
        this.#profile = command.args.profile;
        this.leds = new Map(Object.keys(command.args.profile.leds).map((name) => [name, 'off']));
        return { ok: true, result: this.state() };
      case 'setLed':
        if (!this.leds.has(command.args.led)) return { ok: false, reason: `there is no led ${command.args.led}` };
        this.leds.set(command.args.led, command.args.pattern);
        return { ok: true, result: {} };
      case 'pulseRelay':
        return this.#pulse(now, command.args.relay, command.args.durationMs);
      case 'actuate':
        if (command.args.element === 'hook' && command.args.position !== 'flash') this.hook = command.args.position;
        return { ok: true, result: {} };
      case 'releaseRelay':
      case 'learn':
      case 'describe':
        return { ok: true, result: {} };
      default:
        return command satisfies never;
    }
  }

  state(): BoardState {
    return {
      profile: this.#profile?.name ?? null,
      hook: this.#profile?.hook ? this.hook : null,
      leds: {},
      relays: {},
      inputs: Object.fromEntries(Object.keys(this.#profile?.inputs ?? {}).map((name) => [name, this.inputs.get(name) ?? false])),
      keysDown: [],
      gpio: null,
      faults: [],
    };
  }

  /** The process is killed: outputs are safe, and a virtual handset lies on its hook. */
  crash(): void {
    this.up = false;
    this.leds.clear();
    if (this.#profile?.hook?.driver === 'virtual') this.hook = 'onHook';
  }

  #pulse(now: number, relay: string, wishedMs: number): Reply {
    const reason = this.broken.get(relay);
    const known = this.#profile?.relays[relay];
    if (reason !== undefined || !known) return { ok: false, reason: reason ?? `there is no relay ${relay}` };
    const durationMs = Math.min(wishedMs, known.maximumMs);
    this.pulses.push({ at: now, relay, durationMs });
    return { ok: true, result: { durationMs } };
  }
}
