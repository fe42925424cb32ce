import { levelOf, silentLevel } from './pcm.ts';

/** Whoever does not have the word is this much fainter, dB: the microphone while the far end speaks, the loudspeaker while this side does. */
const microphoneOff = -45;
const loudspeakerDown = -12;
/** Softer than this the loudspeaker makes no echo to speak of, dBFS. */
const faintest = -55;
/** Who interrupts is louder than the echo by this much, dB. */
const interruption = 8;
/** The echo dies away in the room by this much a second, dB; the loudness of the room is learnt as fast up, and forgotten as slowly. */
const decay = 120;
const couplingFall = 3;
/** Until it is known the room is taken to be a loud one, dB between loudspeaker and microphone. */
const couplingAtFirst = 0;
const couplingAtMost = 20;
/** The word is kept between words, s. */
const hangover = 0.2;

/**
 * Only one side has the word (half duplex): for rooms whose echo nothing else gets rid of.
 *
 *   loudspeaker ─► expected echo (decaying peak + coupling) ─► microphone louder? ─► its side has the word, else the far end has it
 */
export class VoiceSwitch {
  readonly #sampleRate: number;
  /** Level of the loudspeaker with its reverberation, dBFS. */
  #far = silentLevel;
  #coupling = couplingAtFirst;
  #farLeft = 0;
  #nearLeft = 0;
  #microphone = 0;
  #loudspeaker = 0;

  constructor(sampleRate: number) {
    this.#sampleRate = sampleRate;
  }

  /** For the microphone and the loudspeaker, factors. */
  get gains(): { readonly microphone: number; readonly loudspeaker: number } {
    return { microphone: this.#microphone, loudspeaker: this.#loudspeaker };
  }

  /** A block of the microphone and what the loudspeaker played as it was recorded, or a little before. */
  hear(near: Int16Array, far: Int16Array): void {
    const seconds = near.length / this.#sampleRate;
    const heard = levelOf(near);
    this.#far = Math.max(levelOf(far), this.#far - decay * seconds);
    if (this.#far <= faintest) {
      this.#farLeft = Math.max(0, this.#farLeft - seconds);
      this.#nearLeft = Math.max(0, this.#nearLeft - seconds);
    } else this.#dispute(heard, seconds);
    this.#microphone = this.#farLeft > 0 ? 10 ** (microphoneOff / 20) : 1;
    this.#loudspeaker = this.#nearLeft > 0 ? 10 ** (loudspeakerDown / 20) : 1;
  }

  #dispute(heard: number, seconds: number): void {
    if (heard > this.#far + this.#coupling + interruption) this.#nearLeft = hangover;
    else this.#nearLeft = Math.max(0, this.#nearLeft - seconds);
    if (this.#nearLeft > 0) {
      this.#farLeft = 0;
      return;
    }
    this.#farLeft = hangover;
    const difference = Math.min(couplingAtMost, heard - this.#far);
    this.#coupling = Math.max(difference, this.#coupling - couplingFall * seconds);
  }
}
