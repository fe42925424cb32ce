/** FIPS 180-4 §6.7: SHA-512/256 in lower-case hexadecimal. A challenge a minute at most is answered with it, so BigInt is fast enough. */
export function sha512Of256Bits(message: Uint8Array): string {
  return hashFrom(initial, message).slice(0, 64);
}

const mask = (1n << 64n) - 1n;
const primes = Array.from({ length: 410 }, (_, i) => i).filter((n) => n > 1 && !hasDivisor(n));
/** FIPS 180-4 §4.2.3: the first 64 bits of the fractions of cube roots. */
const roundConstants = primes.slice(0, 80).map((prime) => root(BigInt(prime) << 192n, 3n) & mask);
/** §5.3.6: the function for a truncated length begins where SHA-512, itself begun elsewhere, ends on the name of the function. */
const initial = wordsOf(
  hashFrom(
    primes.slice(0, 8).map((prime) => (root(BigInt(prime) << 128n, 2n) & mask) ^ 0xa5a5a5a5a5a5a5a5n),
    new TextEncoder().encode('SHA-512/256'),
  ),
);

function hashFrom(start: readonly bigint[], message: Uint8Array): string {
  const padded = padding(message);
  let state = start;
  for (let offset = 0; offset < padded.byteLength; offset += 128) state = compressed(state, padded, offset);
  return state.map((word) => word.toString(16).padStart(16, '0')).join('');
}

function compressed(state: readonly bigint[], block: DataView, offset: number): readonly bigint[] {
  const schedule: bigint[] = [];
  const word = (i: number): bigint => schedule[i] ?? 0n;
  let [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n, f = 0n, g = 0n, h = 0n] = state;
  for (const [i, constant] of roundConstants.entries()) {
    if (i < 16) schedule.push(block.getBigUint64(offset + 8 * i));
    else {
      const early = word(i - 15);
      const late = word(i - 2);
      const s0 = rotate(early, 1n) ^ rotate(early, 8n) ^ (early >> 7n);
      const s1 = rotate(late, 19n) ^ rotate(late, 61n) ^ (late >> 6n);
      schedule.push((word(i - 16) + s0 + word(i - 7) + s1) & mask);
    }
    const choice = (e & f) ^ (~e & mask & g);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const t1 = h + (rotate(e, 14n) ^ rotate(e, 18n) ^ rotate(e, 41n)) + choice + constant + word(i);
    const t2 = (rotate(a, 28n) ^ rotate(a, 34n) ^ rotate(a, 39n)) + majority;
    h = g;
    g = f;
    f = e;
    e = (d + t1) & mask;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) & mask;
  }
  const mixed = [a, b, c, d, e, f, g, h];
  return state.map((before, i) => (before + (mixed[i] ?? 0n)) & mask);
}

/** The message, 0x80, zeros, and its length in bits as 128 bits. */
function padding(message: Uint8Array): DataView {
  const length = (message.length + 17 + 127) & ~127;
  const bytes = new Uint8Array(length);
  bytes.set(message);
  bytes[message.length] = 0x80;
  const view = new DataView(bytes.buffer);
  view.setBigUint64(length - 8, 8n * BigInt(message.length));
  return view;
}

function wordsOf(hexadecimal: string): readonly bigint[] {
  return Array.from({ length: 8 }, (_, i) => BigInt(`0x${hexadecimal.slice(16 * i, 16 * i + 16)}`));
}

function rotate(word: bigint, by: bigint): bigint {
  return (word >> by) | ((word << (64n - by)) & mask);
}

/** The whole part of the root, by Newton's method from above. */
function root(value: bigint, degree: bigint): bigint {
  let guess = 1n << (BigInt(value.toString(2).length) / degree + 1n);
  for (;;) {
    const next = ((degree - 1n) * guess + value / guess ** (degree - 1n)) / degree;
    if (next >= guess) return guess;
    guess = next;
  }
}

function hasDivisor(n: number): boolean {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return true;
  return false;
}
