import { cadence, steady, type Tone, type ToneStep } from './tone.ts';

const second = 1000;

/** What differs between countries; the rest follows from it. */
export interface NationalTones {
  readonly dial: Tone;
  readonly stutterDial?: Tone;
  /** What the ringback sounds like; its rhythm is that of the bell. */
  readonly ringback: readonly number[];
  /** Milliseconds of the bell, on and off by turns. */
  readonly bell: readonly number[];
  readonly busy: Tone;
  readonly congestion: Tone;
  readonly callWaiting: Tone;
}

/** ITU-T E.180: what a network should use that has no reason for anything else. */
export const recommendedTones: NationalTones = {
  dial: steady(425),
  ringback: [425],
  bell: [second, 4 * second],
  busy: cadence([425], 500, 500),
  congestion: cadence([425], 250, 250),
  callWaiting: cadence([425], 200, 600, 200, 10 * second),
};

const northAmerica: NationalTones = {
  dial: steady(350, 440),
  ringback: [440, 480],
  bell: [2 * second, 4 * second],
  busy: cadence([480, 620], 500, 500),
  congestion: cadence([480, 620], 250, 250),
  callWaiting: cadence([440], 300, 10 * second),
};

const britishBell = [400, 200, 400, 2 * second];

/** By ISO 3166 code, after ITU-T E.180 supplement 2, ETSI TR 101 041-2 and what is customary in switches of the country. */
export const nationalTones = new Map<string, NationalTones>([
  ['us', northAmerica],
  ['ca', northAmerica],
  [
    'gb',
    {
      dial: steady(350, 440),
      stutterDial: alternating([350, 440], [440], 750),
      ringback: [400, 450],
      bell: britishBell,
      busy: cadence([400], 375, 375),
      congestion: cadence([400], 400, 350, 225, 525),
      callWaiting: cadence([400], 100, 4 * second),
    },
  ],
  [
    'de',
    {
      ...recommendedTones,
      stutterDial: steady(425, 400),
      busy: cadence([425], 480, 480),
      congestion: cadence([425], 240, 240),
      callWaiting: cadence([425], 200, 200, 200, 5 * second),
    },
  ],
  [
    'at',
    {
      dial: steady(420),
      stutterDial: steady(380, 420),
      ringback: [420],
      bell: [second, 5 * second],
      busy: cadence([420], 400, 400),
      congestion: cadence([420], 200, 200),
      callWaiting: cadence([420], 40, 1960),
    },
  ],
  [
    'ch',
    {
      ...recommendedTones,
      stutterDial: cadence([425, 340], 1100, 1100),
      congestion: cadence([425], 200, 200),
      callWaiting: cadence([425], 200, 200, 200, 4 * second),
    },
  ],
  [
    'fr',
    {
      dial: steady(440),
      ringback: [440],
      bell: [1500, 3500],
      busy: cadence([440], 500, 500),
      congestion: cadence([440], 250, 250),
      callWaiting: cadence([440], 300, 10 * second),
    },
  ],
  ['nl', { ...recommendedTones, stutterDial: cadence([425], 500, 50), callWaiting: cadence([425], 500, 9500) }],
  [
    'it',
    {
      ...recommendedTones,
      dial: cadence([425], 200, 200, 600, second),
      stutterDial: alternating([470], [425], 400),
      congestion: cadence([425], 200, 200),
      callWaiting: cadence([425], 400, 100, 250, 100, 150, 14 * second),
    },
  ],
  [
    'es',
    {
      ...recommendedTones,
      bell: [1500, 3 * second],
      busy: cadence([425], 200, 200),
      congestion: cadence([425], 200, 200, 200, 200, 200, 600),
      callWaiting: cadence([425], 175, 175, 175, 3500),
    },
  ],
  [
    'au',
    {
      dial: steady(413, 438),
      stutterDial: cadence([413, 438], 100, 40),
      ringback: [413, 438],
      bell: britishBell,
      busy: cadence([425], 375, 375),
      congestion: cadence([425], 375, 375),
      callWaiting: cadence([425], 200, 200, 200, 4400),
    },
  ],
  [
    'be',
    {
      ...recommendedTones,
      stutterDial: cadence([425], 1000, 250),
      bell: [second, 3 * second],
      congestion: cadence([425], 167, 167),
      callWaiting: cadence([1400], 175, 175, 175, 3500),
    },
  ],
  ['dk', recommendedTones],
  ['no', { ...recommendedTones, congestion: cadence([425], 200, 200) }],
  [
    'se',
    {
      ...recommendedTones,
      bell: [second, 5 * second],
      busy: cadence([425], 250, 250),
      congestion: cadence([425], 250, 750),
      callWaiting: cadence([425], 200, 500, 200, 10 * second),
    },
  ],
  [
    'fi',
    {
      ...recommendedTones,
      busy: cadence([425], 300, 300),
      congestion: cadence([425], 200, 200),
      callWaiting: cadence([425], 150, 150, 150, 8 * second),
    },
  ],
  ['pl', { ...recommendedTones, congestion: cadence([425], 500, 500), callWaiting: cadence([425], 150, 150, 150, 4 * second) }],
  [
    'cz',
    {
      ...recommendedTones,
      dial: cadence([425], 330, 330, 660, 660),
      stutterDial: cadence([425], 450, 50),
      busy: cadence([425], 330, 330),
      congestion: cadence([425], 165, 165),
      callWaiting: cadence([425], 330, 9 * second),
    },
  ],
  [
    'pt',
    {
      ...recommendedTones,
      bell: [second, 5 * second],
      congestion: cadence([425], 200, 200),
      callWaiting: cadence([425], 200, 200, 200, 5 * second),
    },
  ],
  [
    'nz',
    {
      dial: steady(400),
      ringback: [400, 450],
      bell: britishBell,
      busy: cadence([400], 500, 500),
      congestion: cadence([400], 250, 250),
      callWaiting: cadence([400], 200, 3 * second),
    },
  ],
  [
    'jp',
    {
      dial: steady(400),
      ringback: [385, 415],
      bell: [second, 2 * second],
      busy: cadence([400], 500, 500),
      congestion: cadence([400], 500, 500),
      callWaiting: cadence([400], 500, 8 * second),
    },
  ],
  [
    'cn',
    {
      dial: steady(450),
      stutterDial: steady(450, 425),
      ringback: [450],
      bell: [second, 4 * second],
      busy: cadence([450], 350, 350),
      congestion: cadence([450], 700, 700),
      callWaiting: cadence([450], 400, 4 * second),
    },
  ],
  [
    'ar',
    {
      ...recommendedTones,
      stutterDial: cadence([425], 450, 50),
      bell: [second, 4500],
      busy: cadence([425], 300, 300),
      congestion: cadence([425], 200, 300),
      callWaiting: cadence([425], 200, 9 * second),
    },
  ],
  [
    'cl',
    {
      dial: steady(400),
      ringback: [400],
      bell: [second, 3 * second],
      busy: cadence([400], 500, 500),
      congestion: cadence([400], 200, 200),
      callWaiting: cadence([400], 250, 8750),
    },
  ],
]);

function alternating(first: readonly number[], second: readonly number[], ms: number): Tone {
  const steps: readonly ToneStep[] = [
    { frequencies: first, ms },
    { frequencies: second, ms },
  ];
  return { once: [], repeat: steps };
}
