import type { SrtpSuite } from '../core/srtp-suites.ts';
import { byteAt, writeUint32 } from './packet.ts';
import type { AuthenticatedCipher, BlockCipher, MessageCode, SrtpCiphers, SrtpSessionKeys } from './srtp-keys.ts';

/**
 * Protects packets of one direction, RTP or RTCP, in place. The packet is clear up to `bodyStart` and encrypted up to `bodyEnd`; `index`,
 * of 48 bits for RTP and 31 for RTCP, makes it unlike any other of its `ssrc`.
 */
export interface Protection {
  readonly tagLength: number;
  /** The tag follows the body at once, before the index of RTCP and a master key identifier. */
  readonly tagFirst: boolean;
  /** `suffix` (rollover counter, or E flag and index of RTCP) is authenticated too. The tag is written to `bytes` at `tagAt`. */
  protect(bytes: Uint8Array, bodyStart: number, bodyEnd: number, ssrc: number, index: number, suffix: number, tagAt: number): void;
  /** False when the tag at `tagAt` does not fit; then `bytes` is as it was. `encrypted` is false for RTCP that is only authenticated. */
  unprotect(packet: ProtectedPacket, index: number, suffix: number): boolean;
}

/** A packet that came. Mutable: one for each direction, filled anew for each packet. */
export interface ProtectedPacket {
  bytes: Uint8Array;
  bodyStart: number;
  bodyEnd: number;
  tagAt: number;
  ssrc: number;
  encrypted: boolean;
}

/** `rtcp` decides which of the suite's tags it is, and where the suffix is authenticated. */
export function protectionOf(suite: SrtpSuite, keys: SrtpSessionKeys, rtcp: boolean, ciphers: SrtpCiphers): Protection {
  if (suite.cipher === 'gcm') return new GcmProtection(keys, rtcp, ciphers);
  return new CounterProtection(keys, rtcp ? suite.rtcpTagLength : suite.tagLength, ciphers);
}

const blockLength = 16;
/** Key stream made at once; longer packets take several rounds. */
const blocksAtOnce = 96;
const suffixLength = 4;

/** AES in counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1; RFC 6188). */
class CounterProtection implements Protection {
  readonly tagLength: number;
  readonly tagFirst = false;
  readonly #cipher: BlockCipher;
  readonly #code: MessageCode;
  readonly #salt: Uint8Array;
  readonly #counters = new Uint8Array(blockLength * blocksAtOnce);
  readonly #start = new Uint8Array(blockLength);
  readonly #behind = new Uint8Array(suffixLength);

  constructor({ key, authenticationKey, salt }: SrtpSessionKeys, tagLength: number, ciphers: SrtpCiphers) {
    this.tagLength = tagLength;
    this.#cipher = ciphers.blockCipher(key);
    this.#code = ciphers.messageCode(authenticationKey);
    this.#salt = salt;
  }

  protect(bytes: Uint8Array, bodyStart: number, bodyEnd: number, ssrc: number, index: number, suffix: number, tagAt: number): void {
    this.#applyKeyStream(bytes, bodyStart, bodyEnd, ssrc, index);
    writeUint32(bytes, bodyEnd, suffix);
    const code = this.#code.digest(bytes.subarray(0, bodyEnd + suffixLength));
    for (let place = 0; place < this.tagLength; place++) bytes[tagAt + place] = byteAt(code, place);
  }

  unprotect({ bytes, bodyStart, bodyEnd, tagAt, ssrc, encrypted }: ProtectedPacket, index: number, suffix: number): boolean {
    const behind = this.#behind;
    let difference = 0;
    // The suffix of RTP is not in the packet: it stands in, for a moment, for what follows the body.
    for (let place = 0; place < suffixLength; place++) behind[place] = byteAt(bytes, bodyEnd + place);
    writeUint32(bytes, bodyEnd, suffix);
    const code = this.#code.digest(bytes.subarray(0, bodyEnd + suffixLength));
    bytes.set(behind, bodyEnd);
    for (let place = 0; place < this.tagLength; place++) difference |= byteAt(code, place) ^ byteAt(bytes, tagAt + place);
    if (difference !== 0) return false;
    if (encrypted) this.#applyKeyStream(bytes, bodyStart, bodyEnd, ssrc, index);
    return true;
  }

  #applyKeyStream(bytes: Uint8Array, from: number, to: number, ssrc: number, index: number): void {
    writeNonce(this.#start, 4, this.#salt, ssrc, index);
    for (let start = from, block = 0; start < to; start += blockLength * blocksAtOnce, block += blocksAtOnce) {
      const length = Math.min(to - start, blockLength * blocksAtOnce);
      const stream = this.#keyStream(Math.ceil(length / blockLength), block);
      for (let place = 0; place < length; place++) bytes[start + place] = byteAt(bytes, start + place) ^ byteAt(stream, place);
    }
  }

  #keyStream(count: number, first: number): Uint8Array {
    const counters = this.#counters;
    for (let block = 0; block < count; block++) {
      const at = block * blockLength;
      for (let place = 0; place < 14; place++) counters[at + place] = byteAt(this.#start, place);
      counters[at + 14] = (first + block) >>> 8;
      counters[at + 15] = (first + block) & 0xff;
    }
    return this.#cipher.encrypt(counters.subarray(0, count * blockLength));
  }
}

/** AES in Galois/counter mode (RFC 7714 §8, §9). */
class GcmProtection implements Protection {
  readonly tagLength = 16;
  readonly tagFirst = true;
  readonly #cipher: AuthenticatedCipher;
  readonly #salt: Uint8Array;
  readonly #rtcp: boolean;
  readonly #nonce = new Uint8Array(12);

  constructor({ key, salt }: SrtpSessionKeys, rtcp: boolean, ciphers: SrtpCiphers) {
    this.#cipher = ciphers.authenticatedCipher(key);
    this.#salt = salt;
    this.#rtcp = rtcp;
  }

  protect(bytes: Uint8Array, bodyStart: number, bodyEnd: number, ssrc: number, index: number, suffix: number, tagAt: number): void {
    writeNonce(this.#nonce, 2, this.#salt, ssrc, index);
    const aad = this.#aad(bytes, bodyStart, suffix);
    const { sealed, tag } = this.#cipher.seal(this.#nonce, aad, bytes.subarray(bodyStart, bodyEnd));
    bytes.set(sealed, bodyStart);
    bytes.set(tag, tagAt);
  }

  unprotect({ bytes, bodyStart, bodyEnd, tagAt, ssrc, encrypted }: ProtectedPacket, index: number, suffix: number): boolean {
    writeNonce(this.#nonce, 2, this.#salt, ssrc, index);
    const clear = encrypted ? bodyStart : bodyEnd;
    const body = bytes.subarray(clear, bodyEnd);
    const text = this.#cipher.open(this.#nonce, this.#aad(bytes, clear, suffix), body, bytes.subarray(tagAt, tagAt + this.tagLength));
    if (text) bytes.set(text, clear);
    return text !== undefined;
  }

  /** RTCP has its E flag and index authenticated behind what is clear (RFC 7714 §9.2); of RTP the counter is in the nonce. */
  #aad(bytes: Uint8Array, clear: number, suffix: number): Uint8Array {
    if (!this.#rtcp) return bytes.subarray(0, clear);
    const aad = new Uint8Array(clear + suffixLength);
    aad.set(bytes.subarray(0, clear));
    writeUint32(aad, clear, suffix);
    return aad;
  }
}

/** SSRC and then index, from `at` on, over the salt (RFC 3711 §4.1.1, RFC 7714 §8.1). */
function writeNonce(nonce: Uint8Array, at: number, salt: Uint8Array, ssrc: number, index: number): void {
  nonce.fill(0);
  writeUint32(nonce, at, ssrc);
  writeUint32(nonce, at + 4, Math.floor(index / 0x1_0000));
  nonce[at + 8] = (index >>> 8) & 0xff;
  nonce[at + 9] = index & 0xff;
  for (let place = 0; place < salt.length; place++) nonce[place] = byteAt(nonce, place) ^ byteAt(salt, place);
}
