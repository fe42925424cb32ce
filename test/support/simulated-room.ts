import { seededRandom } from './seeded-entropy.ts';

/** What lies between a loudspeaker and the microphone beside it. */
export interface RoomShape {
  readonly seed: number;
  /** Until the direct sound arrives: cards, buffers and air, ms. */
  readonly delayMs: number;
  /** Time in which the room's reverberation falls by 60 dB, ms. */
  readonly reverberationMs: number;
  /** The echo beside what was played, dB. */
  readonly coupling: number;
  /** The microphone's clock is faster by this, parts per million. */
  readonly drift?: number;
}

/** Noise that dies away exponentially, behind a direct sound: close enough to a room for an echo canceller. */
export function roomResponse({ seed, reverberationMs, coupling }: RoomShape, rate: number): Float64Array {
  const random = seededRandom(seed);
  const length = Math.round((reverberationMs * rate) / 1000);
  const response = Float64Array.from({ length }, (_, index) => (random() - 0.5) * 0.5 * 10 ** ((-3 * index) / length));
  response[0] = 1;
  const energy = Math.sqrt(response.reduce((sum, value) => sum + value * value, 0));
  return response.map((value) => (value * 10 ** (coupling / 20)) / energy);
}

/** The echo of `played`, sample by sample, as long as it. */
export function echoOf(played: Int16Array, shape: RoomShape, rate: number): Float64Array {
  const response = roomResponse(shape, rate);
  const delay = Math.round((shape.delayMs * rate) / 1000);
  const echo = new Float64Array(played.length);
  const step = 1 + (shape.drift ?? 0) / 1e6;
  for (let index = 0; index < played.length; index++) {
    const sample = played[index] ?? 0;
    if (sample === 0) continue;
    const start = index * step + delay;
    const [whole, part] = [Math.floor(start), start % 1];
    const end = Math.min(response.length, echo.length - whole - 1);
    for (let tap = 0; tap < end; tap++) {
      const value = sample * (response[tap] ?? 0);
      echo[whole + tap] = (echo[whole + tap] ?? 0) + value * (1 - part);
      echo[whole + tap + 1] = (echo[whole + tap + 1] ?? 0) + value * part;
    }
  }
  return echo;
}
