/** A stretch of a tone: some sine waves together, or silence. */
export interface ToneStep {
  /** Hz; empty is silence. */
  readonly frequencies: readonly number[];
  readonly ms: number;
}

/** Steps played once, then steps repeated for ever; without the latter the tone ends. */
export interface Tone {
  readonly once: readonly ToneStep[];
  readonly repeat: readonly ToneStep[];
}

/** Each sine of a tone, of full scale: two of them make −13 dBFS, as loud as speech on a line. */
const amplitude = 0.224 * 32_768;
/** Tones begin and end within this long, so that they do not click. */
const rampMs = 4;

/** A sine that lasts. */
export function steady(...frequencies: readonly number[]): Tone {
  return { once: [], repeat: [{ frequencies, ms: Number.POSITIVE_INFINITY }] };
}

/** The same frequencies on and off by turns, for ever. */
export function cadence(frequencies: readonly number[], ...times: readonly number[]): Tone {
  return { once: [], repeat: times.map((ms, index) => ({ frequencies: index % 2 === 0 ? frequencies : [], ms })) };
}

/** Plays one tone, block by block. */
export class ToneGenerator {
  readonly #tone: Tone;
  readonly #sampleRate: number;
  readonly #ramp: number;
  #steps: readonly ToneStep[];
  #step = 0;
  /** Samples left of the step. */
  #left: number;
  /** Samples played in all: the phase of every sine. */
  #position = 0;
  /** Gain now, walking towards 1 in a sounding step and towards 0 in a silent one. */
  #gain = 0;
  #sounding: readonly number[] = [];

  constructor(tone: Tone, sampleRate: number) {
    this.#tone = tone;
    this.#sampleRate = sampleRate;
    this.#ramp = 1000 / (rampMs * sampleRate);
    this.#steps = tone.once.length > 0 ? tone.once : tone.repeat;
    this.#left = this.#lengthOf(this.#steps[0]);
  }

  /** Fills `samples`; false when the tone has ended before. */
  fill(samples: Int16Array): boolean {
    if (!this.#steps[this.#step]) return false;
    for (let index = 0; index < samples.length; index++) samples[index] = this.#nextSample();
    return true;
  }

  #nextSample(): number {
    const step = this.#steps[this.#step];
    const on = step !== undefined && step.frequencies.length > 0;
    // While the gain falls the sine of the step before still sounds.
    if (on) this.#sounding = step.frequencies;
    this.#gain = on ? Math.min(1, this.#gain + this.#ramp) : Math.max(0, this.#gain - this.#ramp);
    const position = this.#position++;
    if (step && --this.#left <= 0) this.#advance();
    if (this.#gain === 0) return 0;
    let sum = 0;
    for (const frequency of this.#sounding) sum += Math.sin(((2 * Math.PI * frequency) / this.#sampleRate) * position);
    return Math.round(sum * amplitude * this.#gain);
  }

  #advance(): void {
    this.#step++;
    if (this.#step >= this.#steps.length && this.#tone.repeat.length > 0) {
      this.#steps = this.#tone.repeat;
      this.#step = 0;
    }
    this.#left = this.#lengthOf(this.#steps[this.#step]);
  }

  #lengthOf(step: ToneStep | undefined): number {
    return step ? Math.max(1, Math.round((step.ms * this.#sampleRate) / 1000)) : 0;
  }
}
