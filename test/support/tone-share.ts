/** The share of a recording's energy that lies at these frequencies (Goertzel over blocks of 50 ms), 0–1. */
export function toneShare(samples: Int16Array, sampleRate: number, frequencies: readonly number[]): number {
  const block = sampleRate / 20;
  let [at, all] = [0, 0];
  for (let start = 0; start + block <= samples.length; start += block) {
    const part = samples.subarray(start, start + block);
    for (const sample of part) all += sample * sample;
    for (const frequency of frequencies) at += (2 * powerAt(part, frequency / sampleRate)) / block;
  }
  return all === 0 ? 0 : at / all;
}

/** |Σ x·e^{−2πift}|² of one block. */
function powerAt(part: Int16Array, cyclesPerSample: number): number {
  const coefficient = 2 * Math.cos(2 * Math.PI * cyclesPerSample);
  let [previous, beforePrevious] = [0, 0];
  for (const sample of part) [previous, beforePrevious] = [sample + coefficient * previous - beforePrevious, previous];
  return previous * previous + beforePrevious * beforePrevious - coefficient * previous * beforePrevious;
}
