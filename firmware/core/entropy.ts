/** Unpredictable bytes: from the kernel in production, from a seed in tests. */
export interface Entropy {
  /** Fresh random bytes, `length` of them. */
  bytes(length: number): Uint8Array;
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

/** A random token of `length` characters from [a-z2-7], 5 bits each: fit for tags, branches and Call-IDs. */
export function randomToken(entropy: Entropy, length: number): string {
  let token = '';
  for (const byte of entropy.bytes(length)) token += alphabet[byte & 31];
  return token;
}

/** A random unsigned 32-bit integer. */
export function randomUint32(entropy: Entropy): number {
  const bytes = entropy.bytes(4);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
}

/** A random number in [0, 1), for jitter in back-offs. */
export function randomFraction(entropy: Entropy): number {
  return randomUint32(entropy) / 2 ** 32;
}
