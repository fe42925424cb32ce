import type { AudioCodec, AudioDecoder, AudioEncoder } from '#firmware/audio/codec.ts';
import { type OpusEncoding, type OpusMaker, opusPacketTimes, opusSamplesIn } from '#firmware/audio/opus.ts';
import { ResourceError } from '#firmware/core/errors.ts';
import type { NativeLibrary } from '#firmware/platform/native-library.ts';
import { openNativeLibrary } from '#firmware/platform/native-library.ts';

/** Debian's libopus0, the same on all Linux machines. */
const libraryName = 'libopus.so.0';
const clockRate = 48_000;
const channels = 1;
/** opus_defines.h: for speech; and the controls we set. */
const OPUS_APPLICATION_VOIP = 2048;
const controls = {
  bitrate: 4002,
  maximumBandwidth: 4004,
  variableRate: 4006,
  complexity: 4010,
  inBandFec: 4012,
  lossPercent: 4014,
  discontinuous: 4016,
} as const;
const bandwidths = [
  [8000, 1101],
  [12_000, 1102],
  [16_000, 1103],
  [24_000, 1104],
] as const;
const fullBandwidth = 1105;
/** Loss that the copies in packets are made for: they grow with it. */
const expectedLossPercent = 10;
/** No packet is larger than what RTP may send. */
const bytesAtMost = 1200;
const samplesAtMost = (120 * clockRate) / 1000;
/** A packet this short says only that there is silence: it need not be sent. */
const silentBytes = 2;

interface Functions {
  readonly encoderSize: (channels: number) => number;
  readonly encoderInit: (state: Uint8Array, rate: number, channels: number, application: number) => number;
  readonly encoderControl: (state: Uint8Array, request: number, type: 'int', value: number) => number;
  readonly encode: (state: Uint8Array, samples: Int16Array, count: number, bytes: Uint8Array, atMost: number) => number;
  readonly decoderSize: (channels: number) => number;
  readonly decoderInit: (state: Uint8Array, rate: number, channels: number) => number;
  readonly decode: (
    state: Uint8Array,
    bytes: Uint8Array | null,
    length: number,
    samples: Int16Array,
    atMost: number,
    fec: number,
  ) => number;
}

/** Opus by the library of the system, loaded now. Throws what the loader says when it is not there. */
export async function loadOpus(): Promise<OpusMaker> {
  const functions = functionsOf(await openNativeLibrary(libraryName));
  return (encoding) =>
    ({
      name: 'opus',
      sampleRate: encoding.sampleRate,
      clockRate,
      packetTimes: opusPacketTimes,
      createEncoder: () => new OpusEncoder(functions, encoding),
      createDecoder: () => new OpusDecoder(functions, encoding.sampleRate),
    }) satisfies AudioCodec;
}

function functionsOf(library: NativeLibrary): Functions {
  const find = (prototype: string) => library.find(prototype) as unknown;
  return {
    encoderSize: find('int opus_encoder_get_size(int)'),
    encoderInit: find('int opus_encoder_init(_Inout_ uint8_t *, int32_t, int, int)'),
    encoderControl: find('int opus_encoder_ctl(_Inout_ uint8_t *, int, ...)'),
    encode: find('int32_t opus_encode(_Inout_ uint8_t *, const int16_t *, int, _Out_ uint8_t *, int32_t)'),
    decoderSize: find('int opus_decoder_get_size(int)'),
    decoderInit: find('int opus_decoder_init(_Inout_ uint8_t *, int32_t, int)'),
    decode: find('int opus_decode(_Inout_ uint8_t *, const uint8_t *, int32_t, _Out_ int16_t *, int, int)'),
  } as Functions;
}

/** The state lies in memory of JavaScript: it needs no destroying, and goes with the call it belongs to. */
class OpusEncoder implements AudioEncoder {
  readonly #functions: Functions;
  readonly #state: Uint8Array;
  readonly #discontinuous: boolean;
  readonly #packet = new Uint8Array(bytesAtMost);

  constructor(functions: Functions, encoding: OpusEncoding) {
    const { bitrate, constantBitrate, complexity, errorCorrection, discontinuous, playbackRate, sampleRate } = encoding;
    this.#functions = functions;
    this.#discontinuous = discontinuous;
    this.#state = new Uint8Array(functions.encoderSize(channels));
    check(functions.encoderInit(this.#state, sampleRate, channels, OPUS_APPLICATION_VOIP), 'no Opus encoder');
    this.#set(controls.bitrate, bitrate);
    this.#set(controls.variableRate, Number(!constantBitrate));
    this.#set(controls.complexity, complexity);
    this.#set(controls.inBandFec, Number(errorCorrection));
    this.#set(controls.lossPercent, errorCorrection ? expectedLossPercent : 0);
    this.#set(controls.discontinuous, Number(discontinuous));
    this.#set(controls.maximumBandwidth, bandwidths.find(([rate]) => playbackRate <= rate)?.[1] ?? fullBandwidth);
  }

  encode(samples: Int16Array, bytes: Uint8Array, offset: number): number {
    const length = this.#functions.encode(this.#state, samples, samples.length, this.#packet, bytesAtMost);
    if (length < 0 || (this.#discontinuous && length <= silentBytes)) return 0;
    for (let index = 0; index < length; index++) bytes[offset + index] = this.#packet[index] ?? 0;
    return length;
  }

  #set(control: number, value: number): void {
    check(this.#functions.encoderControl(this.#state, control, 'int', value), `Opus does not take ${value} for control ${control}`);
  }
}

class OpusDecoder implements AudioDecoder {
  readonly #functions: Functions;
  readonly #sampleRate: number;
  readonly #state: Uint8Array;
  #packet = new Uint8Array(256);
  readonly #sound: Int16Array;

  constructor(functions: Functions, sampleRate: number) {
    this.#functions = functions;
    this.#sampleRate = sampleRate;
    this.#state = new Uint8Array(functions.decoderSize(channels));
    check(functions.decoderInit(this.#state, sampleRate, channels), 'no Opus decoder');
    this.#sound = new Int16Array((samplesAtMost * sampleRate) / clockRate);
  }

  samplesIn(bytes: Uint8Array, start: number, end: number): number {
    return (opusSamplesIn(bytes, start, end) * this.#sampleRate) / clockRate;
  }

  decode(bytes: Uint8Array, start: number, end: number, samples: Int16Array, offset: number): number {
    const expected = this.samplesIn(bytes, start, end);
    this.#take(bytes, start, end);
    const count = this.#functions.decode(this.#state, this.#packet, end - start, this.#sound, this.#sound.length, 0);
    // A packet that is broken inside is as good as lost.
    return count === expected ? this.#give(count, samples, offset) : this.conceal(expected, samples, offset, undefined, 0);
  }

  conceal(count: number, samples: Int16Array, offset: number, next: Uint8Array | undefined, nextLength: number): number {
    if (next) this.#take(next, 0, nextLength);
    const made = this.#functions.decode(
      this.#state,
      next ? this.#packet : null,
      nextLength,
      this.#sound,
      count,
      Number(next !== undefined),
    );
    if (made < count) this.#sound.fill(0, Math.max(0, made), count);
    return this.#give(count, samples, offset);
  }

  #take(bytes: Uint8Array, start: number, end: number): void {
    if (this.#packet.length < end - start) this.#packet = new Uint8Array(end - start);
    for (let index = start; index < end; index++) this.#packet[index - start] = bytes[index] ?? 0;
  }

  #give(count: number, samples: Int16Array, offset: number): number {
    for (let index = 0; index < count; index++) samples[offset + index] = this.#sound[index] ?? 0;
    return count;
  }
}

function check(result: number, what: string): void {
  if (result < 0) throw new ResourceError(`${what}: error ${result}`);
}
