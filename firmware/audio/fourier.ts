/** Fast Fourier transform in place, radix 2; the length is a power of two. The inverse is not scaled. */
export function transform(real: Float64Array, imaginary: Float64Array, inverse: boolean): void {
  const length = real.length;
  reverseBits(real, imaginary);
  for (let half = 1; half < length; half *= 2) {
    const angle = (inverse ? Math.PI : -Math.PI) / half;
    for (let offset = 0; offset < half; offset++) {
      const cosine = Math.cos(angle * offset);
      const sine = Math.sin(angle * offset);
      for (let even = offset; even < length; even += 2 * half) butterfly(real, imaginary, even, even + half, cosine, sine);
    }
  }
}

function butterfly(real: Float64Array, imaginary: Float64Array, even: number, odd: number, cosine: number, sine: number): void {
  const oddReal = real[odd] ?? 0;
  const oddImaginary = imaginary[odd] ?? 0;
  const turnedReal = oddReal * cosine - oddImaginary * sine;
  const turnedImaginary = oddReal * sine + oddImaginary * cosine;
  const evenReal = real[even] ?? 0;
  const evenImaginary = imaginary[even] ?? 0;
  real[odd] = evenReal - turnedReal;
  imaginary[odd] = evenImaginary - turnedImaginary;
  real[even] = evenReal + turnedReal;
  imaginary[even] = evenImaginary + turnedImaginary;
}

function reverseBits(real: Float64Array, imaginary: Float64Array): void {
  let mirror = 0;
  for (let index = 1; index < real.length; index++) {
    let bit = real.length >> 1;
    for (; mirror & bit; bit >>= 1) mirror ^= bit;
    mirror ^= bit;
    if (index < mirror) {
      exchange(real, index, mirror);
      exchange(imaginary, index, mirror);
    }
  }
}

function exchange(values: Float64Array, a: number, b: number): void {
  const value = values[a] ?? 0;
  values[a] = values[b] ?? 0;
  values[b] = value;
}
