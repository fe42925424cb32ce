import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, ResourceError } from '../core/errors.ts';

/** A certificate that the device made for itself, with its key, both PEM. Who talks to it is told the fingerprint (RFC 5763). */
export interface SelfSignedCertificate {
  readonly certificate: string;
  readonly privateKey: string;
  /** Over the certificate, hex with colons (RFC 8122 §5). */
  readonly fingerprint: { readonly hash: 'sha-256'; readonly value: string };
}

const fileName = 'media.pem';
const oids = { commonName: [0x55, 0x04, 0x03], ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02] };
const tags = { integer: 0x02, bitString: 0x03, oid: 0x06, utf8: 0x0c, utcTime: 0x17, sequence: 0x30, set: 0x31, version: 0xa0 };

/** Reads the certificate in `directory`, or makes one; it is kept, so that far ends know the device again. */
export function loadDeviceCertificate(directory: string): SelfSignedCertificate {
  const path = join(directory, fileName);
  try {
    if (!statSync(path, { throwIfNoEntry: false })) {
      const fresh = `${path}.${randomBytes(4).toString('hex')}`;
      writeFileSync(fresh, makeCertificate(), { mode: 0o600, flag: 'wx', flush: true });
      renameSync(fresh, path);
    }
    const pem = readFileSync(path, 'utf8');
    const privateKey = createPrivateKey(pem);
    const certificate = new X509Certificate(pem);
    if (!certificate.publicKey.equals(createPublicKey(privateKey))) throw new Error('its key belongs to another certificate');
    const digest = createHash('sha256').update(certificate.raw).digest('hex').toUpperCase();
    return {
      certificate: certificate.toString(),
      privateKey: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
      fingerprint: { hash: 'sha-256', value: (digest.match(/../g) ?? []).join(':') },
    };
  } catch (thrown) {
    throw new ResourceError(`the certificate ${path} cannot be used: ${messageOf(thrown)}; without the file another is made`);
  }
}

/** Valid always: the device may not know the time, and nobody asks for it. The name says nothing about the person. */
function makeCertificate(): string {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(tags.sequence, der(tags.oid, oids.ecdsaWithSha256));
  const commonName = der(tags.sequence, der(tags.oid, oids.commonName), der(tags.utf8, Buffer.from('hookswitch')));
  const name = der(tags.sequence, der(tags.set, commonName));
  const validity = der(tags.sequence, der(tags.utcTime, Buffer.from('200101000000Z')), der(tags.utcTime, Buffer.from('491231235959Z')));
  const serial = randomBytes(8);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const toBeSigned = der(
    tags.sequence,
    der(tags.version, der(tags.integer, [2])),
    der(tags.integer, serial),
    algorithm,
    name,
    validity,
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = sign('sha256', toBeSigned, privateKey);
  const certificate = der(tags.sequence, toBeSigned, algorithm, der(tags.bitString, [0], signature));
  return `${new X509Certificate(certificate).toString()}${String(privateKey.export({ type: 'pkcs8', format: 'pem' }))}`;
}

/** One element of DER. */
function der(tag: number, ...contents: readonly (Uint8Array | readonly number[])[]): Buffer {
  const content = Buffer.concat(contents.map((part) => Uint8Array.from(part)));
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.from([tag, ...size]), content]);
}
