import { messageOf } from '#firmware/core/errors.ts';
import type { SrtpSuiteName } from '#firmware/core/srtp-suites.ts';
import { srtpSuites } from '#firmware/core/srtp-suites.ts';
import type { SrtpParameters } from '#firmware/rtp/srtp.ts';
import { DtlsProof, type ExpectedCertificate } from './dtls-proof.ts';
import { type DtlsEnd, loadWerift, type Werift } from './werift.ts';

/** Our certificate and its key, PEM. */
export interface OwnCertificate {
  readonly certificate: string;
  readonly privateKey: string;
}

/** What a handshake needs of the leg it is for. */
export interface HandshakePorts {
  send(bytes: Uint8Array): void;
  /** It stands, and the peer is who it should be. */
  agreed(parameters: SrtpParameters): void;
  failed(reason: string): void;
}

/** RFC 5764 §4.1.2, RFC 7714 §14.2. */
const profiles = new Map<number, SrtpSuiteName>([
  [0x0001, 'AES_CM_128_HMAC_SHA1_80'],
  [0x0007, 'AEAD_AES_128_GCM'],
]);
const patienceMs = 20_000;
/** Datagrams that come before the library is loaded. */
const earlyAtMost = 16;

/** One handshake between the media ports (RFC 5763, RFC 5764): its datagrams share the port with RTP. */
export class DtlsHandshake {
  readonly #ports: HandshakePorts;
  readonly #expected: ExpectedCertificate;
  readonly #role: 'client' | 'server';
  readonly #early: Uint8Array[] = [];
  readonly #patience: NodeJS.Timeout;
  #receive: ((bytes: Uint8Array) => void) | undefined;
  /** It stands, or has failed. */
  #over = false;
  #closed = false;

  constructor(ports: HandshakePorts, own: OwnCertificate, expected: ExpectedCertificate, role: 'client' | 'server') {
    this.#ports = ports;
    this.#expected = expected;
    this.#role = role;
    this.#patience = setTimeout(() => this.#fail('the far end does not answer the handshake'), patienceMs);
    this.#begin(own).catch((thrown) => this.#fail(messageOf(thrown)));
  }

  receive(bytes: Uint8Array): void {
    if (this.#receive) this.#receive(bytes);
    else if (this.#early.length < earlyAtMost) this.#early.push(bytes);
  }

  close(): void {
    this.#over = true;
    this.#closed = true;
    clearTimeout(this.#patience);
    this.#receive = () => undefined;
  }

  async #begin(own: OwnCertificate): Promise<void> {
    const werift = await loadWerift();
    if (this.#closed) return;
    const transport = new LegTransport((bytes) => {
      if (!this.#closed) this.#ports.send(bytes);
    });
    const options = {
      transport,
      cert: own.certificate,
      key: own.privateKey,
      signatureHash: { hash: werift.HashAlgorithm.sha256_4, signature: werift.SignatureAlgorithm.ecdsa_3 },
      srtpProfiles: [...profiles.keys()] as SrtpProfiles,
      extendedMasterSecret: true,
    };
    const client = this.#role === 'client' ? new werift.DtlsClient(options) : undefined;
    const end = client ?? new werift.DtlsServer({ ...options, certificateRequest: true });
    const proof = new DtlsProof(end, this.#role);
    end.onConnect.subscribe(() => this.#connected(end, proof));
    // What the library stumbles over may have come from anybody: the handshake goes on, or its time runs out.
    end.onError.subscribe(() => undefined);
    this.#receive = (bytes) => transport.receive(bytes);
    for (const bytes of this.#early.splice(0)) transport.receive(bytes);
    await client?.connect();
  }

  #connected(end: DtlsEnd, proof: DtlsProof): void {
    if (this.#over) return;
    const suite = profiles.get(end.srtp.srtpProfile ?? 0);
    const problem = suite ? proof.problem(this.#expected) : 'no way of encryption in common';
    if (!suite || problem !== undefined) {
      this.#fail(problem ?? '');
      return;
    }
    clearTimeout(this.#patience);
    this.#over = true;
    const { keyLength, saltLength } = srtpSuites[suite];
    const { localKey, localSalt, remoteKey, remoteSalt } = end.extractSessionKeys(keyLength, saltLength);
    this.#ports.agreed({
      suite,
      sendKey: { key: localKey, salt: localSalt },
      receiveKey: { key: remoteKey, salt: remoteSalt },
      mkiLength: 0,
    });
  }

  #fail(reason: string): void {
    if (this.#over) return;
    this.close();
    this.#ports.failed(reason);
  }
}

type SrtpProfiles = NonNullable<ConstructorParameters<Werift['DtlsClient']>[0]['srtpProfiles']>;

/** The leg's socket as the library wants one. */
class LegTransport {
  readonly type = 'udp';
  readonly address = { address: '', family: 'IPv4', port: 0 };
  readonly closed = false;
  onData: (data: Buffer, address: readonly [string, number]) => void = () => undefined;
  readonly #send: (bytes: Uint8Array) => void;

  constructor(send: (bytes: Uint8Array) => void) {
    this.#send = send;
  }

  receive(bytes: Uint8Array): void {
    try {
      this.onData(Buffer.from(bytes), ['', 0]);
    } catch {
      // The library takes a datagram apart before it looks whether it is whole: what is not, is no handshake.
    }
  }

  async send(bytes: Buffer): Promise<void> {
    this.#send(bytes);
  }

  async close(): Promise<void> {
    // The socket is the leg's.
  }
}
