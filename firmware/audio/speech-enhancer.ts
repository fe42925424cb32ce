/** Takes echo and noise out of what a microphone hears: a library of the machine, one per microphone. */
export interface SpeechEnhancer {
  /** Changes a block of the microphone in place; `far` is what the loudspeaker played, no earlier than it can be heard. */
  process(near: Int16Array, far: Int16Array): void;
  /** The echo comes by another way from now on. */
  relearn(): void;
  /** Gives its memory back; it is not called again. */
  close(): void;
}

/** What is wanted of an enhancer. */
export interface EnhancerWishes {
  readonly sampleRate: number;
  readonly blockSamples: number;
  /** Takes out the echo that comes within so many ms, and what is left of it; 0 = none. */
  readonly echoTail: number;
  readonly suppressesNoise: boolean;
}

export type EnhancerMaker = (wishes: EnhancerWishes) => SpeechEnhancer;
