import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { chmodSync, chownSync, linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, ResourceError } from '../core/errors.ts';

const fileName = 'device.key';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
const algorithm = 'aes-256-gcm';
/** Begins every sealed text; the number rises with the form. */
const mark = 'sealed:1:';

/**
 * The key of this device, in a file of its own that only its daemon may read: who gets hold of a database or a copy of it has no secrets. It
 * does not protect against root, nor against the thief of the whole card.
 */
export class DeviceKey {
  readonly path: string;
  readonly #key: Uint8Array;

  private constructor(path: string, key: Uint8Array) {
    this.path = path;
    this.#key = key;
  }

  /** Reads the key in `directory`, or makes one. Throws ResourceError when the file is no key: a new one would make the secrets unreadable. */
  static load(directory: string): DeviceKey {
    const path = join(directory, fileName);
    try {
      makeKey(path, directory);
      const text = readFileSync(path, 'utf8').trim();
      if (!/^[0-9a-f]{64}$/.test(text)) throw new Error('it is no key: put its backup there, or delete it and set the secrets anew');
      // Whoever copied it here may have been careless.
      if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
      return new DeviceKey(path, Buffer.from(text, 'hex'));
    } catch (thrown) {
      throw new ResourceError(`the device key ${path} cannot be used: ${messageOf(thrown)}`);
    }
  }

  /** A UUID (RFC 9562 §5.8) that this device alone has, the same for as long as the key; it tells nothing of the key. */
  uuidFor(purpose: string): string {
    const bytes = createHmac('sha256', this.#key).update(`uuid ${purpose}`).digest().subarray(0, 16);
    bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
    bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
    const text = bytes.toString('hex');
    return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join('-');
  }

  static isSealed(text: string): boolean {
    return text.startsWith(mark);
  }

  /** Encrypts `text`, which can be opened under the same name only. */
  seal(name: string, text: string): string {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv(algorithm, this.#key, nonce).setAAD(Buffer.from(name));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return mark + Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64');
  }

  /** The text that was sealed; `undefined` when it was sealed with another key or under another name, or was changed. */
  open(name: string, sealed: string): string | undefined {
    const bytes = Buffer.from(sealed.slice(mark.length), 'base64');
    if (!DeviceKey.isSealed(sealed) || bytes.length < nonceBytes + tagBytes) return undefined;
    const decipher = createDecipheriv(algorithm, this.#key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
      .setAAD(Buffer.from(name))
      .setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
    try {
      return Buffer.concat([decipher.update(bytes.subarray(nonceBytes + tagBytes)), decipher.final()]).toString('utf8');
    } catch {
      // GCM says no more than that it does not fit.
      return undefined;
    }
  }
}

/** Two daemons of one directory may start at once: who comes second uses the key of the first. */
function makeKey(path: string, directory: string): void {
  if (statSync(path, { throwIfNoEntry: false })) return;
  const { uid, gid } = statSync(directory);
  const fresh = `${path}.${randomBytes(4).toString('hex')}`;
  writeFileSync(fresh, `${randomBytes(keyBytes).toString('hex')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  // Made by root for the daemon that owns the directory.
  if (process.getuid?.() === 0) chownSync(fresh, uid, gid);
  try {
    linkSync(fresh, path);
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST')) throw thrown;
  } finally {
    rmSync(fresh);
  }
}
