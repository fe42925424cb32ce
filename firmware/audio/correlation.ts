import { transform } from './fourier.ts';

/** How alike two recordings are once the one is shifted onto the other. */
export interface Alignment {
  /** Normalised cross-correlation over the stretch that overlaps: 1 alike, 0 unrelated, −1 upside down. */
  readonly correlation: number;
  /** Samples by which the recording is later than the reference. */
  readonly lag: number;
}

/** At least this share of the reference must overlap, or a scrap of likeness at the edge would win. */
const overlapAtLeast = 0.5;

/**
 * The shift within ±`lagAtMost` samples at which `recording` is most like `reference`. All shifts are compared at once in the frequency
 * domain, so minutes of sound take a fraction of a second.
 */
export function align(reference: Int16Array, recording: Int16Array, lagAtMost = recording.length): Alignment {
  const products = crossProducts(reference, recording);
  const referenceEnergy = cumulativeEnergy(reference);
  const recordingEnergy = cumulativeEnergy(recording);
  let best: Alignment = { correlation: 0, lag: 0 };
  const last = Math.min(lagAtMost, recording.length - 1);
  for (let lag = -Math.min(lagAtMost, reference.length - 1); lag <= last; lag++) {
    const start = Math.max(0, -lag);
    const end = Math.min(reference.length, recording.length - lag);
    if (end - start < overlapAtLeast * Math.min(reference.length, recording.length)) continue;
    const a = (referenceEnergy[end] ?? 0) - (referenceEnergy[start] ?? 0);
    const b = (recordingEnergy[end + lag] ?? 0) - (recordingEnergy[start + lag] ?? 0);
    const product = products[(lag + products.length) % products.length] ?? 0;
    const correlation = a > 0 && b > 0 ? product / Math.sqrt(a * b) : 0;
    if (correlation > best.correlation) best = { correlation, lag };
  }
  return best;
}

/** Σ reference[i] · recording[i + lag] at index `lag`, negative lags from the end. */
function crossProducts(reference: Int16Array, recording: Int16Array): Float64Array {
  const length = 2 ** Math.ceil(Math.log2(reference.length + recording.length + 1));
  const [aReal, aImaginary] = [new Float64Array(length), new Float64Array(length)];
  const [bReal, bImaginary] = [new Float64Array(length), new Float64Array(length)];
  for (let index = 0; index < reference.length; index++) aReal[index] = reference[index] ?? 0;
  for (let index = 0; index < recording.length; index++) bReal[index] = recording[index] ?? 0;
  transform(aReal, aImaginary, false);
  transform(bReal, bImaginary, false);
  for (let index = 0; index < length; index++) {
    const [re, im] = [aReal[index] ?? 0, -(aImaginary[index] ?? 0)];
    const [otherRe, otherIm] = [bReal[index] ?? 0, bImaginary[index] ?? 0];
    aReal[index] = (re * otherRe - im * otherIm) / length;
    aImaginary[index] = (re * otherIm + im * otherRe) / length;
  }
  transform(aReal, aImaginary, true);
  return aReal;
}

/** Σ samples², up to each index. */
function cumulativeEnergy(samples: Int16Array): Float64Array {
  const energy = new Float64Array(samples.length + 1);
  for (let index = 0; index < samples.length; index++) energy[index + 1] = (energy[index] ?? 0) + (samples[index] ?? 0) ** 2;
  return energy;
}
