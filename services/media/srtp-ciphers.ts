import { type CipherGCMTypes, createCipheriv, createDecipheriv, createHmac, createSecretKey } from 'node:crypto';
import type { AuthenticatedCipher, BlockCipher, MessageCode, SrtpCiphers } from '#firmware/rtp/srtp-keys.ts';

const tagLength = 16;

/** The ciphers of SRTP by OpenSSL. */
export const nodeSrtpCiphers: SrtpCiphers = { blockCipher, messageCode, authenticatedCipher };

/** Blocks for themselves need no state, so one cipher lasts for all packets: making one costs more than using it. */
function blockCipher(key: Uint8Array): BlockCipher {
  const cipher = createCipheriv(key.length === 32 ? 'aes-256-ecb' : 'aes-128-ecb', key, null).setAutoPadding(false);
  return { encrypt: (blocks) => cipher.update(blocks) };
}

function messageCode(key: Uint8Array): MessageCode {
  const secret = createSecretKey(key);
  return { digest: (message) => createHmac('sha1', secret).update(message).digest() };
}

function authenticatedCipher(key: Uint8Array): AuthenticatedCipher {
  const secret = createSecretKey(key);
  const algorithm: CipherGCMTypes = key.length === 32 ? 'aes-256-gcm' : 'aes-128-gcm';
  return {
    seal: (nonce, aad, text) => {
      const cipher = createCipheriv(algorithm, secret, nonce, { authTagLength: tagLength }).setAAD(aad);
      const sealed = cipher.update(text);
      cipher.final();
      return { sealed, tag: cipher.getAuthTag() };
    },
    open: (nonce, aad, sealed, tag) => {
      const decipher = createDecipheriv(algorithm, secret, nonce, { authTagLength: tagLength }).setAAD(aad).setAuthTag(tag);
      const text = decipher.update(sealed);
      try {
        decipher.final();
        return text;
      } catch {
        // GCM says no more than that it does not fit.
        return undefined;
      }
    },
  };
}
