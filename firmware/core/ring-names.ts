/** How the bell can sound: `ring` as in the country of the phone, the others the same everywhere. Known to settings, phone and media. */
export const ringNames = ['ring', 'classic', 'chime', 'westminster', 'ode', 'elise', 'cuckoo', 'alarm'] as const;
export type RingName = (typeof ringNames)[number];
