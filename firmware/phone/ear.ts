import { UsageError } from '#firmware/core/errors.ts';

/** Where the person at the phone can listen and speak. */
export const earRoles = ['handset', 'speaker', 'headset'] as const;
export type EarRole = (typeof earRoles)[number];
/** Those that no hand holds. */
export type HandsFreeRole = Exclude<EarRole, 'handset'>;

/** Where the person listens and speaks now: at the handset, unless a key of the phone has taken the sound elsewhere. */
export class Ear {
  readonly #hasDevice: (role: EarRole) => boolean;
  #role: EarRole = 'handset';

  /** `hasDevice`: a sound device is set up in this role. */
  constructor(hasDevice: (role: EarRole) => boolean) {
    this.#hasDevice = hasDevice;
  }

  /** One whose device is set up no more gives way to the handset, and comes back with it. */
  get role(): EarRole {
    return this.has(this.#role) ? this.#role : 'handset';
  }

  /** All that could be used. */
  get roles(): readonly EarRole[] {
    return earRoles.filter((role) => this.has(role));
  }

  has(role: EarRole): boolean {
    return role === 'handset' || this.#hasDevice(role);
  }

  move(role: EarRole): void {
    this.#role = role;
  }

  /** Throws UsageError when there is no such device. */
  require(role: EarRole): void {
    if (!this.has(role)) throw new UsageError('no-sound-device', `no ${role} is set up: see audio.${role}.driver among the settings`);
  }
}

/** What mutes the microphones of a phone, by role. */
interface Microphones {
  mute(device: string, muted: boolean): void;
}

/** The person is heard nowhere, or wherever the sound goes. */
export function muteEar(microphones: Microphones, ear: Ear, muted: boolean): void {
  for (const role of ear.roles) microphones.mute(role, muted);
}
