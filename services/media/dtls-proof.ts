import { createHash, createHmac, timingSafeEqual, verify, X509Certificate } from 'node:crypto';
import type { DtlsEnd } from './werift.ts';

/** What the peer has to be: the owner of the certificate whose fingerprint came by SIP. */
export interface ExpectedCertificate {
  readonly hash: string;
  readonly value: string;
}

type Handshakes = Parameters<DtlsEnd['onHandleHandshakes']>[0];

/** RFC 5246 §7.4. */
const types = {
  clientHello: 1,
  serverHello: 2,
  certificate: 11,
  serverKeyExchange: 12,
  certificateVerify: 15,
  clientKeyExchange: 16,
  finished: 20,
};
/** Which decide who the peer is: the first of each counts, what comes later could be anybody's. */
const decisive = new Set([types.serverHello, types.certificate, types.serverKeyExchange, types.certificateVerify, types.clientKeyExchange]);
const verifyDataLength = 12;
/** The only hash that the library signs and verifies with (RFC 5246 §7.4.1.4.1). */
const sha256Code = 4;
const namedCurve = 3;

/**
 * werift leads the handshake but believes what it is told: neither signatures nor Finished are verified by it. Here they are, before any
 * key is used: the peer has signed with the key of its certificate, the certificate is the expected one, and both sides have seen the same
 * handshake (RFC 5246 §7.4.3, §7.4.8, §7.4.9; RFC 5763 §5).
 */
export class DtlsProof {
  readonly #end: DtlsEnd;
  readonly #role: 'client' | 'server';
  readonly #seen = new Map<number, Buffer>();
  #finished: Buffer | undefined;
  #closed = false;

  constructor(end: DtlsEnd, role: 'client' | 'server') {
    this.#end = end;
    this.#role = role;
    const carryOn = end.onHandleHandshakes;
    end.onHandleHandshakes = (assembled) => carryOn(assembled.filter((message) => this.#admits(message)));
  }

  /** Why the association is not to be trusted; asked when the library says that it stands. */
  problem(expected: ExpectedCertificate): string | undefined {
    this.#closed = true;
    const raw = this.#end.remoteCertificate;
    if (!raw) return 'the far end has shown no certificate';
    if (fingerprintOf(raw, expected.hash) !== expected.value.toUpperCase())
      return 'the certificate of the far end is not the one that was announced';
    const certificate = new X509Certificate(raw);
    if (!(this.#role === 'client' ? this.#serverSigned(certificate) : this.#clientSigned(certificate))) {
      return 'the far end does not have the key of its certificate';
    }
    return this.#finishedFits() ? undefined : 'the handshake was tampered with';
  }

  /** Once it stands, another handshake would be somebody else’s; only a Finished is wanted again, when ours was lost. */
  #admits(message: Handshakes[number]): boolean {
    const { msg_type: type, fragment } = message;
    if (this.#closed) return type === types.finished;
    if (type === types.finished) this.#finished ??= Buffer.from(fragment);
    if (type === types.clientHello) return !this.#seen.has(types.clientKeyExchange);
    if (!decisive.has(type)) return true;
    if (this.#seen.has(type)) return false;
    this.#seen.set(type, Buffer.from(fragment));
    return true;
  }

  /** The server signs its half of the key exchange together with both randoms. */
  #serverSigned(certificate: X509Certificate): boolean {
    const exchange = this.#seen.get(types.serverKeyExchange);
    const { localRandom, remoteRandom } = this.#end.cipher;
    if (!exchange || exchange.length < 4 || exchange[0] !== namedCurve || !localRandom || !remoteRandom) return false;
    const end = 4 + exchange.readUInt8(3);
    const signed = Buffer.concat([localRandom.serialize(), remoteRandom.serialize(), exchange.subarray(0, end)]);
    return isSigned(certificate, signed, exchange.subarray(end));
  }

  /** The client signs everything before. */
  #clientSigned(certificate: X509Certificate): boolean {
    const proof = this.#seen.get(types.certificateVerify);
    return proof !== undefined && isSigned(certificate, this.#transcriptBefore(types.certificateVerify), proof);
  }

  #finishedFits(): boolean {
    const { masterSecret } = this.#end.cipher;
    const [label, before] = this.#role === 'client' ? ['server finished', -1] : ['client finished', types.finished];
    if (!masterSecret || this.#finished?.length !== verifyDataLength) return false;
    const seed = Buffer.concat([Buffer.from(label), createHash('sha256').update(this.#transcriptBefore(before)).digest()]);
    return timingSafeEqual(prf(masterSecret, seed, verifyDataLength), this.#finished);
  }

  /** What both sides have said, up to the message of that type. */
  #transcriptBefore(type: number): Buffer {
    const messages = this.#end.dtls.sortedHandshakeCache;
    const end = messages.findIndex((message) => message.msg_type === type);
    return Buffer.concat((end < 0 ? messages : messages.slice(0, end)).map((message) => message.serialize()));
  }
}

function fingerprintOf(certificate: Uint8Array, hash: string): string {
  const digest = createHash(hash.replace('-', '')).update(certificate).digest('hex').toUpperCase();
  return (digest.match(/../g) ?? []).join(':');
}

/** `proof` begins with hash, kind of signature and length (RFC 5246 §4.7); the kind follows from the key. */
function isSigned(certificate: X509Certificate, signed: Uint8Array, proof: Buffer): boolean {
  if (proof.length < 4 || proof[0] !== sha256Code) return false;
  const signature = proof.subarray(4, 4 + proof.readUInt16BE(2));
  return verify('sha256', signed, certificate.publicKey, signature);
}

/** RFC 5246 §5, with the hash of all suites that there are here. */
function prf(secret: Uint8Array, seed: Uint8Array, length: number): Buffer {
  const hmac = (data: Uint8Array) => createHmac('sha256', secret).update(data).digest();
  let stream = Buffer.alloc(0);
  for (let a = hmac(seed); stream.length < length; a = hmac(a)) stream = Buffer.concat([stream, hmac(Buffer.concat([a, seed]))]);
  return stream.subarray(0, length);
}
