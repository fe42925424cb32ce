import type { RingName } from '../core/ring-names.ts';
import { melodyOf } from './melodies.ts';
import { nationalTones, recommendedTones } from './national-tones.ts';
import { cadence, type Tone, type ToneStep } from './tone.ts';

/** What a telephone plays by itself. */
export type ToneName = 'dial' | 'stutterDial' | 'ringback' | 'busy' | 'congestion' | 'callWaiting' | 'confirmation' | 'howler' | RingName;

/** The tones of a country by name. */
export type TonePlan = Readonly<Record<ToneName, Tone>>;

/** Loud and hard on the ear, for a handset that lies beside its phone: that of North America, for want of an international one. */
const howler = cadence([1400, 2060, 2450, 2600], 100, 100);

const melodies = {
  classic: melodyOf('classic'),
  chime: melodyOf('chime'),
  westminster: melodyOf('westminster'),
  ode: melodyOf('ode'),
  elise: melodyOf('elise'),
  cuckoo: melodyOf('cuckoo'),
  alarm: melodyOf('alarm'),
};

/** The plan of a country by its ISO 3166 code in lower case; for one that is not known what ITU-T E.180 recommends. */
export function tonePlanOf(country: string): TonePlan {
  const { dial, stutterDial, ringback, bell, busy, congestion, callWaiting } = nationalTones.get(country) ?? recommendedTones;
  const bursts = shortBursts(dial.repeat[0]?.frequencies ?? []);
  return {
    dial,
    stutterDial: stutterDial ?? { once: [...bursts, ...bursts], repeat: dial.repeat },
    ringback: cadence(ringback, ...bell),
    busy,
    congestion,
    callWaiting,
    howler,
    confirmation: { once: bursts, repeat: [] },
    ring: { once: [], repeat: bell.flatMap((ms, index) => (index % 2 === 0 ? trill(ms) : [{ frequencies: [], ms }])) },
    ...melodies,
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
