import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface IssueOptions {
  /** As OpenSSL writes it: `DNS:localhost, IP:127.0.0.1`, or `DER:…`; absent, no name but the CN. */
  readonly names?: string;
  /** `YYYYMMDDHHMMSSZ`. */
  readonly from?: string;
  readonly until?: string;
}

export interface IssuedCertificate {
  /** Paths of PEM files. */
  readonly certificate: string;
  readonly key: string;
}

/** A certificate authority of a test, made by openssl in a folder of the test. */
export class TestAuthority {
  readonly certificate: string;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.certificate = join(folder, 'authority.pem');
  }

  static async make(folder: string): Promise<TestAuthority> {
    mkdirSync(folder, { recursive: true });
    const authority = new TestAuthority(folder);
    await authority.#make();
    return authority;
  }

  async issue(file: string, { names, from = '20200101000000Z', until = '20490101000000Z' }: IssueOptions): Promise<IssuedCertificate> {
    const [request, key, certificate, extensions] = ['csr', 'key', 'pem', 'ext'].map((ending) => join(this.#folder, `${file}.${ending}`));
    if (!request || !key || !certificate || !extensions) throw new Error('four names were made');
    await writeFile(extensions, `basicConstraints=CA:FALSE\n${names === undefined ? '' : `subjectAltName=${names}\n`}`);
    await this.#openssl('req', '-new', ...newKey, '-keyout', key, '-out', request, '-subj', '/CN=localhost');
    const times = ['-startdate', from, '-enddate', until];
    await this.#openssl(
      'ca',
      '-batch',
      '-config',
      this.#configuration,
      ...times,
      '-extfile',
      extensions,
      '-in',
      request,
      '-out',
      certificate,
    );
    return { certificate, key };
  }

  /** A certificate that nobody but itself vouches for. */
  async selfSigned(file: string, names: string): Promise<IssuedCertificate> {
    const certificate = join(this.#folder, `${file}.pem`);
    const key = join(this.#folder, `${file}.key`);
    const subject = ['-subj', '/CN=localhost', '-addext', `subjectAltName=${names}`, '-days', '30'];
    await this.#openssl('req', '-x509', ...newKey, '-keyout', key, '-out', certificate, ...subject);
    return { certificate, key };
  }

  get #configuration(): string {
    return join(this.#folder, 'ca.cnf');
  }

  async #make(): Promise<void> {
    const folder = this.#folder;
    const key = join(folder, 'authority.key');
    await this.#openssl('req', '-x509', ...newKey, '-keyout', key, '-out', this.certificate, '-subj', '/CN=Test authority', '-days', '30');
    await writeFile(join(folder, 'index.txt'), '');
    await writeFile(
      this.#configuration,
      `[ca]\ndefault_ca=own\n[own]\ndatabase=${folder}/index.txt\nnew_certs_dir=${folder}\ncertificate=${this.certificate}\nprivate_key=${key}\n` +
        'default_md=sha256\nrand_serial=yes\nunique_subject=no\npolicy=any\n[any]\ncommonName=supplied\n',
    );
  }

  async #openssl(...args: readonly string[]): Promise<void> {
    await run('openssl', [...args]);
  }
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** A subjectAltName with one DNS name of any bytes, as OpenSSL takes it. */
export function rawDnsName(name: string): string {
  const bytes = Buffer.from(name, 'latin1');
  const names = Buffer.concat([Buffer.from([0x82, bytes.length]), bytes]);
  const whole = Buffer.concat([Buffer.from([0x30, names.length]), names]);
  return `DER:${[...whole].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`;
}
