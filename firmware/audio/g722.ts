import { type AudioCodec, type AudioDecoder, type AudioEncoder, usualPacketTimes } from './codec.ts';
import { clamp } from './pcm.ts';

/**
 * G.722 at 64 kbit/s. Two filters split the sound into halves of 8 kHz each, of which each is coded as the difference to a prediction: six
 * bits for the lower band, two for the upper.
 *
 *   16 kHz ─► QMF ─┬─ low ──► − ─► 6 bits ─┐
 *                  │          ▲ prediction  ├─► one byte per two samples
 *                  └─ high ─► − ─► 2 bits ─┘
 *
 * All arithmetic is that of the Recommendation, in 16 bits with saturation, so that both ends predict alike to the last bit. Names in
 * comments are its blocks.
 */

const samplesPerByte = 2;

/** RFC 3551 §4.5.2: the clock rate is 8000 by an old mistake that has to be kept. */
export const g722Codec: AudioCodec = {
  name: 'G722',
  sampleRate: 16_000,
  clockRate: 8000,
  packetTimes: usualPacketTimes,
  createEncoder: () => new G722Encoder(),
  createDecoder: () => new G722Decoder(1),
};

/** Bits of the lower band that are used: all six (1), five (2) or four (3); the others may carry data. */
type Mode = 1 | 2 | 3;

class G722Encoder implements AudioEncoder {
  readonly #low = new Band(32, 18_432, 8, lowScaleSteps);
  readonly #high = new Band(8, 22_528, 10, highScaleSteps);
  readonly #history = new Int16Array(qmfTaps);

  encode(samples: Int16Array, bytes: Uint8Array, offset: number): number {
    const history = this.#history;
    let written = offset;
    for (let index = 0; index + 1 < samples.length; index += samplesPerByte) {
      history.copyWithin(0, 2);
      history[qmfTaps - 2] = samples[index] ?? 0;
      history[qmfTaps - 1] = samples[index + 1] ?? 0;
      let even = 0;
      let odd = 0;
      for (let tap = 0; tap < qmfTaps / 2; tap++) {
        odd += at(history, 2 * tap) * at(qmf, tap);
        even += at(history, 2 * tap + 1) * at(qmf, qmfTaps / 2 - 1 - tap);
      }
      bytes[written++] = (this.#codeHigh(limit15((even - odd) >> 14)) << 6) | this.#codeLow(limit15((even + odd) >> 14));
    }
    return written - offset;
  }

  #codeLow(sound: number): number {
    const band = this.#low;
    const difference = clamp(sound - band.prediction);
    const magnitude = difference < 0 ? ~difference : difference;
    let level = 1;
    while (level < 30 && magnitude >= (at(lowDecisions, level) * band.scale) >> 12) level++;
    const code = difference < 0 ? (level < 3 ? 64 - level : 34 - level) : 62 - level;
    band.update(at(lowInverse4, code >> 2), at(lowMagnitude, code >> 2));
    return code;
  }

  #codeHigh(sound: number): number {
    const band = this.#high;
    const difference = clamp(sound - band.prediction);
    const magnitude = difference < 0 ? ~difference : difference;
    const outer = magnitude >= (564 * band.scale) >> 12;
    const code = difference < 0 ? (outer ? 0 : 1) : outer ? 2 : 3;
    band.update(at(highInverse, code), outer ? 1 : 0);
    return code;
  }
}

/** Exported for its other modes, which no phone offers but the test sequences have. @internal */
export class G722Decoder implements AudioDecoder {
  readonly #low = new Band(32, 18_432, 8, lowScaleSteps);
  readonly #high = new Band(8, 22_528, 10, highScaleSteps);
  readonly #history = new Int16Array(qmfTaps);
  readonly #unusedBits: number;
  readonly #inverse: Int16Array;

  constructor(mode: Mode) {
    this.#unusedBits = mode - 1;
    this.#inverse = mode === 1 ? lowInverse6 : mode === 2 ? lowInverse5 : lowInverse4;
  }

  samplesIn(_bytes: Uint8Array, start: number, end: number): number {
    return samplesPerByte * (end - start);
  }

  decode(bytes: Uint8Array, start: number, end: number, samples: Int16Array, offset: number): number {
    const history = this.#history;
    let written = offset;
    for (let index = start; index < end; index++) {
      const code = bytes[index] ?? 0;
      const low = this.#decodeLow(code & 0x3f);
      const high = this.#decodeHigh(code >> 6);
      history.copyWithin(0, 2);
      history[qmfTaps - 2] = low + high;
      history[qmfTaps - 1] = low - high;
      let first = 0;
      let second = 0;
      for (let tap = 0; tap < qmfTaps / 2; tap++) {
        second += at(history, 2 * tap) * at(qmf, tap);
        first += at(history, 2 * tap + 1) * at(qmf, qmfTaps / 2 - 1 - tap);
      }
      samples[written++] = clamp(first >> 11);
      samples[written++] = clamp(second >> 11);
    }
    return written - offset;
  }

  #decodeLow(code: number): number {
    const band = this.#low;
    const sound = limit15(band.prediction + ((band.scale * at(this.#inverse, code >> this.#unusedBits)) >> 15));
    band.update(at(lowInverse4, code >> 2), at(lowMagnitude, code >> 2));
    return sound;
  }

  #decodeHigh(code: number): number {
    const band = this.#high;
    const sound = limit15(band.prediction + ((band.scale * at(highInverse, code)) >> 15));
    band.update(at(highInverse, code), code & 1 ? 0 : 1);
    return sound;
  }
}

/** The adaptive quantizer and predictor of one band; encoder and decoder keep the same. */
class Band {
  /** Step size of the quantizer (DETL, DETH). */
  scale: number;
  /** What the next sample is expected to be (SL, SH). */
  prediction = 0;
  readonly #scaleAtMost: number;
  readonly #scaleShift: number;
  readonly #scaleSteps: Int16Array;
  /** Logarithm of the scale (NBL, NBH). */
  #logScale = 0;
  /** Part of the prediction made by the zeros (SZL, SZH). */
  #fromZeros = 0;
  /** Quantized differences and zero coefficients, newest first. */
  readonly #differences = new Int16Array(7);
  readonly #zeros = new Int16Array(7);
  /** Two reconstructed samples, two partial ones and two pole coefficients. */
  #sound1 = 0;
  #sound2 = 0;
  #partial1 = 0;
  #partial2 = 0;
  #pole1 = 0;
  #pole2 = 0;

  constructor(scale: number, logScaleAtMost: number, scaleShift: number, scaleSteps: Int16Array) {
    this.scale = scale;
    this.#scaleAtMost = logScaleAtMost;
    this.#scaleShift = scaleShift;
    this.#scaleSteps = scaleSteps;
  }

  /** Takes the quantized difference as `inverse` of full scale and how large it was. */
  update(inverse: number, magnitude: number): void {
    const difference = (this.scale * inverse) >> 15;
    this.#adaptScale(magnitude);
    const sound = clamp(this.prediction + difference);
    const partial = clamp(this.#fromZeros + difference);
    this.#adaptPoles(partial);
    this.#adaptZeros(difference);
    this.#sound2 = this.#sound1;
    this.#sound1 = sound;
    this.#partial2 = this.#partial1;
    this.#partial1 = partial;
    this.#predict();
  }

  /** LOGSCL and SCALEL, LOGSCH and SCALEH. */
  #adaptScale(magnitude: number): void {
    const log = ((this.#logScale * 127) >> 7) + at(this.#scaleSteps, magnitude);
    this.#logScale = log < 0 ? 0 : Math.min(log, this.#scaleAtMost);
    const shift = this.#scaleShift - (this.#logScale >> 11);
    const mantissa = at(powersOfTwo, (this.#logScale >> 6) & 31);
    this.scale = (shift < 0 ? mantissa << -shift : mantissa >> shift) << 2;
  }

  /** UPPOL2 and UPPOL1. */
  #adaptPoles(partial: number): void {
    const sameAs1 = partial < 0 === this.#partial1 < 0;
    const sameAs2 = partial < 0 === this.#partial2 < 0;
    const turned = clamp(this.#pole1 << 2);
    const second = (sameAs2 ? 128 : -128) + (Math.min(32_767, sameAs1 ? -turned : turned) >> 7) + ((this.#pole2 * 32_512) >> 15);
    const pole2 = Math.max(-12_288, Math.min(12_288, second));
    const bound = clamp(15_360 - pole2);
    const first = clamp((sameAs1 ? 192 : -192) + ((this.#pole1 * 32_640) >> 15));
    this.#pole1 = Math.max(-bound, Math.min(bound, first));
    this.#pole2 = pole2;
  }

  /** UPZERO and DELAYA. */
  #adaptZeros(difference: number): void {
    const [differences, zeros] = [this.#differences, this.#zeros];
    const step = difference === 0 ? 0 : 128;
    differences[0] = difference;
    for (let index = 1; index < 7; index++) {
      const same = at(differences, index) < 0 === difference < 0;
      zeros[index] = clamp((same ? step : -step) + ((at(zeros, index) * 32_640) >> 15));
    }
    for (let index = 6; index > 0; index--) differences[index] = at(differences, index - 1);
  }

  /** FILTEP, FILTEZ and PREDIC. */
  #predict(): void {
    const fromPoles = clamp(((this.#pole1 * clamp(2 * this.#sound1)) >> 15) + ((this.#pole2 * clamp(2 * this.#sound2)) >> 15));
    let fromZeros = 0;
    for (let index = 6; index > 0; index--) fromZeros += (at(this.#zeros, index) * clamp(2 * at(this.#differences, index))) >> 15;
    this.#fromZeros = clamp(fromZeros);
    this.prediction = clamp(fromPoles + this.#fromZeros);
  }
}

const qmfTaps = 24;
/** Half of the quadrature mirror filter; the other half is its mirror. */
const qmf = Int16Array.of(3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11);

/** Table of decision levels of the six bit quantizer (Q6). */
const lowDecisions = Int16Array.of(
  ...[0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714],
  ...[786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919],
);
/** Inverse quantizers with 16, 32 and 64 steps (QM4, QM5, QM6): a code's share of the scale. */
const lowInverse4 = Int16Array.of(0, ...mirrored([-20_456, -12_896, -8968, -6288, -4240, -2584, -1200]), 0);
const lowInverse5 = Int16Array.of(
  ...[-280, -280],
  ...mirrored([-23_352, -17_560, -14_120, -11_664, -9752, -8184, -6864, -5712, -4696, -3784, -2960, -2208, -1520, -880]),
  ...[280, -280],
);
const lowInverse6 = Int16Array.of(
  ...[-136, -136, -136, -136],
  ...mirrored([
    ...[-24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192, -10_232, -9360, -8576, -7856, -7192, -6576],
    ...[-6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728],
  ]),
  ...[432, 136, -432, -136],
);
const highInverse = Int16Array.of(-7408, -1616, 7408, 1616);
/** How large a difference with this code of four bits was (RL42), and what that adds to the logarithm of the scale (WL, WH). */
const lowMagnitude = Uint8Array.of(0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0);
const lowScaleSteps = Int16Array.of(-60, -30, 58, 172, 334, 538, 1198, 3042);
const highScaleSteps = Int16Array.of(-214, 798);
/** 2048 · 2^(n/32) (ILB). */
const powersOfTwo = Int16Array.of(
  ...[2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834],
  ...[2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008],
);

function mirrored(values: readonly number[]): number[] {
  return [...values, ...values.map((value) => -value)];
}

/** The bands have 15 bits. */
function limit15(value: number): number {
  return value > 16_383 ? 16_383 : Math.max(value, -16_384);
}

function at(table: Int16Array | Uint8Array, index: number): number {
  return table[index] ?? 0;
}
