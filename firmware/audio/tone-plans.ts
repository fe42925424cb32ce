import { cadence, steady, type Tone, type ToneStep } from './tone.ts';

/** What a telephone plays by itself. */
export type ToneName = 'dial' | 'stutterDial' | 'ringback' | 'busy' | 'congestion' | 'callWaiting' | 'confirmation' | 'ring';

/** The tones of a country by name. */
export type TonePlan = Readonly<Record<ToneName, Tone>>;

const second = 1000;

/** What differs between countries; the rest follows from it. */
interface National {
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
const recommended: National = {
  dial: steady(425),
  ringback: [425],
  bell: [second, 4 * second],
  busy: cadence([425], 500, 500),
  congestion: cadence([425], 250, 250),
  callWaiting: cadence([425], 200, 600, 200, 10 * second),
};

const northAmerica: National = {
  dial: steady(350, 440),
  ringback: [440, 480],
  bell: [2 * second, 4 * second],
  busy: cadence([480, 620], 500, 500),
  congestion: cadence([480, 620], 250, 250),
  callWaiting: cadence([440], 300, 10 * second),
};

const britishBell = [400, 200, 400, 2 * second];

/** By ISO 3166 code, after ITU-T E.180 supplement 2 and the national specifications. */
const national = new Map<string, National>([
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
      ...recommended,
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
      ...recommended,
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
  ['nl', { ...recommended, stutterDial: cadence([425], 500, 50), callWaiting: cadence([425], 500, 9500) }],
  [
    'it',
    {
      ...recommended,
      dial: cadence([425], 200, 200, 600, second),
      stutterDial: alternating([470], [425], 400),
      congestion: cadence([425], 200, 200),
      callWaiting: cadence([425], 400, 100, 250, 100, 150, 14 * second),
    },
  ],
  [
    'es',
    {
      ...recommended,
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
]);

/** The plan of a country by its ISO 3166 code in lower case; for one that is not known what ITU-T E.180 recommends. */
export function tonePlanOf(country: string): TonePlan {
  const { dial, stutterDial, ringback, bell, busy, congestion, callWaiting } = national.get(country) ?? recommended;
  const bursts = shortBursts(dial.repeat[0]?.frequencies ?? []);
  return {
    dial,
    stutterDial: stutterDial ?? { once: [...bursts, ...bursts], repeat: dial.repeat },
    ringback: cadence(ringback, ...bell),
    busy,
    congestion,
    callWaiting,
    confirmation: { once: bursts, repeat: [] },
    ring: { once: [], repeat: bell.flatMap((ms, index) => (index % 2 === 0 ? trill(ms) : [{ frequencies: [], ms }])) },
  };
}

/** Rows and columns of the keypad (ITU-T Q.23). */
const keypadRows = ['123A', '456B', '789C', '*0#D'];
const rowFrequencies = [697, 770, 852, 941];
const columnFrequencies = [1209, 1336, 1477, 1633];

/** The two frequencies of a key for `ms`; silence for what is no key. */
export function keyTone(key: string, ms: number): Tone {
  const row = keypadRows.findIndex((keys) => key.length === 1 && keys.includes(key));
  const low = rowFrequencies[row];
  const high = columnFrequencies[keypadRows[row]?.indexOf(key) ?? -1];
  return { once: [{ frequencies: low !== undefined && high !== undefined ? [low, high] : [], ms }], repeat: [] };
}

function alternating(first: readonly number[], second: readonly number[], ms: number): Tone {
  const steps: readonly ToneStep[] = [
    { frequencies: first, ms },
    { frequencies: second, ms },
  ];
  return { once: [], repeat: steps };
}

function shortBursts(frequencies: readonly number[]): ToneStep[] {
  return [1, 2, 3].flatMap(() => [
    { frequencies, ms: 100 },
    { frequencies: [], ms: 100 },
  ]);
}

/** The warble of an electronic bell. */
function trill(ms: number): ToneStep[] {
  const turns = Math.max(1, Math.round(ms / 50));
  return Array.from({ length: turns }, (_, index) => ({ frequencies: index % 2 === 0 ? [1000] : [1300], ms: ms / turns }));
}
