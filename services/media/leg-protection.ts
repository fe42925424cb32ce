import type { SessionSecurity } from '#firmware/contract/media.ts';
import { srtpSuites } from '#firmware/core/srtp-suites.ts';
import type { MediaSession } from '#firmware/media/media-session.ts';
import { Srtp, type SrtpParameters } from '#firmware/rtp/srtp.ts';
import type { SrtpMasterKey } from '#firmware/rtp/srtp-keys.ts';
import { nodeSrtpCiphers } from './srtp-ciphers.ts';

/** How the packets of one leg are protected: what was agreed on is put in force, and not begun anew by being said again. */
export class LegProtection {
  readonly #session: MediaSession;
  #agreed = '';
  #srtp: Srtp | undefined;

  constructor(session: MediaSession) {
    this.#session = session;
  }

  update(security: SessionSecurity | null): void {
    const agreed = JSON.stringify(security);
    if (agreed === this.#agreed) return;
    this.#agreed = agreed;
    if (security?.kind === 'dtls') {
      this.#session.protect('awaited');
      return;
    }
    this.#srtp = security ? new Srtp(srtpParametersOf(security), nodeSrtpCiphers, this.#srtp) : undefined;
    this.#session.protect(this.#srtp);
  }
}

function srtpParametersOf({ suite, sendKey, receiveKey, mkiLength }: SessionSecurity & { kind: 'sdes' }): SrtpParameters {
  const { keyLength } = srtpSuites[suite];
  return { suite, sendKey: masterKeyOf(sendKey, keyLength), receiveKey: masterKeyOf(receiveKey, keyLength), mkiLength };
}

function masterKeyOf(text: string, keyLength: number): SrtpMasterKey {
  const bytes = Buffer.from(text, 'base64');
  return { key: bytes.subarray(0, keyLength), salt: bytes.subarray(keyLength) };
}
