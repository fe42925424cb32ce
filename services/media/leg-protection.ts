import type { SessionSecurity } from '#firmware/contract/media.ts';
import { type SrtpSuiteName, srtpSuites } from '#firmware/core/srtp-suites.ts';
import type { MediaSession } from '#firmware/media/media-session.ts';
import { canonicalAddress } from '#firmware/rtp/ip-address.ts';
import type { TransportAddress } from '#firmware/rtp/remote-address.ts';
import { Srtp, type SrtpParameters } from '#firmware/rtp/srtp.ts';
import type { SrtpMasterKey } from '#firmware/rtp/srtp-keys.ts';
import { DtlsHandshake, type OwnCertificate } from './dtls-handshake.ts';
import { nodeSrtpCiphers } from './srtp-ciphers.ts';

/** What became of a handshake between the media ports. */
export type HandshakeOutcome =
  | { readonly kind: 'secured'; readonly suite: SrtpSuiteName }
  | { readonly kind: 'securityFailed'; readonly reason: string };

/** What the protection of a leg needs around it. */
export interface ProtectionPorts {
  /** To the port where the peer receives RTP. */
  send(bytes: Uint8Array, address: string, port: number): void;
  certificate(): OwnCertificate | undefined;
  report(outcome: HandshakeOutcome): void;
}

/** RFC 7983 §7: what a first byte of 20 to 63 begins is DTLS. */
export function isHandshake(bytes: Uint8Array): boolean {
  const [first = 0] = bytes;
  return first >= 20 && first <= 63;
}

/** How the packets of one leg are protected: what was agreed on is put in force, and not begun anew by being said again. */
export class LegProtection {
  readonly #session: MediaSession;
  readonly #ports: ProtectionPorts;
  #agreed = '';
  #srtp: Srtp | undefined;
  #handshake: DtlsHandshake | undefined;
  #remote: TransportAddress = { address: '', port: 0 };
  /** The peer's handshake may come from any address. */
  #symmetric = false;

  constructor(session: MediaSession, ports: ProtectionPorts) {
    this.#session = session;
    this.#ports = ports;
  }

  update(security: SessionSecurity | null, remote: TransportAddress, symmetric: boolean): void {
    this.#remote = { address: canonicalAddress(remote.address), port: remote.port };
    this.#symmetric = symmetric;
    const agreed = JSON.stringify(security);
    if (agreed === this.#agreed) return;
    this.#agreed = agreed;
    this.close();
    if (security?.kind === 'dtls') this.#shakeHands(security);
    else this.#protect(security ? srtpParametersOf(security) : undefined);
  }

  /** A datagram of a handshake; what is none is passed over. */
  receiveHandshake(bytes: Uint8Array, address: string, port: number): void {
    if (!this.#handshake || (address !== this.#remote.address && !this.#symmetric)) {
      this.#session.count('dtls-not-wanted');
      return;
    }
    // Whoever it is has to prove who it is; until then the answer goes to where the question came from.
    this.#remote = { address, port };
    this.#handshake.receive(bytes);
  }

  close(): void {
    this.#handshake?.close();
    this.#handshake = undefined;
  }

  #shakeHands({ fingerprint, role }: SessionSecurity & { kind: 'dtls' }): void {
    this.#session.protect('awaited');
    const certificate = this.#ports.certificate();
    if (!certificate) {
      this.#ports.report({ kind: 'securityFailed', reason: 'this device has no certificate' });
      return;
    }
    const ports = {
      send: (bytes: Uint8Array) => this.#ports.send(bytes, this.#remote.address, this.#remote.port),
      agreed: (parameters: SrtpParameters) => {
        this.#protect(parameters);
        this.#ports.report({ kind: 'secured', suite: parameters.suite });
      },
      failed: (reason: string) => this.#ports.report({ kind: 'securityFailed', reason }),
    };
    this.#handshake = new DtlsHandshake(ports, certificate, fingerprint, role);
  }

  #protect(parameters: SrtpParameters | undefined): void {
    this.#srtp = parameters && new Srtp(parameters, nodeSrtpCiphers, this.#srtp);
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
