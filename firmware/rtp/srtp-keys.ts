import type { SrtpSuite } from '../core/srtp-suites.ts';

/** A master key and its salt, for one direction. */
export interface SrtpMasterKey {
  readonly key: Uint8Array;
  readonly salt: Uint8Array;
}

/** AES without a mode. */
export interface BlockCipher {
  /** Each 16 bytes of `blocks` for themselves; the result is valid until the next call. */
  encrypt(blocks: Uint8Array): Uint8Array;
}

/** HMAC-SHA1. */
export interface MessageCode {
  digest(message: Uint8Array): Uint8Array;
}

/** AES in Galois/counter mode with a tag of 16 bytes. */
export interface AuthenticatedCipher {
  /** The text encrypted, and then the tag. */
  seal(nonce: Uint8Array, aad: Uint8Array, text: Uint8Array): { readonly sealed: Uint8Array; readonly tag: Uint8Array };
  /** The text; `undefined` when the tag does not fit. */
  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array, tag: Uint8Array): Uint8Array | undefined;
}

/** The ciphers that SRTP is made of; keys of 16 or 32 bytes, of 20 for the code. */
export interface SrtpCiphers {
  blockCipher(key: Uint8Array): BlockCipher;
  messageCode(key: Uint8Array): MessageCode;
  authenticatedCipher(key: Uint8Array): AuthenticatedCipher;
}

/** Keys of one direction, derived from the master key once: the rate of derivation is always 0 (RFC 3711 §4.3.1). */
export interface SrtpSessionKeys {
  readonly key: Uint8Array;
  readonly authenticationKey: Uint8Array;
  readonly salt: Uint8Array;
}

/** RFC 3711 §4.3.2: one label for each key. */
const labels = { rtp: { key: 0, authentication: 1, salt: 2 }, rtcp: { key: 3, authentication: 4, salt: 5 } } as const;
const authenticationKeyLength = 20;
const blockLength = 16;

/** Derives the keys for RTP or RTCP (RFC 3711 §4.3; RFC 7714 §11 for the shorter salt). */
export function deriveSessionKeys(suite: SrtpSuite, master: SrtpMasterKey, use: 'rtp' | 'rtcp', ciphers: SrtpCiphers): SrtpSessionKeys {
  const cipher = ciphers.blockCipher(master.key);
  const label = labels[use];
  const derive = (value: number, length: number) => derived(cipher, master.salt, value, length);
  return {
    key: derive(label.key, suite.keyLength),
    authenticationKey: derive(label.authentication, authenticationKeyLength),
    salt: derive(label.salt, suite.saltLength),
  };
}

function derived(cipher: BlockCipher, masterSalt: Uint8Array, label: number, length: number): Uint8Array {
  const blocks = new Uint8Array(Math.ceil(length / blockLength) * blockLength);
  for (let start = 0, counter = 0; start < blocks.length; start += blockLength, counter++) {
    blocks.set(masterSalt, start);
    // The label stands above the index of 48 bits, which is 0.
    blocks[start + 7] = (blocks[start + 7] ?? 0) ^ label;
    blocks[start + 15] = counter;
  }
  return cipher.encrypt(blocks).slice(0, length);
}
