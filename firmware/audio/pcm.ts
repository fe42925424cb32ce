/** Arithmetic on 16 bit mono sound. All functions work in place on arrays of the caller. */

/** Full scale of a 16 bit sample. */
const fullScale = 32_768;

/** What a level says of silence, dBFS. */
export const silentLevel = -96;

/** Adds `samples` to `sum`, which is wide enough for any number of talkers. */
export function accumulate(sum: Int32Array, samples: Int16Array): void {
  for (let index = 0; index < samples.length; index++) sum[index] = (sum[index] ?? 0) + (samples[index] ?? 0);
}

/** `samples` = `sum`, cut off where it does not fit. */
export function saturate(sum: Int32Array, samples: Int16Array): void {
  for (let index = 0; index < samples.length; index++) samples[index] = clamp(sum[index] ?? 0);
}

/** Multiplies by `gain` (1 = unchanged), cut off where it does not fit. */
export function scale(samples: Int16Array, gain: number): void {
  if (gain === 1) return;
  for (let index = 0; index < samples.length; index++) samples[index] = clamp(Math.round((samples[index] ?? 0) * gain));
}

/** Glides from `samples` to `next` within one block, in `samples`: what lies between is left out. */
export function crossFade(samples: Int16Array, next: Int16Array): void {
  const step = 1 / samples.length;
  for (let index = 0; index < samples.length; index++) {
    const share = index * step;
    samples[index] = Math.round((samples[index] ?? 0) * (1 - share) + (next[index] ?? 0) * share);
  }
}

/** Mean power of `samples` in dBFS (a full-scale square wave is 0). */
export function levelOf(samples: Int16Array): number {
  return decibels(energyOf(samples) / Math.max(1, samples.length));
}

/** Gathers the level of many blocks. */
export class LevelMeter {
  #energy = 0;
  #samples = 0;

  add(samples: Int16Array): void {
    this.#energy += energyOf(samples);
    this.#samples += samples.length;
  }

  /** The level since the last call, dBFS. */
  take(): number {
    const level = this.#samples === 0 ? silentLevel : decibels(this.#energy / this.#samples);
    this.#energy = 0;
    this.#samples = 0;
    return level;
  }
}

/** The nearest value that fits. */
export function clamp(value: number): number {
  return value > 32_767 ? 32_767 : Math.max(value, -32_768);
}

function energyOf(samples: Int16Array): number {
  let energy = 0;
  for (let index = 0; index < samples.length; index++) {
    const sample = samples[index] ?? 0;
    energy += sample * sample;
  }
  return energy;
}

function decibels(power: number): number {
  const level = 10 * Math.log10(power / (fullScale * fullScale) + 1e-12);
  return Math.max(silentLevel, Math.round(level * 10) / 10);
}
