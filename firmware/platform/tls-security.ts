import { readFileSync, statSync } from 'node:fs';
import { isIP, type Socket } from 'node:net';
import { connect, createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import type { Clock } from '../core/clock.ts';
import { messageOf, ResourceError } from '../core/errors.ts';
import { type AlternativeName, certifies, parseAlternativeNames } from '../sip/transport/certificate-names.ts';

export interface TlsOptions {
  /** Path of our certificate with its chain, PEM; empty = we show none, and nobody can connect to us. */
  readonly certificate: string;
  /** Path of its private key, PEM. */
  readonly key: string;
  /** Path of the authorities that are trusted instead of the public ones, PEM; empty = the public ones. */
  readonly caFile: string;
  /** False: whoever answers is believed to be who we meant. */
  readonly verify: boolean;
}

export const defaultTlsOptions: TlsOptions = { certificate: '', key: '', caFile: '', verify: true };

/** Names of a certificate that a refusal quotes. */
const namesQuoted = 4;
/** RFC 9325: older versions are broken. */
const minVersion = 'TLSv1.2';

/** RFC 5922: with what TLS connections are made and taken, and who is on the far end of one. Files that change count for the next one. */
export class TlsSecurity {
  readonly #clock: Clock;
  readonly #options: TlsOptions;
  #loaded: { readonly stamp: string; readonly context: SecureContext } | undefined;

  constructor(clock: Clock, options: TlsOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** True when we have something to show to those who connect to us. */
  get canListen(): boolean {
    return this.#options.certificate !== '';
  }

  /**
   * Begins a connection; its certificate is for `judge` to look at once it is secured, so that people are told what is wrong with it. Throws
   * ResourceError when a file can't be read.
   */
  connect(address: string, port: number, domain: string): TLSSocket {
    return connect({
      host: address,
      port,
      secureContext: this.#context(),
      // RFC 6066 §3: no addresses.
      servername: isIP(domain) ? '' : domain,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
  }

  /** `asks` for a certificate of the far end, which need not have one. Throws ResourceError when a file can't be read. */
  accept(socket: Socket, asks: boolean): TLSSocket {
    return new TLSSocket(socket, { isServer: true, secureContext: this.#context(), requestCert: asks, rejectUnauthorized: false });
  }

  /** Whether who connected to us has shown a certificate for `domain` of an authority that is trusted, whatever else is verified. */
  proves(socket: TLSSocket, domain: string): boolean {
    if (!this.#options.verify || !isTrusted(socket)) return false;
    const { subjectAltName } = socket.getPeerX509Certificate() ?? {};
    return certifies(parseAlternativeNames(subjectAltName ?? ''), domain);
  }

  /** What is wrong with the far end of a secured connection to `domain`, in words for people; nothing if it is who we meant. */
  judge(socket: TLSSocket, domain: string): string | undefined {
    if (!this.#options.verify) return undefined;
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) return `${domain} shows no certificate`;
    const { validFrom, validTo, subjectAltName } = certificate;
    if (!socket.authorized) {
      const clock = `the clock of this device says ${dayOf(this.#clock.wallTime())}`;
      // Node.js keeps the code of the error there, whatever its types say.
      return refusalOf(String(socket.authorizationError), domain, { validFrom, validTo, clock });
    }
    const names = parseAlternativeNames(subjectAltName ?? '');
    return certifies(names, domain) ? undefined : `the certificate is not for ${domain} ${inFactFor(names)}`;
  }

  #context(): SecureContext {
    const { certificate, key, caFile } = this.#options;
    const paths = [certificate, key, caFile].filter((path) => path !== '');
    try {
      const stamp = paths.map(stampOf).join(' ');
      if (this.#loaded?.stamp === stamp) return this.#loaded.context;
      const context = createSecureContext({
        minVersion,
        ...(certificate !== '' && { cert: readFileSync(certificate), key: readFileSync(key === '' ? certificate : key) }),
        ...(caFile !== '' && { ca: readFileSync(caFile) }),
      });
      this.#loaded = { stamp, context };
      return context;
    } catch (thrown) {
      throw new ResourceError(`TLS certificate files: ${messageOf(thrown)}`);
    }
  }
}

/**
 * Whether OpenSSL trusts the certificate of who connected to us. Node.js says so of sockets that its own server has taken; of others it has to be
 * asked through its handle, and what can't be asked is not trusted.
 */
function isTrusted(socket: TLSSocket): boolean {
  const handle: unknown = 'ssl' in socket ? socket.ssl : undefined;
  if (typeof handle !== 'object' || handle === null || !('verifyError' in handle)) return false;
  const { verifyError } = handle;
  return typeof verifyError === 'function' && socket.getPeerX509Certificate() !== undefined && verifyError.call(handle) === null;
}

/** Another stamp, another content: also a file replaced within a second has another inode or size. */
function stampOf(path: string): string {
  const { mtimeMs, size, ino } = statSync(path);
  return `${path} ${mtimeMs} ${size} ${ino}`;
}

function refusalOf(code: string, domain: string, { validFrom, validTo, clock }: Record<'validFrom' | 'validTo' | 'clock', string>): string {
  const whose = `the certificate of ${domain}`;
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return `${whose} or of its authority has expired (its own counts until ${dayOf(Date.parse(validTo))}; ${clock})`;
    case 'CERT_NOT_YET_VALID':
      return `${whose} counts only from ${dayOf(Date.parse(validFrom))} on; ${clock}: is it set?`;
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return `${whose} is self-signed and not in sip.tls.caFile`;
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `${whose} comes from an authority that is not trusted (sip.tls.caFile)`;
    default:
      return `${whose} is refused: ${code.toLowerCase().replaceAll('_', ' ')}`;
  }
}

function inFactFor(names: readonly AlternativeName[]): string {
  const quoted = names.slice(0, namesQuoted).map(({ value }) => JSON.stringify(value.slice(0, 64)));
  return quoted.length > 0 ? `but for ${quoted.join(', ')}` : 'nor for any other name (no subjectAltName)';
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
