/**
 * Sound made longer or shorter without a change of pitch: a stretch that resembles the one before it is repeated or left out, with a glide
 * between the two. Works in place on the head of an array of the caller.
 */

/** What is taken out or put in at a time, as parts of a second: the periods of voices from 400 down to 100 Hz. */
const shortestPart = 400;
const longestPart = 100;

/** How much of the head must be there: twice the longest period. */
export function stretchWindow(sampleRate: number): number {
  return (2 * sampleRate) / longestPart;
}

/**
 * The period of the sound at the head of `samples`, in samples; 0 when no stretch resembles the one before it by at least `similarity`
 * (normalized correlation; −1 takes the best there is).
 */
export function periodAtHead(samples: Int16Array, sampleRate: number, similarity: number): number {
  const longest = sampleRate / longestPart;
  let best = similarity;
  let period = 0;
  for (let lag = sampleRate / shortestPart; lag <= longest; lag++) {
    const likeness = correlationAt(samples, lag, longest);
    if (likeness >= best) {
      best = likeness;
      period = lag;
    }
  }
  return period;
}

/** Leaves out `period` of the first `count` samples; returns how many are left. */
export function leaveOut(samples: Int16Array, count: number, period: number): number {
  const glide = Math.min(count - period, period);
  for (let index = 0; index < glide; index++) {
    const share = (index + 1) / (glide + 1);
    samples[index] = Math.round((samples[index] ?? 0) * (1 - share) + (samples[period + index] ?? 0) * share);
  }
  samples.copyWithin(glide, period + glide, count);
  return count - period;
}

/** Repeats `period` of the first `count` samples; returns how many there are then. */
export function drawOut(samples: Int16Array, count: number, period: number): number {
  const glide = Math.min(count - period, period);
  samples.copyWithin(period, 0, count);
  // Now `period` samples stand twice; what followed the first time is gone but for its copy one period later.
  for (let index = 0; index < glide; index++) {
    const share = (index + 1) / (glide + 1);
    const on = samples[2 * period + index] ?? 0;
    samples[period + index] = Math.round(on * (1 - share) + (samples[period + index] ?? 0) * share);
  }
  return count + period;
}

function correlationAt(samples: Int16Array, lag: number, window: number): number {
  let product = 0;
  let before = 1;
  let after = 1;
  for (let index = 0; index < window; index++) {
    const a = samples[index] ?? 0;
    const b = samples[index + lag] ?? 0;
    product += a * b;
    before += a * a;
    after += b * b;
  }
  return product / Math.sqrt(before * after);
}
