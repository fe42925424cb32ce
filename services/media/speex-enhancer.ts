import type { EnhancerMaker, EnhancerWishes, SpeechEnhancer } from '#firmware/audio/speech-enhancer.ts';
import { ResourceError } from '#firmware/core/errors.ts';
import { type NativeLibrary, openNativeLibrary } from '#firmware/platform/native-library.ts';

/** Debian's libspeexdsp1, the same on all Linux machines. */
const libraryName = 'libspeexdsp.so.1';
/** speex_echo.h and speex_preprocess.h: the controls we set. */
const setSamplingRate = 24;
const setDenoise = 0;
const setNoiseSuppress = 18;
const setEchoSuppress = 20;
const setEchoSuppressActive = 22;
const setEchoState = 24;
/** How much of noise is taken out, and of what is left of the echo: alone, and while this side speaks, dB. */
const noiseSuppression = -18;
const echoSuppression = -45;
const echoSuppressionInSpeech = -15;

interface Functions {
  readonly createEcho: (block: number, tail: number) => bigint;
  readonly destroyEcho: (state: bigint) => void;
  readonly resetEcho: (state: bigint) => void;
  readonly controlEcho: (state: bigint, request: number, value: Int32Array) => number;
  readonly cancel: (state: bigint, near: Int16Array, far: Int16Array, out: Int16Array) => void;
  readonly createFilter: (block: number, rate: number) => bigint;
  readonly destroyFilter: (state: bigint) => void;
  readonly controlFilter: (state: bigint, request: number, value: Int32Array) => number;
  readonly linkEcho: (state: bigint, request: number, echo: bigint) => number;
  readonly filter: (state: bigint, block: Int16Array) => number;
}

/** speexdsp of the system, loaded now. Throws what the loader says when it is not there. */
export async function loadSpeex(library = libraryName): Promise<EnhancerMaker> {
  const functions = functionsOf(await openNativeLibrary(library));
  return (wishes) => new SpeexEnhancer(functions, wishes);
}

function functionsOf(library: NativeLibrary): Functions {
  const find = (prototype: string) => library.find(prototype) as unknown;
  return {
    createEcho: find('void *speex_echo_state_init(int, int)'),
    destroyEcho: find('void speex_echo_state_destroy(void *)'),
    resetEcho: find('void speex_echo_state_reset(void *)'),
    controlEcho: find('int speex_echo_ctl(void *, int, _Inout_ int *)'),
    cancel: find('void speex_echo_cancellation(void *, const int16_t *, const int16_t *, _Out_ int16_t *)'),
    createFilter: find('void *speex_preprocess_state_init(int, int)'),
    destroyFilter: find('void speex_preprocess_state_destroy(void *)'),
    controlFilter: find('int speex_preprocess_ctl(void *, int, _Inout_ int *)'),
    linkEcho: find('int speex_preprocess_ctl(void *, int, void *)'),
    filter: find('int speex_preprocess_run(void *, _Inout_ int16_t *)'),
  } as Functions;
}

/** Its memory lies in the library and lives until `close`. */
class SpeexEnhancer implements SpeechEnhancer {
  readonly #functions: Functions;
  readonly #echo: bigint | undefined;
  readonly #filter: bigint;
  readonly #clean: Int16Array;
  #closed = false;

  constructor(functions: Functions, { sampleRate, blockSamples, echoTail, suppressesNoise }: EnhancerWishes) {
    this.#functions = functions;
    this.#clean = new Int16Array(blockSamples);
    this.#filter = there(functions.createFilter(blockSamples, sampleRate));
    this.#set(setDenoise, Number(suppressesNoise));
    this.#set(setNoiseSuppress, suppressesNoise ? noiseSuppression : 0);
    if (echoTail === 0) return;
    this.#echo = there(functions.createEcho(blockSamples, Math.round((sampleRate * echoTail) / 1000)));
    functions.controlEcho(this.#echo, setSamplingRate, Int32Array.of(sampleRate));
    functions.linkEcho(this.#filter, setEchoState, this.#echo);
    this.#set(setEchoSuppress, echoSuppression);
    this.#set(setEchoSuppressActive, echoSuppressionInSpeech);
  }

  process(near: Int16Array, far: Int16Array): void {
    if (this.#closed) return;
    if (this.#echo !== undefined) {
      this.#functions.cancel(this.#echo, near, far, this.#clean);
      near.set(this.#clean);
    }
    this.#functions.filter(this.#filter, near);
  }

  relearn(): void {
    if (this.#echo !== undefined && !this.#closed) this.#functions.resetEcho(this.#echo);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#functions.destroyFilter(this.#filter);
    if (this.#echo !== undefined) this.#functions.destroyEcho(this.#echo);
  }

  #set(control: number, value: number): void {
    this.#functions.controlFilter(this.#filter, control, Int32Array.of(value));
  }
}

function there(state: bigint): bigint {
  if (!state) throw new ResourceError(`${libraryName} has no memory left`);
  return state;
}
