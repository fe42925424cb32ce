import { createPublicKey, verify } from 'node:crypto';
import { closeSync, copyFileSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { messageOf, RemoteError, ResourceError, UsageError } from '#firmware/core/errors.ts';

/** Larger is no package of ours. */
const maximumBytes = 200 * 1024 * 1024;
const signatureBytes = 64;
const maximumRedirects = 5;
const patienceMs = 10 * 60_000;

/** Brings a package to `target` and its signature to `target.sig`: from a file, or by https alone. */
export async function bringPackage(source: string, target: string, get: typeof fetch = fetch): Promise<void> {
  const isUrl = /^[a-z][a-z0-9+.-]*:\/\//i.test(source);
  for (const [from, to, most] of [
    [source, target, maximumBytes],
    [`${source}.sig`, `${target}.sig`, signatureBytes],
  ] as const) {
    if (isUrl) await download(from, to, most, get);
    else copy(from, to, most);
  }
}

function copy(from: string, to: string, most: number): void {
  try {
    if (statSync(from).size > most) throw new UsageError('too-large', `${from} is too large`);
    copyFileSync(from, to);
  } catch (thrown) {
    if (thrown instanceof UsageError) throw thrown;
    throw new ResourceError(`${from} cannot be read: ${messageOf(thrown)}`);
  }
}

async function download(from: string, to: string, most: number, get: typeof fetch): Promise<void> {
  const { body } = await follow(from, get);
  const file = openSync(to, 'w', 0o600);
  try {
    let length = 0;
    for await (const piece of body ?? []) {
      length += piece.length;
      if (length > most) throw new RemoteError(`${from} is larger than ${most} bytes`);
      writeSync(file, piece);
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Follows redirections by hand, so that none leads away from https. */
async function follow(from: string, get: typeof fetch): Promise<Response> {
  let url = from;
  for (let n = 0; n <= maximumRedirects; n++) {
    if (!url.startsWith('https://')) throw new UsageError('not-https', `${url} is not fetched: only https is`);
    const response = await ask(url, get);
    const location = response.headers.get('location');
    if (response.status >= 300 && response.status < 400 && location !== null) url = new URL(location, url).href;
    else if (response.ok) return response;
    else throw new RemoteError(`${url} cannot be fetched: ${response.status} ${response.statusText}`);
  }
  throw new RemoteError(`${from} is redirected again and again`);
}

async function ask(url: string, get: typeof fetch): Promise<Response> {
  try {
    return await get(url, { redirect: 'manual', signal: AbortSignal.timeout(patienceMs) });
  } catch (thrown) {
    const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown;
    throw new RemoteError(`${url} cannot be fetched: ${messageOf(cause)}`);
  }
}

/** Whether the Ed25519 signature beside `path` was made by the owner of a public key (PEM). Throws UsageError when that is no such key. */
export function isSignedBy(path: string, keyPath: string): boolean {
  return verify(null, readFileSync(path), publicKeyOf(keyPath), readFileSync(`${path}.sig`));
}

function publicKeyOf(path: string) {
  try {
    const key = createPublicKey(readFileSync(path));
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (thrown) {
    throw new UsageError('bad-key', `${path} is no public key: ${messageOf(thrown)}`);
  }
  throw new UsageError('bad-key', `${path} is no key of Ed25519`);
}
