import type { EventOf, ResultOf } from '#firmware/contract/contract.ts';
import type { mediaContract } from '#firmware/contract/media.ts';
import type { PhoneStatus } from '#firmware/contract/phone.ts';

type Health = ResultOf<typeof mediaContract, 'configure'>['devices'][string];

/** The sound devices by role, as media has told of them last: whether they work, and which one helps out for another. */
export class SoundRoles {
  readonly #healths = new Map<string, Health>();

  /** Media has the role; whether its device works is another question. */
  has(role: string): boolean {
    return this.#healths.has(role);
  }

  /** What media says of all it has. */
  configured(devices: Readonly<Record<string, Health>>): void {
    this.#healths.clear();
    for (const [role, health] of Object.entries(devices)) this.#healths.set(role, health);
  }

  changed({ device, ...health }: EventOf<typeof mediaContract, 'deviceChanged'>): void {
    if (this.#healths.has(device)) this.#healths.set(device, health);
  }

  /** `volumes` by role. */
  status(volumes: Readonly<Record<string, number>>): PhoneStatus['sound']['devices'] {
    return [...this.#healths].map(([role, { ok, reason = null, standIn = null }]) => ({
      role,
      ok,
      reason,
      standIn,
      volume: volumes[role] ?? 0,
    }));
  }
}
