import { align } from '#firmware/audio/correlation.ts';
import { transform } from '#firmware/audio/fourier.ts';
import { levelOf } from '#firmware/audio/pcm.ts';

/** How near a recording comes to what was said. */
export interface SpeechScore {
  /** Neurogram similarity as ViSQOL measures it (Hines and others 2015): 1 = the same, 0 = unrelated. */
  readonly similarity: number;
  /** Log-spectral distance, dB: 0 = the same. */
  readonly spectralDistance: number;
  /** Segmental signal-to-noise ratio, dB, of segments within −10 and 35. */
  readonly segmentalRatio: number;
  /** By how much what was said is heard later, ms, median. */
  readonly delayMs: number;
}

/** A stretch that is searched for in the recording as one: phones bend time in between. */
const patchMs = 480;
/** The delay changes by no more than this around its mean, ms. */
const wanderMs = 160;
/** A stretch within a patch, whose own shift is found for the ratio alone, and how far it may be off, ms. */
const pieceMs = 80;
const pieceWanderMs = 20;
const segmentMs = 20;
const ratioLimits = { least: -10, most: 35 } as const;
/** Frames of spectra, half of each is the half of the next; a power of two at 8 and 16 kHz. */
const frameMs = 32;
/** Below this nothing is heard, dB of full scale in one band or bin. */
const floorDb = -70;
/** Patches quieter than this, dB below full scale, have no speech in them. */
const silenceDb = -45;
/** Edges of critical bands, Hz (Zwicker): up to 3.7 kHz for the sound of narrow codecs, up to 7.7 kHz for others. */
const bandEdges = [100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150, 3700, 4400, 5300, 6400, 7700];
/** The window of NSIM, 3 × 3, Gaussian. */
const window = [0.0113, 0.0838, 0.0113, 0.0838, 0.6196, 0.0838, 0.0113, 0.0838, 0.0113];

/** Compares stretches of speech, each at the delay it has in the recording. Both are sound of 8 or 16 kHz. */
export function scoreSpeech(said: Int16Array, heard: Int16Array, sampleRate: number): SpeechScore {
  const samples = (ms: number) => (ms * sampleRate) / 1000;
  const mean = align(said, heard).lag;
  const [similarities, distances, ratios, delays]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let start = 0; start + samples(patchMs) <= said.length; start += samples(patchMs)) {
    const patch = said.subarray(start, start + samples(patchMs));
    if (levelOf(patch) < silenceDb) continue;
    const shift = mean + shiftOf(patch, heard, start + mean, samples(wanderMs));
    const [reference, degraded] = [patch, cut(heard, start + shift, patch.length)].map((part) => spectra(part, samples(frameMs)));
    similarities.push(similarityOf(reference ?? [], degraded ?? [], sampleRate));
    distances.push(distanceOf(reference ?? [], degraded ?? []));
    for (let at = 0; at + samples(pieceMs) <= patch.length; at += samples(pieceMs)) {
      const piece = patch.subarray(at, at + samples(pieceMs));
      const more = shiftOf(piece, heard, start + at + shift, samples(pieceWanderMs));
      ratios.push(...segmentRatios(piece, cut(heard, start + at + shift + more, piece.length), samples(segmentMs)));
    }
    delays.push((shift * 1000) / sampleRate);
  }
  const middle = delays.sort((a, b) => a - b)[Math.floor(delays.length / 2)] ?? Number.NaN;
  return { similarity: average(similarities), spectralDistance: average(distances), segmentalRatio: average(ratios), delayMs: middle };
}

/** By how much `part` is later than `expectedAt` in the recording, at most `wander` either way; 0 where it is not to be found. */
function shiftOf(part: Int16Array, heard: Int16Array, expectedAt: number, wander: number): number {
  const { correlation, lag } = align(part, cut(heard, expectedAt - wander, part.length + 2 * wander), 2 * wander);
  return correlation > 0.3 && lag >= 0 ? lag - wander : 0;
}

/** With silence where the recording has nothing. */
function cut(samples: Int16Array, start: number, length: number): Int16Array {
  const part = new Int16Array(length);
  const from = Math.max(0, start);
  if (from < start + length) part.set(samples.subarray(from, Math.max(from, start + length)), from - start);
  return part;
}

/** The power in each bin of each frame, 1 = a sine of full scale. */
function spectra(samples: Int16Array, length: number): Float64Array[] {
  const count = Math.floor((2 * samples.length) / length) - 1;
  return Array.from({ length: count }, (_, frame) => spectrumOf(samples, (frame * length) / 2, length));
}

function spectrumOf(samples: Int16Array, start: number, length: number): Float64Array {
  const [real, imaginary] = [new Float64Array(length), new Float64Array(length)];
  for (let index = 0; index < length; index++) {
    const weight = 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / length);
    real[index] = (weight * (samples[start + index] ?? 0)) / 32_768;
  }
  transform(real, imaginary, false);
  // Half of a sine lies at the negative frequency, and the window halves it again.
  return real.slice(0, length / 2).map((value, bin) => (16 * (value ** 2 + (imaginary[bin] ?? 0) ** 2)) / length ** 2);
}

/** NSIM: how alike two pictures are of level over time and critical bands, in means and in structure around each point. */
function similarityOf(said: readonly Float64Array[], heard: readonly Float64Array[], sampleRate: number): number {
  const [reference, degraded] = [bandLevels(said, sampleRate), bandLevels(heard, sampleRate)];
  const range = Math.max(...reference.flat());
  const [meansLike, structureLike] = [(0.01 * range) ** 2, (0.03 * range) ** 2 / 2];
  const points: number[] = [];
  for (let frame = 1; frame < reference.length - 1; frame++) {
    for (let band = 1; band < (reference[0]?.length ?? 0) - 1; band++) {
      const { meanA, meanB, varianceA, varianceB, covariance } = around(reference, degraded, frame, band);
      const means = (2 * meanA * meanB + meansLike) / (meanA ** 2 + meanB ** 2 + meansLike);
      const structure = (covariance + structureLike) / (Math.sqrt(varianceA * varianceB) + structureLike);
      points.push(means * structure);
    }
  }
  return average(points);
}

/** Levels above what is heard at all, dB, by frame and critical band. */
function bandLevels(frames: readonly Float64Array[], sampleRate: number): number[][] {
  const binsPerHertz = ((frames[0]?.length ?? 0) * 2) / sampleRate;
  const edges = bandEdges.filter((edge) => edge < sampleRate / 2).map((edge) => Math.round(edge * binsPerHertz));
  return frames.map((powers) =>
    edges.slice(1).map((edge, band) => {
      const power = powers.subarray(edges[band], edge).reduce((sum, value) => sum + value, 0);
      return Math.max(0, decibels(power) - floorDb);
    }),
  );
}

/** Weighted means, variances and covariance of the 3 × 3 points around one. */
function around(a: readonly number[][], b: readonly number[][], frame: number, band: number) {
  let [meanA, meanB, squaresA, squaresB, products] = [0, 0, 0, 0, 0];
  for (const [place, weight] of window.entries()) {
    const [row, column] = [frame - 1 + Math.floor(place / 3), band - 1 + (place % 3)];
    const [x, y] = [a[row]?.[column] ?? 0, b[row]?.[column] ?? 0];
    meanA += weight * x;
    meanB += weight * y;
    squaresA += weight * x * x;
    squaresB += weight * y * y;
    products += weight * x * y;
  }
  const [varianceA, varianceB] = [Math.max(0, squaresA - meanA ** 2), Math.max(0, squaresB - meanB ** 2)];
  return { meanA, meanB, varianceA, varianceB, covariance: products - meanA * meanB };
}

/** Mean over frames of the root of the mean square of the differences in dB, bin by bin. */
function distanceOf(said: readonly Float64Array[], heard: readonly Float64Array[]): number {
  const level = (power: number) => Math.max(floorDb, decibels(power));
  const distances = said.map((powers, frame) => {
    const squares = powers.map((power, bin) => (level(power) - level(heard[frame]?.[bin] ?? 0)) ** 2);
    return Math.sqrt(average(squares));
  });
  return average(distances);
}

function segmentRatios(said: Int16Array, heard: Int16Array, length: number): number[] {
  const ratios: number[] = [];
  for (let start = 0; start + length <= said.length; start += length) {
    const [a, b] = [said.subarray(start, start + length), heard.subarray(start, start + length)];
    if (levelOf(a) < silenceDb) continue;
    const difference = a.reduce((sum, sample, index) => sum + (sample - (b[index] ?? 0)) ** 2, 0);
    const ratio = levelOf(a) - decibels(difference / length / 32_768 ** 2);
    ratios.push(Math.max(ratioLimits.least, Math.min(ratioLimits.most, ratio)));
  }
  return ratios;
}

/** 1e-12 is nothing at all. */
function decibels(power: number): number {
  return 10 * Math.log10(power + 1e-12);
}

function average(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index] ?? 0;
  return values.length === 0 ? Number.NaN : sum / values.length;
}
