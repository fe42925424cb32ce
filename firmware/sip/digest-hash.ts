import { sha512Of256Bits } from './sha-512-256.ts';

/** The hash functions of digest access authentication that are asked for and kept here (RFC 7616 §3.2, RFC 8760 §2), strongest first. */
export const digestAlgorithms = ['SHA-256', 'MD5'] as const;

export type DigestAlgorithm = (typeof digestAlgorithms)[number];

/** All that are answered when another asks for them, strongest first. */
export const answeredAlgorithms = ['SHA-512-256', ...digestAlgorithms] as const;

export type AnsweredAlgorithm = (typeof answeredAlgorithms)[number];

/** The hash in lower-case hexadecimal; text counts as UTF-8. Pure, since the cores see neither node: nor an asynchronous Web Crypto. */
export function digestHash(algorithm: AnsweredAlgorithm, content: string | Uint8Array): string {
  const bytes = typeof content === 'string' ? encoder.encode(content) : content;
  if (algorithm === 'SHA-512-256') return sha512Of256Bits(bytes);
  return algorithm === 'MD5' ? md5(bytes) : sha256(bytes);
}

const encoder = new TextEncoder();

/** RFC 1321. */
function md5(message: Uint8Array): string {
  const padded = padding(message, true);
  const state = new Int32Array([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]);
  const words = new Int32Array(16);
  for (let offset = 0; offset < padded.byteLength; offset += 64) {
    for (let i = 0; i < 16; i++) words[i] = padded.getInt32(offset + 4 * i, true);
    md5Block(state, words);
  }
  return hex(state, true);
}

const md5Sines = Int32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) | 0);
const md5Shifts = Uint8Array.of(7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21);

function md5Block(state: Int32Array, words: Int32Array): void {
  let a = at(state, 0);
  let b = at(state, 1);
  let c = at(state, 2);
  let d = at(state, 3);
  for (let i = 0; i < 64; i++) {
    const round = i >> 4;
    const mixed = round === 0 ? (b & c) | (~b & d) : round === 1 ? (d & b) | (~d & c) : round === 2 ? b ^ c ^ d : c ^ (b | ~d);
    const word = round === 0 ? i : round === 1 ? 5 * i + 1 : round === 2 ? 3 * i + 5 : 7 * i;
    const sum = (a + mixed + at(md5Sines, i) + at(words, word & 15)) | 0;
    const shift = md5Shifts[4 * round + (i & 3)] ?? 0;
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
  }
  state[0] = at(state, 0) + a;
  state[1] = at(state, 1) + b;
  state[2] = at(state, 2) + c;
  state[3] = at(state, 3) + d;
}

/** FIPS 180-4 §6.2. */
function sha256(message: Uint8Array): string {
  const padded = padding(message, false);
  const state = Int32Array.from(firstPrimes.slice(0, 8), (prime) => fraction32(Math.sqrt(prime)));
  const words = new Int32Array(64);
  for (let offset = 0; offset < padded.byteLength; offset += 64) {
    for (let i = 0; i < 16; i++) words[i] = padded.getInt32(offset + 4 * i, false);
    sha256Block(state, words);
  }
  return hex(state, false);
}

const firstPrimes = Array.from({ length: 312 }, (_, i) => i).filter((n) => n > 1 && !hasDivisor(n));
const sha256Roots = Int32Array.from(firstPrimes, (prime) => fraction32(Math.cbrt(prime)));

function sha256Block(state: Int32Array, words: Int32Array): void {
  for (let i = 16; i < 64; i++) {
    const early = at(words, i - 15);
    const late = at(words, i - 2);
    const s0 = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3);
    const s1 = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10);
    words[i] = at(words, i - 16) + s0 + at(words, i - 7) + s1;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < 64; i++) {
    const choice = (e & f) ^ (~e & g);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const t1 = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choice + at(sha256Roots, i) + at(words, i)) | 0;
    const t2 = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  const mixed = [a, b, c, d, e, f, g, h];
  for (let i = 0; i < 8; i++) state[i] = at(state, i) + (mixed[i] ?? 0);
}

/** The message, 0x80, zeros, and its length in bits as 64 bits in the byte order of the algorithm. */
function padding(message: Uint8Array, littleEndian: boolean): DataView {
  const length = (message.length + 9 + 63) & ~63;
  const bytes = new Uint8Array(length);
  bytes.set(message);
  bytes[message.length] = 0x80;
  const view = new DataView(bytes.buffer);
  view.setUint32(length - (littleEndian ? 8 : 4), message.length << 3, littleEndian);
  view.setUint32(length - (littleEndian ? 4 : 8), Math.floor(message.length / 2 ** 29), littleEndian);
  return view;
}

function hex(state: Int32Array, littleEndian: boolean): string {
  const view = new DataView(new ArrayBuffer(4 * state.length));
  state.forEach((word, i) => {
    view.setInt32(4 * i, word, littleEndian);
  });
  let text = '';
  for (let i = 0; i < view.byteLength; i++) text += view.getUint8(i).toString(16).padStart(2, '0');
  return text;
}

function at(words: Int32Array, index: number): number {
  return words[index] ?? 0;
}

function rotate(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

function fraction32(root: number): number {
  return Math.floor((root - Math.floor(root)) * 2 ** 32) | 0;
}

function hasDivisor(n: number): boolean {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return true;
  return false;
}
