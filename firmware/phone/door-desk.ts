import type { ToneName } from '#firmware/contract/media.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Board } from './board.ts';
import type { Call } from './call.ts';
import type { CallNews } from './call-plan.ts';
import { Door, type DoorPorts } from './door.ts';
import type { DoorSettings } from './phone-settings.ts';

export interface DoorDeskPorts extends Omit<DoorPorts, 'pulseRelay'> {
  readonly board: Board;
}

/** All doors by name. */
export class DoorDesk {
  readonly #ports: DoorPorts;
  readonly #doors = new Map<string, Door>();

  constructor(ports: DoorDeskPorts, settings: readonly DoorSettings[]) {
    const { board } = ports;
    this.#ports = { ...ports, pulseRelay: (now, relay, durationMs, door) => board.pulseRelay(now, relay, durationMs, door) };
    for (const one of settings) this.#doors.set(one.name, new Door(one, this.#ports));
  }

  change(now: Milliseconds, settings: readonly DoorSettings[]): void {
    for (const [name, door] of this.#doors) {
      if (settings.some((one) => one.name === name)) continue;
      door.dispose(now);
      this.#doors.delete(name);
    }
    for (const one of settings) {
      const known = this.#doors.get(one.name);
      if (known) known.change(one);
      else this.#doors.set(one.name, new Door(one, this.#ports));
    }
  }

  /** An input of the board became active. */
  input(now: Milliseconds, name: string): void {
    for (const door of this.#doors.values()) if (door.settings.input === name) door.ring(now);
  }

  /** False when there is no such door any more. */
  adopt(now: Milliseconds, name: string, call: Call): boolean {
    const door = this.#doors.get(name);
    door?.adopt(now, call);
    return door !== undefined;
  }

  take(now: Milliseconds, name: string, news: CallNews): void {
    this.#doors.get(name)?.take(now, news);
  }

  relayDone(now: Milliseconds, name: string, problem: string | undefined): void {
    this.#doors.get(name)?.relayDone(now, problem);
  }

  /** What a visitor hears on that device besides people. */
  toneOn(device: string): ToneName | null {
    for (const door of this.#doors.values()) if (door.settings.device === device && door.tone) return door.tone;
    return null;
  }

  describe(): object {
    return [...this.#doors.values()].map((door) => door.describe());
  }
}
