/** A sine of `frequency` Hz: `seconds` long, `amplitude` of full scale. */
export function sine(frequency: number, sampleRate: number, seconds: number, amplitude = 0.5): Int16Array {
  return Int16Array.from({ length: Math.round(sampleRate * seconds) }, (_, index) =>
    Math.round(amplitude * 32_767 * Math.sin((2 * Math.PI * frequency * index) / sampleRate)),
  );
}

/** How much of `frequency` is in `samples`, in dB of the power of a full-scale sine (Goertzel). */
export function powerAt(samples: Int16Array, frequency: number, sampleRate: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * frequency) / sampleRate);
  let [before, last] = [0, 0];
  for (const sample of samples) [before, last] = [last, sample / 32_768 + coefficient * last - before];
  const power = (before * before + last * last - coefficient * before * last) / (samples.length / 2) ** 2;
  return 10 * Math.log10(power + 1e-12);
}
